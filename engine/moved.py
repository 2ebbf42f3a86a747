"""The customers behind a number of a simulation, page by page in the order of their exposure."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from engine.comparison import DECISIVE, differs, direction, is_graded
from engine.frames import collected, count_of, rows_of
from engine.pairing import AFTER, BEFORE, Pair
from engine.pipeline import Frame
from rules.stages import POINT_OUTCOMES, STAGE_NAMES

UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Place:
    """A position in the order: exposure, greatest first (unknown counts as nothing), then id."""

    exposure_minor: int
    customer_id: int


@dataclass(frozen=True)
class Cell:
    """Which customers are meant.

    Args:
        stage: None: those of whom any outcome changes; points alone are none.
        before, after: outcomes as in a ``Move``; only where ``chosen``, else all whom the stage moves.
    """

    stage: str | None = None
    before: Any = None
    after: Any = None
    chosen: bool = False


def customers_in(pair: Pair, cell: Cell) -> Frame:
    """Those in a cell: ``customer_id``, ``exposure_minor``, ``rank`` and, of a stage, ``before`` and ``after``."""
    rank = nw.coalesce(nw.col("exposure_minor"), nw.lit(0, dtype=nw.Int64)).alias("rank")
    keys = ("customer_id", "exposure_minor", rank)
    if cell.stage is None:
        return moved_rows(pair).select(*keys)
    outcome = DECISIVE[cell.stage]
    moving = cell.stage in pair.touched
    moved = pair.rows.filter(differs(outcome)) if moving else None
    stays = cell.after == UNCHANGED if is_graded(outcome) else cell.before == cell.after
    if cell.chosen and stays:
        rows = pair.whole.frame.select(*keys, before=nw.col(outcome), after=nw.col(outcome))
        if not is_graded(outcome):
            rows = rows.filter(_is("before", cell.before))
        return rows if moved is None else rows.join(moved.select("customer_id"), on="customer_id", how="anti")
    if moved is None:
        return pair.whole.frame.select(*keys, before=nw.col(outcome), after=nw.col(outcome)).head(0)
    if cell.chosen and is_graded(outcome):
        moved = moved.filter(direction(outcome) == nw.lit(str(cell.after)))
    rows = moved.select(*keys, before=nw.col(BEFORE + outcome), after=nw.col(AFTER + outcome))
    if cell.chosen and not is_graded(outcome):
        rows = rows.filter(_is("before", cell.before) & _is("after", cell.after))
    return rows


def moved_rows(pair: Pair) -> Frame:
    """The rows of those of whom any outcome changes; points alone are none."""
    decisive = [DECISIVE[stage] for stage in STAGE_NAMES if stage in pair.touched]
    moves = [differs(outcome) for outcome in decisive if outcome not in POINT_OUTCOMES]
    return pair.rows.filter(nw.any_horizontal(*moves, ignore_nulls=True)) if moves else pair.rows.head(0)


def page_of(customers: Frame, rows: int, at: Place | None = None, back: bool = False) -> list[dict[str, Any]]:
    """Some rows from a position on, in order; with ``back`` those before it."""
    rank, key = nw.col("rank"), nw.col("customer_id")
    if at is not None:
        value, own = nw.lit(at.exposure_minor, dtype=nw.Int64), nw.lit(at.customer_id, dtype=nw.Int64)
        past = (
            (rank > value) | ((rank == value) & (key < own))
            if back
            else (rank < value) | ((rank == value) & (key > own))
        )
        customers = customers.filter(past)
    found = rows_of(customers.sort("rank", "customer_id", descending=[not back, back]).head(rows))
    return found[::-1] if back else found


def how_many(customers: Frame) -> int:
    """The number of rows."""
    return count_of(customers)


def fact_row(pair: Pair, customer_id: int) -> dict[str, Any] | None:
    """The facts of one customer as both sides saw them; None where it is not among them."""
    asked = nw.col("customer_id") == nw.lit(customer_id, dtype=nw.Int64)
    if not rows_of(pair.whole.frame.filter(asked).select("customer_id")):
        return None
    rows = rows_of(collected(pair.whole.facts.filter(asked)))
    return rows[0] if rows else None


def _is(name: str, value: Any) -> nw.Expr:
    column = nw.col(name)
    return column.is_null() if value is None else (column == nw.lit(value)).fill_null(False)
