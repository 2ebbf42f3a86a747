"""Gateway addresses: where an entity's webhooks go. One person proposes it, another approves it."""

import hashlib
from dataclasses import dataclass

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.tables import Entity, GatewayAddress
from notifiers.gateways import Rejected
from notifiers.vetting import parse

IN_FORCE, PROPOSED = "approved", "proposed"


@dataclass(frozen=True, kw_only=True)
class ProposeGatewayAddress(Command):
    """Ask another person to let an entity's webhooks go to an address.

    Args:
        entity: its code.
        url: https://..., of the receiver.
    """

    entity: str
    url: str


@register(ProposeGatewayAddress, permission="golive.propose", person_only=True)
def propose_gateway_address(context: Context, command: ProposeGatewayAddress) -> Change:
    """Note the proposal; an older one is replaced, and what is in force stays until it is approved."""
    entity = context.entity(command.entity)
    url = command.url.strip()
    try:
        parse(url, loopback=context.runtime.settings.webhook_loopback)
    except Rejected as error:
        raise Invalid.because("url", str(error), "give https://host.company.example/path") from error
    GatewayAddress.update(state="replaced").where(
        GatewayAddress.entity == entity, GatewayAddress.state == PROPOSED
    ).execute()
    row = GatewayAddress.create(
        entity=entity,
        url=url,
        sha256=hashlib.sha256(url.encode()).hexdigest(),
        proposed_by=context.actor,
        proposed_at=context.at,
    )
    return _changed(entity, row, {"gateway_address": row.id, "sha256": row.sha256, "state": PROPOSED})


@dataclass(frozen=True, kw_only=True)
class ApproveGatewayAddress(Command):
    """Let an entity's webhooks go to a proposed address, as a second person.

    Args:
        address: id of the proposal.
        sha256: of the address the actor saw.
    """

    address: int
    sha256: str


@register(ApproveGatewayAddress, permission="golive.approve", person_only=True)
def approve_gateway_address(context: Context, command: ApproveGatewayAddress) -> Change:
    """It is in force at once and replaces the one before."""
    row, entity = _proposal(context, command.address)
    if row.state != PROPOSED or row.sha256 != command.sha256:
        raise Conflict("this address is not proposed any more", current={"state": row.state})
    if context.actor is None or row.proposed_by_id == context.actor.id:
        raise Refused("nobody approves their own proposal")
    GatewayAddress.update(state="replaced").where(
        GatewayAddress.entity == entity, GatewayAddress.state == IN_FORCE
    ).execute()
    GatewayAddress.update(state=IN_FORCE, approved_by=context.actor, approved_at=context.at).where(
        GatewayAddress.id == row.id
    ).execute()
    return _changed(entity, row, {"gateway_address": row.id, "sha256": row.sha256, "state": IN_FORCE})


@dataclass(frozen=True, kw_only=True)
class WithdrawGatewayAddress(Command):
    """Take an address out of force, or a proposal back; one person is enough to stop.

    Args:
        address: its id.
    """

    address: int


@register(WithdrawGatewayAddress, permission="golive.propose", person_only=True)
def withdraw_gateway_address(context: Context, command: WithdrawGatewayAddress) -> Change:
    """Webhooks that are due from now on find no address."""
    row, entity = _proposal(context, command.address)
    if row.state not in (PROPOSED, IN_FORCE):
        raise Conflict("this address is neither proposed nor in force", current={"state": row.state})
    GatewayAddress.update(state="withdrawn").where(GatewayAddress.id == row.id).execute()
    return _changed(entity, row, {"gateway_address": row.id, "sha256": row.sha256, "state": "withdrawn"})


def address_in_force(entity: Entity) -> str | None:
    """Where an entity's webhooks go now."""
    row: GatewayAddress | None = GatewayAddress.get_or_none(
        GatewayAddress.entity == entity, GatewayAddress.state == IN_FORCE
    )
    return None if row is None else str(row.url)


def addresses_of(entity: Entity) -> list[GatewayAddress]:
    """What is in force and what is proposed, the one in force first."""
    query = GatewayAddress.select().where(
        GatewayAddress.entity == entity, GatewayAddress.state.in_((PROPOSED, IN_FORCE))
    )
    return list(query.order_by(GatewayAddress.state, GatewayAddress.id))


def _proposal(context: Context, address: int) -> tuple[GatewayAddress, Entity]:
    row: GatewayAddress | None = GatewayAddress.get_or_none(GatewayAddress.id == address)
    if row is None:
        raise NotFound(f"no gateway address {address}")
    return row, context.entity(row.entity_id)


def _changed(entity: Entity, row: GatewayAddress, after: dict[str, int | str]) -> Change:
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before={"gateway_address": row.id, "state": row.state},
        after=after,
        answer=after,
        entity_id=entity.id,
    )
