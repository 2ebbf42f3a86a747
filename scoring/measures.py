"""Measures: how good a score is, with intervals over customers.

Rows of one customer are not independent, so intervals draw customers, not rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 200
DECILES = 10
DIGITS = 6


def area_under_curve(labels: NDArray[np.int64], values: Floats) -> float:
    """Return the AUC: how often a bad row ranks above a good one, ties counting half.

    >>> area_under_curve(np.array([0, 0, 1]), np.array([0.1, 0.5, 0.5]))
    0.75
    """
    return _auc(labels, _ranks(values))


def _ranks(values: Floats) -> NDArray[np.int64]:
    """Return each value's place among the distinct values: found once, drawn from often."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _auc(labels: NDArray[np.int64], ranks: NDArray[np.int64]) -> float:
    size = int(ranks.max()) + 1
    bad = np.bincount(ranks[labels == 1], minlength=size).astype(np.float64)
    good = np.bincount(ranks[labels == 0], minlength=size).astype(np.float64)
    below = np.cumsum(good) - good
    return float((bad * (below + good / 2)).sum() / (bad.sum() * good.sum()))


def calibration_error(labels: NDArray[np.int64], chances: Floats) -> float:
    """Return the ECE: mean distance of chance and outcome over ten groups of equal size."""
    order = np.argsort(chances, kind="stable")
    error = 0.0
    for group in np.array_split(order, DECILES):
        if group.size:
            error += group.size / len(labels) * abs(float(chances[group].mean() - labels[group].mean()))
    return error


def reliability(labels: NDArray[np.int64], chances: Floats) -> list[dict[str, float | int]]:
    """Return the table by decile: of so many customers, this many were expected and turned bad."""
    order = np.argsort(chances, kind="stable")
    return [
        {"rows": int(group.size), "expected": _rounded(chances[group].sum()), "bad": int(labels[group].sum())}
        for group in np.array_split(order, DECILES)
        if group.size
    ]


def measured(
    labels: NDArray[np.int64], customers: NDArray[np.int64], candidates: Mapping[str, Floats], ageing: Floats, seed: int
) -> dict[str, Any]:
    """Measure each candidate, the ageing rule beside them, and the lead over the own late share.

    Args:
        labels: 0 or 1 per row.
        customers: whose row it is.
        candidates: chances by name; must hold "score" and "own_late_share".
        ageing: days past due of the oldest item, the simplest ranking of all.
        seed: of the draws.

    Returns:
        Per candidate AUC, Brier and ECE with n and 95 % intervals of the AUC, and
        "lead": the difference of the two AUC with its paired interval.
    """
    usable = [draw for draw in _draws(customers, seed) if 0 < labels[draw].sum() < draw.size]
    found: dict[str, Any] = {}
    per_draw: dict[str, Floats] = {}
    for name, chances in candidates.items():
        ranks = _ranks(chances)
        per_draw[name] = np.array([_auc(labels[draw], ranks[draw]) for draw in usable])
        found[name] = {
            "auc": _rounded(area_under_curve(labels, chances)),
            "auc_interval": _interval(per_draw[name]),
            "brier": _rounded(np.mean((chances - labels) ** 2)),
            "ece": _rounded(calibration_error(labels, chances)),
            "n": len(labels),
            "bad": int(labels.sum()),
        }
    found["score"]["reliability"] = reliability(labels, candidates["score"])
    found["ageing_rule"] = {"auc": _rounded(area_under_curve(labels, ageing)), "n": len(labels)}
    lead = per_draw["score"] - per_draw["own_late_share"]
    found["lead"] = {
        "auc": _rounded(found["score"]["auc"] - found["own_late_share"]["auc"]),
        "auc_interval": _interval(lead),
    }
    return found


def average_precision(labels: NDArray[np.int64], values: Floats) -> float:
    """Return the area under precision and recall: the mean precision at each bad row, ties together.

    >>> average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5]))
    0.833333...
    """
    ranks = _ranks(-values)
    size = int(ranks.max()) + 1
    bad = np.bincount(ranks[labels == 1], minlength=size).astype(np.float64)
    rows = np.cumsum(np.bincount(ranks, minlength=size))
    return float((bad * np.cumsum(bad) / rows).sum() / bad.sum())


def compared(
    labels: NDArray[np.int64],
    customers: NDArray[np.int64],
    chances: Mapping[str, Floats],
    rankings: Mapping[str, Floats],
    seed: int,
) -> dict[str, Any]:
    """Measure several chances and rankings on the same rows, the first chance against all others.

    Args:
        labels: 0 or 1 per row.
        customers: whose row it is; intervals draw customers.
        chances: by name; the first is what is asked about.
        rankings: further values that only order the rows.
        seed: of the draws.

    Returns:
        n, bad, and where both outcomes occur ``measures`` per name (AUC with its 95 % interval; for
        chances also Brier, ECE and the area under precision and recall), ``lead``: the first one's
        AUC less each other's with the paired interval, and ``reliability`` of the first.
    """
    found: dict[str, Any] = {"n": len(labels), "bad": int(labels.sum())}
    if not 0 < found["bad"] < found["n"]:
        return found
    usable = [draw for draw in _draws(customers, seed) if 0 < labels[draw].sum() < draw.size]
    measures: dict[str, dict[str, Any]] = {}
    per_draw: dict[str, Floats] = {}
    for name, values in {**chances, **rankings}.items():
        ranks = _ranks(values)
        per_draw[name] = np.array([_auc(labels[draw], ranks[draw]) for draw in usable])
        measures[name] = {"auc": _rounded(_auc(labels, ranks)), "auc_interval": _interval(per_draw[name])}
        if name in chances:
            measures[name] |= {
                "brier": _rounded(np.mean((values - labels) ** 2)),
                "ece": _rounded(calibration_error(labels, values)),
                "pr_auc": _rounded(average_precision(labels, values)),
            }
    first, *others = measures
    found["measures"] = measures
    found["lead"] = {
        name: {
            "auc": _rounded(measures[first]["auc"] - measures[name]["auc"]),
            "auc_interval": _interval(per_draw[first] - per_draw[name]),
        }
        for name in others
    }
    found["reliability"] = reliability(labels, chances[first])
    return found


def mean_with_interval(values: Floats, customers: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Return a mean over rows with its 95 % interval over customers."""
    draws = _draws(customers, seed)
    return {
        "mean": _rounded(values.mean()),
        "interval": _interval(np.array([values[draw].mean() for draw in draws])),
    }


def _draws(customers: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    names, owners = np.unique(customers, return_inverse=True)
    order = np.argsort(owners, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(owners))[:-1])
    generator = np.random.default_rng(seed)
    return [
        np.concatenate([rows_of[pick] for pick in generator.integers(0, len(names), len(names))]) for _ in range(DRAWS)
    ]


def _interval(values: Floats) -> list[float] | None:
    if not values.size:
        return None
    return [_rounded(float(bound)) for bound in np.quantile(values, [0.025, 0.975])]


def _rounded(value: Any) -> float:
    return round(float(value), DIGITS)
