"""Conditions: the tree of tests that a rule asks of one row of facts.

A tree of ``All``, ``Any`` and ``Not`` over ``Test``. Three-valued logic, unknown never
matches: ``nnf`` pushes every ``Not`` to the leaves, and an unknown leaf then counts as
false. Source: design.md 5, cage.md 8.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import product
from typing import ClassVar, TypeAlias

Scalar: TypeAlias = bool | int | str


class Op(StrEnum):
    """What a test asks; the value is how a document writes it."""

    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    EQ = "=="
    NE = "!="
    IN = "in"
    NOT_IN = "not_in"
    BETWEEN = "between"  # both ends included
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"


ORDERINGS = frozenset({Op.LT, Op.LE, Op.GT, Op.GE, Op.BETWEEN})
LISTS = frozenset({Op.IN, Op.NOT_IN})
NULL_TESTS = frozenset({Op.IS_NULL, Op.IS_NOT_NULL})
OPPOSITE = {
    Op.LT: Op.GE,
    Op.GE: Op.LT,
    Op.GT: Op.LE,
    Op.LE: Op.GT,
    Op.EQ: Op.NE,
    Op.NE: Op.EQ,
    Op.IN: Op.NOT_IN,
    Op.NOT_IN: Op.IN,
    Op.IS_NULL: Op.IS_NOT_NULL,
    Op.IS_NOT_NULL: Op.IS_NULL,
}


@dataclass(frozen=True, slots=True)
class Const:
    """A constant. None occurs in effects only: conditions test null by operator."""

    value: Scalar | None


@dataclass(frozen=True, slots=True)
class Param:
    """A named parameter, resolved for the day when a book is built."""

    name: str


@dataclass(frozen=True, slots=True)
class FactRef:
    """Another fact of the same row."""

    name: str


Operand: TypeAlias = Const | Param | FactRef


@dataclass(frozen=True, slots=True)
class Test:
    """One test of one fact.

    Args:
        fact: the fact on the left.
        op: what is asked.
        value: an operand; a tuple of Const or Param for ``in``, ``not_in`` (any
            number) and ``between`` (low, high); None for the null tests.
        place: where in its document it stands, as a JSON pointer; not compared.
    """

    __test__: ClassVar[bool] = False  # not a pytest class

    fact: str
    op: Op
    value: Operand | tuple[Const | Param, ...] | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True when at least one part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is false."""

    part: "Condition"


Condition: TypeAlias = All | Any | Not | Test


def opposite(test: Test) -> Condition:
    """The negation of one test, itself without ``Not``.

    >>> opposite(Test("days", Op.LT, Const(3))).op.value
    '>='
    """
    if test.op is Op.BETWEEN:
        low, high = pair(test)
        return Any((replace(test, op=Op.LT, value=low), replace(test, op=Op.GT, value=high)))
    return replace(test, op=OPPOSITE[test.op])


def nnf(condition: Condition, negated: bool = False) -> Condition:
    """Push every ``Not`` to the leaves (negation normal form), by De Morgan.

    Only in this form does "an unknown leaf counts as false" leave the truth of the
    whole unchanged. Source: cage.md 8.
    """
    match condition:
        case Test():
            return opposite(condition) if negated else condition
        case Not(part):
            return nnf(part, not negated)
        case All(parts):
            return (Any if negated else All)(tuple(nnf(part, negated) for part in parts))
        case Any(parts):
            return (All if negated else Any)(tuple(nnf(part, negated) for part in parts))


def tests_of(condition: Condition) -> Iterator[Test]:
    """Every test, left to right."""
    match condition:
        case Test():
            yield condition
        case Not(part):
            yield from tests_of(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from tests_of(part)


def operands_of(test: Test) -> tuple[Operand, ...]:
    """The right-hand sides of a test, none for a null test."""
    if test.value is None:
        return ()
    return test.value if isinstance(test.value, tuple) else (test.value,)


def pair(test: Test) -> tuple[Const | Param, Const | Param]:
    """Low and high of a ``between``."""
    if not isinstance(test.value, tuple) or len(test.value) != 2:
        raise ValueError(f"between needs a low and a high end, got {test.value!r}")
    return test.value[0], test.value[1]


def facts_of(condition: Condition) -> frozenset[str]:
    """Names of all facts read, on either side."""
    names = set()
    for test in tests_of(condition):
        names.add(test.fact)
        names.update(operand.name for operand in operands_of(test) if isinstance(operand, FactRef))
    return frozenset(names)


def params_of(condition: Condition) -> frozenset[str]:
    """Names of all parameters read."""
    return frozenset(
        operand.name for test in tests_of(condition) for operand in operands_of(test) if isinstance(operand, Param)
    )


def map_tests(condition: Condition, change: Callable[[Test], Condition]) -> Condition:
    """The same tree with every test replaced by ``change(test)``."""
    match condition:
        case Test():
            return change(condition)
        case Not(part):
            return Not(map_tests(part, change))
        case All(parts):
            return All(tuple(map_tests(part, change) for part in parts))
        case Any(parts):
            return Any(tuple(map_tests(part, change) for part in parts))


def depth_of(condition: Condition) -> int:
    """Levels of the tree; a single test has one."""
    match condition:
        case Test():
            return 1
        case Not(part):
            return 1 + depth_of(part)
        case All(parts) | Any(parts):
            return 1 + max((depth_of(part) for part in parts), default=0)


def path_count(condition: Condition) -> int:
    """How many conjunctive paths ``paths`` would give, without building them."""
    match condition:
        case Test():
            return 1
        case Not():
            raise ValueError("paths are counted on negation normal form")
        case All(parts):
            total = 1
            for part in parts:
                total *= path_count(part)
            return total
        case Any(parts):
            return sum(path_count(part) for part in parts)


def paths(condition: Condition) -> list[tuple[Test, ...]]:
    """Conjunctive paths (disjunctive normal form) of a condition in NNF.

    The caller checks ``path_count`` first: paths multiply.
    """
    match condition:
        case Test():
            return [(condition,)]
        case Not():
            raise ValueError("paths are taken from negation normal form")
        case All(parts):
            choices = product(*(paths(part) for part in parts))
            return [tuple(dict.fromkeys(test for path in choice for test in path)) for choice in choices]
        case Any(parts):
            return [path for part in parts for path in paths(part)]
