"""Conditions as plain functions of one row.

``holds`` is two-valued on negation normal form, where an unknown leaf counts as false;
``verdict`` is three-valued (None: unknown).
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any as Value

from rules.conditions import All, Any, Condition, Const, FactRef, Not, Op, Scalar, Test, operands_of, pair

Row = Mapping[str, Scalar | None]
Verdict = Callable[[Row], bool | None]
Holds = Callable[[Row], bool]
COMPARE: Mapping[Op, Callable[[Value, Value], bool]] = {
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
}


def holds_of(condition: Condition) -> Holds:
    """Whether a condition in NNF without parameters holds; unknown never does.

    Raises:
        ValueError: the condition is not in negation normal form.
    """
    match condition:
        case Test():
            return _leaf_holds(condition)
        case All(parts):
            every = tuple(holds_of(part) for part in parts)

            def all_hold(row: Row) -> bool:
                for part in every:  # a loop, not all(): this is the hot path of a credit check  # noqa: SIM110
                    if not part(row):
                        return False
                return True

            return all_hold
        case Any(parts):
            some = tuple(holds_of(part) for part in parts)

            def any_holds(row: Row) -> bool:
                for part in some:  # noqa: SIM110
                    if part(row):
                        return True
                return False

            return any_holds
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def verdict_of(condition: Condition) -> Verdict:
    """The truth of a condition without parameters: True, False, or None for unknown (Kleene)."""
    match condition:
        case Test():
            return _leaf(condition)
        case Not(part):
            inner = verdict_of(part)

            def negation(row: Row) -> bool | None:
                value = inner(row)
                return None if value is None else not value

            return negation
        case All(parts):
            every = tuple(verdict_of(part) for part in parts)
            return lambda row: _all([part(row) for part in every])
        case Any(parts):
            some = tuple(verdict_of(part) for part in parts)
            return lambda row: _any([part(row) for part in some])


def _all(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def _leaf_holds(test: Test) -> Holds:
    verdict = _leaf(test)
    return lambda row: verdict(row) is True


def _leaf(test: Test) -> Verdict:
    name, op, value = test.fact, test.op, test.value
    if op is Op.IS_NULL:
        return lambda row: row.get(name) is None
    if op is Op.IS_NOT_NULL:
        return lambda row: row.get(name) is not None
    if op is Op.BETWEEN:
        low, high = (_constant(end) for end in pair(test))

        def inside(row: Row) -> bool | None:
            seen = row.get(name)
            return None if seen is None else low <= seen <= high  # type: ignore[operator]

        return inside
    if op in (Op.IN, Op.NOT_IN):
        values = frozenset(_constant(operand) for operand in operands_of(test))
        wanted = op is Op.IN

        def among(row: Row) -> bool | None:
            seen = row.get(name)
            return None if seen is None else (seen in values) is wanted

        return among
    compare = COMPARE[op]
    if isinstance(value, FactRef):
        other = value.name

        def against(row: Row) -> bool | None:
            left, right = row.get(name), row.get(other)
            return None if left is None or right is None else compare(left, right)

        return against
    constant = _constant(value)

    def compared(row: Row) -> bool | None:
        seen = row.get(name)
        return None if seen is None else compare(seen, constant)

    return compared


def _constant(operand: object) -> Scalar:
    if not isinstance(operand, Const) or operand.value is None:
        raise ValueError(f"parameters are resolved first, got {operand!r}")
    return operand.value
