"""One page for every command: its form on GET, the command itself on POST.

A route per command would be the same twenty lines each; here the allow-list is ``shapes.SHAPES`` and
the permission is the one the command was registered with.
"""

from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import forms, gate
from admin.shapes import SHAPES
from admin.signs import alarms_of
from engine import access
from engine.catalogue import COMMANDS
from engine.commands import Conflict, Invalid
from engine.tables import (
    Action,
    Alarm,
    Alert,
    Block,
    ClaimEntry,
    Credit,
    Customer,
    Dispute,
    DueLine,
    Entity,
    FinancialStatement,
    HandOver,
    InvoiceDocument,
    Override,
    PaymentPlan,
    Proposal,
    Rating,
    Run,
    ScoreModel,
    User,
)
from ledger.problems import Problem

blueprint = Blueprint("commands", __name__, url_prefix="/commands")

# What a form is about, by the argument that names it. Rows of a customer are looked up through the reader's scope.
OF_CUSTOMER = {
    "action": Action,
    "alert": Alert,
    "override": Override,
    "dispute": Dispute,
    "block": Block,
    "payment_plan": PaymentPlan,
    "proposal": Proposal,
    "write_off": Credit,
    "due_line": DueLine,
    "invoice_document": InvoiceDocument,
    "claim_entry": ClaimEntry,
    "hand_over": HandOver,
    "rating": Rating,
    "financial_statement": FinancialStatement,
}


def command_open(name: str) -> bool:
    """Whether the person signed in may give a command here."""
    known = COMMANDS.get(name)
    return name in SHAPES and known is not None and gate.may(known.permission)


def _shape(name: str) -> forms.Shape:
    if name not in SHAPES or name not in COMMANDS:
        abort(404)
    if not gate.may(COMMANDS[name].permission):
        abort(403)
    return SHAPES[name]


OF_ENTITY = frozenset({"CloseBatch", "ProposeGatewayAddress", "SetLetterhead", "SetSendingTerms"})
SUBJECTS = frozenset({*OF_CUSTOMER, "customer", "alarm", "run", "user", "model"})


def _check_named(shape: forms.Shape, given: Any) -> None:
    """404 unless the row that a command is about is named: a form about nothing leads nowhere."""
    asked = {part.name for part in fields(shape.command)} & SUBJECTS
    if asked and not any(given.get(name, "").isdigit() for name in {*asked, "customer"}):
        abort(404)


def subject_of(shape: forms.Shape, given: Any) -> Any:
    """The row a form is about; 404 when there is none or it is not the reader's to see."""
    _check_named(shape, given)
    user = current_user.id
    for name, model in OF_CUSTOMER.items():
        if name != "due_line" and given.get(name, "").isdigit():
            query = model.select(model, Customer, Entity).join(Customer).join(Entity)
            return _found(access.visible_to(user, query.where(model.id == int(given[name]))))
    if given.get("customer", "").isdigit():
        query = Customer.select(Customer, Entity).join(Entity).where(Customer.id == int(given["customer"]))
        return _found(access.visible_to(user, query))
    if given.get("due_line", "").isdigit():
        query = DueLine.select(DueLine, Customer, Entity).join(Customer).join(Entity)
        line = _found(access.visible_to(user, query.where(DueLine.id == int(given["due_line"]))))
        return line.customer
    if given.get("alarm", "").isdigit():
        return _found(alarms_of(user).where(Alarm.id == int(given["alarm"])))
    if given.get("run", "").isdigit():
        return _found(Run.select().where(Run.id == int(given["run"]), Run.entity.in_(access.visible_entities(user))))
    if shape.name in OF_ENTITY:
        seen = access.visible_entities(user)
        return _found(Entity.select().where(Entity.code == given.get("entity", ""), Entity.id.in_(seen)))
    if given.get("model", "").isdigit():
        return _found(ScoreModel.select().where(ScoreModel.id == int(given["model"])))
    if given.get("user", "").isdigit():
        return _found(User.select().where(User.id == int(given["user"])))
    return None


def _found(query: Any) -> Any:
    row = query.first()
    if row is None:
        abort(404)
    return row


def way_back(given: Any) -> str:
    """Where to go afterwards: a path of this console, whatever was asked for."""
    wanted = given.get("next", "")
    parts = urlsplit(wanted)
    if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme:
        return str(wanted)
    return url_for("pages.dashboard")


def _page(shape: forms.Shape, shown: Any, subject: Any, given: Any, problems: list[Problem], status: int) -> Any:
    return render_template(
        "console/form.html",
        shape=shape,
        inputs=shown,
        subject=subject,
        customer=subject if isinstance(subject, Customer) else getattr(subject, "customer", None),
        currency=forms.currency_of(subject),
        problems=[p for p in problems if p.place not in {one.name for one in shown}],
        next=way_back(given),
        name=shape.name,
    ), status


@blueprint.get("/<name>")
@gate.needs(gate.SIGNED_IN)
def form(name: str) -> ResponseReturnValue:
    """The form of a command."""
    shape = _shape(name)
    subject = subject_of(shape, request.args)
    return _page(shape, forms.inputs(shape, subject, request.args), subject, request.args, [], 200)


@blueprint.post("/<name>")
@gate.needs(gate.SIGNED_IN)
def give(name: str) -> ResponseReturnValue:
    """Give the command; afterwards the page it came from."""
    shape = _shape(name)
    subject = subject_of(shape, request.form)
    command, shown, problems = forms.read(shape, subject, request.form, current_user.id)
    if command is None:
        return _page(shape, shown, subject, request.form, problems, 422)
    try:
        if name == "SetOverride":
            value = forms.typed(command.target, command.value, forms.currency_of(subject))
            command = replace(command, value=value)
        answer = gate.runtime().execute(command)
    except ValueError:
        unread = [Problem(place="value", what=_("cannot be read"), cure=_("write it as its kind asks"))]
        return _page(shape, _marked(shown, unread), subject, request.form, [], 422)
    except Invalid as error:
        return _page(shape, _marked(shown, error.problems), subject, request.form, list(error.problems), 422)
    except Conflict as error:
        wanted = {one.name: one.value for one in shown if one.kind not in {"hidden", "area"}}
        error.seen = {**wanted, **error.seen}
        raise
    waits = answer.get("state") == "proposed"
    said = (
        _("%(what)s: a second person decides.", what=shape.title) if waits else _("Done: %(what)s.", what=shape.title)
    )
    if answer.get("state") == "asked":
        said = _("%(what)s: the workers do it now.", what=shape.title)
    flash(said, "warning" if waits else "success")
    return redirect(way_back(request.form), 303)


def _marked(shown: list[forms.Input], problems: Any) -> list[forms.Input]:
    for problem in problems:
        for one in shown:
            if one.name == problem.place:
                one.wrong = f"{problem.what}: {problem.cure}"
    return shown
