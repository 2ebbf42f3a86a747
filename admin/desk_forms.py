"""What is done to many rows of a list at once, and the views of a list that are kept."""

from typing import Any
from uuid import uuid4

from flask import Blueprint, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup

from admin import gate
from admin.commands_page import way_back
from engine import access
from engine.commands import Invalid
from engine.desk_work import AssignCollector, ConfirmTogether, ReassignWork
from engine.saved_views import RemoveView, SaveView, views_of
from engine.tables import Action, Customer, SavedView, User, UserRole

blueprint = Blueprint("desk", __name__, url_prefix="/desk")
FORM = "together"  # id of the form the boxes in a list belong to
WORKING_ROLES = tuple(role for role, held in access.ROLES.items() if "actions.work" in held)


def tick(row: Action) -> Markup:
    """The box of an action, with the version the reader sees."""
    label = _("Choose %(customer)s", customer=row.customer.name)
    return _box(f"{row.id}:{row.version}", label)


def tick_customer(customer: Customer) -> Markup:
    """The box of a customer."""
    return _box(str(customer.id), _("Choose %(customer)s", customer=customer.name))


def _box(value: str, label: str) -> Markup:
    return Markup('<input type="checkbox" form="{}" name="chosen" value="{}" aria-label="{}">').format(
        FORM, value, label
    )


def workers() -> list[User]:
    """Who may do calls and tasks, by name."""
    rows = User.select().join(UserRole).where(UserRole.role.in_(WORKING_ROLES), User.active == True)  # noqa: E712
    return list(rows.distinct().order_by(User.name, User.id))


def _chosen() -> tuple[tuple[int, int], ...]:
    """Ids and versions that were ticked."""
    parts = [value.partition(":") for value in request.form.getlist("chosen")]
    found = tuple((int(one), int(version)) for one, _colon, version in parts if one.isdecimal() and version.isdecimal())
    return _some(found, len(parts))


def _some(found: tuple[Any, ...], asked: int) -> tuple[Any, ...]:
    if not found or len(found) != asked:
        raise Invalid.because(_("Rows"), _("none is ticked"), _("tick those that are meant"))
    return found


def _given(name: str) -> int:
    word = request.form.get(name, "")
    if not word.isdecimal():
        raise Invalid.because(_("To whom"), _("is missing"), _("choose somebody"))
    return int(word)


def _by(reason: str) -> dict[str, Any]:
    said = request.form.get("reason", "").strip()
    return {"actor": current_user.id, "reason": said or reason, "key": request.form.get("key") or str(uuid4())}


@blueprint.post("/confirm")
@gate.needs("actions.work")
def confirm() -> ResponseReturnValue:
    """Let the ticked messages go, all or none."""
    answer = gate.runtime().execute(ConfirmTogether(**_by("read and confirmed together"), actions=_chosen()))
    many = answer["confirmed"]
    flash(ngettext("%(num)s message is confirmed.", "%(num)s messages are confirmed.", many), "success")
    return redirect(way_back(request.form), 303)


@blueprint.post("/reassign")
@gate.needs("actions.work")
def reassign() -> ResponseReturnValue:
    """Give the ticked work to somebody else."""
    answer = gate.runtime().execute(
        ReassignWork(**_by("given to somebody else"), actions=_chosen(), owner=_given("owner"))
    )
    many = answer["reassigned"]
    flash(ngettext("%(num)s item is reassigned.", "%(num)s items are reassigned.", many), "success")
    return redirect(way_back(request.form), 303)


@blueprint.post("/assign")
@gate.needs("work.assign")
def assign() -> ResponseReturnValue:
    """Give the customers that were ticked, or whose work was, to a collector, with their open work."""
    words = [value.partition(":") for value in request.form.getlist("chosen")]
    numbers = _some(tuple(int(one) for one, _colon, _version in words if one.isdecimal()), len(words))
    if request.form.get("of") == "actions":
        rows = Action.select(Action.customer).where(Action.id.in_(numbers)).distinct().tuples()
        numbers = tuple(customer for (customer,) in rows)
    command = AssignCollector(**_by("given to a collector"), customers=numbers, collector=_given("owner"))
    many = gate.runtime().execute(command)["assigned"]
    flash(ngettext("%(num)s customer is assigned.", "%(num)s customers are assigned.", many), "success")
    return redirect(way_back(request.form), 303)


# --- kept views ------------------------------------------------------------------------


def kept_views(page: str) -> list[SavedView]:
    """Views of a list that the reader finds: their own, and those that others share."""
    return views_of(current_user.id, page)


@blueprint.post("/views")
@gate.needs("account.own")
def save_view() -> ResponseReturnValue:
    """Keep what the list is asked for."""
    gate.runtime().execute(
        SaveView(
            **_by("kept"),
            page=request.form.get("page", ""),
            name=request.form.get("name", ""),
            arguments=request.form.get("arguments", ""),
            shared=request.form.get("shared") == "yes",
        )
    )
    flash(_("The view is kept."), "success")
    return redirect(way_back(request.form), 303)


@blueprint.post("/views/<int:view_id>/remove")
@gate.needs("account.own")
def remove_view(view_id: int) -> ResponseReturnValue:
    """Remove one of one's own."""
    gate.runtime().execute(RemoveView(**_by("not needed any more"), view=view_id))
    flash(_("The view is removed."), "success")
    return redirect(way_back(request.form), 303)


def register_words() -> dict[str, Any]:
    """What templates of lists ask for."""
    return {"kept_views": kept_views, "workers": workers, "once": lambda: str(uuid4())}
