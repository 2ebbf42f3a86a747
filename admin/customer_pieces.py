"""Pieces of the page of a customer that cost more than the rest of it: brought when they are looked at.

The page holds a link to where the same stands in full, which a piece replaces; so nothing is lost
without a script.
"""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from admin import explaining, gate
from admin.customer_page import audit_of
from admin.explanation_page import facts_now, visible_customer

blueprint = Blueprint("pieces", __name__, url_prefix="/customers")


@blueprint.get("/<int:customer_id>/pieces/rules")
@gate.needs("customers.view")
def rules(customer_id: int) -> ResponseReturnValue:
    """Every rule with its verdict and the values it sees now."""
    customer = visible_customer(customer_id)
    (row, ask), currency = facts_now(customer), str(customer.entity.currency)
    stages = explaining.of_row(row, ask.edition.book, currency)
    return render_template("console/customer/rules.html", stages=stages, currency=currency)


@blueprint.get("/<int:customer_id>/pieces/facts")
@gate.needs("customers.view")
def facts(customer_id: int) -> ResponseReturnValue:
    """Every fact there is of it."""
    customer = visible_customer(customer_id)
    row, _ask = facts_now(customer)
    found = explaining.facts_shown(row, str(customer.entity.currency))
    return render_template("console/customer/fact_list.html", facts=found)


@blueprint.get("/<int:customer_id>/pieces/audit")
@gate.needs("audit.view")
def audit(customer_id: int) -> ResponseReturnValue:
    """Who changed what about it last."""
    return render_template("console/customer/audit_rows.html", audit=audit_of(visible_customer(customer_id)))
