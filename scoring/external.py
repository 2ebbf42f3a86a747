"""What ratings and financial statements add to the customers' score: how much is known, and what it is worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scoring.features import EXTERNAL, FEATURES, WHOLE_BP, WITH_EXTERNAL, Feature, facts_of
from scoring.measures import compared
from scoring.model import Model, score_row

Row = Mapping[str, Any]

KNOWN_ROWS_MIN = 40  # fewer fill no leaf of a tree: nothing could be learned from them
RATING_FACTS = ("rating_pd_bp", "rating_limit_minor")
STATEMENT_FACTS = tuple(name for name in facts_of(EXTERNAL) if name not in (*RATING_FACTS, "open_minor"))


def features_for(rows: Sequence[Row]) -> tuple[Feature, ...]:
    """The features to learn from: with what others say only where enough rows know any of it.

    A ledger without ratings and statements thus gives the very model that it gave before there were any.
    """
    known = sum(_known(row, (*RATING_FACTS, *STATEMENT_FACTS)) for row in rows)
    return WITH_EXTERNAL if known >= KNOWN_ROWS_MIN else FEATURES


def _known(row: Row, names: Sequence[str]) -> bool:
    return any(row.get(name) is not None for name in names)


def coverage_of(rows: Sequence[Row]) -> dict[str, int]:
    """Of how many customers a rating, and a statement, was known on the last day they were asked about."""
    newest = {row["customer_id"]: row for row in sorted(rows, key=lambda row: int(row["as_of_day"]))}
    return {
        "customers": len(newest),
        "with_rating": sum(_known(row, RATING_FACTS) for row in newest.values()),
        "with_statement": sum(_known(row, STATEMENT_FACTS) for row in newest.values()),
    }


def effect_of(rows: Sequence[Row], model: Model | None, without: Model | None, seed: int) -> dict[str, Any]:
    """Two models on the same rows, one that learned from what others say and one that did not.

    Args:
        rows: of ``scoring.learning.train``; neither model learned from them.
        model, without: the two; None where there was too little to learn from.

    Returns:
        ``coverage`` and what ``scoring.measures.compared`` says of ``with_external`` and ``without_external``,
        the lead with its paired interval; and of those alone of whom anything is known, ``where_known``.
    """
    found: dict[str, Any] = {"coverage": coverage_of(rows)}
    if model is None or without is None or not rows:
        return found
    known = [row for row in rows if _known(row, (*RATING_FACTS, *STATEMENT_FACTS))]
    return found | _compared(rows, model, without, seed) | {"where_known": _compared(known, model, without, seed)}


def _compared(rows: Sequence[Row], model: Model, without: Model, seed: int) -> dict[str, Any]:
    if not rows:
        return {"n": 0, "bad": 0}
    chances = {
        name: np.array([score_row(row, one).score_bp for row in rows], dtype=np.float64) / WHOLE_BP
        for name, one in (("with_external", model), ("without_external", without))
    }
    labels = np.array([row["label"] for row in rows], dtype=np.int64)
    found = compared(labels, np.array([row["customer_id"] for row in rows]), chances, {}, seed)
    found.pop("reliability", None)
    return found
