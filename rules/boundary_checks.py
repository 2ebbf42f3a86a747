"""Boundary cases: every threshold of a rule has an example just before and just past it.

A threshold that no case shows can be moved, or `<` swapped for `<=`, and all cases stay green. The
missing ones can be proposed: rows made from the rule itself, expected as the policy decides today;
a person reads them and keeps what is right.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ledger.columns import Column
from ledger.problems import Problem
from rules.book import Book, BookRule
from rules.case_checks import OTHERWISE, book_of, decide_alone
from rules.closures import holds_of
from rules.conditions import Const, Op, Scalar, Test, operands_of, params_of, paths
from rules.derived import derived_in
from rules.effects import params_of as effect_params_of
from rules.facts import empty_row, readable
from rules.intervals import possible_after
from rules.limits import CASES_PER_POLICY
from rules.policies import Case, Parameters, Policy
from rules.reference import with_derived
from rules.regions import Part, Path, Row, constant, example, left_after, parts_of
from rules.stages import OUTCOMES, STAGE

Name = tuple[str, str, int]

PARTS_MAX = 100
MISSING_MAX = 100  # found at once; the next check finds the next
SIDES: Mapping[Op, tuple[tuple[int, str], ...]] = {  # distance from the threshold, and where that is
    Op.LT: ((-1, "just below"), (0, "at")),
    Op.GE: ((-1, "just below"), (0, "at")),
    Op.LE: ((0, "at"), (1, "just above")),
    Op.GT: ((0, "at"), (1, "just above")),
}
BETWEEN = ((-1, "just below"), (0, "at the lower end of"), (0, "at the upper end of"), (1, "just above"))


@dataclass(frozen=True, slots=True)
class Boundary:
    """One side of one threshold of one rule.

    Args:
        rule: key of the rule.
        place: of the test, as a JSON pointer.
        side: its place among the sides of the test.
        where: the side in words.
        fact: what is tested.
        value: of the fact, on this side.
        others: what else must hold for the test to decide.
    """

    rule: str
    place: str
    side: int
    where: str
    fact: str
    value: int
    others: Path

    @property
    def name(self) -> Name:
        """What it is, whatever its threshold is today."""
        return self.rule, self.place, self.side


def boundary_problems(policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]) -> list[Problem]:
    """A warning for each threshold that lacks a case on one of its sides."""
    facts = readable(policy.stage, dictionary)
    return [
        Problem(
            boundary.place,
            f"no case shows {boundary.rule!r} {boundary.where} its threshold, {boundary.fact} {boundary.value}",
            "add a case with this value, or take the proposed one",
            "warning",
        )
        for boundary, _row in missing_boundaries(policy, parameters, facts)
    ]


def proposed_cases(
    policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]
) -> list[dict[str, Any]]:
    """Cases, as a document writes them, for every boundary that has none; at most as many as a policy may have.

    Args:
        policy: without errors.
        parameters: those it would be live with; a case holds what it depends on fixed.
        dictionary: facts and outcomes of its subject.
    """
    facts = readable(policy.stage, dictionary)
    room = CASES_PER_POLICY - len(policy.cases)
    taken = {case.name for case in policy.cases}
    fixed = _fixed(policy, parameters)
    found = []
    for boundary, row in missing_boundaries(policy, parameters, facts)[:room]:
        name = _unique(_name(policy, boundary, facts), taken)
        taken.add(name)
        found.append(
            decided_case(Case(name=name, facts=row, expect={}, parameters=fixed), policy, parameters, dictionary)
        )
    return found


def missing_boundaries(
    policy: Policy, parameters: list[Parameters], facts: Mapping[str, Column]
) -> list[tuple[Boundary, Row]]:
    """Boundaries without a case, each with a row that shows it."""
    if policy.escalation is not None:
        return []  # its steps are made here, and tried day by day
    shown = _shown(policy, parameters, facts)
    stage = Book.build([policy], parameters, policy.from_day, entity=policy.entity, subject=policy.subject).stages[
        policy.stage
    ]
    known = {rule.key: parts_of(paths(rule.condition), facts) for rule in stage.ranked}
    missing: dict[Name, tuple[Boundary, Row]] = {}
    for place, rule in enumerate(stage.ranked):
        before = [part for earlier in stage.ranked[:place] for part in known[earlier.key]]
        for boundary in _boundaries(rule):
            if boundary.name in shown or boundary.name in missing or not _is_possible(boundary, facts):
                continue
            row = _example(boundary, before if policy.hit in ("first", "most_severe") else [], facts)
            if row is not None:
                missing[boundary.name] = boundary, row
            if len(missing) == MISSING_MAX:
                return list(missing.values())
    return list(missing.values())


def _boundaries(rule: BookRule) -> Iterator[Boundary]:
    for path in paths(rule.condition):
        for test in path:
            others = tuple(other for other in path if other is not test)
            for side, (value, where) in enumerate(_sides(test)):
                yield Boundary(rule.key, test.place, side, where, test.fact, value, others)


def _is_possible(boundary: Boundary, facts: Mapping[str, Column]) -> bool:
    column = facts[boundary.fact]
    inside = (column.low is None or boundary.value >= column.low) and (
        column.high is None or boundary.value <= column.high
    )
    return inside and possible_after((*boundary.others, constant(boundary.fact, boundary.value)), facts) is not None


def _sides(test: Test) -> list[tuple[int, str]]:
    values = [operand.value for operand in operands_of(test) if isinstance(operand, Const)]
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if test.op is Op.BETWEEN and len(numbers) == 2:
        low, high = numbers
        return [(end + step, where) for end, (step, where) in zip((low, low, high, high), BETWEEN, strict=True)]
    if test.op in SIDES and len(numbers) == 1:
        return [(numbers[0] + step, where) for step, where in SIDES[test.op]]
    return []


def _shown(policy: Policy, parameters: list[Parameters], facts: Mapping[str, Column]) -> set[Name]:
    """The boundaries that some case shows: the value is there, and all else of the path holds."""
    plain = empty_row(facts)
    known: dict[tuple[tuple[str, Scalar], ...], list[Boundary]] = {}
    shown: set[Name] = set()
    derives = bool(derived_in(facts))
    for case in policy.cases:
        fixed = tuple(sorted(case.parameters.items()))
        row = {**plain, **case.facts}
        if fixed not in known or derives:
            stage = book_of(case, policy, parameters, facts).stages[policy.stage]
            known[fixed] = [boundary for rule in stage.rules for boundary in _boundaries(rule)]
            row = with_derived(row, stage)
        for boundary in known[fixed]:
            here = row[boundary.fact] == boundary.value and boundary.name not in shown
            if here and all(holds_of(test)(row) for test in boundary.others):
                shown.add(boundary.name)
    return shown


def _example(boundary: Boundary, before: list[Part], facts: Mapping[str, Column]) -> Row | None:
    """A row on the boundary, if possible one that no earlier rule takes."""
    here: Path = (*boundary.others, constant(boundary.fact, boundary.value))
    free = left_after(parts_of([here], facts), before, facts, PARTS_MAX) or []
    return next((row for path in (*free, here) if (row := example(path, facts)) is not None), None)


def _name(policy: Policy, boundary: Boundary, facts: Mapping[str, Column]) -> str:
    rule = policy.rule(boundary.rule)
    return f"{rule.label or rule.key}: {facts[boundary.fact].label.lower()} {boundary.where} the threshold"


def _unique(name: str, taken: set[str]) -> str:
    number = 2
    found = name
    while found in taken:
        found = f"{name} ({number})"
        number += 1
    return found


def _fixed(policy: Policy, parameters: list[Parameters]) -> dict[str, Scalar]:
    """What the policy's parameters are on its first day, for all segments."""
    book = Book.build([policy], parameters, policy.from_day, entity=policy.entity, subject=policy.subject)
    read = set[str]()
    for rule in policy.rules:
        read |= params_of(rule.when).union(*(effect_params_of(effect) for effect in rule.then.values()))
    for effect in policy.otherwise.then.values():
        read |= effect_params_of(effect)
    return {name: book.parameters[name].value for name in sorted(read) if not book.parameters[name].by_segment}


def decided_case(
    case: Case, policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]
) -> dict[str, Any]:
    """A case with what the policy makes of it now."""
    row = {**{name: value for name, value in empty_row(dictionary).items() if name not in OUTCOMES}, **case.facts}
    decided = decide_alone(row, case, book_of(case, policy, parameters, dictionary))
    document: dict[str, Any] = {"name": case.name, "facts": dict(case.facts)}
    if policy.stage in decided.undecided:
        document["undecided"] = True
    else:
        document["expect"] = {name: decided.outcomes[name] for name in _expected(policy)}
        if policy.hit in ("first", "most_severe", "unique"):
            document["rule"] = decided.winner.get(policy.stage) or OTHERWISE
    if case.parameters:
        document["parameters"] = dict(case.parameters)
    return document


def _expected(policy: Policy) -> list[str]:
    """The outcomes a case of the policy states: those some rule sets, and what follows from points."""
    stage = STAGE[policy.stage]
    named = {name for rule in policy.rules for name in rule.then} | set(policy.otherwise.then)
    return [column.name for column in stage.outcomes if column.name in named or column.name not in stage.settable]
