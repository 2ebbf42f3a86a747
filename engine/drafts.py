"""Drafts remember their last edits, so that one can be taken back and a conflict can say what came between."""

import json
from collections.abc import Mapping
from typing import Any

from engine.commands import Conflict, Invalid
from engine.tables import Document, User
from ledger.canonical import canonical
from rules.editing import Patch, patch_of, patched

STEPS_MAX = 50
STEPS_BYTES_MAX = 500_000


def remembered(row: Document, after: Mapping[str, Any], actor: User | None, reason: str) -> str:
    """What a draft remembers once it holds ``after``: the way back from each of its last edits, as JSON."""
    steps = steps_of(row)
    patch = patch_of(after, json.loads(row.body))
    if patch is None:
        return str(row.undo)
    step = {
        "from": row.version,
        "to": row.version + 1,
        "back": [patch.place, patch.start, patch.count, list(patch.values)],
        "by": None if actor is None else actor.id,
        "reason": reason,
    }
    steps = [*steps, step][-STEPS_MAX:]
    while steps and len(canonical(steps)) > STEPS_BYTES_MAX:
        steps = steps[1:]
    return canonical(steps)


def taken_back(row: Document) -> tuple[dict[str, Any], str]:
    """A draft as it was before its last edit, and what it remembers then.

    Raises:
        Invalid: nothing is remembered.
        Conflict: the edit cannot be taken back.
    """
    steps = steps_of(row)
    if not steps:
        raise Invalid.because("document", "no edit is remembered", "change it by hand")
    body = _back(json.loads(row.body), steps.pop())
    if body is None:
        raise Conflict("the last edit cannot be taken back", current={"version": row.version})
    if steps:  # the version that comes next holds what this step led to
        steps[-1] = {**steps[-1], "to": row.version + 1}
    return body, canonical(steps)


def body_at(row: Document, version: int) -> dict[str, Any] | None:
    """A draft as it was at an earlier version; None where that is not remembered any more."""
    body: dict[str, Any] | None = json.loads(row.body)
    now = int(row.version)
    for step in reversed(steps_of(row)):
        if now == version or body is None:
            break
        if step["to"] != now:
            return None
        body, now = _back(body, step), step["from"]
    return body if now == version else None


def steps_of(row: Document) -> list[dict[str, Any]]:
    """The edits a draft remembers, the newest last: ``from``, ``to``, ``back``, ``by``, ``reason``."""
    found: list[dict[str, Any]] = json.loads(row.undo)
    return found


def _back(body: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any] | None:
    place, start, count, values = step["back"]
    return patched(body, Patch(place, start, count, tuple(values)))[0]
