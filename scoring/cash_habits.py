"""Habits of payment: an invoice is paid as late as its customer paid before, or as everybody pays.

A discrete hazard without a learner: each of the customer's last 25 payments has one voice, the
portfolio a few more, given that the invoice is not paid yet. What cannot be any more, because the
day has passed, drops out, and the rest shares its weight.
"""

from dataclasses import dataclass

import numpy as np

from scoring.invoice_features import RECENT
from scoring.invoice_training import Ledger, Mask
from scoring.past import DAYS_BOUND, NEVER, Floats, Ints

WEEK_DAYS = 7
PORTFOLIO_VOICES = 3.0  # payments; chosen by walk-forward
PORTFOLIO_DAYS = 730  # of payments the portfolio's habits are taken from
KERNEL = np.array([-6, -4, -2, 0, 2, 4, 6], dtype=np.float64)  # days a payment speaks for around its own
NEVER_VOICE = 0.02  # of the voices say that it is not paid at all
ALMOST_NONE = 1e-3  # so that nothing is divided by nothing


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

    def only(self, which: Mask | slice) -> "OpenInvoices":
        """Some of them."""
        return OpenInvoices(self.place[which], self.customer_id[which], self.due_day[which], self.amount[which])


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
    own = own_days_late(ledger, asked, day, RECENT)
    # days late on the day before each coming week begins, and at the end of the last
    bounds = (day - 1 - asked.due_day)[:, None] + WEEK_DAYS * np.arange(weeks + 1)
    voices = PORTFOLIO_VOICES * _share_beyond(portfolio_days_late(ledger, day), bounds)
    for shift in KERNEL:
        voices += _beyond(own + shift, bounds) / len(KERNEL)
    total = (~np.isnan(own)).sum(axis=1) + PORTFOLIO_VOICES
    alive = voices + NEVER_VOICE * total[:, None]
    return np.asarray((alive[:, :-1] - alive[:, 1:]) / alive[:, :1], dtype=np.float64)


def habit_hazards(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> tuple[Floats, Floats]:
    """Chance of payment in each week of what is open when it begins: by own habits, and by the portfolio's alone."""
    chances = week_chances(ledger, asked, day, weeks)
    open_before = 1 - np.column_stack([np.zeros(len(chances)), np.cumsum(chances, axis=1)[:, :-1]])
    bounds = (day - 1 - asked.due_day)[:, None] + WEEK_DAYS * np.arange(weeks + 1)
    beyond = _share_beyond(portfolio_days_late(ledger, day), bounds)
    portfolio = (beyond[:, :-1] - beyond[:, 1:]) / (beyond[:, :-1] + ALMOST_NONE)
    return np.asarray(chances / np.maximum(open_before, ALMOST_NONE), dtype=np.float64), portfolio


def own_days_late(ledger: Ledger, asked: OpenInvoices, day: int, count: int) -> Floats:
    paid, days = ledger.past.paid, np.full(len(asked.place), day)
    keys = ledger.past.keys_of(asked.customer_id, days)
    return paid.newest("late", paid.until(keys, np.full(len(keys), -NEVER)), paid.until(keys, days), count)


def portfolio_days_late(ledger: Ledger, day: int) -> Floats:
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
