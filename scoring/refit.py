"""A re-fit: the champion's tables under a new sigmoid, learned from the newest outcomes.

Slope and intercept alone differ, so that it ranks as the champion does; the card says so. Pure: the
rows and their outcomes are arguments.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from scoring.invoice_features import INVOICE_FEATURE_NAMES
from scoring.invoice_learning import sigmoid
from scoring.invoice_model import CHANCES, InvoiceModel, built_invoice_model, codes_of
from scoring.model import MICRO, built, score_row
from scoring.past import Floats, Ints
from scoring.shadow import LEAST_EACH

Sigmoid = tuple[float, float]
TABLES = "the champion's; only slope and intercept of the sigmoid differ"


def sigmoid_of(raw: Ints, outcome: Floats) -> Sigmoid | None:
    """Slope and intercept that the newest outcomes ask for; None where they are too few, or ask for nothing."""
    bad = int(outcome.sum())
    if min(bad, len(outcome) - bad) < LEAST_EACH:
        return None
    found = sigmoid(raw, outcome)
    return None if found == (1.0, 0.0) else found


def refitted(body: str, sha256: str, sigmoids: Mapping[str, Sigmoid], card: Mapping[str, Any]) -> dict[str, Any]:
    """A model's document with the sigmoid of some parts fitted again.

    Args:
        body, sha256: of the champion.
        sigmoids: by part of an invoice model (``late``, ``late30``); of a customer's score under ``""``.
        card: what the card says beside what the champion's says of its learning.
    """
    document: dict[str, Any] = json.loads(body)
    is_customers = "" in sigmoids
    if is_customers:
        document |= _scaled_tables(document, *sigmoids[""])
    else:
        document["parts"] |= {name: _scaled(document["parts"][name], *fitted) for name, fitted in sigmoids.items()}
    told = {name: value for name, value in document["card"].items() if name not in MEASURED}
    document["card"] = told | {
        "refit_of": sha256,
        "tables": TABLES,
        "sigmoid": {name or "score": {"slope": one[0], "intercept": one[1]} for name, one in sigmoids.items()},
        **card,
    }
    document["golden"] = _golden(document) if is_customers else _golden_invoices(document)
    return document


# Of the champion, not of what its tables say under another sigmoid.
MEASURED = ("measures", "measures_of_those_that_owe", "tested", "not_tested", "curves", "parts", "external")


def _times(value: int, slope: float) -> int:
    return round(value * slope)


def _scaled_tables(document: Mapping[str, Any], slope: float, intercept: float) -> dict[str, Any]:
    features = [
        part | {"steps": [_times(step, slope) for step in part["steps"]], "unknown": _times(part["unknown"], slope)}
        for part in document["features"]
    ]
    return {"base": _times(document["base"], slope) + round(intercept * MICRO), "features": features}


def _scaled(part: Mapping[str, Any], slope: float, intercept: float) -> dict[str, Any]:
    return {
        "base": _times(part["base"], slope) + round(intercept * MICRO),
        "steps": [[_times(step, slope) for step in table] for table in part["steps"]],
        "trees": [[[*node[:-1], _times(node[-1], slope)] for node in tree] for tree in part["trees"]],
    }


def _golden(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    model = built({**document, "golden": []}, "")
    answers = [(row["facts"], score_row(row["facts"], model)) for row in document["golden"]]
    return [
        {"facts": facts, "raw": one.raw, "score_bp": one.score_bp, "rival_bp": one.rival_bp} for facts, one in answers
    ]


def _golden_invoices(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    model = built_invoice_model(document, "")
    golden = []
    for row in document["golden"]:
        values = {
            name: np.array([np.nan if value is None else value], dtype=np.float64)
            for name, value in zip(INVOICE_FEATURE_NAMES, row["values"], strict=True)
        }
        codes = codes_of(model.edges, values)
        raw = {name: int(part.raw(codes)[0]) for name, part in model.parts.items()}
        golden.append({"values": row["values"], "raw": raw})
    return golden


def under(model: InvoiceModel, sigmoids: Mapping[str, Sigmoid], codes: Ints) -> dict[str, Floats]:
    """The chances of rows under other sigmoids, without a document: both chances, over 30 days never likelier."""
    found = {}
    for name in CHANCES:
        slope, intercept = sigmoids.get(name, (1.0, 0.0))
        raw = model.parts[name].raw(codes) / MICRO
        found[name] = chance_under(raw, slope, intercept)
    return {"late": found["late"], "late30": np.minimum(found["late30"], found["late"])}


def chance_under(raw: Floats, slope: float, intercept: float) -> Floats:
    """The chance of raw scores (in logits) under a sigmoid."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw * slope + intercept, -40, 40))), dtype=np.float64)
