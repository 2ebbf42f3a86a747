"""Ratings and statements in the customers' score: used where known, measured, absent where nobody has any."""

from itertools import pairwise
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from ledger.canonical import sha256_of
from scoring.external import KNOWN_ROWS_MIN, features_for
from scoring.features import EXTERNAL, FACTS_KNOWN, FEATURES, WITH_EXTERNAL, facts_of
from scoring.learning import train
from scoring.model import Model, built, canonical, load, score, score_row
from scoring.reasons import reasons, with_reasons

TRAINED_DAY = 20_560
NOTHING = dict.fromkeys(name for name in facts_of(EXTERNAL) if name != "open_minor")


@pytest.fixture(scope="module")
def rated_rows(training_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Who turns bad follows from what only agencies and registers know; of a third nobody says anything."""
    generator = np.random.default_rng(11)
    weak = {customer: bool(generator.random() < 0.3) for customer in range(80)}
    rows = []
    for row in training_rows:
        sick = weak[row["customer_id"]]
        said = dict(NOTHING)
        if row["customer_id"] % 3:
            said["rating_pd_bp"] = int(generator.integers(300, 900) if sick else generator.integers(5, 400))
        if row["customer_id"] % 4 == 1:
            said["equity_ratio_bp"] = int(generator.integers(-500, 1_500) if sick else generator.integers(1_000, 6_000))
        label = int(generator.random() < (0.5 if sick else 0.04))
        rows.append({**row, **said, "label": label})
    return rows


@pytest.fixture(scope="module")
def rated_body(rated_rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What training gives for it."""
    trained, problems = train(rated_rows, TRAINED_DAY)
    assert problems == []
    assert trained is not None
    return trained


@pytest.fixture(scope="module")
def rated(rated_body: dict[str, Any]) -> Model:
    """That model, loaded as the engine loads it."""
    loaded, problems = load(canonical(rated_body), sha256_of(rated_body))
    assert problems == []
    assert loaded is not None
    return loaded


def test_what_others_know_makes_the_score_better_and_the_card_says_how_much(rated_body: dict[str, Any]) -> None:
    """On the same rows, with its paired interval, and for how many customers anything was known."""
    effect = rated_body["card"]["external"]
    assert effect["lead"]["without_external"]["auc_interval"][0] > 0.05
    assert effect["where_known"]["lead"]["without_external"]["auc"] > effect["lead"]["without_external"]["auc"]
    assert effect["coverage"] == {"customers": 80, "with_rating": 53, "with_statement": 20}
    assert effect["measures"]["with_external"]["auc"] == rated_body["card"]["measures"]["score"]["auc"]


def test_worse_is_never_better_and_unknown_is_not_the_worst(rated: Model) -> None:
    """Steps rise with the default probability and fall with equity; who is not rated is not taken for a bad one."""
    tables = {table.name: table for table in rated.tables}
    pd, equity = tables["rating_pd_bp"], tables["equity_ratio_bp"]
    assert all(low <= high for low, high in pairwise(pd.steps))
    assert all(low >= high for low, high in pairwise(equity.steps))
    assert pd.steps[0] < pd.steps[-1]
    assert equity.steps[0] > equity.steps[-1]
    assert pd.unknown < pd.steps[-1]
    assert equity.unknown < equity.steps[0]


def test_one_row_and_a_portfolio_score_alike(rated: Model, rated_rows: list[dict[str, Any]]) -> None:
    """Known and unknown; all reasons and the base add up to the raw score."""
    rows = [{name: row[name] for name in FACTS_KNOWN} for row in rated_rows[:200]]
    frame = nw.from_native(pl.DataFrame(rows, schema=dict.fromkeys(FACTS_KNOWN, pl.Int64)).lazy())
    columns = score(frame, rated).collect().to_native().to_dicts()
    told = with_reasons(frame, rated).collect().to_native().to_dicts()
    for row, scored, reasoned in zip(rows, columns, told, strict=True):
        answer = score_row(row, rated)
        assert (scored["score_bp"], scored["rival_bp"]) == (answer.score_bp, answer.rival_bp)
        parts = [value for name, value in reasoned.items() if name.startswith("reason_")]
        assert rated.base + sum(parts) == answer.raw
        assert rated.base + sum(one.micro for one in reasons(row, rated, None)) == answer.raw


def test_without_such_facts_the_model_is_the_one_there_always_was(
    training_rows: list[dict[str, Any]],
) -> None:
    """Byte for byte: features that nobody has are no features of it, nor of what it is asked."""
    few = [row for row in training_rows if row["as_of_day"] < training_rows[0]["as_of_day"] + 70]
    before, _ = train(few, TRAINED_DAY)
    again, _ = train([{**row, **NOTHING} for row in few], TRAINED_DAY)
    assert before is not None
    assert again is not None
    assert canonical(again) == canonical(before)
    assert "external" not in again["card"]


@pytest.mark.parametrize(("known", "learned"), [(KNOWN_ROWS_MIN - 1, FEATURES), (KNOWN_ROWS_MIN, WITH_EXTERNAL)])
def test_a_few_rows_fill_no_leaf(training_rows: list[dict[str, Any]], known: int, learned: Any) -> None:
    """From so many on that something could be learned, what others say is learned from."""
    rows = [{**row, **NOTHING, **({"net_margin_bp": 1} if at < known else {})} for at, row in enumerate(training_rows)]
    assert features_for(rows) == learned


@pytest.mark.parametrize(
    ("name", "steps", "said"),
    [("equity_ratio_bp", [0, 1], "rises"), ("rating_pd_bp", [1, 0], "falls"), ("interest_cover_bp", [0, 1], "rises")],
)
def test_a_table_that_goes_the_wrong_way_is_refused(
    rated_body: dict[str, Any], name: str, steps: list[int], said: str
) -> None:
    """Whoever wrote it."""
    parts = [
        {**part, "edges": [100], "steps": steps} if part["name"] == name else part for part in rated_body["features"]
    ]
    with pytest.raises(ValueError, match=said):
        built({**rated_body, "features": parts}, "")


def test_tables_that_add_up_to_too_much_are_refused(rated_body: dict[str, Any]) -> None:
    """Each within its bound, together beyond what a score can be."""
    parts = [{**part, "unknown": 40_000_000} for part in rated_body["features"]]
    with pytest.raises(ValueError, match="add up to more"):
        built({**rated_body, "features": parts}, "")
