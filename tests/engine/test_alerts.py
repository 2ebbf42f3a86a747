"""Alerts and the worklist: an edge raises once, a person settles, points rank and decide nothing."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import decisions, finishing
from engine.alerts import SNOOZE_DAYS_MAX, AcknowledgeAlert, SnoozeAlert, State, codes_of, edges, in_state, state_of
from engine.commands import Conflict, Invalid, NotFound, Refused
from engine.events import drain_dirty
from engine.runs import resume, run_entity
from engine.tables import Alert, AuditEntry, Decision, DirtyCustomer, DueLine, Entity, Outcome, Run
from engine.verify import verify

pytestmark = pytest.mark.long

DAY = 20_543  # 2026-03-31
SETS = st.lists(st.sampled_from("abcde"), unique=True).map(lambda codes: ",".join(codes) or None)


def document(make: Any, *rules: tuple[str, Any], stage: str = "alert", hit: str = "collect") -> dict[str, Any]:
    """A policy of alerts or of points."""
    outcome, nothing = ("alert", None) if stage == "alert" else ("worklist_points", 0)
    return make.policy(
        stage,
        stage,
        hit,
        [make.rule(key, when, {outcome: then}) for key, when, then in rules],
        otherwise={"then": {outcome: nothing}, "because": "nothing to see"},
    )


@pytest.fixture
def make(request: pytest.FixtureRequest) -> SimpleNamespace:
    """What the engine's conftest makes documents with."""
    module = next(
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", "") and str(plugin.__file__).endswith("tests/engine/conftest.py")
    )
    return SimpleNamespace(policy=module.policy, rule=module.rule, in_force=module.in_force)


@pytest.fixture
def alerts(policies: SimpleNamespace, make: SimpleNamespace) -> SimpleNamespace:
    """Alerts at 10 days past due and at 2,000.00 open; points for both."""
    late, much = ["leader_days_past_due", ">=", 10], ["open_minor", ">=", 200_000]
    return SimpleNamespace(
        alert=make.in_force(document(make, ("late", late, "late"), ("much", much, "much_open"))),
        points=make.in_force(
            document(make, ("late", late, 30), ("much", much, 12), stage="worklist", hit="sum"),
        ),
    )


def raised() -> list[tuple[str, int, int | None]]:
    """Every alert there ever was."""
    return [(a.alert, a.since_day - DAY, a.over_day and a.over_day - DAY) for a in Alert.select().order_by(Alert.id)]


@pytest.mark.parametrize(("late", "found"), [(9, []), (10, ["late"]), (11, ["late"])])
def test_an_alert_is_raised_from_its_mark_on(runtime, entity, books, alerts, late, found):
    """Below nothing, at the mark and above it one alert."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - late)
    run_entity(runtime, entity, DAY)
    assert [a.alert for a in Alert] == found


def test_an_alert_says_which_rule_saw_what_since_when(runtime, entity, books, alerts):
    """Its row names rule, facts, day and the decision durable-rules confirmed."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 60, DAY - 10)
    run_entity(runtime, entity, DAY)
    (alert,) = Alert
    assert (alert.customer_id, alert.rules, alert.facts, alert.since_day, alert.over_day) == (
        customer.id,
        '["late"]',
        '{"leader_days_past_due":10}',
        DAY,
        None,
    )
    assert (alert.decision.customer_id, alert.decision.confirmed_by) == (customer.id, "durable")


def test_it_is_raised_once_ends_and_is_armed_again(runtime, entity, books, alerts):
    """Ten days of holding are one alert; paid, it is over; late again, there is another."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 5)
    for day in range(DAY, DAY + 15):
        run_entity(runtime, entity, day)
    assert raised() == [("late", 5, None)]
    books.payment(customer, line, 50_000, DAY + 14)
    run_entity(runtime, entity, DAY + 15)
    assert raised() == [("late", 5, 15)]
    books.invoice(customer, 50_000, DAY + 10, DAY + 12)
    for day in range(DAY + 16, DAY + 25):
        run_entity(runtime, entity, day)
    assert raised() == [("late", 5, 15), ("late", 22, None)]


def test_two_alerts_of_a_customer_come_and_go_by_themselves(runtime, entity, books, alerts):
    """The end of one is not the end of the other."""
    customer = books.customer("1")
    small = books.invoice(customer, 60_000, DAY - 60, DAY - 9)
    books.invoice(customer, 150_000, DAY - 10, DAY + 100)
    run_entity(runtime, entity, DAY)
    run_entity(runtime, entity, DAY + 1)
    assert raised() == [("much_open", 0, None), ("late", 1, None)]
    books.payment(customer, small, 60_000, DAY + 1)
    run_entity(runtime, entity, DAY + 2)
    assert raised() == [("much_open", 0, 2), ("late", 1, 2)]


def test_an_event_raises_and_ends_an_alert_the_same_day(runtime, entity, books, alerts):
    """A payment at noon ends it at once, under a run of its own."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 20)
    run_entity(runtime, entity, DAY)
    books.payment(customer, line, 50_000, DAY)
    DirtyCustomer.create(customer=customer, entity_id=entity.id, since_at=runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert raised() == [("late", 0, 0)]
    assert Outcome.get().worklist_points == 0


def settle(runtime: Any, command: type[Any], who: Any, alert: Alert, **more: Any) -> dict[str, Any]:
    """Give a command about an alert."""
    found: dict[str, Any] = runtime.execute(command(actor=who.id, reason="looked into it", alert=alert.id, **more))
    return found


@pytest.fixture
def one(runtime: Any, entity: Entity, books: Any, alerts: SimpleNamespace) -> Alert:
    """One alert, raised today."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 20)
    run_entity(runtime, entity, DAY)
    found: Alert = Alert.get()
    return found


def test_an_acknowledged_alert_does_not_come_up_again(runtime, entity, users, one):
    """It holds on for days and stays acknowledged; who, when and why are kept."""
    settle(runtime, AcknowledgeAlert, users.collector, one)
    for day in range(DAY + 1, DAY + 4):
        run_entity(runtime, entity, day)
    (alert,) = Alert
    assert state_of(alert, DAY + 100) is State.ACKNOWLEDGED
    assert (alert.acknowledged_by_id, alert.reason) == (users.collector.id, "looked into it")
    entry = AuditEntry.select().order_by(AuditEntry.id.desc()).first()
    assert (entry.command, entry.subject_kind, entry.actor_id) == ("AcknowledgeAlert", "alert", users.collector.id)
    assert verify(runtime).sound


def test_a_snoozed_alert_comes_up_on_its_day(runtime, users, one):
    """The day before it rests, on the day and after it it is open."""
    settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + 7)
    alert = Alert.get()
    states = [state_of(alert, DAY + n) for n in (0, 6, 7, 8)]
    assert states == [State.SNOOZED, State.SNOOZED, State.OPEN, State.OPEN]
    settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + 1)
    assert state_of(Alert.get(), DAY + 1) is State.OPEN


@pytest.mark.parametrize(("days", "allowed"), [(0, False), (1, True), (SNOOZE_DAYS_MAX, True), (91, False)])
def test_a_snooze_has_an_end_within_ninety_days(runtime, users, one, days, allowed):
    """Neither today nor for ever."""
    if allowed:
        settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + days)
    else:
        with pytest.raises(Invalid, match="not within 90 days"):
            settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + days)
    assert (Alert.get().snoozed_until_day is not None) is allowed


def test_settling_ends_with_the_alert(runtime, entity, books, users, one):
    """Once over, an acknowledgement or a snooze is history: the next alert is open."""
    settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + 60)
    books.payment(one.customer, DueLine.get(), 50_000, DAY)
    run_entity(runtime, entity, DAY + 1)
    with pytest.raises(Invalid, match="is over"):
        settle(runtime, AcknowledgeAlert, users.manager, one)
    books.invoice(one.customer, 50_000, DAY - 10, DAY - 8)
    run_entity(runtime, entity, DAY + 2)
    first, second = Alert.select().order_by(Alert.id)
    assert (state_of(first, DAY + 2), state_of(second, DAY + 2)) == (State.OVER, State.OPEN)


def test_of_two_people_at_once_the_second_is_told(runtime, users, one):
    """The version the second one saw is gone."""
    settle(runtime, SnoozeAlert, users.manager, one, until_day=DAY + 5, version=one.version)
    with pytest.raises(Conflict, match="changed by somebody else"):
        settle(runtime, AcknowledgeAlert, users.second, one, version=one.version)
    settle(runtime, AcknowledgeAlert, users.second, one, version=one.version + 1)
    with pytest.raises(Invalid, match="acknowledged already"):
        settle(runtime, AcknowledgeAlert, users.manager, one)


def test_only_those_who_may_and_who_see_the_customer_settle(runtime, entity, users, make_user, one):
    """Sales may not; a collector of another portfolio finds nothing."""
    with pytest.raises(Refused):
        settle(runtime, AcknowledgeAlert, users.sales, one)
    stranger = make_user("stranger@dunwell.example", "collector", entity, portfolio="north")
    with pytest.raises(NotFound):
        settle(runtime, AcknowledgeAlert, stranger, one)
    assert state_of(Alert.get(), DAY) is State.OPEN


def test_a_crash_between_leaves_neither_a_decision_nor_an_alert_too_many(runtime, entity, books, alerts, monkeypatch):
    """The process dies after the first batch of a transaction's worth; the run goes on and raises each once."""
    monkeypatch.setattr(decisions, "DECISIONS_PER_TRANSACTION", 3)
    for number in range(8):
        books.invoice(books.customer(str(number)), 50_000, DAY - 60, DAY - 20)
    calls = []
    real = decisions.write_edges

    def dying(*arguments: Any) -> None:
        real(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(decisions, "write_edges", dying)
    with pytest.raises(KeyboardInterrupt):
        run_entity(runtime, entity, DAY)
    assert (Alert.select().count(), Decision.select().count()) == (3, 3)
    monkeypatch.setattr(decisions, "write_edges", real)
    resume(runtime, Run.get())
    assert Alert.select().count() == Alert.select(Alert.customer).distinct().count() == Decision.select().count() == 8


def test_an_alert_whose_policy_ends_is_over(runtime, entity, books, alerts):
    """Nothing decides it any more, so nothing holds."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 20)
    run_entity(runtime, entity, DAY)
    type(alerts.alert).update(until_day=DAY + 1, status="retired").where(
        type(alerts.alert).id == alerts.alert.id
    ).execute()
    run_entity(runtime, entity, DAY + 1)
    assert raised() == [("late", 0, 1)]
    assert Outcome.get().alert is None


@given(st.lists(SETS, max_size=12))
def test_alerts_are_the_edges_of_the_outcomes(outcomes: list[str | None]) -> None:
    """Law: replaying the edges of any history gives what holds now, each alert begun once and ended once."""
    holding: set[str] = set()
    begun = ended = 0
    for before, after in zip([None, *outcomes], outcomes, strict=False):
        begins, ends = edges(before, after)
        assert not holding & set(begins)
        assert set(ends) <= holding
        holding = (holding | set(begins)) - set(ends)
        begun, ended = begun + len(begins), ended + len(ends)
        assert holding == set(codes_of(after))
    assert begun - ended == len(holding)


def test_the_rows_are_the_fold_of_the_decisions(runtime, entity, books, alerts):
    """Over a story of payments and invoices, alerts follow from the decisions' outcomes alone."""
    for number in range(6):
        customer = books.customer(str(number))
        line = books.invoice(customer, 40_000 + 60_000 * number, DAY - 40, DAY - 12 + 3 * number)
        if number % 2:
            books.payment(customer, line, line.amount_minor, DAY + 6 + number)
    for day in range(DAY, DAY + 16):
        run_entity(runtime, entity, day)
    expected: list[tuple[int, str, int, int | None]] = []
    for decision in Decision.select().order_by(Decision.id):
        change = decision_changes(decision).get("alert")
        begins, ends = edges(*(change[side]["alert"] for side in ("before", "after"))) if change else ((), ())
        for code in ends:
            place = next(
                i for i, row in enumerate(expected) if row[:2] == (decision.customer_id, code) and row[3] is None
            )
            expected[place] = (*expected[place][:3], decision.as_of_day)
        expected += [(decision.customer_id, code, decision.as_of_day, None) for code in begins]
    found = [(a.customer_id, a.alert, a.since_day, a.over_day) for a in Alert]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert len(found) > 6


def decision_changes(decision: Decision) -> dict[str, Any]:
    """What a decision changed, by stage."""
    import json

    found: dict[str, Any] = json.loads(decision.changes)
    return found


def test_the_condition_on_rows_agrees_with_the_state_of_one(runtime, one):
    """Every combination of over, acknowledged and snoozed stands in exactly the list its state names."""
    for over in (None, DAY):
        for seen in (None, 5):
            for until in (None, DAY - 1, DAY, DAY + 1):
                Alert.update(over_day=over, acknowledged_at=seen, snoozed_until_day=until).execute()
                listed = [s for s in State if Alert.select().where(in_state(s, DAY)).exists()]
                assert listed == [state_of(Alert.get(), DAY)]


def test_points_rank_and_decide_nothing(runtime, entity, books, alerts):
    """Points that change are written without a decision; the rank follows the day."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 60, DAY - 9)
    books.invoice(customer, 160_000, DAY - 10, DAY + 60)
    run_entity(runtime, entity, DAY)
    assert Outcome.get().worklist_points == 12
    type(alerts.alert).update(status="retired").execute()
    type(alerts.alert).update(status="approved").where(type(alerts.alert).id == alerts.points.id).execute()
    run_entity(runtime, entity, DAY + 1)
    before = Decision.select().count()
    books.invoice(books.customer("2"), 300_000, DAY - 1, DAY + 30)
    run_entity(runtime, entity, DAY + 2)
    assert Decision.select().where(Decision.customer == customer).count() == before
    assert [o.worklist_points for o in Outcome.select().order_by(Outcome.customer)] == [42, 12]


def test_points_of_a_night_are_written_without_a_row_of_python_each(runtime, entity, books, alerts, monkeypatch):
    """A night on which nothing changes writes no points at all."""
    for number in range(5):
        books.invoice(books.customer(str(number)), 50_000, DAY - 60, DAY - 20 - number)
    run_entity(runtime, entity, DAY)
    written: list[Any] = []
    monkeypatch.setattr(finishing, "write_points", lambda _runtime, rows: written.append(list(rows)))
    run_entity(runtime, entity, DAY + 1)
    assert written == []
