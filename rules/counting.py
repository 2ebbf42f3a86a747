"""Counting: which parts of a policy, finished or not, can be asked of a frame, and by what condition.

While a policy is edited some of it may be wrong. Whatever can be read is counted: every test, group
and rule by its own place, a rule only when all of it can be read. Who decides is known only of a
policy that is whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any as Json

from ledger.columns import Column
from rules import limits
from rules.book import BookStage, compiled
from rules.checks import Reading, test_problems
from rules.conditions import All, Any, Condition, Not, map_tests, nnf, tests_of
from rules.documents import condition_of, parse
from rules.facts import readable
from rules.misfits import shape_problems
from rules.policies import Parameter, Parameters, Policy, Resolved
from rules.resolving import resolve_test
from rules.stages import STAGE

PLACES_MAX = 5_000  # of one document; what comes after is not counted
TESTS_MAX = 20_000  # with one for each segment that has its own value of a parameter
WINNERS = frozenset({"first", "most_severe", "unique"})  # hit policies under which one rule decides a row

Conditions = dict[str, Condition]


@dataclass(frozen=True)
class Countable:
    """What of a policy can be counted.

    Args:
        places: by JSON pointer, the condition that stands there, in NNF and with constants only; a
            rule has its condition under its own place too.
        rules: places of the rules (of an escalation: of the steps) in document order, counted or not.
        stage: the policy compiled, when all of it can be read and one rule decides; else None.
    """

    places: Mapping[str, Condition]
    rules: tuple[str, ...]
    stage: BookStage | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every rule can be counted, so that it is known whom any of them matches."""
        return all(place in self.places for place in self.rules)


NOTHING = Countable({}, ())


def countable(
    body: Mapping[str, Json],
    sets: Iterable[Parameters],
    resolved: Mapping[str, Resolved],
    dictionary: Mapping[str, Column],
) -> Countable:
    """Find what can be counted in a policy as it stands, wrong or right.

    Args:
        body: the decoded JSON, of whatever shape.
        sets: the parameters it would be live with.
        resolved: their values of the day, by name.
        dictionary: facts and outcomes of its subject.
    """
    stage = body.get("stage")
    if not isinstance(stage, str) or stage not in STAGE:
        return NOTHING
    declared = {parameter.name: parameter for one in sets for parameter in one.parameters if parameter.name in resolved}
    policy = parse({**body, "cases": []})[0]  # cases say nothing about whom it matches
    search = _Search(stage, readable(stage, dictionary), declared, resolved, policy is not None, {})
    if policy is not None and policy.escalation is not None:
        steps = search.escalation(policy)
        return replace(steps, stage=_whole(policy, resolved, dictionary)) if steps.is_whole else steps
    written = body.get("rules")
    places = []
    for index, rule in enumerate(written if isinstance(written, list) else ()):
        places.append(f"/rules/{index}")
        when = search.condition(rule.get("when"), f"{places[-1]}/when") if isinstance(rule, Mapping) else None
        if when is not None:
            search.found[places[-1]] = search.found[f"{places[-1]}/when"]
    escalation = body.get("escalation")
    if isinstance(escalation, Mapping):
        search.condition(escalation.get("unless"), "/escalation/unless")
    found = Countable(search.found, tuple(places))
    return Countable(found.places, found.rules, _whole(policy, resolved, dictionary) if found.is_whole else None)


def _whole(
    policy: Policy | None, resolved: Mapping[str, Resolved], dictionary: Mapping[str, Column]
) -> BookStage | None:
    if policy is None or policy.hit not in WINNERS:
        return None
    try:
        return compiled(policy, resolved, dictionary)
    except ValueError:  # an effect names a parameter that is not there
        return None


@dataclass
class _Search:
    """One pass through a document; ``found`` grows as places are read.

    Args:
        is_shaped: the shape of the whole was checked, so that of its parts need not be.
        tests: how many were read so far.
    """

    stage: str
    facts: Mapping[str, Column]
    declared: Mapping[str, Parameter]
    resolved: Mapping[str, Resolved]
    is_shaped: bool
    found: Conditions
    tests: int = 0

    def condition(self, written: Json, place: str, depth: int = 1) -> Condition | None:
        """Read a condition and all its parts; None when some of it cannot be read."""
        condition = self._read(written, place, depth)
        if condition is None or len(self.found) >= PLACES_MAX:
            return None
        self.found[place] = self._resolved(condition)
        return condition

    def _resolved(self, condition: Condition) -> Condition:
        return map_tests(nnf(condition), lambda test: resolve_test(test, self.resolved))

    def _read(self, written: Json, place: str, depth: int) -> Condition | None:
        if isinstance(written, list):
            return self._test(written, place)
        if not isinstance(written, Mapping) or len(written) != 1 or depth > limits.CONDITION_DEPTH:
            return None
        ((word, inner),) = written.items()
        if word == "not":
            part = self.condition(inner, f"{place}/not", depth + 1)
            return None if part is None else Not(part)
        if word not in ("all", "any") or not isinstance(inner, list) or not 0 < len(inner) <= limits.TESTS_PER_RULE:
            return None
        parts = [self.condition(part, f"{place}/{word}/{index}", depth + 1) for index, part in enumerate(inner)]
        known = tuple(part for part in parts if part is not None)
        return None if len(known) < len(parts) else (All if word == "all" else Any)(known)

    def _test(self, written: list[Json], place: str) -> Condition | None:
        if not self.is_shaped and shape_problems(written, "condition"):
            return None
        test = condition_of(written, place)
        if not self._is_sound([test]):
            return None
        self.tests += sum(1 for _ in tests_of(self._resolved(test)))
        return test if self.tests <= TESTS_MAX else None

    def _is_sound(self, conditions: Iterable[Condition]) -> bool:
        reading = Reading(self.stage, self.facts, self.declared)
        return not any(test_problems(test, reading) for one in conditions for test in tests_of(one))

    def escalation(self, policy: Policy) -> Countable:
        """The steps of an escalation that can be read, and the parts of its `unless`."""
        unless = policy.document.get("escalation")
        self.condition(unless.get("unless") if isinstance(unless, Mapping) else None, "/escalation/unless")
        for rule in policy.rules:
            if self._is_sound([rule.when]) and len(self.found) < PLACES_MAX:
                self.found[rule.place] = self._resolved(rule.when)
        return Countable(self.found, tuple(rule.place for rule in policy.rules))
