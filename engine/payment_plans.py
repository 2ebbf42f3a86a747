"""Payment plans: agreed over some lines, watched instalment by instalment, ended by a default or by a person.

A plan in good order keeps its lines out of dunning as a promise does; ``ledger.plans`` says from the
entries alone how it stands. A default lies in the diary of the customer's collector.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, register
from engine.corrections import appended, entry_of, reverse
from engine.open_amounts import open_of_lines, standing
from engine.pipeline import Asking, asking
from engine.proposals import bound, entered_by, propose
from engine.tables import Action, Allocation, Customer, DueLine, Entity, Instalment, PaymentPlan, PlanLine, Reversal
from ledger.plans import INSTALMENTS_MAX, Watched, watched

if TYPE_CHECKING:
    from engine.runtime import Runtime

PLAN = "payment_plan"  # kind of its entries, policy key and template of its diary item
AGREED = "plan_agreed"  # step and template of the message that confirms it
ALONE, ALONE_DAYS = "plan_alone", "plan_alone_days"  # parameters: up to here one person agrees a plan
LINES_MAX = 200
PLANS_MAX = 100  # of a customer, the newest
LAST_DAYS_MAX = 5 * 366
LOOKED_BACK_DAYS = 40  # for defaults that are not in the diary yet


@dataclass(frozen=True, kw_only=True)
class AgreePlan(Command):
    """Agree with a customer that some lines are paid in instalments.

    Args:
        due_lines: ids, of one currency.
        instalments: (due day, amount in minor units), in their order; together what is open of the lines.
    """

    customer: int
    due_lines: tuple[int, ...]
    instalments: tuple[tuple[int, int], ...]


@register(AgreePlan, permission="plans.agree", person_only=True)
def agree_plan(context: Context, command: AgreePlan) -> Change:
    """Enter it, or where it is large or long let a second person decide."""
    customer = context.customer(command.customer)
    body = {"due_lines": list(command.due_lines), "instalments": [list(one) for one in command.instalments]}
    lines = _checked(context, customer, body)
    total = sum(amount for _day, amount in command.instalments)
    length = command.instalments[-1][0] - context.today(customer.entity)
    foreign = lines[0].currency != customer.entity.currency
    runtime = context.runtime
    if foreign or total > bound(runtime, customer, ALONE) or length > bound(runtime, customer, ALONE_DAYS):
        return propose(context, customer, PLAN, body, command.reason)
    return enter_plan(context, customer, body, command.reason, None)


@entered_by(PLAN)
def enter_plan(
    context: Context, customer: Customer, body: Mapping[str, Any], reason: str, proposed_by: int | None
) -> Change:
    """Write its entries."""
    lines = _checked(context, customer, body)
    common = entry_of(context, customer, context.today(customer.entity))
    actor = None if context.actor is None else context.actor.id
    plan = PaymentPlan.create(
        **common,
        total_minor=sum(amount for _day, amount in body["instalments"]),
        currency=lines[0].currency,
        reason=reason,
        agreed_by=proposed_by or actor,
        approved_by=actor if proposed_by else None,
    )
    for line in lines:
        PlanLine.create(**common, plan=plan, due_line=line)
    for due_day, amount in body["instalments"]:
        Instalment.create(**common, plan=plan, due_day=due_day, amount_minor=amount)
    _confirm(context, customer, plan)
    return appended(PLAN, plan.id, customer, {"total_minor": plan.total_minor, "instalments": len(body["instalments"])})


def _confirm(context: Context, customer: Customer, plan: PaymentPlan) -> None:
    """Let the outbox tell the customer, by mail or else by letter."""
    Action.create(
        key=f"{PLAN}-{plan.id}/agreed",
        entity_id=customer.entity_id,
        customer=customer,
        policy_key=PLAN,
        episode=0,
        step_key=AGREED,
        channel="email",
        otherwise="letter",
        template=AGREED,
        state="due",
        due_day=context.today(customer.entity),
        created_at=context.at,
    )


def _checked(context: Context, customer: Customer, body: Mapping[str, Any]) -> list[DueLine]:
    """The lines of a body that may become a plan today."""
    instalments = body["instalments"]
    today = context.today(customer.entity)
    if not 1 <= len(instalments) <= INSTALMENTS_MAX:
        raise Invalid.because("instalments", f"are {len(instalments)}", f"give 1 to {INSTALMENTS_MAX}")
    days = [day for day, _amount in instalments]
    if days != sorted(set(days)) or not today <= days[0] <= days[-1] <= today + LAST_DAYS_MAX:
        raise Invalid.because("instalments", "have days that do not rise from today", "give later days, five years on")
    if any(amount <= 0 for _day, amount in instalments):
        raise Invalid.because("instalments", "have an amount that is not above 0", "give each an amount")
    ids = body["due_lines"]
    lines = list(DueLine.select().where(DueLine.id.in_(ids), DueLine.customer == customer).order_by(DueLine.id))
    if not lines or len(lines) != len(ids) or len(ids) > LINES_MAX:
        raise Invalid.because("due_lines", "are not lines of this customer, each once", f"choose 1 to {LINES_MAX}")
    if len({line.currency for line in lines}) > 1:
        raise Invalid.because("due_lines", "are in several currencies", "agree a plan for each currency")
    left = open_of_lines(lines)
    if not all(left.values()):
        raise Invalid.because("due_lines", "hold one with nothing open", "leave it out")
    total, owed = sum(amount for _day, amount in instalments), sum(left.values())
    if total != owed:
        what = f"come to {total} minor units where {owed} are open"
        raise Invalid.because("instalments", what, "let them come to what is open of the lines")
    taken = {one for told in plans_of(context.runtime, customer) if told.state == "active" for one in told.lines}
    if taken & set(ids):
        raise Conflict("a line is in a payment plan already")
    return lines


@dataclass(frozen=True, kw_only=True)
class CancelPlan(Command):
    """End a payment plan; its lines are dunned again where they stood."""

    payment_plan: int


@register(CancelPlan, permission="plans.agree", person_only=True)
def cancel_plan(context: Context, command: CancelPlan) -> Change:
    """Reverse its entry; what it meant on past days stays as it was seen."""
    plan = PaymentPlan.get_or_none(PaymentPlan.id == command.payment_plan)
    if plan is None:
        raise NotFound(f"no payment plan {command.payment_plan}")
    customer = context.customer(plan.customer_id)
    reverse(context, customer, PLAN, plan.id, command.reason, f"payment plan {plan.id} was cancelled already")
    return appended(PLAN, plan.id, customer, {"cancelled": True})


# --- how plans stand ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A plan and how it stands.

    Args:
        state: ``active``, ``done``, ``defaulted`` or ``cancelled``.
        lines: ids.
        numbers: of their invoices.
        left_minor: what is open of its lines now.
    """

    plan: PaymentPlan
    state: str
    lines: tuple[int, ...]
    numbers: tuple[str, ...]
    instalments: list[Watched]
    left_minor: int


def plans_of(runtime: "Runtime", customer: Customer, ask: Asking | None = None) -> list[Told]:
    """The plans of a customer, the newest first.

    Args:
        ask: of today, for whoever has it.
    """
    rows = PaymentPlan.select().where(PaymentPlan.customer == customer).order_by(PaymentPlan.id.desc())
    found = list(rows.limit(PLANS_MAX))
    if not found:
        return []
    day = runtime.today(customer.entity)
    return told(found, day, (ask or asking(runtime, customer.entity, day)).basis.promise_tolerance_days)


def told(plans: Iterable[PaymentPlan], day: int, tolerance_days: int) -> list[Told]:
    """How some plans stand on a day, which is today."""
    found = list(plans)
    ids = [plan.id for plan in found]
    cancelled = {row for (row,) in _cancelled().where(Reversal.target_id.in_(ids)).tuples()}
    lines: dict[int, list[DueLine]] = defaultdict(list)
    for row in standing(PlanLine, "plan_line").select(PlanLine, DueLine).join(DueLine).where(PlanLine.plan.in_(ids)):
        lines[row.plan_id].append(row.due_line)
    instalments: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in Instalment.select().where(Instalment.plan.in_(ids)).order_by(Instalment.due_day, Instalment.id):
        instalments[one.plan_id].append((one.due_day, one.amount_minor))
    came = _came([line.id for many in lines.values() for line in many])
    made = []
    for plan in found:
        own = lines[plan.id]
        owed = sum(line.amount_minor for line in own)
        receipts = [one for line in own for one in came[line.id]]
        left = [owed - _by(receipts, min(due + tolerance_days, day)) for due, _amount in instalments[plan.id]]
        seen = watched(instalments[plan.id], left, day, tolerance_days)
        left_now = max(owed - _by(receipts, day), 0)
        broken = any(one.state == "missed" for one in seen)
        state = "cancelled" if plan.id in cancelled else "defaulted" if broken else "active" if left_now else "done"
        made.append(
            Told(
                plan=plan,
                state=state,
                lines=tuple(line.id for line in own),
                numbers=tuple(line.number for line in own),
                instalments=seen,
                left_minor=left_now,
            )
        )
    return made


def _came(lines: list[int]) -> dict[int, list[tuple[int, int]]]:
    """(day, amount) of what was set against each line."""
    came: dict[int, list[tuple[int, int]]] = defaultdict(list)
    credits_gone = Reversal.select(Reversal.target_id).where(Reversal.target == "credit")
    own = standing(Allocation, "allocation").where(Allocation.due_line.in_(lines))
    for row in own.where(Allocation.credit.not_in(credits_gone)):
        came[row.due_line_id].append((row.booked_day, row.amount_minor))
    return came


def _by(receipts: Iterable[tuple[int, int]], day: int) -> int:
    return sum(amount for booked, amount in receipts if booked <= day)


def _cancelled() -> Any:
    return Reversal.select(Reversal.target_id).where(Reversal.target == PLAN)


def note_defaults(runtime: "Runtime", entity: Entity, day: int, tolerance_days: int, at: int) -> int:
    """Put each plan that has defaulted lately into the diary of its customer's collector, once.

    Returns:
        How many.
    """
    over = (Instalment.due_day < day - tolerance_days) & (Instalment.due_day >= day - tolerance_days - LOOKED_BACK_DAYS)
    due = Instalment.select(Instalment.plan).where(Instalment.entity_id == entity.id, over)
    plans = PaymentPlan.select(PaymentPlan, Customer).join(Customer).where(PaymentPlan.id.in_(due))
    noted = 0
    for one in told(plans, day, tolerance_days):
        if one.state != "defaulted":
            continue
        key = f"{PLAN}-{one.plan.id}/defaulted"
        if Action.select().where(Action.key == key).exists():
            continue
        Action.create(
            key=key,
            entity_id=entity.id,
            customer=one.plan.customer_id,
            policy_key=PLAN,
            episode=0,
            step_key="plan_defaulted",
            channel="task",
            template=PLAN,
            owner_role="collector",
            owner=one.plan.customer.collector_id,
            state="open",
            due_day=day,
            created_at=at,
        )
        noted += 1
    return noted
