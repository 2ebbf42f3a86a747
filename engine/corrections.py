"""Commands that put a person's knowledge into the ledger: overrides, limits, promises, disputes, blocks.

Everything here appends an entry or a dated row; nothing is overwritten. A change that lets a
customer have more -- a higher limit, a released hold -- or dunns them harder takes a second person.
"""

import json
from dataclasses import dataclass
from typing import Any

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.tables import (
    Alarm,
    Block,
    CreditLimit,
    Customer,
    Dispute,
    DisputeClosing,
    DueLine,
    Outcome,
    Override,
    Promise,
    Reversal,
)
from ledger.columns import MONEY_BOUND
from rules.stages import LEVEL_MAX

OVERRIDE_DAYS_MAX = 90
TARGETS = ("risk_class", "segment", "limit", "terms", "hold", "level", "collector")
INTEGER_BOUNDS = {"limit": MONEY_BOUND, "terms": 365, "level": LEVEL_MAX, "collector": 2**31}
BLOCK_KINDS = ("dunning_block", "pause", "insolvent")
TEXT_MAX = 2_000


@dataclass(frozen=True, kw_only=True)
class SetOverride(Command):
    """Put a person's value in place of a rule's, until a day.

    Args:
        target: risk_class | segment | limit | terms | hold | level | collector.
        value: of the target's type; for a limit minor units.
        until_day: first day it no longer holds, at most 90 days away.
    """

    customer: int
    target: str
    value: str | int | bool | None
    until_day: int


@register(SetOverride, permission="overrides.set", person_only=True)
def set_override(context: Context, command: SetOverride) -> Change:
    """Note it; what gives more or dunns harder waits for a second person."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    _check_override(command, today)
    needs_approval = _gives_more(customer, command.target, command.value, today)
    override = Override.create(
        customer=customer,
        target=command.target,
        value=json.dumps(command.value),
        from_day=today,
        until_day=command.until_day,
        reason=command.reason,
        by=context.actor,
        needs_approval=needs_approval,
        created_at=context.at,
    )
    return Change(
        subject_kind="override",
        subject_id=override.id,
        after={
            "customer": customer.id,
            "target": command.target,
            "value": command.value,
            "until_day": command.until_day,
            "needs_approval": needs_approval,
        },
        answer={"override": override.id, "needs_approval": needs_approval},
        dirty=() if needs_approval else (customer.id,),
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveOverride(Command):
    """Let another person's override take effect."""

    override: int


@register(ApproveOverride, permission="overrides.approve", person_only=True)
def approve_override(context: Context, command: ApproveOverride) -> Change:
    """Approve it as a second person; a limit becomes an entry of the ledger at once."""
    override = _override(context, command.override)
    if not override.needs_approval or override.approved_by_id is not None or override.ended_day is not None:
        raise Conflict(f"override {override.id} does not wait for approval", current=_override_values(override))
    if context.actor is None or override.by_id == context.actor.id:
        raise Refused("nobody approves their own override")
    customer = override.customer
    today = context.today(customer.entity)
    if override.until_day <= today:
        raise Conflict(f"override {override.id} has ended", current=_override_values(override))
    Override.update(approved_by=context.actor, approved_at=context.at).where(Override.id == override.id).execute()
    if override.target == "limit":
        put_limit_in_force(
            context,
            customer,
            amount_minor=json.loads(override.value),
            from_day=today,
            until_day=override.until_day,
            approved_by=context.actor.id,
            reason=override.reason,
        )
    return Change(
        subject_kind="override",
        subject_id=override.id,
        before={"approved_by": None},
        after={"approved_by": context.actor.id},
        answer={"override": override.id},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class EndOverride(Command):
    """End an override before its day; the rules decide again."""

    override: int


@register(EndOverride, permission="overrides.set", person_only=True)
def end_override(context: Context, command: EndOverride) -> Change:
    """End it today."""
    override = _override(context, command.override)
    if override.ended_day is not None:
        raise Conflict(f"override {override.id} has ended", current=_override_values(override))
    today = context.today(override.customer.entity)
    Override.update(ended_day=today).where(Override.id == override.id).execute()
    return Change(
        subject_kind="override",
        subject_id=override.id,
        before={"ended_day": None},
        after={"ended_day": today},
        answer={"override": override.id},
        dirty=(override.customer_id,),
        entity_id=override.customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveLimit(Command):
    """Put a limit in force that the rules have proposed, or a lower one.

    Args:
        amount_minor: minor units of the entity's base currency.
        from_day, until_day: half-open; until None for as long as no other comes.
    """

    customer: int
    amount_minor: int
    from_day: int
    until_day: int | None = None


@register(ApproveLimit, permission="limits.approve", person_only=True)
def approve_limit(context: Context, command: ApproveLimit) -> Change:
    """Put it in force; more than the rules propose is an override and takes two people."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    outcome = Outcome.get_or_none(Outcome.customer == customer)
    proposed = None if outcome is None else outcome.proposed_limit_minor
    in_force = limit_in_force(customer.id, today)
    allowed = max((amount for amount in (proposed, in_force) if amount is not None), default=None)
    if command.amount_minor < 0 or command.amount_minor > MONEY_BOUND:
        raise Invalid.because("amount_minor", "is out of range", f"give 0 to {MONEY_BOUND}")
    if allowed is None or command.amount_minor > allowed:
        raise Invalid.because(
            "amount_minor", "is more than the rules propose", "set an override, which a second person approves"
        )
    if command.from_day < today:
        raise Invalid.because("from_day", "lies in the past", "give today or a later day")
    if command.until_day is not None and command.until_day <= command.from_day:
        raise Invalid.because("until_day", "is not after from_day", "give a later day, or none")
    put_limit_in_force(
        context,
        customer,
        amount_minor=command.amount_minor,
        from_day=command.from_day,
        until_day=command.until_day,
        approved_by=None if context.actor is None else context.actor.id,
        reason=command.reason,
    )
    return Change(
        subject_kind="customer",
        subject_id=customer.id,
        before={"credit_limit_minor": in_force},
        after={"credit_limit_minor": command.amount_minor, "from_day": command.from_day},
        answer={"customer": customer.id, "credit_limit_minor": command.amount_minor},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class RecordPromise(Command):
    """A customer promises to pay by a day.

    Args:
        due_line: the line it is for; None for any of them.
        amount_minor, currency: what is promised.
    """

    customer: int
    amount_minor: int
    currency: str
    promised_day: int
    due_line: int | None = None


@register(RecordPromise, permission="promises.record")
def record_promise(context: Context, command: RecordPromise) -> Change:
    """Note the promise; its line leaves dunning until it is broken."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    if not 0 < command.amount_minor <= MONEY_BOUND:
        raise Invalid.because("amount_minor", "must be above 0", "give what is promised, in minor units")
    if command.promised_day < today:
        raise Invalid.because("promised_day", "lies in the past", "give today or a later day")
    if command.due_line is not None:
        line = _due_line(customer, command.due_line)
        if line.currency != command.currency:
            raise Invalid.because("currency", f"is not the line's ({line.currency})", "promise in the line's currency")
    promise = Promise.create(
        **_entry(context, customer, today),
        due_line=command.due_line,
        amount_minor=command.amount_minor,
        currency=command.currency,
        promised_day=command.promised_day,
    )
    after = {"amount_minor": command.amount_minor, "currency": command.currency, "promised_day": command.promised_day}
    return _appended("promise", promise.id, customer, after)


@dataclass(frozen=True, kw_only=True)
class RecordDispute(Command):
    """A customer contests a due line, whole or (amount given) in part."""

    due_line: int
    amount_minor: int | None = None
    owner_role: str = "sales"
    deadline_day: int | None = None


@register(RecordDispute, permission="disputes.record")
def record_dispute(context: Context, command: RecordDispute) -> Change:
    """Open the dispute; the disputed part leaves dunning."""
    line = DueLine.get_or_none(DueLine.id == command.due_line)
    if line is None:
        raise NotFound(f"no due line {command.due_line}")
    customer = context.customer(line.customer_id)
    if command.amount_minor is not None and not 0 < command.amount_minor <= line.amount_minor:
        raise Invalid.because("amount_minor", "is not within the line's amount", "give a part of it, or none for all")
    if _is_disputed(line):
        raise Conflict(f"due line {line.id} is under a dispute already")
    dispute = Dispute.create(
        **_entry(context, customer, context.today(customer.entity)),
        due_line=line,
        amount_minor=command.amount_minor,
        reason=command.reason[:TEXT_MAX],
        owner_role=command.owner_role,
        deadline_day=command.deadline_day,
    )
    return _appended("dispute", dispute.id, customer, {"due_line": line.id, "amount_minor": command.amount_minor})


@dataclass(frozen=True, kw_only=True)
class CloseDispute(Command):
    """End a dispute: accepted (a credit note follows) or rejected (dunning goes on)."""

    dispute: int
    accepted: bool


@register(CloseDispute, permission="disputes.close")
def close_dispute(context: Context, command: CloseDispute) -> Change:
    """Close it, once."""
    dispute = Dispute.get_or_none(Dispute.id == command.dispute)
    if dispute is None:
        raise NotFound(f"no dispute {command.dispute}")
    customer = context.customer(dispute.customer_id)
    if DisputeClosing.select().where(DisputeClosing.dispute == dispute).exists():
        raise Conflict(f"dispute {dispute.id} is closed already")
    closing = DisputeClosing.create(
        **_entry(context, customer, context.today(customer.entity)), dispute=dispute, accepted=command.accepted
    )
    return _appended("dispute", dispute.id, customer, {"accepted": command.accepted, "closing": closing.id})


@dataclass(frozen=True, kw_only=True)
class SetBlock(Command):
    """Stop dunning of a customer, or of one line, from a day until a day.

    Args:
        kind: dunning_block | pause | insolvent.
        until_day: first day it no longer holds; required for a pause.
    """

    customer: int
    kind: str
    from_day: int
    until_day: int | None = None
    due_line: int | None = None


@register(SetBlock, permission="blocks.set")
def set_block(context: Context, command: SetBlock) -> Change:
    """Set it."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    if command.kind not in BLOCK_KINDS:
        raise Invalid.because("kind", f"is {command.kind!r}", f"choose from {', '.join(BLOCK_KINDS)}")
    if command.kind == "pause" and command.until_day is None:
        raise Invalid.because("until_day", "is missing", "a pause always ends: give its day")
    if command.until_day is not None and command.until_day <= max(command.from_day, today):
        raise Invalid.because("until_day", "is not after its beginning and today", "give a later day")
    if command.due_line is not None:
        _due_line(customer, command.due_line)
    block = Block.create(
        **_entry(context, customer, today),
        kind=command.kind,
        due_line=command.due_line,
        from_day=command.from_day,
        until_day=command.until_day,
        reason=command.reason,
        by=None if context.actor is None else context.actor.id,
    )
    after = {"kind": command.kind, "from_day": command.from_day, "until_day": command.until_day}
    return _appended("block", block.id, customer, after)


@dataclass(frozen=True, kw_only=True)
class EndBlock(Command):
    """End a block today."""

    block: int


@register(EndBlock, permission="blocks.set")
def end_block(context: Context, command: EndBlock) -> Change:
    """Reverse the entry; what it meant on past days stays as it was seen."""
    block = Block.get_or_none(Block.id == command.block)
    if block is None:
        raise NotFound(f"no block {command.block}")
    customer = context.customer(block.customer_id)
    if Reversal.select().where(Reversal.target == "block", Reversal.target_id == block.id).exists():
        raise Conflict(f"block {block.id} has ended already")
    Reversal.create(
        **_entry(context, customer, context.today(customer.entity)),
        target="block",
        target_id=block.id,
        reason=command.reason,
    )
    return _appended("block", block.id, customer, {"ended": True})


@dataclass(frozen=True, kw_only=True)
class AcknowledgeAlarm(Command):
    """Say that somebody has seen an alarm."""

    alarm: int


@register(AcknowledgeAlarm, permission="alarms.acknowledge", person_only=True)
def acknowledge_alarm(context: Context, command: AcknowledgeAlarm) -> Change:
    """Acknowledge it, once."""
    alarm = Alarm.get_or_none(Alarm.id == command.alarm)
    if alarm is None:
        raise NotFound(f"no alarm {command.alarm}")
    if alarm.customer_id is not None:
        context.customer(alarm.customer_id)
    elif alarm.entity_id is not None:
        context.entity(alarm.entity_id, whole=False)
    if alarm.acknowledged_by_id is not None:
        raise Conflict(f"alarm {alarm.id} was acknowledged by somebody else")
    Alarm.update(acknowledged_by=context.actor, acknowledged_at=context.at).where(Alarm.id == alarm.id).execute()
    return Change(
        subject_kind="alarm",
        subject_id=alarm.id,
        after={"acknowledged": True},
        answer={"alarm": alarm.id},
        entity_id=alarm.entity_id,
    )


def limit_in_force(customer_id: int, day: int) -> int | None:
    """The credit limit of a customer on a day; None: there is none."""
    reversed_ids = Reversal.select(Reversal.target_id).where(Reversal.target == "credit_limit")
    entry = (
        CreditLimit.select()
        .where(
            CreditLimit.customer == customer_id,
            CreditLimit.from_day <= day,
            CreditLimit.until_day.is_null() | (CreditLimit.until_day > day),
            CreditLimit.id.not_in(reversed_ids),
        )
        .order_by(CreditLimit.id.desc())
        .first()
    )
    return None if entry is None else int(entry.amount_minor) if entry.amount_minor is not None else None


def put_limit_in_force(
    context: Context,
    customer: Customer,
    *,
    amount_minor: int | None,
    from_day: int,
    until_day: int | None,
    approved_by: int | None,
    reason: str,
) -> None:
    """Append the entry of a limit; the latest one in force wins."""
    CreditLimit.create(
        **_entry(context, customer, context.today(customer.entity)),
        amount_minor=amount_minor,
        from_day=from_day,
        until_day=until_day,
        approved_by=approved_by,
        reason=reason,
    )


def _entry(context: Context, customer: Customer, today: int) -> dict[str, Any]:
    return {
        "entity_id": customer.entity_id,
        "customer": customer,
        "booked_day": today,
        "recorded_day": today,
        "recorded_at": context.at,
    }


def _appended(kind: str, row_id: int, customer: Customer, after: dict[str, Any]) -> Change:
    return Change(
        subject_kind=kind,
        subject_id=row_id,
        after={"customer": customer.id, **after},
        answer={kind: row_id},
        dirty=(customer.id,),
        entity_id=customer.entity_id,
    )


def _due_line(customer: Customer, line_id: int) -> DueLine:
    line: DueLine | None = DueLine.get_or_none(DueLine.id == line_id, DueLine.customer == customer)
    if line is None:
        raise NotFound(f"no due line {line_id} of this customer")
    return line


def _is_disputed(line: DueLine) -> bool:
    closed = DisputeClosing.select(DisputeClosing.dispute)
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == "dispute")
    return bool(
        Dispute.select().where(Dispute.due_line == line, Dispute.id.not_in(closed), Dispute.id.not_in(undone)).exists()
    )


def _override(context: Context, override_id: int) -> Override:
    override: Override | None = Override.get_or_none(Override.id == override_id)
    if override is None:
        raise NotFound(f"no override {override_id}")
    context.customer(override.customer_id)
    return override


def _override_values(override: Override) -> dict[str, Any]:
    return {
        "target": override.target,
        "value": json.loads(override.value),
        "until_day": override.until_day,
        "ended_day": override.ended_day,
        "approved_by": override.approved_by_id,
    }


def _check_override(command: SetOverride, today: int) -> None:
    target, value = command.target, command.value
    if target not in TARGETS:
        raise Invalid.because("target", f"is {target!r}", f"choose from {', '.join(TARGETS)}")
    if target == "hold":
        fits = isinstance(value, bool)
    elif target in INTEGER_BOUNDS:
        fits = type(value) is int and 0 <= value <= INTEGER_BOUNDS[target]
    else:
        fits = isinstance(value, str) and 0 < len(value.strip()) <= 100
    if not fits:
        raise Invalid.because("value", f"{value!r} does not fit {target}", "give a value of its type and range")
    if not today < command.until_day <= today + OVERRIDE_DAYS_MAX:
        raise Invalid.because(
            "until_day", f"is not within {OVERRIDE_DAYS_MAX} days", "an override ends, and is renewed if it must"
        )


def _gives_more(customer: Customer, target: str, value: object, today: int) -> bool:
    """Whether a second person is needed: a limit up, a hold released, a level up."""
    outcome = Outcome.get_or_none(Outcome.customer == customer)
    if target == "limit":
        current = limit_in_force(customer.id, today)
        return current is None or (isinstance(value, int) and value > current)
    if target == "hold":
        return value is False
    if target == "level":
        return isinstance(value, int) and value > (0 if outcome is None else outcome.level)
    return False
