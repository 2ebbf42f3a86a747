"""Proposals: entries that take a second person, kept whole until one approves or declines.

What is proposed is a body that its own module checks again at the approval: meanwhile money may have
come in. An approval names the sha256 of what was seen.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import access
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    NotFound,
    Refused,
    expect_version,
    register,
    update_version,
)
from engine.pipeline import asking
from engine.tables import Customer, Proposal
from ledger.canonical import canonical, sha256_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

Enter = Callable[[Context, Customer, Mapping[str, Any], str, int | None], Change]
ENTERED: dict[str, Enter] = {}  # by kind: what writes the entries of an approved body, or refuses


def entered_by(kind: str) -> Callable[[Enter], Enter]:
    """Say which function writes the entries of a kind."""

    def keep(function: Enter) -> Enter:
        ENTERED[kind] = function
        return function

    return keep


def propose(context: Context, customer: Customer, kind: str, body: Mapping[str, Any], reason: str) -> Change:
    """Keep a body until a second person says yes or no."""
    proposal = Proposal.create(
        kind=kind,
        entity_id=customer.entity_id,
        customer=customer,
        body=canonical(body),
        sha256=sha256_of(body),
        reason=reason,
        proposed_by=context.actor,
        proposed_at=context.at,
    )
    after = {"customer": customer.id, "kind": kind, "sha256": proposal.sha256, "state": "proposed"}
    return Change(
        subject_kind="proposal",
        subject_id=proposal.id,
        after=after,
        answer={"proposal": proposal.id, "sha256": proposal.sha256, "state": "proposed"},
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveEntry(Command):
    """Approve a payment plan, a write-off or a waiver that another person proposed.

    Args:
        sha256: of what the actor saw.
        version: of the row the actor saw.
    """

    proposal: int
    sha256: str = ""
    version: int | None = None


@register(ApproveEntry, permission="entries.approve", person_only=True)
def approve_entry(context: Context, command: ApproveEntry) -> Change:
    """Write its entries, if they still fit what is open; nobody approves their own."""
    row, customer = _waiting(context, command.proposal, command.version)
    if context.actor is not None and row.proposed_by_id == context.actor.id:
        raise Refused("nobody approves what they proposed themselves")
    if command.sha256 and command.sha256 != row.sha256:
        raise Conflict(f"proposal {row.id} is not what was seen", current={"sha256": row.sha256})
    update_version(row, state="approved", decided_by=context.actor, decided_at=context.at)
    return ENTERED[row.kind](context, customer, json.loads(row.body), row.reason, row.proposed_by_id)


@dataclass(frozen=True, kw_only=True)
class DeclineEntry(Command):
    """Say no to a proposal, also to one's own."""

    proposal: int
    version: int | None = None


@register(DeclineEntry, permission="actions.work", person_only=True)
def decline_entry(context: Context, command: DeclineEntry) -> Change:
    """Nothing is entered."""
    row, customer = _waiting(context, command.proposal, command.version)
    update_version(row, state="declined", decided_by=context.actor, decided_at=context.at)
    return Change(
        subject_kind="proposal",
        subject_id=row.id,
        before={"state": "proposed"},
        after={"customer": customer.id, "state": "declined"},
        answer={"proposal": row.id, "state": "declined"},
        entity_id=row.entity_id,
    )


def waiting_for(user: int, customer: Customer | None = None) -> list[Proposal]:
    """Proposals that wait for a second person, of customers a user may see, the oldest first."""
    rows = Proposal.select(Proposal, Customer).join(Customer).where(Proposal.state == "proposed")
    if customer is not None:
        rows = rows.where(Proposal.customer == customer)
    return list(access.visible_to(user, rows).order_by(Proposal.id).limit(200))


def bound(runtime: "Runtime", customer: Customer, name: str) -> int:
    """A parameter's value for a customer's entity today; without one it is 0, and everything takes two."""
    book = asking(runtime, customer.entity, runtime.today(customer.entity)).edition.book
    found = book.parameters.get(name)
    return found.value if found is not None and isinstance(found.value, int) else 0


def _waiting(context: Context, proposal_id: int, version: int | None) -> tuple[Proposal, Customer]:
    row = Proposal.get_or_none(Proposal.id == proposal_id)
    if row is None:
        raise NotFound(f"no proposal {proposal_id}")
    customer = context.customer(row.customer_id)
    expect_version(row, version)
    if row.state != "proposed":
        raise Conflict(f"proposal {row.id} is {row.state} already", current={"state": row.state})
    return row, customer
