"""Rules over derived facts: columns, durable-rules and the reference evaluator agree, and a fault would show.

Formulas of every operation, with each rounding; constants next to what they give; a fifth of the
inputs unknown, amounts at their bounds. durable-rules is the real extension in its child process.
"""

import random
from collections.abc import Iterator
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from engine.matching import Matcher
from ledger.columns import MONEY_BOUND
from rules import columns, formula_values, hits, reference
from rules.book import Book
from rules.derived import parse_derived
from rules.documents import parse
from rules.formulas import DerivedFacts

SEED = 20_260_707
BOOKS = 40
ROWS = 60
DAY = 20_000
INPUTS = ["overdue_net_minor", "credit_limit_minor", "headroom_minor", "exposure_minor"]
OTHERS = {"score_bp": (0, 10_000), "tenure_days": (0, 4_000), "days_since_contact": (0, 400), "overdue_count": (0, 50)}


def fact(name: str) -> dict[str, str]:
    """A fact in a formula."""
    return {"fact": name}


FORMULAS: dict[str, Any] = {
    "derived_share_bp": {"divide": [fact("overdue_net_minor"), fact("credit_limit_minor")]},
    "derived_left_minor": {"subtract": [fact("credit_limit_minor"), fact("exposure_minor")]},
    "derived_risk_minor": {"multiply": [fact("overdue_net_minor"), fact("score_bp")]},
    "derived_mean_minor": {"divide": [fact("overdue_net_minor"), fact("overdue_count")]},
    "derived_whole_minor": {"divide": [fact("headroom_minor"), {"ratio": 3_333}]},
    "derived_known_bp": {"coalesce": [fact("score_bp"), {"ratio": 5_000}]},
    "derived_gap_days": {"days_between": [fact("tenure_days"), fact("days_since_contact")]},
    "derived_size_minor": {"abs": fact("headroom_minor")},
    "derived_held_minor": {"clip": [fact("headroom_minor"), {"money": -500}, {"money": 500}]},
    "derived_ends_minor": {"max": [{"min": [fact("exposure_minor"), fact("credit_limit_minor")]}, 0]},
    "derived_chosen_minor": {
        "if": {"any": [["score_bp", ">", 5_000], ["credit_limit_minor", "is_null"]]},
        "then": fact("overdue_net_minor"),
        "else": {"add": [fact("exposure_minor"), {"money": 7}]},
    },
    "derived_twice_bp": {"multiply": [fact("derived_share_bp"), 2]},
}


def derived(dice: random.Random) -> DerivedFacts:
    """All formulas, each with a rounding of its own."""
    kinds = {"_bp": "ratio", "_minor": "money", "_days": "days"}
    facts = [
        {
            "name": name,
            "kind": next(kind for end, kind in kinds.items() if name.endswith(end)),
            "label": name,
            "meaning": "a test",
            "formula": formula,
            "rounding": dice.choice(["down", "up", "half_even"]),
        }
        for name, formula in FORMULAS.items()
    ]
    head = {"format": 1, "kind": "derived_facts", "key": "derived", "source": "a test"}
    found, problems = parse_derived({**head, "facts": facts})
    assert problems == []
    assert found is not None
    return found


def row(dice: random.Random) -> dict[str, Any]:
    """One customer."""
    found: dict[str, Any] = {
        name: dice.choice([None, 0, 1, 3, 500, dice.randint(0, 10**6), MONEY_BOUND, dice.randint(0, MONEY_BOUND)])
        for name in INPUTS
    }
    found["headroom_minor"] = dice.choice([None, -MONEY_BOUND, dice.randint(-(10**6), 10**6), 0])
    for name, (low, high) in OTHERS.items():
        found[name] = None if dice.random() < 0.2 and name != "overdue_count" else dice.randint(low, high)
    return found


def rule(dice: random.Random, number: int, seen: dict[str, list[int]]) -> dict[str, Any]:
    """A rule whose constants lie at, below and above what the formulas give."""
    tests: list[Any] = []
    for name in dice.sample(sorted(FORMULAS), 2):
        op = dice.choice(["<", "<=", ">", ">=", "==", "!=", "between", "in", "is_null", "is_not_null"])
        constant = dice.choice(seen.get(name) or [0]) + dice.choice([-1, 0, 1])
        value = {"between": [constant - 2, constant], "in": [constant, constant + 1]}.get(op, constant)
        tests.append([name, op] if op.startswith("is_") else [name, op, value])
    when = {dice.choice(["all", "any"]): [tests[0], {"not": tests[1]}]}
    then = {"segment": f"s{number}"}
    return {"key": f"r{number}", "when": when, "then": then, "priority": number}


def make(dice: random.Random) -> tuple[Book, list[dict[str, Any]]]:
    """A book of one policy over derived facts, and rows for it."""
    facts, rows = derived(dice), [row(dice) for _ in range(ROWS)]
    head = {"format": 1, "kind": "policy", "key": "segmentation", "name": "s", "stage": "segmentation", "hit": "first"}
    head |= {"effective": {"from": "2020-01-01"}, "source": "a test", "because": "a test"}
    head |= {"otherwise": {"then": {"segment": "standard"}}}
    reads = [{"key": "r", "when": {"any": [[name, "is_null"] for name in FORMULAS]}, "then": {"segment": "x"}}]
    first = parse({**head, "rules": reads})[0]
    assert first is not None
    every = Book.build([first], [], DAY, derived=[facts])
    given = [reference.decide(one, every).derived for one in rows]
    seen = {name: [one[name] for one in given if one[name] is not None] for name in FORMULAS}
    policy, problems = parse({**head, "rules": [rule(dice, number, seen) for number in range(6)]})
    assert problems == []
    assert policy is not None
    return Book.build([policy], [], DAY, derived=[facts]), rows


def by_columns(book: Book, rows: list[dict[str, Any]]) -> list[tuple[frozenset[str], Any]]:
    """Rules that hold, and the segment."""
    frame = nw.from_native(pl.LazyFrame({key: pl.Series([r[key] for r in rows], dtype=pl.Int64) for key in rows[0]}))
    stage = book.stages["segmentation"]
    names = [columns.mask_name("segmentation", word) for word in range(stage.words)]
    found = columns.decide(frame, book).select("segment", *names).to_native().collect().to_dicts()
    return [(hits.matched_keys(stage, [one[name] for name in names]), one["segment"]) for one in found]


def by_reference(book: Book, rows: list[dict[str, Any]]) -> list[tuple[frozenset[str], Any]]:
    """The same, row by row."""
    found = [reference.decide(one, book) for one in rows]
    return [(one.matched["segmentation"], one.outcomes["segment"]) for one in found]


def by_durable(book: Book, rows: list[dict[str, Any]], matcher: Matcher) -> list[frozenset[str]]:
    """Rules that hold, by the extension: the derived value is a flat fact like every other."""
    stage = book.stages["segmentation"]
    found = matcher.confirm(book, {"segmentation": [reference.with_derived(one, stage) for one in rows]})
    assert found.alarms == []
    assert {match.by for match in found.matches["segmentation"]} == {"durable"}
    return [match.keys for match in found.matches["segmentation"]]


@pytest.fixture(scope="module")
def made() -> list[tuple[Book, list[dict[str, Any]]]]:
    """Books with their rows."""
    dice = random.Random(SEED)
    return [make(dice) for _ in range(BOOKS)]


@pytest.fixture(scope="module")
def matcher() -> Iterator[Matcher]:
    """One child for the whole module."""
    with Matcher() as one:
        yield one


def test_the_three_executors_agree(made: list[tuple[Book, list[dict[str, Any]]]], matcher: Matcher) -> None:
    """Rules that hold and outcomes, on thousands of rows."""
    matched = 0
    for book, rows in made:
        expected = by_reference(book, rows)
        assert by_columns(book, rows) == expected
        assert by_durable(book, rows, matcher) == [keys for keys, _ in expected]
        matched += sum(len(keys) for keys, _ in expected)
    assert matched > 2_000


def test_another_engine_computes_the_same(made: list[tuple[Book, list[dict[str, Any]]]]) -> None:
    """DuckDB, whose division goes another way: every derived value of every row."""
    for book, rows in made[:10]:
        frame = pl.DataFrame({key: pl.Series([r[key] for r in rows], dtype=pl.Int64) for key in rows[0]})
        frame = frame.with_columns(pl.Series("number", range(len(rows)), dtype=pl.Int64))
        there = columns.decide(nw.from_native(duckdb.from_arrow(frame.to_arrow())), book)
        names = sorted(fact.name for fact in book.stages["segmentation"].derived)
        found = pl.from_arrow(there.select("number", *names).to_native().to_arrow_table()).sort("number")
        expected = [reference.decide(one, book).derived for one in rows]
        assert {name: found[name].to_list() for name in names} == {
            name: [one[name] for one in expected] for name in names
        }


def test_a_wrong_rounding_is_caught(
    made: list[tuple[Book, list[dict[str, Any]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One executor rounds down where the document says otherwise."""
    honest = [by_columns(book, rows) for book, rows in made]
    true = formula_values.divided
    monkeypatch.setattr(formula_values, "divided", lambda value, by, _rounding: true(value, by, "down"))
    faulty = [by_reference(book, rows) for book, rows in made]
    assert sum(one != other for pairs in zip(honest, faulty) for one, other in zip(*pairs)) > 0
