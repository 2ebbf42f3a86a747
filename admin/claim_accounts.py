"""The claim account of a customer: every figure with the rows behind it, to read and to print."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import gate
from admin.explanation_page import visible_customer
from admin.plan_pages import proposals_shown
from engine.charging import UNDONE_BY_HAND, WAIVER
from engine.claim_account import ClaimAccount, claim_account_of
from engine.proposals import waiting_for
from engine.silence_actions import name_of
from ledger.claims import CHARGES
from ledger.interest import share_text

blueprint = Blueprint("claim_accounts", __name__, url_prefix="/customers")


@blueprint.get("/<int:customer_id>/claims")
@gate.needs("customers.view")
def page(customer_id: int) -> ResponseReturnValue:
    """The account as of today."""
    customer = visible_customer(customer_id)
    account = claim_account_of(gate.runtime(), customer, gate.runtime().today(customer.entity))
    newest = sorted(account.claims, key=lambda one: (not account.is_open(one), -one.line.debt.due_day))
    claims = [(claim, account.legal_order(claim), account.is_open(claim)) for claim in newest]
    return render_template(
        "console/claim_account.html",
        account=account,
        waiting=proposals_shown(row for row in waiting_for(current_user.id, customer) if row.kind == WAIVER),
        customer=customer,
        claims=claims,
        accrued=_accrued(account),
        parts=CHARGES,
        undone_by_hand=UNDONE_BY_HAND,
        rate=share_text,
        name_of=name_of,
    )


def _accrued(account: ClaimAccount) -> dict[str, int]:
    """Interest not charged yet of the lines that are charged, by currency."""
    found: dict[str, int] = {}
    for claim in account.due():
        if claim.accrued_minor:
            found[claim.line.currency] = found.get(claim.line.currency, 0) + claim.accrued_minor
    return found
