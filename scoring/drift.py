"""Drift: how far a distribution has moved from an earlier one.

The population stability index adds up, over the deciles of the earlier values, how much each share of customers
grew or shrank. Unknown values are a bin of their own. Among few customers chance alone moves shares: what chance
explains is told beside the index.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WATCH = 0.10
ACT = 0.25
DECILES = 10
ONE_IN_TWENTY = 1.645  # standard deviations; chance alone goes beyond one time in twenty


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the values moved.

    Args:
        index: the population stability index; 0 where nothing moved.
        chance: what two samples of the same population stay below 19 times of 20.
        before, now: how many customers each side has.
        unknown_before, unknown_now: how many of them have no value.
    """

    index: float
    chance: float
    before: int
    now: int
    unknown_before: int
    unknown_now: int

    @property
    def verdict(self) -> str:
        """``steady`` | ``chance`` (far, but not farther than chance goes) | ``watch`` | ``act``."""
        if self.index < WATCH:
            return "steady"
        if self.index < self.chance:
            return "chance"
        return "watch" if self.index < ACT else "act"


@dataclass(frozen=True, slots=True)
class Reference:
    """The distribution that later ones are compared with, small enough to be kept.

    Args:
        edges: between the bins, rising: the deciles of the known values.
        counts: how many customers are in each bin; the last one holds those whose value is unknown.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def reference_of(values: Floats) -> Reference:
    """Keep the deciles of values, NaN where one is unknown.

    >>> reference_of(np.array([1.0, 1.0, 2.0, np.nan]))
    Reference(edges=(1.0, 2.0), counts=(0, 2, 1, 1))
    """
    known = values[~np.isnan(values)]
    cuts = np.linspace(0, 1, DECILES + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts, method="higher")) if known.size else np.array([], dtype=np.float64)
    return Reference(tuple(edges.tolist()), tuple(int(count) for count in _counts(values, edges)))


def drift(before: Floats, now: Floats) -> Drift | None:
    """Measure how far values moved.

    Args:
        before, now: one value per customer, NaN where it is unknown.

    Returns:
        None where either side has no customer.
    """
    return drift_from(reference_of(before), now) if before.size else None


def drift_from(reference: Reference, now: Floats) -> Drift | None:
    """Measure how far values moved from a distribution that was kept; None where either side has no customer."""
    then = np.array(reference.counts, dtype=np.float64)
    before = int(then.sum())
    if not before or not now.size:
        return None
    later = _counts(now, np.array(reference.edges, dtype=np.float64))
    used = (then + later) > 0
    # half a customer more in each bin: a bin that one side lacks is far, not infinitely far
    share = (then[used] + 0.5) / (before + 0.5 * used.sum())
    share_now = (later[used] + 0.5) / (now.size + 0.5 * used.sum())
    index = float(((share_now - share) * np.log(share_now / share)).sum())
    free = max(int(used.sum()) - 1, 0)
    chance = (free + ONE_IN_TWENTY * math.sqrt(2 * free)) * (1 / before + 1 / now.size)
    return Drift(index, chance, before, now.size, reference.counts[-1], int(np.isnan(now).sum()))


def _counts(values: Floats, edges: Floats) -> Floats:
    """How many values lie in each bin; the last bin holds the unknown ones."""
    unknown = np.isnan(values)
    places = np.searchsorted(edges, values[~unknown], side="right")
    counts = np.bincount(places, minlength=edges.size + 1).astype(np.float64)
    return np.append(counts, float(unknown.sum()))
