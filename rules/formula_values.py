"""Formulas for one row, in plain Python integers; ``rules.formula_columns`` computes the same."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from rules.conditions import Condition, FactRef, Param, Scalar
from rules.effects import BySegment
from rules.formulas import (
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

Row: TypeAlias = Mapping[str, Scalar | None]
Value: TypeAlias = Callable[[Row], int | None]
Ask: TypeAlias = Callable[[Condition], Callable[[Row], bool]]


def divided(value: int, divisor: int, rounding: str) -> int:
    """A quotient, rounded.

    Args:
        rounding: ``down`` (towards minus infinity), ``up`` or ``half_even``.

    >>> [divided(-5, 2, how) for how in ("down", "up", "half_even")], divided(7, 2, "half_even")
    ([-3, -2, -2], 4)

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    quotient, rest = divmod(value, divisor)
    if rounding == "up":
        return quotient + (rest != 0)
    if rounding == "half_even":
        twice, size = 2 * abs(rest), abs(divisor)
        return quotient + (twice > size or (twice == size and quotient % 2 == 1))
    return quotient


def value_of(formula: Formula, ask: Ask) -> Value:
    """The closure that computes a proved formula without parameters.

    Args:
        ask: whether a condition holds, unknown never (``rules.closures.holds_of``).

    Raises:
        ValueError: a parameter is left.
    """
    match formula:
        case Number(value):
            return lambda row: value
        case FactRef(name):
            return lambda row: _integer(row.get(name))
        case BySegment(values, default):
            own: dict[object, Scalar] = dict(values)
            return lambda row: _integer(own.get(row.get("segment"), default))
        case Param(name):
            raise ValueError(f"parameter {name!r} is not resolved")
        case Choice(condition, then, otherwise):
            holds, one, other = ask(condition), value_of(then, ask), value_of(otherwise, ask)
            return lambda row: one(row) if holds(row) else other(row)
        case FirstKnown():
            some = [value_of(part, ask) for _, part in parts_of(formula)]
            return lambda row: next((found for part in some if (found := part(row)) is not None), None)
    parts = [value_of(part, ask) for _, part in parts_of(formula)]

    def computed(row: Row) -> int | None:
        values: list[int] = []
        for part in parts:
            found = part(row)
            if found is None:
                return None
            values.append(found)
        return _computed(formula, values)

    return computed


def _integer(value: Scalar | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a formula computes with integers, got {value!r}")
    return value


def _computed(formula: Formula, values: list[int]) -> int | None:
    """What a formula makes of the known values of its parts."""
    match formula:
        case Sum():
            return sum(values)
        case Difference():
            return values[0] - values[1]
        case Product(scale=scale, rounding=rounding):
            return divided(values[0] * values[1], scale, rounding)
        case Quotient(scale=scale, rounding=rounding, cap=cap):
            if values[1] == 0:
                return None
            found = divided(values[0] * scale, values[1], rounding)
            return max(-cap, min(cap, found))
        case Smallest():
            return min(values)
        case Largest():
            return max(values)
        case Magnitude():
            return abs(values[0])
        case Clipped():
            return min(max(values[0], values[1]), values[2])
        case DaysBetween():
            return abs(values[0] - values[1])
        case _:
            raise ValueError(f"{formula} is no arithmetic")
