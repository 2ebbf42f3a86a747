"""Going back: a proposal is withdrawn by whoever made it; an older version is proposed again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.commands import Change, Command, Conflict, Context, Refused, register, update_version
from engine.governance import put_forward
from engine.tables import Document
from engine.versions import columns_of, document_of, head_of, proposed_of, signed


@dataclass(frozen=True, kw_only=True)
class WithdrawDocument(Command):
    """Take back one's own proposal before anybody has decided about it."""

    document_id: int


@register(WithdrawDocument, permission="documents.propose", person_only=True)
def withdraw_document(context: Context, command: WithdrawDocument) -> Change:
    """It never takes effect; it stays readable, and a new draft may follow."""
    row = proposed_of(context, command.document_id)
    if context.actor is None or row.proposed_by_id != context.actor.id:
        raise Refused("only who proposed a version takes it back; others reject it")
    update_version(row, status="withdrawn")
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before={"status": "proposed"},
        after={"status": "withdrawn"},
        answer={"document": row.id, "version": row.version},
        entity_id=row.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class RestoreDocument(Command):
    """Ask another person to go back to an older version: a new proposal of its very content.

    Args:
        document_id: the older version; it was approved once.
        from_day: the day it shall hold from again.
        impact: the simulation against the version in force, for whoever approves.
        replaces: sha256 of the version in force as the actor saw it.
    """

    document_id: int
    from_day: int
    impact: Mapping[str, Any] | None = None
    replaces: str | None = None


@register(RestoreDocument, permission="documents.propose", person_only=True)
def restore_document(context: Context, command: RestoreDocument) -> Change:
    """Propose the old content as a version of its own, checked against what holds today."""
    older = document_of(context, command.document_id)
    if older.approved_at is None:
        raise Conflict(f"document {older.id} is {older.status}: it never held", current={"status": older.status})
    head = head_of(Document(kind=older.kind, key=older.key, stage=older.stage, subject=older.subject,
                            entity=older.entity, id=0))  # fmt: skip
    if head is not None and head.sha256 == older.sha256:
        raise Conflict("the newest approved version says exactly this already", current={"sha256": head.sha256})
    body = json.loads(older.body)
    row = Document.create(**columns_of(context, body), **signed(context, None), status="draft", reason=command.reason)
    return put_forward(
        context, row, body, from_day=command.from_day, impact=command.impact, replaces=command.replaces, why=command
    )
