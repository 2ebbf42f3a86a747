"""Scenarios being edited: whatever is done to their steps, these keep their order by day and rise in level.

Pure, in the manner of ``rules.editing``: document and place in, the changed document or the problems out.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any as Json

from ledger.problems import Problem
from rules.editing import Document, Edited, drop, names_in, pointer, put, replaced, steps_of, unused, value_at, within
from rules.policies import TIMINGS
from rules.scenario_reading import escalation_of, scenario_problems
from rules.stepping import STANDARD

Steps = list[dict[str, Json]]
NO_KEY = re.compile(r"[^A-Za-z0-9_.-]+")
KEY_HEAD_MAX = 40
MONTH_DAYS = 30  # the end of a month is up to so many days away; on a line it stands half-way
TRIED_DAYS = 70  # a step that is moved looks for a free day up to so many days farther


def day_on_line(step: Mapping[str, Json], before: int | None) -> int:
    """The day from the due date a step stands at on a line of days, where a month's end stands half-way.

    Args:
        before: the day of the step before it; None for the first.

    >>> day_on_line({"days": -10}, None), day_on_line({"after_previous": 7}, 4), day_on_line({"end_of_month": 0}, 4)
    (-10, 11, 15)
    """
    if "after_previous" in step:
        return int(max(before or 0, 0) + step["after_previous"])
    if "end_of_month" in step:
        return int(step["end_of_month"] + MONTH_DAYS // 2)
    return int(step["days"])


def days_on_line(steps: Sequence[Mapping[str, Json]]) -> list[int]:
    """The day of each step of a scenario on a line of days."""
    found: list[int] = []
    for step in steps:
        found.append(day_on_line(step, found[-1] if found else None))
    return found


def add_step(document: Document, scenario: str, step: Mapping[str, Json]) -> Edited:
    """Put a step into a scenario, where its day says, under a key of its own.

    Args:
        step: without a key, or with the one it should have if that is free.
    """
    try:
        steps = value_at(document, pointer("escalation", "scenarios", scenario))
    except KeyError:
        return None, [_no_scenario(scenario)]
    day = day_on_line(step, days_on_line(steps)[-1] if steps else None)
    wanted = step.get("key") or key_for(scenario, day)
    made = {"key": unused(wanted, names_in(document, "key")), **{n: v for n, v in step.items() if n != "key"}}
    return _with_steps(document, scenario, _placed(steps, len(steps), made))


def key_for(scenario: str, day: int) -> str:
    """The key a new step of a scenario is given: its day, as in the shipped ones.

    >>> key_for("key account", -10), key_for("standard", 14)
    ('key-account-m10', 'standard-p14')
    """
    head = NO_KEY.sub("-", scenario)[:KEY_HEAD_MAX].strip("-._") or "step"
    return f"{head}-{'m' if day < 0 else 'p'}{abs(day)}"


def put_step(document: Document, place: str, step: Mapping[str, Json]) -> Edited:
    """Put a step in place of another; where its day is another one, at the place of that day.

    Levels follow the order where the step moves, unless the level is what is changed.
    """
    where, number = within(place)
    try:
        steps, now = value_at(document, where), value_at(document, place)
    except KeyError:
        return put(document, place, dict(step))
    if "days" in step and step["days"] != now.get("days"):
        twin = next((one for one in steps if one is not now and one.get("days") == step["days"]), None)
        if twin is not None:
            what = f"the step {twin.get('label') or twin['key']!r} already stands at this day"
            return None, [Problem(f"{place}/days", what, "give another day")]
    if _timing(step) == _timing(now) or step.get("level") != now.get("level"):
        return put(document, place, dict(step))
    return _with_steps(document, steps_of(where)[-1], _placed(steps, int(number), step))


def move_step(document: Document, place: str, by: int) -> Edited:
    """Move a step by so many days, or farther to the next day it can stand at, past the due date too.

    What is counted from the step goes with it.
    """
    where, number = within(place)
    try:
        step, steps = value_at(document, place), value_at(document, where)
    except KeyError:
        return None, [Problem(place, "nothing stands here any more", "reload the page and choose again")]
    ((name, days),) = _timing(step)
    farther = 1 if by > 0 else -1
    moved = step
    for to in range(days + by, days + by + farther * TRIED_DAYS, farther):
        moved = {**step, name: to if name == "days" else max(to, int(name == "after_previous"))}
        if moved[name] and not _order_problems(document, _placed(steps, int(number), moved)):
            break
    return put_step(document, place, moved)


def renew_key(document: Document, place: str) -> Edited:
    """Give a step another key, and lead whoever stands at it from the old one to it; cases that name it follow."""
    where, number = within(place)
    try:
        steps, step = value_at(document, where), value_at(document, place)
    except KeyError:
        return None, [Problem(place, "nothing stands here any more", "reload the page and choose again")]
    terms, old = document["escalation"], step["key"]
    mapped = terms.get("mapping", {}).get("steps", {})
    day = days_on_line(steps)[int(number)]
    new = unused(key_for(steps_of(where)[-1], day), {*names_in(document, "key"), *mapped})
    led = {**{one: new if to == old else to for one, to in mapped.items()}, old: new}
    changed = {
        **terms,
        "mapping": {**terms.get("mapping", {}), "steps": led},
        "scenarios": {
            **terms["scenarios"],
            steps_of(where)[-1]: [{**s, "key": new} if s is step else s for s in steps],
        },
    }
    cases = [_following(case, old, new) for case in document.get("cases", ())]
    return replaced({**document, "escalation": changed, **({"cases": cases} if cases else {})})


def _following(case: Mapping[str, Json], old: str, new: str) -> dict[str, Json]:
    """A case that expects a step, under the step's new key."""
    found = {**case, "rule": new} if case.get("rule") == old else dict(case)
    if case.get("expect", {}).get("step") == old:
        found["expect"] = {**case["expect"], "step": new}
    return found


def add_scenario(document: Document, name: str, copy_of: str | None = None) -> Edited:
    """Add a scenario, empty or with copies of another's steps, each under a key of its own."""
    scenarios = document.get("escalation", {}).get("scenarios", {})
    if not name or name in scenarios:
        return None, [_taken(name)]
    if copy_of is not None and copy_of not in scenarios:
        return None, [_no_scenario(copy_of)]
    taken, steps = names_in(document, "key"), []
    for step, day in _with_days(scenarios[copy_of] if copy_of is not None else []):
        key = unused(key_for(name, day), taken)
        taken.add(key)
        steps.append({**step, "key": key})
    return put(document, pointer("escalation", "scenarios", name), steps)


def rename_scenario(document: Document, name: str, to: str) -> Edited:
    """Give a scenario another name, so that it is for others; its steps keep their keys."""
    scenarios = document.get("escalation", {}).get("scenarios", {})
    if name == STANDARD or name not in scenarios:
        return None, [_no_scenario(name)]
    if not to or (to != name and to in scenarios):
        return None, [_taken(to)]
    renamed = {to if one == name else one: steps for one, steps in scenarios.items()}
    return put(document, "/escalation/scenarios", renamed)


def remove_scenario(document: Document, name: str) -> Edited:
    """Remove a scenario; the standard one stays, since it is for everybody without one."""
    if name == STANDARD:
        return None, [_no_scenario(name)]
    return drop(document, pointer("escalation", "scenarios", name))


# --- below -------------------------------------------------------------------------------


def _with_days(steps: Sequence[Mapping[str, Json]]) -> list[tuple[Mapping[str, Json], int]]:
    return list(zip(steps, days_on_line(steps), strict=True))


def _timing(step: Mapping[str, Json]) -> list[tuple[str, int]]:
    return [(name, step[name]) for name in TIMINGS if name in step]


def _order_problems(document: Document, steps: Steps) -> list[Problem]:
    return scenario_problems(escalation_of({**document["escalation"], "scenarios": {STANDARD: steps}}))


def _is_before(step: Mapping[str, Json]) -> bool:
    return bool(step.get("days", 0) < 0)


def _placed(steps: Sequence[Mapping[str, Json]], index: int, step: Mapping[str, Json]) -> Steps:
    """Steps with one in place of that at an index, or one more behind the last, where its day says.

    What is counted from the step goes with it; a step that is counted from another stays where it is.
    """
    made, end = dict(step), index + 1
    if index < len(steps) and _is_before(step) != _is_before(steps[index]):
        made.pop("level", None)
    if "after_previous" in step:
        return _levelled([*map(dict, steps[:index]), made, *map(dict, steps[end:])])
    if index < len(steps) and "after_previous" not in steps[index]:
        end = next((at for at in range(end, len(steps)) if "after_previous" not in steps[at]), len(steps))
    days, day = days_on_line(steps), day_on_line(step, None)
    others = [*zip(steps[:index], days, strict=False), *zip(steps[end:], days[end:], strict=True)]
    at = next((at for at, (_one, other) in enumerate(others) if other > day), len(others))
    rest = [dict(one) for one, _day in others]
    return _levelled([*rest[:at], made, *map(dict, steps[index + 1 : end]), *rest[at:]])


def _levelled(steps: Steps) -> Steps:
    """Steps whose levels rise: where they do not, the levels there are go to the steps in their order."""
    levels, level = [], 0
    for step in steps:
        level = step.get("level", 0 if _is_before(step) else level + 1)
        levels.append(level)
    after = [number for number, step in enumerate(steps) if not _is_before(step)]
    if all(levels[one] < levels[two] for one, two in pairwise(after)) and (not after or levels[after[0]] > 0):
        return steps
    known = sorted({steps[number]["level"] for number in after if steps[number].get("level", 0) > 0})
    while len(known) < len(after):
        known.append(known[-1] + 1 if known else 1)
    reached = 0
    for number, level in zip(after, known, strict=False):
        if "level" in steps[number] or level != reached + 1:
            steps[number] = {**steps[number], "level": level}
        reached = level
    return steps


def _with_steps(document: Document, scenario: str, steps: Steps) -> Edited:
    """The document with other steps in a scenario; where these cannot stand so, the step that cannot is named."""
    problems = []
    for problem in _order_problems(document, steps):
        _escalation, _scenarios, _standard, number, *rest = steps_of(problem.place)
        name = steps[int(number)].get("label") or steps[int(number)]["key"]
        where = pointer("escalation", "scenarios", scenario, number, *rest)
        problems.append(Problem(where, f"{name}: {problem.what}", problem.cure))
    return (None, problems) if problems else put(document, pointer("escalation", "scenarios", scenario), steps)


def _no_scenario(name: str) -> Problem:
    return Problem("/escalation/scenarios", f"there is no scenario {name!r} that this can be done to", "choose another")


def _taken(name: str) -> Problem:
    what = f"there is a scenario {name!r} already" if name else "a scenario needs a name"
    return Problem("/escalation/scenarios", what, "give another name")
