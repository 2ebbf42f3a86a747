"""Gaps: values between two rules that neither covers, as when one says `< 30` and the next `> 30`.

A space between two rules is a gap when it is narrower than one unit a person writes; a wider one
is what `otherwise` is for. Each finding names an example row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules.book import BookRule, BookStage
from rules.conditions import All, Any, Condition, Const, Op, Test, paths
from rules.regions import Part, Path, example, left_after, parts_of, span_of

PAIRS_MAX = 5_000  # pairs of bounds; beyond it gaps are not looked for
PARTS_MAX = 500
SAYS = "no rule covers"  # how the finding begins
UNIT = {Kind.MONEY: 100, Kind.RATIO: 100}  # what a person writes as 1; days and counts are whole anyway

Bound = tuple[int, Path, BookRule]


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap, as a finding and as the rows that lie in it (in NNF, constants only)."""

    problem: Problem
    region: Condition


def gap_problems(stage: BookStage, facts: Mapping[str, Column]) -> list[Problem]:
    """A finding for each gap between the rules of a stage."""
    return [gap.problem for gap in gaps(stage, facts)]


def gaps(stage: BookStage, facts: Mapping[str, Column]) -> list[Gap]:
    """Gaps between the rules of a stage.

    Args:
        stage: with parameters resolved.
        facts: what its policy may read.
    """
    known = [(rule, path) for rule in stage.rules for path in paths(rule.condition)]
    tested = sorted({test.fact for _, path in known for test in path if facts[test.fact].unit is not None})
    taken = parts_of((path for _, path in known), facts)
    found: list[Gap] = []
    for fact in tested:
        ends, starts = _bounds(known, fact, facts)
        if len(ends) * len(starts) > PAIRS_MAX:
            continue
        for before, after in product(ends, starts):
            if 0 < after[0] - before[0] - 1 <= _width(facts[fact]):
                found += _gap(fact, before, after, taken, facts)
    return list({gap.problem.place: gap for gap in found}.values())


def _width(column: Column) -> int:
    return UNIT.get(column.kind, 2) - 1


def _bounds(
    known: list[tuple[BookRule, Path]], fact: str, facts: Mapping[str, Column]
) -> tuple[list[Bound], list[Bound]]:
    """Where paths that test a fact end and start, inside the fact's own range."""
    ends, starts = [], []
    for rule, path in known:
        span = span_of(path, fact, facts) if any(test.fact == fact for test in path) else None
        if span is None:
            continue
        rest = tuple(test for test in path if test.fact != fact)
        low, high = span_of((), fact, facts) or span
        if span[1] < high:
            ends.append((span[1], rest, rule))
        if span[0] > low:
            starts.append((span[0], rest, rule))
    return ends, starts


def _gap(fact: str, before: Bound, after: Bound, taken: list[Part], facts: Mapping[str, Column]) -> list[Gap]:
    low, high = before[0] + 1, after[0] - 1
    inside = Test(fact, Op.BETWEEN, (Const(low), Const(high)))
    region = parts_of([(*before[1], *after[1], inside)], facts)
    left = left_after(region, taken, facts, PARTS_MAX) or []
    found = next((row for row in (example(path, facts) for path in left) if row is not None), None)
    if found is None:
        return []
    shown = ", ".join(f"{name} {value!r}" for name, value in sorted(found.items()))
    values = str(low) if low == high else f"{low} to {high}"
    problem = Problem(
        f"{after[2].rule.place}/when",
        f"{SAYS} {fact} {values}, between {before[2].key!r} and {after[2].key!r}; for example {shown}",
        "let one of the two include it",
    )
    return [Gap(problem, Any(tuple(All(path) for path in left)))]
