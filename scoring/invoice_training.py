"""Training of the invoice models: ledger -> questions and outcomes -> one model.

Each decided invoice is one row, asked on its invoice date with what was known before. The
oldest rows are fitted, the later ones calibrate (sigmoid of the chances, conformal shift of
the band); then everything decided is fitted again under that calibration, because the newest
rows tell most.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.canonical import canonical, sha256_of
from scoring.invoice_features import INVOICE_FEATURE_NAMES, Shrinkage, invoice_features
from scoring.invoice_learning import (
    SEED,
    SETTINGS,
    Rows,
    edges_of,
    learned,
    learned_quantile,
    shifted,
    sigmoid,
)
from scoring.invoice_model import (
    FORMAT,
    INVOICE_FEATURES_SHA256,
    KIND,
    TASK,
    InvoiceModel,
    Part,
    codes_of,
    load_invoice_model,
)
from scoring.past import DAYS_BOUND, MICRO, WORSE_DAYS, Columns, Floats, Ints, Past, first_of_equals, past_of

Mask = NDArray[np.bool_]

LEAST_ROWS = 100
LEAST_EACH = 20  # of the rarer outcome, or the chance is taken as constant
STRENGTH = 3  # payments; chosen by walk-forward
GOLDEN_ROWS = 12
BAND = 0.8
QUANTILES = {"days": 0.5, "days_low": (1 - BAND) / 2, "days_high": (1 + BAND) / 2}
KINDS = {"late": "additive", "late30": "together"}  # the same for every ledger: docs/decisions/0050
AT_ISSUE_SHARE = 0.05  # of disputes known on the invoice date or before: more of them come from a file that knew later
AT_ISSUE_LEAST = 10


@dataclass(frozen=True, slots=True)
class Ledger:
    """One entity's ledger, ready to be asked.

    Args:
        lines: its due lines.
        once: which of them count where lines equal in customer, dates and amount count once.
        past: the same in the order in which it became known.
        payments: what was set against them.
        disputed_at_issue: disputes that were known on their invoice's date already, and all disputes.
    """

    lines: Columns
    once: Mask
    past: Past
    payments: Columns
    disputed_at_issue: tuple[int, int]

    @staticmethod
    def of(entries: Mapping[str, Columns]) -> "Ledger":
        """Prepare the columns of ``scoring.past.ENTRIES``."""
        lines = entries["lines"]
        once = first_of_equals(lines, lines["customer_id"].astype(np.int64))
        dates = dict(zip(lines["line_id"].tolist(), lines["invoice_day"].tolist(), strict=True))
        disputes = entries["disputes"]
        early = sum(
            seen <= dates.get(line, -DAYS_BOUND)
            for line, seen in zip(disputes["line_id"].tolist(), disputes["seen_day"].tolist(), strict=True)
        )
        return Ledger(lines, once, past_of(entries), entries["payments"], (early, len(disputes["line_id"])))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of lines, as known at the end of a day.

    Args:
        days_late: of the last payment after the due date; of an unpaid line the days past due so far.
        paid: whether a payment came at all.
        decided: dated, not taken back, 30 days past due, not settled by credit notes alone, and the first
            of its equals.
        told: decided, or paid before that.
    """

    days_late: Floats
    paid: Mask
    decided: Mask
    told: Mask

    def late(self, over_days: int) -> Floats:
        """1 for lines paid more than so many days after the due date."""
        return np.asarray(self.days_late > over_days, dtype=np.float64)


def outcomes(ledger: Ledger, known_day: int) -> Outcomes:
    """Say what became of every line of a ledger.

    An invoice counts as paid on the day of the last payment set against it. What a payment
    leaves open (tax kept back, a disputed part) does not make the payment later; ageing and the
    customer's score see it.
    """
    lines, payments = ledger.lines, ledger.payments
    ids = lines["line_id"].astype(np.int64)
    order = np.argsort(ids)
    known = (payments["seen_day"] <= known_day) & (payments["gone_day"] > known_day)
    place = np.minimum(np.searchsorted(ids[order], payments["line_id"]), max(len(ids) - 1, 0))
    known &= (ids[order][place] == payments["line_id"]) if len(ids) else False
    owner = order[place[known]]
    money = payments["is_payment"][known].astype(np.int64) == 1
    last = np.full(len(ids), -np.inf)
    np.maximum.at(last, owner[money], payments["booked_day"][known][money].astype(np.float64))
    settled = np.zeros(len(ids))
    np.add.at(settled, owner, payments["amount_minor"][known].astype(np.float64))
    due = lines["due_day"].astype(np.float64)
    paid = np.isfinite(last)
    # an unpaid line was not paid by the end of the day: the first day it can be is the next
    days_late = np.where(paid, last, known_day + 1) - due
    credited = ~paid & (settled >= lines["amount_minor"].astype(np.float64))
    standing = (lines["gone_day"] > known_day) & (lines["seen_day"] <= known_day)
    usable = ~np.isnan(due) & standing & ~credited & ledger.once
    over = usable & (np.nan_to_num(due) + WORSE_DAYS <= known_day)
    return Outcomes(days_late, paid, over, over | (usable & paid))


def asked_at_issue(lines: Columns) -> dict[str, Any]:
    """Ask of every line on its invoice date."""
    names = ("customer_id", "invoice_day", "due_day", "amount")
    return {name: lines[name] for name in names} | {"day": lines["invoice_day"]}


@dataclass(frozen=True, slots=True)
class Questions:
    """Rows of several ledgers, asked on their invoice dates.

    Args:
        features: by name of INVOICE_FEATURES, and paid_count.
        customer_id, line_id, invoice_day, due_day, amount: of the lines.
        known: outcomes as known when training.
    """

    features: Mapping[str, Floats]
    lines: Columns
    known: Outcomes


def disputes_leak(ledgers: Sequence[Ledger]) -> bool:
    """Whether disputes are dated as if they had been known when the invoice was written."""
    early = sum(ledger.disputed_at_issue[0] for ledger in ledgers)
    total = sum(ledger.disputed_at_issue[1] for ledger in ledgers)
    return early >= AT_ISSUE_LEAST and early > AT_ISSUE_SHARE * total


def questions_of(ledgers: Sequence[Ledger], known_day: int, shrinkage: Shrinkage) -> Questions:
    """Ask every line of some ledgers, with outcomes as known on a day."""
    parts = [invoice_features(ledger.past, asked_at_issue(ledger.lines), shrinkage) for ledger in ledgers]
    features = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if disputes_leak(ledgers):
        features["disputed_share_bp"] = np.full(len(features["paid_count"]), np.nan)
    lines = {
        name: np.concatenate([ledger.lines[name] for ledger in ledgers])
        for name in ("line_id", "customer_id", "invoice_day", "due_day", "amount", "seen_day", "gone_day")
    }
    return Questions(features, lines, outcomes_of(ledgers, known_day))


def outcomes_of(ledgers: Sequence[Ledger], known_day: int) -> Outcomes:
    """Outcomes of several ledgers, one after the other."""
    became = [outcomes(ledger, known_day) for ledger in ledgers]
    names = ("days_late", "paid", "decided", "told")
    return Outcomes(**{name: np.concatenate([getattr(one, name) for one in became]) for name in names})


def shrinkage_of(ledgers: Sequence[Ledger], known_day: int, grace_days: int = 0) -> Shrinkage:
    """Estimate the portfolio's habits from what is decided by a day."""
    days = np.concatenate([(one := outcomes(ledger, known_day)).days_late[one.decided] for ledger in ledgers])
    if not days.size:
        return Shrinkage(2_000, 500, 0, STRENGTH)
    mean = float(np.clip(days, -DAYS_BOUND, DAYS_BOUND).mean())
    late, worse = float((days > grace_days).mean()), float((days > WORSE_DAYS).mean())
    return Shrinkage(round(10_000 * late), round(10_000 * worse), round(mean), STRENGTH)


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to.

    Args:
        body: to be stored as canonical JSON under its sha256; None when there was too little.
        rivals: further parts, learned the same way, to be measured beside it.
        questions: what was asked, with the features.
        problems: why there is no model.
    """

    body: dict[str, Any] | None
    model: InvoiceModel | None = None
    rivals: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    questions: Questions | None = None
    problems: tuple[str, ...] = ()


def train_invoices(
    ledgers: Sequence[Ledger],
    train_until: int,
    calibrate_from: int | None = None,
    *,
    grace_days: int = 0,
    seed: int = SEED,
    challengers: Mapping[str, Sequence[str]] | None = None,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> Trained:
    """Train the invoice models on what was known before a day.

    Args:
        ledgers: one per entity.
        train_until: only what was known before this day counts.
        calibrate_from: invoices due from this day on calibrate; the last fifth if left out.
        grace_days: a payment up to so many days after the due date is not late.
        seed: of the learner.
        challengers: kinds of models to learn beside, by part.
        tell: called with ``learn``, models learned and models in all, as each begins.
    """
    known_day = train_until - 1
    shrinkage = shrinkage_of(ledgers, known_day, grace_days)
    asked = questions_of(ledgers, known_day, shrinkage)
    decided = asked.known.decided
    if int(decided.sum()) < LEAST_ROWS:
        told = f"{int(decided.sum())} invoices are decided by then, at least {LEAST_ROWS} are needed"
        return Trained(None, problems=(told + ": import a longer history",))
    due = asked.lines["due_day"].astype(np.float64)
    if calibrate_from is None:
        calibrate_from = int(np.quantile(due[decided], 0.8))
    fit, calibrate = decided & (due + WORSE_DAYS < calibrate_from), decided & (due >= calibrate_from)
    slices = {"decided": decided, "fit": fit, "calibrate": calibrate}
    chosen = {name: values[decided] for name, values in asked.features.items()}
    edges = edges_of(chosen, INVOICE_FEATURE_NAMES)
    codes = codes_of([np.array(cuts, dtype=np.float64) for cuts in edges], asked.features)
    sizes = tuple(len(cuts) for cuts in edges)
    outcome = {
        "late": Rows(codes, sizes, asked.known.late(grace_days)),
        "late30": Rows(codes, sizes, asked.known.late(WORSE_DAYS)),
        "days": Rows(codes, sizes, np.clip(asked.known.days_late, -DAYS_BOUND, DAYS_BOUND)),
    }
    parts: dict[str, Part] = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        tell("learn", number, len(KINDS) + 1)
        parts[name] = calibrated(kind, outcome[name], slices, seed)
    tell("learn", len(KINDS), len(KINDS) + 1)
    parts |= _days(outcome["days"], slices, seed)
    body = _body(parts, edges, asked, decided, shrinkage)
    body["golden"] = _golden(parts, asked.features, codes, decided)
    body["card"] = _card(asked, slices, train_until, calibrate_from, grace_days, seed)
    model, refused = load_invoice_model(canonical(body), sha256_of(body))
    beside = {
        name: {kind: calibrated(kind, outcome[name], slices, seed) for kind in kinds}
        for name, kinds in (challengers or {}).items()
    }
    return Trained(body if model else None, model, beside, asked, tuple(refused))


def calibrated(kind: str, rows: Rows, slices: Mapping[str, Mask], seed: int) -> Part:
    """Fit on the older rows, calibrate on the later ones, fit again on all of them."""
    decided = rows.where(slices["decided"])
    bad = int(decided.outcome.sum())
    if min(bad, len(decided.outcome) - bad) < LEAST_EACH:
        share = (bad + 0.5) / (len(decided.outcome) + 1)
        empty = tuple(np.zeros(size + 2, dtype=np.int64) for size in rows.sizes)
        return Part(round(math.log(share / (1 - share)) * MICRO), empty, ())
    fit, calibrate = rows.where(slices["fit"]), rows.where(slices["calibrate"])
    slope, intercept = 1.0, 0.0
    rarer = min(fit.outcome.sum(), len(fit.outcome) - fit.outcome.sum()) if len(fit.outcome) >= LEAST_ROWS else 0
    if rarer >= LEAST_EACH:
        slope, intercept = sigmoid(learned(kind, fit, seed).raw(calibrate.codes), calibrate.outcome)
    return shifted(learned(kind, decided, seed), slope, intercept)


def _days(rows: Rows, slices: Mapping[str, Mask], seed: int) -> dict[str, Part]:
    """Median and band of days late; the band moved out until it holds what it claims on later rows."""
    decided, fit, calibrate = (rows.where(slices[name]) for name in ("decided", "fit", "calibrate"))
    shift = 0.0
    if len(fit.outcome) >= LEAST_ROWS and len(calibrate.outcome) >= LEAST_ROWS // 2:
        low = learned_quantile(fit, QUANTILES["days_low"], seed).raw(calibrate.codes) / MICRO
        high = learned_quantile(fit, QUANTILES["days_high"], seed).raw(calibrate.codes) / MICRO
        missed = np.maximum(low - calibrate.outcome, calibrate.outcome - high)
        rank = min(math.ceil(BAND * (len(missed) + 1)), len(missed)) - 1
        shift = float(np.sort(missed)[rank])
    found = {
        name: learned_quantile(decided, quantile, seed, together=name == "days") for name, quantile in QUANTILES.items()
    }
    found["days_low"] = shifted(found["days_low"], 1.0, -shift)
    found["days_high"] = shifted(found["days_high"], 1.0, shift)
    return found


def _body(
    parts: Mapping[str, Part], edges: Sequence[Sequence[int]], asked: Questions, decided: Mask, prior: Shrinkage
) -> dict[str, Any]:
    features = []
    for name, cuts in zip(INVOICE_FEATURE_NAMES, edges, strict=True):
        column = asked.features[name][decided]
        known = np.sort(column[~np.isnan(column)])
        usual = int(known[known.size // 2]) if 2 * known.size > column.size else None
        features.append({"name": name, "edges": list(cuts), "usual": usual})
    return {
        "format": FORMAT,
        "kind": KIND,
        "task": TASK,
        "features_sha256": INVOICE_FEATURES_SHA256,
        "shrinkage": {
            "late_bp": prior.late_bp,
            "worse_bp": prior.worse_bp,
            "days_late": prior.days_late,
            "strength": prior.strength,
        },
        "features": features,
        "parts": {
            name: {
                "base": part.base,
                "steps": [table.tolist() for table in part.steps],
                "trees": [
                    np.column_stack(
                        [tree.feature, tree.code, tree.unknown_left, tree.left, tree.right, tree.value]
                    ).tolist()
                    for tree in part.trees
                ],
            }
            for name, part in parts.items()
        },
    }


def _golden(
    parts: Mapping[str, Part], features: Mapping[str, Floats], codes: Ints, decided: Mask
) -> list[dict[str, Any]]:
    rows = np.flatnonzero(decided)
    golden = []
    for row in rows[:: max(len(rows) // GOLDEN_ROWS, 1)][:GOLDEN_ROWS].tolist():
        values = [features[name][row] for name in INVOICE_FEATURE_NAMES]
        golden.append(
            {
                "values": [None if np.isnan(value) else int(value) for value in values],
                "raw": {name: int(part.raw(codes[row : row + 1])[0]) for name, part in parts.items()},
            }
        )
    return golden


def rows_sha256(asked: Questions, rows: Mask) -> str:
    """Name the rows learned from: sha256 over line, outcome and features, sorted by line."""
    order = np.argsort(asked.lines["line_id"][rows], kind="stable")
    columns = [asked.lines["line_id"], asked.known.days_late, *(asked.features[name] for name in INVOICE_FEATURE_NAMES)]
    digest = hashlib.sha256()
    for column in columns:
        digest.update(np.ascontiguousarray(np.nan_to_num(column[rows][order].astype("<f8"), nan=-1e15)).tobytes())
    return digest.hexdigest()


def _card(
    asked: Questions, slices: Mapping[str, Mask], train_until: int, calibrate_from: int, grace_days: int, seed: int
) -> dict[str, Any]:
    import sklearn

    late = asked.known.days_late
    return {
        "question": "is an invoice paid late, over 30 days late, and how many days after its due date",
        "population": "invoices on their invoice date",
        "trained_day": train_until,
        "calibrate_from": calibrate_from,
        "grace_days": grace_days,
        "seed": seed,
        "settings": dict(SETTINGS),
        "kinds": dict(KINDS),
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "frame_sha256": rows_sha256(asked, slices["decided"]),
        "slices": {
            name: {
                "rows": int(mask.sum()),
                "customers": len(np.unique(asked.lines["customer_id"][mask])),
                "late": int((late[mask] > grace_days).sum()),
                "over_30": int((late[mask] > WORSE_DAYS).sum()),
            }
            for name, mask in slices.items()
        },
    }
