"""Offers: what an editor may offer at each place, drawn from the dictionary and nothing else.

The checker refuses what is not offered here, and refuses nothing that is for its type or unit; a
test compares the two.
"""

from collections.abc import Mapping
from typing import Any as Json

from ledger.columns import Column, Kind
from rules.checks import comparable, parameter_problems
from rules.conditions import Op
from rules.effect_checks import effect_parameter_fits
from rules.policies import Parameter

EQUALITIES = (Op.EQ, Op.NE)
ORDERS = (Op.LT, Op.LE, Op.GT, Op.GE)
FORMS = ("value", "nothing", "param", "fact", "percent_of", "min", "max", "round_down")
ARITHMETIC = ("percent_of", "min", "max", "round_down")


def ops_of(column: Column) -> tuple[Op, ...]:
    """The operators a test of a fact may have.

    >>> [op.value for op in ops_of(Column(name="x", kind=Kind.BOOL, label="x", meaning="x"))]
    ['==', '!=']
    """
    ops: tuple[Op, ...] = EQUALITIES
    if column.unit is not None:
        ops = (*ORDERS, *ops, Op.BETWEEN)
    if column.kind is not Kind.BOOL:
        ops = (*ops, Op.IN, Op.NOT_IN)
    return (*ops, Op.IS_NULL, Op.IS_NOT_NULL) if column.nullable else ops


def comparable_facts(column: Column, facts: Mapping[str, Column]) -> tuple[str, ...]:
    """The other facts a fact may be compared with: those of its type and unit."""
    return tuple(name for name, other in facts.items() if name != column.name and comparable(column, other))


def comparable_parameters(column: Column, parameters: Mapping[str, Parameter], stage: str) -> tuple[str, ...]:
    """The parameters a fact may be compared with in a stage."""
    return tuple(name for name in parameters if not parameter_problems(name, column, "", parameters, stage))


def effect_forms(column: Column) -> tuple[str, ...]:
    """The forms an effect on an outcome may have; ``nothing`` makes it unknown."""
    forms = [form for form in FORMS if form != "nothing" or column.nullable]
    return tuple(form for form in forms if form not in ARITHMETIC or column.unit is not None)


def effect_facts(column: Column, facts: Mapping[str, Column]) -> tuple[str, ...]:
    """The facts an outcome may be set to."""
    return tuple(
        name
        for name, fact in facts.items()
        if fact.unit == column.unit
        and (column.unit is not None or fact.kind is column.kind)
        and (column.nullable or not fact.nullable)
    )


def effect_parameters(kind: Kind, parameters: Mapping[str, Parameter], *, for_all: bool = False) -> tuple[str, ...]:
    """The parameters an outcome of a kind may be set to; a share or a step takes only those ``for_all`` segments."""
    return tuple(
        name
        for name, parameter in parameters.items()
        if effect_parameter_fits(parameter, kind) and not (for_all and any(value.segment for value in parameter.values))
    )


def first_test(column: Column, suggestions: tuple[str, ...] = ()) -> list[Json]:
    """A test to begin with when a fact was chosen."""
    if column.kind is Kind.BOOL:
        return [column.name, Op.EQ.value, True]
    if column.unit is not None:
        return [column.name, Op.GE.value, max(column.low or 0, 0)]
    if column.values or suggestions:
        return [column.name, Op.EQ.value, (column.values or suggestions)[0]]
    return [column.name, Op.IS_NOT_NULL.value] if column.nullable else [column.name, Op.NE.value, "?"]


def first_effect(column: Column, suggestions: tuple[str, ...] = ()) -> Json:
    """An effect to begin with."""
    if column.kind is Kind.BOOL:
        return True
    if column.unit is not None:
        return max(column.low or 0, 0)
    return None if column.nullable and not suggestions else (column.values or suggestions or ("?",))[0]
