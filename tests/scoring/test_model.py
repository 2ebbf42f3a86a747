"""A model is integer tables in JSON: the same in columns and in one row, and nothing foreign gets in."""

import json
import pickle
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import sha256_of
from scoring.features import FACTS_READ, FEATURE_NAMES, FEATURES, Prior, Ratio, feature_columns, feature_row
from scoring.model import MICRO_BOUND, Model, canonical, load, probability_bp, score, score_row
from scoring.reasons import reasons, with_reasons

SCHEMA = dict.fromkeys(FACTS_READ, pl.Int64)
RISING = [feature for feature in FEATURES if feature.rising]
AMOUNT = (
    st.none() | st.integers(-(10**15), 10**15) | st.sampled_from([0, 1, 9 * 10**14 - 1, 9 * 10**14, 9 * 10**14 + 1])
)
SMALL = st.none() | st.integers(-400, 400)
COUNT = st.integers(0, 40)


def fact_values(name: str) -> st.SearchStrategy[Any]:
    """What a fact may be, nulls included."""
    if name.endswith("_minor"):
        return AMOUNT
    if name.endswith("_bp"):
        return st.none() | st.integers(0, 20_000)
    return COUNT if name in {"overdue_count", "open_count", "paid_count_12m", "disputes_open"} else SMALL


FACTS = st.fixed_dictionaries({name: fact_values(name) for name in FACTS_READ})


def in_columns(rows: list[dict[str, Any]], model: Model | None, backend: str) -> list[dict[str, Any]]:
    """Score a frame of rows on a backend."""
    frame = pl.DataFrame(
        [row | {"place": place} for place, row in enumerate(rows)], schema=SCHEMA | {"place": pl.Int64}
    )
    if backend == "polars":
        return score(nw.from_native(frame.lazy()), model).collect().sort("place").to_native().to_dicts()
    with duckdb.connect() as connection:
        relation = connection.from_arrow(frame.to_arrow())
        return score(nw.from_native(relation), model).collect("polars").sort("place").to_native().to_dicts()


def assert_rows_score_alike(rows: list[dict[str, Any]], model: Model, backend: str) -> None:
    """Score in columns and one by one, and compare."""
    for row, scored in zip(rows, in_columns(rows, model, backend), strict=True):
        alone = score_row(row, model)
        in_frame = (scored["score_bp"], scored["rival_bp"], scored["thin_history"])
        assert in_frame == (alone.score_bp, alone.rival_bp, alone.thin_history)
        assert {name: scored[name] for name in FACTS_READ} == row


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(FACTS, min_size=1, max_size=30))
def test_columns_and_one_row_give_the_same_score(rows: list[dict[str, Any]], model: Model) -> None:
    """Every row scores alike in a frame and alone, nulls and huge amounts included."""
    assert_rows_score_alike(rows, model, "polars")


@pytest.mark.slow
@settings(max_examples=2, deadline=None)
@given(rows=st.lists(FACTS, min_size=40, max_size=60))
def test_duckdb_scores_like_polars(
    rows: list[dict[str, Any]], training_rows: list[dict[str, Any]], model: Model
) -> None:
    """The same expressions on another backend give the same scores."""
    ordinary = [{name: row[name] for name in FACTS_READ} for row in training_rows[:500]]
    assert_rows_score_alike(rows + ordinary, model, "duckdb")


@settings(max_examples=50, deadline=None)
@given(row=FACTS)
def test_features_are_the_same_in_columns_and_in_one_row(row: dict[str, Any]) -> None:
    """A feature's expression and its plain function never differ."""
    prior = Prior(2_500, 7)
    frame = nw.from_native(pl.DataFrame([row], schema=SCHEMA).lazy()).select(*feature_columns(prior))
    assert frame.collect().to_native().to_dicts()[0] == feature_row(row, prior)


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [(0, 100, 0), (1, 3, 3_333), (100, 100, 10_000), (5, 0, None), (5, -1, None), (None, 5, None), (5, None, None)],
)
def test_a_ratio_is_in_basis_points_and_unknown_without_a_divisor(
    upper: int | None, lower: int | None, expected: int | None
) -> None:
    """Nothing is divided by nothing."""
    assert Ratio("a", "b").of({"a": upper, "b": lower}, Prior(0, 1)) == expected


def test_without_a_model_the_score_is_unknown_and_the_thin_history_is_not(training_rows: list[dict[str, Any]]) -> None:
    """Before a champion is approved rules see an unknown score, never 0."""
    row = {name: training_rows[0][name] for name in FACTS_READ} | {"paid_count_12m": 2}
    scored = in_columns([row], None, "polars")[0]
    assert (scored["score_bp"], scored["rival_bp"], scored["thin_history"]) == (None, None, True)
    assert score_row(row, None).thin_history


@pytest.mark.parametrize(("paid", "thin"), [(0, True), (2, True), (3, False), (4, False)])
def test_history_is_thin_below_three_paid_invoices(model: Model, paid: int, thin: bool) -> None:
    """Below, at and above the boundary."""
    row = dict.fromkeys(FACTS_READ, None) | {"paid_count_12m": paid}
    assert score_row(row, model).thin_history is thin


@settings(max_examples=100, deadline=None)
@given(
    row=FACTS, feature=st.sampled_from([feature for feature in FEATURES if feature.rising]), more=st.integers(1, 500)
)
def test_more_lateness_never_lowers_the_score(row: dict[str, Any], feature: Any, more: int, model: Model) -> None:
    """Every rising table rises: the values only, one step at a time."""
    table = next(table for table in model.tables if table.name == feature.name)
    value = feature_row(row, model.prior)[feature.name]
    if value is not None:
        assert table.at(value) <= table.at(value + more)


def test_a_chance_is_half_up_and_stays_within_its_bounds() -> None:
    """Micro-logits far out are 0 and 10,000 basis points, never beyond."""
    assert [probability_bp(raw) for raw in (-(10**12), 0, 10**12)] == [0, 5_000, 10_000]


def test_a_changed_model_is_refused(body: dict[str, Any]) -> None:
    """One digit changed after training, and the name no longer fits."""
    changed = canonical(body | {"base": body["base"] + 1})
    loaded, problems = load(changed, sha256_of(body))
    assert loaded is None
    assert "does not match its sha256" in problems[0]


def test_a_changed_model_under_its_own_name_fails_its_rows(body: dict[str, Any]) -> None:
    """Whoever also renames it meets the rows it carries."""
    changed = body | {"base": body["base"] + 100_000}
    loaded, problems = load(canonical(changed), sha256_of(changed))
    assert loaded is None
    assert "row 1 of the model scores" in problems[0]


@pytest.mark.parametrize("base", [1.0, True, "1", MICRO_BOUND + 1, -MICRO_BOUND - 1])
def test_only_whole_numbers_within_their_bound_are_read(body: dict[str, Any], base: object) -> None:
    """Neither a fraction nor a truth nor a text, though its hash fits; nor what arithmetic would not hold."""
    changed = body | {"base": base}
    assert "is not a whole number within" in load(canonical(changed), sha256_of(changed))[1][0]


@pytest.mark.parametrize(
    "content",
    [pickle.dumps({"format": 1}), b"", b"[]", b'{"format":1}', b"[" * 100_000, b'{"b":1,"a":2}', b"\xff\xfe"],
    ids=["pickle", "empty", "list", "other JSON", "deep", "not canonical", "not text"],
)
def test_foreign_content_is_refused(content: bytes) -> None:
    """Only a model is a model, whatever its name says."""
    import hashlib

    loaded, problems = load(content, hashlib.sha256(content).hexdigest())
    assert loaded is None
    assert problems


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"task": "another"},
        {"features_sha256": "0" * 64},
        {"golden": []},
        {"features": []},
        {"base": 1.5},
        {"base": True},
        {"prior": {"share_bp": 100, "strength": 0}},
    ],
    ids=str,
)
def test_a_model_that_does_not_fit_is_refused(body: dict[str, Any], change: dict[str, Any]) -> None:
    """Another format, task, feature list, or a table that is not whole numbers."""
    changed = body | change
    loaded, problems = load(canonical(changed), sha256_of(changed))
    assert loaded is None
    assert problems


def test_a_falling_table_is_refused(body: dict[str, Any]) -> None:
    """Days past due that lower the score cannot come from training."""
    changed = json.loads(canonical(body))
    place = FEATURE_NAMES.index("shrunk_late_share_bp")
    changed["features"][place] |= {"edges": [5], "steps": [1, 0]}
    loaded, problems = load(canonical(changed), sha256_of(changed))
    assert loaded is None
    assert "falls" in problems[0]


@settings(max_examples=20, deadline=None)
@given(row=FACTS)
def test_reasons_of_a_portfolio_are_those_of_each_row(model: Model, row: dict[str, Any]) -> None:
    """With the base they add up to the raw score, and each is what one row is told."""
    frame = nw.from_native(pl.DataFrame([row], schema=SCHEMA).lazy())
    found = with_reasons(frame, model).collect().to_native().to_dicts()[0]
    told = {f"reason_{reason.key}_micro": reason.micro for reason in reasons(row, model, top=None)}
    assert {name: value for name, value in found.items() if name.startswith("reason_")} == told
    assert model.base + sum(told.values()) == score_row(row, model).raw
    assert found["score_bp"] == score_row(row, model).score_bp
