"""The deterministic cash forecast: on which day an open item is expected.

A promise beats the customer's habit, a dispute delays it, litigation takes it out.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is known of an open item.

    Args:
        due_day: days since 1970-01-01.
        promised_day: the day its payment is promised for.
        resolution_days: of a disputed item the mean days until disputes of its kind are resolved.
        in_litigation: whether it is with a court or a collector.
    """

    due_day: int
    promised_day: int | None = None
    resolution_days: int | None = None
    in_litigation: bool = False


def expected_day(item: Expectation, as_of_day: int, mean_delay_days: int) -> int | None:
    """Say when an open item is expected, as of a day; None: it is off the forecast.

    Args:
        item: the item.
        as_of_day: the day asked; what should have come before it is expected on it.
        mean_delay_days: how long after the due date the customer pays on average.

    >>> expected_day(Expectation(due_day=100), 90, 12)
    112

    Source: domain.md 3, CF-1.
    """
    if item.in_litigation:
        return None
    if item.promised_day is not None:
        return item.promised_day if item.promised_day >= as_of_day else None
    return max(item.due_day + (item.resolution_days or 0) + mean_delay_days, as_of_day)
