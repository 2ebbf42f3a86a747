"""Governing a version in the console: comments, taking back, going back, files, and the difference as document."""

import json
from typing import Any

from flask import Flask, Response, abort, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from admin import comparing, formatting, gate, impact, policies, sides
from admin.remarks import stopped_now
from admin.trying import REASON_LENGTH_MAX, decided, proposed, read_day, tried
from admin.versions import (
    address,
    body_of,
    currency_shown,
    first_day,
    may_change,
    newest_of,
    replaced_by,
    rule_labels,
    title_of,
    visible_document,
)
from engine.commands import Invalid
from engine.comments import CommentDocument
from engine.governance import SaveDraft
from engine.restoring import RestoreDocument, WithdrawDocument
from engine.tables import Document
from engine.versions import BODY_BYTES_MAX
from ledger.canonical import canonical
from ledger.problems import Problem


@policies.every_kind("/comment", "POST")
@gate.needs("documents.comment")
def comment(document_id: int) -> ResponseReturnValue:
    """Say something about a version, or settle what somebody said."""
    document = visible_document(document_id)
    given = request.form
    settles = given.get("settles", "")
    command = CommentDocument(
        actor=current_user.id,
        reason=_("comment"),
        document_id=document.id,
        text=given.get("text", ""),
        place=given.get("place", ""),
        settles=int(settles) if settles.isdecimal() else None,
    )
    if not command.text.strip():
        return policies.page_of(document, 422, wrong={"text": _("Write what you want to say.")})
    return decided(
        document, command, _("Settled.") if command.settles else _("Your comment stands beside the version.")
    )


@policies.every_kind("/withdraw", "POST")
@gate.needs("documents.propose")
def withdraw(document_id: int) -> ResponseReturnValue:
    """Take one's own proposal back."""
    document = visible_document(document_id)
    if document.proposed_by_id != current_user.id:
        abort(403)
    reason = request.form.get("reason", "").strip()[:REASON_LENGTH_MAX] or _("taken back")
    command = WithdrawDocument(actor=current_user.id, reason=reason, document_id=document.id)
    return decided(document, command, _("Taken back. It never takes effect."))


@policies.every_kind("/back", "GET", "POST")
@gate.needs("documents.propose")
def back(document_id: int) -> ResponseReturnValue:
    """Go back to an older version: see whom it touches, then propose its content again."""
    document = visible_document(document_id)
    newest = newest_of(document)
    if not may_change(document):
        abort(403)
    if document.approved_at is None or newest.id == document.id:
        abort(404)
    given, wrong, found = request.form, {}, None
    problems: list[Problem] = []
    since = formatting.day_text(document.from_day) if document.from_day is not None else document.sha256[:12]
    reason = given.get("reason", _("Back to the version of %(day)s:", day=since) + " ")
    if request.method == "POST":
        from_day, fault = read_day(newest)
        wrong = {"from_on": fault} if fault else {}
        proposes = given.get("do") == "propose"
        if proposes and not reason.strip():
            wrong["reason"] = _("Say why, for the second person.")
        try:
            found = None if fault else tried(document, body_of(document), from_day)
            if proposes and not wrong:
                command = RestoreDocument(
                    actor=current_user.id,
                    reason=reason.strip()[:REASON_LENGTH_MAX],
                    document_id=document.id,
                    from_day=from_day,
                    impact=found,
                    replaces=newest.sha256,
                )
                return proposed(command)
        except Invalid as error:
            problems = list(error.problems)
    currency = currency_shown(document)
    return render_template(
        "console/back.html",
        document=document,
        newest=newest,
        title=title_of(document),
        differences=comparing.differences(body_of(newest), body_of(document), currency),
        impacts=impact.shown(found, current_user.id, rule_labels(document)),
        from_on=given.get("from_on", formatting.iso(first_day(newest))),
        reason=reason,
        wrong=wrong,
        problems=problems,
        currency=currency,
    ), 422 if wrong or problems else 200


@policies.every_kind("/document")
@gate.needs("policies.view")
def as_document(document_id: int) -> ResponseReturnValue:
    """The difference to the version it takes the place of, line by line of the JSON."""
    document = visible_document(document_id)
    before = replaced_by(document)
    left, right = sides.lines_of(None if before is None else body_of(before)), sides.lines_of(body_of(document))
    return render_template(
        "console/document.html",
        document=document,
        before=before,
        title=title_of(document),
        lines=sides.side_by_side(left, right),
        unified=sides.unified(left, right),
    )


@policies.every_kind("/export")
@gate.needs("policies.view")
def export(document_id: int) -> ResponseReturnValue:
    """The version byte by byte as it is kept: the sha256 of the file is its name."""
    document = visible_document(document_id)
    answer = Response(document.body.encode(), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{document.key}-{document.sha256[:12]}.json"'
    return answer


@policies.blueprint.route("/upload", methods=["GET", "POST"])
@gate.needs("documents.draft")
def upload() -> ResponseReturnValue:
    """Take a document in from a file, as a draft; what is wrong with it is said with its place."""
    if request.method == "GET":
        return render_template("console/upload_document.html", problems=())
    body, problems = read_file()
    if body is None:
        return render_template("console/upload_document.html", problems=problems), 422
    name = request.files["file"].filename or ""
    try:
        answer = gate.runtime().execute(
            SaveDraft(actor=current_user.id, reason=_("from the file %(name)s", name=name[:200]), document=body)
        )
    except Invalid as error:
        return render_template("console/upload_document.html", problems=error.problems), 422
    number = len(answer["problems"])
    flash(
        _("Kept as a draft; nothing was found.")
        if not number
        else ngettext("Kept as a draft with %(n)s finding.", "Kept as a draft with %(n)s findings.", number, n=number),
        "warning" if number else "success",
    )
    return redirect(address(Document.get_by_id(answer["document"])), 303)


class _Doubled(ValueError):
    """A name stands twice in one object: which of the two counts, nobody could say."""


def read_file() -> tuple[dict[str, Any] | None, list[Problem]]:
    """The document in the file that was sent, or what is wrong with the file."""
    sent = request.files.get("file")
    content = b"" if sent is None else sent.stream.read(BODY_BYTES_MAX + 1)
    if not content:
        return None, [Problem("file", _("no file was chosen, or it is empty"), _("choose a JSON file"))]
    if len(content) > BODY_BYTES_MAX:
        what = _("is larger than %(n)s bytes", n=BODY_BYTES_MAX)
        return None, [Problem("file", what, _("split the document"))]
    try:
        body = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = _("line %(line)s, column %(column)s", line=error.lineno, column=error.colno)
        return None, [Problem(place, error.msg, _("correct the JSON there"))]
    except _Doubled as error:
        return None, [Problem(str(error), _("stands twice in one object"), _("take one of the two out"))]
    except (UnicodeDecodeError, RecursionError, ValueError):
        return None, [Problem("file", _("is not JSON in UTF-8"), _("export the document again"))]
    if not isinstance(body, dict):
        return None, [Problem("file", _("is no document"), _("give an object with a kind"))]
    try:
        canonical(body).encode()
    except (ValueError, RecursionError):  # half a character, a number beyond all bounds, or too deep to write
        return None, [Problem("file", _("is not JSON in UTF-8"), _("export the document again"))]
    return body, []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        raise _Doubled(next(name for name in names if names.count(name) > 1))
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


def register_words(app: Flask) -> None:
    """What pages need to say which policies are stopped."""
    app.jinja_env.globals.update(stopped_now=stopped_now)
