"""A run that dies anywhere is finished as if nothing had happened; nothing is decided twice."""

import json

import pytest

from engine import confirming, decisions, finishing
from engine.after_run import BAND
from engine.commands import mark_dirty
from engine.editions import BASIS_PARAMETERS
from engine.events import drain_dirty
from engine.matching import Confirmation, Match, Matcher
from engine.overrides import SetOverride
from engine.queries import UNFINISHED_MESSAGE
from engine.replaying import Different
from engine.runs import run_entity
from engine.runtime import build
from engine.tables import (
    Action,
    Alarm,
    CreditLimit,
    CustomerGroup,
    Decision,
    DirtyCustomer,
    Entity,
    ExchangeRate,
    Outcome,
    Run,
    Standing,
)
from engine.verify import verify
from rules.documents import shipped

from .conftest import in_force, parameters, policy, rule

DAY = 20_543


class Killed(BaseException):
    """Stands for kill -9: nothing catches it, the transaction under way is lost."""


def state():
    """What was decided, without the numbers of rows."""
    outcomes = sorted((o.customer_id, o.segment, o.hold, o.level, o.step, o.as_of_day) for o in Outcome)
    standings = sorted(
        (s.customer_id, s.episode, s.open, s.level, s.step_key, s.since_day, s.next_day) for s in Standing
    )
    actions = sorted((a.key, a.state, a.due_day, a.decision.customer_id) for a in Action)
    made = sorted((d.customer_id, d.as_of_day, d.changes, d.facts) for d in Decision)
    return outcomes, standings, actions, made


def portfolio(books):
    """Nine customers at steps of all kinds."""
    for late in (-10, -3, 0, 3, 4, 13, 14, 33, 90):
        books.invoice(books.customer(f"{late}"), 50_000, DAY - 200, DAY + 1 - late)


POINTS = [(decisions, name) for name in ("_write_decisions", "_write_outcomes", "_write_standings", "_end_actions")]
POINTS += [(decisions, "_write_actions"), (finishing, "confirm_sample"), (finishing, "clean")]


@pytest.mark.parametrize(("module", "name"), POINTS, ids=lambda point: point if isinstance(point, str) else "")
def test_a_run_killed_at_any_boundary_is_finished_by_the_next_call(
    request, runtime, entity, books, policies, go_live, monkeypatch, module, name
):
    """Killed at the first, second, third ... passing of a boundary; the end is always the same."""
    monkeypatch.setattr(decisions, "DECISIONS_PER_TRANSACTION", 2)
    monkeypatch.setattr(finishing, "CONFIRM_ROWS", 3)
    portfolio(books)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    original, deaths, passed = getattr(module, name), 0, 0

    def dying(*arguments):
        nonlocal passed, deaths
        passed += 1
        if passed > deaths:
            deaths += 1
            passed = 0
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(module, name, dying)
    while True:
        try:
            run = run_entity(runtime, Entity.get(), DAY + 1)
            break
        except Killed:
            runtime.close()
            runtime = build(runtime.settings, runtime.now)
            request.addfinalizer(runtime.close)
    assert deaths >= 1
    assert (run.state, run.applied, Run.select().count()) == ("done", 7, 2)
    assert verify(runtime).values()["sound"]
    outcomes, standings, actions, made = state()
    assert [action[0].split("/")[3] for action in actions] == ["m10"] * 2 + ["p4"] * 5
    assert [action[1:3] for action in actions] == [("due", DAY + 1)] * 7
    stood = [(level, step) for *_, level, step, _ in outcomes]
    assert {one: stood.count(one) for one in stood} == {(0, None): 2, (0, "m10"): 2, (1, "p4"): 5}
    assert len(standings) == 9
    assert len({(customer, day) for customer, day, *_ in made}) == len(made) == 16


def test_days_missed_right_after_go_live_lose_no_step(runtime, entity, books, policies, go_live):
    """Adopted, live, then nothing ran for four days: the first step is sent on the fifth, not skipped."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 5)
    assert [(a.step_key, a.due_day) for a in Action] == [("p4", DAY + 5)]


def test_a_level_that_a_person_sets_sends_nothing(runtime, entity, books, policies, go_live, users):
    """The rules would begin a step; the override keeps the level, and no action is made for it."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    runtime.execute(
        SetOverride(
            actor=users.manager.id, reason="agreed", customer=customer.id, target="level", value=0, until_day=DAY + 3
        )
    )
    run_entity(runtime, entity, DAY + 1)
    assert (Outcome.get().level, Action.select().count()) == (0, 0)
    run_entity(runtime, entity, DAY + 3)
    assert [(a.step_key, a.due_day) for a in Action] == [("p4", DAY + 3)]


# --- events ----------------------------------------------------------------------------


def test_a_payment_is_decided_at_once_through_the_same_pipeline(runtime, entity, books, policies, go_live):
    """Hold and level fall, the open action is cancelled, and the nightly run has nothing to add."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    run_entity(runtime, entity, DAY)
    assert (Outcome.get().hold, Outcome.get().level) == (True, 1)
    books.payment(customer, line, 50_000, DAY)
    mark_dirty([customer.id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert (Outcome.get().hold, Outcome.get().level, Action.get().state) == (False, 0, "cancelled")
    assert DirtyCustomer.select().count() == 0
    event = Run.select().order_by(Run.id.desc()).get()
    assert (event.kind, event.state, event.changed) == ("event", "done", 1)
    before = state()
    run_entity(runtime, entity, DAY)
    assert state() == before


def test_a_drain_killed_at_any_boundary_stops_no_later_night(
    request, runtime, entity, books, policies, go_live, monkeypatch
):
    """A worker that dies deciding one customer leaves a run without facts; the next drain and the next night go on."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    run_entity(runtime, entity, DAY)
    books.payment(customer, line, 50_000, DAY)
    mark_dirty([customer.id], runtime.now_at())

    def dying(*_arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(decisions, "_write_decisions", dying)
        with pytest.raises(Killed):
            drain_dirty(runtime)
    runtime.close()
    runtime = build(runtime.settings, runtime.now)
    request.addfinalizer(runtime.close)
    assert Run.select().where(Run.kind == "event", Run.state == "confirming").count() == 1
    assert run_entity(runtime, Entity.get(), DAY + 1).state == "done"
    mark_dirty([customer.id], runtime.now_at())
    drain_dirty(runtime)
    assert (Outcome.get().hold, Action.get().state) == (False, "cancelled")
    assert {run.state for run in Run} == {"done"}


def test_a_customer_without_news_leaves_no_trace(runtime, entity, books, policies):
    """The mark goes, no run is written."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 10, DAY + 20)
    run_entity(runtime, entity, DAY)
    mark_dirty([customer.id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert (Run.select().count(), Decision.select().count(), DirtyCustomer.select().count()) == (1, 1, 0)


def test_before_adoption_marks_wait_for_the_first_run(runtime, entity, books, policies, clock):
    """It decides everybody and clears what was marked before it."""
    customer = books.customer("1")
    mark_dirty([customer.id], runtime.now_at())
    assert drain_dirty(runtime) == 0
    clock.advance(seconds=1)
    run_entity(runtime, entity, DAY)
    assert DirtyCustomer.select().count() == 0


def test_members_of_a_group_are_decided_with_the_one_that_changed(runtime, entity, books, policies):
    """Their group exposure is another."""
    in_force(
        policy(
            "hold", "hold", "most_severe",
            [rule("group", {"all": [["group_exposure_minor", ">", 100_000]]}, {"hold": True, "hold_reason": "group"})],
            otherwise={"then": {"hold": False, "hold_reason": None}, "because": "no group limit"},
        ),
        1,
    )  # fmt: skip
    group = CustomerGroup.create(code="g", name="G", currency="EUR")
    first, second = (books.customer(n, customer_group=group) for n in "12")
    run_entity(runtime, entity, DAY)
    books.invoice(first, 100_001, DAY, DAY + 30)
    mark_dirty([first.id], runtime.now_at())
    assert drain_dirty(runtime) == 2
    assert {o.customer_id: o.hold_reason for o in Outcome} == {first.id: "group", second.id: "group"}


def test_many_marks_go_through_a_run_with_its_gate(runtime, entity, books, policies):
    """More than a batch, and more than the entity's share: as if somebody had imported the wrong file."""
    customers = [books.customer(f"{n:03d}") for n in range(201)]
    run_entity(runtime, entity, DAY)
    Entity.update(portfolio_share_bp=500).execute()
    for customer in customers:
        books.invoice(customer, 2_000_000, DAY, DAY + 30)
    mark_dirty([customer.id for customer in customers], runtime.now_at())
    assert drain_dirty(runtime) == 0
    assert [alarm.kind for alarm in Alarm] == ["gated"]
    assert DirtyCustomer.select().count() == 201


# --- doubt -----------------------------------------------------------------------------


class Doubting(Matcher):
    """A matcher that overlooks one rule: stands for an executor with a fault."""

    def confirm(self, book, rows_by_stage):
        answer = super().confirm(book, rows_by_stage)
        hold = [Match(match.keys - {"late"}, match.by) for match in answer.matches.get("hold", [])]
        return Confirmation({**answer.matches, **({"hold": hold} if hold else {})}, answer.alarms)


def test_where_the_executors_disagree_nothing_happens_to_the_customer_and_a_person_is_told(
    runtime, entity, books, policies, go_live
):
    """The alarm holds both verdicts; the others are decided; beyond twenty, sending stops."""
    good = books.customer("good")
    books.invoice(good, 50_000, DAY - 10, DAY + 20)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    late = [books.customer(f"late {n}") for n in range(21)]
    for customer in late[:20]:
        books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    books.invoice(good, 2_000_000, DAY + 1, DAY + 20)
    runtime.cache["matcher"] = Doubting()
    run = run_entity(runtime, entity, DAY + 1)
    assert (run.disagreed, Entity.get().sending) == (20, True)
    assert Outcome.get(Outcome.customer == good).segment == "key"
    assert Outcome.select().where(Outcome.customer.in_(late[:20])).count() == 0
    alarm = Alarm.get(Alarm.kind == "disagreement")
    assert json.loads(alarm.text) == {"run": run.id, "stage": "hold", "columns": ["late"], "durable": []}
    books.invoice(late[20], 50_000, DAY - 60, DAY - 40)
    assert run_entity(runtime, entity, DAY + 2).disagreed == 21
    assert not Entity.get().sending


def test_what_cannot_be_known_is_referred_to_a_person_who_is_told_the_missing_fact(
    runtime, entity, books, policies, go_live
):
    """No rate for an item in dollars: the outcomes stay, one diary item names the amount, no second one comes."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    books.payment(customer, line, 50_000, DAY)
    entity.currency = "USD"
    books.entity = entity
    books.invoice(customer, 10_000, DAY - 60, DAY - 40)
    for day in (DAY + 1, DAY + 2):
        run = run_entity(runtime, Entity.get(), day)
    assert run.undecided == 1
    assert [(a.entity_id, a.text) for a in Alarm.select().where(Alarm.kind == "missing_rate")] == [
        (entity.id, "no exchange rate into EUR for USD: amounts that need it are unknown")
    ]
    assert Outcome.get().hold
    tasks = Action.select().where(Action.template == "refer")
    assert [(t.policy_key, t.step_key, t.state) for t in tasks] == [("escalation", "overdue_net_minor", "open")]
    ExchangeRate.create(base="EUR", currency="USD", day=DAY, rate_e9=900_000_000, source="test", recorded_at=1)
    assert run_entity(runtime, Entity.get(), DAY + 3).undecided == 0


def test_the_shipped_parameters_have_every_name_the_engine_reads():
    """A name nobody gives a value would silently switch off what it governs."""
    shipped_names = {one["name"] for document in shipped() for one in document.get("parameters", ())}
    assert {BAND, *BASIS_PARAMETERS} <= shipped_names


def test_proposals_within_the_automatic_band_are_limits_for_the_next_run(runtime, entity, books, policies):
    """At the band yes, above it a person; done once."""
    in_force(parameters(limit_automatic_band=100_000), 1)
    document = policy(
        "limits", "credit_limit", "first",
        [rule("large", {"all": [["turnover_12m_minor", ">", 50_000]]}, {"proposed_limit_minor": 100_001})],
        otherwise={"then": {"proposed_limit_minor": 100_000}, "because": "small"},
    )  # fmt: skip
    in_force(document, 1)
    small, large = books.customer("small"), books.customer("large")
    books.invoice(small, 40_000, DAY - 10, DAY + 50)
    books.invoice(large, 60_000, DAY - 10, DAY + 50)
    run_entity(runtime, entity, DAY)
    for customer in (small, large):
        books.invoice(customer, 1, DAY, DAY + 50)
    Outcome.update(proposed_limit_minor=1).execute()  # so that the next run proposes anew
    run_entity(runtime, entity, DAY + 1)
    limits = {(entry.customer_id, entry.amount_minor, entry.from_day) for entry in CreditLimit}
    assert limits == {(small.id, 100_000, DAY + 2)}
    run_entity(runtime, entity, DAY + 2)
    assert Outcome.get(Outcome.customer == small).proposed_limit_minor == 100_000
    assert small.creditlimit_set.count() == 1


# --- replay -----------------------------------------------------------------


def test_a_past_day_comes_out_the_same_from_its_facts_and_edition(runtime, entity, books, policies, go_live, dump):
    """Although policies, entries and outcomes are others by now; nothing is written."""
    portfolio(books)
    first = run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    in_force(parameters(dunning_tolerance=10**9), DAY + 2)
    run_entity(runtime, entity, DAY + 2)
    before = dump()
    assert run_entity(runtime, entity, DAY, replay=True).id == first.id
    run_entity(runtime, entity, DAY + 1, replay=True)
    assert dump() == before
    frame = runtime.settings.var / str(first.facts_file)
    frame.write_bytes((runtime.settings.var / str(Run.get_by_id(2).facts_file)).read_bytes())
    with pytest.raises(Different, match="level"):
        run_entity(runtime, entity, DAY, replay=True)


def test_the_states_of_an_unfinished_message_are_those_of_the_outbox():
    """A step is finished once its message is sent or ended."""
    from engine import outbox

    assert set(UNFINISHED_MESSAGE) == {*outbox.IN_FLIGHT, *outbox.STUCK}
    assert confirming.CONFIRMED == ("segmentation", "credit_limit", "hold", "escalation", "alert")
