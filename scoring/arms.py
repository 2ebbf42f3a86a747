"""Arms: what came in of what was overdue, in two groups of customers, with how sure one can be.

Pure. Invoices and customers of one group are not independent, so whole groups are drawn again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 2_000
LOW, HIGH = 2.5, 97.5  # per cent: a 95 % interval
FEWEST = 20  # clusters of an arm; below them no interval is given


@dataclass(frozen=True, slots=True)
class Member:
    """One customer of an arm.

    Args:
        cluster: of its group, or its own.
        overdue_minor: at the beginning; above 0.
        came_minor: of that, what came in; 0 to ``overdue_minor``.
    """

    cluster: str
    overdue_minor: int
    came_minor: int


@dataclass(frozen=True, slots=True)
class Arm:
    """A group of customers and its share.

    Args:
        share: what came in of what was overdue; None: nothing was overdue.
        low, high: the 95 % interval; None: too few to tell.
    """

    customers: int
    clusters: int
    overdue_minor: int
    came_minor: int
    share: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Two arms and the difference of their shares, first less second; None: too few to tell."""

    first: Arm
    second: Arm
    difference: float | None
    low: float | None = None
    high: float | None = None


def compared(first: Sequence[Member], second: Sequence[Member], seed: int) -> Compared:
    """Compare two arms.

    >>> paid, unpaid = Member("a", 100, 80), Member("b", 100, 20)
    >>> found = compared([paid, unpaid], [], 1)
    >>> found.first.share, found.first.low, found.second.share, found.difference
    (0.5, None, None, None)
    """
    generator = np.random.default_rng(seed)
    one, drawn_one = _arm(first, generator)
    two, drawn_two = _arm(second, generator)
    if drawn_one is None or drawn_two is None or one.share is None or two.share is None:
        return Compared(one, two, None if one.share is None or two.share is None else one.share - two.share)
    low, high = np.percentile(drawn_one - drawn_two, [LOW, HIGH])
    return Compared(one, two, one.share - two.share, float(low), float(high))


def _arm(members: Sequence[Member], generator: np.random.Generator) -> tuple[Arm, npt.NDArray[np.float64] | None]:
    by_cluster: dict[str, tuple[int, int]] = {}
    for member in members:
        overdue, came = by_cluster.get(member.cluster, (0, 0))
        by_cluster[member.cluster] = (overdue + member.overdue_minor, came + member.came_minor)
    overdue_minor = sum(overdue for overdue, _ in by_cluster.values())
    came_minor = sum(came for _, came in by_cluster.values())
    counts = (len(members), len(by_cluster), overdue_minor, came_minor)
    share = came_minor / overdue_minor if overdue_minor else None
    if len(by_cluster) < FEWEST:
        return Arm(*counts, share), None
    amounts = np.array([by_cluster[name] for name in sorted(by_cluster)], dtype=np.float64)
    chosen = generator.integers(0, len(amounts), size=(DRAWS, len(amounts)))
    drawn = amounts[chosen].sum(axis=1)
    shares: npt.NDArray[np.float64] = drawn[:, 1] / drawn[:, 0]
    low, high = np.percentile(shares, [LOW, HIGH])
    return Arm(*counts, share, float(low), float(high)), shares
