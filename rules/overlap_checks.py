"""Checks between rules: contradictions, rules never reached, overlaps under `unique`, gaps.

Parameters take the values of the day the policy begins, for all segments.
"""

from collections.abc import Mapping

from ledger.columns import Column
from ledger.problems import Problem
from rules.book import Book, BookRule, BookStage
from rules.conditions import paths
from rules.facts import readable
from rules.gap_checks import gap_problems
from rules.intervals import implies
from rules.policies import Parameters, Policy
from rules.regions import Part, left_after, parts_of

PAIRS_LIMIT = 20_000  # comparisons of paths; beyond it coverage is not looked for
TOGETHER_MAX = 40  # paths of earlier rules; beyond it what they cover together is not looked for
PARTS_MAX = 200
OVERLAPS_MAX = 100  # found at once; the next check finds the next

Parts = list[Part]


def overlap_problems(policy: Policy, parameters: list[Parameters], dictionary: Mapping[str, Column]) -> list[Problem]:
    """Findings about what rules leave to each other."""
    try:
        stage = stage_for_checks(policy, parameters)
    except ValueError as missing:
        return [Problem("/effective/from", str(missing), "give the parameter a value from that day, or begin later")]
    facts = readable(policy.stage, dictionary)
    known = {rule.key: parts_of(paths(rule.condition), facts) for rule in stage.rules}
    problems = [
        Problem(
            f"{rule.rule.place}/when", "no row can ever meet this: its tests contradict each other", "correct a test"
        )
        for rule in stage.rules
        if not known[rule.key]
    ]
    if policy.escalation is not None:
        return problems  # steps overlap by design; the settling chooses among them
    if policy.hit in ("first", "most_severe"):
        problems += _unreachable(stage, known, facts)
    if policy.hit == "unique":
        problems += _overlaps(stage, known)
    if policy.hit in ("sum", "count", "collect", "min", "max", "unique", "any"):
        problems += _twins(stage)
    return problems + gap_problems(stage, facts)


def stage_for_checks(policy: Policy, parameters: list[Parameters]) -> BookStage:
    """The policy alone in a book of the day it begins (or of its parameters' first day).

    Raises:
        ValueError: a parameter has no value on that day.
    """
    book = Book.build([policy], parameters, policy.from_day, entity=policy.entity, subject=policy.subject)
    return book.stages[policy.stage]


def _unreachable(stage: BookStage, known: Mapping[str, Parts], facts: Mapping[str, Column]) -> list[Problem]:
    problems: list[Problem] = []
    work = 0
    for place, rule in enumerate(stage.ranked):
        mine = known[rule.key]
        for earlier in stage.ranked[:place]:
            theirs = known[earlier.key]
            work += len(mine) * len(theirs)
            if work > PAIRS_LIMIT:
                return problems
            if mine and _covers(theirs, mine, facts):
                problems.append(
                    Problem(
                        f"{rule.rule.place}/when",
                        f"the rule {rule.key!r} is never reached: {earlier.key!r} comes first and covers it",
                        "change the order or the condition",
                    )
                )
                break
        else:
            problems += _covered_together(rule, mine, [known[one.key] for one in stage.ranked[:place]], facts)
    return problems


def _covered_together(rule: BookRule, mine: Parts, earlier: list[Parts], facts: Mapping[str, Column]) -> list[Problem]:
    """Whether rules that come first leave nothing to this one, though none covers it alone."""
    taken = [part for theirs in earlier for part in theirs if _meet(mine, [part])]
    if not mine or len(taken) < 2 or len(taken) > TOGETHER_MAX:
        return []
    if left_after(mine, taken, facts, PARTS_MAX) != []:
        return []
    what = f"the rule {rule.key!r} is never reached: the rules before it cover it together"
    return [Problem(f"{rule.rule.place}/when", what, "change the order or the conditions")]


def _covers(theirs: Parts, mine: Parts, facts: Mapping[str, Column]) -> bool:
    return all(any(implies(part.path, part.space, other.path, facts) for other in theirs) for part in mine)


def _overlaps(stage: BookStage, known: Mapping[str, Parts]) -> list[Problem]:
    problems: list[Problem] = []
    work = 0
    for place, rule in enumerate(stage.ranked):
        for earlier in stage.ranked[:place]:
            work += len(known[rule.key]) * len(known[earlier.key])
            if work > PAIRS_LIMIT or len(problems) == OVERLAPS_MAX:
                return problems
            if _meet(known[rule.key], known[earlier.key]):
                problems.append(
                    Problem(
                        f"{rule.rule.place}/when",
                        f"{rule.key!r} and {earlier.key!r} can both match, which `unique` forbids",
                        "make them exclude each other, or use `first`",
                    )
                )
    return problems


def _meet(mine: Parts, theirs: Parts) -> bool:
    return any(one.space.meets(other.space) for one in mine for other in theirs)


def _twins(stage: BookStage) -> list[Problem]:
    problems = []
    seen: dict[object, str] = {}
    for rule in stage.ranked:
        if rule.condition in seen:
            problems.append(
                Problem(
                    f"{rule.rule.place}/when",
                    f"{rule.key!r} asks exactly what {seen[rule.condition]!r} asks",
                    "put both effects into one rule",
                    "warning",
                )
            )
        seen.setdefault(rule.condition, rule.key)
    return problems
