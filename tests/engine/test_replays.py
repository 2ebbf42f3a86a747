"""Replays that people ask for: kept by a command, answered by a worker, changing nothing."""

import json

import pytest

from engine import replays
from engine.commands import Conflict, NotFound, Refused
from engine.replaying import replayed_changes
from engine.replays import ReplayDay, latest_of, work_off
from engine.tables import AuditEntry, CommandRecord, DayReplay, Decision, Run
from engine.tasks import drain_now

from .conftest import DAY, in_force, parameters, rewrite

pytestmark = pytest.mark.long


@pytest.fixture
def run(day):
    """The nightly run of the day."""
    return Run.get(Run.as_of_day == day, Run.kind == "nightly")


def ask(runtime, user, run):
    return runtime.execute(ReplayDay(actor=user.id, reason="the auditor wants to see it", run=run.id))


@pytest.mark.promise("D2")
def test_an_auditor_asks_and_a_worker_answers(runtime, users, run, dump):
    """All runs of the day, its events too; besides question, answer and audit nothing is written."""
    in_force(parameters(dunning_tolerance=10**9), DAY + 1)
    ask(runtime, users.auditor, run)
    assert AuditEntry.select().order_by(AuditEntry.id.desc()).first().command == "ReplayDay"
    waiting = latest_of(run)
    assert (waiting.finished_at, waiting.asked_by_id) == (None, users.auditor.id)
    before = [line for line in dump() if "day_replay" not in line]
    assert work_off(runtime) == 1
    answered = latest_of(run)
    assert answered.finished_at is not None
    assert (answered.found, answered.failed, json.loads(answered.differences)) == (0, "", [])
    assert answered.decisions == Decision.select().where(Decision.as_of_day == DAY).count() > 5
    assert [line for line in dump() if "day_replay" not in line] == before
    assert work_off(runtime) == 0


def test_differences_are_kept_with_customer_and_stage(runtime, users, run):
    """What was planted is what is found."""
    decision = Decision.select().where(Decision.run == run, Decision.changes.contains('"escalation"')).first()
    changes = json.loads(decision.changes)
    changes["escalation"]["after"]["level"] = 9
    rewrite(runtime, decision, changes=json.dumps(changes))
    ask(runtime, users.manager, run)
    drain_now(runtime)
    answered = latest_of(run)
    assert answered.found == 1
    (found,) = json.loads(answered.differences)
    assert (found["decision"], found["customer"], found["stage"]) == (decision.id, decision.customer_id, "escalation")
    assert found["what"].startswith("level was 9, replay gives ")


def test_an_edition_that_is_gone_is_an_answer_too(runtime, users, run, drop_trigger):
    """The worker goes on; the page says why."""
    drop_trigger("edition_no_delete", "edition")
    runtime.database.execute_sql("delete from edition")
    runtime.forget()
    ask(runtime, users.manager, run)
    assert work_off(runtime) == 1
    assert "is not stored" in latest_of(run).failed


def test_a_worker_that_dies_leaves_the_question_open(runtime, users, run, monkeypatch):
    """The next one answers it."""
    ask(runtime, users.manager, run)

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(replays, "replay_day", dies)
        with pytest.raises(SystemExit):
            work_off(runtime)
    assert latest_of(run).finished_at is None
    assert work_off(runtime) == 1
    assert latest_of(run).found == 0


def test_who_may_not_and_what_cannot(runtime, users, run, make_user, entity):
    """A collector is refused, one portfolio is not enough, one at a time, and only what was decided."""
    before = CommandRecord.select().count()
    with pytest.raises(Refused):
        ask(runtime, users.collector, run)
    with pytest.raises(NotFound):
        ask(runtime, make_user("north@main.example", "auditor", entity, portfolio="north"), run)
    with pytest.raises(NotFound):
        runtime.execute(ReplayDay(actor=users.auditor.id, reason="?", run=999))
    gated = Run.create(entity=entity, as_of_day=DAY + 9, kind="nightly", state="gated", started_at=1)
    with pytest.raises(Conflict, match="only what was decided"):
        ask(runtime, users.auditor, gated)
    assert CommandRecord.select().count() == before
    ask(runtime, users.auditor, run)
    event = Run.get(Run.as_of_day == DAY, Run.kind == "event")
    with pytest.raises(Conflict, match="already"):
        ask(runtime, users.manager, event)
    assert DayReplay.select().count() == 1


@pytest.mark.promise("D2")
def test_every_decision_comes_out_byte_for_byte(runtime, day):
    """Of runs and of events; one that was changed does not."""
    in_force(parameters(dunning_tolerance=10**9), DAY + 1)
    for decision in Decision.select():
        assert replayed_changes(runtime, decision) == decision.changes
    last = Decision.select().order_by(Decision.id.desc()).first()
    facts = {**json.loads(last.facts), "overdue_net_minor": 10**9, "leader_days_past_due": 90}
    rewrite(runtime, last, facts=json.dumps(facts))
    changed = Decision.get_by_id(last.id)
    assert replayed_changes(runtime, changed) != changed.changes
