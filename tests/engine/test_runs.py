"""Runs: adoption, go-live, a day decided once, missed days, the gate, and a crash in between."""

import pytest

from engine.commands import Invalid
from engine.replaying import replay_day
from engine.runs import run_entity
from engine.tables import Action, Decision, Entity, Outcome, Promise, Run, Standing
from engine.verify import verify

from .conftest import escalation, hold, in_force, parameters, segmentation, step

DAY = 20_543  # 2026-03-31
DAY_US = 86_400_000_000


def test_the_first_run_adopts_the_portfolio_without_contacting_anybody(runtime, entity, books, policies):
    """Outcomes and standings are set, at level 0, and no action exists."""
    late, early = books.customer("1"), books.customer("2")
    books.invoice(late, 50_000, DAY - 60, DAY - 40)
    books.invoice(early, 50_000, DAY - 20, DAY + 10)
    run = run_entity(runtime, entity, DAY)
    assert (run.kind, run.state, run.customers, run.changed, run.applied) == ("adoption", "done", 2, 2, 2)
    assert Action.select().count() == 0
    assert {o.customer_id: (o.segment, o.hold, o.level) for o in Outcome} == {
        late.id: ("standard", True, 0),
        early.id: ("standard", False, 0),
    }
    assert [
        (s.customer_id, s.episode, s.open, s.level, s.waiting_for)
        for s in Standing.select().order_by(Standing.customer)
    ] == [
        (late.id, 1, True, 0, '["not_live"]'),
        (early.id, 1, True, 0, '["not_live"]'),
    ]
    assert [d.confirmed_by for d in Decision] == ["durable", "durable"]


def test_after_go_live_each_customer_at_a_step_gets_exactly_one_action(runtime, entity, books, policies, go_live):
    """The lowest step above the level begins, whatever the age; before due the step that has come; else nothing."""
    days_late = {"40 late": 40, "4 late": 4, "3 late": 3, "due today": 0, "10 before": -10, "11 before": -11}
    for number, late in days_late.items():
        books.invoice(books.customer(number), 50_000, DAY - 90, DAY + 1 - late)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run = run_entity(runtime, entity, DAY + 1)
    assert run.state == "done"
    assert {(a.customer.number, a.step_key, a.level, a.state, a.channel) for a in Action} == {
        ("40 late", "p4", 1, "due", "email"),
        ("4 late", "p4", 1, "due", "email"),
        ("10 before", "m10", 0, "due", "email"),
    }
    waiting = {s.customer.number: s.waiting_for for s in Standing}
    assert waiting["3 late"] == "[]"
    assert {s.customer.number: (s.next_step, s.next_day) for s in Standing}["3 late"] == ("p4", DAY + 2)


def test_a_second_run_of_a_day_changes_nothing_and_creates_nothing(runtime, entity, books, policies, go_live, dump):
    """Not one row of any table differs."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    first = run_entity(runtime, entity, DAY + 1)
    before = dump()
    second = run_entity(runtime, entity, DAY + 1)
    assert second.id == first.id
    assert dump() == before


def test_one_level_a_day_and_only_after_the_step_before_is_finished(runtime, entity, books, policies, go_live):
    """Forty days late: level 1 first, level 2 the day after its mail is sent, never both at once."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    levels = []
    for day in range(DAY + 1, DAY + 6):
        run_entity(runtime, entity, day)
        levels.append(Outcome.get().level)
        if day == DAY + 2 or day > DAY + 2:  # the first mail leaves only on the second day
            Action.update(state="sent", settled_at=day * 86_400_000_000).where(Action.state == "due").execute()
    assert levels == [1, 1, 2, 3, 3]


def test_missed_days_are_decided_in_order_and_only_the_last_creates_actions(runtime, entity, books, policies, go_live):
    """Six days off: one letter at the step that was reached first, on the last day; no step is skipped."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, DAY - 40, DAY - 2)  # p4 on DAY + 2, missed
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    run = run_entity(runtime, entity, DAY + 7)
    runs = list(Run.select().where(Run.kind == "nightly").order_by(Run.id))
    assert [(r.as_of_day - DAY, r.acts) for r in runs] == [(1, True), *((d, False) for d in range(2, 7)), (7, True)]
    assert [(a.step_key, a.due_day) for a in Action] == [("p4", run.as_of_day)]
    assert Standing.get().since_day == DAY + 2


def test_a_step_before_due_that_was_missed_lapses(runtime, entity, books, policies, go_live):
    """Off from eleven days before the due date until the due date: no mail at all."""
    books.invoice(books.customer("1"), 50_000, DAY - 30, DAY + 12)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    run_entity(runtime, entity, DAY + 12)
    assert Action.select().count() == 0


def test_a_run_refuses_to_go_back_in_time(runtime, entity, books, policies, dump):
    """Nothing is written for a day before the last decided one."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    before = dump()
    with pytest.raises(Invalid, match="2026-03-30 lies before 2026-03-31"):
        run_entity(runtime, entity, DAY - 1)
    assert dump() == before


@pytest.mark.parametrize("outcome_changes_too", [False, True])
def test_a_broken_promise_brings_the_step_again(runtime, entity, books, policies, go_live, outcome_changes_too):
    """Reached on day 1, promised for day 3, three days' tolerance: on day 7 it comes again, and only then."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 40, DAY - 3)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    seen = []
    for day in range(DAY + 1, DAY + 12):
        if day == DAY + 2:
            common = {"entity_id": entity.id, "booked_day": day, "recorded_day": day, "recorded_at": day * DAY_US}
            Promise.create(
                **common,
                customer=customer,
                due_line=line,
                amount_minor=50_000,
                currency="EUR",
                promised_day=DAY + 3,
                after_credit_id=0,
            )
        if day == DAY + 7 and outcome_changes_too:
            books.invoice(customer, 2_000_000, day, day + 30)  # a key account from now on
        run_entity(runtime, entity, day)
        run_entity(runtime, entity, day)
        Action.update(state="sent", settled_at=day * DAY_US).where(Action.state == "due").execute()
        seen.append(Standing.get().waiting_for)
    assert [(a.key, a.due_day - DAY) for a in Action.select().order_by(Action.id)] == [
        (f"{customer.id}/escalation/1/p4/0/email", 1),
        (f"{customer.id}/escalation/1/p4/1/email", 7),
        (f"{customer.id}/escalation/1/p14/1/email", 11),
    ]
    assert seen[1:6] == ['["promise"]'] * 5
    Standing.update(last_contact_day=DAY + 11).execute()  # the outbox's part, which these mails did not pass
    assert [check.findings for check in verify(runtime).checks if "standings" in check.name] == [()]


def test_a_step_that_comes_again_takes_the_place_of_a_call_nobody_made(runtime, entity, books, go_live):
    """A call on day 1, promised for day 3, broken on day 7: one call is open, the other says why it is not."""
    for document in (parameters(), segmentation(), hold(), escalation([step("p4", 4, level=1, channel="call")])):
        in_force(document)
    Entity.update(portfolio_share_bp=10_000).execute()
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 40, DAY - 3)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    Promise.create(
        entity_id=entity.id,
        booked_day=DAY + 2,
        recorded_day=DAY + 2,
        recorded_at=(DAY + 2) * DAY_US,
        customer=customer,
        due_line=line,
        amount_minor=50_000,
        currency="EUR",
        promised_day=DAY + 3,
        after_credit_id=0,
    )
    for day in (DAY + 6, DAY + 7, DAY + 7):
        run_entity(runtime, entity, day)
    assert [(a.repeat_no, a.due_day - DAY, a.state) for a in Action.select().order_by(Action.id)] == [
        (0, 1, "cancelled"),
        (1, 7, "open"),
    ]
    assert "came again" in Action.get(Action.repeat_no == 0).result


def test_an_episode_that_is_paid_closes_and_takes_its_open_actions_with_it(runtime, entity, books, policies, go_live):
    """Paid before the mail left: the action is cancelled, the level is 0, the next episode starts anew."""
    customer = books.customer("1")
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, entity, DAY + 1)
    books.payment(customer, line, 50_000, DAY + 2)
    run_entity(runtime, entity, DAY + 2)
    assert [(a.state, a.level) for a in Action] == [("cancelled", 1)]
    assert (Standing.get().open, Standing.get().level, Outcome.get().hold) == (False, 0, False)
    books.invoice(customer, 70_000, DAY - 20, DAY - 5)
    run_entity(runtime, entity, DAY + 3)
    assert (Standing.get().episode, Standing.get().open, Standing.get().level) == (2, True, 1)
    assert sorted(a.key for a in Action) == [
        f"{customer.id}/escalation/1/p4/0/email",
        f"{customer.id}/escalation/2/p4/0/email",
    ]


def test_a_hold_that_cannot_be_decided_stays_while_another_stage_changes(runtime, entity, books, policies, go_live):
    """Every executor knows what stood before: nobody disagrees, and the decision replays from its own facts."""
    customer = books.customer("1")
    books.invoice(customer, 2_000_000, DAY - 60, DAY - 40)
    run_entity(runtime, entity, DAY)
    assert (Outcome.get().hold, Outcome.get().segment) == (True, "key")
    entity.currency = "USD"
    books.entity = entity
    books.invoice(customer, 10_001, DAY - 60, DAY - 40)  # without a rate all its money is unknown
    run = run_entity(runtime, Entity.get(), DAY + 1)
    assert (run.state, run.disagreed) == ("done", 0)
    assert (Outcome.get().hold, Outcome.get().segment) == (True, "standard")
    (runtime.settings.var / str(run.facts_file)).unlink()
    assert replay_day(runtime, Entity.get(), DAY + 1).found == 0
