"""Causes of disputes: a dated list, with whose each is to solve and within how many days.

A cause that is no longer wanted gets an end, so that old disputes keep their words.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause.

    Args:
        label: what the console calls it.
        owner_role: who solves it unless somebody else is named.
        days: until its deadline unless one is given.
        from_day, until_day: when it may be chosen (half-open); None: without an end.
    """

    label: str
    owner_role: str
    days: int
    from_day: int = 0
    until_day: int | None = None


CAUSES: Mapping[str, Cause] = {
    "price": Cause(label="Price or discount", owner_role="sales", days=7),
    "quantity": Cause(label="Quantity", owner_role="customer_care", days=5),
    "quality": Cause(label="Damaged or defective", owner_role="customer_care", days=14),
    "not_delivered": Cause(label="Not delivered", owner_role="customer_care", days=5),
    "not_ordered": Cause(label="Not ordered", owner_role="sales", days=7),
    "invoice_wrong": Cause(label="Invoice is wrong", owner_role="customer_care", days=5),
    "terms": Cause(label="Payment terms", owner_role="sales", days=7),
    "already_paid": Cause(label="Already paid or credited", owner_role="collector", days=5),
    "other": Cause(label="Another cause", owner_role="sales", days=10),
}


def causes_on(day: int) -> dict[str, Cause]:
    """The causes that may be chosen on a day."""
    return {
        code: cause
        for code, cause in CAUSES.items()
        if cause.from_day <= day and (cause.until_day is None or day < cause.until_day)
    }
