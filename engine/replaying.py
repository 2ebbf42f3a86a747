"""Replay: a past day decided again from the facts and the edition it was decided with. Writes nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import frames
from engine.commands import NotFound
from engine.differences import STAGE_OUTCOMES
from engine.editions import edition_of
from engine.pipeline import decide_frame
from engine.tables import Decision, Entity, Run
from ledger.days import date_of
from rules import reference

if TYPE_CHECKING:
    from engine.runtime import Runtime

SHOWN_MAX = 20  # differences named in an error


class Different(Exception):
    """A replay does not give what was decided then."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One outcome that comes out otherwise now."""

    decision: int
    customer: int
    outcome: str
    stored: Any
    replayed: Any

    def __str__(self) -> str:
        return (
            f"decision {self.decision}, customer {self.customer}: {self.outcome} was {self.stored!r}, "
            f"replay gives {self.replayed!r}"
        )


def replay_day(runtime: "Runtime", entity: Entity, day: int) -> Run:
    """Decide a past day again and compare.

    Returns:
        The run of that day; every decision of it came out the same.

    Raises:
        NotFound: the day was not decided by a run, or its facts are not kept any more.
        Different: some decision comes out otherwise.
    """
    run: Run | None = (
        Run.select()
        .where(Run.entity == entity, Run.as_of_day == day, Run.kind != "event", Run.state == "done")
        .order_by(Run.id)
        .first()
    )
    if run is None:
        raise NotFound(f"{entity.code} has no run as of {date_of(day)}")
    found = list(replay_run(runtime, run))
    if found:
        shown = "; ".join(str(difference) for difference in found[:SHOWN_MAX])
        raise Different(f"{len(found)} outcomes differ: {shown}")
    return run


def replay_run(runtime: "Runtime", run: Run) -> Iterator[Difference]:
    """Decide a run's stored facts again, in columns; every difference to its decisions.

    Raises:
        NotFound: its facts are not kept any more.
    """
    edition = edition_of(runtime, run.entity, str(run.edition), run.as_of_day)
    try:
        decided = decide_frame(frames.scan_frame(runtime, str(run.facts_file)), edition)
    except FileNotFoundError as error:
        raise NotFound(str(error)) from error
    names = [name for stage in STAGE_OUTCOMES.values() for name in stage]
    outcomes = {row["customer_id"]: row for row in frames.rows_of(decided.select("customer_id", *names))}
    for decision in Decision.select().where(Decision.run == run).order_by(Decision.id).iterator():
        yield from _compared(decision, outcomes.get(decision.customer_id, {}))


def replay_decision(runtime: "Runtime", decision: Decision) -> list[Difference]:
    """Decide one stored fact row again, by the reference evaluator."""
    edition = edition_of(runtime, decision.run.entity, decision.edition, decision.as_of_day)
    decided = reference.decide(json.loads(decision.facts), edition.book)
    return list(_compared(decision, decided.outcomes))


def _compared(decision: Decision, outcomes: Any) -> Iterator[Difference]:
    for stage, change in json.loads(decision.changes).items():
        if stage not in STAGE_OUTCOMES:
            continue
        for name, stored in change["after"].items():
            if outcomes.get(name) != stored:
                yield Difference(decision.id, decision.customer_id, name, stored, outcomes.get(name))
