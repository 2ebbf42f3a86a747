"""Write-offs: a debt given up by us, until the accounts say the same.

The accounts are master of principal. What is entered here reduces the line like any credit, and gives
way as a whole as soon as the accounts post so much against its invoice that both would not fit
(docs/decisions/0041): so the same write-off that comes by import is never counted twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.commands import Change, Command, Context, Invalid, NotFound, register
from engine.corrections import appended, entry_of, reverse
from engine.open_amounts import open_of
from engine.proposals import bound, entered_by, propose
from engine.tables import Allocation, Credit, Customer, DueLine, Reversal
from ledger.entries import WRITE_OFF, identity_of

ALONE = "write_off_alone"  # parameter: up to here one person writes off


@dataclass(frozen=True, kw_only=True)
class WriteOff(Command):
    """Give up what is open of a due line, or a part of it; the reason is kept with it.

    Args:
        amount_minor: in the line's currency; None: all that is open.
    """

    due_line: int
    amount_minor: int | None = None


@register(WriteOff, permission="write_offs.enter", person_only=True)
def write_off(context: Context, command: WriteOff) -> Change:
    """Enter it, or above the parameter let a second person decide."""
    line = DueLine.get_or_none(DueLine.id == command.due_line)
    if line is None:
        raise NotFound(f"no due line {command.due_line}")
    customer = context.customer(line.customer_id)
    amount = open_of(line) if command.amount_minor is None else command.amount_minor
    body = {"due_line": line.id, "amount_minor": amount, "key": command.key}
    _checked(customer, body)
    if line.currency != customer.entity.currency or amount > bound(context.runtime, customer, ALONE):
        return propose(context, customer, WRITE_OFF, body, command.reason)
    return enter_write_off(context, customer, body, command.reason, None)


@entered_by(WRITE_OFF)
def enter_write_off(
    context: Context, customer: Customer, body: Mapping[str, Any], reason: str, proposed_by: int | None
) -> Change:
    """Append the credit, wholly allocated to its line."""
    line = _checked(customer, body)
    common = entry_of(context, customer, context.today(customer.entity))
    credit = Credit.create(
        **common,
        kind=WRITE_OFF,
        reference=line.number,
        identity=identity_of("by hand", body["key"]),
        amount_minor=body["amount_minor"],
        currency=line.currency,
    )
    Allocation.create(**common, credit=credit, due_line=line, amount_minor=body["amount_minor"])
    after = {"due_line": line.id, "amount_minor": body["amount_minor"], "proposed_by": proposed_by}
    return appended(WRITE_OFF, credit.id, customer, after)


def _checked(customer: Customer, body: Mapping[str, Any]) -> DueLine:
    line: DueLine | None = DueLine.get_or_none(DueLine.id == body["due_line"], DueLine.customer == customer)
    if line is None:
        raise NotFound(f"no due line {body['due_line']} of this customer")
    left = open_of(line)
    if not 0 < body["amount_minor"] <= left:
        what = f"is {body['amount_minor']} minor units where {left} are open"
        raise Invalid.because("amount_minor", what, "give a part of what is open, or nothing for all of it")
    return line


@dataclass(frozen=True, kw_only=True)
class ReverseWriteOff(Command):
    """Take a write-off back that was entered here; its amount is owed again."""

    write_off: int


@register(ReverseWriteOff, permission="write_offs.enter", person_only=True)
def reverse_write_off(context: Context, command: ReverseWriteOff) -> Change:
    """Reverse the credit; its allocation goes with it."""
    credit = Credit.get_or_none(Credit.id == command.write_off, Credit.kind == WRITE_OFF, Credit.import_id.is_null())
    if credit is None:
        raise NotFound(f"no write-off {command.write_off} that was entered here")
    customer = context.customer(credit.customer_id)
    reverse(context, customer, "credit", credit.id, command.reason, f"write-off {credit.id} was taken back already")
    return appended(WRITE_OFF, credit.id, customer, {"reversed": True})


def write_offs_of(customer: Customer, most: int = 50) -> list[tuple[Credit, DueLine]]:
    """Write-offs entered here that stand, with their lines, the newest first."""
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == "credit")
    rows = (
        Allocation.select(Allocation, Credit, DueLine)
        .join(Credit)
        .switch(Allocation)
        .join(DueLine)
        .where(
            Credit.customer == customer,
            Credit.kind == WRITE_OFF,
            Credit.import_id.is_null(),
            Credit.id.not_in(undone),
            Allocation.id.not_in(Reversal.select(Reversal.target_id).where(Reversal.target == "allocation")),
        )
        .order_by(Credit.id.desc())
        .limit(most)
    )
    return [(row.credit, row.due_line) for row in rows]
