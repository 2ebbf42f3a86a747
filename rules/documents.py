"""Documents: policies and parameters as JSON, read into values or refused with problems.

A document is data in a closed grammar; nothing in it is ever executed. ``canonical`` is
the one byte form that its sha256 names.
"""

import json
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any as Json

from ledger.canonical import canonical as canonical_json
from ledger.canonical import sha256_of
from ledger.columns import Kind
from ledger.problems import Problem
from rules.condition_reading import condition_of, constant_of
from rules.conditions import Const, FactRef, Param
from rules.effects import Effect, Greatest, Least, PercentOf, RoundDown
from rules.misfits import shape_problems
from rules.policies import (
    Band,
    Case,
    Dated,
    Escalation,
    Otherwise,
    Parameter,
    Parameters,
    Policy,
    Resolved,
    Rule,
    Step,
    iso_day,
)
from rules.scenario_reading import escalation_of, scenario_problems
from rules.stepping import rules_of

__all__ = [
    "Band",
    "Case",
    "Dated",
    "Escalation",
    "Otherwise",
    "Parameter",
    "Parameters",
    "Policy",
    "Resolved",
    "Rule",
    "Step",
    "canonical",
    "condition_of",
    "parse",
    "parse_parameters",
    "sha256_of",
    "shipped",
    "shipped_derived",
]

SHIPPED = ("parameters", "scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert")
MODIFIERS = frozenset({"exclusion", "final"})  # of a hold's `then`: how it ranks, not what it sets


def canonical(document: Mapping[str, Json]) -> bytes:
    """The one byte form of a document: keys sorted, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": "ü"}).decode()
    '{"a":"ü","b":1}'
    """
    return canonical_json(document).encode()


def shipped() -> list[dict[str, Json]]:
    """The documents that come with the product: parameters first, then stage by stage."""
    return [_shipped(name) for name in SHIPPED]


def shipped_derived() -> dict[str, Json]:
    """The derived facts that come with the product; no shipped rule reads them, a rule of the house may."""
    return _shipped("derived_facts")


def _shipped(name: str) -> dict[str, Json]:
    content = pkgutil.get_data("rules", f"documents/{name}.json")
    if content is None:
        raise FileNotFoundError(f"rules/documents/{name}.json is missing: install the product again")
    found: dict[str, Json] = json.loads(content)
    return found


def parse(document: Mapping[str, Json]) -> tuple[Policy | None, list[Problem]]:
    """Read a policy.

    Args:
        document: the decoded JSON.

    Returns:
        The policy, or None and what is wrong with its shape. Whether its facts, types and
        parameters fit is the checker's question (``rules.checks``).
    """
    problems = shape_problems(document, "policy")
    if problems:
        return None, problems
    effective = document["effective"]
    escalation = escalation_of(document["escalation"]) if "escalation" in document else None
    timed = [] if escalation is None else scenario_problems(escalation)
    if timed:
        return None, timed
    rules = (
        rules_of(escalation)
        if escalation
        else tuple(_rule(rule, f"/rules/{index}") for index, rule in enumerate(document["rules"]))
    )
    policy = Policy(
        key=document["key"],
        name=document["name"],
        stage=document["stage"],
        subject=document.get("subject", "customer"),
        entity=document.get("entity"),
        from_day=iso_day(effective["from"]),
        until_day=None if effective.get("until") is None else iso_day(effective["until"]),
        source=document["source"],
        because=document["because"],
        hit=document["hit"],
        rules=rules,
        otherwise=Otherwise(
            then=_effects(document["otherwise"]["then"]), because=document["otherwise"].get("because", "")
        ),
        cases=tuple(_case(case, f"/cases/{index}") for index, case in enumerate(document.get("cases", ()))),
        bands=tuple(Band(band["risk_class"], band.get("up_to")) for band in document.get("bands", ())),
        escalation=escalation,
        document=document,
    )
    problems = _policy_problems(policy)
    return (None, problems) if problems else (policy, [])


def parse_parameters(document: Mapping[str, Json]) -> tuple[Parameters | None, list[Problem]]:
    """Read a parameters document, in the manner of ``parse``."""
    problems = shape_problems(document, "parameters")
    if problems:
        return None, problems
    found = Parameters(
        key=document["key"],
        entity=document.get("entity"),
        source=document["source"],
        parameters=tuple(
            _parameter(parameter, f"/parameters/{index}") for index, parameter in enumerate(document["parameters"])
        ),
        document=document,
    )
    problems = _parameter_problems(found)
    return (None, problems) if problems else (found, [])


def _effect(value: Json) -> Effect:
    if not isinstance(value, Mapping):
        return Const(value)
    if "param" in value:
        return Param(value["param"])
    if "fact" in value:
        return FactRef(value["fact"])
    if "percent_of" in value:
        return PercentOf(_effect(value["percent_of"][0]), constant_of(value["percent_of"][1]))
    if "round_down" in value:
        return RoundDown(_effect(value["round_down"][0]), constant_of(value["round_down"][1]))
    if "min" in value:
        return Least(tuple(_effect(part) for part in value["min"]))
    return Greatest(tuple(_effect(part) for part in value["max"]))


def _effects(then: Mapping[str, Json]) -> dict[str, Effect]:
    return {name: _effect(value) for name, value in then.items() if name not in MODIFIERS}


def _rule(rule: Mapping[str, Json], place: str) -> Rule:
    return Rule(
        key=rule["key"],
        label=rule.get("label", rule["key"]),
        because=rule.get("because", ""),
        priority=rule.get("priority", 0),
        when=condition_of(rule["when"], f"{place}/when"),
        then=_effects(rule["then"]),
        refers=rule.get("on_unknown") == "refer",
        exclusion=rule["then"].get("exclusion", False),
        final=rule["then"].get("final", False),
        place=place,
    )


def _case(case: Mapping[str, Json], place: str) -> Case:
    return Case(
        name=case["name"],
        facts=case["facts"],
        expect=case.get("expect", {}),
        rule=case.get("rule"),
        undecided=case.get("undecided", False),
        parameters=case.get("parameters", {}),
        place=place,
    )


def _parameter(parameter: Mapping[str, Json], place: str) -> Parameter:
    return Parameter(
        name=parameter["name"],
        kind=Kind(parameter["kind"]),
        label=parameter["label"],
        meaning=parameter["meaning"],
        low=parameter.get("low"),
        high=parameter.get("high"),
        values=tuple(
            Dated(iso_day(v["from"]), v["value"], v.get("segment"), v.get("currency")) for v in parameter["values"]
        ),
        place=place,
    )


def _repeated(names: Sequence[tuple[str, str]], noun: str) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for name, place in names:
        if name in seen:
            problems.append(Problem(place, f"the {noun} {name!r} occurs twice", "give each its own name"))
        seen.add(name)
    return problems


def _policy_problems(policy: Policy) -> list[Problem]:
    """What no schema can say: keys are unique, bands rise."""
    problems = _repeated([(rule.key, f"{rule.place}/key") for rule in policy.rules], "rule key")
    problems += _repeated([(case.name, f"{case.place}/name") for case in policy.cases], "case")
    if policy.until_day is not None and policy.until_day <= policy.from_day:
        problems.append(
            Problem("/effective/until", "the policy ends before it begins", "choose a later day, or null for no end")
        )
    for index, band in enumerate(policy.bands):
        last = index == len(policy.bands) - 1
        before = policy.bands[index - 1].up_to if index else None
        if (band.up_to is None) != last:
            problems.append(
                Problem(f"/bands/{index}", "every band but the last needs `up_to`, the last has none", "correct it")
            )
        elif band.up_to is not None and before is not None and band.up_to <= before:
            problems.append(Problem(f"/bands/{index}/up_to", "the bands do not rise", "sort them by `up_to`"))
    return problems


def _parameter_problems(found: Parameters) -> list[Problem]:
    problems = _repeated([(p.name, f"{p.place}/name") for p in found.parameters], "parameter")
    for parameter in found.parameters:
        problems += _repeated(
            [
                (f"{v.from_day}/{v.segment}/{v.currency}", f"{parameter.place}/values/{i}")
                for i, v in enumerate(parameter.values)
            ],
            "day, segment and currency",
        )
        general = {value.currency for value in parameter.values if value.segment is None}
        for currency in sorted({None, *(value.currency for value in parameter.values)} - general, key=str):
            of = f" in {currency}" if currency else ""
            what = f"no value for all segments{of}"
            problems.append(Problem(f"{parameter.place}/values", what, "add one with `segment` null"))
        for index, dated in enumerate(parameter.values):
            if dated.currency is not None and parameter.kind is not Kind.MONEY:
                place = f"{parameter.place}/values/{index}/currency"
                problems.append(Problem(place, f"{parameter.kind.value} has no currency", "leave it out"))
        for index, dated in enumerate(parameter.values):
            problems += _value_problems(parameter, dated.value, f"{parameter.place}/values/{index}/value")
    return problems


def _value_problems(parameter: Parameter, value: object, place: str) -> list[Problem]:
    wanted = {Kind.BOOL: bool, Kind.CODE: str, Kind.ENUM: str}.get(parameter.kind, int)
    if type(value) is not wanted:
        return [Problem(place, f"{value!r} is not a value of kind {parameter.kind.value}", f"give {wanted.__name__}")]
    if isinstance(value, int) and parameter.low is not None and value < parameter.low:
        return [Problem(place, f"{value} is below the lowest value allowed, {parameter.low}", "raise it")]
    if isinstance(value, int) and parameter.high is not None and value > parameter.high:
        return [Problem(place, f"{value} is above the highest value allowed, {parameter.high}", "lower it")]
    return []
