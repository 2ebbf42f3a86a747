"""How a fact is distributed over today's customers: bins with bounds a person would choose.

On the facts of the last closed runs, kept in memory for live counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.live_counts import facts_today
from engine.tables import Entity
from ledger.columns import Column, Kind
from ledger.money import exponent

if TYPE_CHECKING:
    from engine.runtime import Runtime

BINS_MAX = 20
STEPS = (1, 2, 5)
ZERO_SHARE = 5  # a fifth of zeros has a bin of its own
SKEWED = 12  # so many times the median at the upper end: steps grow instead of staying alike

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Bin:
    """Customers whose value lies within bounds, or is one word or claim.

    Args:
        customers: how many.
        low, high: of a number, both included; None for no bound.
        value: of what is no number; None for all rarer ones together.
    """

    customers: int
    low: int | None = None
    high: int | None = None
    value: str | bool | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """How a fact is distributed.

    Args:
        fact: its declaration.
        currency: of an amount.
        customers: all of them, ``unknown`` of whom have no value.
        lowest, median, highest: of a number; the median is a value that occurs.
        bins: of a number in rising order, else the most frequent first.
    """

    fact: Column
    currency: str
    customers: int = 0
    unknown: int = 0
    lowest: int | None = None
    median: int | None = None
    highest: int | None = None
    bins: Sequence[Bin] = field(default_factory=tuple)


def distribution(runtime: "Runtime", entities: Sequence[Entity], name: str) -> Distribution | None:
    """The distribution of a fact over the customers of some entities.

    Args:
        entities: those the reader sees whole.
        name: of a fact of customers, an outcome or a derived fact.

    Returns:
        None when no entity has facts, or when a run did not store this one. Of an amount only the
        entities in the currency of the first are asked.

    Raises:
        KeyError: there is no such fact.
        Unusable: what is in force cannot be read.
    """
    known = [(entity, facts_today(runtime, entity)) for entity in entities]
    found = [(entity, facts) for entity, facts in known if facts is not None]
    if not found:
        return None
    fact = {one: column for _, facts in found for one, column in facts.book.dictionary.items()}[name]
    currency = str(found[0][0].currency)
    if fact.kind is Kind.MONEY:
        found = [one for one in found if one[0].currency == currency]
    columns = [facts.live.column(name) for _, facts in found if facts.live.knows(name)]
    if len(columns) < len(found):
        return None
    customers = sum(len(column) for column in columns)
    unknown = sum(int(column.null_count()) for column in columns)
    known_values = [column.drop_nulls() for column in columns]
    if fact.unit is None or fact.kind is Kind.BOOL:
        counts: dict[Any, int] = {}
        for column in known_values:
            for value, number in column.value_counts().iter_rows():
                counts[value] = counts.get(value, 0) + number
        return Distribution(fact, currency, customers, unknown, bins=_most_frequent(counts))
    values = np.concatenate([column.to_numpy() for column in known_values])
    if not len(values):
        return Distribution(fact, currency, customers, unknown)
    unit = {Kind.MONEY: 10 ** exponent(currency), Kind.RATIO: 100}.get(fact.kind, 1)
    return Distribution(
        fact,
        currency,
        customers,
        unknown,
        int(values.min()),
        _at(values, 50),
        int(values.max()),
        _binned(values, edges_of(values, unit)),
    )


def edges_of(values: Values, unit: int) -> list[int]:
    """Where bins begin, rising, a number of units each: the first one has no lower bound, the last no upper one.

    >>> edges_of(np.arange(0, 101), 1)
    [10, 20, 30, 40, 50, 60, 70, 80, 90]
    >>> edges_of(np.array([0] * 50 + [100, 200, 900] * 9 + [50_000] * 3), 100)
    [1, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000]
    """
    zeros = int((values == 0).sum())
    own = zeros * ZERO_SHARE >= len(values) and int(values.min()) >= 0
    rest = values[values != 0] if own else values
    if not len(rest):
        return []
    low, middle, high = _at(rest, 1), _at(rest, 50), _at(rest, 99)
    if low == high:
        low, high = int(rest.min()), int(rest.max())
    if low > 0 and high > SKEWED * max(middle, unit):
        edges = _growing(low, high, unit)
    else:
        edges = _even(low, high, unit, BINS_MAX - own)
    inner = [edge for edge in edges if edge > int(rest.min())]
    return [1, *inner] if own and (not inner or inner[0] > 1) else inner


def _at(values: Values, percent: int) -> int:
    """The value below which a share lies: one that occurs, so that no amount is made up."""
    return int(np.percentile(values, percent, method="lower"))


def _even(low: int, high: int, unit: int, bins: int) -> list[int]:
    """Bounds a step apart, the step 1, 2 or 5 times a power of ten."""
    step = next(one for one in _steps(unit) if (high // one) - (low // one) + 2 <= min(bins, 12))
    return [number * step for number in range(low // step + 1, high // step + 1)]


def _growing(low: int, high: int, unit: int) -> list[int]:
    """Bounds 1, 2, 5, 10, 20, 50 ...; only powers of ten where that would be too many."""
    known = list(takewhile(lambda step: step <= high, _steps(unit)))
    first = max((number for number, edge in enumerate(known) if edge <= low), default=0)
    edges = known[first:]
    return edges if len(edges) <= BINS_MAX - 2 else edges[::3]


def _steps(unit: int) -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 ... units, without an end."""
    power = unit
    while True:
        yield from (step * power for step in STEPS)
        power *= 10


def _binned(values: Values, edges: list[int]) -> tuple[Bin, ...]:
    places = np.searchsorted(np.array(edges, dtype=np.int64), values, side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    zeros_only = bool(edges) and edges[0] == 1 and int(values.min()) == 0
    lows = [0 if zeros_only else None, *edges]
    highs = [*(edge - 1 for edge in edges), None]
    return tuple(Bin(int(number), low, high) for number, low, high in zip(counts, lows, highs, strict=True))


def _most_frequent(counts: dict[Any, int]) -> tuple[Bin, ...]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    shown = ranked if len(ranked) <= BINS_MAX else ranked[: BINS_MAX - 1]
    rare = sum(number for _, number in ranked[len(shown) :])
    return tuple(Bin(number, value=value) for value, number in shown) + ((Bin(rare),) if rare else ())
