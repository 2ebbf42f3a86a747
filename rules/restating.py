"""Restating: the cases of a changed policy that now give something else, with what they give.

A case is an example people agreed on. A change that overturns it is refused until somebody says
that the new answer is what they want; then the case goes on with its new expectation.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any as Json

from ledger.columns import Column
from rules.case_checks import OTHERWISE, book_of
from rules.facts import empty_row
from rules.policies import Case, Parameters, Policy
from rules.reference import decide
from rules.stages import OUTCOMES


@dataclass(frozen=True, slots=True)
class Restated:
    """One case that gives something else.

    Args:
        index: its place among the cases.
        name: what it is called.
        expected, given: outcomes that differ, before and after.
        rule: key of the rule that decides it now, where the case names one.
    """

    index: int
    name: str
    expected: Mapping[str, Json]
    given: Mapping[str, Json]
    rule: str | None


def restated(policy: Policy, parameters: Iterable[Parameters], dictionary: Mapping[str, Column]) -> list[Restated]:
    """The cases of a checked policy whose expectation no longer holds; undecided ones are left alone."""
    sets = list(parameters)
    found = []
    for index, case in enumerate(policy.cases):
        outcomes, winner, undecided = _given(case, policy, sets, dictionary)
        if undecided or case.undecided:
            continue
        other = {name: outcomes[name] for name, wanted in case.expect.items() if outcomes[name] != wanted}
        moved = case.rule is not None and case.rule != winner
        if other or moved:
            before = {name: case.expect[name] for name in other}
            found.append(Restated(index, case.name, before, other, winner if moved else None))
    return found


def with_restated(document: Mapping[str, Json], cases: Iterable[Restated]) -> dict[str, Json]:
    """The document with new expectations in place of those that no longer hold."""
    changed: dict[str, Json] = json.loads(json.dumps(document))
    for one in cases:
        case = changed["cases"][one.index]
        case["expect"] = {**case.get("expect", {}), **one.given}
        if one.rule is not None:
            case["rule"] = one.rule
    return changed


def _given(
    case: Case, policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]
) -> tuple[Mapping[str, Json], str, bool]:
    row = {name: value for name, value in empty_row(dictionary).items() if name not in OUTCOMES}
    # Outcomes of earlier stages arrive as overrides: the policy decides alone.
    earlier = {f"override_{name}": value for name, value in case.facts.items() if name in OUTCOMES}
    decided = decide({**row, **case.facts, **earlier}, book_of(case, policy, parameters, dictionary))
    return decided.outcomes, decided.winner.get(policy.stage) or OTHERWISE, policy.stage in decided.undecided
