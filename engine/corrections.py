"""Commands that put a person's knowledge into the ledger: promises, blocks; and alarms seen.

Everything here appends an entry; nothing is overwritten.
"""

from dataclasses import dataclass
from typing import Any

from peewee import fn

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.tables import (
    Alarm,
    Block,
    Credit,
    Customer,
    DueLine,
    Promise,
    Reversal,
)
from ledger.columns import MONEY_BOUND

BLOCK_KINDS = ("dunning_block", "pause", "insolvent")
TEXT_MAX = 2_000


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
        **entry_of(context, customer, today),
        due_line=command.due_line,
        amount_minor=command.amount_minor,
        currency=command.currency,
        promised_day=command.promised_day,
        after_credit_id=last_credit_id(),
    )
    after = {"amount_minor": command.amount_minor, "currency": command.currency, "promised_day": command.promised_day}
    return appended("promise", promise.id, customer, after)


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
        **entry_of(context, customer, today),
        kind=command.kind,
        due_line=command.due_line,
        from_day=command.from_day,
        until_day=command.until_day,
        reason=command.reason,
        by=None if context.actor is None else context.actor.id,
    )
    after = {"kind": command.kind, "from_day": command.from_day, "until_day": command.until_day}
    return appended("block", block.id, customer, after)


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
    if block.kind == "handed_over":
        raise Invalid.because("block", "is a hand-over", "say under Hand-overs that the debt is back")
    reverse(context, customer, "block", block.id, command.reason, f"block {block.id} has ended already")
    return appended("block", block.id, customer, {"ended": True})


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


def entry_of(context: Context, customer: Customer, today: int) -> dict[str, Any]:
    """What every entry of today carries."""
    return {
        "entity_id": customer.entity_id,
        "customer": customer,
        "booked_day": today,
        "recorded_day": today,
        "recorded_at": context.at,
    }


def reverse(context: Context, customer: Customer, target: str, row_id: int, reason: str, done: str) -> None:
    """Append the reversal of an entry; what it meant on past days stays as it was seen.

    Args:
        target: kind of the entry.
        done: what to say when it is reversed already.

    Raises:
        Conflict: it is.
    """
    if Reversal.select().where(Reversal.target == target, Reversal.target_id == row_id).exists():
        raise Conflict(done)
    common = entry_of(context, customer, context.today(customer.entity))
    Reversal.create(**common, target=target, target_id=row_id, reason=reason)


def last_credit_id() -> int:
    """What a promise that is recorded now came after: the last credit there is, 0 where there is none."""
    return int(Credit.select(fn.max(Credit.id)).scalar() or 0)


def appended(kind: str, row_id: int, customer: Customer, after: dict[str, Any]) -> Change:
    """The change of a command that appended an entry: its customer is decided again."""
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
