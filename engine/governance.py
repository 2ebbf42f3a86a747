"""Commands that govern documents: draft -> proposed -> approved by another person, or rejected.

A proposed version is immutable and named by the sha256 of its canonical JSON. The approval names
that sha256, so nobody approves what they have not seen; and neither who wrote nor who proposed a
version may approve it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine import drafts
from engine.authors import refuse_authors
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    expect_version,
    register,
    update_version,
)
from engine.findings import findings
from engine.pipeline import last_portfolio_run
from engine.tables import Document, Entity
from engine.versions import columns_of, document_of, draft_of, head_of, proposed_of, signed
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of
from ledger.problems import Problem


@dataclass(frozen=True, kw_only=True)
class SaveDraft(Command):
    """Keep a draft; it may be wrong, the answer says where.

    Args:
        document: the decoded JSON.
        document_id: the draft it replaces; None makes a new one.
        version: of that draft as the actor saw it.
    """

    document: Mapping[str, Any]
    document_id: int | None = None
    version: int | None = None


@register(SaveDraft, permission="documents.draft")
def save_draft(context: Context, command: SaveDraft) -> Change:
    """Write the draft, new or in place of an older one that nobody else has changed."""
    values = columns_of(context, command.document)
    if command.document_id is None:
        row = Document.create(**values, **signed(context, None), status="draft", reason=command.reason)
        head = head_of(row)
        if head is not None:
            row.replaces = head.sha256
            row.authors = "[]" if head.sha256 == row.sha256 else row.authors  # opening it is no writing
            row.save(only=[Document.replaces, Document.authors])
        before = None
    else:
        row = draft_of(context, command.document_id)
        expect_version(row, command.version, {"sha256": values["sha256"]})
        before = {"sha256": row.sha256}
        steps = drafts.remembered(row, command.document, context.actor, command.reason)
        update_version(row, **values, **signed(context, row), undo=steps, reason=command.reason)
    problems = findings(command.document, row.entity)
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before=before,
        after={"sha256": values["sha256"], "status": "draft"},
        answer={
            "document": row.id,
            "sha256": values["sha256"],
            "version": row.version,
            "problems": [_said(problem) for problem in problems],
        },
        entity_id=row.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class UndoDraft(Command):
    """Take the last edit of a draft back, whoever made it.

    Args:
        version: of the draft as the actor saw it.
    """

    document_id: int
    version: int


@register(UndoDraft, permission="documents.draft")
def undo_draft(context: Context, command: UndoDraft) -> Change:
    """Write the draft as it was before; refused where nothing is remembered."""
    row = draft_of(context, command.document_id)
    expect_version(row, command.version)
    before = {"sha256": row.sha256}
    body, steps = drafts.taken_back(row)
    update_version(row, **columns_of(context, body), **signed(context, row), undo=steps, reason=command.reason)
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before=before,
        after={"sha256": row.sha256, "status": "draft"},
        answer={"document": row.id, "sha256": row.sha256, "version": row.version},
        entity_id=row.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class ProposeDocument(Command):
    """Ask another person to approve a document.

    Args:
        document: id of a draft, or the decoded JSON of a new version.
        from_day: the day it shall hold from, not before the last decided one.
        impact: the simulation it is proposed with, kept for whoever approves.
        replaces: sha256 of the version the actor started from; checked when given.
        sha256: of the draft as the actor read it; checked when given.
    """

    document: int | Mapping[str, Any]
    from_day: int
    impact: Mapping[str, Any] | None = None
    replaces: str | None = None
    sha256: str | None = None


@register(ProposeDocument, permission="documents.propose", person_only=True)
def propose_document(context: Context, command: ProposeDocument) -> Change:
    """Make the version immutable; refused while the checker finds anything or a case fails."""
    if isinstance(command.document, int):
        row = document_of(context, command.document)
        if row.status != "draft":
            raise Conflict(f"document {row.id} is {row.status}", current={"status": row.status})
        if command.sha256 not in {None, row.sha256}:
            raise Conflict("the draft was changed", seen={"sha256": command.sha256}, current={"sha256": row.sha256})
        body = json.loads(row.body)
    else:
        body = dict(command.document)
        row = Document.create(
            **columns_of(context, body), **signed(context, None), status="draft", reason=command.reason
        )
    return put_forward(
        context, row, body, from_day=command.from_day, impact=command.impact, replaces=command.replaces, why=command
    )


@dataclass(frozen=True, kw_only=True)
class ApproveDocument(Command):
    """Approve what another person proposed.

    Args:
        sha256: of the version the actor has read.
    """

    document_id: int
    sha256: str


@register(ApproveDocument, permission="documents.approve", person_only=True)
def approve_document(context: Context, command: ApproveDocument) -> Change:
    """It is live from its day on; the next run uses it."""
    row = proposed_of(context, command.document_id)
    if command.sha256 != row.sha256:
        raise Conflict(
            "this is not the version that is proposed", seen={"sha256": command.sha256}, current={"sha256": row.sha256}
        )
    refuse_authors(row, context.actor)
    if sha256_of(json.loads(row.body)) != row.sha256:
        raise Conflict("the stored document is not the one that was proposed")
    head = head_of(row)
    if (None if head is None else head.sha256) != row.replaces:
        # It was made from another version: approving it would silently undo what came between.
        raise Conflict(
            "another version was approved since this was proposed",
            seen={"replaces": row.replaces},
            current={"replaces": None if head is None else head.sha256},
        )
    # Other documents may have changed since the proposal.
    _refuse_errors(findings(json.loads(row.body), row.entity, row.from_day))
    from_day = max(row.from_day, _last_decided_day(row.entity) or row.from_day)
    update_version(row, status="approved", approved_by=context.actor, approved_at=context.at, from_day=from_day)
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before={"status": "proposed"},
        after={"status": "approved", "sha256": row.sha256, "from_day": from_day},
        answer={"document": row.id, "sha256": row.sha256, "from_day": from_day, "version": row.version},
        entity_id=row.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class RejectDocument(Command):
    """Send a proposed document back; the reason says why."""

    document_id: int


@register(RejectDocument, permission="documents.approve", person_only=True)
def reject_document(context: Context, command: RejectDocument) -> Change:
    """It never takes effect; a new draft may follow."""
    row = proposed_of(context, command.document_id)
    update_version(row, status="rejected")
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before={"status": "proposed"},
        after={"status": "rejected"},
        answer={"document": row.id, "version": row.version},
        entity_id=row.entity_id,
    )


def put_forward(
    context: Context,
    row: Document,
    body: Mapping[str, Any],
    *,
    from_day: int,
    impact: Mapping[str, Any] | None,
    replaces: str | None,
    why: Command,
) -> Change:
    """Make a draft a proposal, if nothing is found and it follows the newest approved version.

    Raises:
        Invalid: the checker finds an error, or the day cannot be.
        Conflict: another version was approved meanwhile.
    """
    _refuse_errors(findings(body, row.entity, from_day))
    _check_day(row.entity, from_day)
    until_day = _until_day(body)
    if until_day is not None and until_day <= from_day:
        raise Invalid.because(
            "from_day",
            f"{date_of(from_day)} is not before {date_of(until_day)}, the day this version ends",
            "give an earlier day, or write a version with a later end",
        )
    head = head_of(row)
    _check_head(head, from_day, replaces)
    if row.drafted_by_id is None:  # shipped with the product: whoever proposes it answers for it
        row.drafted_by = context.actor
    update_version(
        row,
        status="proposed",
        from_day=from_day,
        until_day=until_day,
        drafted_by=row.drafted_by,
        proposed_by=context.actor,
        proposed_at=context.at,
        reason=why.reason,
        replaces=None if head is None else head.sha256,
        undo="[]",
        impact=None if impact is None else canonical(impact),
    )
    return Change(
        subject_kind="document",
        subject_id=row.id,
        before={"status": "draft"},
        after={"status": "proposed", "sha256": row.sha256, "from_day": from_day},
        answer={"document": row.id, "sha256": row.sha256, "version": row.version},
        entity_id=row.entity_id,
    )


def _refuse_errors(problems: list[Problem]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise Invalid(errors)


def _check_head(head: Document | None, from_day: int, replaces: str | None) -> None:
    """Versions follow each other: none is slipped in before one that is approved already."""
    if head is None:
        return
    if replaces is not None and replaces != head.sha256:
        raise Conflict(
            "another version was approved meanwhile",
            seen={"replaces": replaces},
            current={"replaces": head.sha256},
        )
    if from_day < (head.from_day or 0):
        raise Invalid.because(
            "from_day",
            f"{date_of(from_day)} lies before {date_of(head.from_day)}, from which an approved version holds",
            "give that day or a later one",
        )


def _check_day(entity: Entity | None, from_day: int) -> None:
    last = _last_decided_day(entity)
    if last is not None and from_day < last:
        raise Invalid.because(
            "from_day",
            f"{date_of(from_day)} lies before {date_of(last)}, which is decided already",
            "give that day or a later one",
        )


def _last_decided_day(entity: Entity | None) -> int | None:
    entities = list(Entity.select()) if entity is None else [entity]
    runs = [run for one in entities if (run := last_portfolio_run(one)) is not None]
    return max((int(run.as_of_day) for run in runs), default=None)


def _until_day(body: Mapping[str, Any]) -> int | None:
    from rules.policies import iso_day

    until = body.get("effective", {}).get("until")
    return None if until is None else iso_day(until)


def _said(problem: Problem) -> dict[str, str]:
    return {"place": problem.place, "what": problem.what, "cure": problem.cure, "severity": problem.severity}
