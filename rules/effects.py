"""Effects: what a rule sets an outcome to, as small typed expressions.

Integers only. Unknown stays unknown: a null part makes the whole null, also in ``min``
and ``max``. A percentage is rounded half up on the magnitude (-0.5 becomes -1), and
``round_down`` goes down to a multiple of its step (-1 to a step of 100 is -100).
Columns and reference evaluator compute the same integers. Source: design.md 5, cage.md 9.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rules.conditions import Const, FactRef, Param, Scalar

FULL_BP = 10_000  # 100 %


@dataclass(frozen=True, slots=True)
class PercentOf:
    """So many basis points of an effect, half up on the magnitude."""

    of: "Effect"
    bp: Const | Param


@dataclass(frozen=True, slots=True)
class Least:
    """The smallest of several; unknown when any is."""

    parts: tuple["Effect", ...]


@dataclass(frozen=True, slots=True)
class Greatest:
    """The largest of several; unknown when any is."""

    parts: tuple["Effect", ...]


@dataclass(frozen=True, slots=True)
class RoundDown:
    """Down to a multiple of a step of at least 1."""

    of: "Effect"
    step: Const | Param


@dataclass(frozen=True, slots=True)
class BySegment:
    """A parameter that differs by segment: made when a book is built, not in documents."""

    values: tuple[tuple[str, Scalar], ...]
    default: Scalar


Effect: TypeAlias = Const | Param | FactRef | PercentOf | Least | Greatest | RoundDown | BySegment


def parts_of(effect: Effect) -> tuple[Effect, ...]:
    """The effects directly inside an effect."""
    match effect:
        case PercentOf(of, bp):
            return (of, bp)
        case RoundDown(of, step):
            return (of, step)
        case Least(parts) | Greatest(parts):
            return parts
        case _:
            return ()


def walk(effect: Effect) -> Iterator[Effect]:
    """The effect and everything inside it."""
    yield effect
    for part in parts_of(effect):
        yield from walk(part)


def facts_of(effect: Effect) -> frozenset[str]:
    """Names of the facts an effect reads."""
    names = {part.name for part in walk(effect) if isinstance(part, FactRef)}
    if any(isinstance(part, BySegment) for part in walk(effect)):
        names.add("segment")
    return frozenset(names)


def params_of(effect: Effect) -> frozenset[str]:
    """Names of the parameters an effect reads."""
    return frozenset(part.name for part in walk(effect) if isinstance(part, Param))


def map_params(effect: Effect, change: Callable[[Param], Effect]) -> Effect:
    """The same effect with every parameter replaced.

    Raises:
        ValueError: a share or a step would differ by segment, which is not offered.
    """

    def plain(operand: Const | Param) -> Const | Param:
        changed = change(operand) if isinstance(operand, Param) else operand
        if not isinstance(changed, Const | Param):
            raise ValueError(f"a share or a step cannot differ by segment: {operand}")
        return changed

    match effect:
        case Param():
            return change(effect)
        case PercentOf(of, bp):
            return PercentOf(map_params(of, change), plain(bp))
        case RoundDown(of, step):
            return RoundDown(map_params(of, change), plain(step))
        case Least(parts):
            return Least(tuple(map_params(part, change) for part in parts))
        case Greatest(parts):
            return Greatest(tuple(map_params(part, change) for part in parts))
        case _:
            return effect


def percent(value: int, bp: int) -> int:
    """So many basis points of a value, half up on the magnitude.

    Splits the value first, so that 64 bits suffice in columns as well.

    >>> percent(50, 100), percent(-50, 100), percent(49, 100)
    (1, -1, 0)
    """
    size = abs(value)
    share = size // FULL_BP * abs(bp) + (size % FULL_BP * abs(bp) + FULL_BP // 2) // FULL_BP
    return share if (value < 0) == (bp < 0) else -share


def round_down(value: int, step: int) -> int:
    """Down to a multiple of a step.

    >>> round_down(199, 100), round_down(-1, 100)
    (100, -100)
    """
    return value // step * step


def evaluate(effect: Effect, row: Mapping[str, Scalar | None]) -> Scalar | None:
    """The value of a resolved effect for one row.

    Raises:
        ValueError: a parameter is left, or arithmetic meets a value that is no integer.
    """
    match effect:
        case Const(value):
            return value
        case FactRef(name):
            return row.get(name)
        case BySegment(values, default):
            segment = row.get("segment")
            return next((value for name, value in values if name == segment), default)
        case Param(name):
            raise ValueError(f"parameter {name!r} is not resolved")
        case PercentOf(of, bp):
            amounts = _integers((of, bp), row)
            return None if amounts is None else percent(*amounts)
        case RoundDown(of, step):
            amounts = _integers((of, step), row)
            return None if amounts is None else round_down(*amounts)
        case Least(parts):
            amounts = _integers(parts, row)
            return None if amounts is None else min(amounts)
        case Greatest(parts):
            amounts = _integers(parts, row)
            return None if amounts is None else max(amounts)


def _integers(parts: tuple[Effect, ...], row: Mapping[str, Scalar | None]) -> list[int] | None:
    amounts: list[int] = []
    for part in parts:
        value = evaluate(part, row)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"arithmetic needs an integer, got {value!r} from {part}")
        amounts.append(value)
    return amounts
