"""Goals are read, handed over and printed alike."""

import argparse
from pathlib import Path

import pytest

from benchmarks.goals import Found, Goal, Table, figure, json_argument, read


@pytest.mark.parametrize(("measured", "ok"), [(5.9, True), (6.0, True), (6.1, False)])
def test_a_goal_of_at_most_is_reached_up_to_its_target(measured: float, ok: bool) -> None:
    """Below and at the target it is reached, above it is not."""
    assert Goal("facts", measured, 6, "s").ok is ok


@pytest.mark.parametrize(("measured", "ok"), [(49.9, False), (50.0, True), (50.1, True)])
def test_a_goal_of_at_least_is_reached_from_its_target_on(measured: float, ok: bool) -> None:
    """Below the target it is not reached, at and above it is."""
    assert Goal("peers", measured, 50, "x", at_most=False).ok is ok


def test_a_goal_is_one_line_with_its_verdict() -> None:
    """The line names the goal, both figures with their unit, and says ok or short."""
    assert Goal("sqlite.facts", 7.123, 6, "s").line() == "goal sqlite.facts measured 7.12 s target 6 s short"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.04567, "0.0457"), (99.96, "100"), (12_345.6, "12,346")])
def test_figures_keep_the_digits_that_matter(value: float, text: str) -> None:
    """Small figures keep three digits, large ones none after the point."""
    assert figure(value) == text


def test_what_a_benchmark_found_comes_back_from_its_file(tmp_path: Path) -> None:
    """Goals and tables are handed over whole, also when the benchmark dies after the first."""
    arguments = argparse.ArgumentParser()
    json_argument(arguments)
    file = tmp_path / "found.json"
    found = Found(arguments.parse_args(["--json", str(file)]).json)
    found.goal(Goal("peak", 3.5, 4, "GB"))
    assert read(file).goals == found.goals
    found.table(Table("Steps", ["step", "seconds"], [["facts", "5.1"]], "Streaming."))
    again = read(file)
    assert again.goals == found.goals
    assert again.tables[0].markdown() == (
        "### Steps\n\n| step | seconds |\n| --- | ---: |\n| facts | 5.1 |\n\nStreaming."
    )


def test_a_benchmark_that_left_nothing_has_no_goals(tmp_path: Path) -> None:
    """A missing or empty file is no error: the harness says which benchmark failed."""
    empty = tmp_path / "empty.json"
    empty.touch()
    assert read(tmp_path / "missing.json").goals == read(empty).goals == []
