"""Stopping one policy: at once by one person, undone by two; nothing of its stage changes in between."""

import json

import pytest

from engine import outbox
from engine.commands import Conflict, Invalid, NotFound, Refused, mark_dirty
from engine.editions import edition_for
from engine.events import drain_dirty
from engine.governance import ApproveDocument, ProposeDocument
from engine.pipeline import decide_customer
from engine.replaying import replay_day
from engine.runs import run_entity
from engine.simulation import simulate
from engine.stopping import ApproveResume, ProposeResume, StopPolicy, stop_of, stops_in_force
from engine.tables import Action, AuditEntry, Contact, CreditLimit, Customer, Entity, Outcome, PolicyStop, Run, Standing
from engine.verify import verify
from rules.explanation import explain

from .conftest import escalation, hold, in_force, parameters, policy, rule, segmentation, step

pytestmark = pytest.mark.long

DAY = 20_543


@pytest.fixture
def say(users):
    """Keyword arguments that every command needs: ``say("manager")``."""
    return lambda who: {"actor": getattr(users, who).id, "reason": "because"}


@pytest.fixture
def late(runtime, entity, books, policies, go_live, clock):
    """Three customers whose mail is due today, and one whose next step comes tomorrow; adopted, live, decided."""
    clock.advance(days=DAY - 1 - runtime.today(entity))
    steps = [("p4", 4, 1), ("p14", 14, 2), ("p33", 33, 3)]
    in_force(escalation([step(key, days, level=level, template="reminder_1") for key, days, level in steps]))
    for number, days in (("1", 5), ("2", 5), ("3", 5), ("4", 13)):
        person = runtime.vault.create_person({"name": "Accounts", "email": "payables@customer.example"})
        customer = books.customer(number)
        Contact.create(customer=customer, person=person, language="en")
        books.invoice(customer, 50_000, DAY - 60, DAY - days)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    clock.advance(days=1)
    run_entity(runtime, Entity.get(), DAY)
    return books


def states():
    return {(a.customer.number, a.step_key): (a.state, a.waiting_for) for a in Action.select().order_by(Action.id)}


def stood():
    rows = Standing.select(Standing.customer, Standing.level, Standing.step_key, Standing.episode, Standing.open)
    return sorted(rows.tuples())


def test_what_was_not_claimed_waits_with_a_code_and_leaves_after_two_people_agree(runtime, late, say, clock):
    """The stop marks it at once, the claim looks again, and going on decides each message anew."""
    assert set(states().values()) == {("due", None)}
    answer = runtime.execute(StopPolicy(**say("manager"), policy="escalation"))
    assert answer["messages_waiting"] == 4
    assert set(states().values()) == {("due", "stopped")}
    assert outbox.deliver(runtime)["sent"] == 0
    assert set(states().values()) == {("due", "stopped")}
    line = Customer.get(Customer.number == "2").dueline_set.get()
    late.payment(line.customer, line, 50_000, DAY)
    runtime.execute(ProposeResume(**say("manager"), policy="escalation"))
    assert outbox.deliver(runtime)["sent"] == 0, "a proposal alone lets nothing out"
    runtime.execute(ApproveResume(**say("second"), policy="escalation"))
    outbox.deliver(runtime)
    found = {number: state for (number, _step), (state, _why) in states().items()}
    assert found == {"1": "sent", "2": "cancelled", "3": "sent", "4": "sent"}


def test_while_it_is_stopped_nothing_of_its_stage_changes_and_other_stages_go_on(runtime, late, say):
    """Nobody rises, falls, begins or ends; who pays stands where they stood; holds are decided as ever."""
    outbox.deliver(runtime)
    before = stood()
    runtime.execute(StopPolicy(**say("analyst"), policy="escalation"))
    line = Customer.get(Customer.number == "1").dueline_set.get()
    late.payment(line.customer, line, 50_000, DAY)
    late.invoice(late.customer("5"), 50_000, DAY - 90, DAY - 40)
    run_entity(runtime, Entity.get(), DAY + 20)
    assert stood() == before
    assert Action.select().where(Action.state != "sent").count() == 0
    assert {o.customer.number: o.hold for o in Outcome}["5"] is True
    assert {json.loads(s.waiting_for)[0] for s in Standing.select().where(Standing.open)} == {"stopped"}
    runtime.execute(ProposeResume(**say("analyst"), policy="escalation"))
    runtime.execute(ApproveResume(**say("manager"), policy="escalation"))
    run_entity(runtime, Entity.get(), DAY + 21)
    after = {Customer.get_by_id(row[0]).number: row[1:] for row in stood()}
    assert (after["1"][3], after["2"][0], after["4"][0]) == (False, 2, 2), "closed; risen by one level; once more"


def test_stopped_days_replay_without_a_difference_and_verify_finds_nothing(runtime, entity, late, say):
    """The edition names what was stopped, so that a day comes out the same after it has gone on."""
    runtime.execute(StopPolicy(**say("manager"), policy="escalation"))
    line = Customer.get(Customer.number == "1").dueline_set.get()
    late.payment(line.customer, line, 50_000, DAY)
    mark_dirty([line.customer_id], runtime.now_at())
    drain_dirty(runtime)
    late.invoice(late.customer("5"), 50_000, DAY - 90, DAY - 40)
    run = run_entity(runtime, Entity.get(), DAY + 1)
    assert run.state == "done"
    assert edition_for(runtime, entity, DAY + 1).body["stopped"] == ["escalation"]
    assert verify(runtime).found == 0
    runtime.execute(ProposeResume(**say("manager"), policy="escalation"))
    runtime.execute(ApproveResume(**say("second"), policy="escalation"))
    assert "stopped" not in edition_for(runtime, entity, DAY + 1).body
    assert [replay_day(runtime, entity, day).found for day in (DAY - 1, DAY, DAY + 1)] == [0, 0, 0]
    run_entity(runtime, Entity.get(), DAY + 2)
    assert verify(runtime).found == 0


def test_explanation_and_simulation_say_that_it_is_stopped(runtime, entity, late, say):
    """What stood before stands; a new version of it is tried as it will decide once it goes on."""
    runtime.execute(StopPolicy(**say("manager"), policy="segmentation"))
    row, decided = decide_customer(runtime, Customer.get(Customer.number == "1").id, DAY)
    stage = explain(row, edition_for(runtime, entity, DAY).book).stage("segmentation")
    assert (stage.stopped, stage.otherwise, stage.winner) == (True, False, None)
    assert decided.outcomes["segment"] == "standard"
    tried = simulate(runtime, entity, [segmentation(100)])
    assert tried.changed == 4, "all would become key accounts"
    assert simulate(runtime, entity, [hold()]).changed == 0


def test_a_gated_run_that_was_decided_with_it_is_set_aside(runtime, entity, late, say, clock):
    """A manager who sees that a policy would change too much stops it: the day is decided again without."""
    Entity.update(portfolio_share_bp=1).execute()
    in_force(segmentation(100), DAY + 1)
    gated = run_entity(runtime, Entity.get(), DAY + 1)
    assert gated.state == "gated"
    runtime.execute(StopPolicy(**say("manager"), policy="segmentation"))
    assert Run.get_by_id(gated.id).state == "superseded"
    assert run_entity(runtime, Entity.get(), DAY + 1).state == "done"
    assert {o.segment for o in Outcome} == {"standard"}


def test_limits_within_the_band_are_not_put_in_force_while_proposing_them_is_stopped(runtime, entity, late, say):
    """A proposal from before the stop stays a proposal."""
    in_force(parameters(limit_automatic_band=1_000_000), DAY + 1)
    proposing = policy(
        "limits",
        "credit_limit",
        "first",
        [rule("some", {"all": [["open_minor", ">=", 0]]}, {"proposed_limit_minor": 70_000, "proposed_terms_days": 30})],
        otherwise={"then": {"proposed_limit_minor": None, "proposed_terms_days": None}, "because": "none"},
    )
    in_force(proposing, DAY + 1)
    Entity.update(sending=False).execute()
    run_entity(runtime, Entity.get(), DAY + 1)
    assert CreditLimit.select().count() == 4
    runtime.execute(StopPolicy(**say("manager"), policy="limits"))
    proposing["rules"][0]["then"]["proposed_limit_minor"] = 90_000
    in_force(proposing, DAY + 2)
    in_force(segmentation(100), DAY + 2)
    run = run_entity(runtime, Entity.get(), DAY + 2)
    assert (run.state, run.disagreed) == ("done", 0)
    assert {limit.amount_minor for limit in CreditLimit} == {70_000}
    assert {o.segment for o in Outcome} == {"key"}


def test_one_entity_is_stopped_alone(runtime, entity, late, say):
    """The other goes on; who sees only one cannot stop both."""
    other = Entity.create(code="twin", name="Twin", currency="EUR")
    runtime.execute(StopPolicy(**say("manager"), policy="escalation", entity="main"))
    assert edition_for(runtime, entity, DAY).book.stages["escalation"].stopped
    assert not edition_for(runtime, other, DAY).book.stages["escalation"].stopped
    assert [stop.entity.code for stop in stops_in_force(frozenset({entity.id}))] == ["main"]
    assert stops_in_force(frozenset({other.id})) == []
    with pytest.raises(Refused, match="sees them all"):
        runtime.execute(StopPolicy(**say("manager"), policy="hold"))
    with pytest.raises(NotFound):
        runtime.execute(StopPolicy(**say("manager"), policy="hold", entity="twin"))


def test_who_proposes_that_it_goes_on_does_not_approve_it(runtime, late, say):
    """Nor does anybody approve what nobody proposed; each attempt leaves it stopped."""
    with pytest.raises(Invalid, match="not in force"):
        runtime.execute(StopPolicy(**say("manager"), policy="nothing"))
    with pytest.raises(Conflict, match="not stopped"):
        runtime.execute(ProposeResume(**say("manager"), policy="escalation"))
    runtime.execute(StopPolicy(**say("manager"), policy="escalation"))
    with pytest.raises(Conflict, match="stopped already"):
        runtime.execute(StopPolicy(**say("second"), policy="escalation"))
    with pytest.raises(Conflict, match="nobody has proposed"):
        runtime.execute(ApproveResume(**say("second"), policy="escalation"))
    runtime.execute(ProposeResume(**say("second"), policy="escalation"))
    with pytest.raises(Refused, match="their own"):
        runtime.execute(ApproveResume(**say("second"), policy="escalation"))
    for who in ("analyst", "collector", "auditor", "administrator"):
        with pytest.raises(Refused):
            runtime.execute(ApproveResume(**say(who), policy="escalation"))
    assert stop_of("escalation", None) is not None
    runtime.execute(ApproveResume(**say("manager"), policy="escalation"))
    assert stop_of("escalation", None) is None
    kept = PolicyStop.get()
    assert (kept.resume_by_id, kept.approved_by_id) == (say("second")["actor"], say("manager")["actor"])
    commands = [entry.command for entry in AuditEntry.select().order_by(AuditEntry.id)][-3:]
    assert commands == ["StopPolicy", "ProposeResume", "ApproveResume"]


def test_a_new_version_of_a_stopped_policy_stays_stopped(runtime, entity, late, say):
    """It is repaired first, and goes on when two people say so."""
    runtime.execute(StopPolicy(**say("manager"), policy="segmentation"))
    proposed = runtime.execute(ProposeDocument(**say("analyst"), document=segmentation(100), from_day=DAY + 1))
    runtime.execute(ApproveDocument(**say("manager"), document_id=proposed["document"], sha256=proposed["sha256"]))
    run_entity(runtime, Entity.get(), DAY + 1)
    assert {o.segment for o in Outcome} == {"standard"}
    runtime.execute(ProposeResume(**say("manager"), policy="segmentation"))
    runtime.execute(ApproveResume(**say("second"), policy="segmentation"))
    run_entity(runtime, Entity.get(), DAY + 2)
    assert {o.segment for o in Outcome} == {"key"}
