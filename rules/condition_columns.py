"""Conditions as columns: true, false, or null for unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any as Anything

import narwhals as nw

from ledger.columns import Column, Kind
from rules.conditions import All, Any, Condition, Const, FactRef, Not, Op, Scalar, Test, operands_of, pair
from rules.effect_columns import INTEGER, TEXT, literal, no_value


@dataclass(frozen=True, slots=True)
class Sight:
    """What columns the frame has, and what type a missing one would have."""

    names: frozenset[str]
    dictionary: Mapping[str, Column]

    def fact(self, name: str) -> nw.Expr:
        """A fact; one that the frame lacks is unknown."""
        return nw.col(name) if name in self.names else no_value(dtype_of(self.dictionary[name]))


def dtype_of(column: Column) -> Anything:
    """The frame type of a column."""
    if column.kind is Kind.BOOL:
        return nw.Boolean
    return INTEGER if column.unit is not None else TEXT


def condition_column(condition: Condition, sight: Sight) -> nw.Expr:
    """The truth of a condition, null for unknown. NNF and constants only."""
    match condition:
        case Test():
            return _test(condition, sight)
        case All(parts):
            return reduce(and_, [condition_column(part, sight) for part in parts]) if parts else literal(True)
        case Any(parts):
            return reduce(or_, [condition_column(part, sight) for part in parts]) if parts else literal(False)
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def _test(test: Test, sight: Sight) -> nw.Expr:
    fact = sight.fact(test.fact)
    match test.op:
        case Op.IS_NULL:
            return fact.is_null()
        case Op.IS_NOT_NULL:
            return ~fact.is_null()
        case Op.BETWEEN:
            low, high = pair(test)
            return (fact >= _constant(low)) & (fact <= _constant(high))
        case Op.IN:
            return _is_in(fact, test)
        case Op.NOT_IN:
            return ~_is_in(fact, test)
        case _:
            other = test.value
            right = sight.fact(other.name) if isinstance(other, FactRef) else _constant(other)
            return _compare(fact, test.op, right)


def _compare(left: nw.Expr, op: Op, right: nw.Expr | Scalar) -> nw.Expr:
    match op:
        case Op.LT:
            return left < right
        case Op.LE:
            return left <= right
        case Op.GT:
            return left > right
        case Op.GE:
            return left >= right
        case Op.EQ:
            return left == right
        case _:
            return left != right


def _is_in(fact: nw.Expr, test: Test) -> nw.Expr:
    """Membership, null for a null: engines differ in that, so it is said."""
    values: list[Scalar] = [operand.value for operand in operands_of(test) if isinstance(operand, Const)]  # type: ignore[misc]
    known = nw.when(~fact.is_null())
    return known.then(fact.is_in(sorted(set(values), key=str)))


def _constant(operand: object) -> Scalar:
    """A plain value: what a column is compared with takes the column's type, and plans are made sooner."""
    if not isinstance(operand, Const) or operand.value is None:
        raise ValueError(f"parameters are resolved first, got {operand!r}")
    return operand.value
