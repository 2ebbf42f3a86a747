"""Conditions read from JSON whose shape was checked."""

from collections.abc import Mapping
from typing import Any as Json

from rules.conditions import LISTS, NULL_TESTS, All, Any, Condition, Const, FactRef, Not, Op, Operand, Param, Test


def condition_of(condition: Json, place: str = "") -> Condition:
    """The tree of a condition whose shape was checked."""
    if isinstance(condition, Mapping):
        if "not" in condition:
            return Not(condition_of(condition["not"], f"{place}/not"))
        word = "all" if "all" in condition else "any"
        parts = tuple(condition_of(part, f"{place}/{word}/{i}") for i, part in enumerate(condition[word]))
        return All(parts) if word == "all" else Any(parts)
    op = Op(condition[1])
    if op in NULL_TESTS:
        return Test(condition[0], op, None, place)
    if op in LISTS or op is Op.BETWEEN:
        return Test(condition[0], op, tuple(constant_of(value) for value in condition[2]), place)
    return Test(condition[0], op, _operand(condition[2]), place)


def constant_of(value: Json) -> Const | Param:
    """A constant, or the parameter that stands for it."""
    return Param(value["param"]) if isinstance(value, Mapping) else Const(value)


def _operand(value: Json) -> Operand:
    if isinstance(value, Mapping) and "fact" in value:
        return FactRef(value["fact"])
    return constant_of(value)
