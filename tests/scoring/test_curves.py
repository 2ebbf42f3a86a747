"""Curves: a perfect ranking finds everything first, a random one as much as it looks at, and money stays whole."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scoring.curves import (
    GRID,
    GRID_BP,
    LEAST_ECE,
    LEAST_RARER,
    LEAST_RATE,
    PARTS_MAX,
    About,
    Order,
    Sample,
    area,
    curves_of,
    found_at,
    found_minor,
    parts_of,
    precision_at,
    roc,
    roc_at,
)
from scoring.measures import area_under_curve, reliability

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8).map(float), st.integers(0, 10**12)), min_size=2, max_size=50
)
Rows = list[tuple[int, float, int]]
EURO = About(dict.fromkeys(range(1_000), "EUR"))


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, values and amounts of rows that have both outcomes."""
    labels, values, amounts = (np.array(column) for column in zip(*rows, strict=True))
    assume(0 < labels.sum() < len(labels))
    return labels.astype(np.int64), values.astype(np.float64), amounts.astype(np.int64)


def sample_of(labels: np.ndarray, amounts: np.ndarray | None = None, customers: int = 40) -> Sample:
    """Rows of some customers, one after the other due on one day each."""
    n = len(labels)
    money = np.full(n, 100.0) if amounts is None else amounts.astype(np.float64)
    return Sample(labels.astype(np.int64), np.arange(n) % customers, np.arange(n) % 60 + 19_000, money)


@given(ROWS)
def test_the_area_of_the_curve_is_the_measured_auc(rows: Rows) -> None:
    """Ties and all, to the ninth digit."""
    labels, values, _amounts = columns(rows)
    order = Order.of(values)
    points = roc(order.running(np.ones(len(labels))), order.running(labels.astype(np.float64)))
    assert area(*points) == pytest.approx(area_under_curve(labels, values), abs=1e-9)


@given(ROWS)
def test_curves_rise_from_nothing_to_everything(rows: Rows) -> None:
    """ROC and lift begin at (0, 0), end at (1, 1) and never fall; precision ends at the share of all."""
    labels, values, _amounts = columns(rows)
    order = Order.of(values)
    running, late = order.running(np.ones(len(labels))), order.running(labels.astype(np.float64))
    for curve in (roc_at(GRID, running, late), found_at(GRID, running, late)):
        assert (curve[0], curve[-1]) == (0.0, pytest.approx(1.0))
        assert (np.diff(curve) >= -1e-12).all()
    precision = precision_at(GRID, running, late)
    assert ((precision >= 0) & (precision <= 1)).all()
    assert precision[-1] >= labels.mean() - 1e-12


@given(ROWS)
def test_money_is_whole_and_all_of_it_is_found_in_the_end(rows: Rows) -> None:
    """Minor units, never falling; the sum is exact."""
    labels, values, amounts = columns(rows)
    late = amounts * labels
    found = found_minor(Order.of(values), late)
    assert all(type(one) is int for one in found)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, sum(late.tolist()))


def test_a_perfect_ranking_finds_everything_first() -> None:
    """Of 100 rows the 20 bad ones on top: after a fifth of the work all is found."""
    labels = np.repeat([1, 0], [20, 80])
    order = Order.of(labels.astype(np.float64))
    running, late = order.running(np.ones(100)), order.running(labels.astype(np.float64))
    assert roc_at(GRID, running, late)[1:].min() == 1
    assert precision_at(GRID, running, late).min() == 1
    assert found_at(np.array([0.1, 0.2, 0.3]), running, late).tolist() == [0.5, 1.0, 1.0]


def test_a_ranking_that_says_nothing_finds_what_it_looks_at() -> None:
    """Everything ties: the diagonal, and the precision is the share of bad rows."""
    labels = np.repeat([1, 0], [25, 75])
    order = Order.of(np.zeros(100))
    running, late = order.running(np.ones(100)), order.running(labels.astype(np.float64))
    for curve in (roc_at, found_at):
        assert curve(GRID, running, late) == pytest.approx(GRID)
    assert precision_at(GRID, running, late) == pytest.approx(0.25)


def test_intervals_hold_the_curve_and_narrow_with_more_customers() -> None:
    """Drawn over customers, the same each time."""
    generator = np.random.default_rng(5)
    widths = []
    for count in (200, 3_000):
        chances = generator.random(count)
        labels = (generator.random(count) < chances).astype(np.int64)
        sample = sample_of(labels, customers=count // 5)
        found = curves_of(sample, {"champion": chances}, {"ageing_rule": np.zeros(count)}, EURO, 1)
        assert found == curves_of(sample, {"champion": chances}, {"ageing_rule": np.zeros(count)}, EURO, 1)
        line = found["lines"]["champion"]["lift"]
        assert all(low <= at <= high for low, at, high in zip(line["low"], line["at"], line["high"], strict=True))
        widths.append(np.subtract(line["high"], line["low"]).sum())
        told = [{name: one[name] for name in ("rows", "bad")} for one in found["reliability"]["champion"]]
        assert told == [{name: one[name] for name in ("rows", "bad")} for one in reliability(labels, chances)]
        assert len(json.dumps(found)) < 12_000, "a card stays small"
    assert widths[0] > 2 * widths[1]


def test_money_is_worked_by_chance_times_amount() -> None:
    """Two likely ones before two large ones; by the amount alone the large ones come first, and nothing is found."""
    amounts = np.array([500, 600, 1_000, 900])
    chances = {"champion": np.array([0.9, 0.8, 0.1, 0.05]), "own_share": np.array([0.1, 0.1, 0.9, 0.2])}
    money = curves_of(sample_of(np.array([1, 1, 0, 0]), amounts, 4), chances, {}, EURO, 1)["money"][0]
    half = GRID_BP.index(5_000)
    assert (money["total_minor"], money["currency"], money["rows"]) == (1_100, "EUR", 4)
    assert {name: one["found_minor"][half] for name, one in money["by"].items()} == {
        **{"champion": 1_100, "own_share": 0, "amount": 0},
    }


def test_amounts_of_two_currencies_are_never_added_up() -> None:
    """Each has a curve of its own; an amount without a rate is left out."""
    labels, chances = np.array([1, 0, 1]), np.array([0.9, 0.2, 0.5])
    assert curves_of(sample_of(labels), {"champion": chances}, {}, About(), 1)["money"] == []
    both = curves_of(sample_of(labels), {"champion": chances}, {}, About({0: "EUR", 1: "EUR", 2: "GBP"}), 1)["money"]
    assert [(one["currency"], one["total_minor"], one["rows"]) for one in both] == [("EUR", 100, 2), ("GBP", 100, 1)]
    partly = sample_of(labels, np.array([np.nan, 50.0, 70.0]))
    assert curves_of(partly, {"champion": chances}, {}, EURO, 1)["money"][0]["total_minor"] == 70


def test_one_outcome_alone_draws_nothing() -> None:
    """Nothing can be ranked where all or none were late."""
    assert curves_of(sample_of(np.ones(50)), {"champion": np.linspace(0, 1, 50)}, {}, EURO, 1) == {}


@pytest.mark.parametrize(
    ("n", "bad", "told"),
    [
        (LEAST_RATE - 1, LEAST_RARER - 1, set()),
        (LEAST_RATE, LEAST_RARER - 1, {"brier"}),
        (LEAST_RATE, LEAST_RARER, {"brier", "auc"}),
        (LEAST_ECE - 1, LEAST_RARER + 1, {"brier", "auc"}),
        (LEAST_ECE, LEAST_RARER - 1, {"brier", "ece"}),
    ],
)
def test_few_rows_are_told_nothing_of_that_they_cannot_tell(n: int, bad: int, told: set[str]) -> None:
    """Below, at and above the rows that a rate, an AUC and an ECE need."""
    labels = np.repeat([1, 0], [bad, n - bad])
    chances = np.linspace(1, 0, n)
    sample = Sample(labels, np.arange(n), np.full(n, 19_000), np.full(n, np.nan))
    (month,) = parts_of(sample, chances, chances, About(), np.zeros(n, dtype=bool))["month"]
    assert (month["part"], month["n"], month["bad"]) == ("2022-01", n, bad)
    assert {"brier", "auc", "ece"} & set(month) == told


def test_months_stand_in_order_and_small_countries_together() -> None:
    """Of many countries the largest are told one by one, the rest as one; one country alone is no part."""
    labels = np.tile([0, 1], 200)
    sample = sample_of(labels, customers=40)
    countries = {number: f"C{min(number, PARTS_MAX + 4):02}" for number in range(40)}
    about = About(kinds={"country": countries, "sector": dict.fromkeys(range(40), "steel")})
    found = parts_of(sample, labels / 2 + 0.25, labels * 0.0, about, np.zeros(400, dtype=bool))
    assert [one["part"] for one in found["month"]] == sorted(one["part"] for one in found["month"])
    assert len(found["country"]) == PARTS_MAX + 1
    assert (found["country"][0]["part"], found["country"][-1]["part"]) == (f"C{PARTS_MAX + 4}", "")
    assert sum(one["n"] for one in found["country"]) == 400
    assert "sector" not in found
