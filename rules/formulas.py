"""Formulas: the arithmetic of a derived fact, as a closed tree over facts, parameters and numbers.

Integers only, rounded as the fact says. Unknown stays unknown, but for ``FirstKnown`` and for the
branch that ``Choice`` does not take; a division by zero is unknown. Data, never code: nothing here
is ever executed as Python.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any as Json
from typing import TypeAlias

from ledger.columns import COUNT_BOUND, DAYS_BOUND, MONEY_BOUND, Kind
from rules import conditions
from rules.conditions import Condition, FactRef, Param
from rules.documents import condition_of
from rules.effects import BySegment

FULL_BP = 10_000
SHARE_BOUND = 10**9  # basis points: what is a larger share counts as this one
# Where a division by an amount or a share ends: one cent of limit would else be a share beyond 64 bits.
CAPS = {Kind.MONEY: MONEY_BOUND, Kind.RATIO: SHARE_BOUND, Kind.DAYS: DAYS_BOUND, Kind.COUNT: COUNT_BOUND}
CONSTANTS = {"money": Kind.MONEY, "ratio": Kind.RATIO, "days": Kind.DAYS}


@dataclass(frozen=True, slots=True)
class Number:
    """A constant with what it measures."""

    value: int
    kind: Kind = Kind.COUNT


@dataclass(frozen=True, slots=True)
class Sum:
    """All parts added."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The left less the right."""

    left: "Formula"
    right: "Formula"


@dataclass(frozen=True, slots=True)
class Product:
    """Left times right, divided by ``scale`` (10,000 where one of them is a share).

    Scale and rounding are not written in documents: the proof of a formula fills them in.
    """

    left: "Formula"
    right: "Formula"
    scale: int = 1
    rounding: str = ""


@dataclass(frozen=True, slots=True)
class Quotient:
    """Left times ``scale`` divided by right, at most ``cap`` either way; unknown where right is 0."""

    left: "Formula"
    right: "Formula"
    scale: int = 1
    rounding: str = ""
    cap: int = 0


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest part."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest part."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Magnitude:
    """A part without its sign."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class FirstKnown:
    """The first part that is known."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Clipped:
    """A part, never below ``low`` and never above ``high``; where these cross, ``high`` wins."""

    part: "Formula"
    low: "Formula"
    high: "Formula"


@dataclass(frozen=True, slots=True)
class DaysBetween:
    """How many days lie between two events that were so many days ago."""

    left: "Formula"
    right: "Formula"


@dataclass(frozen=True, slots=True)
class Choice:
    """One formula where a condition holds, else another; an unknown condition does not hold."""

    condition: Condition
    then: "Formula"
    otherwise: "Formula"


Formula: TypeAlias = (
    Number
    | Param
    | FactRef
    | BySegment
    | Sum
    | Difference
    | Product
    | Quotient
    | Smallest
    | Largest
    | Magnitude
    | FirstKnown
    | Clipped
    | DaysBetween
    | Choice
)
LISTS: Mapping[str, Callable[[tuple[Formula, ...]], Formula]] = {
    "add": Sum,
    "min": Smallest,
    "max": Largest,
    "coalesce": FirstKnown,
}
PAIRS: Mapping[str, Callable[[Formula, Formula], Formula]] = {
    "subtract": Difference,
    "multiply": Product,
    "divide": Quotient,
    "days_between": DaysBetween,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFact:
    """A fact computed from others, as its document says it.

    Args:
        kind: money, ratio, days or count; its formula must give that.
        rounding: down, up or half_even, of every division and share in it.
        low, high: what lies beyond counts as the end; None where it has none.
    """

    name: str
    kind: Kind
    label: str
    meaning: str
    formula: Formula
    rounding: str
    low: int | None = None
    high: int | None = None
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFacts:
    """One version of the derived facts of all entities (entity None) or of one."""

    key: str
    entity: str | None
    source: str
    facts: tuple[DerivedFact, ...]
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


def formula_of(value: Json, place: str = "") -> Formula:
    """The tree of a formula whose shape was checked."""
    if not isinstance(value, Mapping):
        return Number(value)
    if "if" in value:
        return Choice(
            condition_of(value["if"], f"{place}/if"),
            formula_of(value["then"], f"{place}/then"),
            formula_of(value["else"], f"{place}/else"),
        )
    ((word, inner),) = value.items()
    if word == "fact":
        return FactRef(inner)
    if word == "param":
        return Param(inner)
    if word in CONSTANTS:
        return Number(inner, CONSTANTS[word])
    if word == "abs":
        return Magnitude(formula_of(inner, f"{place}/abs"))
    parts = tuple(formula_of(part, f"{place}/{word}/{index}") for index, part in enumerate(inner))
    if word == "clip":
        return Clipped(*parts)
    return PAIRS[word](*parts) if word in PAIRS else LISTS[word](parts)


def parts_of(formula: Formula) -> tuple[tuple[str, Formula], ...]:
    """The formulas directly inside one, each with its place below it."""
    match formula:
        case Sum(parts):
            return tuple((f"/add/{index}", part) for index, part in enumerate(parts))
        case Smallest(parts):
            return tuple((f"/min/{index}", part) for index, part in enumerate(parts))
        case Largest(parts):
            return tuple((f"/max/{index}", part) for index, part in enumerate(parts))
        case FirstKnown(parts):
            return tuple((f"/coalesce/{index}", part) for index, part in enumerate(parts))
        case Difference(left, right):
            return ("/subtract/0", left), ("/subtract/1", right)
        case Product(left, right):
            return ("/multiply/0", left), ("/multiply/1", right)
        case Quotient(left, right):
            return ("/divide/0", left), ("/divide/1", right)
        case DaysBetween(left, right):
            return ("/days_between/0", left), ("/days_between/1", right)
        case Magnitude(part):
            return (("/abs", part),)
        case Clipped(part, low, high):
            return ("/clip/0", part), ("/clip/1", low), ("/clip/2", high)
        case Choice(_, then, otherwise):
            return ("/then", then), ("/else", otherwise)
        case _:
            return ()


def with_parts(formula: Formula, parts: list[Formula]) -> Formula:
    """The same formula over other parts, in the order of ``parts_of``."""
    match formula:
        case Sum() | Smallest() | Largest() | FirstKnown():
            return replace(formula, parts=tuple(parts))
        case Choice(condition):
            return Choice(condition, *parts)
        case Number() | Param() | FactRef() | BySegment():
            return formula
        case _:
            names = [one.name for one in fields(formula)][: len(parts)]
            return replace(formula, **dict(zip(names, parts, strict=True)))  # type: ignore[arg-type]


def walk(formula: Formula, place: str = "") -> Iterator[tuple[str, Formula]]:
    """The formula and everything inside it, with places."""
    yield place, formula
    for below, part in parts_of(formula):
        yield from walk(part, place + below)


def facts_of(formula: Formula) -> frozenset[str]:
    """Names of the facts a formula reads; ``segment`` where a value differs by it."""
    found: set[str] = set()
    for _, part in walk(formula):
        if isinstance(part, FactRef):
            found.add(part.name)
        elif isinstance(part, BySegment):
            found.add("segment")
        elif isinstance(part, Choice):
            found |= conditions.facts_of(part.condition)
    return frozenset(found)


def params_of(formula: Formula) -> frozenset[str]:
    """Names of the parameters a formula reads."""
    found: set[str] = set()
    for _, part in walk(formula):
        if isinstance(part, Param):
            found.add(part.name)
        elif isinstance(part, Choice):
            found |= conditions.params_of(part.condition)
    return frozenset(found)


def depth_of(formula: Formula) -> int:
    """Levels of the tree; a single fact has one."""
    return 1 + max((depth_of(part) for _, part in parts_of(formula)), default=0)


def resolved(
    formula: Formula, value_of: Callable[[Param], Number | BySegment], ask: Callable[[Condition], Condition]
) -> Formula:
    """The formula with constants for its parameters.

    Args:
        value_of: the value of a parameter.
        ask: a condition made ready for the executors.
    """
    if isinstance(formula, Param):
        return value_of(formula)
    parts = [resolved(part, value_of, ask) for _, part in parts_of(formula)]
    changed = with_parts(formula, parts)
    return replace(changed, condition=ask(changed.condition)) if isinstance(changed, Choice) else changed
