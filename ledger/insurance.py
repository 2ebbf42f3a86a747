"""The clock of a credit insurance: until when to ship, and when to hand a debt over at the latest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InsuranceClock:
    """Two days of a policy.

    Args:
        stop_shipping_day: the end of the longest extension; from then on new deliveries are not covered.
        hand_over_by_day: the last day to hand the debt over.
    """

    stop_shipping_day: int
    hand_over_by_day: int


def insurance_clock(due_days: tuple[int, ...], extension_days: int, hand_over_days: int) -> InsuranceClock:
    """The clock of an invoice.

    Args:
        due_days: every due day the invoice ever had: deferring it does not move the clock.
        extension_days: the longest extension the policy allows.
        hand_over_days: days after its end within which the debt is handed over.

    Raises:
        ValueError: there is no due day, or a number of days is negative.

    >>> insurance_clock((20484, 20520), 60, 30)
    InsuranceClock(stop_shipping_day=20544, hand_over_by_day=20574)
    """
    if not due_days or extension_days < 0 or hand_over_days < 0:
        raise ValueError(f"a due day and no negative days, got {due_days}, {extension_days}, {hand_over_days}")
    stop = min(due_days) + extension_days
    return InsuranceClock(stop, stop + hand_over_days)
