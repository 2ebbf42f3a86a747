"""Cash forecast: how much of what is open comes in, week by week.

Asked on a day, with what was known before it; the first week begins on that day.

A discrete hazard without a learner: an invoice is paid as late as its customer paid before
(each of the last 25 payments one voice) or as the portfolio pays (a few voices more), given
that it is not paid yet. What cannot be any more, because the day has passed, drops out, and
the rest shares its weight. Summed over invoices the chances give each week's cash.

Bands let invoices of one customer that fall due in one week come together: drawn one by one
they would make the total far too certain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.invoice_features import RECENT
from scoring.invoice_training import Ledger, Mask
from scoring.past import DAYS_BOUND, NEVER, Floats, Ints

WEEK_DAYS = 7
WEEKS = 13
PORTFOLIO_VOICES = 3.0  # payments; chosen by walk-forward
PORTFOLIO_DAYS = 730  # of payments the portfolio's habits are taken from
KERNEL = np.array([-6, -4, -2, 0, 2, 4, 6], dtype=np.float64)  # days a payment speaks for around its own
NEVER_VOICE = 0.02  # of the voices say that it is not paid at all
DRAWS = 400
BAND = 0.8


@dataclass(frozen=True, slots=True)
class OpenInvoices:
    """Lines on which nothing was paid by the end of a day.

    Args:
        place: of the line in its ledger.
        customer_id, due_day, amount: of the line; amount in base currency minor units.
    """

    place: Ints
    customer_id: Ints
    due_day: Floats
    amount: Floats


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


def paid_day(ledger: Ledger, known_day: int) -> tuple[Floats, Floats]:
    """Per line the day of its first payment known by a day (inf when none), and all that was set against it."""
    payments = ledger.payments
    owner, known = _owners(ledger)
    known &= (payments["seen_day"] <= known_day) & (payments["gone_day"] > known_day)
    money = known & (payments["is_payment"].astype(np.int64) == 1)
    first, settled = (np.full(len(ledger.once), start) for start in (np.inf, 0.0))
    np.minimum.at(first, owner[money], payments["booked_day"][money].astype(np.float64))
    np.add.at(settled, owner[known], payments["amount_minor"][known].astype(np.float64))
    return first, settled


def _owners(ledger: Ledger) -> tuple[Ints, Mask]:
    """The place of the line of every payment, and whether there is one."""
    ids, wanted = ledger.lines["line_id"].astype(np.int64), ledger.payments["line_id"].astype(np.int64)
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids[order], wanted), max(len(ids) - 1, 0))
    return order[place], ids[order][place] == wanted


def open_places(ledger: Ledger, day: int) -> Mask:
    """Mark the dated lines on which nothing was paid before a day."""
    lines = ledger.lines
    first, settled = paid_day(ledger, day - 1)
    standing = (lines["seen_day"] < day) & (lines["gone_day"] >= day) & ledger.once
    unpaid = ~np.isfinite(first) & (settled < lines["amount_minor"])
    found: Mask = standing & unpaid & ~np.isnan(lines["due_day"].astype(np.float64))
    return found


def open_invoices(ledger: Ledger, day: int, amount_max: int | None = None) -> OpenInvoices:
    """List the open lines whose amount is known.

    Args:
        amount_max: larger lines are left out, in base currency minor units.
    """
    lines = ledger.lines
    amount = np.nan_to_num(lines["amount"].astype(np.float64))
    found = open_places(ledger, day) & (amount > 0)
    if amount_max is not None:
        found &= amount <= amount_max
    place = np.flatnonzero(found)
    return OpenInvoices(
        place,
        lines["customer_id"][place].astype(np.int64),
        lines["due_day"][place].astype(np.float64),
        amount[place],
    )


def week_chances(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> Floats:
    """Chance of payment in each of the coming weeks, per open invoice.

    Returns:
        Rows by weeks; what is missing to 1 comes later or never.
    """
    own = _own_days_late(ledger, asked, day, RECENT)
    # days late on the day before each coming week begins, and at the end of the last
    bounds = (day - 1 - asked.due_day)[:, None] + WEEK_DAYS * np.arange(weeks + 1)
    voices = PORTFOLIO_VOICES * _share_beyond(_portfolio(ledger, day), bounds)
    for shift in KERNEL:
        voices += _beyond(own + shift, bounds) / len(KERNEL)
    total = (~np.isnan(own)).sum(axis=1) + PORTFOLIO_VOICES
    alive = voices + NEVER_VOICE * total[:, None]
    return np.asarray((alive[:, :-1] - alive[:, 1:]) / alive[:, :1], dtype=np.float64)


def _own_days_late(ledger: Ledger, asked: OpenInvoices, day: int, count: int) -> Floats:
    paid, days = ledger.past.paid, np.full(len(asked.place), day)
    keys = ledger.past.keys_of(asked.customer_id, days)
    return paid.newest("late", paid.until(keys, np.full(len(keys), -NEVER)), paid.until(keys, days), count)


def _portfolio(ledger: Ledger, day: int) -> Floats:
    """Days late of everything paid lately, as known before a day, rising."""
    payments = ledger.payments
    owner, known = _owners(ledger)
    known &= (payments["seen_day"] < day) & (payments["gone_day"] >= day) & (payments["is_payment"] == 1)
    known &= payments["booked_day"] >= day - PORTFOLIO_DAYS
    late = payments["booked_day"][known] - ledger.lines["due_day"].astype(np.float64)[owner[known]]
    return np.sort(np.clip(late[~np.isnan(late)], -DAYS_BOUND, DAYS_BOUND))


def _beyond(values: Floats, bounds: Floats) -> Floats:
    """How many values of a row lie above each of its bounds."""
    found = np.zeros(bounds.shape)
    for column in values.T:
        found += np.nan_to_num(column, nan=-np.inf)[:, None] > bounds
    return found


def _share_beyond(ordered: Floats, bounds: Floats) -> Floats:
    if not len(ordered):
        return np.zeros(bounds.shape)
    return np.asarray(1 - np.searchsorted(ordered, bounds, side="right") / len(ordered), dtype=np.float64)


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
    totals = np.zeros((DRAWS, weeks))
    for draw in range(DRAWS):
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
        WAPE (sum of absolute weekly errors over all that came in) of the expected and the typical week and of the
        rivals `own_mean` (due + own mean delay; what should have come already is expected at once) and
        `due_date`; the error of the first four weeks' totals; and how often the band held.
    """
    names = ("expected", "typical", "own_mean", "due_date")
    errors, months = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    came, came_months, held, seen = 0.0, 0.0, 0, 0
    for ledger in ledgers:
        for day in days:
            asked = open_invoices(ledger, day, amount_max)
            real = came_in(ledger, asked, day, weeks)
            found = forecast(asked, week_chances(ledger, asked, day, weeks), seed)
            guesses = {"expected": found.expected, "typical": found.typical, **_rivals(ledger, asked, day, weeks)}
            for name, guess in guesses.items():
                errors[name] += float(np.abs(guess - real).sum())
                months[name] += float((guess - real)[:4].sum())
            came += float(real.sum())
            came_months += float(real[:4].sum())
            held += int(((real >= found.low) & (real <= found.high)).sum())
            seen += weeks
    if came <= 0 or came_months <= 0:
        return {"days": len(days), "weeks": weeks}
    return {
        "days": len(days),
        "weeks": weeks,
        "wape": {name: round(error / came, 6) for name, error in errors.items()},
        "four_weeks_error": {name: round(error / came_months, 6) for name, error in months.items()},
        "band": {"claimed": BAND, "held": round(held / seen, 6), "n": seen},
    }


def _rivals(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> dict[str, Floats]:
    own, portfolio = _own_days_late(ledger, asked, day, RECENT), _portfolio(ledger, day)
    count = (~np.isnan(own)).sum(axis=1)
    usual = float(portfolio.mean()) if len(portfolio) else 0.0
    delay = np.where(count > 0, np.nan_to_num(own).sum(axis=1) / np.maximum(count, 1), usual)
    dates = {"own_mean": asked.due_day + delay, "due_date": asked.due_day}
    return {name: _by_week(np.maximum(np.floor(date), day), asked.amount, day, weeks) for name, date in dates.items()}
