"""What is done to a draft beside the open part: parts are added, moved, copied and removed."""

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import ngettext

from admin.workbench import parts
from admin.workbench.asked import Asked, gone
from admin.workbench.scenarios import SCENARIOS, Body, Whole
from admin.workbench.trials import answered, boundary_cases, restated_cases
from admin.workbench.world import World
from ledger.problems import Problem
from rules import editing, offers
from rules.editing import pointer, steps_of

POINTS_BETWEEN = 10  # of a new class


def _title(body: Body, place: str) -> str:
    part = parts.part_at(place)
    return "" if part is None else part.title(parts.value_of(body, place))


def _remove(body: Body, place: str, _given: Mapping[str, str], _world: World) -> Asked:
    if not parts.stands(body, place):
        return gone(place)
    document, problems = editing.drop(body, place)
    return Asked(document, problems, words=_("%(part)s removed", part=_title(body, place)), focus="undo")


def _move(by: int) -> Whole:
    def do(body: Body, place: str, given: Mapping[str, str], _world: World) -> Asked:
        if not parts.stands(body, place) or int(steps_of(place)[-1]) + by < 0:
            return gone(place)
        document, problems = editing.move(body, place, int(steps_of(place)[-1]) + by)
        words = _("%(part)s moved", part=_title(body, place))
        return Asked(document, problems, words=words, focus=f"edit-{given.get('of', '')}")

    return do


def _copy(body: Body, place: str, _given: Mapping[str, str], _world: World) -> Asked:
    if not parts.stands(body, place):
        return gone(place)
    *where, index = steps_of(place)
    document, problems = editing.duplicate(body, place)
    words = _("%(part)s copied", part=_title(body, place))
    focus = "name" if where == ["cases"] else "label"
    return Asked(document, problems, place=pointer(*where, int(index) + 1), words=words, focus=focus)


def _add_rule(body: Body, _place: str, given: Mapping[str, str], world: World) -> Asked:
    """A rule whose first test is of the fact that was chosen."""
    fact = given.get("fact", "")
    if fact not in world.facts:
        return gone("/rules")
    decisive = world.outcomes()[0]
    then = {decisive.name: offers.first_effect(decisive, world.codes_of(decisive.name))}
    test = offers.first_test(world.facts[fact], world.codes_of(fact))
    document, problems = editing.add_rule(body, _("New rule"), "rule", test, then)
    place = pointer("rules", len(body.get("rules", ())))
    return Asked(document, problems, place=place, words=_("Rule added"), focus="label")


def _add_case(body: Body, _place: str, _given: Mapping[str, str], world: World) -> Asked:
    """An empty customer, with what the draft makes of them."""
    place = pointer("cases", len(body.get("cases", ())))
    document, problems = editing.add_cases(body, [{"name": _("New case"), "facts": {}}])
    if document is not None:
        case, _problems = answered(document, world, len(document["cases"]) - 1)
        if case is not None:  # else its expectation is written by hand
            document, problems = editing.put(document, place, case)
    return Asked(document, problems, place=place, words=_("Case added"), focus="name")


def _boundary_cases(body: Body, _place: str, _given: Mapping[str, str], world: World) -> Asked:
    found, problems = boundary_cases(body, world)
    if problems or not found:
        return Asked(None, problems or [Problem("", _("No boundary case is missing."), _("Nothing is to be done."))])
    document, problems = editing.add_cases(body, found)
    words = ngettext("%(n)s boundary case added", "%(n)s boundary cases added", len(found), n=len(found))
    return Asked(document, problems, words=words, focus="cases")


def _restate(body: Body, _place: str, _given: Mapping[str, str], world: World) -> Asked:
    cases, problems = restated_cases(body, world)
    if cases is None:
        return Asked(None, problems)
    document, problems = editing.put(body, "/cases", cases)
    return Asked(document, problems, words=_("Cases take over what they give now"), focus="cases")


def _add_band(body: Body, _place: str, _given: Mapping[str, str], _world: World) -> Asked:
    """A class before the last one, which has no bound."""
    bands = list(body.get("bands", ()))
    if not bands:
        return gone("/bands")
    reached = [band["up_to"] for band in bands if "up_to" in band]
    band = {"risk_class": _("new"), "up_to": (reached[-1] if reached else 0) + POINTS_BETWEEN}
    document, problems = editing.insert(body, pointer("bands", len(bands) - 1), band)
    focus = f"{len(bands) - 1}:risk_class"
    return Asked(document, problems, place="/bands", words=_("Class added"), focus=focus)


WHOLE: Mapping[str, Whole] = {
    "remove": _remove,
    "up": _move(-1),
    "down": _move(1),
    "copy": _copy,
    "add-rule": _add_rule,
    "add-case": _add_case,
    "boundary-cases": _boundary_cases,
    "restate-cases": _restate,
    "add-band": _add_band,
    **SCENARIOS,
}
