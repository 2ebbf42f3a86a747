"""Effects as columns: the same integers as ``rules.effects`` computes for one row.

Divisions are of magnitudes within the money bound by a constant, so that every engine's
``//`` means the same.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import narwhals as nw

from rules.conditions import Const, FactRef, Param, Scalar
from rules.effects import FULL_BP, BySegment, Effect, Greatest, Least, PercentOf, RoundDown

INTEGER: Any = nw.Int64
TEXT: Any = nw.String
FactColumn = Callable[[str], nw.Expr]


def literal(value: Scalar) -> nw.Expr:
    """A typed literal: an untyped integer is 32 bits wide on Polars, and its sums wrap."""
    if isinstance(value, bool):
        return nw.lit(value, dtype=nw.Boolean)
    return nw.lit(value, dtype=INTEGER if isinstance(value, int) else TEXT)


def no_value(dtype: Any) -> nw.Expr:
    """A typed null."""
    return nw.lit(None, dtype=dtype)


def effect_column(effect: Effect, dtype: Any, fact: FactColumn) -> nw.Expr:
    """The value of a resolved effect.

    Args:
        effect: without parameters.
        dtype: of the outcome it is for.
        fact: the column of a fact.
    """
    match effect:
        case Const(value):
            return no_value(dtype) if value is None else literal(value)
        case FactRef(name):
            return fact(name)
        case BySegment(values, default):
            segment = fact("segment")
            return reduce(
                lambda rest, own: (
                    nw.when((segment == literal(own[0])).fill_null(False)).then(literal(own[1])).otherwise(rest)
                ),
                values,
                literal(default),
            )
        case Param(name):
            raise ValueError(f"parameter {name!r} is not resolved")
        case PercentOf(of, bp):
            return _percent(effect_column(of, dtype, fact), _integer(bp))
        case RoundDown(of, step):
            return _round_down(effect_column(of, dtype, fact), _integer(step))
        case Least(parts):
            return _extreme(parts, dtype, fact, nw.min_horizontal)
        case Greatest(parts):
            return _extreme(parts, dtype, fact, nw.max_horizontal)


def _integer(operand: Const | Param) -> int:
    if not isinstance(operand, Const) or isinstance(operand.value, bool) or not isinstance(operand.value, int):
        raise ValueError(f"a share or a step is an integer, got {operand!r}")
    return operand.value


def _percent(value: nw.Expr, bp: int) -> nw.Expr:
    """Half up on the magnitude, without taking signs apart: whole parts first, so that 64 bits suffice.

    Right whatever an engine makes of the first division, even a float: the rest makes up for it. Each
    occurrence of a part multiplies the plan when effects nest: keep them few.
    """
    full, share = literal(FULL_BP), literal(abs(bp))
    whole = value // full
    half = nw.when(value < 0).then(literal(FULL_BP // 2 - 1)).otherwise(literal(FULL_BP // 2))
    magnitude = whole * share + ((value - whole * full) * share + half) // full
    return magnitude if bp >= 0 else -magnitude


def _round_down(value: nw.Expr, step: int) -> nw.Expr:
    return value - value % literal(step)


def _extreme(parts: tuple[Effect, ...], dtype: Any, fact: FactColumn, choose: Callable[..., nw.Expr]) -> nw.Expr:
    columns = [effect_column(part, dtype, fact) for part in parts]
    if len(columns) == 1:
        return columns[0]
    unknown = reduce(lambda one, other: one | other, [column.is_null() for column in columns])
    return nw.when(~unknown).then(choose(*columns))
