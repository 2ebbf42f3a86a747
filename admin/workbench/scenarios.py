"""What is done to the scenarios of a draft on their line of days: steps are added and moved, scenarios copied."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from flask_babel import gettext as _

from admin import formatting
from admin.wording import when_words
from admin.workbench import parts
from admin.workbench.asked import Asked, gone
from admin.workbench.reading import Reading
from admin.workbench.world import World
from ledger.problems import Problem
from rules import step_editing
from rules.editing import pointer, steps_of, value_at
from rules.step_editing import days_on_line
from rules.stepping import STANDARD

Body: TypeAlias = Mapping[str, Any]
Whole: TypeAlias = Callable[[Body, str, Mapping[str, str], World], Asked]

DAYS_BETWEEN = 10  # of a new step, after the one before it
BY_MAX = 4_000  # days a step is moved by at once
FIRST = {"channel": "email", "template": "reminder_1"}  # of a new step, before anything is said about it


def _add_step(body: Body, _place: str, given: Mapping[str, str], world: World) -> Asked:
    """A step at the place of the line that was chosen; without one, behind the last."""
    name = given["target"]
    try:
        steps = value_at(body, pointer("escalation", "scenarios", name))
    except KeyError:
        return gone(name)
    timing = {"days": max([0, *days_on_line(steps)]) + DAYS_BETWEEN}
    if "timing" in given:
        reading = Reading(given, world)
        timing = reading.timing()
        if reading.wrong:
            problems = [Problem("", one, _("Give another number.")) for one in reading.wrong.values()]
            return Asked(None, problems, focus="add-days", scenario=name)
    step = {**timing, **FIRST, "label": _("New step")}
    if "days" in timing and any(one.get("days") == timing["days"] for one in steps):
        problem = Problem("", _("There is a step on this day already."), _("Choose another day, or change that step."))
        return Asked(None, [problem], focus="add-days", scenario=name)
    document, problems = step_editing.add_step(body, name, step)
    asked = Asked(document, problems, words=_("Step added: %(when)s", when=when_words(step)), focus="label")
    asked.scenario = name
    if document is not None:
        known = {one["key"] for one in steps}
        added = value_at(document, pointer("escalation", "scenarios", name))
        index = next(number for number, one in enumerate(added) if one["key"] not in known)
        asked.place = pointer("escalation", "scenarios", name, index)
    return asked


def _shift(body: Body, place: str, given: Mapping[str, str], _world: World) -> Asked:
    """A step moved along the line by so many days."""
    by = given.get("by", "")
    if not parts.stands(body, place) or not by.removeprefix("-").isdecimal() or abs(int(by)) > BY_MAX:
        return gone(place)
    document, problems = step_editing.move_step(body, place, int(by))
    key = given.get("of", "")
    asked = Asked(document, problems, focus=f"step-{key}", scenario=steps_of(place)[2])
    if document is not None:
        step = value_at(document, parts.found_again(document, place, key))
        title = _(str(step.get("label") or step["key"]))
        asked.words = _("Step “%(name)s” moved: %(when)s", name=title, when=when_words(step))
    return asked


def _renew_key(body: Body, place: str, given: Mapping[str, str], _world: World) -> Asked:
    """A step that has another level than customers stand at: they go along to it under another key."""
    if not parts.stands(body, place):
        return gone(place)
    title = _(str(value_at(body, place).get("label") or given.get("of", "")))
    document, problems = step_editing.renew_key(body, place)
    words = _("Customers who stand at “%(name)s” go along with it", name=title)
    return Asked(document, problems, words=words, focus="undo", scenario=steps_of(place)[2])


def _add_scenario(body: Body, _place: str, given: Mapping[str, str], _world: World) -> Asked:
    """A scenario, empty or with the steps of another."""
    name = given.get("scenario", "").strip()
    if not name or name in body.get("escalation", {}).get("scenarios", {}):
        return _name_taken("scenario")
    document, problems = step_editing.add_scenario(body, name, given.get("copy_of") or None)
    words = _("Scenario “%(name)s” added", name=formatting.title(name))
    return Asked(document, problems, words=words, focus="line", scenario=name)


def _rename_scenario(body: Body, _place: str, given: Mapping[str, str], _world: World) -> Asked:
    """A scenario for others than so far."""
    name, to = given["target"], given.get("scenario", "").strip()
    if not to or (to != name and to in body.get("escalation", {}).get("scenarios", {})):
        return _name_taken("scenario-name")
    document, problems = step_editing.rename_scenario(body, name, to)
    words = _("Scenario “%(name)s” is now “%(to)s”", name=formatting.title(name), to=formatting.title(to))
    return Asked(document, problems, words=words, focus="line", scenario=to)


def _remove_scenario(body: Body, _place: str, given: Mapping[str, str], _world: World) -> Asked:
    name = given["target"]
    document, problems = step_editing.remove_scenario(body, name)
    words = _("Scenario “%(name)s” removed", name=formatting.title(name))
    return Asked(document, problems, words=words, focus="undo", scenario=STANDARD)


def _name_taken(focus: str) -> Asked:
    problem = Problem("", _("This name is empty, or there is such a scenario."), _("Give another name."))
    return Asked(None, [problem], focus=focus)


SCENARIOS: Mapping[str, Whole] = {
    "add-step": _add_step,
    "shift": _shift,
    "renew-key": _renew_key,
    "add-scenario": _add_scenario,
    "rename-scenario": _rename_scenario,
    "remove-scenario": _remove_scenario,
}
