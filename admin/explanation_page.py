"""The explanation of a customer as of now: what the rules in force say this moment, and why. Nothing is written."""

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import explaining, gate
from engine import access
from engine.pipeline import Asking, Row, asking, facts_of
from engine.tables import Customer, Entity, Override

blueprint = Blueprint("explanations", __name__, url_prefix="/customers")


def visible_customer(customer_id: int) -> Customer:
    """A customer the reader may see, with its entity; what one may not see does not exist."""
    query = Customer.select(Customer, Entity).join(Entity).where(Customer.id == customer_id)
    found: Customer | None = access.visible_to(current_user.id, query).first()
    if found is None:
        abort(404)
    return found


def overrides_now(customer: Customer, day: int) -> list[Override]:
    """The overrides that a decision made now would read."""
    over = Override.ended_day.is_null() | (Override.ended_day > day)
    approved = (Override.needs_approval == False) | Override.approved_by.is_null(False)  # noqa: E712
    in_force = (Override.from_day <= day) & (Override.until_day > day) & over & approved
    return list(Override.select().where(Override.customer == customer, in_force).order_by(Override.id))


def facts_now(customer: Customer) -> tuple[Row, Asking]:
    """The facts of a customer this moment, and all that a decision made now would depend on."""
    runtime = gate.runtime()
    ask = asking(runtime, customer.entity, runtime.today(customer.entity))
    (row,) = facts_of(runtime, ask, [customer.id])
    return row, ask


@blueprint.get("/<int:customer_id>/explanation")
@gate.needs("customers.view")
def now(customer_id: int) -> ResponseReturnValue:
    """Every rule with its verdict and the values it sees now."""
    customer = visible_customer(customer_id)
    row, ask = facts_now(customer)
    currency = str(customer.entity.currency)
    asked = request.args.get("why_not", "")
    return render_template(
        "console/explanation.html",
        customer=customer,
        day=ask.as_of_day,
        currency=currency,
        explained=explaining.explained(row, ask.edition, ask.as_of_day, currency, asked),
        facts=explaining.facts_shown(row, currency),
        overrides=overrides_now(customer, ask.as_of_day),
    )
