"""A draft tried on its own cases: what they give, and the boundary cases that are missing."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from admin.workbench.world import World
from ledger.columns import Column
from ledger.problems import Problem
from rules.boundary_checks import decided_case, proposed_cases
from rules.checks import check
from rules.documents import parse
from rules.policies import Parameters, Policy
from rules.restating import restated, with_restated


def answered(document: Mapping[str, Any], world: World, index: int) -> tuple[dict[str, Any] | None, list[Problem]]:
    """A case of a draft that expects what it gives, or why that cannot be said."""
    policy, parameters, dictionary, problems = _tried(document, world)
    if policy is None:
        return None, problems
    case = document["cases"][index]
    given = decided_case(policy.cases[index], policy, [parameters], dictionary)
    kept = {name: value for name, value in case.items() if name not in {"expect", "rule", "undecided"}}
    answer = {name: given[name] for name in ("expect", "undecided") if name in given}
    if "rule" in case and "rule" in given:
        answer["rule"] = given["rule"]
    return {**kept, **answer}, []


def boundary_cases(document: Mapping[str, Any], world: World) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Cases for every threshold that has none on one of its sides, expected as the draft decides."""
    policy, parameters, dictionary, problems = _tried(document, world)
    return ([], problems) if policy is None else (proposed_cases(policy, [parameters], dictionary), [])


def restated_cases(document: Mapping[str, Any], world: World) -> tuple[list[Any] | None, list[Problem]]:
    """The cases of a draft, those that fail with what they give now."""
    policy, parameters, dictionary, problems = _tried(document, world)
    if policy is None:
        return None, problems
    changed = with_restated(document, restated(policy, [parameters], dictionary))
    return changed["cases"], []


def _tried(
    document: Mapping[str, Any], world: World
) -> tuple[Policy | None, Parameters, Mapping[str, Column], list[Problem]]:
    """The draft as a policy that can decide; None while anything but its cases is wrong."""
    parameters = world.beside or Parameters(key="none", entity=None, source="none", parameters=())
    dictionary = world.dictionary
    policy, problems = parse(document)
    if policy is not None:
        found = check(policy, parameters, dictionary)
        problems = [p for p in found if p.severity == "error" and not p.place.startswith("/cases/")]
    if problems:
        what, cure = _("There are errors in the rules."), _("Correct them first; they stand under Findings.")
        return None, parameters, dictionary, [Problem("", what, cure)]
    return policy, parameters, dictionary, []
