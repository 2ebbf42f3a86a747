"""Going live: two people, what each step would send, the gate, the stop."""

import pytest

from engine.commands import Conflict, Invalid, Refused
from engine.going_live import ApproveGoLive, ApproveRun, ProposeGoLive, StopSending, go_live
from engine.replaying import replay_day
from engine.runs import resume, run_due_days, run_entity
from engine.tables import Action, Alarm, Decision, Entity, GoLive, Outcome, Run, Standing

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

DAY = 20_543


@pytest.fixture
def say(users):
    """Keyword arguments that every command needs: ``say("manager")``."""
    return lambda who: {"actor": getattr(users, who).id, "reason": "because"}


@pytest.fixture
def adopted(runtime, entity, books, policies):
    """Ten customers, one of them late, one due in ten days tomorrow; adopted."""
    for number in range(8):
        books.invoice(books.customer(f"good {number}"), 50_000, DAY - 5, DAY + 60)
    books.invoice(books.customer("late"), 50_000, DAY - 60, DAY - 40)
    books.invoice(books.customer("early"), 50_000, DAY - 20, DAY + 10)
    run_entity(runtime, entity, DAY)
    return entity


def test_going_live_takes_two_people_who_see_what_each_step_would_send(runtime, adopted, say, users):
    """The second call of the same person proposes again; another person's approves."""
    first = go_live(runtime, adopted, actor=users.manager.id, daily_cap=7)
    assert (first["state"], first["would_send"]) == ("proposed", {"m10": 1, "p4": 1})
    assert go_live(runtime, adopted, actor=users.manager.id, daily_cap=7)["state"] == "proposed"
    with pytest.raises(Refused, match="their own proposal"):
        runtime.execute(ApproveGoLive(**say("manager"), entity="main"))
    assert go_live(runtime, adopted, actor=users.second.id)["live_from_day"] == DAY
    entity = Entity.get_by_id(adopted.id)
    assert (entity.sending, entity.daily_cap) == (True, 7)
    assert [proposal.state for proposal in GoLive.select().order_by(GoLive.id)] == ["replaced", "approved"]
    with pytest.raises(Conflict, match="sends already"):
        go_live(runtime, entity, actor=users.manager.id)


def test_an_entity_that_was_never_run_cannot_go_live(runtime, entity, say):
    """The first run contacts nobody and comes first."""
    with pytest.raises(Invalid, match="adopted"):
        runtime.execute(ProposeGoLive(**say("manager"), entity="main"))


def test_without_go_live_no_run_creates_an_action(runtime, adopted):
    """Levels stay at 0 and say why."""
    run_entity(runtime, adopted, DAY + 1)
    assert Action.select().count() == 0
    late = Standing.get(Standing.leader_due_day == DAY - 40)
    assert (late.level, late.waiting_for) == (0, '["not_live"]')


def test_starting_by_ageing_takes_everybody_where_their_oldest_item_would_be(runtime, adopted, say):
    """Nothing is sent for the steps that are skipped; whoever is not late yet gets the step before the due date."""
    proposed = runtime.execute(ProposeGoLive(**say("manager"), entity="main", start_level="ageing"))
    assert proposed["would_send"] == {"m10": 1}
    runtime.execute(ApproveGoLive(**say("second"), entity="main"))
    late = Standing.get(Standing.leader_due_day == DAY - 40)
    assert (late.level, late.step_key) == (3, "p33")
    assert Decision.select().where(Decision.run == Run.get(Run.starts_by_age)).count() == 1
    assert replay_day(runtime, adopted, DAY).differences == ()
    run_entity(runtime, adopted, DAY + 1)
    assert [action.customer.number for action in Action] == ["early"]


def test_stopping_takes_one_person_and_starting_again_two(runtime, adopted, say, users):
    """While stopped no step begins."""
    go_live(runtime, adopted, actor=users.manager.id)
    go_live(runtime, adopted, actor=users.second.id)
    runtime.execute(StopSending(**say("collector"), entity="main"))
    run_entity(runtime, adopted, DAY + 1)
    assert Action.select().count() == 0
    with pytest.raises(Conflict, match="nobody has proposed"):
        runtime.execute(ApproveGoLive(**say("second"), entity="main"))
    go_live(runtime, adopted, actor=users.manager.id)
    go_live(runtime, adopted, actor=users.second.id)
    run_entity(runtime, Entity.get(), DAY + 1)
    assert {action.step_key for action in Action} == {"p4", "m10"}


def share(changed, of=10):
    """The share in basis points that so many of ten customers are."""
    return changed * 10_000 // of


@pytest.mark.parametrize(("allowed", "state"), [(1, "gated"), (2, "done"), (3, "done")])
def test_a_run_that_would_change_more_than_its_share_waits(runtime, adopted, books, users, allowed, state):
    """Two of ten change: above the share it waits, at it and below it does not."""
    Entity.update(portfolio_share_bp=share(allowed)).execute()
    for number in ("good 1", "good 2"):
        customer = next(c for c in books.entity.customer_set if c.number == number)
        books.invoice(customer, 2_000_000, DAY + 1, DAY + 60)
    run = run_entity(runtime, adopted, DAY + 1)
    assert (run.changed, run.state) == (2, state)


@pytest.fixture
def gated(runtime, adopted, books):
    """A run that waits for approval."""
    Entity.update(portfolio_share_bp=share(1)).execute()
    for number in ("good 1", "good 2"):
        customer = next(c for c in books.entity.customer_set if c.number == number)
        books.invoice(customer, 2_000_000, DAY + 1, DAY + 60)
    return run_entity(runtime, adopted, DAY + 1)


def test_nothing_of_a_gated_run_takes_effect_until_somebody_approves_it(runtime, gated, say, users):
    """An alarm says so; approved, the workers or the next call go on from the stored facts."""
    assert Outcome.select().where(Outcome.segment == "key").count() == 0
    assert [alarm.kind for alarm in Alarm] == ["gated"]
    assert run_entity(runtime, gated.entity, DAY + 1).id == gated.id
    with pytest.raises(Refused):
        runtime.execute(ApproveRun(**say("collector"), run=gated.id))
    runtime.execute(ApproveRun(**say("manager"), run=gated.id))
    assert resume(runtime, gated).state == "done"
    assert Outcome.select().where(Outcome.segment == "key").count() == 2
    with pytest.raises(Conflict):
        runtime.execute(ApproveRun(**say("manager"), run=gated.id))


def test_the_workers_finish_an_approved_run(runtime, gated, say):
    """The sweep finds it; nobody needs to call again."""
    runtime.execute(ApproveRun(**say("manager"), run=gated.id))
    assert [run.state for run in run_due_days(runtime) if run.id == gated.id] == ["done"]


def test_a_gated_run_that_nobody_approves_is_superseded_by_the_next_day(runtime, gated):
    """The next day is compared with what is in force, and waits in its turn."""
    later = run_entity(runtime, gated.entity, DAY + 2)
    assert (Run.get_by_id(gated.id).state, later.state, later.changed) == ("superseded", "gated", 2)
    assert Decision.select().where(Decision.run == gated).count() == 0


def test_the_first_run_after_go_live_is_not_gated(runtime, adopted, users):
    """Two people have just approved what it sends; the one after is gated again."""
    Entity.update(portfolio_share_bp=0).execute()
    go_live(runtime, adopted, actor=users.manager.id)
    go_live(runtime, adopted, actor=users.second.id)
    assert run_entity(runtime, Entity.get(), DAY + 1).state == "done"
    assert run_entity(runtime, Entity.get(), DAY + 14).state == "gated"


def test_the_workers_decide_each_day_once_it_has_come(runtime, adopted, clock):
    """Not before two in the entity's zone; missed days in order; more than a month behind only when asked."""
    assert run_due_days(runtime) == []
    clock.advance(hours=16, minutes=59)  # 01:59 of the next day
    assert run_due_days(runtime) == []
    clock.advance(minutes=1)
    assert [run.as_of_day for run in run_due_days(runtime)] == [DAY + 1]
    assert run_due_days(runtime) == []
    clock.advance(days=32)
    assert run_due_days(runtime) == []
    assert [alarm.kind for alarm in Alarm] == ["behind"]
