"""Pauses of a customer: set one with its end and reason, end one, and see who did so before."""

from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from admin import gate
from admin.explanation_page import visible_customer
from engine.silence_actions import name_of
from engine.tables import AuditEntry, Block, Customer, DueLine, Reversal

blueprint = Blueprint("pauses", __name__, url_prefix="/customers")
SHOWN = 200


@dataclass(frozen=True)
class Pause:
    """A pause, a block or an insolvency with its history.

    Args:
        line: number of the invoice it is for; empty: the whole customer.
        state: holds | comes | over | ended (by a person, early).
        by: who set it; empty: an import or the system.
        ended_by, ended_why: of one that was ended early.
    """

    block: Block
    line: str
    state: str
    by: str
    ended_day: int | None = None
    ended_by: str = ""
    ended_why: str = ""


def pauses_of(customer: Customer, today: int) -> list[Pause]:
    """Everything that paused or blocked a customer or one of its lines, the newest first."""
    blocks = list(Block.select().where(Block.customer == customer).order_by(Block.id.desc()).limit(SHOWN))
    ids = [block.id for block in blocks]
    ended = {
        one.target_id: one for one in Reversal.select().where(Reversal.target == "block", Reversal.target_id.in_(ids))
    }
    enders = dict(
        AuditEntry.select(AuditEntry.subject_id, AuditEntry.actor_id)
        .where(
            AuditEntry.subject_kind == "block",
            AuditEntry.command == "EndBlock",
            AuditEntry.subject_id.in_([str(number) for number in ids]),
        )
        .tuples()
    )
    lines = {
        line.id: line.number
        for line in DueLine.select().where(DueLine.id.in_([block.due_line_id for block in blocks if block.due_line_id]))
    }
    found = []
    for block in blocks:
        reversal = ended.get(block.id)
        found.append(
            Pause(
                block=block,
                line=lines.get(block.due_line_id, ""),
                state=_state(block, reversal, today),
                by=name_of(block.by),
                ended_day=None if reversal is None else reversal.booked_day,
                ended_by="" if reversal is None else name_of(enders.get(str(block.id))),
                ended_why="" if reversal is None else reversal.reason,
            )
        )
    return found


def _state(block: Block, reversal: Reversal | None, today: int) -> str:
    if reversal is not None:
        return "ended"
    if block.until_day is not None and block.until_day <= today:
        return "over"
    return "comes" if block.from_day > today else "holds"


@blueprint.get("/<int:customer_id>/pauses")
@gate.needs("customers.view")
def page(customer_id: int) -> ResponseReturnValue:
    """All of them, with what one may do about it."""
    customer = visible_customer(customer_id)
    today = gate.runtime().today(customer.entity)
    return render_template("console/pauses.html", customer=customer, today=today, pauses=pauses_of(customer, today))
