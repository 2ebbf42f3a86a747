"""Backtest of the invoice models: trained on what was known before a day, tested on later invoices.

Test rows are chosen by due date (half-open) among invoices dated on or after the day training
ended; each is asked on its invoice date with what was known before. Naive rivals stand beside
every figure, and what is too good to be true raises an alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.curves import About, Sample, curves_of, parts_of
from scoring.features import THIN_HISTORY_PAID
from scoring.invoice_features import INVOICE_FEATURE_NAMES, WHOLE_BP
from scoring.invoice_model import InvoiceScores, chance, codes_of, scores_of
from scoring.invoice_training import (
    Ledger,
    Mask,
    Outcomes,
    Questions,
    Trained,
    disputes_leak,
    outcomes_of,
    train_invoices,
)
from scoring.measures import area_under_curve, compared, mean_with_interval
from scoring.past import DAYS_BOUND, WORSE_DAYS, Floats

LEAK_ALARM_AUC = 0.97
FEATURE_ALARM_AUC = 0.95  # of one feature alone
ALARM_LEAST = 30  # of the rarer outcome; fewer rank well by chance
CHALLENGERS = {"late": ("trees", "scorecard"), "late30": ("additive", "trees", "scorecard")}


@dataclass(frozen=True, slots=True)
class Window:
    """When a backtest trains and tests; days since 1970-01-01.

    Args:
        train_until: only what was known before it trains; test invoices are dated on or after it.
        test_from, test_to: due dates tested, half-open.
        calibrate_from: invoices due from this day on calibrate; None: the last fifth.
        grace_days: a payment up to so many days after the due date is not late.
    """

    train_until: int
    test_from: int
    test_to: int
    calibrate_from: int | None = None
    grace_days: int = 0


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a backtest found.

    Args:
        report: figures, to be printed as JSON.
        line_id: the tested lines, repeats included.
        scores: what the model said of them on their invoice dates.
        problems: why there is none.
    """

    report: dict[str, Any]
    line_id: Any = None
    scores: InvoiceScores | None = None
    problems: tuple[str, ...] = ()


def backtest_invoices(
    ledgers: Sequence[Ledger], window: Window, known_day: int, about: About | None = None
) -> Backtest:
    """Train as of a past day and test on the invoices that came after.

    Args:
        ledgers: one per entity.
        window: when.
        known_day: the last day of which anything is known.
        about: the customers' countries and the like, by which errors are parted; nothing when None.
    """
    about = about or About()
    trained = train_invoices(
        ledgers, window.train_until, window.calibrate_from, grace_days=window.grace_days, challengers=CHALLENGERS
    )
    if trained.model is None or trained.questions is None:
        return Backtest({}, problems=trained.problems)
    asked, model = trained.questions, trained.model
    became = outcomes_of(ledgers, known_day)
    due = np.nan_to_num(asked.lines["due_day"].astype(np.float64), nan=-1e9)
    inside = (due >= window.test_from) & (due < window.test_to) & (asked.lines["invoice_day"] >= window.train_until)
    inside &= asked.lines["gone_day"] > known_day
    tested = inside & became.told
    if not tested.any():
        return Backtest({}, problems=("no invoice with a known outcome is due in the days tested",))
    scores = scores_of(model, asked.features)
    report = {
        "rows": {"in_window": int(inside.sum()), "tested": int(tested.sum())},
        "customers": len(np.unique(asked.lines["customer_id"][tested])),
        "thin_history": float(np.mean(asked.features["paid_count"][tested] < THIN_HISTORY_PAID)),
        "p_late": _chances("late", trained, scores.p_late, became, tested, window, about),
        "p_late30": _chances("late30", trained, scores.p_late30, became, tested, window, about),
        "days_late": _days(scores, asked, became, tested, model.shrinkage.days_late),
        "card": dict(model.card),
    }
    report["leak"] = _leak(ledgers, report, asked, became, tested, window)
    return Backtest(report, asked.lines["line_id"][inside], _some(scores, inside))


def _some(scores: InvoiceScores, rows: Mask) -> InvoiceScores:
    return InvoiceScores(
        scores.p_late[rows], scores.p_late30[rows], scores.days_late[rows], scores.low[rows], scores.high[rows]
    )


def _chances(
    part: str, trained: Trained, champion: Floats, became: Outcomes, tested: Mask, window: Window, about: About
) -> dict[str, Any]:
    """Champion, challengers and rivals on the same rows."""
    asked, model = trained.questions, trained.model
    if asked is None or model is None:
        raise ValueError("there is no model to measure")
    codes = codes_of(model.edges, {name: asked.features[name][tested] for name in INVOICE_FEATURE_NAMES})
    own = asked.features["own_late_share_bp" if part == "late" else "own_worse_share_bp"][tested] / WHOLE_BP
    chances = {"champion": champion[tested], "own_share": own}
    chances |= {kind: chance(rival.raw(codes)) for kind, rival in trained.rivals[part].items()}
    labels = became.late(window.grace_days if part == "late" else WORSE_DAYS)[tested].astype(np.int64)
    customers = asked.lines["customer_id"][tested].astype(np.int64)
    rankings = {"ageing_rule": asked.features["oldest_overdue_days"][tested]}
    found = compared(labels, customers, chances, rankings, int(model.card["seed"]))
    thin = asked.features["paid_count"][tested] < THIN_HISTORY_PAID
    for name, rows in (("thin_history", thin), ("known_history", ~thin)):
        bad = int(labels[rows].sum())
        if 0 < bad < int(rows.sum()):
            auc = area_under_curve(labels[rows], champion[tested][rows])
            found[name] = {"n": int(rows.sum()), "bad": bad, "auc": round(auc, 6)}
    sample = Sample(labels, customers, asked.lines["due_day"][tested].astype(np.int64), asked.lines["amount"][tested])
    naive = {"champion": chances["champion"], "own_share": own}
    found["curves"] = curves_of(sample, naive, rankings, about, int(model.card["seed"]))
    found["parts"] = parts_of(sample, chances["champion"], own, about, thin)
    return found


def _days(scores: InvoiceScores, asked: Questions, became: Outcomes, tested: Mask, usual: int) -> dict[str, Any]:
    """Error of the expected days late, of the rivals, and how often the band held."""
    tested = tested & became.paid
    truth = np.clip(became.days_late[tested], -DAYS_BOUND, DAYS_BOUND)
    customers = asked.lines["customer_id"][tested].astype(np.int64)
    features = {name: values[tested] for name, values in asked.features.items()}
    known = features["paid_count"] > 0
    thin = features["paid_count"] < THIN_HISTORY_PAID
    guesses = {
        "champion": scores.days_late[tested],
        "own_median": np.where(known, np.nan_to_num(features["median_days_late"]), usual),
        "own_mean": np.where(known, features["mean_days_late"], usual),
        "due_date": np.zeros(len(truth)),
    }
    errors = {name: np.abs(truth - guess) for name, guess in guesses.items()}
    held = ((truth >= scores.low[tested]) & (truth <= scores.high[tested])).astype(np.float64)
    return {
        "n": len(truth),
        "mae": {name: mean_with_interval(error, customers, 0) for name, error in errors.items()},
        "lead": {
            name: mean_with_interval(error - errors["champion"], customers, 0)
            for name, error in errors.items()
            if name != "champion"
        },
        "band": {"claimed": 0.8, "held": mean_with_interval(held, customers, 0)}
        | {
            name: {"n": int(rows.sum()), "held": mean_with_interval(held[rows], customers[rows], 0)}
            for name, rows in (("thin_history", thin), ("known_history", ~thin))
            if rows.any()
        },
    }


def _leak(
    ledgers: Sequence[Ledger],
    report: Mapping[str, Any],
    asked: Questions,
    became: Outcomes,
    tested: Mask,
    window: Window,
) -> dict[str, Any]:
    """What is too good to be true."""
    why = []
    if disputes_leak(ledgers):
        early = sum(ledger.disputed_at_issue[0] for ledger in ledgers)
        total = sum(ledger.disputed_at_issue[1] for ledger in ledgers)
        why.append(
            f"{early} of {total} disputes were known when their invoice was written: the file says that there was "
            "one, not since when. Disputes were left out; cure: map the day they were opened"
        )
    for part in ("p_late", "p_late30"):
        champion = report[part].get("measures", {}).get("champion", {})
        rarer = min(report[part]["bad"], report[part]["n"] - report[part]["bad"])
        if champion.get("auc", 0.0) > LEAK_ALARM_AUC and rarer >= ALARM_LEAST:
            why.append(f"{part} ranks with an AUC of {champion['auc']:.3f}, above {LEAK_ALARM_AUC}")
    labels = became.late(window.grace_days)[tested].astype(np.int64)
    strongest: tuple[float, str] = (0.5, "")
    if min(labels.sum(), len(labels) - labels.sum()) >= ALARM_LEAST:
        for name in INVOICE_FEATURE_NAMES:
            values = asked.features[name][tested]
            known = values[~np.isnan(values)]
            usual = float(np.median(known)) if known.size else 0.0
            auc = area_under_curve(labels, np.nan_to_num(values, nan=usual))
            strongest = max(strongest, (max(auc, 1 - auc), name))
        if strongest[0] > FEATURE_ALARM_AUC:
            why.append(f"{strongest[1]} alone ranks with an AUC of {strongest[0]:.3f}, above {FEATURE_ALARM_AUC}")
    return {
        "alarm": bool(why),
        "why": why,
        "strongest_feature": {"name": strongest[1], "auc": round(strongest[0], 6)},
    }
