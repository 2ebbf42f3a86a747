"""Confirmation: durable-rules matches each changed outcome before it takes effect.

Where the executors disagree about a customer, nothing happens to that customer and a person is told.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.decisions import Applying, Verdict
from engine.differences import changed_stages
from engine.matching import Confirmation, Matcher
from engine.tables import Alarm, Entity, Run
from ledger.canonical import canonical
from rules import reference
from rules.reference import Decided

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

CONFIRMED = ("segmentation", "credit_limit", "hold", "escalation", "alert")
SAMPLED = ("scorecard", "worklist")  # a sample each night: their points are many and decide nothing alone
SAMPLE_ROWS = 5_000
DISAGREEMENTS_MAX = 20  # of one run; beyond, sending stops for the entity
DISAGREEMENT = "disagreement"


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one executor says of a row, waiting to be confirmed.

    Args:
        row: facts, ``was_*`` and ``at_*``.
        outcomes: what the executor makes of it, with waiting, enters_step and episode_move.
        matched: per stage the keys of the rules that hold, by the same executor.
    """

    row: Mapping[str, Any]
    outcomes: Mapping[str, Any]
    matched: Mapping[str, frozenset[str]]


def matcher_of(runtime: "Runtime") -> Matcher:
    """The matching children of this process: starting one takes longer than confirming a day's changes."""
    kept: Matcher = runtime.cache.setdefault("matcher", Matcher())
    return kept


def confirm(applying: Applying, matcher: Matcher, claims: Sequence[Claimed]) -> list[Verdict]:
    """Have the changed stages of rows matched again, and resolve them by the shared code.

    Returns:
        The rows all executors agree on. For the others an alarm was raised and nothing changes.
    """
    book = applying.edition.book
    changes = [changed_stages(claim.row, claim.outcomes) for claim in claims]
    asked = {
        stage: [index for index, changed in enumerate(changes) if stage in changed]
        for stage in CONFIRMED
        if stage in book.stages
    }
    rows = [{**claim.row, **claim.outcomes} for claim in claims]
    confirmation = matcher.confirm(
        book, {stage: [rows[index] for index in indices] for stage, indices in asked.items()}
    )
    found: list[dict[str, frozenset[str]]] = [{} for _ in claims]
    by: list[str] = ["durable"] * len(claims)
    for stage, indices in asked.items():
        for place, index in enumerate(indices):
            match = confirmation.matches[stage][place]
            found[index][stage] = match.keys
            if match.by != "durable":
                by[index] = "reference"
    _tell_alarms(applying, confirmation)
    verdicts = []
    for claim, keys, who in zip(claims, found, by, strict=True):
        decided = reference.decide(claim.row, book, {**claim.matched, **keys})
        difference = _difference(claim, keys, decided)
        if difference is None:
            verdicts.append(Verdict(claim.row, decided, who))
        else:
            _disagree(applying, claim, difference)
    return verdicts


def _difference(claim: Claimed, keys: Mapping[str, frozenset[str]], decided: Decided) -> dict[str, Any] | None:
    """Both verdicts where they differ, else None."""
    for stage, matched in keys.items():
        if matched != claim.matched[stage]:
            return {"stage": stage, "columns": sorted(claim.matched[stage]), "durable": sorted(matched)}
    said = {
        **decided.outcomes,
        "waiting": decided.waiting,
        "enters_step": decided.enters_step,
        "episode_move": decided.episode_move,
    }
    for name, value in said.items():
        if name in claim.outcomes and claim.outcomes[name] != value:
            return {"outcome": name, "columns": claim.outcomes[name], "reference": value}
    return None


def _disagree(applying: Applying, claim: Claimed, difference: Mapping[str, Any]) -> None:
    """Note it: this customer's outcomes stay, its open messages wait for the alarm's acknowledgement."""
    run = applying.run
    with applying.runtime.database.atomic():
        Alarm.create(
            entity_id=run.entity_id,
            customer=claim.row["customer_id"],
            kind=DISAGREEMENT,
            text=canonical({"run": run.id, **difference}),
            raised_at=applying.at,
        )
        Run.update(disagreed=Run.disagreed + 1).where(Run.id == run.id).execute()
        disagreed = Run.select(Run.disagreed).where(Run.id == run.id).scalar()
        if disagreed == DISAGREEMENTS_MAX + 1:
            Entity.update(sending=False, version=Entity.version + 1).where(Entity.id == run.entity_id).execute()
            Alarm.create(
                entity_id=run.entity_id,
                kind="sending_stopped",
                text=f"more than {DISAGREEMENTS_MAX} disagreements in run {run.id}: sending stopped",
                raised_at=applying.at,
            )
    log.error("disagreement: run %s, customer %s", run.id, claim.row["customer_id"])


def _tell_alarms(applying: Applying, confirmation: Confirmation) -> None:
    for alarm in confirmation.alarms:
        Alarm.create(
            entity_id=applying.run.entity_id,
            kind=alarm.kind,
            text=f"run {applying.run.id}: {alarm.text}",
            raised_at=applying.at,
        )


def confirm_sample(applying: Applying, matcher: Matcher, claims: Sequence[Claimed]) -> int:
    """Check the points of a sample of rows; a difference raises an alarm and changes nothing.

    Returns:
        How many rows differed.
    """
    book = applying.edition.book
    stages = [stage for stage in SAMPLED if stage in book.stages]
    if not stages or not claims:
        return 0
    rows = [{**claim.row, **claim.outcomes} for claim in claims]
    confirmation = matcher.confirm(book, dict.fromkeys(stages, rows))
    _tell_alarms(applying, confirmation)
    differing = 0
    for stage in stages:
        for claim, match in zip(claims, confirmation.matches[stage], strict=True):
            if match.keys != claim.matched[stage]:
                differing += 1
                Alarm.create(
                    entity_id=applying.run.entity_id,
                    customer=claim.row["customer_id"],
                    kind=DISAGREEMENT,
                    text=canonical(
                        {
                            "run": applying.run.id,
                            "stage": stage,
                            "columns": sorted(claim.matched[stage]),
                            "durable": sorted(match.keys),
                        }
                    ),
                    raised_at=applying.at,
                )
    return differing
