"""A customer's score as a person reads it: the chance, what became of those alike, points, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from scoring.invoice_reasons import points_of
from scoring.model import Model, score_row
from scoring.reasons import Alike, Reason, alike, reasons, usual_score_bp


@dataclass(frozen=True)
class Scored:
    """The score with what speaks for it and the rival beside it.

    Args:
        score_bp: chance of paying late.
        usual_bp: the usual customer's.
        naive_bp: the customer's own late share, shrunk to the portfolio's; what the model must beat.
        thin: whether there is little history behind it.
        reasons: strongest first.
        points: 600 where 50 pay to one that does not, 20 more where it is twice as many.
        alike: what became of those scored alike when the model was tested.
    """

    score_bp: int | None
    usual_bp: int | None
    naive_bp: int | None
    thin: bool
    reasons: list[Reason]
    points: int | None = None
    alike: Alike | None = None


def scored(row: Mapping[str, Any], model: Model | None) -> Scored:
    """The score of a fact row, its reasons and its rival."""
    score_bp, thin = row.get("score_bp"), bool(row.get("thin_history"))
    if model is None:
        return Scored(score_bp, None, None, thin, [])
    answer = score_row(row, model)
    return Scored(
        score_bp=score_bp,
        usual_bp=usual_score_bp(model),
        naive_bp=answer.rival_bp,
        thin=thin,
        reasons=reasons(row, model, translate=_),
        points=None if answer.raw is None or score_bp is None else points_of(answer.raw),
        alike=None if score_bp is None else alike(model, score_bp),
    )
