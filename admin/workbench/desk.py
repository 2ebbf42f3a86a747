"""The page of a draft: rules in words, one of them open, what is found, what was done last."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, gate, policies
from admin.versions import body_of, newest_of, sees_all_of, title_of, visible_document
from admin.workbench import listed, parts
from admin.workbench.asked import Asked
from admin.workbench.asking import asked_of
from admin.workbench.figures_form import FiguresForm
from admin.workbench.formula_form import FormulaForm, checked
from admin.workbench.showing import desk_of
from admin.workbench.world import World, world_of
from engine import drafts
from engine.commands import Conflict
from engine.governance import SaveDraft, UndoDraft
from engine.tables import Document, User

blueprint = Blueprint("workbench", __name__, url_prefix="/workbench")
LISTS: Mapping[str, listed.Form] = {"parameters": FiguresForm(), "derived_facts": FormulaForm()}


@policies.blueprint.post("/<int:document_id>/edit")
@gate.needs("documents.draft")
def open_draft(document_id: int) -> ResponseReturnValue:
    """Open the draft of a policy: the one there is, else a new one made from the newest approved version."""
    document = visible_document(document_id)
    if not sees_all_of(document):
        abort(403)
    if document.status == "draft":
        return redirect(url_for("workbench.desk", document_id=document.id), 303)
    newest = newest_of(document)
    draft = draft_beside(newest)
    if draft is None:
        words = _("Draft made from the version in force")
        answer = gate.runtime().execute(SaveDraft(actor=current_user.id, reason=words, document=body_of(newest)))
        return redirect(url_for("workbench.desk", document_id=answer["document"]), 303)
    return redirect(url_for("workbench.desk", document_id=draft.id), 303)


def draft_beside(document: Document) -> Document | None:
    """The draft of the same policy and scope, the newest one."""
    same = (
        (Document.status == "draft")
        & (Document.kind == document.kind)
        & (Document.key == document.key)
        & (Document.entity.is_null() if document.entity_id is None else Document.entity == document.entity_id)
    )
    found: Document | None = Document.select().where(same).order_by(Document.id.desc()).first()
    return found


@blueprint.get("/<int:document_id>")
@gate.needs("documents.draft")
def desk(document_id: int) -> ResponseReturnValue:
    """The draft, one part of it open where the address says so."""
    row = editable(document_id)
    if row.kind == "template":
        return redirect(url_for("templates.write", document_id=row.id), 303)
    if row.kind in LISTS:
        return listed.desk(row, LISTS[row.kind])
    if row.stage == "escalation" and "HX-Request" not in request.headers:
        return redirect(url_for("workbench.timeline", document_id=row.id, **request.args))
    return opened(row)


def opened(row: Document) -> ResponseReturnValue:
    """A draft, with the part open that the address names."""
    place = request.args.get("open", "")
    there = place if parts.stands(body_of(row), place) else ""
    return desk_of(row, Asked(None, place=there, focus=request.args.get("focus", "")))


def editable(document_id: int) -> Document:
    """A document the reader may edit."""
    row = visible_document(document_id)
    if not sees_all_of(row):
        abort(403)
    return row


@blueprint.post("/<int:document_id>/edit")
@gate.needs("documents.draft")
def edit(document_id: int) -> ResponseReturnValue:
    """Do to the draft what the form asks, and save it."""
    row = editable(document_id)
    given = request.form.to_dict()
    seen = int(given.get("version", "0")) if given.get("version", "").isdecimal() else 0
    if row.status != "draft":
        abort(409)
    if row.kind in LISTS:
        return listed.edit(row, LISTS[row.kind])
    world, body = world_of(row), body_of(row)
    if seen != row.version:
        return conflict_of(row, drafts.body_at(row, seen), given, world)
    asked = asked_of(body, given, world)
    if asked.document is None:
        return desk_of(row, asked, 422)
    if asked.document != body:
        command = SaveDraft(
            actor=current_user.id,
            reason=asked.words,
            document=asked.document,
            document_id=row.id,
            version=seen,
        )
        try:
            gate.runtime().execute(command)
        except Conflict:
            row = editable(document_id)
            return conflict_of(row, drafts.body_at(row, seen), given, world_of(row))
        row = editable(document_id)
    return saved(row, asked)


def saved(row: Document, asked: Asked) -> ResponseReturnValue:
    """The desk after an edit; a browser without scripts is sent to it."""
    if "HX-Request" in request.headers:
        return desk_of(row, asked)
    at = asked.scenario or request.form.get("at") or None
    way = url_for("workbench.desk", document_id=row.id, at=at, open=asked.place or None, focus=asked.focus or None)
    return redirect(f"{way}#{asked.focus}" if asked.focus else way, 303)


@blueprint.post("/<int:document_id>/formula")
@gate.needs("documents.draft")
def formula(document_id: int) -> ResponseReturnValue:
    """What a formula comes to while it is typed: in words, its unit, single customers' values. Saves nothing."""
    row = editable(document_id)
    if row.kind != "derived_facts":
        abort(404)
    at = listed.surroundings_of(row)
    item = listed.item_at(at.body, LISTS[row.kind], request.form.get("place", ""))
    return jsonify(checked(request.form.to_dict(), item, at) or {})


@blueprint.post("/<int:document_id>/undo")
@gate.needs("documents.draft")
def undo(document_id: int) -> ResponseReturnValue:
    """Take the last edit back."""
    row = editable(document_id)
    last = drafts.steps_of(row)[-1:]
    version = request.form.get("version", "")
    if not last or not version.isdecimal():
        abort(404)
    words = _("Taken back: %(what)s", what=last[0]["reason"])[:2_000]
    command = UndoDraft(actor=current_user.id, reason=words, document_id=row.id, version=int(version))
    gate.runtime().execute(command)
    row = editable(document_id)
    flash(words, "success")
    return saved(row, Asked(None, focus="undo" if drafts.steps_of(row) else "desk"))


def conflict_of(
    row: Document, before: dict[str, Any] | None, given: Mapping[str, str], world: World
) -> ResponseReturnValue:
    """Somebody else saved the draft meanwhile: what they changed and what this form would change, side by side."""
    now = body_of(row)
    asked = asked_of(before or now, given, world)
    again = asked_of(now, given, world)
    theirs = comparing.differences(before, now, world.currency) if before else []
    mine = comparing.differences(before or now, asked.document, world.currency) if asked.document else []
    last = drafts.steps_of(row)[-1:]
    other = User.get_or_none(User.id == last[0]["by"]) if last else None
    page = "console/workbench/conflict.html" if "HX-Request" in request.headers else "console/workbench/clash.html"
    return render_template(
        page,
        row=row,
        title=title_of(row),
        theirs=theirs,
        mine=mine,
        other=other,
        possible=again.document is not None,
        given={name: value for name, value in given.items() if name not in {"csrf_token", "version"}},
    ), 409
