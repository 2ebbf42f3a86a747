"""Absences: who is away, who stands in, and who gets what is left undone."""

from typing import Any
from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import forms, gate
from admin.desk_forms import workers
from engine.absences import EndAbsence, SetAbsence, SetStandIn
from engine.commands import Invalid
from engine.tables import Absence, User

blueprint = Blueprint("absences", __name__, url_prefix="/absences")
SHOWN = 100


@blueprint.get("/")
@gate.needs("actions.work")
def index() -> ResponseReturnValue:
    """Absences that hold or come, then those that are over; and the stand-in of everybody who works."""
    people = {user.id: user for user in User.select()}
    rows = list(Absence.select().order_by(Absence.until_day.desc(), Absence.id.desc()).limit(SHOWN))
    return render_template(
        "console/absences.html",
        rows=[(row, people[row.user_id], people[row.stand_in_id]) for row in rows],
        workers=workers(),
        people=people,
        today=gate.runtime().today(),
        mine=current_user.id,
        key=str(uuid4()),
    )


def _by(reason: str) -> dict[str, Any]:
    return {"actor": current_user.id, "reason": reason, "key": request.form.get("key") or str(uuid4())}


def _number(name: str, label: str) -> int:
    word = request.form.get(name, "")
    if not word.isdecimal():
        raise Invalid.because(label, _("is missing"), _("choose somebody"))
    return int(word)


def _day(name: str, label: str) -> int:
    try:
        return int(forms.value_of(f"{name}_day", int, request.form.get(name, ""), ""))
    except ValueError as error:
        raise Invalid.because(label, _("is missing"), _("give a date")) from error


@blueprint.post("/")
@gate.needs("actions.work")
def add() -> ResponseReturnValue:
    """Enter an absence."""
    gate.runtime().execute(
        SetAbsence(
            **_by(request.form.get("reason", "").strip() or "absent"),
            user=_number("user", _("Who")),
            stand_in=_number("stand_in", _("Stand-in")),
            from_day=_day("from", _("From")),
            until_day=_day("until", _("Back on")),
        )
    )
    flash(_("It is entered: the work appears with the stand-in on these days."), "success")
    return redirect(url_for("absences.index"), 303)


@blueprint.post("/<int:absence_id>/end")
@gate.needs("actions.work")
def end(absence_id: int) -> ResponseReturnValue:
    """End it: everything is with its owner again."""
    gate.runtime().execute(EndAbsence(**_by("back"), absence=absence_id))
    flash(_("It has ended: everything is with its owner again."), "success")
    return redirect(url_for("absences.index"), 303)


@blueprint.post("/stand-in")
@gate.needs("actions.work")
def stand_in() -> ResponseReturnValue:
    """Say who gets what somebody leaves undone too long."""
    other = request.form.get("stand_in", "")
    gate.runtime().execute(
        SetStandIn(
            **_by("stand-in entered"),
            user=_number("user", _("Who")),
            stand_in=int(other) if other.isdecimal() else None,
        )
    )
    flash(_("It is kept."), "success")
    return redirect(url_for("absences.index"), 303)
