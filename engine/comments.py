"""Comments on versions: said once, never changed; settled by another comment that answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.tables import Document, DocumentComment
from engine.versions import document_seen
from ledger.problems import Problem

TEXT_LENGTH_MAX = 2_000
COMMENTS_MAX = 1_000  # of one version


@dataclass(frozen=True, kw_only=True)
class CommentDocument(Command):
    """Say something about a version, or settle what somebody said.

    Args:
        place: JSON pointer into the version, such as ``/rules/3``; empty for all of it.
        settles: id of an open comment of the version that this one settles; it keeps its place.
    """

    document_id: int
    text: str
    place: str = ""
    settles: int | None = None


@register(CommentDocument, permission="documents.comment", person_only=True)
def comment_document(context: Context, command: CommentDocument) -> Change:
    """Keep the comment with the key of the rule it is about, so that it is found when rules move."""
    row = document_seen(context, command.document_id)
    text = command.text.strip()
    if not 0 < len(text) <= TEXT_LENGTH_MAX:
        raise Invalid.because("text", f"must have 1 to {TEXT_LENGTH_MAX} characters", "write it, or shorten it")
    if DocumentComment.select().where(DocumentComment.document == row).count() >= COMMENTS_MAX:
        raise Conflict(f"version {row.id} has {COMMENTS_MAX} comments already")
    settled = None if command.settles is None else _open_comment(row, command.settles)
    place = command.place if settled is None else settled.place or ""
    about = about_of(json.loads(row.body), place) if settled is None else settled.about
    kept = DocumentComment.create(
        document=row,
        by=context.actor,
        at=context.at,
        place=place or None,
        about=about,
        text=text,
        settles=settled,
    )
    after = {"comment": kept.id, "place": place, "about": about, "text": text, "settles": command.settles}
    return Change(
        subject_kind="document",
        subject_id=row.id,
        after=after,
        answer={"comment": kept.id, "about": about},
        entity_id=row.entity_id,
    )


def about_of(body: Mapping[str, Any], place: str) -> str | None:
    """The key of the rule, step or parameter a place lies in; the place's last name otherwise.

    Raises:
        Invalid: the version has no such place.

    >>> about_of({"rules": [{"key": "large", "when": {"all": []}}]}, "/rules/0/when")
    'large'
    """
    found: Any = body
    about: str | None = None
    for part in place.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            raise Invalid([Problem("place", f"{place} is not in this version", "name a place it has, or none")])
        own = (found.get("key") or found.get("name")) if isinstance(found, dict) else None
        about = own if isinstance(own, str) else about or name
    if place and not place.startswith("/"):
        raise Invalid([Problem("place", f"{place} is no JSON pointer", "begin with a slash, as in /rules/3")])
    return about


def comments_of(row: Document) -> list[DocumentComment]:
    """What was said about a version, the oldest first."""
    return list(DocumentComment.select().where(DocumentComment.document == row).order_by(DocumentComment.id))


def open_comments(row: Document) -> list[DocumentComment]:
    """What was said about a version and is not settled."""
    said = comments_of(row)
    settled = {one.settles_id for one in said if one.settles_id is not None}
    return [one for one in said if one.settles_id is None and one.id not in settled]


def _open_comment(row: Document, comment_id: int) -> DocumentComment:
    said = {one.id: one for one in comments_of(row)}
    if comment_id not in said or said[comment_id].settles_id is not None:
        raise NotFound(f"no comment {comment_id} to settle")
    if comment_id not in {one.id for one in open_comments(row)}:
        raise Conflict(f"comment {comment_id} is settled already")
    return said[comment_id]
