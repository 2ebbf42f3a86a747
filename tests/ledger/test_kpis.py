"""Figures of the whole, by the worked examples of domain.md, and what happens with nothing to divide by."""

from datetime import date

import pytest

from ledger.days import date_of, day_of
from ledger.kpis import (
    Month,
    average_days_delinquent_days_e2,
    collection_effectiveness_bp,
    dso_count_back_days_e2,
    dso_simple_days_e2,
    overdue_share_bp,
    weighted_days_late_days_e2,
)

QUARTER = [Month(40_000, 31), Month(30_000, 28), Month(50_000, 31)]


def test_dso_1():
    """10,869 of 17,674 in 90 days: 55.35."""
    assert dso_simple_days_e2(10_869, 5_538 + 4_566 + 7_570, 90) == 5_535


def test_dso_3():
    """Simple 72.0, best 46.5, delinquent 25.5; counted back 71.4, 42.2, 29.2."""
    simple, best = dso_simple_days_e2(96_000, 120_000, 90), dso_simple_days_e2(62_000, 120_000, 90)
    assert (simple, best, average_days_delinquent_days_e2(simple, best)) == (7_200, 4_650, 2_550)
    back, best_back = dso_count_back_days_e2(96_000, QUARTER), dso_count_back_days_e2(62_000, QUARTER)
    assert (back, best_back, average_days_delinquent_days_e2(back, best_back)) == (7_140, 4_220, 2_920)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [((100_000, 1_000_000, 120_000, 100_000), 9_800), ((90_000, 120_000, 96_000, 62_000), 7_703)],
    ids=["CEI-2", "CEI-3"],
)
def test_collection_effectiveness(figures, expected):
    """98.0 % and 77.03 %."""
    assert collection_effectiveness_bp(*figures) == expected


def test_wadl_1():
    """Due 1 March; 900 paid 11 March, 100 paid 30 April: 15.0 days."""
    due, first, second = (day_of(date(2026, month, day)) for month, day in [(3, 1), (3, 11), (4, 30)])
    assert weighted_days_late_days_e2([(900, first - due), (100, second - due)]) == 1_500


@pytest.mark.parametrize(
    ("receivables", "sales", "expected"),
    [(0, 100, 0), (1, 100, 90), (-1, 100, None), (100, 0, None), (100, -1, None), (0, 0, None)],
)
def test_simple_dso_without_sales_or_with_customers_in_credit(receivables, sales, expected):
    """Unknown, not 0; nothing owed is 0 days."""
    assert dso_simple_days_e2(receivables, sales, 90) == expected


@pytest.mark.parametrize(
    ("receivables", "expected"),
    [(-1, None), (0, 0), (1, 0), (49_999, 3_100), (50_000, 3_100), (50_001, 3_100), (120_000, 9_000), (120_001, None)],
)
def test_count_back_at_its_edges(receivables, expected):
    """A month used up counts whole; when the history is used up and more is owed, the answer is unknown."""
    assert dso_count_back_days_e2(receivables, QUARTER) == expected


@pytest.mark.parametrize("sales", [0, -5_000])
def test_a_month_without_sales_adds_its_days_and_takes_nothing_off(sales):
    """Old debt is older by the silent month."""
    assert dso_count_back_days_e2(25_000, [Month(50_000, 30), Month(sales, 31)]) == 1_500 + 3_100


def test_count_back_without_history():
    """Owing nothing is 0 days; owing something without a month to count is unknown."""
    assert (dso_count_back_days_e2(0, []), dso_count_back_days_e2(1, [])) == (0, None)


def test_unknown_stays_unknown():
    """A difference with an unknown is unknown."""
    assert average_days_delinquent_days_e2(None, 5) is None
    assert average_days_delinquent_days_e2(5, None) is None


def test_nothing_to_collect_or_to_weigh():
    """No denominator, no figure."""
    assert collection_effectiveness_bp(0, 0, 0, 0) is None
    assert collection_effectiveness_bp(0, 50, 60, 60) is None
    assert overdue_share_bp(0, 0) is None
    assert overdue_share_bp(5, -5) is None
    assert weighted_days_late_days_e2([]) is None
    assert weighted_days_late_days_e2([(0, 5)]) is None


def test_shares_and_early_payments():
    """Half up in basis points; early days are negative."""
    assert [overdue_share_bp(part, 3) for part in (0, 1, 2, 3)] == [0, 3_333, 6_667, 10_000]
    assert weighted_days_late_days_e2([(100, -4)]) == -400


@pytest.mark.parametrize(
    "on", [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]
)
def test_days_and_dates_are_each_others_inverse(on):
    """From the first to the last date."""
    assert date_of(day_of(on)) == on
