"""Cash forecast: how much of what is open comes in, week by week.

Asked on a day, with what was known before it; the first week begins on that day. Each open invoice
has a chance of payment in each week (``scoring.cash_hazard``; where there is too little to learn from,
the habits of ``scoring.cash_habits`` alone). Summed over invoices they give each week's cash.

Bands let invoices of one customer that fall due in one week come together: drawn one by one
they would make the total far too certain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.cash_habits import (
    WEEK_DAYS,
    OpenInvoices,
    open_invoices,
    own_days_late,
    paid_day,
    portfolio_days_late,
    week_chances,
)
from scoring.cash_hazard import Hazards
from scoring.invoice_features import RECENT
from scoring.invoice_training import Ledger
from scoring.past import NEVER, Floats

WEEKS = 13
DRAWS_MAX, DRAWS_MIN = 2_000, 200
DRAWN_MAX = 40_000_000  # invoices by weeks by draws: of many invoices fewer draws tell as much
BAND = 0.8
INTERVAL_DRAWS = 1_000
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Forecast:
    """Cash per week, in base currency minor units.

    Args:
        expected: the mean; sums of it are the ones to plan with.
        typical: the median: errs least in a single week, and is low where single invoices are large.
        low, high: a band that holds in 80 of 100 weeks.
    """

    expected: Floats
    typical: Floats
    low: Floats
    high: Floats


def forecast(asked: OpenInvoices, chances: Floats, seed: int) -> Forecast:
    """Sum the chances, with a band that draws blocks of customer and due week.

    Args:
        asked: open invoices.
        chances: of each in each week.
        seed: of the draws.
    """
    weeks = chances.shape[1]
    week_due = np.floor_divide(asked.due_day, WEEK_DAYS).astype(np.int64)
    _, block = np.unique(np.column_stack([asked.customer_id, week_due]), axis=0, return_inverse=True)
    block = np.ravel(block)
    bounds = np.cumsum(chances, axis=1)
    generator = np.random.default_rng(seed)
    draws = max(min(DRAWN_MAX // max(chances.size, 1), DRAWS_MAX), DRAWS_MIN)
    totals = np.zeros((draws, weeks))
    for draw in range(draws):
        chance = generator.random(int(block.max(initial=-1)) + 1)[block]
        week = (chance[:, None] >= bounds).sum(axis=1)
        totals[draw] = np.bincount(week, weights=asked.amount, minlength=weeks + 1)[:weeks]
    low, typical, high = np.quantile(totals, [(1 - BAND) / 2, 0.5, (1 + BAND) / 2], axis=0)
    return Forecast(np.asarray(asked.amount @ chances, dtype=np.float64), typical, low, high)


def came_in(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> Floats:
    """What of the open invoices was really paid in each week, as known in the end."""
    first, _ = paid_day(ledger, NEVER - 1)
    return _by_week(first[asked.place], asked.amount, day, weeks)


def _by_week(paid: Floats, amount: Floats, day: int, weeks: int) -> Floats:
    week = np.floor((np.where(np.isfinite(paid), paid, day - 1.0) - day) / WEEK_DAYS)
    inside = (week >= 0) & (week < weeks)
    return np.bincount(week[inside].astype(np.int64), weights=amount[inside], minlength=weeks).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Tried:
    """One day's forecasts beside what came in: weeks by name, and how many invoices were open."""

    guesses: dict[str, Floats]
    real: Floats
    held: Floats
    invoices: int


def backtest_cash(
    ledgers: Sequence[Ledger], days: Sequence[int], weeks: int, amount_max: int | None, seed: int
) -> dict[str, Any]:
    """Forecast from past days and compare with what came in, beside rivals.

    Args:
        ledgers: each is forecast alone; errors are summed, so they should share a currency.
        days: as of which to forecast.
        weeks: how many each.
        amount_max: larger invoices are left out, minor units.
        seed: of the bands.

    Returns:
        How many days, weeks and open invoices; WAPE (sum of absolute weekly errors over all that came in) of the
        expected and the typical week, of `habit` (nothing learned), and of the naive rivals `own_mean` (due + own mean
        delay; what should have come already is expected at once), `own_mean_ahead` (the same, what should have come
        left out) and `due_date`, each with a 95 % interval that draws days; the lead over each; the error of the first
        four weeks' totals; and how often the band held.
    """
    tried = []
    for ledger in ledgers:
        hazards = Hazards(ledger)
        tried += [_tried(hazards, day, weeks, amount_max, seed) for day in days]
    found = {"days": len(days), "weeks": weeks, "invoices": sum(one.invoices for one in tried)}
    came = np.array([one.real.sum() for one in tried])
    came_months = sum(float(one.real[:4].sum()) for one in tried)
    if not tried or came.sum() <= 0 or came_months <= 0:
        return found
    names = list(tried[0].guesses)
    errors = {name: np.array([np.abs(one.guesses[name] - one.real).sum() for one in tried]) for name in names}
    months = {name: sum(float((one.guesses[name] - one.real)[:4].sum()) for one in tried) for name in names}
    picks = np.random.default_rng(seed).integers(0, len(tried), (INTERVAL_DRAWS, len(tried)))
    drawn = {
        name: error[picks].sum(axis=1) / np.maximum(came[picks].sum(axis=1), 1.0) for name, error in errors.items()
    }
    held = np.concatenate([one.held for one in tried])
    return found | {
        "came_in_minor": round(float(came.sum())),
        "wape": {name: round(float(error.sum() / came.sum()), DIGITS) for name, error in errors.items()},
        "wape_interval": {name: _interval(values) for name, values in drawn.items()},
        "lead": {
            name: {
                "wape": round(float((errors[name] - errors["typical"]).sum() / came.sum()), DIGITS),
                "interval": _interval(drawn[name] - drawn["typical"]),
            }
            for name in names
            if name != "typical"
        },
        "four_weeks_error": {name: round(error / came_months, DIGITS) for name, error in months.items()},
        "band": {"claimed": BAND, "held": round(float(held.mean()), DIGITS), "n": len(held)},
    }


def _interval(values: Floats) -> list[float]:
    return [round(float(bound), DIGITS) for bound in np.quantile(values, [0.025, 0.975])]


def _tried(hazards: Hazards, day: int, weeks: int, amount_max: int | None, seed: int) -> _Tried:
    ledger = hazards.ledger
    asked = open_invoices(ledger, day, amount_max)
    real = came_in(ledger, asked, day, weeks)
    habit = week_chances(ledger, asked, day, weeks)
    learned = hazards.chances(asked, day, weeks)
    found = forecast(asked, habit if learned is None else learned, seed)
    guesses = {"typical": found.typical, "expected": found.expected, "habit": asked.amount @ habit}
    held = ((real >= found.low) & (real <= found.high)).astype(np.float64)
    return _Tried(guesses | _rivals(ledger, asked, day, weeks), real, held, len(asked.place))


def _rivals(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> dict[str, Floats]:
    own, portfolio = own_days_late(ledger, asked, day, RECENT), portfolio_days_late(ledger, day)
    count = (~np.isnan(own)).sum(axis=1)
    usual = float(portfolio.mean()) if len(portfolio) else 0.0
    delay = np.where(count > 0, np.nan_to_num(own).sum(axis=1) / np.maximum(count, 1), usual)
    own_mean, due = np.floor(asked.due_day + delay), asked.due_day
    dates = {"own_mean": np.maximum(own_mean, day), "own_mean_ahead": own_mean, "due_date": np.maximum(due, day)}
    return {name: _by_week(date, asked.amount, day, weeks) for name, date in dates.items()}
