"""Checks of a mapping: where customers stand who stood at a step or level that a version has no more."""

from collections.abc import Collection, Mapping

from ledger.problems import Problem
from rules.policies import Escalation, Policy
from rules.stepping import NO_SCENARIO

PLACE = "/escalation/mapping"
MOVED = "is in use at level"  # in the finding about a step that kept its key but not its level


def mapping_problems(terms: Escalation) -> list[Problem]:
    """What is wrong with the mapping by itself: it leads from what is gone to what is there."""
    steps = {step.key for step in terms.steps()}
    levels = {step.level for step in terms.steps()}
    problems = []
    for old, new in terms.mapped_steps.items():
        place = f"{PLACE}/steps/{old}"
        if old in steps:
            problems.append(Problem(place, f"{old} is a step of this version", "take the line out, or rename the step"))
        if new not in steps:
            problems.append(Problem(place, f"{new} is no step of this version", "name a step that it has"))
    for level, to in terms.mapped_levels.items():
        place = f"{PLACE}/levels/{level}"
        if level in levels:
            problems.append(Problem(place, f"{level} is a level of this version", "take the line out"))
        if to not in levels | {0}:
            problems.append(Problem(place, f"{to} is no level of this version", "name a level that it has"))
    return problems


def dropped_problems(
    policy: Policy,
    before: Policy | None,
    steps: Collection[str],
    levels: Collection[int],
    scenarios: Collection[str] = (),
) -> list[Problem]:
    """Steps, levels and scenarios in use that a version has no more: nobody would know what comes next.

    Args:
        before: the version in force, whose steps may have had other levels.
        steps: keys of the steps at which customers stand.
        levels: levels at which customers stand without a step.
        scenarios: those that a person tied customers to.
    """
    terms = policy.escalation
    if terms is None:
        return []
    now = {step.key: step.level for step in terms.steps()}
    was = {} if before is None or before.escalation is None else _levels(before.escalation)
    problems = []
    for key in sorted(steps):
        if key not in now and key not in terms.mapped_steps:
            cure = f'keep the step, or say which takes its place: "{key}": "..."'
            problems.append(Problem(f"{PLACE}/steps", f"the step {key} is in use: customers stand at it", cure))
        elif key in now and was.get(key, now[key]) != now[key]:
            what = f"the step {key} {MOVED} {was[key]} and would be at {now[key]}"
            place = next(rule.place for rule in policy.rules if rule.key == key)
            problems.append(Problem(place, what, "give it another key, and map the old one to it"))
    for name in sorted(set(scenarios) - {*terms.scenarios, NO_SCENARIO}):
        what = f"the scenario {name} is in use: a person tied customers to it"
        problems.append(Problem("/escalation/scenarios", what, "keep it, or end those overrides first"))
    known = {0, *now.values(), *terms.mapped_levels}
    problems += [
        Problem(f"{PLACE}/levels", f"level {level} is in use: customers stand at it", f'map it: "{level}": ...')
        for level in sorted(set(levels) - known)
    ]
    return problems


def _levels(terms: Escalation) -> Mapping[str, int]:
    return {step.key: step.level for step in terms.steps()}
