"""Features of an invoice: what is known of its customer before a day, and the invoice itself.

One function for training, for the open invoices of a night and for one customer. How many
invoices there are, for how long and what the whole portfolio does enter by shrinkage only:
as features of their own they break calibration when times change.
"""

from dataclasses import dataclass

import numpy as np

from scoring.past import DAYS_BOUND, MICRO, NEVER, WORSE_DAYS, Array, Columns, Floats, Ints, Past, Steps

RECENT = 25  # payments looked back on for medians and spreads
LATEST = 5
OLDEST_OF = 30  # of so many lines last fallen due the oldest open one is found
FALLEN = 10
KEPT = 0.8  # weight of a payment against the one after it
SPREAD_DAYS = 20.0  # of a customer of whom nothing is known
STEEPNESS = 1.702  # the logistic curve that lies closest to the normal one
WHOLE_BP = 10_000
ASKED = ("customer_id", "day", "invoice_day", "due_day", "amount")


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """What a customer's own history is drawn towards, and how strongly.

    Args:
        late_bp, worse_bp: the portfolio's share of invoices paid late, and over 30 days late.
        days_late: its mean days late.
        strength: how many payments that weighs.
    """

    late_bp: int
    worse_bp: int
    days_late: int
    strength: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFeature:
    """One input of the invoice models.

    Args:
        name: as in the model's JSON; a whole number or unknown.
        unit: ``bp``, ``days``, ``count`` or ``weekday``: how a reason prints it.
        rising: whether more of it may only make a payment later.
        reason: features of one reason are merged before reasons are ranked.
        label: what it is called in a reason.
    """

    name: str
    unit: str
    rising: bool
    reason: str
    label: str


def _features(rising: bool, reason: str, *parts: tuple[str, str, str]) -> tuple[InvoiceFeature, ...]:
    return tuple(
        InvoiceFeature(name=name, unit=unit, rising=rising, reason=reason, label=label) for name, unit, label in parts
    )


INVOICE_FEATURES: tuple[InvoiceFeature, ...] = (
    *_features(
        True,
        "habit",
        ("own_late_share_bp", "bp", "share of invoices paid late"),
        ("own_worse_share_bp", "bp", "share of invoices paid over 30 days late"),
        ("late_share_last5_bp", "bp", "share of the last 5 payments that were late"),
        ("worse_share_last25_bp", "bp", "share of the last 25 payments over 30 days late"),
        ("late_tail_bp", "bp", "chance of paying late by mean and spread so far"),
        ("worse_tail_bp", "bp", "chance of paying over 30 days late by mean and spread so far"),
    ),
    *_features(
        True,
        "delay",
        ("mean_days_late", "days", "mean days late of the last 25 payments"),
        ("median_days_late", "days", "median days late of the last 25 payments"),
        ("last_days_late", "days", "days late of the last payment"),
        ("last5_days_late", "days", "mean days late of the last 5 payments"),
        ("weighted_days_late", "days", "days late lately, the latest counting most"),
        ("max_days_late", "days", "latest of the last 25 payments"),
        ("min_days_late", "days", "earliest of the last 25 payments"),
    ),
    *_features(False, "spread", ("spread_days", "days", "how much days late vary")),
    *_features(
        True,
        "these_terms",
        ("late_these_terms_bp", "bp", "share of the last 25 payments that would be late on these terms"),
        ("worse_these_terms_bp", "bp", "share of the last 25 payments that would be over 30 days late on these terms"),
        ("median_these_terms_days", "days", "median days late had these terms applied"),
        ("mean_these_terms_days", "days", "mean days late had these terms applied"),
        ("late_tail_these_terms_bp", "bp", "chance of paying late on these terms by mean and spread"),
        ("worse_tail_these_terms_bp", "bp", "chance of paying over 30 days late on these terms by mean and spread"),
    ),
    *_features(False, "silence", ("days_since_payment", "days", "days since the last payment")),
    *_features(
        False,
        "open",
        ("open_count", "count", "open items"),
        ("open_to_usual_bp", "bp", "open amount against the usual invoice"),
    ),
    *_features(
        True,
        "overdue",
        ("overdue_count", "count", "overdue items"),
        ("overdue_share_bp", "bp", "share of the open amount overdue"),
        ("overdue_to_usual_bp", "bp", "overdue amount against the usual invoice"),
        ("overdue_mean_age_days", "days", "mean days past due of the open items"),
        ("oldest_overdue_days", "days", "days past due of the oldest open item"),
        ("late_share_fallen_bp", "bp", "share of the last 10 items fallen due that were or are late"),
        ("worse_share_fallen_bp", "bp", "share of the last 10 items fallen due that were or are over 30 days late"),
    ),
    *_features(
        False,
        "amount",
        ("amount_to_own_bp", "bp", "amount against the customer's usual invoice"),
        ("amount_to_usual_bp", "bp", "amount against the portfolio's usual invoice"),
    ),
    *_features(False, "terms", ("terms_days", "days", "days from invoice to due date")),
    *_features(
        False,
        "calendar",
        ("due_weekday", "weekday", "weekday of the due date"),
        ("due_month_day", "count", "day of the month of the due date"),
        ("invoice_weekday", "weekday", "weekday of the invoice date"),
        ("invoice_month_day", "count", "day of the month of the invoice date"),
    ),
    *_features(True, "disputes", ("disputed_share_bp", "bp", "share of earlier items disputed")),
)
INVOICE_FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in INVOICE_FEATURES)


def invoice_features(past: Past, asked: Columns, shrinkage: Shrinkage) -> dict[str, Floats]:
    """Compute every feature of the questions asked.

    Args:
        past: one entity's ledger in the order in which it became known.
        asked: the columns ASKED: customer_id, day (only what was known before it counts),
            invoice_day, due_day (NaN when none), amount (base currency minor units, NaN
            when unknown).
        shrinkage: as the model keeps it.

    Returns:
        By name of INVOICE_FEATURES whole numbers, NaN where unknown; beside them
        paid_count, which no model reads: it tells a thin history.
    """
    day = asked["day"].astype(np.int64)
    keys = past.keys_of(asked["customer_id"].astype(np.int64), day)
    terms = asked["due_day"].astype(np.float64) - asked["invoice_day"].astype(np.float64)
    found = _payments(past, keys, day, shrinkage, terms) | _open(past, keys, day) | _fallen(past, keys, day)
    found |= _own(past, keys, day, asked)
    return {name: np.floor(values + 0.5) for name, values in found.items()}


def _span(steps: Steps, keys: Ints, day: Ints) -> tuple[Ints, Ints]:
    return steps.until(keys, np.full(len(keys), -NEVER)), steps.until(keys, day)


def _payments(past: Past, keys: Ints, day: Ints, shrinkage: Shrinkage, terms: Floats) -> dict[str, Floats]:
    paid = past.paid
    first, end = _span(paid, keys, day)
    count = (end - first).astype(np.float64)
    days = paid.newest("late", first, end, RECENT)
    taken = paid.newest("taken", first, end, RECENT)
    five, known = days[:, :LATEST], count > 0
    weights = np.where(np.isnan(days), 0.0, KEPT ** np.arange(RECENT))
    late, worse = shrinkage.late_bp / WHOLE_BP, shrinkage.worse_bp / WHOLE_BP
    these = taken - terms[:, None]
    mean, spread = _moments(paid, "late", first, end, np.full(len(day), float(shrinkage.days_late)), shrinkage)
    mean_taken, spread_taken = _moments(paid, "taken", first, end, shrinkage.days_late + terms, shrinkage)
    on_terms = mean_taken - terms
    newest = paid.newest("day", first, end, 1)[:, 0]
    return {
        "paid_count": count,
        "own_late_share_bp": WHOLE_BP * _shrunk(paid.total("bad", first, end), count, late, shrinkage),
        "own_worse_share_bp": WHOLE_BP * _shrunk(paid.total("worse", first, end), count, worse, shrinkage),
        "late_share_last5_bp": WHOLE_BP * _mean(_over(five, 0)),
        "worse_share_last25_bp": WHOLE_BP * _mean(_over(days, WORSE_DAYS)),
        "late_tail_bp": WHOLE_BP * _tail(mean, spread),
        "worse_tail_bp": WHOLE_BP * _tail(mean - WORSE_DAYS, spread),
        "mean_days_late": _shrunk(_sum(days), _count(days), shrinkage.days_late, shrinkage),
        "median_days_late": _median(days),
        "last_days_late": days[:, 0],
        "last5_days_late": _mean(five),
        "weighted_days_late": _divided(np.nan_to_num(days * weights).sum(axis=1), weights.sum(axis=1)),
        "max_days_late": _most(days),
        "min_days_late": -_most(-days),
        "spread_days": _spread(days),
        "late_these_terms_bp": WHOLE_BP * _shrunk(_sum(_over(these, 0)), _count(these), late, shrinkage),
        "worse_these_terms_bp": WHOLE_BP * _shrunk(_sum(_over(these, WORSE_DAYS)), _count(these), worse, shrinkage),
        "median_these_terms_days": _median(these),
        "mean_these_terms_days": _mean(these),
        "late_tail_these_terms_bp": WHOLE_BP * _tail(on_terms, spread_taken),
        "worse_tail_these_terms_bp": WHOLE_BP * _tail(on_terms - WORSE_DAYS, spread_taken),
        "days_since_payment": np.where(known, np.minimum(day - np.nan_to_num(newest), 2 * DAYS_BOUND), np.nan),
    }


def _open(past: Past, keys: Ints, day: Ints) -> dict[str, Floats]:
    first, end = _span(past.opened, keys, day)
    count = past.opened.total("count", first, end)
    amount = np.maximum(past.opened.total("amount", first, end), 0.0)
    first, end = _span(past.overdue, keys, day)
    overdue_count = past.overdue.total("count", first, end)
    overdue = np.maximum(past.overdue.total("amount", first, end), 0.0)
    mean_due = _divided(past.overdue.total("due", first, end), overdue_count)
    usual = _usual(past.lines, keys, day)
    return {
        "open_count": count,
        "open_to_usual_bp": _ratio(amount, usual),
        "overdue_count": overdue_count,
        "overdue_share_bp": np.minimum(_ratio(overdue, np.where(count > 0, amount, np.nan)), WHOLE_BP),
        "overdue_to_usual_bp": _ratio(overdue, usual),
        "overdue_mean_age_days": np.where(overdue_count > 0, np.minimum(day - mean_due, DAYS_BOUND), 0.0),
    }


def _fallen(past: Past, keys: Ints, day: Ints) -> dict[str, Floats]:
    first, end = _span(past.fallen, keys, day)
    due = past.fallen.newest("due", first, end, OLDEST_OF)
    cleared = past.fallen.newest("cleared", first, end, OLDEST_OF)
    still = ~np.isnan(due) & (cleared >= day[:, None])
    age = np.where(still, day[:, None] - due, np.nan)
    late = (np.where(still, day[:, None], cleared) - due)[:, :FALLEN]
    return {
        "oldest_overdue_days": np.minimum(np.nan_to_num(_most(age)), DAYS_BOUND),
        "late_share_fallen_bp": WHOLE_BP * _mean(_over(late, 0)),
        "worse_share_fallen_bp": WHOLE_BP * _mean(_over(late, WORSE_DAYS)),
    }


def _own(past: Past, keys: Ints, day: Ints, asked: Columns) -> dict[str, Floats]:
    due, invoiced = asked["due_day"].astype(np.float64), asked["invoice_day"].astype(np.float64)
    amount = asked["amount"].astype(np.float64)
    first, end = _span(past.lines, keys, day)
    disputed_from, disputed_to = _span(past.disputed, keys, day)
    lines = (end - first).astype(np.float64)
    disputed = np.minimum((disputed_to - disputed_from).astype(np.float64), lines)
    return {
        "amount_to_own_bp": _ratio(amount, _usual(past.lines, keys, day)),
        "amount_to_usual_bp": _ratio(amount, _usual(past.amounts, np.zeros(len(day), dtype=np.int64), day)),
        "terms_days": np.clip(due - invoiced, -DAYS_BOUND, DAYS_BOUND),
        "due_weekday": np.mod(due + 3, 7),
        "due_month_day": _month_day(due),
        "invoice_weekday": np.mod(invoiced + 3, 7),
        "invoice_month_day": _month_day(invoiced),
        "disputed_share_bp": WHOLE_BP * np.nan_to_num(_divided(disputed, lines)),
    }


def _usual(steps: Steps, keys: Ints, day: Ints) -> Floats:
    """The geometric mean of the amounts known; NaN when there are none."""
    first, end = _span(steps, keys, day)
    logs = _divided(steps.total("log", first, end) / MICRO, steps.total("one", first, end))
    return np.asarray(np.expm1(logs), dtype=np.float64)


def _moments(
    paid: Steps, name: str, first: Ints, end: Ints, usual: Floats, shrinkage: Shrinkage
) -> tuple[Floats, Floats]:
    """Mean and spread of all payments, drawn towards the usual ones."""
    count, strength = (end - first).astype(np.float64), shrinkage.strength
    total, squares = paid.total(name, first, end), paid.total(f"{name}_squared", first, end)
    mean = (total + strength * usual) / (count + strength)
    around = np.maximum(squares - 2 * mean * total + count * mean**2, 0.0)
    return mean, np.sqrt((around + strength * SPREAD_DAYS**2) / (count + strength))


def _tail(mean: Floats, spread: Floats) -> Floats:
    """How likely a value of this mean and spread lies above 0."""
    return np.asarray(1.0 / (1.0 + np.exp(-STEEPNESS * np.clip(mean / spread, -20, 20))), dtype=np.float64)


def _shrunk(total: Floats, count: Floats, usual: float, shrinkage: Shrinkage) -> Floats:
    return np.asarray((total + shrinkage.strength * usual) / (count + shrinkage.strength), dtype=np.float64)


def _over(values: Floats, bound: int) -> Floats:
    return np.where(np.isnan(values), np.nan, values > bound)


def _month_day(days: Floats) -> Floats:
    known = ~np.isnan(days)
    whole = np.where(known, days, 0).astype("datetime64[D]")
    return np.where(known, (whole - whole.astype("datetime64[M]")).astype(np.float64) + 1, np.nan)


def _divided(upper: Array, lower: Array) -> Floats:
    found: Floats = np.divide(upper, lower, out=np.full(len(lower), np.nan), where=lower > 0)
    return found


def _ratio(upper: Floats, lower: Floats) -> Floats:
    return np.clip(_divided(upper * WHOLE_BP, np.nan_to_num(lower)), -1e9, 1e9)


def _count(values: Floats) -> Floats:
    return np.asarray((~np.isnan(values)).sum(axis=1), dtype=np.float64)


def _sum(values: Floats) -> Floats:
    return np.asarray(np.nan_to_num(values).sum(axis=1), dtype=np.float64)


def _mean(values: Floats) -> Floats:
    return _divided(_sum(values), _count(values))


def _spread(values: Floats) -> Floats:
    around = (values - _mean(values)[:, None]) ** 2
    return np.where(_count(values) > 1, np.sqrt(_mean(around)), np.nan)


def _median(values: Floats) -> Floats:
    ordered, count = np.sort(values, axis=1), _count(values).astype(np.int64)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, RECENT - 1)]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _most(values: Floats) -> Floats:
    found = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(np.isfinite(found), found, np.nan)
