"""A score model: integer tables in JSON, applied to a frame or to one row.

A model is base + one step table per feature, in micro-logits; no pickle ever crosses a
boundary. Loading checks the format, the features it was trained on, every table's shape,
and replays the rows whose scores it carries.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import narwhals as nw

from ledger.canonical import canonical as canonical_json
from ledger.expressions import lit
from scoring.features import (
    FEATURE_SETS,
    FEATURES,
    THIN_HISTORY_PAID,
    WHOLE_BP,
    Feature,
    Prior,
    Shrunk,
    facts_of,
    feature_columns,
    feature_row,
    features_sha256,
)
from scoring.labels import TASK
from scoring.stored import document_of, whole

Frame = TypeVar("Frame", nw.LazyFrame[Any], nw.DataFrame[Any])

FORMAT = 1
MICRO = 1_000_000
MICRO_BOUND = 40 * MICRO  # a logit beyond 40 is 0 or 1 to 17 digits
STEPS_BOUND = 256
BODY_BOUND = 1_000_000  # bytes of a model
RAW_BOUND = 700 * MICRO  # beyond it a double cannot hold the odds
FEATURES_SHA256 = features_sha256(FEATURES)


@dataclass(frozen=True, slots=True)
class Table:
    """One feature's share of the score: a step function of its value.

    Args:
        name: the feature.
        edges: rising values; ``steps[i]`` holds from ``edges[i - 1]`` on.
        steps: micro-logits against the usual customer, one more than edges.
        unknown: micro-logits where the feature is null.
        usual: the value of the usual customer; null where most have none.
    """

    name: str
    edges: tuple[int, ...]
    steps: tuple[int, ...]
    unknown: int
    usual: int | None

    def at(self, value: int | None) -> int:
        """Return the micro-logits of a value."""
        return self.unknown if value is None else self.steps[bisect_right(self.edges, value)]

    def column(self) -> nw.Expr:
        """Return the micro-logits as an expression over the feature's column."""
        value = nw.col(column_of(self.name))
        total = lit(self.steps[0])
        for edge, (low, high) in zip(self.edges, pairwise(self.steps)):
            total = total + nw.when(value >= lit(edge)).then(lit(high - low)).otherwise(lit(0))
        return nw.when(value.is_null()).then(lit(self.unknown)).otherwise(total)


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Args:
        sha256: of its canonical JSON.
        task: what it was trained for.
        base: micro-logits of the usual customer.
        tables: one per feature, in their order.
        prior: what own late shares are shrunk towards.
        card: how it was trained and how well it did.
        features: that it learned from: with what others say of customers, or without.
    """

    sha256: str
    task: str
    base: int
    tables: tuple[Table, ...]
    prior: Prior
    card: Mapping[str, Any]
    features: tuple[Feature, ...] = FEATURES

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts it reads."""
        return facts_of(self.features)


@dataclass(frozen=True, slots=True)
class Score:
    """One customer's score.

    Args:
        score_bp: chance in basis points that some invoice goes 30 days past due within 90.
        rival_bp: the customer's own shrunk share of late invoices, shown beside it.
        thin_history: fewer than three paid invoices in twelve months.
        raw: micro-logits, the exact sum of base and contributions.
        contributions: micro-logits per feature against the usual customer.
        features: the values scored.
    """

    score_bp: int | None
    rival_bp: int | None
    thin_history: bool
    raw: int | None
    contributions: Mapping[str, int]
    features: Mapping[str, int | None]


def column_of(name: str) -> str:
    return f"feature_{name}"


def canonical(body: Mapping[str, Any]) -> bytes:
    """Return the one form of a model's JSON that is hashed and stored."""
    return canonical_json(body).encode()


def probability_bp(raw: int) -> int:
    """Turn micro-logits into basis points, half up.

    >>> probability_bp(0)
    5000
    """
    bounded = max(-MICRO_BOUND, min(MICRO_BOUND, raw))
    return math.floor(WHOLE_BP / (1 + math.exp(bounded * (-1.0 / MICRO))) + 0.5)


def score_row(row: Mapping[str, Any], model: Model | None) -> Score:
    """Score one customer's facts; equal to the columns of `score`, value for value."""
    thin = (row["paid_count_12m"] or 0) < THIN_HISTORY_PAID
    if model is None:
        return Score(None, None, thin, None, {}, {})
    values = feature_row(row, model.prior, model.features)
    parts = {table.name: table.at(values[table.name]) for table in model.tables}
    raw = model.base + sum(parts.values())
    return Score(probability_bp(raw), Shrunk().of(row, model.prior), thin, raw, parts, values)


def score(facts: Frame, model: Model | None) -> Frame:
    """Add score_bp, rival_bp and thin_history to a frame of facts.

    Args:
        facts: one row per customer, with the facts that features read.
        model: the champion; without one, score_bp and rival_bp are null.

    Returns:
        The frame with its columns kept and the three added.
    """
    thin = (nw.col("paid_count_12m").fill_null(0) < lit(THIN_HISTORY_PAID)).alias("thin_history")
    if model is None:
        unknown = nw.lit(None, dtype=nw.Int64)
        return facts.with_columns(unknown.alias("score_bp"), unknown.alias("rival_bp"), thin)
    columns = value_columns(model)
    raw = lit(model.base)
    for table in model.tables:
        raw = raw + table.column()
    # tables together stay within what exp can hold (`built`): no clipping, which would triple the plan
    chance = (nw.lit(float(WHOLE_BP)) / (nw.lit(1.0) + (raw * nw.lit(-1.0 / MICRO)).exp()) + nw.lit(0.5)).floor()
    scored = facts.with_columns(*columns).with_columns(
        chance.cast(nw.Int64).alias("score_bp"), Shrunk().column(model.prior).alias("rival_bp"), thin
    )
    return scored.drop(*[column_of(table.name) for table in model.tables])


def value_columns(model: Model) -> list[nw.Expr]:
    """Return every feature of a model as a column of its own name (``column_of``)."""
    columns = feature_columns(model.prior, model.features)
    return [column.alias(column_of(feature.name)) for feature, column in zip(model.features, columns, strict=True)]


def load(body: str | bytes, sha256: str) -> tuple[Model | None, list[str]]:
    """Read a stored model, refusing anything but what its name says.

    Args:
        body: canonical JSON.
        sha256: the name it was registered under.

    Returns:
        The model and no problems, or None and why it is refused.
    """
    document, refused = document_of(body, sha256, BODY_BOUND)
    if document is None:
        return None, refused
    problems = _foreign(document)
    if problems:
        return None, problems
    try:
        model = built(document, sha256)
        return _replayed(model, document["golden"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, [f"the model's tables cannot be read: {error}"]


def _foreign(document: Mapping[str, Any]) -> list[str]:
    expected = {"format": FORMAT, "kind": "score_model", "task": TASK}
    found = [
        f"the model's {name} is {document.get(name)!r}, expected {value!r}"
        for name, value in expected.items()
        if document.get(name) != value
    ]
    named = document.get("features_sha256")
    if not isinstance(named, str) or named not in FEATURE_SETS:
        wanted = " or ".join(repr(name) for name in FEATURE_SETS)
        found.append(
            f"the model's features_sha256 is {named!r}, expected {wanted}: "
            "it was trained on other features; train it again"
        )
    return found


def built(document: Mapping[str, Any], sha256: str) -> Model:
    """Build a model from its document, without replaying it.

    Raises:
        ValueError: a table does not fit its feature.
        KeyError, TypeError: a part is missing or of the wrong kind.
    """
    features = FEATURE_SETS[document["features_sha256"]]
    tables = []
    for name, part in zip((feature.name for feature in features), document["features"], strict=True):
        edges = tuple(whole(edge, 2**62) for edge in part["edges"])
        steps = tuple(whole(step, MICRO_BOUND) for step in part["steps"])
        if part["name"] != name or len(steps) != len(edges) + 1 or len(steps) > STEPS_BOUND:
            raise ValueError(f"the table of {name} does not fit")
        if any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"the edges of {name} do not rise")
        usual = None if part["usual"] is None else whole(part["usual"], 2**62)
        tables.append(Table(name, edges, steps, whole(part["unknown"], MICRO_BOUND), usual))
    for feature, table in zip(features, tables, strict=True):
        if feature.rising and any(low > high for low, high in pairwise(table.steps)):
            raise ValueError(f"the table of {feature.name} falls, and more of it must never lower the score")
        if feature.falling and any(low < high for low, high in pairwise(table.steps)):
            raise ValueError(f"the table of {feature.name} rises, and more of it must never raise the score")
    base = whole(document["base"], MICRO_BOUND)
    if abs(base) + sum(max(abs(step) for step in (*table.steps, table.unknown)) for table in tables) > RAW_BOUND:
        raise ValueError("the tables add up to more than a score can be")
    prior = Prior(whole(document["prior"]["share_bp"], WHOLE_BP), whole(document["prior"]["strength"], 10_000))
    if prior.share_bp < 0 or prior.strength < 1:
        raise ValueError("the prior is not a share with a positive strength")
    return Model(sha256, TASK, base, tuple(tables), prior, document["card"], features)


def _replayed(model: Model, golden: list[Mapping[str, Any]]) -> tuple[Model | None, list[str]]:
    if not golden:
        return None, ["the model carries no rows to replay"]
    for number, example in enumerate(golden, start=1):
        answer = score_row(example["facts"], model)
        if (answer.raw, answer.score_bp, answer.rival_bp) != (example["raw"], example["score_bp"], example["rival_bp"]):
            return None, [
                f"row {number} of the model scores {answer.score_bp}, it was trained to {example['score_bp']}"
            ]
    return model, []
