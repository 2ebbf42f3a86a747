"""Learning: by time, calibrated, and the same again."""

import json
from typing import Any

import numpy as np
import pytest

from ledger.canonical import sha256_of
from scoring.features import FEATURES
from scoring.labels import cutoffs
from scoring.learning import split, train
from scoring.measures import area_under_curve, calibration_error
from scoring.model import Model, canonical, load, probability_bp, score_row
from scoring.reasons import TOP_REASONS, reasons, usual_score_bp
from scoring.rivals import NO_HISTORY, prior_of

TRAINED_DAY = 20_560


def test_training_again_gives_the_same_model(training_rows: list[dict[str, Any]], body: dict[str, Any]) -> None:
    """The same rows in any order give the same sha256, hence the same tables and predictions."""
    again, problems = train(list(reversed(training_rows)), TRAINED_DAY)
    assert problems == []
    assert again is not None
    assert sha256_of(again) == sha256_of(body)


def test_slices_follow_each_other_with_every_label_decided(training_rows: list[dict[str, Any]]) -> None:
    """The 90 days of the last row learned from are over before the first row tested; the newest rows are tested."""
    slices = split(training_rows)
    newest_learned = max(row["as_of_day"] for row in slices.earlier)
    assert newest_learned + 90 <= min(row["as_of_day"] for row in slices.test)
    assert max(row["as_of_day"] for row in slices.test) == max(row["as_of_day"] for row in training_rows)


def test_cutoffs_end_where_labels_are_decided() -> None:
    """90 days before the ledger's last day, then every fortnight back."""
    assert cutoffs(100, 230) == [112, 126, 140]


def test_the_card_names_both_the_score_and_its_rival(body: dict[str, Any]) -> None:
    """AUC, Brier and ECE of both with n, the lead with its interval, and the slices."""
    card = body["card"]
    for name in ("score", "own_late_share"):
        assert {"auc", "brier", "ece", "n", "bad", "auc_interval"} <= card["measures"][name].keys()
    assert card["measures"]["score"]["auc"] > 0.6
    assert card["measures"]["score"]["ece"] < 0.1
    assert card["leak_alarm"] is False
    assert card["slices"]["earlier"]["until_day"] < card["slices"]["test"]["from_day"]
    assert card["slices"]["fit"]["until_day"] == card["slices"]["test"]["until_day"]


def test_a_short_history_gives_a_model_without_measures(training_rows: list[dict[str, Any]]) -> None:
    """Within 90 days nothing can be set aside: everything is learned, and the card claims nothing."""
    few = [row for row in training_rows if row["as_of_day"] < training_rows[0]["as_of_day"] + 70]
    body, problems = train(few, TRAINED_DAY)
    assert problems == []
    assert body is not None
    assert (body["card"]["measures"], body["card"]["curves"]) == ({}, {})
    assert set(body["card"]["slices"]) == {"fit"}
    assert body["card"]["slices"]["fit"]["rows"] == len(few)


def test_reasons_sum_to_the_raw_score(training_rows: list[dict[str, Any]], model: Model) -> None:
    """base + all contributions = raw, to the last micro-logit, on every row."""
    for row in training_rows[::17]:
        answer = score_row(row, model)
        everything = reasons(row, model, top=None)
        assert answer.raw is not None
        assert abs((model.base + sum(reason.micro for reason in everything) - answer.raw) / 1e6) < 1e-9
        assert probability_bp(answer.raw) == answer.score_bp


def test_the_first_reasons_are_the_strongest_and_name_value_and_usual(
    training_rows: list[dict[str, Any]], model: Model
) -> None:
    """At most four, by falling weight, in words with the value and the usual value."""
    for row in training_rows[::97]:
        shown = reasons(row, model)
        assert len(shown) <= TOP_REASONS
        weights = [abs(reason.micro) for reason in shown]
        assert weights == sorted(weights, reverse=True)
        assert all(": " in reason.text and "usual" in reason.text for reason in shown)


def test_the_usual_customer_has_no_reasons(model: Model) -> None:
    """Reasons are differences from the usual customer, so that customer has none."""
    assert usual_score_bp(model) == probability_bp(model.base)
    assert all(table.at(table.usual) == 0 for table in model.tables)


def test_tables_are_the_learner_within_a_basis_point(training_rows: list[dict[str, Any]], body: dict[str, Any]) -> None:
    """The integer tables read out of the learner score as the learner itself does."""
    from scoring import learning

    rows = sorted(training_rows, key=lambda row: (row["as_of_day"], row["customer_id"]))
    prior = learning._prior(rows)
    values = learning._values(rows, prior, FEATURES)
    edges = learning._edges(values)
    learner = learning._fitted(learning._codes(values, edges), learning._labels(rows), learning.SEED, FEATURES)
    loaded, _ = load(canonical(body), sha256_of(body))
    assert loaded is not None
    newest = split(rows).test
    raw = learner.decision_function(learning._codes(learning._values(newest, prior, FEATURES), edges))
    for row, logit in zip(newest, raw, strict=True):
        scored = score_row(row, loaded).score_bp
        assert scored is not None
        assert abs(scored - 10_000 / (1 + np.exp(-logit))) <= 1


def test_too_little_history_is_said_not_raised(training_rows: list[dict[str, Any]]) -> None:
    """A new entity gets a sentence, not a model."""
    few = training_rows[:99]
    body, problems = train(few, TRAINED_DAY)
    assert body is None
    assert "rows to fit on" in problems[0]
    assert train([], TRAINED_DAY)[0] is None


def test_a_body_survives_json(body: dict[str, Any]) -> None:
    """Stored and read back it is the same model under the same name."""
    assert sha256_of(json.loads(canonical(body))) == sha256_of(body)


@pytest.mark.parametrize(
    ("histories", "share_bp", "strength"),
    [
        ([], NO_HISTORY.share_bp, NO_HISTORY.strength),
        ([(0, 10)], NO_HISTORY.share_bp, NO_HISTORY.strength),
        ([(0, 10), (10, 10)] * 20, 5_000, 1),
        ([(3, 10)] * 20, 3_000, 100),
    ],
    ids=["nobody", "one customer", "two kinds", "all equal"],
)
def test_the_prior_shrinks_equals_much_and_opposites_little(
    histories: list[tuple[int, int]], share_bp: int, strength: int
) -> None:
    """Empirical Bayes: the more customers differ, the more their own history counts."""
    assert (prior_of(histories).share_bp, prior_of(histories).strength) == (share_bp, strength)


def test_the_calibration_error_of_a_true_chance_is_nought() -> None:
    """Of a hundred rows at 10 %, ten turned bad."""
    labels = np.array(([1] + [0] * 9) * 10)
    assert calibration_error(labels, np.full(100, 0.1)) == pytest.approx(0.0)


def test_the_area_under_the_curve_is_that_of_scikit_learn() -> None:
    """Ties count half, as in the textbook."""
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 500)
    values = np.round(generator.random(500) + labels * 0.2, 1)
    assert area_under_curve(labels, values) == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
