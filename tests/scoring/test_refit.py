"""A re-fit: the champion's tables under another sigmoid."""

import json

import numpy as np
import pytest

from ledger.canonical import canonical, sha256_of
from scoring.invoice_model import codes_of, load_invoice_model
from scoring.loading import load_any
from scoring.model import MICRO
from scoring.past import DAYS_BOUND
from scoring.refit import chance_under, refitted, sigmoid_of, under

pytestmark = pytest.mark.xdist_group("scoring")

SIGMOID = (0.8, 0.3)


def test_a_refitted_score_ranks_as_before(body):
    """Each raw score is the old one times the slope plus the intercept, up to the rounding of sixteen tables."""
    text = canonical(body)
    found = refitted(text, sha256_of(body), {"": SIGMOID}, {"trained_day": 20_700})
    model, refused = load_any(canonical(found), sha256_of(found))
    assert refused == []
    for before, now in zip(body["golden"], found["golden"], strict=True):
        assert now["facts"] == before["facts"]
        assert now["raw"] == pytest.approx(before["raw"] * 0.8 + 0.3 * MICRO, abs=16)
        assert now["rival_bp"] == before["rival_bp"]
    assert model.card["refit_of"] == sha256_of(body)
    assert "only slope and intercept" in model.card["tables"]
    assert "measures" not in model.card


def test_a_refitted_payment_model_keeps_its_days(trained):
    """Chances move, both by their own sigmoid; days late and their band stay; tables still never fall."""
    body = json.loads(canonical(trained.body))
    found = refitted(canonical(body), sha256_of(body), {"late": SIGMOID}, {"trained_day": 18_700})
    model, refused = load_invoice_model(canonical(found), sha256_of(found))
    assert refused == []
    features = {name: values[:200] for name, values in trained.questions.features.items()}
    codes = codes_of(model.edges, features)
    was = trained.model.parts
    assert np.abs(model.parts["late"].raw(codes) - (was["late"].raw(codes) * 0.8 + 0.3 * MICRO)).max() < 200
    for name in ("late30", "days", "days_low", "days_high"):
        assert (model.parts[name].raw(codes) == was[name].raw(codes)).all()
    chances = under(trained.model, {"late": SIGMOID}, codes)
    assert (chances["late30"] <= chances["late"]).all()
    assert found["golden"][0]["values"] == body["golden"][0]["values"]


def test_the_newest_outcomes_say_how_far_off_the_chances_are():
    """Chances that are twice too sure come back; too few outcomes of a kind say nothing."""
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 1, 4_000)
    outcome = (generator.random(4_000) < 1 / (1 + np.exp(-logits))).astype(float)
    slope, intercept = sigmoid_of((2 * logits * MICRO).astype(np.int64), outcome)
    assert slope == pytest.approx(0.5, abs=0.05)
    assert intercept == pytest.approx(0, abs=0.1)
    few = np.zeros(400)
    few[:19] = 1
    assert sigmoid_of(np.arange(400) * 1_000, few) is None
    assert chance_under(np.array([0.0, DAYS_BOUND]), 1.0, 0.0)[0] == 0.5
