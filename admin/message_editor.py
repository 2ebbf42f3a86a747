"""One message before it leaves: read it as it will be, put own words into it, send it with one click."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.letter_forms import plain
from admin.letter_templates import name_words
from admin.messages_view import letter_for_frame
from engine import access
from engine.commands import Invalid
from engine.edited_texts import EDITABLE, Draft, EditMessage, draft_of, rewritten
from engine.pipeline import asking
from engine.statements import letter_now
from engine.tables import Action, Customer, Entity
from ledger.problems import Problem
from notifiers.composing import Pen, compose, short_message
from notifiers.letter_templates import length_for
from notifiers.printing import Unprintable

blueprint = Blueprint("message_editor", __name__, url_prefix="/messages")
ROWS = {"opening": 7, "closing": 8, "short": 3}


@blueprint.get("/<int:action_id>/edit")
@gate.needs("actions.work")
def edit(action_id: int) -> ResponseReturnValue:
    """The words that can be edited, and the letter as it will read."""
    action, draft = _editable(action_id)
    return _page(action, draft, draft.texts, [], 200)


@blueprint.post("/<int:action_id>/edit")
@gate.needs("actions.work")
def keep(action_id: int) -> ResponseReturnValue:
    """Look at it with these words, keep them, or keep them and send."""
    action, draft = _editable(action_id)
    texts = {name: plain(request.form.get(f"t:{name}", text)) for name, text in draft.texts.items()}
    do = request.form.get("do", "look")
    if do == "look":
        return _page(action, draft, texts, [], 200)
    version = request.form.get("version", "")
    try:
        gate.runtime().execute(
            EditMessage(
                actor=current_user.id,
                reason="read and sent" if do == "send" else "edited",
                key=request.form.get("key") or str(uuid4()),
                action=action.id,
                texts=texts,
                send=do == "send",
                version=int(version) if version.isdecimal() else None,
            )
        )
    except Invalid as error:
        return _page(action, draft, texts, list(error.problems), 422)
    flash(_("It goes with the next round of the outbox.") if do == "send" else _("Your words are kept."), "success")
    following = _next_waiting(action)
    if do == "send" and following is not None:
        return redirect(url_for("message_editor.edit", action_id=following), 303)
    return redirect(url_for("messages.message_page", action_id=action.id), 303)


def _next_waiting(action: Action) -> int | None:
    """The next message that waits to be read, so that a morning's letters are read one after the other."""
    query = Action.select(Action.id).join(Customer)
    waiting = query.where(
        Action.state == "waiting",
        Action.waiting_for == "unconfirmed",
        (Action.due_day > action.due_day) | ((Action.due_day == action.due_day) & (Action.id > action.id)),
    )
    seen = access.visible_to(current_user.id, waiting, in_order=True)
    found: int | None = seen.order_by(Action.due_day, Action.id).limit(1).scalar()
    return found


def _editable(action_id: int) -> tuple[Action, Draft]:
    if not gate.may("people.view"):
        abort(403)
    query = Action.select(Action, Customer, Entity).join(Customer).join(Entity).where(Action.id == action_id)
    action: Action | None = access.visible_to(current_user.id, query).first()
    draft = None if action is None or action.state not in EDITABLE else draft_of(gate.runtime(), action)
    if action is None or draft is None:
        abort(404)
    return action, draft


def _page(action: Action, draft: Draft, texts: Any, problems: list[Problem], status: int) -> ResponseReturnValue:
    use = draft.wording.template.use
    return render_template(
        "console/message_editor.html",
        row=action,
        draft=draft,
        parts=[
            {
                "name": name,
                "label": name_words(name, use),
                "text": text,
                "rows": ROWS.get(name, 0),
                "length": length_for(use, name),
                "wrong": [f"{one.what}: {one.cure}" for one in problems if one.place == name],
            }
            for name, text in texts.items()
        ],
        problems=problems,
        version=action.version,
        key=str(uuid4()),
        **_shown(action, draft, texts),
    ), status


def _shown(action: Action, draft: Draft, texts: Any) -> dict[str, Any]:
    """The letter with these words, and what cannot be edited; or why there is nothing to see."""
    runtime = gate.runtime()
    wording = rewritten(draft.wording, draft.language, texts)
    now = letter_now(runtime, action.customer, wording.template)
    if not now.letter.demanded:
        return {"why_not": _("Nothing is open that a letter could ask for.")}
    letter = replace(now.letter, contact=draft.reached.name, penalties=_penalties(action))
    pen = Pen(wording, letter, draft.language, now.country)
    fixed = [part for kind in ("legal", "penalties") for part in pen.blocks(kind)]
    try:
        if action.way in ("sms", "chat"):
            return {"short": short_message(wording, letter, draft.language, now.country), "fixed": fixed}
        composed = compose(wording, letter, draft.language, now.country)
    except Unprintable:
        return {"why_not": _("The letter holds characters that our fonts cannot print.")}
    except ValueError:
        return {"why_not": _("The template has no such text in this language.")}
    return {"subject": composed.subject, "framed": letter_for_frame(composed.html, gate.nonce()), "fixed": fixed}


def _penalties(action: Action) -> bool:
    """Whether the step in force claims interest and costs."""
    runtime, entity = gate.runtime(), action.customer.entity
    stage = asking(runtime, entity, runtime.today(entity)).edition.book.stages.get("escalation")
    terms = None if stage is None else stage.policy.escalation
    return terms is not None and any(one.key == action.step_key and one.penalties for one in terms.steps())
