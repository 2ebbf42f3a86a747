"""Hand-over: a customer's debt goes to an agency, an insurer or a court; dunning stops until it comes back.

Proposed by one person and approved by another. From then on a block of kind ``handed_over`` holds back every
step, as any block does; it ends when the debt comes back or the case is closed.
"""

import json
from dataclasses import dataclass
from typing import Any

from engine.charging import ChargeClaims
from engine.claim_account import claim_account_of
from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, carry_out, register
from engine.corrections import entry_of
from engine.hand_over_file import figures_of
from engine.tables import Block, Customer, HandOver, HandOverNote, Reversal
from ledger.columns import MONEY_BOUND

TARGETS = ("agency", "insurer", "court")
LASTING = ("proposed", "handed_over", "accepted")  # while one of these, no second one begins
AWAY = ("handed_over", "accepted")
NOTES = ("accepted", "rejected", "recovered", "closed")
RECIPIENT_LENGTH_MAX = 200


@dataclass(frozen=True, kw_only=True)
class ProposeHandOver(Command):
    """Propose that all a customer owes goes to somebody else.

    Args:
        target: agency | insurer | court.
        recipient: its name.
    """

    customer: int
    target: str
    recipient: str


@register(ProposeHandOver, permission="handovers.propose", person_only=True)
def propose_hand_over(context: Context, command: ProposeHandOver) -> Change:
    """Note it for a second person; nothing stops yet."""
    customer = context.customer(command.customer)
    if command.target not in TARGETS:
        raise Invalid.because("target", f"is {command.target!r}", f"choose from {', '.join(TARGETS)}")
    if not 0 < len(command.recipient.strip()) <= RECIPIENT_LENGTH_MAX:
        raise Invalid.because("recipient", "is missing or too long", "name who gets the debt")
    lasting = HandOver.get_or_none(HandOver.customer == customer, HandOver.state.in_(LASTING))
    if lasting is not None:
        raise Conflict(f"hand-over {lasting.id} of this customer is {lasting.state}", current={"state": lasting.state})
    if not any(
        one["principal"] > 0 for one in figures_of(context.runtime, customer, _today(context, customer)).values()
    ):
        raise Invalid.because("customer", "owes nothing", "hand over a customer with open invoices")
    row = HandOver.create(
        customer=customer,
        target=command.target,
        recipient=command.recipient.strip(),
        reason=command.reason,
        state="proposed",
        proposed_by=context.actor,
        proposed_at=context.at,
    )
    after = {"customer": customer.id, "target": command.target, "recipient": row.recipient, "state": "proposed"}
    return _changed(row, customer, None, after)


@dataclass(frozen=True, kw_only=True)
class ApproveHandOver(Command):
    """Let another person's hand-over take effect."""

    hand_over: int


@register(ApproveHandOver, permission="handovers.approve", person_only=True)
def approve_hand_over(context: Context, command: ApproveHandOver) -> Change:
    """Charge what the law adds until today, stop dunning, fix what is handed over."""
    row, customer = _in_state(context, command.hand_over, ("proposed",))
    if context.actor is None or row.proposed_by_id == context.actor.id:
        raise Refused("nobody approves their own hand-over")
    today = _today(context, customer)
    if claim_account_of(context.runtime, customer, today).regime is not None:
        carry_out(context, ChargeClaims(actor=None, reason=f"hand-over {row.id}", customer=customer.id))
    block = Block.create(
        **entry_of(context, customer, today),
        kind="handed_over",
        from_day=today,
        until_day=None,
        reason=f"{row.recipient}: {row.reason}",
        by=row.proposed_by_id,
    )
    figures = figures_of(context.runtime, customer, today)
    changes = {"settled_by": context.actor, "handed_day": today, "block": block, "figures": json.dumps(figures)}
    _move(row, "handed_over", **changes)
    return _changed(row, customer, {"state": "proposed"}, {"state": "handed_over", "figures": figures})


@dataclass(frozen=True, kw_only=True)
class DeclineHandOver(Command):
    """Say no to a hand-over that waits."""

    hand_over: int


@register(DeclineHandOver, permission="handovers.approve", person_only=True)
def decline_hand_over(context: Context, command: DeclineHandOver) -> Change:
    """Nothing is handed over; who proposed it may decline it too."""
    row, customer = _in_state(context, command.hand_over, ("proposed",))
    _move(row, "declined", settled_by=context.actor)
    return _changed(row, customer, {"state": "proposed"}, {"state": "declined"})


@dataclass(frozen=True, kw_only=True)
class NoteHandOver(Command):
    """Say what the agency, insurer or court answered.

    Args:
        state: accepted | rejected | recovered | closed; rejected and closed bring the debt back to us.
        amount_minor, currency: of what was recovered; the payment itself comes with the accounts.
    """

    hand_over: int
    state: str
    amount_minor: int | None = None
    currency: str | None = None


@register(NoteHandOver, permission="handovers.propose", person_only=True)
def note_hand_over(context: Context, command: NoteHandOver) -> Change:
    """Keep it; a debt that comes back is dunned again from the next run on."""
    row, customer = _in_state(context, command.hand_over, AWAY)
    if command.state not in NOTES:
        raise Invalid.because("state", f"is {command.state!r}", f"choose from {', '.join(NOTES)}")
    recovered = json.loads(row.recovered)
    if command.state == "recovered":
        if command.amount_minor is None or not 0 < command.amount_minor <= MONEY_BOUND:
            raise Invalid.because("amount_minor", "must be above 0", "give what was recovered")
        currency = command.currency or customer.entity.currency
        recovered[currency] = recovered.get(currency, 0) + command.amount_minor
    elif command.amount_minor is not None:
        raise Invalid.because("amount_minor", f"does not belong to {command.state}", "leave it out")
    HandOverNote.create(
        hand_over=row,
        state=command.state,
        amount_minor=command.amount_minor,
        currency=(command.currency or customer.entity.currency) if command.amount_minor is not None else None,
        text=command.reason,
        by=context.actor,
        at=context.at,
    )
    before = {"state": row.state}
    state = row.state if command.state == "recovered" else command.state
    _move(row, state, recovered=json.dumps(recovered))
    if state not in AWAY:
        Reversal.create(
            **entry_of(context, customer, _today(context, customer)),
            target="block",
            target_id=row.block_id,
            reason=command.reason,
        )
    return _changed(row, customer, before, {"state": state, "recovered": recovered})


def _today(context: Context, customer: Customer) -> int:
    return context.today(customer.entity)


def _in_state(context: Context, hand_over_id: int, states: tuple[str, ...]) -> tuple[HandOver, Customer]:
    row: HandOver | None = HandOver.get_or_none(HandOver.id == hand_over_id)
    if row is None:
        raise NotFound(f"no hand-over {hand_over_id}")
    customer = context.customer(row.customer_id)
    if row.state not in states:
        raise Conflict(f"hand-over {row.id} is {row.state}", current={"state": row.state})
    return row, customer


def _move(row: HandOver, state: str, **changes: Any) -> None:
    moved = (
        HandOver.update(state=state, version=HandOver.version + 1, **changes)
        .where(HandOver.id == row.id, HandOver.version == row.version)
        .execute()
    )
    if moved != 1:
        raise Conflict(f"hand-over {row.id} was changed by somebody else")


def _changed(row: HandOver, customer: Customer, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    return Change(
        subject_kind="hand_over",
        subject_id=row.id,
        before=before,
        after=after,
        answer={"hand_over": row.id, "state": after["state"]},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )
