"""Reasons of an invoice's chance: exact contributions against the usual invoice, merged and ranked.

The chance of the usual invoice plus all contributions is the raw score, to the last
millionth of a logit. Features of one reason are merged before reasons are ranked, so that
"pays late" is not told three times.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.invoice_features import INVOICE_FEATURE_NAMES, INVOICE_FEATURES
from scoring.invoice_model import InvoiceModel, codes_of
from scoring.past import MICRO, Columns, Ints

TOP_REASONS = 4
POINTS, POINTS_ODDS, POINTS_TO_DOUBLE = 600, 50.0, 20.0
REASONS: tuple[str, ...] = tuple(dict.fromkeys(feature.reason for feature in INVOICE_FEATURES))
MEMBERS: Mapping[str, tuple[int, ...]] = {
    reason: tuple(place for place, feature in enumerate(INVOICE_FEATURES) if feature.reason == reason)
    for reason in REASONS
}


@dataclass(frozen=True, slots=True)
class InvoiceReason:
    """One reason of one invoice's chance.

    Args:
        key: the reason.
        feature: the member that speaks loudest; its label and unit are in INVOICE_FEATURES.
        micro: contribution in millionths of a logit; positive makes late payment likelier.
        value, usual: of that feature, None where unknown.
    """

    key: str
    feature: str
    micro: int
    value: int | None
    usual: int | None


def usual_codes(model: InvoiceModel) -> Ints:
    """What the model reads of the usual invoice: one row."""
    usual = {
        name: np.array([np.nan if value is None else value], dtype=np.float64)
        for name, value in zip(INVOICE_FEATURE_NAMES, model.usual, strict=True)
    }
    return codes_of(model.edges, usual)


def contributions_of(model: InvoiceModel, part: str, codes: Ints) -> tuple[int, Ints]:
    """Raw score of the usual invoice, and per row and feature what differs from it."""
    asked = model.parts[part]
    usual = asked.contributions(usual_codes(model))
    return asked.start + int(usual.sum()), asked.contributions(codes) - usual


def merged_reasons(contributions: Ints) -> Ints:
    """Per row and reason of REASONS the sum of its features' contributions."""
    columns = [contributions[:, list(members)].sum(axis=1) for members in MEMBERS.values()]
    return np.column_stack(columns).astype(np.int64)


def invoice_reasons(
    model: InvoiceModel, features: Columns, part: str = "late", top: int = TOP_REASONS
) -> list[list[InvoiceReason]]:
    """Explain the rows of some features.

    Args:
        model: the model that scored them.
        features: by name of INVOICE_FEATURES.
        part: ``late`` or ``late30``.
        top: how many reasons a row, the strongest first whichever way they pull; ties in the order of REASONS.
    """
    _, contributions = contributions_of(model, part, codes_of(model.edges, features))
    merged = merged_reasons(contributions)
    order = np.argsort(-np.abs(merged), axis=1, kind="stable")[:, :top]
    return [
        [
            _reason(model, features, contributions[row], merged[row], row, REASONS[place])
            for place in order[row].tolist()
            if merged[row, place] != 0
        ]
        for row in range(len(merged))
    ]


def _reason(
    model: InvoiceModel, features: Columns, contributions: Ints, merged: Ints, row: int, key: str
) -> InvoiceReason:
    micro = int(merged[REASONS.index(key)])
    sign = 1 if micro >= 0 else -1
    loudest = max(MEMBERS[key], key=lambda place: sign * int(contributions[place]))
    value = float(features[INVOICE_FEATURE_NAMES[loudest]][row])
    return InvoiceReason(
        key=key,
        feature=INVOICE_FEATURE_NAMES[loudest],
        micro=micro,
        value=None if math.isnan(value) else int(value),
        usual=model.usual[loudest],
    )


def points_of(raw: int) -> int:
    """Turn a raw score into points: 600 where 50 are paid in time to one late, 20 more where twice as many.

    >>> points_of(round(-math.log(50) * MICRO)), points_of(round(-math.log(100) * MICRO))
    (600, 620)
    """
    return round(POINTS + POINTS_TO_DOUBLE / math.log(2) * (-raw / MICRO - math.log(POINTS_ODDS)))
