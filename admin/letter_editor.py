"""The editor of a template's draft: one language at a time, beside what a letter would say."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, gate, letter_templates
from admin.letter_forms import asked_body, blocks_given, parts_of
from admin.letter_preview import Asked, preview
from admin.versions import body_of, currency_shown, replaced_by, sees_all_of, title_of, visible_document
from engine import drafts
from engine.commands import Conflict
from engine.findings import findings
from engine.governance import SaveDraft, UndoDraft
from engine.tables import Document
from notifiers.letter_templates import FALLBACK, LETTER_USES, is_language

blueprint = letter_templates.blueprint
NONCE = re.compile(r"[A-Za-z0-9_=+/-]{8,100}")


@blueprint.get("/<int:document_id>/write")
@gate.needs("documents.draft")
def write(document_id: int) -> ResponseReturnValue:
    """The draft in one language, what is wrong with it, and what it would say."""
    row = _draft(document_id)
    return _page(row, body_of(row), _asked(request.args, body_of(row)))


@blueprint.post("/<int:document_id>/write")
@gate.needs("documents.draft")
def save(document_id: int) -> ResponseReturnValue:
    """Keep what the form says; a draft may be wrong, it cannot be proposed then."""
    row = _draft(document_id)
    asked = _asked(request.form, body_of(row))
    do, _colon, what = request.form.get("do", "save").partition(":")
    if do == "undo":
        return _undone(row, asked)
    body = asked_body(body_of(row), request.form, asked.language, do, what)
    language = request.form.get("new_language", "").strip().lower()
    if do == "add_language":
        if not is_language(language) or language in body["languages"]:
            flash(_("Give the code of a language that is not there yet, two letters, as nl."), "error")
            return _page(row, body, asked, 422)
        body["languages"][language] = dict(body["languages"][FALLBACK])
    elif do == "drop_language" and asked.language != FALLBACK:
        del body["languages"][asked.language]
        language = FALLBACK
    if body != body_of(row):
        version = request.form.get("version", "")
        command = SaveDraft(
            actor=current_user.id,
            reason=_words(do, asked.language),
            document=body,
            document_id=row.id,
            version=int(version) if version.isdecimal() else 0,
        )
        try:
            gate.runtime().execute(command)
        except Conflict:
            return _clash(document_id, body, asked)
    there = language if language in body["languages"] else asked.language
    return redirect(_way(row, Asked(there, asked.way, asked.customer)), 303)


@blueprint.post("/<int:document_id>/look")
@gate.needs("documents.draft")
def look(document_id: int) -> ResponseReturnValue:
    """What is wrong with the text while it is typed, and what it would say. Saves nothing."""
    row = _draft(document_id)
    asked = _asked(request.form, body_of(row))
    body = asked_body(body_of(row), request.form, asked.language)
    nonce = request.form.get("nonce", "")  # of the page the answer is put into: its frames obey that page's policy
    if not NONCE.fullmatch(nonce):
        abort(400)
    return render_template("console/_letter_look.html", **_looked(row, body, asked, nonce))


def _draft(document_id: int) -> Document:
    row = visible_document(document_id)
    if row.kind != "template":
        abort(404)
    if not sees_all_of(row):
        abort(403)
    if row.status != "draft":
        abort(409)
    return row


def _asked(given: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    language = given.get("language", FALLBACK)
    way = given.get("way", "mail")
    customer = unicodedata.normalize("NFC", given.get("customer", "").strip())[:100]
    return Asked(language if language in body["languages"] else FALLBACK, way, customer)


def _way(row: Document, asked: Asked) -> str:
    return url_for(
        "templates.write",
        document_id=row.id,
        language=asked.language,
        way=asked.way,
        customer=asked.customer or None,
    )


def _words(do: str, language: str) -> str:
    name = letter_templates.language_name(language)
    known = {
        "add_block": _("Block added"),
        "drop_block": _("Block removed"),
        "add_language": _("Language added"),
        "drop_language": _("%(language)s removed", language=name),
    }
    return known.get(do) or _("Text in %(language)s changed", language=name)


def _undone(row: Document, asked: Asked) -> ResponseReturnValue:
    last = drafts.steps_of(row)[-1:]
    version = request.form.get("version", "")
    if not last or not version.isdecimal():
        abort(404)
    words = _("Taken back: %(what)s", what=last[0]["reason"])[:2_000]
    gate.runtime().execute(UndoDraft(actor=current_user.id, reason=words, document_id=row.id, version=int(version)))
    flash(words, "success")
    return redirect(_way(row, asked), 303)


def _clash(document_id: int, body: Mapping[str, Any], asked: Asked) -> ResponseReturnValue:
    """Somebody else saved the draft meanwhile: the form keeps its text and says what differs."""
    row = _draft(document_id)
    differences = comparing.differences(body_of(row), body, currency_shown(row))
    return _page(row, body, asked, 409, clash=differences)


def _page(row: Document, body: Mapping[str, Any], asked: Asked, status: int = 200, **more: Any) -> ResponseReturnValue:
    before = replaced_by(row)
    currency = currency_shown(row)
    return render_template(
        "console/letter_editor.html",
        row=row,
        title=title_of(row),
        body=body,
        parts=parts_of(body, asked.language),
        blocks=blocks_given(body, asked.language),
        block_kinds=letter_templates.BLOCK_KINDS,
        languages=letter_templates.languages_of(body),
        fields=letter_templates.field_names(),
        is_letter=body["use"] in LETTER_USES,
        steps=letter_templates.steps_by_template().get(row.key, []),
        effect=letter_templates.effect_words(row),
        last=drafts.steps_of(row)[-1:],
        differences=comparing.differences(body_of(before), body, currency) if before else [],
        page_nonce=gate.nonce(),
        **_looked(row, body, asked, gate.nonce()),
        **{"clash": None, **more},
    ), status


def _looked(row: Document, body: Mapping[str, Any], asked: Asked, nonce: str) -> dict[str, Any]:
    problems = findings(body, row.entity)
    named = [(letter_templates.place_words(problem.place), problem) for problem in problems]
    return {"found": named, "seen": preview(row, body, asked, nonce), "asked": asked}
