"""Scenarios read from JSON whose shape was checked, and what no schema can say of their steps."""

from collections.abc import Mapping, Sequence
from typing import Any as Json

from ledger.problems import Problem
from rules.condition_reading import condition_of, constant_of
from rules.policies import TIMINGS, Escalation, Step
from rules.stepping import NO_SCENARIO

LONGEST_MONTH = 31


def escalation_of(terms: Mapping[str, Json]) -> Escalation:
    """The terms of an escalation, its scenarios among them."""
    return Escalation(
        tolerance=constant_of(terms["tolerance"]),
        minimum=constant_of(terms["minimum"]),
        minimum_days=constant_of(terms["minimum_days"]),
        after_leader_paid=terms.get("after_leader_paid", "resume"),
        catch_up=terms.get("catch_up", False),
        scenario_by=terms.get("scenario_by", "segment"),
        scenarios={name: _steps(steps, name) for name, steps in terms["scenarios"].items()},
        unless=condition_of(terms["unless"], "/escalation/unless") if "unless" in terms else None,
        mapped_steps=terms.get("mapping", {}).get("steps", {}),
        mapped_levels={int(old): new for old, new in terms.get("mapping", {}).get("levels", {}).items()},
    )


def _steps(steps: Sequence[Mapping[str, Json]], scenario: str) -> tuple[Step, ...]:
    found = []
    level = 0
    for index, step in enumerate(steps):
        level = step.get("level", 0 if step.get("days", 1) < 0 else level + 1)
        read = {**step, "level": level}
        read |= {name: tuple(step[name]) for name in ("otherwise", "attach") if name in step}
        if "when" in step:
            read["when"] = condition_of(step["when"], f"/escalation/scenarios/{scenario}/{index}/when")
        found.append(Step(**read))
    return tuple(found)


def scenario_problems(terms: Escalation) -> list[Problem]:
    """Where the steps of a scenario have no timing, or do not come one after the other."""
    problems = []
    if NO_SCENARIO in terms.scenarios:
        what = f"{NO_SCENARIO} is what customers follow whom a person lets follow no scenario"
        problems.append(Problem(f"/escalation/scenarios/{NO_SCENARIO}", what, "give it another name"))
    for name, steps in terms.scenarios.items():
        problems += _step_problems(steps, f"/escalation/scenarios/{name}")
    return problems


def _step_problems(steps: Sequence[Step], place: str) -> list[Problem]:
    problems = []
    for index, step in enumerate(steps):
        where = f"{place}/{index}"
        before = steps[index - 1] if index else None
        said = [name for name, _days in step.timings]
        if len(said) != 1:
            what = f"a step has one timing, this one has {' and '.join(said) or 'none'}"
            problems.append(Problem(where, what, f"give exactly one of {', '.join(TIMINGS)}"))
        elif all(len(one.timings) == 1 for one in steps[:index]):
            problems += _order_problems(step, steps[:index], f"{where}/{said[0]}")
        if step.is_early and step.level != 0:
            problems.append(Problem(f"{where}/level", "a step before the due date has level 0", "leave the level out"))
        if not step.is_early and step.level <= (before.level if before else 0):
            problems.append(
                Problem(f"{where}/level", "the levels after the due date do not rise", "raise it, or leave it out")
            )
    return problems


def _order_problems(step: Step, earlier: Sequence[Step], place: str) -> list[Problem]:
    """A step that may come before the one it stands behind, whenever the leader is due."""
    before = earlier[-1] if earlier else None
    if step.after_previous is not None:
        if before is not None and not before.is_early:
            return []
        what = "there is no step after the due date before it" if before else "there is no step before it"
        return [Problem(place, what, "count the days of the first step from the due date")]
    if before is None or (before.is_early and not step.is_early):
        return []
    first, last = _span(earlier)
    if step.days is not None and step.days <= last:
        cure = "sort the steps by day"
        if last > first:
            cure = f"the step before may come {last} days after the due date: give {last + 1} or more"
        return [Problem(place, "the days of the steps do not rise", cure)]
    if step.end_of_month is not None:
        lowest = before.end_of_month + 1 if before.end_of_month is not None else first
        if step.end_of_month < lowest:
            what = "the end of that month may come before the step it stands behind"
            return [Problem(place, what, f"give {lowest} or more")]
    return []


def _span(steps: Sequence[Step]) -> tuple[int, int]:
    """First and last day after the due date on which the last of some steps can come at the earliest."""
    first = last = 0
    for step in steps:
        if step.days is not None:
            first = last = step.days
        elif step.end_of_month is not None:
            first, last = step.end_of_month, step.end_of_month + LONGEST_MONTH - 1
        else:
            first, last = first + (step.after_previous or 0), last + (step.after_previous or 0)
    return first, last
