"""Counts while a part of a draft is edited: of the form as it stands, nothing is saved."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from flask import abort, jsonify, request
from flask.typing import ResponseReturnValue

from admin import gate
from admin.counting import counted
from admin.versions import body_of
from admin.workbench import parts
from admin.workbench.desk import blueprint, editable
from admin.workbench.reading import Reading
from admin.workbench.world import World, world_of
from rules.editing import steps_of, within


@blueprint.post("/<int:document_id>/counts")
@gate.needs("documents.draft")
def counts(document_id: int) -> ResponseReturnValue:
    """The counts of the draft with what the form says in it, however wrong."""
    row = editable(document_id)
    given = request.form.to_dict()
    if given.get("version") != str(row.version):
        abort(409)
    return jsonify(counted(row, as_typed(body_of(row), given, world_of(row))))


def as_typed(body: Mapping[str, Any], given: Mapping[str, str], world: World) -> Mapping[str, Any]:
    """A draft as a form would make it, right or wrong; a condition that cannot be read is none."""
    place = parts.found_again(body, given.get("place", ""), given.get("of", ""))
    part = parts.part_at(place)
    if part is None or not parts.stands(body, place):
        return body
    reading = Reading(given, world)
    value = deepcopy(part.read(reading, parts.value_of(body, place)))
    if place == parts.HEAD:
        return dict(value)
    for name in reading.wrong:
        _blank(value, name.partition(":")[0])
    parent, own = within(place)
    found = deepcopy(dict(body))
    holder = _at(found, parent)
    holder[int(own) if isinstance(holder, list) else own] = value
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
