"""A challenger in the champion's shadow: when it may take its place, and what keeps it from that."""

import numpy as np
import pytest

from scoring.shadow import failings, first_failings, in_shadow

ROWS = 1_200


@pytest.fixture(scope="module")
def rows():
    """Outcomes of 100 customers, and the chance each really had."""
    generator = np.random.default_rng(5)
    logits = generator.normal(-0.5, 1.5, ROWS)
    chances = 1 / (1 + np.exp(-logits))
    labels = (generator.random(ROWS) < chances).astype(np.int64)
    return labels, np.repeat(np.arange(100), 12), logits, generator


def said(logits):
    """Chances of logits."""
    return 1 / (1 + np.exp(-logits))


def test_a_challenger_that_ranks_better_may_be_promoted(rows):
    """Its paired interval lies above 0 and its error of calibration is no larger."""
    labels, customers, logits, generator = rows
    noisy = said(logits + generator.normal(0, 2, ROWS))
    part = in_shadow(labels, customers, said(logits), noisy, 1)
    assert part["auc"]["interval"][0] > 0
    assert part["measures"]["challenger"]["auc"] - part["measures"]["champion"]["auc"] == pytest.approx(
        part["auc"]["lead"], abs=1e-5
    )
    assert failings({"score": part}, "auc") == []
    turned = in_shadow(labels, customers, noisy, said(logits), 1)
    assert ("score", "auc") in failings({"score": turned}, "auc")
    assert ("score", "ece") in failings({"score": turned}, "auc")


def test_one_that_is_equal_is_not_better(rows):
    """A model against itself leads by nothing; it needs a person's written reason."""
    labels, customers, logits, _ = rows
    part = in_shadow(labels, customers, said(logits), said(logits), 1)
    assert part["auc"] == {"lead": 0.0, "interval": [0.0, 0.0]}
    assert failings({"score": part}, "auc") == [("score", "auc")]


def test_a_refit_ranks_the_same_and_is_judged_by_its_log_loss(rows):
    """The same order under a better sigmoid: no lead in AUC, a gain in log loss."""
    labels, customers, logits, _ = rows
    part = in_shadow(labels, customers, said(logits), said(0.4 * logits + 1), 1)
    assert part["auc"]["lead"] == 0
    assert failings({"score": part}, "auc") == [("score", "auc")]
    assert failings({"score": part}, "log_loss") == []


def test_better_at_one_question_does_not_pay_for_worse_at_the_other(rows):
    """One interval above 0 is enough while none lies below."""
    labels, customers, logits, generator = rows
    noisy = said(logits + generator.normal(0, 2, ROWS))
    better = in_shadow(labels, customers, said(logits), noisy, 1)
    equal = in_shadow(labels, customers, said(logits), said(logits), 1)
    worse = in_shadow(labels, customers, noisy, said(logits), 1)
    assert failings({"p_late": better, "p_late30": equal}, "auc") == []
    assert ("p_late30", "worse") in failings({"p_late": better, "p_late30": worse}, "auc")


@pytest.mark.parametrize(
    ("bad", "told"), [(19, [("score", "few")]), (20, [("score", "auc")]), (21, [("score", "auc")])]
)
def test_twenty_of_each_outcome_are_needed(bad, told):
    """With fewer nothing is measured, and so nothing is met."""
    labels = np.array([1] * bad + [0] * 40)
    chances = np.linspace(0.1, 0.9, labels.size)
    part = in_shadow(labels, np.arange(labels.size), chances, chances, 1)
    assert ("auc" in part) is (bad >= 20)
    assert failings({"score": part}, "auc") == told


def test_nothing_measured_is_nothing_met():
    """No question at all is a failing too."""
    assert failings({}, "auc") == [("", "few")]


@pytest.mark.parametrize(
    ("interval", "told"), [([-0.03, -0.001], "rival"), ([-0.03, 0.0], None), ([-0.03, 0.01], None), (None, "untested")]
)
def test_the_first_champion_must_not_rank_below_its_rival(interval, told):
    """Below the rival's for sure it is refused, as is one that was never tested."""
    card = {"measures": {"lead": {"auc_interval": interval}}}
    assert [code for _, code in first_failings(card)] == ([] if told is None else [told])
    card = {"tested": {"p_late": {"lead": {"own_share": {"auc_interval": interval}}}}}
    assert [code for _, code in first_failings(card)] == ([] if told is None else [told])
