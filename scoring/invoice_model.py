"""The invoice models: integer tables and integer trees in JSON, applied to columns.

A part is a sum: base, one step table per feature and, where features act together, small
trees, all in millionths (of a logit, or of a day). A tree's contribution is shared out along
the path a row takes: each split gives its feature the step from the node's value to the
child's. Contributions are integers, so base and reasons add up to the raw score exactly.

No pickle crosses a boundary. Loading checks name, format, features and every table, and
replays the rows whose scores the model carries.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from scoring.invoice_features import INVOICE_FEATURE_NAMES, INVOICE_FEATURES, Shrinkage
from scoring.past import MICRO, Columns, Floats, Ints
from scoring.stored import document_of, whole

FORMAT = 1
KIND = "invoice_model"
TASK = "invoice_payment"
PARTS = ("late", "late30", "days", "days_low", "days_high")
CHANCES = ("late", "late30")
TREES_BOUND, NODES_BOUND, STEPS_BOUND = 400, 63, 64
VALUE_BOUND = 1_000 * MICRO  # 1,000 days
BODY_BOUND = 4_000_000  # bytes of a model
LOGIT_BOUND = 40
INVOICE_FEATURES_SHA256 = hashlib.sha256(repr(INVOICE_FEATURES).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Tree:
    """A binary tree over codes of features.

    Args:
        feature: of each node; -1 at a leaf.
        code: a row goes left with a code of at most this.
        unknown_left: whether it goes left without one.
        left, right: places of the children.
        value: micro; of an inner node the mean of its children by the rows they were learned from.
    """

    feature: Ints
    code: Ints
    unknown_left: Ints
    left: Ints
    right: Ints
    value: Ints


@dataclass(frozen=True, slots=True)
class Part:
    """One sum: what a model says about one question.

    Args:
        base: micro, of the usual invoice.
        steps: per feature the micro of each code, the last one of the unknown.
        trees: what features do together.
    """

    base: int
    steps: tuple[Ints, ...]
    trees: tuple[Tree, ...]

    def contributions(self, codes: Ints) -> Ints:
        """Micro per row and feature; with the base (and the trees' roots) they sum to the raw score.

        Args:
            codes: rows by features; -1 where unknown.
        """
        found = np.column_stack([table[codes[:, place]] for place, table in enumerate(self.steps)]).astype(np.int64)
        rows = np.arange(len(codes))
        for tree in self.trees:
            node = np.zeros(len(codes), dtype=np.int64)
            while True:
                inner = tree.feature[node] >= 0
                if not inner.any():
                    break
                here, which = rows[inner], node[inner]
                code = codes[here, tree.feature[which]]
                left = np.where(code < 0, tree.unknown_left[which] == 1, code <= tree.code[which])
                child = np.where(left, tree.left[which], tree.right[which])
                found[here, tree.feature[which]] += tree.value[child] - tree.value[which]
                node[inner] = child
        return found

    @property
    def start(self) -> int:
        """The base and the value of every tree before its first split."""
        return self.base + sum(int(tree.value[0]) for tree in self.trees)

    def raw(self, codes: Ints) -> Ints:
        """Micro per row."""
        return np.asarray(self.start + self.contributions(codes).sum(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class InvoiceModel:
    """A loaded model.

    Args:
        sha256: of its canonical JSON.
        edges: per feature rising values; a code counts those at or below the value.
        usual: per feature the value of the usual invoice, None where most have none.
        shrinkage: what histories are drawn towards.
        parts: by name of PARTS.
        card: how it was trained and how well it did.
    """

    sha256: str
    edges: tuple[Floats, ...]
    usual: tuple[int | None, ...]
    shrinkage: Shrinkage
    parts: Mapping[str, Part]
    card: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InvoiceScores:
    """What a model says of rows.

    Args:
        p_late, p_late30: chances of payment after the due date, and over 30 days after.
        days_late, low, high: median and band of the days between due date and payment.
    """

    p_late: Floats
    p_late30: Floats
    days_late: Floats
    low: Floats
    high: Floats


def codes_of(edges: Sequence[Floats], features: Columns) -> Ints:
    """Put features into codes: how many edges lie at or below the value; -1 where unknown."""
    columns = []
    for name, cuts in zip(INVOICE_FEATURE_NAMES, edges, strict=True):
        values = features[name]
        columns.append(np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="right")))
    return np.column_stack(columns).astype(np.int64)


def chance(raw: Ints) -> Floats:
    """Turn micro-logits into a chance."""
    logits = np.clip(raw / MICRO, -LOGIT_BOUND, LOGIT_BOUND)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)


def scores_of(model: InvoiceModel, features: Columns) -> InvoiceScores:
    """Score rows of features; over 30 days is never likelier than late, and low <= days <= high."""
    codes = codes_of(model.edges, features)
    raw = {name: part.raw(codes) for name, part in model.parts.items()}
    late = chance(raw["late"])
    days = raw["days"] / MICRO
    low, high = np.minimum(raw["days_low"] / MICRO, days), np.maximum(raw["days_high"] / MICRO, days)
    return InvoiceScores(late, np.minimum(chance(raw["late30"]), late), days, low, high)


def load_invoice_model(body: str | bytes, sha256: str) -> tuple[InvoiceModel | None, list[str]]:
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
    expected = {"format": FORMAT, "kind": KIND, "task": TASK, "features_sha256": INVOICE_FEATURES_SHA256}
    problems = [
        f"the model's {name} is {document.get(name)!r}, expected {value!r}: train it again"
        for name, value in expected.items()
        if document.get(name) != value
    ]
    if problems:
        return None, problems
    try:
        model = built_invoice_model(document, sha256)
        return _replayed(model, document["golden"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return None, [f"the model's tables cannot be read: {error}"]


def built_invoice_model(document: Mapping[str, Any], sha256: str) -> InvoiceModel:
    """Build a model from its document, without replaying it.

    Raises:
        ValueError: a table or tree does not fit.
        KeyError, TypeError: a part is missing or of the wrong kind.
    """
    edges = []
    for name, part in zip(INVOICE_FEATURE_NAMES, document["features"], strict=True):
        cuts = _whole_list(part["edges"], 2**53)
        if part["name"] != name or len(cuts) >= STEPS_BOUND or any(low >= high for low, high in pairwise(cuts)):
            raise ValueError(f"the edges of {name} do not fit")
        edges.append(np.array(cuts, dtype=np.float64))
    usual = tuple(None if part["usual"] is None else whole(part["usual"], 2**53) for part in document["features"])
    if set(document["parts"]) != set(PARTS):
        raise ValueError("the model does not answer every question")
    parts = {name: _part(document["parts"][name], [len(cuts) for cuts in edges]) for name in PARTS}
    prior = Shrinkage(**{name: whole(value, 10_000) for name, value in document["shrinkage"].items()})
    if prior.strength < 1:
        raise ValueError("the shrinkage has no strength")
    return InvoiceModel(sha256, tuple(edges), usual, prior, parts, document["card"])


def _part(document: Mapping[str, Any], sizes: Sequence[int]) -> Part:
    steps = []
    for feature, size, values in zip(INVOICE_FEATURES, sizes, document["steps"], strict=True):
        table = _whole_list(values, VALUE_BOUND)
        if len(table) != size + 2:
            raise ValueError(f"the table of {feature.name} does not fit its edges")
        if feature.rising and any(low > high for low, high in pairwise(table[:-1])):
            raise ValueError(f"the table of {feature.name} falls, and more of it must never lower the score")
        steps.append(np.array(table, dtype=np.int64))
    if len(document["trees"]) > TREES_BOUND:
        raise ValueError(f"more than {TREES_BOUND} trees")
    trees = tuple(_tree(nodes, len(sizes)) for nodes in document["trees"])
    return Part(whole(document["base"], VALUE_BOUND), tuple(steps), trees)


def _tree(nodes: Sequence[Sequence[int]], features: int) -> Tree:
    if not 0 < len(nodes) <= NODES_BOUND:
        raise ValueError("a tree of no size, or too large")
    for place, (feature, code, unknown_left, left, right, value) in enumerate(nodes):
        whole(value, VALUE_BOUND)
        if whole(feature, features - 1) < 0:
            continue
        # children lie after their parent, so that every walk ends
        if not (place < whole(left, len(nodes) - 1) and place < whole(right, len(nodes) - 1)):
            raise ValueError("a tree goes in a circle")
        if whole(code, STEPS_BOUND) < 0 or unknown_left not in (0, 1):
            raise ValueError("a split is none")
    columns = [np.array([node[place] for node in nodes], dtype=np.int64) for place in range(6)]
    return Tree(*columns)


def _whole_list(values: Sequence[object], bound: int) -> list[int]:
    return [whole(value, bound) for value in values]


def _replayed(model: InvoiceModel, golden: Sequence[Mapping[str, Any]]) -> tuple[InvoiceModel | None, list[str]]:
    if not golden:
        return None, ["the model carries no rows to replay"]
    for number, example in enumerate(golden, start=1):
        values = {
            name: np.array([np.nan if value is None else value], dtype=np.float64)
            for name, value in zip(INVOICE_FEATURE_NAMES, example["values"], strict=True)
        }
        codes = codes_of(model.edges, values)
        answer = {name: int(part.raw(codes)[0]) for name, part in model.parts.items()}
        if answer != example["raw"]:
            return None, [f"row {number} of the model scores {answer}, it was trained to {example['raw']}"]
    return model, []
