"""Versions of policies and parameters: which hold, which wait, whom they touch and who may change them."""

import json
from typing import Any

from flask import abort, url_for
from flask_babel import gettext as _
from flask_login import current_user

from admin import formatting, gate
from engine import access
from engine.editions import documents_in_force, scope_of
from engine.pipeline import last_portfolio_run
from engine.tables import Document, Entity, User
from engine.versions import head_of

WAITING = "proposed"
HEADS = {
    **{"policy": "policies", "parameters": "parameters", "derived_facts": "derived_facts", "template": "templates"},
    **{"regime": "policies", "rate_table": "policies"},
}
# Above: the blueprint of each kind.


def visible_entities() -> list[Entity]:
    """Entities the reader sees at least a part of."""
    seen = access.visible_entities(current_user.id)
    return list(Entity.select().where(Entity.id.in_(seen)).order_by(Entity.code))


def sees_whole(entity: Entity) -> bool:
    """Whether the reader sees every customer of an entity: only then may they see its counts."""
    return access.sees_whole_entity(current_user.id, entity.id)


def visible_document(document_id: int) -> Document:
    """A document of all entities, or of one the reader sees a part of."""
    found: Document | None = Document.get_or_none(Document.id == document_id)
    if found is None or (
        found.entity_id is not None and found.entity_id not in access.visible_entities(current_user.id)
    ):
        abort(404)
    return found


def body_of(document: Document) -> dict[str, Any]:
    """The document itself."""
    found: dict[str, Any] = json.loads(document.body)
    return found


def title_of(document: Document) -> str:
    """What a document is called."""
    return _(str(body_of(document).get("name") or formatting.title(document.key)))


def address(document: Document, view: str = "document_page", **more: Any) -> str:
    """The page of a document: each kind stands under its own head."""
    return url_for(f"{HEADS[document.kind]}.{view}", document_id=document.id, **more)


def in_force(kind: str) -> list[Document]:
    """What holds today for all entities, and for the entities the reader sees."""
    found = {}
    for entity in [None, *visible_entities()]:
        for document in documents_in_force(entity, gate.runtime().today(entity), (kind,)):
            found[document.id] = document
    return list(found.values())


def is_in_force(document: Document) -> bool:
    """Whether a version decides today for its entity, or for all."""
    today = gate.runtime().today(document.entity)
    return any(one.id == document.id for one in documents_in_force(document.entity, today, (document.kind,)))


def governed(document: Document) -> list[Entity]:
    """The entities a document decides for: its own, or all that have none more specific."""
    if document.entity is not None:
        return [document.entity]
    found = []
    for entity in Entity.select().order_by(Entity.code):
        others = documents_in_force(entity, gate.runtime().today(entity), (document.kind,))
        own = any(other.entity_id is not None and scope_of(other) == scope_of(document) for other in others)
        if not own:
            found.append(entity)
    return found


def may_change(document: Document) -> bool:
    """Whether the reader may propose another version: who cannot see all it touches may not."""
    return gate.may("documents.propose") and sees_all_of(document)


def may_decide(document: Document) -> bool:
    """Whether the reader may approve or reject."""
    return gate.may("documents.approve") and sees_all_of(document)


def sees_all_of(document: Document) -> bool:
    """Whether the reader sees every customer it decides about."""
    return access.sees_all_of(current_user.id, document.entity_id)


def waiting(kind: str | None = None) -> list[Document]:
    """Proposals that a second person must read, the oldest first."""
    visible = access.visible_entities(current_user.id)
    query = Document.select(Document, User).join(User, on=(Document.proposed_by == User.id))
    query = query.where(Document.status == WAITING, Document.entity.is_null() | Document.entity.in_(visible))
    if kind is not None:
        query = query.where(Document.kind == kind)
    return list(query.order_by(Document.proposed_at))


def coming_versions(document: Document | None = None) -> list[Document]:
    """Versions that are approved and hold from a later day on: all the reader sees, or those of a document's key."""
    query = Document.select().where(
        Document.status == "approved",
        Document.entity.is_null() | Document.entity.in_(access.visible_entities(current_user.id)),
    )
    if document is not None:
        query = query.where(Document.kind == document.kind, Document.key == document.key, Document.id != document.id)
        query = query.where(
            Document.entity.is_null() if document.entity_id is None else Document.entity == document.entity
        )
    found = query.order_by(Document.from_day, Document.id)
    return [one for one in found if one.from_day > gate.runtime().today(one.entity)]


def replaced_by(document: Document) -> Document | None:
    """The version a proposal takes the place of; of an approved one, the version before it."""
    if document.status in {WAITING, "draft"}:
        return head_of(document)
    if document.approved_at is None:
        return None
    older = Document.approved_at.is_null(False) & (Document.approved_at < document.approved_at)
    found: Document | None = versions(document).where(older).order_by(Document.approved_at.desc()).first()
    return found


def newest_of(document: Document) -> Document:
    """The newest approved version in the place of this one: the only one that can be changed."""
    newer = head_of(document)
    if newer is None or document.status not in {"approved", "live"}:
        return newer or document
    mine, other = ((one.from_day or 0, one.approved_at or 0, one.id) for one in (document, newer))
    return document if mine > other else newer


def versions(document: Document) -> Any:
    same = (Document.kind == document.kind) & (Document.key == document.key) & (Document.id != document.id)
    entity = Document.entity.is_null() if document.entity_id is None else Document.entity == document.entity_id
    return Document.select().where(same, entity)


def currency_shown(document: Document | None = None) -> str:
    """The currency amounts of a document are shown in: that of its entity, else of the first one seen."""
    if document is not None and document.entity is not None:
        return str(document.entity.currency)
    seen = visible_entities()
    return "EUR" if not seen else str(seen[0].currency)


def rule_labels(document: Document | None = None) -> dict[str, dict[str, str]]:
    """By stage, the label of each rule's or step's key, in what is in force and in one version."""
    found: dict[str, dict[str, str]] = {}
    for one in [*in_force("policy"), *([document] if document and document.kind == "policy" else [])]:
        body = body_of(one)
        steps = [step for steps in body.get("escalation", {}).get("scenarios", {}).values() for step in steps]
        names = found.setdefault(str(one.stage), {})
        for part in [*body.get("rules", ()), *steps]:
            names[part["key"]] = _(str(part.get("label") or part["key"]))
    return found


def first_day(document: Document) -> int:
    """The first day a new version can decide: not decided yet, and not before the version it follows."""
    newest = newest_of(document)
    begun = [newest.from_day] if newest.status in {"approved", "live"} and newest.from_day is not None else []
    undecided = [day + 1 for day in decided_days(document)]
    return max([gate.runtime().today(document.entity), *undecided, *begun])


def in_several_currencies(document: Document) -> bool:
    """Whether its amounts count in more than one currency: each entity reads them in its own."""
    return len({entity.currency for entity in governed(document)}) > 1


def decided_days(document: Document) -> list[int]:
    """The last decided day of each entity a document is for."""
    touched = [document.entity] if document.entity is not None else list(Entity.select())
    runs = [last_portfolio_run(entity) for entity in touched]
    return [int(run.as_of_day) for run in runs if run is not None]
