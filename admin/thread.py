"""The thread of a customer: reading further back, and writing in it."""

from uuid import uuid4

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.explanation_page import visible_customer
from engine.notes import WriteNote

blueprint = Blueprint("thread", __name__, url_prefix="/customers")
SHOWN = 20


@blueprint.post("/<int:customer_id>/notes")
@gate.needs("notes.write")
def write(customer_id: int) -> ResponseReturnValue:
    """Say something; whom it names with @ finds it in their list."""
    customer = visible_customer(customer_id)
    gate.runtime().execute(
        WriteNote(
            actor=current_user.id,
            reason="written in the thread",
            key=request.form.get("key") or str(uuid4()),
            customer=customer.id,
            text=request.form.get("text", ""),
        )
    )
    flash(_("It is in the thread."), "success")
    return redirect(url_for("customers.customer_page", customer_id=customer.id) + "#thread", 303)
