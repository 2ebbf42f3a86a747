"""Differences: which outcomes of a decided frame are not what stood before.

Adds per stage ``changed_<stage>``, and over all of them ``changed`` (an outcome in force is
another), ``points_changed`` (points are others, which alone is no decision), ``moved`` (the
episode or its leader is another, or a step comes again) and ``stale`` (only the standing's
reason for waiting, or its next step, must be written again).
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw

from rules.book import Book
from rules.escalation import INPUTS, Move, Wait
from rules.hits import matched_keys
from rules.reference import OVERRIDE, Decided
from rules.stages import OUTCOMES, POINT_OUTCOMES, PREVIOUS, STAGES

Frame = nw.LazyFrame[Any]
Row = Mapping[str, Any]

STAGE_OUTCOMES: Mapping[str, tuple[str, ...]] = {
    stage.name: tuple(c.name for c in stage.outcomes if c.name not in POINT_OUTCOMES)
    for stage in STAGES
    if any(c.name not in POINT_OUTCOMES for c in stage.outcomes)
}
MOVES = frozenset({Move.OPEN.value, Move.REOPEN.value, Move.CLOSE.value})
AWAY = frozenset({Wait.PROMISE.value, Wait.DISPUTE.value, Wait.PAUSE.value, Wait.UNKNOWN.value, Wait.STOPPED.value})
NOT_LIVE = "not_live"
TECHNICAL = ("customer_id", "group_id", "leader_line_id", "leader_due_day", "known", "country")


def with_differences(decided: Frame, book: Book, as_of_day: int, begins: bool) -> Frame:
    """Add the columns that say what differs; rows decided for a later day are left as they are.

    Args:
        begins: whether steps may begin; if not, waiting has a code of its own in standings.
    """
    frame = decided.with_columns(
        *(_changed(names).alias(f"changed_{stage}") for stage, names in STAGE_OUTCOMES.items()),
        _changed(POINT_OUTCOMES).alias("points_changed"),
    )
    new = ~nw.col("known").fill_null(False)
    if "escalation" in book.stages:
        move, waiting = nw.col("episode_move"), nw.col("waiting")
        other_leader = ~nw.col("leader_line_id").is_null() & nw.col("episode_open") & ~nw.col("same_leader")
        moved = move.is_in(sorted(MOVES)) | (
            (move == nw.lit(Move.SAME.value)) & other_leader & ~waiting.is_in(sorted(AWAY))
        )
        moved = moved | (nw.col("enters_step") & _as_before("level") & _as_before("step"))  # the step comes again
        # Whoever is held back has no day that could pass: a code says why.
        passed = (nw.col("at_next_day") <= nw.lit(as_of_day, dtype=nw.Int64)).fill_null(False)
        passed = passed & (waiting == nw.lit(Wait.NONE.value))
        noted = nw.col("at_waiting").fill_null(Wait.NONE.value)
        said = waiting if begins else _not_live(waiting)
        # Before go-live no day of a next step means anything yet.
        stale = ((said != noted) | (passed if begins else nw.lit(False))) & nw.col("at_open").fill_null(False)
    else:
        moved, stale = nw.lit(False), nw.lit(False)
    changed = reduce(or_, (nw.col(f"changed_{stage}") for stage in STAGE_OUTCOMES), new)
    current = (nw.col("was_as_of_day") <= nw.lit(as_of_day, dtype=nw.Int64)).fill_null(True)
    return frame.with_columns(
        (changed & current).alias("changed"),
        (moved.fill_null(False) & current).alias("moved"),
        (stale.fill_null(False) & current).alias("stale"),
    )


def _not_live(waiting: nw.Expr) -> nw.Expr:
    held = waiting == nw.lit(Wait.RAISED_TODAY.value)
    return nw.when(held).then(nw.lit(NOT_LIVE)).otherwise(waiting)


def waiting_code(waiting: str | None, begins: bool) -> str:
    """The code a standing keeps for why nothing further begins; ``none`` when nothing waits.

    >>> waiting_code("raised_today", begins=False), waiting_code(None, begins=True)
    ('not_live', 'none')
    """
    if waiting == Wait.RAISED_TODAY.value and not begins:
        return NOT_LIVE
    return waiting or Wait.NONE.value


def _same(name: str) -> nw.Expr:
    now, was = nw.col(name), nw.col(f"was_{name}")
    return (now == was).fill_null(False) | (now.is_null() & was.is_null())


def _as_before(name: str) -> nw.Expr:
    return (nw.col(name) == nw.col(f"previous_{name}")).fill_null(False)


def _changed(names: tuple[str, ...]) -> nw.Expr:
    return reduce(or_, (~_same(name) for name in names))


def changed_stages(row: Row, outcomes: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of which an outcome is not what stood before, for one row."""
    return tuple(
        stage
        for stage, names in STAGE_OUTCOMES.items()
        if any(outcomes.get(name) != row.get(f"was_{name}") for name in names)
    )


def points_changed(row: Row, outcomes: Mapping[str, Any]) -> bool:
    """Whether points are not what they were, for one row."""
    return any(outcomes.get(name) != row.get(f"was_{name}") for name in POINT_OUTCOMES)


def has_moved(row: Row, decided: Decided) -> bool:
    """Whether the episode or its leader is another, or a step comes again, for one row."""
    if decided.episode_move in MOVES:
        return True
    if decided.enters_step and all(decided.outcomes.get(n) == row.get(f"previous_{n}") for n in ("level", "step")):
        return True  # the step comes again
    leader = row.get("leader_line_id")
    return (
        decided.episode_move == Move.SAME.value
        and leader is not None
        and leader != row.get("at_leader_line_id")
        and decided.waiting not in AWAY
    )


def columns_to_apply(frame_columns: tuple[str, ...], book: Book) -> list[str]:
    """The columns of a decided frame that applying it needs; the rest stays on disk."""
    wanted = {*facts_to_keep(book), *TECHNICAL, "line_id", *OUTCOMES, "waiting", "enters_step", "episode_move"}
    prefixes = ("was_", "at_", "matched_", "undecided_", "changed_", OVERRIDE)
    return [
        name
        for name in frame_columns
        if name in wanted or name.startswith(prefixes) or name in {"changed", "moved", "stale"}
    ]


def facts_to_keep(book: Book) -> frozenset[str]:
    """The facts a decision stores: those its policies read, enough to decide and explain it again."""
    kept: frozenset[str] | None = book.prepared.get("facts_to_keep")
    if kept is None:
        # Of a due line the outcomes of its customer are facts: it is decided again with them.
        decided = {c.name for stage in STAGES if not book.brings(stage) for c in stage.outcomes}
        kept = (book.facts() | set(INPUTS) | {"score_bp", "thin_history", "rival_bp"}) - decided
        kept |= {PREVIOUS + c.name for one in book.stages.values() if one.may_keep for c in one.stage.outcomes}
        book.prepared["facts_to_keep"] = kept
    return kept


def fact_row(row: Row, book: Book) -> dict[str, Any]:
    """The facts of one row that its decision stores; what is unknown is left out."""
    kept = facts_to_keep(book)
    return {
        name: value
        for name, value in row.items()
        if value is not None and (name in kept or name.startswith((OVERRIDE, "previous_")) or name in TECHNICAL[1:4])
    }


def matched_in_columns(row: Row, book: Book) -> dict[str, frozenset[str]]:
    """Per stage the keys of the rules that hold, from the masks of a decided frame."""
    return {
        name: matched_keys(stage, [row[f"matched_{name}_{word}"] for word in range(stage.words)])
        for name, stage in book.stages.items()
    }
