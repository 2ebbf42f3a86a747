"""What is said about open invoices and moves the day they are paid: promises, and disputes that stand in the way.

A promise puts its voice on its day, as strongly as the customer keeps promises; what it does not carry is paid by
habit. A disputed part waits until disputes are usually over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.cash_habits import WEEK_DAYS
from scoring.past import Floats, Ints

KEPT_STRENGTH = 3.0  # promises of everybody that a customer's own are drawn towards


@dataclass(frozen=True, slots=True)
class Claims:
    """What is said of each open invoice.

    Args:
        promised_day: for which its payment is promised; NaN: no promise.
        promised_share: of the open amount that is promised.
        kept_share: how likely the customer keeps a promise.
        disputed_share: of the open amount that is contested.
        waits_days: until the dispute is expected to be over.
    """

    promised_day: Floats
    promised_share: Floats
    kept_share: Floats
    disputed_share: Floats
    waits_days: Floats


def kept_shares(customer_id: Ints, kept: Mapping[int, int], broken: Mapping[int, int]) -> Floats:
    """How likely each customer keeps a promise: its own share, drawn towards everybody's.

    Args:
        kept, broken: promises by customer.

    >>> kept_shares(np.array([1, 2]), {1: 3}, {1: 1}).round(2).tolist()
    [0.71, 0.67]
    """
    all_kept, all_broken = sum(kept.values()), sum(broken.values())
    usual = (all_kept + 1) / (all_kept + all_broken + 2)
    own = [(kept.get(one, 0), broken.get(one, 0)) for one in customer_id.tolist()]
    return np.array([(good + KEPT_STRENGTH * usual) / (good + bad + KEPT_STRENGTH) for good, bad in own])


def with_claims(chances: Floats, claims: Claims, day: int) -> Floats:
    """Chances of payment per invoice and week, with what is said of the invoices.

    Args:
        chances: by habit.
        day: the first day of the first week; what was promised for before it is expected in that week.
    """
    waited = _later(chances, np.ceil(claims.waits_days / WEEK_DAYS).astype(np.int64))
    disputed = claims.disputed_share[:, None]
    by_habit = (1 - disputed) * chances + disputed * waited
    spoken = ~np.isnan(claims.promised_day)
    week = np.floor_divide(np.maximum(np.where(spoken, claims.promised_day, day), day) - day, WEEK_DAYS)
    voice = (np.arange(chances.shape[1]) == week[:, None]).astype(np.float64)
    weight = np.where(spoken, claims.promised_share * claims.kept_share, 0.0)[:, None]
    return np.asarray((1 - weight) * by_habit + weight * voice, dtype=np.float64)


def _later(chances: Floats, weeks: Ints) -> Floats:
    """Each row so many weeks later; what leaves the last week comes after it."""
    width = chances.shape[1]
    place = np.arange(width) - weeks[:, None]
    return np.where(place >= 0, np.take_along_axis(chances, np.clip(place, 0, width - 1), axis=1), 0.0)


def mean_days(spans: Sequence[int], usual: int) -> int:
    """The mean of some spans, half days up; the usual where there are none.

    >>> mean_days([3, 4], 30), mean_days([], 30)
    (4, 30)
    """
    return (2 * sum(spans) + len(spans)) // (2 * len(spans)) if spans else usual
