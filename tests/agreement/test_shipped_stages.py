"""The shipped documents, all stages in one book: the three executors agree on rows around every boundary."""

import random
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from engine.matching import Matcher
from ledger.columns import Column, Kind
from rules import columns, conditions, hits, reference
from rules.book import Book
from rules.conditions import Const
from rules.derived import parse_derived
from rules.documents import Parameters, Policy, parse, parse_parameters, shipped, shipped_derived
from rules.facts import DICTIONARY, empty_row

DAY = 20_543
ROWS = 1_500
STAGES = ("segmentation", "credit_limit", "hold", "worklist", "alert")


def documents() -> tuple[list[Policy], Parameters]:
    """Every shipped policy, and the parameters."""
    first, *others = shipped()
    parameters, problems = parse_parameters(first)
    assert parameters is not None, problems
    policies = [policy for policy, _ in (parse(document) for document in others) if policy is not None]
    assert len(policies) == len(others)
    return policies, parameters


@pytest.fixture(scope="module")
def book() -> Book:
    """All of them, on one day."""
    policies, parameters = documents()
    return Book.build(policies, parameters, DAY)


def numbers_of(book: Book) -> dict[str, list[int]]:
    """Per fact the numbers its tests compare it with."""
    found: dict[str, list[int]] = {}
    for stage in book.stages.values():
        for rule in stage.rules:
            for test in conditions.tests_of(rule.condition):
                for operand in test.value if isinstance(test.value, tuple) else (test.value,):
                    if isinstance(operand, Const) and type(operand.value) is int:
                        found.setdefault(test.fact, []).append(operand.value)
    return found


def value(draw: random.Random, column: Column, numbers: list[int], ordinary: Any) -> Any:
    """A value below, at or above a boundary, or an ordinary one, or none."""
    if column.nullable and draw.random() < 0.1:
        return None
    if column.kind is Kind.BOOL:
        return draw.random() < 0.25
    if numbers and draw.random() < 0.8:
        bound = draw.choice(numbers) + draw.choice((-1, 0, 1))
        low = column.low if column.low is not None else bound
        return max(low, bound)
    return ordinary


def rows_of(book: Book) -> list[dict[str, Any]]:
    """Rows around the boundaries, the same each time."""
    draw, numbers = random.Random(2_026), numbers_of(book)
    empty = empty_row(DICTIONARY)
    facts = [name for name in empty if name not in {o.name for s in book.stages.values() for o in s.stage.outcomes}]
    return [
        {name: value(draw, DICTIONARY[name], numbers.get(name, []), empty[name]) for name in facts} for _ in range(ROWS)
    ]


def frame_of(rows: list[dict[str, Any]]) -> nw.LazyFrame[Any]:
    """Rows as a frame of the declared types."""

    def dtype(column: Column) -> Any:
        return pl.Boolean if column.kind is Kind.BOOL else pl.Int64 if column.unit is not None else pl.String

    return nw.from_native(
        pl.LazyFrame({name: pl.Series([r[name] for r in rows], dtype=dtype(DICTIONARY[name])) for name in rows[0]})
    )


def test_the_three_agree_on_the_shipped_documents(book: Book) -> None:
    """Matched rules and outcomes of every stage, worklist and alerts among them, row by row."""
    rows = rows_of(book)
    decided = columns.decide(frame_of(rows), book).to_native().collect().to_dicts()
    told = [reference.decide(row, book) for row in rows]
    raised = set()
    for row, one in zip(decided, told, strict=True):
        assert {name: row[name] for name in one.outcomes} == one.outcomes
        for name, stage in book.stages.items():
            words = [row[columns.mask_name(name, word)] for word in range(stage.words)]
            assert hits.matched_keys(stage, words) == one.matched[name]
        raised |= one.matched["alert"] | one.matched["worklist"]
    everything = {rule.key for stage in ("alert", "worklist") for rule in book.stages[stage].rules}
    assert raised == everything, "the rows reach every rule of both stages"
    with Matcher() as matcher:
        seen = [{**row, **one.outcomes} for row, one in zip(rows, told, strict=True)]
        found = matcher.confirm(book, dict.fromkeys(STAGES, seen))
    assert found.alarms == []
    for name in STAGES:
        assert [match.keys for match in found.matches[name]] == [one.matched[name] for one in told]
        assert {match.by for match in found.matches[name]} == {"durable"}


THRESHOLD = 4_500


@pytest.fixture(scope="module")
def combining() -> Book:
    """The shipped documents, and a rule of the house that reads scorecard and model together."""
    derived, problems = parse_derived(shipped_derived())
    assert derived is not None, problems
    when = ["derived_combined_risk_bp", ">=", THRESHOLD]
    changed = [document for document in shipped() if document["key"] == "segmentation"]
    rules: Any = changed[0]["rules"]
    own = {"key": "together", "label": "together", "because": "house", "priority": 0, "when": when}
    document = {**changed[0], "rules": [{**own, "then": {"segment": "risky"}}, *rules], "cases": []}
    policies, parameters = documents()
    policy, problems = parse(document)
    assert policy is not None, problems
    others = [one for one in policies if one.stage != "segmentation"]
    return Book.build([*others, policy], [parameters], DAY, derived=[derived])


def test_the_three_agree_on_scorecard_and_model_together(combining: Book) -> None:
    """Half the points and half the score, the points alone without a model; a rule on it holds on the same rows."""
    rows = rows_of(combining)
    told = [reference.decide(row, combining) for row in rows]
    stage = combining.stages["segmentation"]
    decided = columns.decide(frame_of(rows), combining).to_native().collect().to_dicts()
    at_edge = set()
    for row, one, found in zip(rows, told, decided, strict=True):
        points = min(max(one.outcomes["points"], 0), 100) * 100
        score = row["score_bp"]
        expected = points if score is None else points // 2 + score // 2
        together = one.derived["derived_combined_risk_bp"]
        assert together == expected
        assert ("together" in one.matched["segmentation"]) == (together >= THRESHOLD)
        words = [found[columns.mask_name("segmentation", word)] for word in range(stage.words)]
        assert hits.matched_keys(stage, words) == one.matched["segmentation"]
        assert found["segment"] == one.outcomes["segment"]
        at_edge.add(together >= THRESHOLD)
    assert at_edge == {True, False}
    with Matcher() as matcher:
        seen = [reference.with_derived({**row, **one.outcomes}, stage) for row, one in zip(rows, told, strict=True)]
        confirmed = matcher.confirm(combining, {"segmentation": seen})
    assert confirmed.alarms == []
    assert [match.keys for match in confirmed.matches["segmentation"]] == [one.matched["segmentation"] for one in told]
