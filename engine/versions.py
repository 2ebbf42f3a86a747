"""Versions of documents: which the actor may read and change, the columns of a row, what follows what."""

import json
from collections.abc import Mapping
from typing import Any

from engine import access
from engine.commands import Conflict, Context, Invalid, NotFound, Refused
from engine.tables import Document
from ledger.canonical import canonical, sha256_of

BODY_BYTES_MAX = 1_000_000
KINDS = ("policy", "parameters", "derived_facts", "template", "regime", "rate_table")


def document_seen(context: Context, document_id: int) -> Document:
    """A version the actor may read, whether or not they may change it.

    Raises:
        NotFound: there is none, or it is for an entity the actor sees nothing of.
    """
    row: Document | None = Document.get_or_none(Document.id == document_id)
    if row is None or (
        row.entity_id is not None
        and context.actor is not None
        and row.entity_id not in access.visible_entities(context.actor)
    ):
        raise NotFound(f"no document {document_id}")
    return row


def columns_of(context: Context, document: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a document's row, as far as its JSON can be understood at all."""
    if not isinstance(document, Mapping) or document.get("kind") not in KINDS:
        raise Invalid.because("kind", "is no kind of document", f"give one of {', '.join(KINDS)}")
    key = document.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 100:
        raise Invalid.because("key", "is missing or too long", "name the document with 1 to 100 characters")
    body = canonical(document)
    if len(body.encode()) > BODY_BYTES_MAX:
        raise Invalid.because("document", f"is larger than {BODY_BYTES_MAX} bytes", "split it")
    code = document.get("entity")
    entity = None if code is None else context.entity(str(code))
    if entity is None:
        must_see_all(context)
    return {
        "kind": document["kind"],
        "key": key,
        "stage": document.get("stage"),
        "subject": document.get("subject", "customer") if document["kind"] == "policy" else None,
        "entity": entity,
        "sha256": sha256_of(document),
        "body": body,
    }


def must_see_all(context: Context) -> None:
    """What holds for all entities is for whoever sees them all."""
    if context.actor is not None and not access.sees_all_of(context.actor, None):
        raise Refused("what holds for all entities needs somebody who sees them all")


def document_of(context: Context, document_id: int) -> Document:
    """A version the actor may change.

    Raises:
        NotFound: there is none, or it is for an entity that the actor does not see all of.
        Refused: it is for all entities, and the actor does not see them all.
    """
    row: Document | None = Document.get_or_none(Document.id == document_id)
    if row is None:
        raise NotFound(f"no document {document_id}")
    if row.entity_id is None:
        must_see_all(context)
    else:
        context.entity(row.entity_id)
    return row


def draft_of(context: Context, document_id: int) -> Document:
    """A version that may still be edited.

    Raises:
        Conflict: it is a draft no more.
    """
    row = document_of(context, document_id)
    if row.status != "draft":
        raise Conflict(f"document {row.id} is {row.status}: save a new draft", current={"status": row.status})
    return row


def signed(context: Context, row: Document | None) -> dict[str, Any]:
    """Who wrote in a draft: nobody of them may approve it later, not only the last."""
    known = [] if row is None else json.loads(row.authors)
    new = [] if context.actor is None or context.actor.id in known else [context.actor.id]
    return {"drafted_by": context.actor, "authors": canonical([*known, *new])}


def proposed_of(context: Context, document_id: int) -> Document:
    """A version that waits for approval.

    Raises:
        Conflict: it is not proposed.
    """
    row = document_of(context, document_id)
    if row.status != "proposed":
        raise Conflict(f"document {row.id} is {row.status}, not proposed", current={"status": row.status})
    return row


def head_of(row: Document) -> Document | None:
    """The newest approved version of the same scope: what the next version is made from and takes the place of."""
    query = Document.select().where(
        Document.status.in_(("approved", "live")),
        Document.kind == row.kind,
        Document.entity.is_null() if row.entity_id is None else Document.entity == row.entity_id,
        Document.id != row.id,
    )
    if row.kind == "policy":
        query = query.where(Document.stage == row.stage, Document.subject == row.subject)
    else:
        query = query.where(Document.key == row.key)
    found: Document | None = query.order_by(
        Document.from_day.desc(), Document.approved_at.desc(), Document.id.desc()
    ).first()
    return found
