"""Replay: a past day decided again from stored facts and editions says "no difference", or which."""

import json

import pytest

from engine.commands import NotFound
from engine.replaying import Different, decided_on, replay_day
from engine.runs import run_entity
from engine.tables import Action, Decision, Entity, Run

from .conftest import DAY, in_force, parameters, rewrite


@pytest.mark.promise("D2")
def test_a_day_replays_without_a_difference_and_nothing_is_written(runtime, entity, day, dump):
    """Runs and events alike, although policies and entries are others by now."""
    in_force(parameters(dunning_tolerance=10**9), DAY + 1)
    run_entity(runtime, Entity.get(), DAY + 1)
    before = dump()
    replay = replay_day(runtime, entity, day)
    assert (replay.runs, replay.found, replay.from_own_facts) == (2, 0, 1)
    assert replay.decisions == Decision.select().where(Decision.as_of_day == day).count() > 5
    assert replay_day(runtime, entity, day - 1).found == 0
    assert [one.id for one in decided_on(day)] == [entity.id]
    assert decided_on(day + 5) == []
    assert dump() == before


def test_facts_kept_no_more_leave_each_decision_its_own(runtime, entity, day):
    """After 35 days the run's facts are gone; decisions replay by themselves."""
    run = Run.get(Run.as_of_day == day, Run.kind == "nightly")
    (runtime.settings.var / str(run.facts_file)).unlink()
    replay = replay_day(runtime, entity, day)
    assert (replay.found, replay.from_own_facts) == (0, replay.decisions)


@pytest.mark.parametrize("whole", [True, False], ids=["from the run's facts", "from its own facts"])
def test_each_planted_difference_is_named_by_customer_and_stage(runtime, entity, day, whole):
    """An outcome, the rules said to have held, what became of the standing."""
    run = Run.get(Run.as_of_day == day, Run.kind == "nightly")
    if not whole:
        (runtime.settings.var / str(run.facts_file)).unlink()
    first, second, third = (
        Decision.select().where(Decision.run == run, Decision.changes.contains('"escalation"')).order_by(Decision.id)
    )[:3]
    for decision, stage, part, value in (
        (first, "escalation", "after", {"level": 9}),
        (second, "escalation", "rules", ["none"]),
        (third, "standing", "leader_due_day", 5),
    ):
        changes = json.loads(decision.changes)
        changes[stage][part] = value
        rewrite(runtime, decision, changes=json.dumps(changes))
    found = {(d.decision, d.customer, d.stage): d.what for d in replay_day(runtime, entity, day).differences}
    assert set(found) == {
        (first.id, first.customer_id, "escalation"),
        (second.id, second.customer_id, "escalation"),
        (third.id, third.customer_id, "standing"),
    }
    assert found[first.id, first.customer_id, "escalation"].startswith("level was 9, replay gives ")
    assert 'rules that held was ["none"]' in found[second.id, second.customer_id, "escalation"]
    assert '"leader_due_day": 5' in found[third.id, third.customer_id, "standing"]
    with pytest.raises(Different, match="3 differences: customer"):
        run_entity(runtime, entity, day, replay=True)


def test_a_decision_that_is_missing_or_too_many_is_named(runtime, entity, day, drop_trigger):
    """One was deleted, one is of a customer that the run's facts do not know."""
    run = Run.get(Run.as_of_day == day, Run.kind == "nightly")
    gone, foreign = Decision.select().where(Decision.run == run).order_by(Decision.id)[:2]
    keys_off = "set session_replication_role = replica" if runtime.settings.on_postgresql else "pragma foreign_keys = 0"
    runtime.database.execute_sql(keys_off)
    drop_trigger("decision_no_delete", "decision")
    rewrite(runtime, foreign, customer=999)
    Action.delete().where(Action.decision == gone.id).execute()
    Decision.delete().where(Decision.id == gone.id).execute()
    found = replay_day(runtime, entity, day).differences
    missing = {d.customer for d in found if d.decision is None and "replay gives" in d.what}
    assert missing == {gone.customer_id, foreign.customer_id}
    assert [d.customer for d in found if d.stage == "facts"] == [999]


def test_a_day_without_a_run_is_refused(runtime, entity, day):
    """There is nothing to replay."""
    with pytest.raises(NotFound, match="main has no run as of"):
        replay_day(runtime, entity, day + 1)
