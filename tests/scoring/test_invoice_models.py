"""Invoice models: monotone, explained to the last digit, kept as integers, refused when tampered with."""

import hashlib
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ledger.canonical import canonical, sha256_of
from scoring.backtest import Backtest, Window, backtest_invoices
from scoring.invoice_features import INVOICE_FEATURE_NAMES, INVOICE_FEATURES
from scoring.invoice_model import codes_of, load_invoice_model, scores_of
from scoring.invoice_reasons import REASONS, contributions_of, invoice_reasons, merged_reasons, usual_codes
from scoring.invoice_training import Ledger, Trained, outcomes, train_invoices
from scoring.measures import average_precision

pytestmark = pytest.mark.xdist_group("scoring")  # so that one process trains the model

UNTIL, KNOWN = 18_620, 18_800
Entries = dict[str, Any]
Make = Callable[..., Entries]


@pytest.fixture(scope="module")
def ledger(made_up_entries: Entries) -> Ledger:
    return Ledger.of(made_up_entries)


@pytest.fixture(scope="module")
def tested(ledger: Ledger) -> Backtest:
    return backtest_invoices([ledger], Window(UNTIL, UNTIL + 20, KNOWN), KNOWN)


def codes(trained: Trained) -> np.ndarray:
    """What the model reads of every row."""
    return codes_of(trained.model.edges, trained.questions.features)


def test_reasons_add_up_to_the_raw_score_on_every_row(trained: Trained) -> None:
    """Start and contributions are whole millionths, and their sum is the score, for every question."""
    for part in trained.model.parts.values():
        reasons = part.contributions(codes(trained))
        assert reasons.dtype == np.int64
        assert np.array_equal(part.start + reasons.sum(axis=1), part.raw(codes(trained)))


def test_merged_reasons_lead_from_the_usual_invoice_to_the_score(trained: Trained) -> None:
    """On every row: the usual invoice's score and all reasons are the row's score; at most four are told."""
    model, rows = trained.model, codes(trained)
    for name in ("late", "late30"):
        usual, contributions = contributions_of(model, name, rows)
        assert usual == model.parts[name].raw(usual_codes(model))[0]
        merged = merged_reasons(contributions)
        assert np.array_equal(usual + merged.sum(axis=1), model.parts[name].raw(rows))
        told = invoice_reasons(model, trained.questions.features, name)
        assert max(len(one) for one in told) == 4
        for place, one in enumerate(told[:50]):
            assert [abs(reason.micro) for reason in one] == sorted((abs(r.micro) for r in one), reverse=True)
            assert all(reason.micro == merged[place, REASONS.index(reason.key)] for reason in one)


def test_more_lateness_never_lowers_a_score(trained: Trained) -> None:
    """Every rising feature, moved up from code to code, in tables and trees."""
    rows = codes(trained)[::200]
    for place, feature in enumerate(INVOICE_FEATURES):
        if feature.rising:
            size = len(trained.model.edges[place]) + 1
            moved = np.repeat(rows, size, axis=0)
            moved[:, place] = np.tile(np.arange(size), len(rows))
            for name in ("late", "late30"):
                raw = trained.model.parts[name].raw(moved).reshape(len(rows), size)
                assert (np.diff(raw, axis=1) >= -len(trained.model.parts[name].trees)).all(), (name, feature.name)


def test_training_again_gives_the_same_model(ledger: Ledger, trained: Trained) -> None:
    """The same rows by hash, the same tables by hash."""
    again = train_invoices([ledger], UNTIL)
    assert again.body["card"]["frame_sha256"] == trained.body["card"]["frame_sha256"]
    assert sha256_of(again.body) == sha256_of(trained.body)


def test_the_future_changes_no_model(trained: Trained, make_entries: Make) -> None:
    """Payments that came after training ended, left out of the ledger: the same model."""
    entries = make_entries()
    known = entries["payments"]["seen_day"] < UNTIL
    entries["payments"] = {name: column[known] for name, column in entries["payments"].items()}
    written = entries["lines"]["seen_day"] < UNTIL
    entries["lines"] = {name: column[written] for name, column in entries["lines"].items()}
    assert sha256_of(train_invoices([Ledger.of(entries)], UNTIL).body) == sha256_of(trained.body)


def test_chances_and_days_stand_in_order(trained: Trained) -> None:
    """Over 30 days late is never likelier than late, and the median lies in its band."""
    found = scores_of(trained.model, trained.questions.features)
    assert ((found.p_late30 >= 0) & (found.p_late30 <= found.p_late) & (found.p_late <= 1)).all()
    assert ((found.low <= found.days_late) & (found.days_late <= found.high)).all()


def loaded(body: Any, sha256: str | None = None) -> list[str]:
    """Why a model is refused."""
    return load_invoice_model(canonical(body), sha256 or sha256_of(body))[1]


def test_a_model_that_was_tampered_with_is_refused(trained: Trained) -> None:
    """Another number under the old name, or under a new one: the first by its hash, the second by its rows."""
    body = json.loads(canonical(trained.body))
    assert loaded(body) == []
    body["parts"]["late"]["base"] += 1
    assert "changed after training" in loaded(body, sha256_of(trained.body))[0]
    assert "it was trained to" in loaded(body)[0]


def test_a_table_that_falls_is_refused(trained: Trained) -> None:
    """Whatever its hash: more lateness must not lower a score."""
    body = json.loads(canonical(trained.body))
    place = INVOICE_FEATURE_NAMES.index("own_late_share_bp")
    table = body["parts"]["late"]["steps"][place]
    table[0] = table[-2] + 1
    assert "falls" in loaded(body)[0]


@pytest.mark.parametrize("node", [[0, 3, 1, 0, 2, 5], [0, 3, 1, 1, 9, 5], [0, 3, 2, 1, 2, 5], [99, 3, 1, 1, 2, 5]])
def test_a_tree_that_is_none_is_refused(trained: Trained, node: list[int]) -> None:
    """Circles, children that are not there, splits without a side, features unknown."""
    body = json.loads(canonical(trained.body))
    body["parts"]["late30"]["trees"][0] = [node, [-1, 0, 0, 0, 0, 1], [-1, 0, 0, 0, 0, 1]]
    assert "cannot be read" in loaded(body)[0]


def test_a_pickle_is_refused_unread() -> None:
    """Nothing is unpickled: other bytes than JSON are no model."""
    content = pickle.dumps({"kind": "invoice_model"})
    assert "pickles" in load_invoice_model(content, hashlib.sha256(content).hexdigest())[1][0]


def test_a_backtest_shows_the_rivals_beside_the_score(tested: Backtest) -> None:
    """Champion, own share, challengers and the ageing rule on the same rows, with intervals and leads."""
    report = tested.report["p_late"]
    assert {"champion", "own_share", "trees", "scorecard", "ageing_rule"} == set(report["measures"])
    champion = report["measures"]["champion"]
    assert champion["auc_interval"][0] < champion["auc"] < champion["auc_interval"][1]
    assert champion["auc"] > 0.7
    assert report["lead"]["ageing_rule"]["auc"] > 0
    assert sum(row["rows"] for row in report["reliability"]) == report["n"] == tested.report["rows"]["tested"]
    assert not tested.report["leak"]["alarm"]


def test_the_band_of_days_holds_about_what_it_claims(tested: Backtest) -> None:
    """80 in a hundred payments come within it, and the median errs less than the due date."""
    days = tested.report["days_late"]
    assert 0.7 <= days["band"]["held"]["mean"] <= 0.9
    assert days["mae"]["champion"]["mean"] < days["mae"]["due_date"]["mean"]


def test_disputes_dated_like_their_invoices_raise_the_alarm_and_do_not_win(
    tested: Backtest, make_entries: Make
) -> None:
    """A file that says "disputed" but not since when: the flag is told and left out."""
    ledger = Ledger.of(make_entries(disputes_at_issue=True))
    found = backtest_invoices([ledger], Window(UNTIL, UNTIL + 20, KNOWN), KNOWN)
    assert found.report["leak"]["alarm"]
    assert "left out" in found.report["leak"]["why"][0]
    champion = [one.report["p_late"]["measures"]["champion"]["auc"] for one in (found, tested)]
    assert champion[0] == champion[1]


def test_too_little_history_is_told(make_entries: Make) -> None:
    """Asked before there was anything to learn from."""
    found = backtest_invoices([Ledger.of(make_entries())], Window(18_040, 18_060, KNOWN), KNOWN)
    assert found.report == {}
    assert "at least 100 are needed" in found.problems[0]


def test_a_line_settled_by_a_credit_note_has_no_outcome(make_entries: Make) -> None:
    """Nobody paid it, and nobody owes it: it says nothing about paying late."""
    entries = make_entries()
    entries["payments"]["is_payment"] = np.zeros(len(entries["payments"]["line_id"]))
    assert not outcomes(Ledger.of(entries), KNOWN).decided.any()


def test_average_precision_counts_ties_together() -> None:
    """One of the two best is bad, then one of one: worked by hand."""
    labels, values = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5])
    assert average_precision(labels, values) == pytest.approx((1 + 2 / 3) / 2)
