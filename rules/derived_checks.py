"""Checks of derived facts: names, units, ranges, circles, and the conditions inside their formulas."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ledger.columns import Column
from ledger.problems import Problem
from rules.checks import Reading, test_problems
from rules.conditions import tests_of
from rules.derived import merged, with_derived
from rules.facts import dictionary_of
from rules.formulas import Choice, DerivedFact, DerivedFacts, walk
from rules.policies import Parameter, Parameters


def check_derived(
    checked: DerivedFacts, others: Iterable[DerivedFacts], parameters: Iterable[Parameters]
) -> list[Problem]:
    """Everything wrong with a document of derived facts.

    Args:
        checked: parsed.
        others: the other documents it holds with.
        parameters: all that it holds with.

    Returns:
        Findings in the order of the document; empty when it may be proposed.
    """
    named = {one.name: one for part in parameters for one in part.parameters}
    # Places of other documents mean nothing here.
    known = [replace(fact, place="") for fact in merged(others, checked.entity)]
    own = {fact.name for fact in checked.facts}
    facts = [*(fact for fact in known if fact.name not in own), *checked.facts]
    dictionary, problems = with_derived(dictionary_of("customer"), facts, named)
    problems = [problem for problem in problems if problem.place.startswith("/facts/")]
    for fact in checked.facts:
        problems += _condition_problems(fact, dictionary, named)
    return list(dict.fromkeys(problems))


def _condition_problems(
    fact: DerivedFact, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]
) -> list[Problem]:
    """What is wrong with the tests of its choices."""
    reading = Reading("", facts, parameters)
    found: list[Problem] = []
    for place, part in walk(fact.formula, f"{fact.place}/formula"):
        if isinstance(part, Choice):
            for test in tests_of(part.condition):
                found += test_problems(replace(test, place=test.place or place), reading)
    return found
