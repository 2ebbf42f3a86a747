"""Drift: nothing moved is 0, everything moved is far, and few customers move by chance."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scoring.drift import ACT, WATCH, Drift, drift

VALUES = st.lists(st.integers(-5, 5).map(float) | st.just(float("nan")), min_size=1, max_size=60)


def index_of(before: list[float], now: list[float]) -> Drift:
    """The drift of two lists."""
    found = drift(np.array(before, dtype=float), np.array(now, dtype=float))
    assert found is not None
    return found


@given(VALUES, VALUES)
def test_it_is_never_negative_and_zero_where_nothing_moved(before: list[float], now: list[float]) -> None:
    """Whatever the values, unknown ones among them."""
    assert index_of(before, now).index >= 0
    assert abs(index_of(before, before).index) < 1e-12


def test_it_is_the_sum_that_books_give() -> None:
    """Half of the upper half gone down: (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5)."""
    before = [0.0] * 50_000 + [1.0] * 50_000
    now = [0.0] * 75_000 + [1.0] * 25_000
    assert round(index_of(before, now).index, 3) == round(-0.25 * np.log(0.5) + 0.25 * np.log(1.5), 3)


def test_values_that_become_unknown_are_drift() -> None:
    """A feed that stops is seen."""
    found = index_of([1.0, 2.0] * 500, [float("nan")] * 1_000)
    assert found.verdict == "act"
    assert (found.unknown_before, found.unknown_now) == (0, 1_000)


def test_the_verdict_at_its_bounds() -> None:
    """Below, at and above 0.10 and 0.25; and what chance explains is no finding."""
    said = [Drift(index, 0.0, 9, 9, 0, 0).verdict for index in (WATCH - 0.001, WATCH, ACT - 0.001, ACT)]
    assert said == ["steady", "watch", "watch", "act"]
    assert [Drift(0.3, chance, 9, 9, 0, 0).verdict for chance in (0.29, 0.3, 0.31)] == ["act", "act", "chance"]


def test_nobody_has_not_drifted() -> None:
    """Without customers there is nothing to compare."""
    assert drift(np.array([]), np.array([1.0])) is None
    assert drift(np.array([1.0]), np.array([])) is None


def test_two_samples_of_one_population_seldom_leave_what_chance_explains() -> None:
    """About one time in twenty."""
    generator = np.random.default_rng(3)
    pairs = [index_of(list(generator.normal(size=80)), list(generator.normal(size=80))) for _ in range(200)]
    assert sum(one.index > one.chance for one in pairs) <= 20
