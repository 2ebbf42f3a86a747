"""Cases: the examples inside a document, run against it."""

from collections.abc import Mapping
from dataclasses import replace

from ledger.columns import Column
from ledger.problems import Problem
from rules.book import Book
from rules.conditions import Scalar
from rules.derived import derived_in
from rules.facts import empty_row, fits, readable
from rules.policies import Case, Dated, Parameters, Policy
from rules.reference import Decided, decide
from rules.stages import OUTCOMES, STAGE

OTHERWISE = "otherwise"


def case_problems(policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]) -> list[Problem]:
    """Cases whose outcome is not the expected one, and cases that make no sense."""
    problems = []
    facts = readable(policy.stage, dictionary)
    books: dict[object, Book] = {}
    for case in policy.cases:
        wrong = _sense_problems(case, policy, parameters, facts)
        if not wrong:
            fixed = tuple(sorted(case.parameters.items()))
            if fixed not in books:
                books[fixed] = book_of(case, policy, parameters, dictionary)
            wrong = _run(case, policy, books[fixed], dictionary)
        problems += wrong
    return problems


def _sense_problems(
    case: Case, policy: Policy, parameters: list[Parameters], facts: Mapping[str, Column]
) -> list[Problem]:
    problems = []
    for name, value in case.facts.items():
        place = f"{case.place}/facts/{name}"
        if name not in facts:
            problems.append(Problem(place, f"a policy of this stage cannot read {name!r}", "name a fact it can read"))
        elif not fits(value, facts[name]):
            problems.append(Problem(place, f"{value!r} is not a {facts[name].kind.value}", "correct the value"))
    own = {column.name for column in STAGE[policy.stage].outcomes}
    for name in case.expect:
        if name not in own:
            problems.append(
                Problem(f"{case.place}/expect/{name}", f"{name!r} is no outcome of this stage", "remove it")
            )
    if case.rule not in (None, OTHERWISE) and case.rule not in {rule.key for rule in policy.rules}:
        problems.append(Problem(f"{case.place}/rule", f"there is no rule {case.rule!r}", "name one of this policy"))
    known = {parameter.name: parameter for one in parameters for parameter in one.parameters}
    for name, value in case.parameters.items():
        place = f"{case.place}/parameters/{name}"
        if name not in known:
            problems.append(Problem(place, f"there is no parameter {name!r}", "remove it"))
        elif type(value) is not type(known[name].values[0].value):
            problems.append(Problem(place, f"{value!r} is not a {known[name].kind.value}", "correct the value"))
    return problems


def _run(case: Case, policy: Policy, book: Book, dictionary: Mapping[str, Column]) -> list[Problem]:
    row: dict[str, Scalar | None] = {
        **{name: value for name, value in empty_row(dictionary).items() if name not in OUTCOMES},
        **case.facts,
    }
    decided = decide_alone(row, case, book)
    problems = []
    for name, wanted in case.expect.items():
        found = decided.outcomes[name]
        if found != wanted:
            problems.append(
                Problem(
                    f"{case.place}/expect/{name}",
                    f"the case {case.name!r} gives {name} {found!r}, not {wanted!r}",
                    "correct the rules, or the case",
                )
            )
    undecided = policy.stage in decided.undecided
    if undecided != case.undecided:
        what = f"unknown are {', '.join(decided.undecided[policy.stage])}" if undecided else "it is decided"
        problems.append(Problem(f"{case.place}/undecided", f"the case {case.name!r}: {what}", "correct the case"))
    winner = decided.winner.get(policy.stage) or OTHERWISE
    if case.rule is not None and case.rule != winner and not undecided:
        problems.append(
            Problem(
                f"{case.place}/rule",
                f"the case {case.name!r} is decided by {winner!r}, not {case.rule!r}",
                "correct the rules, or the case",
            )
        )
    return problems


def decide_alone(row: Mapping[str, Scalar | None], case: Case, book: Book) -> Decided:
    """Decide with earlier outcomes as the case gives them: they arrive as overrides."""
    given = {f"override_{name}": value for name, value in case.facts.items() if name in OUTCOMES}
    return decide({**row, **given}, book)


def book_of(case: Case, policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]) -> Book:
    """The policy alone, with the parameters of its first day and those the case holds fixed.

    Derived facts of the dictionary are computed, but for those whose value the case gives.
    """
    fixed = [
        replace(
            one,
            parameters=tuple(
                replace(parameter, values=(Dated(policy.from_day, case.parameters[parameter.name]),))
                if parameter.name in case.parameters
                else parameter
                for parameter in one.parameters
            ),
        )
        for one in parameters
    ]
    return Book.build(
        [policy],
        fixed,
        policy.from_day,
        derived=[column.fact for column in derived_in(dictionary)],
        given=frozenset(case.facts),
        entity=policy.entity,
        subject=policy.subject,
    )
