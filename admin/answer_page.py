"""The page behind a mail link: one colleague answers about one dispute, without signing in.

It stands outside the console: no session and no cookie, no way further in, nothing of the customer but
the dispute and its invoice. The link itself is the right to answer; a form token shows that the page was
opened before it was answered. Whatever is wrong with a link, the answer is the same.
"""

import hashlib
from datetime import date
from typing import Any

from babel.numbers import get_decimal_symbol
from flask import Blueprint, Flask, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_limiter.util import get_remote_address
from itsdangerous import BadData, URLSafeTimedSerializer

from admin import formatting, gate
from engine.answers import AnswerByLink, hash_of, link_of, question_of, standing_of
from engine.commands import CommandError, Conflict, Invalid, NotFound
from engine.open_amounts import open_of
from engine.tables import AnswerLink, Dispute
from ledger.days import day_of
from ledger.money import parse_amount

blueprint = Blueprint("answers", __name__, url_prefix="/answer")
PURPOSE = "dunwell form of an answer 1"
FORM_SECONDS_MAX = 4 * 3600
TRIES_PER_ADDRESS = "30/minute"
CHOICES = ("accepted", "rejected", "comment", "deadline")


def limit_tries(app: Flask) -> None:
    """Guessing links is slowed down."""
    limiter = app.extensions["dunwell_limiter"]
    for endpoint in ("answers.page", "answers.give"):
        view = app.view_functions[endpoint]
        app.view_functions[endpoint] = limiter.limit(TRIES_PER_ADDRESS, key_func=get_remote_address)(view)


@blueprint.get("/<token>")
def page(token: str) -> ResponseReturnValue:
    """The dispute, its invoice and the question; looking at it uses nothing up."""
    link = link_of(gate.runtime(), token, gate.runtime().now_at())
    dispute = None if link is None else standing_of(link)
    if link is None or dispute is None:
        return _shut()
    return _shown(link, dispute, token)


@blueprint.post("/<token>")
def give(token: str) -> ResponseReturnValue:
    """Take the answer, once."""
    runtime = gate.runtime()
    if not _is_ours(token, request.form.get("form_token", "")):
        return _said(_("The form was too old"), _("Open the link in the mail again and send it once more."), 403)
    link = link_of(runtime, token, runtime.now_at())
    dispute = None if link is None else standing_of(link)
    if link is None or dispute is None:
        return _shut()
    given = request.form
    wrong: dict[str, str] = {}
    verdict, text = given.get("verdict", ""), given.get("text", "").strip()
    if verdict not in CHOICES:
        wrong["verdict"] = _("Choose one of them.")
    if not text:
        wrong["text"] = _("Say why, in a few words.")
    accepted_minor = deadline_day = None
    if verdict == "accepted" and given.get("accepted_minor", "").strip():
        mark = "," if get_decimal_symbol(formatting.locale()) == "," else "."
        accepted_minor = parse_amount(given["accepted_minor"].strip()[:40], dispute.due_line.currency, mark)
        if accepted_minor is None:
            wrong["accepted_minor"] = _("This is no amount.")
    if verdict == "deadline":
        try:
            deadline_day = day_of(date.fromisoformat(given.get("deadline_day", "")))
        except ValueError:
            wrong["deadline_day"] = _("Give a date.")
    if not wrong:
        command = AnswerByLink(
            actor=None,
            reason=text,
            token_sha256=hash_of(token),
            verdict=verdict,
            accepted_minor=accepted_minor,
            deadline_day=deadline_day,
        )
        try:
            runtime.execute(command)
        except Invalid as error:
            wrong = {
                "text" if one.place == "reason" else one.place: f"{one.what}: {one.cure}" for one in error.problems
            }
        except (Conflict, NotFound):
            return _shut()
        except CommandError as error:
            return _said(_("This cannot be done as it stands"), str(error), error.status)
        else:
            return _said(_("Thank you"), _("Your answer is with those who asked. You may close this page."), 200)
    return _shown(link, dispute, token, wrong, 422)


def _shown(
    link: AnswerLink, dispute: Dispute, token: str, wrong: dict[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    values: dict[str, Any] = {
        "dispute": dispute,
        "line": dispute.due_line,
        "open_minor": open_of(dispute.due_line),
        "question": question_of(link),
        "asked": link,
        "form_token": _forms().dumps(_about(token)),
        "address": request.path,
        "given": request.form,
        "wrong": wrong or {},
        "choices": (
            ("accepted", _("The customer is right"), _("A credit note follows; this part is not dunned meanwhile.")),
            ("rejected", _("The customer is not right"), _("Dunning goes on where it stood.")),
            ("deadline", _("I need more time"), _("The dispute stays open until the day you name.")),
            ("comment", _("Neither; this is what I know"), _("The dispute stays open.")),
        ),
    }
    return _page("console/answer.html", status, values)


def _shut() -> ResponseReturnValue:
    said = _("It was answered or withdrawn, its time is over, or the address is not complete. Ask who sent it to you.")
    return _said(_("This link is not open"), said, 404)


def _said(title: str, text: str, status: int) -> ResponseReturnValue:
    return _page("console/answered.html", status, {"title": title, "text": text})


def _page(template: str, status: int, values: dict[str, Any]) -> ResponseReturnValue:
    answer = make_response(render_template(template, **values), status)
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _forms() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        gate.runtime().settings.secret_key, salt=PURPOSE, signer_kwargs={"digest_method": hashlib.sha256}
    )


def _about(token: str) -> str:
    """What binds a form to its link, without telling the link."""
    return hash_of(f"form of {token}")


def _is_ours(token: str, form_token: str) -> bool:
    try:
        return bool(_forms().loads(form_token[:500], max_age=FORM_SECONDS_MAX) == _about(token))
    except BadData:
        return False
