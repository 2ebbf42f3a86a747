"""Commands by which a person decides in place of a rule, and puts limits in force.

A change that lets a customer have more -- a higher limit, a released hold -- or dunns them harder
takes a second person.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, Refused, register
from engine.corrections import entry_of
from engine.editions import edition_for
from engine.tables import CreditLimit, Customer, Entity, Outcome, Override, Reversal
from ledger.columns import MONEY_BOUND
from rules.conditions import Const
from rules.stages import LEVEL_MAX
from rules.stepping import NO_SCENARIO

if TYPE_CHECKING:
    from engine.runtime import Runtime

OVERRIDE_DAYS = "override_maximum_days"  # the parameter
OVERRIDE_DAYS_MAX = 90  # while no parameter says another
TARGETS = ("risk_class", "segment", "limit", "terms", "hold", "level", "scenario", "collector")
INTEGER_BOUNDS = {"limit": MONEY_BOUND, "terms": 365, "level": LEVEL_MAX, "collector": 2**31}


@dataclass(frozen=True, kw_only=True)
class SetOverride(Command):
    """Put a person's value in place of a rule's, until a day.

    Args:
        target: risk_class | segment | limit | terms | hold | level | scenario | collector.
        value: of the target's type; for a limit minor units; a scenario by name, or ``none``.
        until_day: first day it no longer holds; how far away at most is a parameter (90 days).
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
    _check_override(command, today, longest_override(context.runtime, customer.entity, today))
    if command.target == "segment":
        _check_segment(context, customer, str(command.value), today)
    if command.target == "scenario":
        _check_scenario(context, customer, str(command.value), today)
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
    if command.target == "limit" and not needs_approval:
        _limit_of(context, override)
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
        _limit_of(context, override)
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
    """End it today; a limit it put in force is taken back, so that the one before counts again."""
    override = _override(context, command.override)
    if override.ended_day is not None:
        raise Conflict(f"override {override.id} has ended", current=_override_values(override))
    today = context.today(override.customer.entity)
    Override.update(ended_day=today).where(Override.id == override.id).execute()
    if override.target == "limit":
        _take_back_limit(context, override, command.reason)
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
        **entry_of(context, customer, context.today(customer.entity)),
        amount_minor=amount_minor,
        from_day=from_day,
        until_day=until_day,
        approved_by=approved_by,
        reason=reason,
    )


def _limit_of(context: Context, override: Override) -> None:
    """A limit that a person decides is in force as an entry of the ledger, until the override ends."""
    put_limit_in_force(
        context,
        override.customer,
        amount_minor=json.loads(override.value),
        from_day=context.today(override.customer.entity),
        until_day=override.until_day,
        approved_by=None if context.actor is None else context.actor.id,
        reason=override.reason,
    )


def _take_back_limit(context: Context, override: Override, reason: str) -> None:
    """Reverse the entry that an override put into the ledger; none, while it waited for approval."""
    undone = Reversal.select(Reversal.target_id).where(Reversal.target == "credit_limit")
    entry = (
        CreditLimit.select()
        .where(
            CreditLimit.customer == override.customer_id,
            CreditLimit.until_day == override.until_day,
            CreditLimit.amount_minor == json.loads(override.value),
            CreditLimit.reason == override.reason,
            CreditLimit.recorded_at == (override.approved_at or override.created_at),
            CreditLimit.id.not_in(undone),
        )
        .first()
    )
    if entry is not None:
        customer = override.customer
        common = entry_of(context, customer, context.today(customer.entity))
        Reversal.create(**common, target="credit_limit", target_id=entry.id, reason=reason)


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


def longest_override(runtime: "Runtime", entity: Entity, day: int) -> int:
    """Days that an override may last at most: a parameter."""
    found = edition_for(runtime, entity, day).book.parameters.get(OVERRIDE_DAYS)
    return found.value if found is not None and isinstance(found.value, int) else OVERRIDE_DAYS_MAX


def _check_override(command: SetOverride, today: int, longest: int) -> None:
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
    if not today < command.until_day <= today + longest:
        raise Invalid.because(
            "until_day", f"is not within {longest} days", "an override ends, and is renewed if it must"
        )


def segments_in_force(runtime: "Runtime", entity: Entity, day: int) -> list[str]:
    """Segments that the policy in force gives, in its order; none where no such policy is in force."""
    stage = edition_for(runtime, entity, day).book.stages.get("segmentation")
    if stage is None:
        return []
    thens = [*(rule.then for rule in stage.policy.rules), stage.policy.otherwise.then]
    effects = [then.get("segment") for then in thens]
    return list(dict.fromkeys(str(one.value) for one in effects if isinstance(one, Const) and one.value is not None))


def _check_segment(context: Context, customer: Customer, value: str, today: int) -> None:
    """A segment that no rule knows would match no scenario and no limit: refused by name."""
    known = segments_in_force(context.runtime, customer.entity, today)
    if value not in known:
        cure = f"choose from {', '.join(known)}" if known else "put a segmentation policy in force first"
        raise Invalid.because("value", f"{value!r} is no segment of the policy in force", cure)


def scenarios_in_force(runtime: "Runtime", entity: Entity, day: int) -> list[str]:
    """Scenarios of the policy in force and the one that does nothing; none where no such policy is in force."""
    stage = edition_for(runtime, entity, day).book.stages.get("escalation")
    if stage is None or stage.policy.escalation is None:
        return []
    return [*stage.policy.escalation.scenarios, NO_SCENARIO]


def _check_scenario(context: Context, customer: Customer, value: str, today: int) -> None:
    """A scenario that the policy does not have would do nothing and not say so: refused by name."""
    known = scenarios_in_force(context.runtime, customer.entity, today)
    if value not in known:
        cure = f"choose from {', '.join(known)}" if known else "put an escalation policy in force first"
        raise Invalid.because("value", f"{value!r} is no scenario of the policy in force", cure)


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
