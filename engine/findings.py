"""Findings: what is wrong with a document, beside the documents it will be in force with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from peewee import fn

from engine.editions import documents_in_force
from engine.tables import Customer, Document, Entity, Override, Run, Standing
from engine.template_findings import named_templates, template_findings
from engine.versions import KINDS
from ledger.columns import Column
from ledger.problems import Problem
from rules.checks import check
from rules.derived import dictionary_for, merged, parse_derived
from rules.derived_checks import check_derived
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.formulas import DerivedFacts
from rules.mapping_checks import dropped_problems
from rules.regimes import RATE_TABLE, REGIME, regime_findings


def findings(
    document: Mapping[str, Any],
    entity: Entity | None = None,
    day: int | None = None,
    beside: Sequence[Mapping[str, Any]] = (),
) -> list[Problem]:
    """Check a document with the others in force; its own cases are run.

    Args:
        entity: whose documents it is checked with.
        day: the day it shall hold from; None: as things stand, by any document ever approved.
        beside: documents that would hold with it, in place of those of their key.
    """
    scopes = {_scope(other) for other in beside}
    others = [json.loads(row.body) for row in _others(entity, day)]
    others = [other for other in others if _scope(other) not in scopes] + [dict(other) for other in beside]
    own = document.get("entity")
    if own is not None:  # what other entities have of their own says nothing about it
        others = [other for other in others if other.get("entity") in (None, own)]
    if document.get("kind") == "template":
        return template_findings(document, others, entity)
    if document.get("kind") in (REGIME, RATE_TABLE):
        return regime_findings(document, others)
    if document.get("kind") in ("parameters", "derived_facts"):
        return _shared_findings(document, others)
    policy, problems = parse(document)
    if policy is None:
        return problems
    parameters = _merged([other for other in others if other.get("kind") == "parameters"])
    if parameters is None:
        return [*problems, Problem("parameters", "are not in force on that day", "propose and approve them first")]
    found = check(policy, parameters, dictionary_beside(policy.subject, others, policy.entity))
    return [*problems, *found, *named_templates(policy, others), *_dropped(policy, others, entity)]


def parameters_beside(entity: Entity | None = None) -> Parameters | None:
    """The parameters a draft is checked with: those of every document ever approved, as one set."""
    others = [json.loads(row.body) for row in _others(entity, None)]
    return _merged([other for other in others if other.get("kind") == "parameters"])


def _others(entity: Entity | None, day: int | None) -> list[Document]:
    if day is not None:
        return documents_in_force(entity, day, KINDS)
    latest: dict[tuple[Any, ...], Document] = {}
    for row in Document.select().where(Document.status.in_(("approved", "live"))).order_by(Document.id):
        latest[(row.kind, row.stage, row.subject, row.key, row.entity_id)] = row
    return list(latest.values())


def _shared_findings(document: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Parameters or derived facts themselves, and everything in force that is read with them."""
    shape = parse_parameters(document) if document.get("kind") == "parameters" else parse_derived(document)
    if shape[0] is None:
        return shape[1]
    problems = list(shape[1])
    together = [*(other for other in others if _scope(other) != _scope(document)), document]
    parameters = _merged([one for one in together if one.get("kind") == "parameters"])
    sets = [] if parameters is None else [parameters]
    derived = _derived(together)
    for one in derived:
        if one.document is document or document.get("kind") == "parameters":
            problems += check_derived(one, [other for other in derived if other is not one], sets)
    for other in together:
        policy = parse(other)[0] if other.get("kind") == "policy" else None
        if policy is not None and parameters is not None:
            dictionary = dictionary_beside(policy.subject, together, policy.entity)
            problems += _of_other(policy, check(policy, parameters, dictionary))
    return problems


def _of_other(policy: Policy, problems: Sequence[Problem]) -> list[Problem]:
    """Errors that a change makes in a policy, which a reader of the changed document could not place."""
    return [
        replace(problem, what=f"in the policy {policy.key}: {problem.what}")
        for problem in problems
        if problem.severity == "error"
    ]


def dictionary_beside(subject: str, documents: Sequence[Mapping[str, Any]], entity: str | None) -> Mapping[str, Column]:
    """Every fact and outcome of a subject, with the derived facts of documents.

    Args:
        documents: of any kind; their parameters bound what formulas give.
        entity: whose policy reads them; None for all.
    """
    parameters = _merged([one for one in documents if one.get("kind") == "parameters"])
    named = {} if parameters is None else {one.name: one for one in parameters.parameters}
    return dictionary_for(subject, merged(_derived(documents), entity), named)


def _derived(documents: Sequence[Mapping[str, Any]]) -> list[DerivedFacts]:
    found = (parse_derived(one)[0] for one in documents if one.get("kind") == "derived_facts")
    return [one for one in found if one is not None]


def _scope(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of which one document may hold at a time."""
    return document.get("kind"), document.get("key"), document.get("entity")


def _merged(documents: Sequence[Mapping[str, Any]]) -> Parameters | None:
    """Parameters of all documents as one set, for whatever policy: an entity's own beat those for all."""
    parsed = [found for found, _ in (parse_parameters(document) for document in documents) if found is not None]
    if not parsed:
        return None
    named = {p.name: p for one in sorted(parsed, key=lambda one: one.entity is not None) for p in one.parameters}
    return Parameters(key=parsed[-1].key, entity=None, source=parsed[-1].source, parameters=tuple(named.values()))


def _dropped(policy: Policy, others: Sequence[Mapping[str, Any]], entity: Entity | None) -> list[Problem]:
    """Steps and levels that customers stand at and the version has no more."""
    if policy.escalation is None:
        return []
    standing = Standing.select(Standing.step_key, Standing.level).where(
        Standing.policy_key == policy.key, Standing.open
    )
    if entity is not None:
        standing = standing.where(Standing.entity_id == entity.id)
    found = set(standing.distinct().tuples())
    before = [parse(one)[0] for one in others if one.get("key") == policy.key and one.get("kind") == "policy"]
    own = next((one for one in before if one is not None and one.entity == policy.entity), None)
    steps = {step for step, _ in found if step is not None}
    levels = {level for step, level in found if step is None}
    had = {
        name for one in before if one is not None and one.escalation is not None for name in one.escalation.scenarios
    }
    return dropped_problems(policy, own, steps, levels, _tied(entity) & had)


def _tied(entity: Entity | None) -> set[str]:
    """The scenarios that customers are tied to, of whatever policy, by overrides that may still count."""
    latest = Run.select(fn.max(Run.as_of_day)).where(Run.state == "done")
    rows = Override.select(Override.value).where(
        Override.target == "scenario", Override.ended_day.is_null(), Override.until_day > latest
    )
    if entity is not None:
        rows = rows.join(Customer).where(Customer.entity == entity)
    return {json.loads(value) for (value,) in rows.distinct().tuples()}
