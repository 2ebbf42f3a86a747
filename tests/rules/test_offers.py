"""Offers: the editor offers what the checker accepts, all of it and nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules import offers
from rules.checks import check
from rules.conditions import LISTS, NULL_TESTS, Op
from rules.documents import parse, parse_parameters, shipped
from rules.facts import dictionary_of, readable
from rules.policies import Parameters
from rules.stages import OUTCOMES, STAGE, STAGES

PLACES = [("scorecard", "customer"), ("credit_limit", "customer"), ("alert", "customer"), ("alert", "invoice")]


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    """The shipped ones, and one of every kind that differs by segment."""
    document = shipped()[0]
    values = [{"from": "2020-01-01", "value": 5}, {"from": "2020-01-01", "value": 6, "segment": "risky"}]
    for kind in ("money", "ratio", "days", "count"):
        one = {"name": f"of_{kind}", "kind": kind, "label": kind, "meaning": kind, "values": values}
        document["parameters"].append(one)
    for kind, value in (("bool", True), ("code", "A")):
        one = {"name": f"of_{kind}", "kind": kind, "label": kind, "meaning": kind}
        document["parameters"].append({**one, "values": [{"from": "2020-01-01", "value": value}]})
    found, problems = parse_parameters(document)
    assert found is not None, problems
    return found


def value_of(column: Column) -> Any:
    """A value a fact may well have."""
    if column.kind is Kind.BOOL:
        return True
    if column.unit is None:
        return (column.values or ("A",))[0]
    return max(column.low or 0, 0) + 1


def policy(stage: str, subject: str, when: Any, then: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A policy of one rule."""
    decisive = STAGE[stage].outcome(STAGE[stage].settable[0])
    plain = {decisive.name: offers.first_effect(decisive)}
    return {
        "format": 1, "kind": "policy", "key": "one", "name": "One", "stage": stage, "subject": subject,
        "effective": {"from": "2026-01-01"}, "source": "here", "because": "a test",
        "hit": STAGE[stage].hits[0], "otherwise": {"then": plain},
        "rules": [{"key": "a", "when": when, "then": then or plain}],
        **({"bands": [{"risk_class": "A"}]} if stage == "scorecard" else {}),
    }  # fmt: skip


def refusals(document: Mapping[str, Any], place: str, parameters: Parameters) -> list[Problem]:
    """Errors that the checker finds at a place, for type, unit, reach or operator."""
    found, problems = parse(document)
    assert found is not None, problems
    errors = [p for p in check(found, parameters, dictionary_of(found.subject)) if p.severity == "error"]
    about_sense = ("never", "always", "only the score", "outside the range", "within", "no row can")
    return [p for p in errors if p.place.startswith(place) and not any(word in p.what for word in about_sense)]


def test_of(fact: str, op: Op, column: Column) -> list[Any]:
    """A test with a sensible value."""
    value = value_of(column)
    if op in NULL_TESTS:
        return [fact, op.value]
    if op is Op.BETWEEN:
        return [fact, op.value, [value, value] if isinstance(value, int) and value is not True else [1, 2]]
    return [fact, op.value, [value] if op in LISTS else value]


test_of.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(("stage", "subject"), PLACES)
def test_every_operator_that_is_legal_for_a_fact_is_offered_and_no_other(
    stage: str, subject: str, parameters: Parameters
) -> None:
    """For every fact a stage may read; every fact it may not read is refused."""
    dictionary = dictionary_of(subject)
    facts = readable(stage, dictionary)
    for name, column in facts.items():
        for op in Op:
            document = policy(stage, subject, test_of(name, op, column))
            refused = refusals(document, "/rules/0/when", parameters)
            never_null = op in NULL_TESTS and not column.nullable  # said to be senseless rather than wrong
            assert (op in offers.ops_of(column)) == (not refused and not never_null), (name, op, refused)
    for name in set(dictionary) - set(facts):
        document = policy(stage, subject, test_of(name, Op.EQ, dictionary[name]))
        assert refusals(document, "/rules/0/when", parameters), name


@pytest.mark.parametrize(("stage", "subject"), PLACES)
def test_every_parameter_and_fact_of_like_unit_is_offered_and_no_other(
    stage: str, subject: str, parameters: Parameters
) -> None:
    """One fact of each kind against every parameter and every other fact."""
    facts = readable(stage, dictionary_of(subject))
    named = {parameter.name: parameter for parameter in parameters.parameters}
    one_of_a_kind = {(column.kind, column.values): column for column in facts.values()}
    for column in one_of_a_kind.values():
        offered = {
            "param": set(offers.comparable_parameters(column, named, stage)),
            "fact": set(offers.comparable_facts(column, facts)) | {column.name},
        }
        for word, names in (("param", named), ("fact", facts)):
            for name in names:
                document = policy(stage, subject, [column.name, "==", {word: name}])
                refused = refusals(document, "/rules/0/when", parameters)
                assert (name in offered[word]) == (not refused), (column.name, name, refused)


def formed(form: str, column: Column, name: str = "") -> Any:
    """An effect of a form."""
    plain = value_of(column)
    whole = {"percent_of": {"percent_of": [plain, 5_000]}, "round_down": {"round_down": [plain, 1]}}
    lists = {form: [plain] for form in ("min", "max")}
    named = {form: {form: name} for form in ("param", "fact")}
    return {"value": plain, "nothing": None, **whole, **{f: {f: one} for f, one in lists.items()}, **named}[form]


SETTABLE = [(stage.name, name) for stage in STAGES if stage.name != "escalation" for name in stage.settable]


@pytest.mark.parametrize(("stage", "outcome"), SETTABLE)
def test_every_form_of_effect_that_is_legal_is_offered_and_no_other(
    stage: str, outcome: str, parameters: Parameters
) -> None:
    """With every fact and every parameter."""
    column, facts = OUTCOMES[outcome], readable(stage, dictionary_of("customer"))
    named = {parameter.name: parameter for parameter in parameters.parameters}
    when = ["insolvent", "==", True]
    for form in offers.FORMS:
        names = {"param": list(named), "fact": list(facts)}.get(form, [""])
        of_form = {"param": offers.effect_parameters(column.kind, named), "fact": offers.effect_facts(column, facts)}
        for name in names:
            then = {**({"hold": False} if stage == "hold" else {}), outcome: formed(form, column, name)}
            refused = refusals(policy(stage, "customer", when, then), f"/rules/0/then/{outcome}", parameters)
            refused = [one for one in refused if "severity needs a plain" not in one.what]
            offered = form in offers.effect_forms(column) and (not name or name in of_form[form])
            assert offered == (not refused), (form, name, refused)


def test_what_an_editor_begins_with_is_accepted(parameters: Parameters) -> None:
    """The first test of every fact and the first effect of every stage."""
    for stage, subject in PLACES:
        for column in readable(stage, dictionary_of(subject)).values():
            document = policy(stage, subject, offers.first_test(column))
            assert refusals(document, "/rules/0", parameters) == [], column.name
