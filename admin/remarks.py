"""What people said about a version, and which policies are stopped, as pages show it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_login import current_user

from admin import formatting, gate
from engine import access
from engine.comments import comments_of
from engine.stopping import stops_in_force
from engine.tables import Document, DocumentComment, PolicyStop


@dataclass(frozen=True)
class Remark:
    """One comment with what was answered.

    Args:
        where: the rule, step or parameter it is about, as it is called now; empty for all of it.
        gone: whether that is no more in this version.
        settled: the comment that settled it.
    """

    comment: DocumentComment
    where: str
    gone: bool
    settled: DocumentComment | None


@dataclass(frozen=True)
class Stopped:
    """A policy that is stopped, and what the reader may do about it."""

    stop: PolicyStop
    title: str
    proposes: bool
    approves: bool


def remarks_of(document: Document, body: Mapping[str, Any]) -> list[Remark]:
    """What was said about a version: place by place, what is open first."""
    said = comments_of(document)
    settled = {one.settles_id: one for one in said if one.settles_id is not None}
    names = {key: label for _place, key, label in _parts(body)}
    order = {key: number for number, key in enumerate(names)}
    found = [
        Remark(one, names.get(one.about or "", one.about or ""), bool(one.place) and one.about not in names, answer)
        for one in said
        if one.settles_id is None
        for answer in [settled.get(one.id)]
    ]
    return sorted(found, key=lambda r: (r.settled is not None, order.get(r.comment.about or "", -1), r.comment.id))


def places_of(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The places of a version that a comment may be about: pointer and name."""
    return [("", _("The whole version")), *((place, label) for place, _key, label in _parts(body))]


def _parts(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Place, key and name of each rule, step, parameter and derived fact."""
    for name in ("rules", "parameters", "facts"):
        for index, part in enumerate(body.get(name, ())):
            key = str(part.get("key") or part.get("name"))
            yield f"/{name}/{index}", key, _(str(part.get("label") or key))
    for scenario, steps in body.get("escalation", {}).get("scenarios", {}).items():
        for index, step in enumerate(steps):
            place = f"/escalation/scenarios/{scenario}/{index}"
            yield place, step["key"], _(str(step.get("label") or formatting.title(step["key"])))


def stopped_now(key: str | None = None) -> list[Stopped]:
    """The policies that are stopped for entities the reader sees; of one policy only, if a key is given."""
    found = []
    for stop in stops_in_force(access.visible_entities(current_user.id)):
        if key not in (None, stop.policy_key):
            continue
        whole = access.sees_all_of(current_user.id, stop.entity_id)
        approves = whole and gate.may("policies.approve") and stop.resume_by_id not in (None, current_user.id)
        found.append(Stopped(stop, _title(stop), whole and gate.may("policies.stop"), approves))
    return found


def _title(stop: PolicyStop) -> str:
    row = Document.select().where(Document.key == stop.policy_key, Document.kind == "policy").order_by(-Document.id)
    found = row.first()
    if found is None:
        return formatting.title(stop.policy_key)
    return _(str(json.loads(found.body).get("name") or formatting.title(stop.policy_key)))
