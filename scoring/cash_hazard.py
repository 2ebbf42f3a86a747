"""A learned hazard of payment: given that an invoice is still open, is it paid within the coming week?

The habits of ``scoring.cash`` (own and portfolio voices) say when; what is learned here is how far to
believe them, by how long the invoice is due, how the customer pays lately, and its amount. It is
learned anew for each day asked, from what was open on earlier days four weeks apart, with what was
known then and what came of it by now; an invoice that is still open tells that it was not paid so far.
scikit-learn is imported only here, and only when there is enough to learn from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from scoring.cash_habits import WEEK_DAYS, OpenInvoices, habit_hazards, open_invoices, paid_day
from scoring.invoice_features import invoice_features
from scoring.invoice_training import Ledger, Mask, shrinkage_of
from scoring.past import Floats, Ints

EVERY_DAYS = 28  # earlier days that are learned from; whole weeks, so that weekends fall alike
LOOK_BACK_DAYS = 730
WEEKS_LEARNED = 13
HALF_LIFE_DAYS = 180  # a week so long ago weighs half: how a portfolio pays changes
LEAST_ROWS = 500  # invoices and weeks
LEAST_PAID = 50
ROWS_MAX = 300_000  # of more, the oldest days are left out
LEARNED_MAX = 25_000  # open invoices of a day that are learned from; of more, every second, third, ... of them
AT_ONCE = 25_000  # invoices told at once: 75 MB of values
SEED = 20_240_101
FLOOR = 1e-3
CUTS = np.linspace(0, 1, 101)[1:-1]  # of the bins of a value
SETTINGS: Mapping[str, float | int] = {
    "learning_rate": 0.06,
    "max_iter": 100,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
}
READ = (
    *("own_late_share_bp", "own_worse_share_bp", "mean_days_late", "median_days_late", "last_days_late"),
    *("last5_days_late", "spread_days", "max_days_late", "days_since_payment", "amount_to_own_bp"),
    *("amount_to_usual_bp", "terms_days", "oldest_overdue_days", "open_count", "overdue_count"),
    *("late_share_fallen_bp", "paid_count"),
)


@dataclass(frozen=True, slots=True)
class Day:
    """What was open on a day, and what a hazard reads of it.

    Args:
        asked: the open invoices, or a sample of them.
        values: invoices by weeks by what is read.
    """

    asked: OpenInvoices
    values: Floats


@dataclass(frozen=True, slots=True)
class Hazards:
    """One ledger's hazards; days looked at are kept, for several forecasts share them.

    Args:
        ledger: whose.
        days: by day.
    """

    ledger: Ledger
    days: dict[int, Day] = field(default_factory=dict)

    def chances(self, asked: OpenInvoices, day: int, weeks: int) -> Floats | None:
        """Chance of payment in each of the coming weeks, per open invoice; None: too little to learn from."""
        hazards = self._learned(day)
        if hazards is None:
            return None
        parts = [np.zeros((0, weeks))]
        for start in range(0, len(asked.place), AT_ONCE):
            some = asked.only(slice(start, start + AT_ONCE))
            count = len(some.place)
            values = values_of(self.ledger, some, day, weeks).reshape(count * weeks, -1)
            hazard = hazards(values).reshape(count, weeks)
            alive = np.cumprod(np.column_stack([np.ones(count), 1 - hazard]), axis=1)
            parts.append(np.asarray(alive[:, :-1] * hazard, dtype=np.float64))
        return np.concatenate(parts)

    def _day(self, day: int) -> Day:
        if day not in self.days:
            everything = open_invoices(self.ledger, day)
            asked = everything.only(slice(None, None, max(ceil(len(everything.place) / LEARNED_MAX), 1)))
            self.days[day] = Day(asked, values_of(self.ledger, asked, day, WEEKS_LEARNED))
        return self.days[day]

    def _learned(self, day: int) -> Callable[[Floats], Floats] | None:
        """Hazards by values, as learned for a day; None: too little to learn from."""
        rows, paid, ago = self._rows(day)
        if len(rows) < LEAST_ROWS or min(paid.sum(), len(paid) - paid.sum()) < LEAST_PAID:
            return None
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        learner = HistGradientBoostingClassifier(**SETTINGS, early_stopping=False, random_state=SEED)
        # binned here: the learner's own bins by weighted percentiles take longer than all else
        known = [column[~np.isnan(column)] for column in rows.T]
        edges = [np.unique(np.quantile(column, CUTS)) if column.size else np.zeros(0) for column in known]

        def hazards(values: Floats) -> Floats:
            with threadpool_limits(limits=1):
                return np.asarray(learner.predict_proba(_binned(values, edges))[:, 1], dtype=np.float64)

        # one thread: the same ledger gives the same forecast, and nobody spins while the machine is busy
        with threadpool_limits(limits=1):
            learner.fit(_binned(rows, edges), paid, 0.5 ** (ago / HALF_LIFE_DAYS))
        return hazards

    def _rows(self, day: int) -> tuple[Floats, Ints, Floats]:
        """Invoice and week, from earlier days: values, paid in the week or open through it, and how long ago."""
        first, settled = paid_day(self.ledger, day - 1)
        lines = self.ledger.lines
        # what was taken back or settled by credit notes alone tells nothing of payment
        tells = (lines["gone_day"] >= day) & (np.isfinite(first) | (settled < lines["amount_minor"]))
        rows: list[Floats] = []
        paid: list[Mask] = []
        ago: list[Floats] = []
        count = 0
        for earlier in range(day - EVERY_DAYS, day - LOOK_BACK_DAYS, -EVERY_DAYS):
            known = self._day(earlier)
            place = known.asked.place
            week = np.floor_divide(np.where(np.isfinite(first[place]), first[place], 1e9) - earlier, WEEK_DAYS)
            for number in range(min(WEEKS_LEARNED, (day - earlier) // WEEK_DAYS)):
                open_then = tells[place] & (week >= number)
                rows.append(known.values[open_then, number])
                paid.append(week[open_then] == number)
                ago.append(np.full(len(paid[-1]), float(day - earlier - WEEK_DAYS * number)))
                count += len(paid[-1])
            if count > ROWS_MAX:
                break
        if not rows:
            return np.zeros((0, 0)), np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(rows), np.concatenate(paid).astype(np.int64), np.concatenate(ago)


def values_of(ledger: Ledger, asked: OpenInvoices, day: int, weeks: int) -> Floats:
    """What a hazard reads: invoices by weeks by habits, place in time, and features of the invoice as of the day."""
    own, portfolio = habit_hazards(ledger, asked, day, weeks)
    shape = own.shape
    age = np.broadcast_to((day - asked.due_day)[:, None], shape)
    passed = np.broadcast_to(WEEK_DAYS * np.arange(weeks), shape)
    begins = (day + passed).astype("datetime64[D]")
    month_day = (begins - begins.astype("datetime64[M]")).astype(np.float64) + 1
    question = {
        "customer_id": asked.customer_id,
        "day": np.full(len(asked.place), day),
        "invoice_day": ledger.lines["invoice_day"][asked.place],
        "due_day": asked.due_day,
        "amount": asked.amount,
    }
    known = invoice_features(ledger.past, question, shrinkage_of([ledger], day - 1))
    columns = [_logit(own), _logit(portfolio), age + passed, passed / WEEK_DAYS, month_day, age]
    columns += [np.broadcast_to(known[name][:, None], shape) for name in READ]
    return np.stack(columns, axis=2)


def _binned(values: Floats, edges: Sequence[Floats]) -> Floats:
    """Each value as the number of its bin; unknown stays unknown where anybody has a value."""
    binned = [np.searchsorted(cuts, column, side="right") for cuts, column in zip(edges, values.T, strict=True)]
    some = np.array([len(cuts) > 0 for cuts in edges])
    return np.where(np.isnan(values) & some, np.nan, np.column_stack(binned).astype(np.float64))


def _logit(chance: Floats) -> Floats:
    bounded = np.clip(chance, FLOOR, 1 - FLOOR)
    return np.asarray(np.log(bounded / (1 - bounded)), dtype=np.float64)
