"""Doubtful messages settled together, from the tab of the messages that lists them."""

from uuid import uuid4

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup

from admin import gate
from engine.commands import Invalid
from engine.doubt import ResolveUncertainTogether
from engine.tables import Action

blueprint = Blueprint("doubt", __name__, url_prefix="/messages-in-doubt")
FORM = "together"  # id of the form the boxes in the list belong to
ARRIVED = {"yes": True, "no": False}


def tick(row: Action) -> Markup | str:
    """The box of a doubtful message, with the version the reader sees."""
    if row.state != "uncertain":
        return ""
    label = _("Choose the message to %(customer)s", customer=row.customer.name)
    return Markup('<input type="checkbox" form="{}" name="message" value="{}:{}" aria-label="{}">').format(
        FORM, row.id, row.version, label
    )


@blueprint.post("/")
@gate.needs("actions.resolve")
def settle() -> ResponseReturnValue:
    """Settle those that were chosen; 409 names the ones somebody else was faster with."""
    chosen = [value.partition(":") for value in request.form.getlist("message")]
    numbers = [(int(one), int(version)) for one, _colon, version in chosen if one.isdecimal() and version.isdecimal()]
    arrived = ARRIVED.get(request.form.get("arrived", ""))
    if arrived is None or not numbers or len(numbers) != len(chosen):
        raise Invalid.because(
            _("Messages"),
            _("nothing is chosen, or not whether they arrived"),
            _("tick the messages you looked up, and say whether they arrived"),
        )
    answer = gate.runtime().execute(
        ResolveUncertainTogether(
            actor=current_user.id,
            reason=request.form.get("reason", ""),
            key=request.form.get("key") or str(uuid4()),
            actions=numbers,
            delivered=arrived,
            evidence=request.form.get("evidence", ""),
        )
    )
    many = len(answer["actions"])
    flash(ngettext("%(num)s message is settled.", "%(num)s messages are settled.", many), "success")
    return redirect(url_for("messages.index_view", view="doubt"), 303)
