"""A trading year in a small town, simulated whole (promise J1); a red seed prints one line that replays it.

Customers pay, forget, dispute, promise and break; providers fail, workers die, and people confirm, call and
cancel. After every day each step was taken once, nobody was asked who had paid, and the books agree.
"""

import os

import pytest

DAYS = 365
DENSE_DAYS = 4  # of each seed in the default tier
SEEDS = 10
# DUNWELL_YEAR=17:120 plays the first 120 days of seed 17; DUNWELL_YEARS=1000 so many years in the slow tier.
asked, _, until = os.environ.get("DUNWELL_YEAR", "").partition(":")
years = int(os.environ.get("DUNWELL_YEARS", SEEDS))


def lived(year, days):
    try:
        year.live(days)
        return year
    finally:
        year.close()


@pytest.mark.promise("J1")
@pytest.mark.parametrize("seed", [int(asked)] if asked else range(1, SEEDS + 1))
def test_after_every_day_each_step_was_taken_once_nobody_was_asked_who_had_paid_and_the_books_agree(trading_year, seed):
    """The first days of ten years, which begin with invoices of every age; or those that a red seed asks for."""
    year = lived(trading_year(seed), int(until or DENSE_DAYS))
    assert year.checks.counts["arrived"] > 0 or year.department.stopped


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@pytest.mark.promise("J1")
@pytest.mark.parametrize("seed", range(101, 101 + years))
def test_the_same_holds_for_whole_years(trading_year, seed):
    """Ten years of 365 days, or as many as are asked for; each happens: deaths, repeats, doubt, refusals."""
    year = lived(trading_year(seed), DAYS)
    assert year.told["kills"] > 0
    assert year.checks.counts["arrived"] > DAYS / 2
