"""Learning: from rows of facts and labels to integer tables.

A monotone additive gradient boosting is fitted on everything decided. How well that does
is measured before, by a model that knew only the older rows, on the newest ones; a label
is among the older rows only if it was decided before the newest begin. The fitted model is
read out through its public predictions into step tables, which are all that is kept.
scikit-learn is imported only here, and only when training.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.canonical import sha256_of
from scoring.curves import About, Sample, curves_of, parts_of
from scoring.external import effect_of, features_for
from scoring.features import (
    FEATURES,
    THIN_HISTORY_PAID,
    Feature,
    Prior,
    Shrunk,
    facts_of,
    feature_row,
    features_sha256,
)
from scoring.labels import HORIZON_DAYS, TASK
from scoring.measures import measured
from scoring.model import FORMAT, MICRO, MICRO_BOUND, Model, built, canonical, load, score_row
from scoring.rivals import prior_of

Row = Mapping[str, Any]
Floats = NDArray[np.float64]

SEED = 20_240_101
BINS = 24
GOLDEN_ROWS = 12
LEAST_ROWS = 100  # of the fitting slice
LEAST_BAD = 20
LEAK_ALARM_AUC = 0.97
SETTINGS: Mapping[str, float | int] = {
    "learning_rate": 0.06,
    "max_iter": 100,
    "max_leaf_nodes": 6,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
}


@dataclass(frozen=True, slots=True)
class Slices:
    """Rows by time: what the measured model learned from, and what it was tested on."""

    earlier: Sequence[Row]
    test: Sequence[Row]


def split(rows: Sequence[Row]) -> Slices:
    """Set the newest quarter of the days aside; labels of the earlier rows are decided before it begins."""
    days = sorted({row["as_of_day"] for row in rows})
    if not days:
        return Slices([], [])
    width = max((days[-1] - days[0] - HORIZON_DAYS) // 4, 1)
    test_from = days[-1] - width + 1
    return Slices(
        [row for row in rows if row["as_of_day"] <= test_from - HORIZON_DAYS],
        [row for row in rows if row["as_of_day"] >= test_from],
    )


def train(
    rows: Sequence[Row], trained_day: int, seed: int = SEED, about: About | None = None, *, external: bool = True
) -> tuple[dict[str, Any] | None, list[str]]:
    """Train a model.

    Args:
        rows: customer_id, as_of_day, label and the facts that features read.
        trained_day: the day the ledger was known.
        seed: of the learner and of the intervals.
        about: the customers' countries and the like, by which errors are parted.
        external: whether to learn from what others say of customers, where enough of it is known.

    Returns:
        The model's body, to be stored as canonical JSON under its sha256, and no
        problems; or None and what is missing. A history too short to set rows aside
        gives a model whose card has no measures.
    """
    ordered = sorted(rows, key=lambda row: (row["as_of_day"], row["customer_id"]))
    problems = _too_little(ordered)
    if problems:
        return None, problems
    slices = split(ordered)
    features = features_for(ordered) if external else FEATURES
    measured_by = _measured_by(slices.earlier, seed, features)
    body = _learned(ordered, seed, features)
    body["card"] = _card(ordered, slices, measured_by, trained_day, seed, features)
    body["card"] |= drawn_of(slices.test, measured_by, about or About())
    if features != FEATURES:
        without = _measured_by(slices.earlier, seed, FEATURES)
        body["card"]["external"] = effect_of(slices.test, measured_by, without, seed)
    body["golden"] = _golden(slices.test, built(body, ""))
    model, refused = load(canonical(body), sha256_of(body))
    return (body, []) if model else (None, refused)


def twin_of(rows: Sequence[Row], seed: int = SEED) -> Model | None:
    """What training makes of other rows, unmeasured and without a name; None where they are too few."""
    ordered = sorted(rows, key=lambda row: (row["as_of_day"], row["customer_id"]))
    return _measured_by(ordered, seed, features_for(ordered))


def _too_little(rows: Sequence[Row]) -> list[str]:
    if len(rows) < LEAST_ROWS:
        return [f"{len(rows)} rows to fit on, at least {LEAST_ROWS} are needed: import a longer history"]
    bad = sum(row["label"] for row in rows)
    if bad < LEAST_BAD or bad == len(rows):
        return [f"{bad} of {len(rows)} rows to fit on turned bad, at least {LEAST_BAD} and not all are needed"]
    return []


def _measured_by(earlier: Sequence[Row], seed: int, features: Sequence[Feature]) -> Model | None:
    """A model of the older rows alone; None where they are too few."""
    return None if _too_little(earlier) else built({**_learned(earlier, seed, features), "card": {}}, "")


def _learned(rows: Sequence[Row], seed: int, features: Sequence[Feature]) -> dict[str, Any]:
    """Fit on rows in order: tables, prior and what they are for."""
    prior = _prior(rows)
    values = _values(rows, prior, features)
    edges = _edges(values)
    learner = _fitted(_codes(values, edges), _labels(rows), seed, features)
    return _tables(learner, edges, _usual(values), features) | {
        "format": FORMAT,
        "kind": "score_model",
        "task": TASK,
        "features_sha256": features_sha256(features),
        "prior": {"share_bp": prior.share_bp, "strength": prior.strength},
    }


def _labels(rows: Sequence[Row]) -> NDArray[np.int64]:
    return np.array([row["label"] for row in rows], dtype=np.int64)


def _prior(rows: Sequence[Row]) -> Prior:
    newest = {row["customer_id"]: row for row in rows}
    whole = Prior(0, 0)
    histories = []
    for row in newest.values():
        paid = row["paid_count_12m"] or 0
        share = Shrunk().of(row, whole) if paid else 0
        histories.append((round((share or 0) * paid / 10_000), paid))
    return prior_of(histories)


def _values(rows: Sequence[Row], prior: Prior, features: Sequence[Feature]) -> Floats:
    """Return one column per feature, NaN where it is unknown; whole numbers up to 2**53 stay exact."""
    scored = [feature_row(row, prior, features) for row in rows]
    table = [[math.nan if value is None else value for value in values.values()] for values in scored]
    return np.array(table, dtype=np.float64).reshape(len(rows), len(features))


def _edges(values: Floats) -> list[list[int]]:
    edges: list[list[int]] = []
    for column in values.T:
        known = column[~np.isnan(column)]
        if known.size:
            cuts = np.quantile(known, np.linspace(0, 1, BINS + 1)[1:], method="higher")
            edges.append(sorted({int(cut) for cut in cuts} - {int(known.min())}))
        else:
            edges.append([])
    return edges


def _codes(values: Floats, edges: Sequence[Sequence[int]]) -> Floats:
    columns = [
        np.searchsorted(np.array(cuts, dtype=np.float64), column, side="right")
        for cuts, column in zip(edges, values.T, strict=True)
    ]
    codes = np.column_stack(columns).astype(np.float64)
    codes[np.isnan(values)] = np.nan
    return codes


def _fitted(codes: Floats, labels: NDArray[np.int64], seed: int, features: Sequence[Feature]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    learner = HistGradientBoostingClassifier(
        **SETTINGS,
        monotonic_cst=[int(feature.rising) - int(feature.falling) for feature in features],
        interaction_cst="no_interactions",
        early_stopping=False,
        random_state=seed,
    )
    # a feature that nobody has yet is a constant: the learner cannot bin a column without a value
    codes = np.where(np.isnan(codes).all(axis=0), 0.0, codes)
    # one thread: sums of floats depend on how many share them, and a re-training must give the same tables
    with threadpool_limits(limits=1):
        return learner.fit(codes, labels)


def _usual(values: Floats) -> list[int | None]:
    """Return the usual customer: the median of each feature, unknown where most have none."""
    usual: list[int | None] = []
    for column in values.T:
        known = np.sort(column[~np.isnan(column)])
        usual.append(int(known[known.size // 2]) if 2 * known.size > column.size else None)
    return usual


def _tables(
    learner: Any, edges: Sequence[Sequence[int]], usual: Sequence[int | None], features: Sequence[Feature]
) -> dict[str, Any]:
    """Read the learner out: vary one feature of the usual customer at a time."""
    reference = _codes(np.array([[math.nan if value is None else value for value in usual]]), edges)
    start = float(learner.decision_function(reference)[0])
    tables = []
    for place, feature in enumerate(features):
        varied = np.tile(reference, (len(edges[place]) + 2, 1))
        varied[:, place] = [*range(len(edges[place]) + 1), math.nan]
        parts = [_micro(raw - start) for raw in learner.decision_function(varied)]
        cuts, steps = _merged(edges[place], parts[:-1])
        told = {"name": feature.name, "edges": cuts, "steps": steps}
        tables.append({**told, "unknown": parts[-1], "usual": usual[place]})
    return {"base": _micro(start), "features": tables}


def _micro(logit: float) -> int:
    return max(-MICRO_BOUND, min(MICRO_BOUND, round(logit * MICRO)))


def _merged(edges: Sequence[int], steps: Sequence[int]) -> tuple[list[int], list[int]]:
    """Drop the edges at which nothing changes: smaller tables, the same function."""
    kept = [edge for edge, (low, high) in zip(edges, pairwise(steps)) if low != high]
    return kept, [steps[0], *[high for low, high in pairwise(steps) if low != high]]


def _golden(rows: Sequence[Row], model: Model) -> list[dict[str, Any]]:
    step = max(len(rows) // GOLDEN_ROWS, 1)
    golden = []
    for row in list(rows)[::step][:GOLDEN_ROWS]:
        facts = {name: row[name] for name in model.facts}
        answer = score_row(facts, model)
        golden.append({"facts": facts, "raw": answer.raw, "score_bp": answer.score_bp, "rival_bp": answer.rival_bp})
    return golden


def _frame_sha256(rows: Sequence[Row], features: Sequence[Feature]) -> str:
    digest = hashlib.sha256()
    names = ("customer_id", "as_of_day", "label", *facts_of(features))
    for row in rows:
        digest.update(canonical({name: row[name] for name in names}))
    return digest.hexdigest()


def _card(
    ordered: Sequence[Row],
    slices: Slices,
    measured_by: Model | None,
    trained_day: int,
    seed: int,
    features: Sequence[Feature],
) -> dict[str, Any]:
    import sklearn

    measures = _measured(slices.test, measured_by, seed)
    owing = [row for row in slices.test if row["open_count"] > 0]
    parts = {"fit": ordered} | ({} if measured_by is None else {"earlier": slices.earlier, "test": slices.test})
    return {
        "question": "some invoice goes 30 or more days past due within 90 days",
        "population": "customers with business in the last 12 months and no invoice 30 or more days past due",
        "rival": "own share of invoices paid late at all: a ranking to beat, not a chance of the question",
        "measured_by": "a model that learned from the earlier rows alone; then everything decided was learned",
        "trained_day": trained_day,
        "seed": seed,
        "settings": dict(SETTINGS),
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "frame_sha256": _frame_sha256(ordered, features),
        "slices": {name: _slice_of(rows) for name, rows in parts.items()},
        "measures": measures,
        "measures_of_those_that_owe": _measured(owing, measured_by, seed),
        "leak_alarm": measures.get("score", {}).get("auc", 0.0) > LEAK_ALARM_AUC,
    }


def _measured(rows: Sequence[Row], model: Model | None, seed: int) -> dict[str, Any]:
    labels = _labels(rows)
    if model is None or len(set(labels.tolist())) < 2:
        return {}  # all or none turned bad: nothing can be ranked
    scores = [score_row(row, model) for row in rows]
    candidates = {
        "score": np.array([answer.score_bp for answer in scores], dtype=np.float64) / 10_000,
        "own_late_share": np.array([answer.rival_bp for answer in scores], dtype=np.float64) / 10_000,
    }
    oldest = np.array([row["leader_days_past_due"] for row in rows], dtype=np.float64)
    customers = np.array([row["customer_id"] for row in rows])
    return measured(labels, customers, candidates, np.nan_to_num(oldest, nan=-1_000), seed)


def drawn_of(rows: Sequence[Row], model: Model | None, about: About) -> dict[str, Any]:
    """Draw the curves of a model over tested rows, and measure it by month and part.

    Args:
        rows: of ``train``; money is what the customer owed on the day asked.
        about: what parts there are.

    Returns:
        ``curves`` and ``parts`` of ``scoring.curves``; both empty without a model, or where one outcome is missing.
    """
    labels = _labels(rows)
    if model is None or len(set(labels.tolist())) < 2:
        return {"curves": {}, "parts": {}}
    scores = [score_row(row, model) for row in rows]
    chances = {
        "champion": np.array([answer.score_bp for answer in scores], dtype=np.float64) / 10_000,
        "own_late_share": np.array([answer.rival_bp for answer in scores], dtype=np.float64) / 10_000,
    }
    oldest = np.array([row["leader_days_past_due"] for row in rows], dtype=np.float64)
    thin = np.array([(row["paid_count_12m"] or 0) < THIN_HISTORY_PAID for row in rows])
    sample = Sample(
        labels,
        np.array([row["customer_id"] for row in rows], dtype=np.int64),
        np.array([row["as_of_day"] for row in rows], dtype=np.int64),
        np.array([row["open_minor"] for row in rows], dtype=np.float64),
    )
    rankings = {"ageing_rule": np.maximum(np.nan_to_num(oldest, nan=0.0), 0.0)}
    return {
        "curves": curves_of(sample, chances, rankings, about, SEED),
        "parts": parts_of(sample, chances["champion"], chances["own_late_share"], about, thin),
    }


def _slice_of(rows: Sequence[Row]) -> dict[str, int]:
    return {
        "from_day": rows[0]["as_of_day"],
        "until_day": rows[-1]["as_of_day"],
        "rows": len(rows),
        "customers": len({row["customer_id"] for row in rows}),
        "bad": sum(row["label"] for row in rows),
    }
