"""Mail received: what came into the mailbox, and what became of each."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from peewee import ModelSelect

from admin import gate
from engine import access
from engine.inbox import server_of, state_of
from engine.tables import Customer, ReceivedMail
from engine.vault import Erased

blueprint = Blueprint("received_mail", __name__, url_prefix="/mail-received")
SHOWN = 50
OF_ONE_SHOWN = 12  # customer, or message


def opened(rows: Iterable[ReceivedMail]) -> list[tuple[ReceivedMail, dict[str, Any] | None]]:
    """Mails with what they say; None: the person they belong to was erased."""
    return [(row, _words(row)) for row in rows]


def _words(row: ReceivedMail) -> dict[str, Any] | None:
    try:
        return gate.runtime().vault.open(row.person, row.sealed)
    except Erased:
        return None


def of_customer(customer_id: int) -> list[ReceivedMail]:
    """The latest of a customer, for those who may read mail."""
    if not gate.may("people.view"):
        return []
    rows = ReceivedMail.select().where(ReceivedMail.customer == customer_id)
    return list(rows.order_by(ReceivedMail.id.desc()).limit(OF_ONE_SHOWN))


def of_message(action_id: int) -> list[tuple[ReceivedMail, dict[str, Any] | None]]:
    """What came back to a message."""
    rows = ReceivedMail.select().where(ReceivedMail.action == action_id).order_by(ReceivedMail.id.desc())
    return opened(rows.limit(OF_ONE_SHOWN))


def of_task(action_id: int) -> tuple[ReceivedMail, dict[str, Any] | None] | None:
    """The mail a diary item is about, for those who may read it."""
    row = ReceivedMail.get_or_none(ReceivedMail.task == action_id) if gate.may("people.view") else None
    return None if row is None else (row, _words(row))


@blueprint.get("/")
@gate.needs("people.view")
def index() -> ResponseReturnValue:
    """What belongs to nobody yet, and the rest, the newest first."""
    runtime = gate.runtime()
    before = request.args.get("before", "")
    rows = _of_customers().order_by(ReceivedMail.id.desc())
    if before.isdigit():
        rows = rows.where(ReceivedMail.id < int(before))
    found = list(rows.limit(SHOWN + 1))
    waiting = ReceivedMail.select().where(ReceivedMail.state == "unassigned").order_by(ReceivedMail.id).limit(SHOWN)
    return render_template(
        "console/received_mails.html",
        unassigned=opened(waiting) if not before and access.sees_all_of(current_user.id, None) else [],
        mails=opened(found[:SHOWN]),
        further=found[SHOWN - 1].id if len(found) > SHOWN else None,
        is_set_up=server_of(runtime) is not None,
        box=state_of(runtime),
    )


@blueprint.get("/<int:mail_id>")
@gate.needs("people.view")
def page(mail_id: int) -> ResponseReturnValue:
    """One mail: its words, whole, and what it did."""
    row = _of_customers().where(ReceivedMail.id == mail_id).first()
    if row is None and access.sees_all_of(current_user.id, None):
        row = ReceivedMail.get_or_none(ReceivedMail.id == mail_id, ReceivedMail.customer.is_null())
    if row is None:
        abort(404)
    return render_template("console/received_mail.html", row=row, said=_words(row))


def _of_customers() -> ModelSelect:
    return access.visible_to(current_user.id, ReceivedMail.select(ReceivedMail, Customer).join(Customer), in_order=True)
