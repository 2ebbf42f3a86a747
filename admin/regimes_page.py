"""Laws of late payment and their rates, as they are in force; rates come from a file into a draft."""

import json
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.versions import in_force
from engine.commands import Invalid, NotFound
from engine.regimes import FILE_BYTES_MAX, ImportRates
from engine.tables import Document
from ledger.days import day_of
from rules.regimes import RATE_TABLE, REGIME

blueprint = Blueprint("regimes", __name__, url_prefix="/late-interest")


@blueprint.get("")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """Every law in force with its provisions, and every rate table."""
    today = gate.runtime().now().date()
    tables = [(row, json.loads(row.body)) for row in in_force(RATE_TABLE)]
    laws = [(row, json.loads(row.body)) for row in in_force(REGIME)]
    waiting = Document.select().where(
        Document.kind.in_((REGIME, RATE_TABLE)), Document.status.in_(("draft", "proposed", "approved"))
    )
    return render_template(
        "console/regimes.html",
        laws=sorted(laws, key=lambda pair: (-pair[1]["priority"], pair[1]["key"])),
        tables=[(row, body, date.fromisoformat(body["known_until"]) < today) for row, body in tables],
        names={body["key"]: body["name"] for _row, body in tables},
        waiting=[(row, json.loads(row.body)["name"]) for row in waiting.order_by(Document.kind.desc(), Document.key)],
    )


@blueprint.post("/rates")
@gate.needs("documents.draft")
def import_rates() -> ResponseReturnValue:
    """Take rates of a file into a draft; two people put it in force."""
    back = redirect(url_for("regimes.index"), 303)
    file, until = request.files.get("file"), request.form.get("known_until", "")
    try:
        known_until_day = day_of(date.fromisoformat(until))
    except ValueError:
        flash(_("Say until which day the rates are known."), "error")
        return back
    if file is None or not file.filename:
        flash(_("Choose a file."), "error")
        return back
    command = ImportRates(
        actor=current_user.id,
        reason=f"rates of {file.filename}"[:200],
        table=request.form.get("table", ""),
        content=file.stream.read(FILE_BYTES_MAX + 1),
        known_until_day=known_until_day,
    )
    try:
        answer = gate.runtime().execute(command)
    except Invalid as error:
        for problem in error.problems:
            flash(_("%(file)s: %(what)s; %(cure)s.", file=problem.place, what=problem.what, cure=problem.cure), "error")
        return back
    except NotFound:
        flash(_("There is no such rate table."), "error")
        return back
    flash(_("The draft is kept. Propose it; a second person approves it."), "success")
    return redirect(url_for("policies.document_page", document_id=answer["document"]), 303)
