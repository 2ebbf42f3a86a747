"""A decision table out as an Excel file, and back: the difference is read before anything is saved."""

import json
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, gate, policies
from admin.sheet import sent
from admin.table_documents import document_of_file, file_of
from admin.table_import import FILE_BYTES_MAX
from admin.versions import address, body_of, currency_shown, replaced_by, title_of, visible_document
from admin.workbench.desk import blueprint, editable
from admin.workbench.table import tongue_for
from engine import access
from engine.commands import Conflict, Invalid
from engine.governance import SaveDraft
from engine.tables import Document
from ledger.problems import Problem
from rules.documents import canonical, parse

PREVIEW_BYTES_MAX = 400_000  # of a document that waits in its form to be kept
SAME = ("kind", "key", "stage", "subject", "entity")


@policies.blueprint.get("/<int:document_id>/table.xlsx")
@gate.needs("policies.view")
def table_file(document_id: int) -> ResponseReturnValue:
    """A version as an Excel file."""
    row = visible_document(document_id)
    content, problems = file_of(row, tongue_for(row))
    if content is None:
        raise Invalid(problems)
    return sent(content, f"{row.key}-{row.sha256[:8]}.xlsx")


@blueprint.get("/<int:document_id>/table/upload")
@gate.needs("documents.draft")
def table_upload(document_id: int) -> ResponseReturnValue:
    """Choose a file."""
    return upload_page(editable(document_id))


@blueprint.post("/<int:document_id>/table/upload")
@gate.needs("documents.draft")
def table_uploaded(document_id: int) -> ResponseReturnValue:
    """Show what a file would change; or keep what was shown."""
    row = editable(document_id)
    if row.status != "draft":
        abort(409)
    if request.form.get("do") == "keep":
        return kept(row)
    given = request.files.get("file")
    if given is None or not given.filename:
        problem = Problem("", _("There is no file."), _("Choose an Excel file first."))
        return upload_page(row, problems=[problem], status=422)
    content = given.stream.read(FILE_BYTES_MAX + 1)
    document, problems = document_of_file(content, given.filename, may_see, _)
    if document is not None:
        problems = other_policy(row, document)
    if document is None or problems:
        return upload_page(row, problems=problems, status=422)
    return upload_page(row, document=document, name=given.filename)


def may_see(row: Document) -> bool:
    """Whether the reader may see a version."""
    return row.entity_id is None or row.entity_id in access.visible_entities(current_user.id)


def other_policy(row: Document, document: dict[str, Any]) -> list[Problem]:
    """Why a file does not belong to a draft."""
    body = body_of(row)
    if any(document.get(name) != body.get(name) for name in SAME):
        what = _("The file is of the policy %(name)s.", name=document["name"])
        return [Problem("", what, _("Open the draft of that policy and import it there."))]
    if len(canonical(document)) > PREVIEW_BYTES_MAX:
        return [Problem("", _("The policy is too large for this page."), "dunwell policy import")]
    return []


def upload_page(
    row: Document,
    *,
    document: dict[str, Any] | None = None,
    name: str = "",
    problems: list[Problem] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    """The page of an import as far as it has come."""
    body, currency = body_of(row), currency_shown(row)
    return render_template(
        "console/workbench/upload.html",
        row=row,
        title=title_of(row),
        name=name,
        problems=problems or [],
        document=None if document is None else canonical(document).decode(),
        differences=comparing.differences(body, document, currency) if document else [],
        same=document == body,
        back=address(replaced_by(row) or row),
    ), status


def kept(row: Document) -> ResponseReturnValue:
    """Save what was shown as the draft."""
    try:
        document = json.loads(request.form.get("document", ""))
    except json.JSONDecodeError:
        abort(400)
    if not isinstance(document, dict) or parse(document)[0] is None or other_policy(row, document):
        abort(400)
    version = request.form.get("version", "")
    words = _("Imported from %(name)s", name=request.form.get("name", "")[:200])
    command = SaveDraft(
        actor=current_user.id,
        reason=words,
        document=document,
        document_id=row.id,
        version=int(version) if version.isdecimal() else 0,
    )
    try:
        gate.runtime().execute(command)
    except Conflict:
        what = _("Somebody else saved the draft meanwhile.")
        again = Problem("", what, _("Read the difference again: it is against the draft as it is now."))
        row = editable(row.id)
        return upload_page(row, document=document, name=request.form.get("name", ""), problems=[again], status=409)
    flash(words, "success")
    return redirect(url_for("workbench.table", document_id=row.id), 303)
