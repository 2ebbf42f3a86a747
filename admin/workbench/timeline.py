"""The timeline of an escalation's draft: each scenario a line of days around the due date, its steps on it."""

from flask import abort
from flask.typing import ResponseReturnValue

from admin import gate
from admin.workbench.desk import blueprint, editable, opened


@blueprint.get("/<int:document_id>/timeline")
@gate.needs("documents.draft")
def timeline(document_id: int) -> ResponseReturnValue:
    """The draft with one of its scenarios on the line."""
    row = editable(document_id)
    if row.stage != "escalation":
        abort(404)
    return opened(row)
