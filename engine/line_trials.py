"""What a changed policy of invoices would do on a day: every open due line decided by it, and counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames, line_rows
from engine.editions import Edition, escalation_key
from engine.impact import LinesImpact, StepCount
from engine.pipeline import Frame, asking, decide_frame
from engine.tables import Entity, Run
from rules.book import Book

if TYPE_CHECKING:
    from engine.runtime import Runtime


@dataclass(frozen=True)
class _Side:
    """Level and step of every line, by line."""

    levels: Mapping[int, int]
    begins: Counter[str]
    channels: Mapping[str, str]


def decides_lines(changes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of some documents is a policy of invoices."""
    return any(body.get("kind") == "policy" and body.get("subject") == "invoice" for body in changes)


def lines_impact(runtime: "Runtime", entity: Entity, day: int, before: Edition, after: Book) -> LinesImpact:
    """Decide the open due lines of an entity as of a day under both versions, and count.

    Both are asked what would begin if steps may begin; whether this is the first run of the policy,
    which contacts nobody, is said apart. Later days are not looked at.

    Args:
        before: the edition in force; its lines may be undecided.
        after: the book of the changed policy.
    """
    sides = [_side(runtime, entity, day, before, book) for book in (before.lines, after)]
    old, new = sides
    steps = sorted({*old.begins, *new.begins})
    channels = {**old.channels, **new.channels}
    lines = new.levels.keys() | old.levels.keys()
    return LinesImpact(
        lines=len(lines),
        changed=sum(old.levels.get(line, 0) != new.levels.get(line, 0) for line in lines),
        steps=tuple(StepCount(step, channels[step], old.begins[step], new.begins[step]) for step in steps),
        adopts=not _has_run(entity, escalation_key(after)),
    )


def _has_run(entity: Entity, policy_key: str) -> bool:
    done = Run.select().where(
        Run.entity == entity, Run.line_policy_key == policy_key, Run.state == "done", Run.kind != "event"
    )
    return bool(done.exists())


def _side(runtime: "Runtime", entity: Entity, day: int, edition: Edition, book: Book | None) -> _Side:
    if book is None or "escalation" not in book.stages:
        return _Side({}, Counter(), {})
    ask = replace(asking(runtime, entity, day, replace(edition, lines=book)), begins=True)
    found = line_rows.asking_of_lines(ask)
    if found is None:
        raise AssertionError("the edition was given a book of lines")
    of_lines = replace(found, begins=True)
    facts, own = line_rows.read_portfolio(runtime, ask, of_lines)
    decided = frames.collected(decide_frame(facts, edition), frames.STREAM)
    rows: Frame = decide_frame(line_rows.line_rows(_of(own), decided, of_lines), of_lines.edition)
    wanted = rows.with_columns(
        begun=nw.when(nw.col("enters_step")).then(nw.col("step")).otherwise(nw.lit(None, dtype=nw.String))
    )
    ids, levels, begun = frames.columns_of(wanted, "line_id", "level", "begun")
    terms = book.stages["escalation"].policy.escalation
    channels = {} if terms is None else {step.key: step.channel for step in terms.steps()}
    return _Side(dict(zip(ids, levels, strict=True)), Counter(one for one in begun if one is not None), channels)


def _of(own: Frame | None) -> Frame:
    if own is None:
        raise AssertionError("lines were asked for")
    return own
