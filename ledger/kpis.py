"""Figures of the whole: DSO, best possible DSO, average days delinquent, CEI, days late.

On plain integers in one currency's minor units. Days come in hundredths (`_days_e2`),
shares in basis points, both rounded half up at the end. Whatever has nothing to divide by
is None, never 0.

Source: domain.md 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.money import half_up


@dataclass(frozen=True)
class Month:
    """Sales of one month, for counting back.

    Args:
        sales_minor: credit sales of the month.
        days: its length.
    """

    sales_minor: int
    days: int


def _rounded(value: Fraction, scale: int) -> int:
    return half_up(value.numerator * scale, value.denominator)


def dso_simple_days_e2(receivables_minor: int, sales_minor: int, days: int) -> int | None:
    """Days sales outstanding: receivables / credit sales x days of the period.

    Returns:
        Hundredths of a day; None without sales (zero, or more credited than sold) and
        when the customers are in credit.

    >>> dso_simple_days_e2(10_869, 5_538 + 4_566 + 7_570, 90)
    5535
    """
    if sales_minor <= 0 or receivables_minor < 0:
        return None
    return _rounded(Fraction(receivables_minor * days, sales_minor), 100)


def dso_count_back_days_e2(receivables_minor: int, months: Sequence[Month]) -> int | None:
    """Days sales outstanding, counted back month by month from the latest.

    Each month's sales are taken off the receivables and its days added; the month in
    which they run out counts in part. A month without sales, or with more credited than
    sold, takes nothing off and adds all its days.

    Args:
        receivables_minor: receivables at the end of the last month.
        months: oldest first.

    Returns:
        Hundredths of a day; None when the customers are in credit, and when the history
        is too short to use the receivables up.

    >>> dso_count_back_days_e2(96_000, [Month(40_000, 31), Month(30_000, 28), Month(50_000, 31)])
    7140
    """
    if receivables_minor < 0:
        return None
    rest, days = receivables_minor, 0
    for month in reversed(months):
        if rest == 0:
            break
        if rest < month.sales_minor:
            return _rounded(Fraction(rest * month.days, month.sales_minor) + days, 100)
        rest -= max(month.sales_minor, 0)
        days += month.days
    return days * 100 if rest == 0 else None


def average_days_delinquent_days_e2(dso_days_e2: int | None, best_possible_days_e2: int | None) -> int | None:
    """DSO less best possible DSO (the same formula on receivables not yet due); None when either is.

    >>> average_days_delinquent_days_e2(7200, 4650)
    2550
    """
    if dso_days_e2 is None or best_possible_days_e2 is None:
        return None
    return dso_days_e2 - best_possible_days_e2


def collection_effectiveness_bp(
    opening_minor: int, sales_minor: int, closing_minor: int, current_minor: int
) -> int | None:
    """Collection effectiveness index: what came in of what could have come in.

    Args:
        opening_minor: receivables at the start.
        sales_minor: credit sales of the period.
        closing_minor: receivables at the end.
        current_minor: those of them not yet due.

    Returns:
        Basis points; None when nothing was to be collected.

    >>> collection_effectiveness_bp(100_000, 1_000_000, 120_000, 100_000)
    9800
    """
    collectable = opening_minor + sales_minor - current_minor
    if collectable <= 0:
        return None
    return _rounded(Fraction(opening_minor + sales_minor - closing_minor, collectable), 10_000)


def overdue_share_bp(overdue_minor: int, receivables_minor: int) -> int | None:
    """Overdue as a share of open due lines, in basis points; None when nothing is open.

    >>> overdue_share_bp(250, 1_000)
    2500
    """
    return None if receivables_minor <= 0 else _rounded(Fraction(overdue_minor, receivables_minor), 10_000)


def weighted_days_late_days_e2(payments: Iterable[tuple[int, int]]) -> int | None:
    """Days late weighted by amount, over (amount_minor, days_late) of payments; early is negative.

    >>> weighted_days_late_days_e2([(900, 10), (100, 60)])
    1500
    """
    paid = list(payments)
    total = sum(amount for amount, _ in paid)
    if total <= 0:
        return None
    return _rounded(Fraction(sum(amount * late for amount, late in paid), total), 100)
