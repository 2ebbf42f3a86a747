"""The decision log: one JSON line per decision, for auditors and for systems that keep their own copy.

In the order of (day, id), which never changes. Read in pieces, so that a million decisions take no
more memory than a thousand and no transaction stays open. Names ids, numbers and hashes only: the
facts by their sha256, people by their ids (semantics.md 5). docs/decision-log.md describes every
field, docs/decision-log.schema.json is checked against it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from peewee import ModelSelect, Tuple

from engine.differences import STAGE_OUTCOMES
from engine.queries import OVERRIDDEN
from engine.tables import Customer, Decision, Document, DueLine, Edition, Entity, Override
from ledger.canonical import canonical
from ledger.days import date_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

FORMAT = 1
BATCH = 1_000  # decisions in memory at a time
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decisions_between(from_day: int, to_day: int, entity: Entity | None = None) -> ModelSelect:
    """Decisions of some days, both included, with their customers; of all entities or one."""
    query = Decision.select(Decision, Customer).join(Customer).where(Decision.as_of_day.between(from_day, to_day))
    return query if entity is None else query.where(Decision.entity_id == entity.id)


def log_lines(runtime: "Runtime", chosen: ModelSelect) -> Iterator[str]:
    """Decisions as JSON lines, each with its line end.

    Args:
        chosen: of ``decisions_between``, narrowed to what the reader may see.
    """
    entities = {entity.id: entity.code for entity in Entity.select()}
    policies: dict[tuple[str, bool], dict[str, Any]] = {}
    at: tuple[int, int] | None = None
    place = Tuple(Decision.as_of_day, Decision.id)
    while True:
        query = chosen if at is None else chosen.where(place > Tuple(*at))
        batch = list(query.order_by(Decision.as_of_day, Decision.id).limit(BATCH))
        overrides = overrides_read(batch)
        for decision in batch:
            under = decision.edition, bool(decision.line_id)
            if under not in policies:
                policies[under] = _policies(*under)
            line = _line(decision, entities[decision.entity_id], policies[under])
            line["overrides"] = [_override(one) for one in overrides[decision.id]]
            if decision.line_id:
                line["invoice"] = _invoice(decision.line_id)
            yield canonical(line) + "\n"
        if len(batch) < BATCH:
            return
        at = (batch[-1].as_of_day, batch[-1].id)


def _line(decision: Decision, entity: str, policies: Mapping[str, Any]) -> dict[str, Any]:
    changes = json.loads(decision.changes)
    return {
        "format": FORMAT,
        "id": decision.id,
        "entity": entity,
        "customer": decision.customer.number,
        "day": date_of(decision.as_of_day).isoformat(),
        "run": decision.run_id,
        "recorded_at": _instant(decision.created_at),
        "edition": decision.edition,
        "policies": policies,
        "facts_sha256": hashlib.sha256(decision.facts.encode()).hexdigest(),
        "stages": {
            stage: {
                "before": change["before"],
                "after": change["after"],
                "by_rules": change["by_rules"],
                "matched": change["rules"],
                "winner": change["winner"],
            }
            for stage, change in changes.items()
            if stage in STAGE_OUTCOMES
        },
        "standing": changes.get("standing"),
        "confirmed_by": decision.confirmed_by,
    }


def _instant(at: int) -> str:
    """Microseconds since 1970 as an ISO instant in UTC, always with six decimals."""
    return (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _invoice(line_id: int) -> dict[str, Any]:
    """The invoice that a decision is about, beside its customer."""
    line = DueLine.get_by_id(line_id)
    return {"number": line.number, "instalment": line.ordinal}


def _policies(edition: str, of_lines: bool) -> dict[str, Any]:
    """Per stage the key and the sha256 of the policy of an edition; none when it is stored no more."""
    row = Edition.get_or_none(Edition.sha256 == edition)
    part = "line_policies" if of_lines else "policies"
    named: dict[str, str] = {} if row is None else json.loads(row.body).get(part, {})
    keys = dict(
        Document.select(Document.sha256, Document.key).where(Document.sha256.in_(list(named.values()))).tuples()
    )
    return {stage: {"key": keys.get(sha256), "sha256": sha256} for stage, sha256 in named.items()}


def overrides_read(batch: Sequence[Decision]) -> dict[int, list[Override]]:
    """The overrides that each decision of a batch read: of each target the latest in force on its day."""
    customers = sorted({decision.customer_id for decision in batch})
    given: dict[int, list[Override]] = {}
    for override in Override.select().where(Override.customer.in_(customers)).order_by(Override.id):
        given.setdefault(override.customer_id, []).append(override)
    found = {}
    for decision in batch:
        facts = json.loads(decision.facts) if decision.customer_id in given else {}
        latest = {one.target: one for one in given.get(decision.customer_id, ()) if _was_read(one, decision, facts)}
        found[decision.id] = sorted(latest.values(), key=lambda one: one.id)
    return found


def _was_read(override: Override, decision: Decision, facts: Mapping[str, Any]) -> bool:
    """Whether an override stood when a decision was made: the facts say so of one that ended that day."""
    day, at = decision.as_of_day, decision.created_at
    if override.target not in OVERRIDDEN or not override.from_day <= day < override.until_day:
        return False
    if override.created_at > at or (override.needs_approval and (override.approved_at or at + 1) > at):
        return False
    if override.ended_day is None or override.ended_day > day:
        return True
    outcome, _dtype = OVERRIDDEN[override.target]
    return bool(override.ended_day == day and facts.get(f"override_{outcome}") == json.loads(override.value or "null"))


def _override(override: Override) -> dict[str, Any]:
    return {
        "id": override.id,
        "target": override.target,
        "value": None if override.value is None else json.loads(override.value),
        "from": date_of(override.from_day).isoformat(),
        "until": date_of(override.until_day).isoformat(),
        "by": override.by_id,
        "approved_by": override.approved_by_id,
    }
