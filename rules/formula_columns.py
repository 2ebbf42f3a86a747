"""Formulas as columns: the same integers as ``rules.formula_values`` computes for one row.

A division reads its operands many times over, so it becomes a few columns of its own that exist
only while the fact is computed: an expression would grow with every level of the formula. Long
division by 100 and again by 100 keeps every step of a scaled quotient within 64 bits.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from operator import add, or_
from typing import Any as Anything

import narwhals as nw

from ledger.expressions import floor_div
from rules.condition_columns import Sight, condition_column
from rules.conditions import FactRef, Param
from rules.derived import ReadyFact
from rules.effect_columns import effect_column, literal
from rules.effects import BySegment
from rules.formulas import (
    FULL_BP,
    Choice,
    Clipped,
    DaysBetween,
    Difference,
    FirstKnown,
    Formula,
    Largest,
    Magnitude,
    Number,
    Product,
    Quotient,
    Smallest,
    Sum,
    parts_of,
)

Frame = nw.LazyFrame[Anything]
WORK = "formula__"  # prefix of columns that exist only while a fact is computed
STEP = 100  # twice: 10,000 at once would leave 64 bits


def with_facts(frame: Frame, facts: Iterable[ReadyFact], sight: Sight) -> tuple[Frame, Sight]:
    """The frame with derived facts as columns, and what can be seen then.

    Args:
        frame: with what their formulas read; a missing fact is unknown.
        facts: inputs before what reads them.
    """
    for fact in facts:
        made = _Made(frame, sight)
        value = made.column(fact.formula)
        value = value if fact.low is None else nw.when(value < fact.low).then(literal(fact.low)).otherwise(value)
        value = value if fact.high is None else nw.when(value > fact.high).then(literal(fact.high)).otherwise(value)
        frame = made.frame.with_columns(value.cast(nw.Int64).alias(fact.name))
        frame = frame.drop(*made.names) if made.names else frame
        sight = Sight(sight.names | {fact.name}, sight.dictionary)
    return frame, sight


class _Made:
    """A frame that grows by the columns a formula needs on the way."""

    def __init__(self, frame: Frame, sight: Sight) -> None:
        self.frame = frame
        self.sight = sight
        self.names: list[str] = []

    def _keep(self, *columns: nw.Expr) -> list[nw.Expr]:
        names = [f"{WORK}{len(self.names) + index}" for index in range(len(columns))]
        self.frame = self.frame.with_columns(*(one.alias(name) for one, name in zip(columns, names, strict=True)))
        self.names += names
        return [nw.col(name) for name in names]

    def column(self, formula: Formula) -> nw.Expr:
        """The value of a proved formula without parameters."""
        match formula:
            case Number(value):
                return literal(value)
            case FactRef(name):
                return self.sight.fact(name)
            case BySegment():
                return effect_column(formula, nw.Int64, self.sight.fact)
            case Param(name):
                raise ValueError(f"parameter {name!r} is not resolved")
        parts = [self.column(part) for _, part in parts_of(formula)]
        match formula:
            case Sum():
                return reduce(add, parts)
            case Difference():
                return parts[0] - parts[1]
            case Product():
                return self._product(formula, *parts)
            case Quotient():
                return self._quotient(formula, *parts)
            case Smallest():
                return _extreme(parts, nw.min_horizontal)
            case Largest():
                return _extreme(parts, nw.max_horizontal)
            case Magnitude():
                return _size(self._keep(parts[0])[0])
            case DaysBetween():
                return _size(self._keep(parts[0] - parts[1])[0])
            case FirstKnown():
                return nw.coalesce(*parts)
            case Clipped():
                return self._clipped(parts)
            case Choice(condition):
                holds = condition_column(condition, self.sight).fill_null(False)
                return nw.when(holds).then(parts[0]).otherwise(parts[1])

    def _clipped(self, parts: list[nw.Expr]) -> nw.Expr:
        """Unknown where any of the three is; where the bounds cross, the upper one wins."""
        value, low, high = self._keep(*parts)
        (raised,) = self._keep(nw.when(value < low).then(low).otherwise(value))
        known = ~(value.is_null() | low.is_null() | high.is_null())
        return nw.when(known).then(nw.when(raised > high).then(high).otherwise(raised))

    def _product(self, formula: Product, left: nw.Expr, right: nw.Expr) -> nw.Expr:
        """Times a share: whole parts first, so that 64 bits suffice."""
        if formula.scale == 1:
            return left * right
        value, share = self._keep(left, right)
        full = literal(FULL_BP)
        (whole,) = self._keep(value // full)
        (rest,) = self._keep((value - whole * full) * share)
        (floor,) = self._keep(floor_div(rest, full))
        (total,) = self._keep(whole * share + floor)
        return total + _up(formula.rounding, rest - floor * full, full, total)

    def _quotient(self, formula: Quotient, left: nw.Expr, right: nw.Expr) -> nw.Expr:
        scaled = formula.scale > 1
        zero = literal(0)
        value, by = self._keep(
            left * literal(STEP) if scaled else left,
            nw.when(right != zero).then(right),  # some engines fail on 0, others say null
        )
        (whole,) = self._keep(floor_div(value, by))
        (rest,) = self._keep(value - whole * by)
        if not scaled:
            return whole + _up(formula.rounding, rest, by, whole)
        (rest,) = self._keep(rest * literal(STEP))
        (floor,) = self._keep(floor_div(rest, by))
        most = formula.cap // STEP
        total = _between(whole, -most - 1, most) * literal(STEP) + floor
        total = total + _up(formula.rounding, rest - floor * by, by, floor)  # whole hundreds are even
        (total,) = self._keep(total)
        return _between(total, -formula.cap, formula.cap)


def _up(rounding: str, rest: nw.Expr, by: nw.Expr, floor: nw.Expr) -> nw.Expr:
    """What rounding adds to a quotient rounded down: 0 or 1."""
    one, zero = literal(1), literal(0)
    if rounding == "up":
        return nw.when(rest != zero).then(one).otherwise(zero)
    if rounding == "half_even":
        twice, size = _size(rest) * literal(2), _size(by)
        odd = floor - floor_div(floor, literal(2)) * literal(2) != zero
        return nw.when((twice > size) | ((twice == size) & odd)).then(one).otherwise(zero)
    return zero


def _size(value: nw.Expr) -> nw.Expr:
    return nw.when(value < literal(0)).then(-value).otherwise(value)


def _between(value: nw.Expr, low: int, high: int) -> nw.Expr:
    return (
        nw.when(value < literal(low))
        .then(literal(low))
        .when(value > literal(high))
        .then(literal(high))
        .otherwise(value)
    )


def _extreme(parts: list[nw.Expr], choose: Callable[..., nw.Expr]) -> nw.Expr:
    if len(parts) == 1:
        return parts[0]
    unknown = reduce(or_, [part.is_null() for part in parts])
    return nw.when(~unknown).then(choose(*parts))
