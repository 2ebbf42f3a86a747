"""A score in words: habits as one counts them, and what became of those alike."""

from typing import Any

import pytest

from scoring.features import FACTS_READ, FEATURES
from scoring.labels import TASK
from scoring.model import FEATURES_SHA256, FORMAT, Model, built
from scoring.reasons import Alike, alike, reasons


def model(tenths: list[dict[str, float | int]] | None = None) -> Model:
    """A model by hand: who pays late does so again; usually two of five invoices are late."""
    features = [{"name": f.name, "edges": [], "steps": [0], "unknown": 0, "usual": None} for f in FEATURES]
    for one in features:
        if one["name"] == "shrunk_late_share_bp":
            one |= {"edges": [5_000], "steps": [0, 500_000], "usual": 4_000}
    body: dict[str, Any] = {
        **{"format": FORMAT, "kind": "score_model", "task": TASK, "features_sha256": FEATURES_SHA256},
        **{"prior": {"share_bp": 10_000, "strength": 3}, "base": 0, "features": features, "golden": []},
        "card": {} if tenths is None else {"measures": {"score": {"reliability": tenths}}},
    }
    return built(body, "")


@pytest.mark.parametrize(
    ("paid", "share_bp", "told"),
    [
        (2, 10_000, "share of invoices paid late in 12 months: 100.0 %, usual 40.0 %"),
        (3, 6_666, "2 of 3 invoices paid late in 12 months, usual 1 of 3"),
        (5, 6_000, "3 of 5 invoices paid late in 12 months, usual 2 of 5"),
    ],
)
def test_a_habit_is_told_as_one_counts_it(paid: int, share_bp: int, told: str) -> None:
    """Below three paid invoices there is nothing to count: the share drawn towards the portfolio's is told."""
    row = dict.fromkeys(FACTS_READ) | {"paid_count_12m": paid, "late_share_12m_bp": share_bp}
    assert reasons(row, model())[0].text == told


@pytest.mark.parametrize(("score_bp", "bad"), [(0, 1), (2_999, 1), (3_001, 5), (10_000, 5)])
def test_those_alike_are_the_tenth_whose_mean_chance_is_nearest(score_bp: int, bad: int) -> None:
    """Below and above half way between two tenths, and beyond the last."""
    tenths: list[dict[str, float | int]] = [
        {"rows": 10, "expected": 1.0, "bad": 1},
        {"rows": 10, "expected": 5.0, "bad": 5},
    ]
    assert alike(model(tenths), score_bp) == Alike(10, bad)


def test_a_card_that_measured_nothing_tells_of_nobody_alike() -> None:
    """All or none of the rows tested turned bad."""
    assert alike(model(), 5_000) is None
