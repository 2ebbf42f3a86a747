"""Why the open invoices of some customers have the chances they have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.features import THIN_HISTORY_PAID
from scoring.invoice_features import INVOICE_FEATURE_NAMES, invoice_features
from scoring.invoice_model import InvoiceModel, codes_of, scores_of
from scoring.invoice_reasons import InvoiceReason, invoice_reasons, points_of
from scoring.invoice_training import Ledger
from scoring.open_scores import asked_of
from scoring.past import Steps
from scoring.reasons import Alike, alike_of

WHOLE_BP = 10_000


@dataclass(frozen=True, slots=True)
class Explained:
    """One open line and why.

    Args:
        line_id: of the due line.
        p_late_bp: chance of being paid after its due date.
        points: 600 where 50 are paid in time to one late, 20 more where twice as many.
        paid_count: payments known of the customer.
        alike: what became of invoices scored alike when the model was tested; None where it was not.
        reasons: the strongest first.
    """

    line_id: int
    p_late_bp: int
    points: int
    paid_count: int
    alike: Alike | None
    reasons: tuple[InvoiceReason, ...]

    @property
    def thin(self) -> bool:
        """Whether too little is known of the customer to lean on it."""
        return self.paid_count < THIN_HISTORY_PAID


def open_reasons(ledger: Ledger, usual: Steps, model: InvoiceModel, day: int) -> list[Explained]:
    """Explain every line on which nothing was paid before a day: the chances of ``scoring.open_scores`` and why.

    Args:
        ledger: of some customers whole.
        usual: of ``scoring.past.usual_on``, of all lines.
        model: the champion of that day.
        day: only what was known before it counts.
    """
    rows, asked, past = asked_of(ledger, usual, day)
    if not len(rows):
        return []
    features = invoice_features(past, asked, model.shrinkage)
    late = scores_of(model, features).p_late
    codes = codes_of(model.edges, {name: features[name] for name in INVOICE_FEATURE_NAMES})
    raw = model.parts["late"].raw(codes)
    why = invoice_reasons(model, features)
    tenths = _tenths(model.card)
    found = []
    for place, line in enumerate(ledger.lines["line_id"][rows].tolist()):
        chance_bp = int(np.floor(late[place] * WHOLE_BP + 0.5))
        paid = int(features["paid_count"][place])
        alike = alike_of(tenths, chance_bp)
        found.append(Explained(int(line), chance_bp, points_of(int(raw[place])), paid, alike, tuple(why[place])))
    return sorted(found, key=lambda one: (-one.p_late_bp, one.line_id))


def _tenths(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(card.get("tested", {}).get("p_late", {}).get("reliability") or ())
