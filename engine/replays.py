"""Replays that people ask for: a command keeps the question, a worker decides the day again and keeps the answer.

A portfolio of a million customers takes as long again as its run did, so nobody waits for it on a page.
A worker that dies leaves the question open; the next sweep finds it.
"""

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine.commands import Change, Command, Conflict, Context, NotFound, register
from engine.editions import Unusable
from engine.replaying import replay_day
from engine.tables import DayReplay, Run

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReplayDay(Command):
    """Decide the day of a run again, every run of it, and compare; what was decided stays as it is."""

    run: int


@register(ReplayDay, permission="runs.replay", person_only=True)
def ask_replay(context: Context, command: ReplayDay) -> Change:
    """Keep the question for the workers; one at a time for a day of an entity."""
    run: Run | None = Run.get_or_none(Run.id == command.run)
    if run is None:
        raise NotFound(f"no run {command.run}")
    context.entity(run.entity_id)
    if run.state != "done":
        raise Conflict(f"run {run.id} is {run.state}; only what was decided can be replayed", {}, {"state": run.state})
    if _open_for(run) is not None:
        raise Conflict(f"the day of run {run.id} is being replayed already", {}, {"state": "waiting"})
    asked = DayReplay.create(run=run, asked_by=context.actor, asked_at=context.at)
    return Change(
        subject_kind="run",
        subject_id=run.id,
        after={"replay": asked.id},
        answer={"run": run.id, "replay": asked.id},
        entity_id=run.entity_id,
    )


def _open_for(run: Run) -> DayReplay | None:
    same_day = Run.select(Run.id).where(Run.entity == run.entity_id, Run.as_of_day == run.as_of_day)
    found: DayReplay | None = DayReplay.get_or_none(DayReplay.run.in_(same_day), DayReplay.finished_at.is_null())
    return found


def latest_of(run: Run) -> DayReplay | None:
    """The last time somebody asked to replay the day of a run."""
    same_day = Run.select(Run.id).where(Run.entity == run.entity_id, Run.as_of_day == run.as_of_day)
    found: DayReplay | None = (
        DayReplay.select().where(DayReplay.run.in_(same_day)).order_by(DayReplay.id.desc()).first()
    )
    return found


def work_off(runtime: "Runtime") -> int:
    """Answer the open questions, one process at a time; how many were answered."""
    if not DayReplay.select().where(DayReplay.finished_at.is_null()).exists():
        return 0
    done = 0
    with runtime.database.alone("replays", runtime.settings.var / "locks") as held:
        while held:
            asked: DayReplay | None = (
                DayReplay.select().where(DayReplay.finished_at.is_null()).order_by(DayReplay.id).first()
            )
            if asked is None:
                break
            DayReplay.update(**_answer(runtime, asked.run), finished_at=runtime.now_at()).where(
                DayReplay.id == asked.id
            ).execute()
            done += 1
    return done


def _answer(runtime: "Runtime", run: Run) -> dict[str, Any]:
    """What replaying its day gives, or why it cannot be."""
    try:
        replay = replay_day(runtime, run.entity, run.as_of_day)
    except (Unusable, NotFound) as error:
        return {"failed": str(error)}
    except FileNotFoundError:
        log.exception("the facts of run %s went while they were read", run.id)
        return {"failed": "the facts of that day were removed meanwhile"}
    return {
        "decisions": replay.decisions,
        "from_own_facts": replay.from_own_facts,
        "found": replay.found,
        "differences": json.dumps([asdict(difference) for difference in replay.differences], ensure_ascii=False),
    }
