"""Learning of the invoice models: from rows of features and outcomes to integer tables and trees.

Everything is learned on codes (a few dozen bins per feature) and read out at once:

* ``additive``: the mean of a monotone boosting in which every tree reads one feature, and of
  a scorecard (ridge logistic regression on the ranks of the codes, no weight of a rising
  feature below 0). Both are sums of step tables, and so is their mean.
* ``trees``: a monotone boosting whose trees may read several features.
* ``scorecard``: the scorecard alone.

scikit-learn is imported only when training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.invoice_features import INVOICE_FEATURES
from scoring.invoice_model import LOGIT_BOUND, STEPS_BOUND, VALUE_BOUND, Part, Tree
from scoring.past import MICRO, Floats, Ints

SEED = 20_240_101
BINS = 60
RIDGE = 30.0
SETTINGS: Mapping[str, float | int] = {
    "learning_rate": 0.06,
    "max_iter": 100,
    "max_leaf_nodes": 6,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
}
RISING = np.array([feature.rising for feature in INVOICE_FEATURES])


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from.

    Args:
        codes: rows by features, -1 where unknown.
        sizes: edges per feature.
        outcome: 0 or 1, or days late.
    """

    codes: Ints
    sizes: tuple[int, ...]
    outcome: Floats

    def where(self, mask: Any) -> "Rows":
        """Some of the rows."""
        return Rows(self.codes[mask], self.sizes, self.outcome[mask])


def edges_of(features: Mapping[str, Floats], names: Sequence[str]) -> list[list[int]]:
    """Cut every feature into bins of about equal size, whole numbers."""
    found = []
    for name in names:
        known = features[name][~np.isnan(features[name])]
        cuts: set[int] = set()
        if known.size:
            quantiles = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:], method="higher")
            cuts = {int(cut) for cut in quantiles} - {int(known.min())}
        found.append(sorted(cuts))
    return found


def learned(kind: str, rows: Rows, seed: int = SEED) -> Part:
    """Learn a chance.

    Args:
        kind: ``additive``, ``trees``, ``scorecard`` or ``together`` (additive and trees, one part
            to four).
        rows: with outcomes 0 and 1.
    """
    match kind:
        case "scorecard":
            return _scorecard(rows)
        case "trees":
            return _boosted(rows, seed, together=True)
        case "additive":
            return mixed([(_boosted(rows, seed), 0.5), (_scorecard(rows), 0.5)])
        case "together":
            return mixed([(_boosted(rows, seed), 0.2), (_boosted(rows, seed, together=True), 0.8)])
    raise ValueError(f"no kind of model {kind!r}")


def learned_quantile(rows: Rows, quantile: float, seed: int = SEED, *, together: bool = False) -> Part:
    """Learn a quantile of days late: additive, or ``together`` one part of that to four of trees."""
    additive = _boosted(rows, seed, quantile=quantile)
    if not together:
        return additive
    return mixed([(additive, 0.2), (_boosted(rows, seed, together=True, quantile=quantile), 0.8)])


def mixed(parts: Sequence[tuple[Part, float]]) -> Part:
    """The weighted sum of parts."""
    base = sum(weight * part.base for part, weight in parts)
    tables = [
        _whole(sum(weight * part.steps[place] for part, weight in parts)) for place in range(len(parts[0][0].steps))
    ]
    trees = [
        Tree(tree.feature, tree.code, tree.unknown_left, tree.left, tree.right, _whole(tree.value * weight))
        for part, weight in parts
        for tree in part.trees
    ]
    return Part(round(base), tuple(tables), tuple(trees))


def shifted(part: Part, slope: float, intercept: float) -> Part:
    """A part times a slope plus an intercept: a sigmoid's calibration, or a band moved out."""
    scaled = mixed([(part, slope)])
    return Part(scaled.base + round(intercept * MICRO), scaled.steps, scaled.trees)


def sigmoid(raw: Ints, outcome: Floats) -> tuple[float, float]:
    """Fit slope and intercept that calibrate a raw score; too few rows leave it as it is."""
    from sklearn.linear_model import LogisticRegression

    bad = int(outcome.sum())
    if min(bad, len(outcome) - bad) < 10:
        return 1.0, 0.0
    fitted = LogisticRegression(C=1e6, tol=1e-8).fit((raw / MICRO).reshape(-1, 1), outcome)
    slope, intercept = float(fitted.coef_[0][0]), float(fitted.intercept_[0])
    # a slice too small to tell may turn the score round, or blow it up
    return (slope, intercept) if 0.2 <= slope <= 5 else (1.0, 0.0)


def _whole(values: Any) -> Ints:
    return np.asarray(np.clip(np.round(values), -VALUE_BOUND, VALUE_BOUND), dtype=np.int64)


def _boosted(rows: Rows, seed: int, *, together: bool = False, quantile: float | None = None) -> Part:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    options = dict(SETTINGS) | {
        "monotonic_cst": RISING.astype(int).tolist(),
        "interaction_cst": None if together else "no_interactions",
        "early_stopping": False,
        "random_state": seed,
    }
    values = rows.codes.astype(np.float64)
    values[rows.codes < 0] = np.nan
    # a feature that nobody has is a constant: the learner cannot bin a column without a value
    values = np.where(np.isnan(values).all(axis=0), 0.0, values)
    # one thread: sums of floats depend on how many share them, and a re-training must give the same tables
    with threadpool_limits(limits=1):
        if quantile is None:
            learner = HistGradientBoostingClassifier(**options).fit(values, rows.outcome.astype(np.int64))
            reading = learner.decision_function
        else:
            learner = HistGradientBoostingRegressor(loss="quantile", quantile=quantile, **options)
            reading = learner.fit(values, rows.outcome).predict
        if together:
            base = float(np.ravel(learner._baseline_prediction)[0])
            trees = tuple(_tree(grown[0].nodes) for grown in learner._predictors)
            empty = tuple(np.zeros(size + 2, dtype=np.int64) for size in rows.sizes)
            return Part(round(base * MICRO), empty, trees)
        return _read_out(reading, rows)


def _read_out(reading: Any, rows: Rows) -> Part:
    """Read an additive learner out: vary one feature of the usual row at a time."""
    usual = np.array([_usual_code(column) for column in rows.codes.T], dtype=np.float64)
    start = float(reading(usual[None, :])[0])
    tables = []
    for place, size in enumerate(rows.sizes):
        varied = np.tile(usual, (size + 2, 1))
        varied[:, place] = [*range(size + 1), np.nan]
        table = _whole((reading(varied) - start) * MICRO)
        if RISING[place]:
            # quantiles are set in the leaves after they are grown, which may turn a step round
            known = table[:-1]
            upper, lower = np.maximum.accumulate(known), np.minimum.accumulate(known[::-1])[::-1]
            table[:-1] = (upper + lower) // 2
        tables.append(table)
    return Part(round(start * MICRO), tuple(tables), ())


def _usual_code(column: Ints) -> float:
    known = np.sort(column[column >= 0])
    return float(known[known.size // 2]) if 2 * known.size > column.size else np.nan


def _tree(nodes: Any) -> Tree:
    """Read a grown tree: leaves as learned, inner nodes as the mean of their rows."""
    count = nodes["count"].astype(np.float64)
    leaf = nodes["is_leaf"].astype(bool)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    value = np.where(leaf, nodes["value"], 0.0)
    for place in range(len(nodes) - 1, -1, -1):  # children lie after their parents
        if not leaf[place]:
            one, other = left[place], right[place]
            value[place] = (value[one] * count[one] + value[other] * count[other]) / (count[one] + count[other])
    return Tree(
        np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)),
        np.where(leaf, 0, np.floor(np.clip(nodes["num_threshold"], 0, STEPS_BOUND))).astype(np.int64),
        np.where(leaf, 0, nodes["missing_go_to_left"].astype(np.int64)),
        np.where(leaf, 0, left),
        np.where(leaf, 0, right),
        _whole(value * MICRO),
    )


def _scorecard(rows: Rows) -> Part:
    from scipy.optimize import minimize

    half = np.maximum(np.array(rows.sizes, dtype=np.float64), 1.0)
    ranks = np.where(rows.codes < 0, 0.0, rows.codes / half - 0.5)
    y = rows.outcome

    def loss(weights: Floats) -> tuple[float, Floats]:
        raw = ranks @ weights[:-1] + weights[-1]
        miss = 1.0 / (1.0 + np.exp(-np.clip(raw, -LOGIT_BOUND, LOGIT_BOUND))) - y
        value = np.logaddexp(0, raw).sum() - y @ raw + RIDGE * (weights[:-1] ** 2).sum() / 2
        return float(value), np.append(ranks.T @ miss + RIDGE * weights[:-1], miss.sum())

    bounds = [(0.0 if rising else None, None) for rising in RISING] + [(None, None)]
    weights = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B").x
    tables = []
    for place, size in enumerate(rows.sizes):
        steps = (np.arange(size + 1) / half[place] - 0.5) * weights[place]
        tables.append(_whole(np.append(steps, 0.0) * MICRO))
    return Part(round(float(weights[-1]) * MICRO), tuple(tables), ())
