"""Scores of open invoices as whole numbers in columns: a night's, customers at a time, or one customer's.

A part of the ledger that holds all of some customers gives the same numbers as the whole: features are
a customer's own, but for the usual amount of the portfolio, which is handed in.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scoring.cash_habits import open_places
from scoring.features import THIN_HISTORY_PAID, WHOLE_BP
from scoring.invoice_features import invoice_features
from scoring.invoice_model import InvoiceModel, scores_of
from scoring.invoice_training import Ledger
from scoring.past import Columns, Floats, Ints, Past, Steps

ROWS_AT_ONCE = 50_000  # each asks for the last 25 payments of its customer
ASKED = ("customer_id", "invoice_day", "due_day", "amount")
COLUMNS = (
    *("line_id", "customer_id", "p_late_bp", "p_late30_bp"),
    *("days_late", "days_low", "days_high", "thin_history"),
)


def open_scores(ledger: Ledger, usual: Steps, model: InvoiceModel, day: int) -> Mapping[str, Ints]:
    """Score every line on which nothing was paid before a day.

    Args:
        ledger: of all, or of some customers whole.
        usual: of ``scoring.past.usual_on``, of all lines.
        model: the champion.
        day: only what was known before it counts.

    Returns:
        The columns of COLUMNS, a row per line: chances in basis points, days after the due date (median and band),
        thin_history 1 or 0.
    """
    places, every, past = asked_of(ledger, usual, day)
    found: dict[str, list[Ints]] = {name: [np.zeros(0, dtype=np.int64)] for name in COLUMNS}
    for start in range(0, len(places), ROWS_AT_ONCE):
        rows = places[start : start + ROWS_AT_ONCE]
        asked = {name: values[start : start + ROWS_AT_ONCE] for name, values in every.items()}
        features = invoice_features(past, asked, model.shrinkage)
        scores = scores_of(model, features)
        said = {
            "line_id": ledger.lines["line_id"][rows].astype(np.int64),
            "customer_id": ledger.lines["customer_id"][rows].astype(np.int64),
            "p_late_bp": _whole(scores.p_late * WHOLE_BP),
            "p_late30_bp": _whole(scores.p_late30 * WHOLE_BP),
            "days_late": _whole(scores.days_late),
            "days_low": _whole(scores.low),
            "days_high": _whole(scores.high),
            "thin_history": (features["paid_count"] < THIN_HISTORY_PAID).astype(np.int64),
        }
        for name, column in said.items():
            found[name].append(column)
    return {name: np.concatenate(columns) for name, columns in found.items()}


def asked_of(ledger: Ledger, usual: Steps, day: int) -> tuple[Ints, Columns, Past]:
    """The lines to ask about: their places, what is asked of each, and the past they are asked of."""
    places = np.flatnonzero(open_places(ledger, day))
    asked = {name: ledger.lines[name][places] for name in ASKED} | {"day": np.full(len(places), day)}
    return places, asked, replace(ledger.past, amounts=usual)


def _whole(values: Floats) -> Ints:
    return np.floor(values + 0.5).astype(np.int64)
