"""Findings: what is wrong with a document, beside the documents it will be in force with."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.editions import documents_in_force
from engine.tables import Document, Entity, Standing
from ledger.problems import Problem
from rules.checks import check
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.facts import dictionary_of


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
    if document.get("kind") == "parameters":
        return _parameters_findings(document, others)
    policy, problems = parse(document)
    if policy is None:
        return problems
    parameters = _merged([other for other in others if other.get("kind") == "parameters"])
    if parameters is None:
        return [*problems, Problem("parameters", "are not in force on that day", "propose and approve them first")]
    return [*problems, *check(policy, parameters, dictionary_of(policy.subject)), *_steps_in_use(policy, entity)]


def _others(entity: Entity | None, day: int | None) -> list[Document]:
    if day is not None:
        return documents_in_force(entity, day)
    latest: dict[tuple[Any, ...], Document] = {}
    for row in Document.select().where(Document.status.in_(("approved", "live"))).order_by(Document.id):
        latest[(row.kind, row.stage, row.subject, row.key, row.entity_id)] = row
    return list(latest.values())


def _parameters_findings(document: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """The document itself, and every policy in force read with it."""
    parameters, problems = parse_parameters(document)
    if parameters is None:
        return problems
    kept = [other for other in others if other.get("kind") == "parameters" and _scope(other) != _scope(document)]
    merged = _merged([*kept, document])
    for other in others:
        if other.get("kind") != "policy" or merged is None:
            continue
        policy, _ = parse(other)
        if policy is not None:
            problems += check(policy, merged, dictionary_of(policy.subject))
    return problems


def _scope(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of which one document may hold at a time."""
    return document.get("kind"), document.get("key"), document.get("entity")


def _merged(documents: Sequence[Mapping[str, Any]]) -> Parameters | None:
    """Parameters of all documents as one set: those of an entity stand beside those for all."""
    parsed = [found for found, _ in (parse_parameters(document) for document in documents) if found is not None]
    if not parsed:
        return None
    named = {p.name: p for one in sorted(parsed, key=lambda one: one.entity is not None) for p in one.parameters}
    return Parameters(
        key=parsed[-1].key, entity=parsed[-1].entity, source=parsed[-1].source, parameters=tuple(named.values())
    )


def _steps_in_use(policy: Policy, entity: Entity | None) -> list[Problem]:
    """Steps that customers stand at may not disappear: nobody would know what comes next for them."""
    if policy.escalation is None:
        return []
    known = {step.key for step in policy.escalation.steps()}
    standing = Standing.select(Standing.step_key).where(
        Standing.policy_key == policy.key, Standing.open, Standing.step_key.is_null(False)
    )
    if entity is not None:
        standing = standing.where(Standing.entity_id == entity.id)
    gone = sorted({key for (key,) in standing.distinct().tuples()} - known)
    return [
        Problem(f"step {key}", "is in use: customers stand at it", "keep the step, or end its use first")
        for key in gone
    ]
