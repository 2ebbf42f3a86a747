"""Ratings and statements in the console: what they add to a model, and what is known of a customer."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine.tables import Entity, ScoreModel
from ledger.canonical import canonical
from scoring.labels import TASK

EFFECT = {
    "coverage": {"customers": 80, "with_rating": 53, "with_statement": 20},
    "n": 400,
    "measures": {
        "with_external": {"auc": 0.812, "auc_interval": [0.78, 0.84]},
        "without_external": {"auc": 0.751, "auc_interval": [0.71, 0.79]},
    },
    "lead": {"without_external": {"auc": 0.061, "auc_interval": [0.03, 0.09]}},
    "where_known": {"n": 0, "bad": 0},
}


def test_the_card_of_a_model_says_what_they_add(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity
) -> None:
    """With and without on the same rows, the difference with its interval, and for how many customers."""
    told = {"trained_day": 20_500, "measures": {}, "leak_alarm": False, "external": EFFECT}
    row = ScoreModel.create(
        task=TASK,
        sha256="a" * 64,
        body="{}",
        card=canonical(told),
        status="challenger",
        trained_day=20_500,
        created_at=1,
    )
    page = signed_in(people.analyst).get(f"/models/{row.id}").text
    for text in ("Customers with a rating", "of 80", "0.812 (0.780 to 0.840)", "0.751", "+0.061 (+0.030 to +0.090)"):
        assert text in page
