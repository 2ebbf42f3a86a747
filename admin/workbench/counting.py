"""Counts while a part of a draft is edited: of the form as it stands, nothing is saved."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from flask import abort, jsonify, request
from flask.typing import ResponseReturnValue

from admin import gate
from admin.counting import counted
from admin.versions import body_of
from admin.workbench.asking import Asked, asked_of
from admin.workbench.desk import blueprint, editable
from admin.workbench.parts import HEAD
from admin.workbench.world import world_of
from rules.editing import steps_of, within


@blueprint.post("/<int:document_id>/counts")
@gate.needs("documents.draft")
def counts(document_id: int) -> ResponseReturnValue:
    """The counts of the draft with what the form says in it, however wrong."""
    row = editable(document_id)
    given = request.form.to_dict()
    if given.get("version") != str(row.version):
        abort(409)
    body = body_of(row)
    return jsonify(counted(row, as_asked(body, asked_of(body, {**given, "do": "save"}, world_of(row)))))


def as_asked(body: Mapping[str, Any], asked: Asked) -> Mapping[str, Any]:
    """A draft as a form would make it, checked or not; a condition that cannot be read is none."""
    if asked.document is not None:
        return asked.document
    if asked.part is None or not asked.place:
        return body
    if asked.place == HEAD:
        return dict(asked.part)
    part = deepcopy(asked.part)
    for name in asked.wrong:
        _blank(part, name.partition(":")[0])
    parent, own = within(asked.place)
    found = deepcopy(dict(body))
    holder = _at(found, parent)
    holder[int(own) if isinstance(holder, list) else own] = part
    return found


def _blank(part: Any, name: str) -> None:
    """Put nothing where a condition stands; other fields do not change whom a rule matches."""
    if name.split("/")[0] not in {"when", "unless"}:
        return
    parent, own = within(f"/{name}")
    holder = _at(part, parent)
    holder[int(own) if isinstance(holder, list) else own] = None


def _at(node: Any, place: str) -> Any:
    for step in steps_of(place):
        node = node[int(step) if isinstance(node, list) else step]
    return node
