"""What a collector does at the desk: report a call, plan the next action, let many letters go at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.call_results import NEEDED, RESULTS, WORK_CHANNELS
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    carry_out,
    register,
    update_version,
)
from engine.contacts import AddContact
from engine.diary import CompleteAction, ConfirmMessage
from engine.notes import WriteNote
from engine.tables import Action, Customer
from ledger.problems import Problem

if TYPE_CHECKING:
    from engine.tables import User

MANUAL = "manual"  # policy of what a person planned
PLANNED = "planned"  # template of it: a script, where one is in force
TOGETHER_MAX = 200
AHEAD_DAYS_MAX = 366


@dataclass(frozen=True, kw_only=True)
class PlanWork(Command):
    """Put a call or a task into the diary.

    Args:
        channel: call | task.
        due_day: when it is to be done.
        text: what about; kept in the customer's thread.
    """

    customer: int
    due_day: int
    channel: str = "call"
    text: str = ""


@register(PlanWork, permission="actions.work", person_only=True)
def plan_work(context: Context, command: PlanWork) -> Change:
    """It is its customer's collector's, or the actor's where there is none; its key is the command's."""
    customer = context.customer(command.customer)
    today = context.today(customer.entity)
    if command.channel not in WORK_CHANNELS:
        raise Invalid.because("channel", f"is {command.channel!r}", f"choose from {', '.join(WORK_CHANNELS)}")
    if not today <= command.due_day <= today + AHEAD_DAYS_MAX:
        raise Invalid.because("due_day", "is over, or more than a year away", "give today or a later day")
    action = _made(context, customer, command.key, command.channel, command.due_day, f"planned_{command.channel}")
    change = Change(
        subject_kind="action",
        subject_id=action.id,
        after={"customer": customer.id, "channel": command.channel, "due_day": command.due_day},
        answer={"action": action.id},
        entity_id=customer.entity_id,
    )
    if command.text.strip():
        _note(context, command, customer, command.text, action.id)
    return change


@dataclass(frozen=True, kw_only=True)
class ReportWork(Command):
    """Say how a call or task ended, with all that follows from it.

    Args:
        action: the work; None: a call with the customer that no list had asked for.
        result: one of ``engine.call_results.RESULTS_OF`` its channel; it asks for what its command needs.
        due_line, amount_minor, agreed_day, cause: of a promise, a dispute, a payment said to be made.
        name, email, phone: of the contact that was found.
        note: what was said; kept in the customer's thread.
        next_day: when it goes on; a call is planned for then.
    """

    customer: int
    result: str
    action: int | None = None
    version: int | None = None
    due_line: int | None = None
    amount_minor: int | None = None
    agreed_day: int | None = None
    cause: str = "other"
    name: str = ""
    email: str = ""
    phone: str = ""
    note: str = ""
    next_day: int | None = None


@register(ReportWork, permission="actions.work", person_only=True)
def report_work(context: Context, command: ReportWork) -> Change:
    """One transaction: the result, what was agreed, the contact, the note, the next action; or none of it."""
    customer = context.customer(command.customer)
    _check_needed(command)
    by: dict[str, Any] = {"actor": command.actor, "reason": command.reason}
    if command.action is None:
        today = context.today(customer.entity)
        action = _made(context, customer, f"{command.key}/call", "call", today, "call")
    else:
        action = _action(command.action, customer)
    if command.result == "contact_found" and command.name.strip():
        found = AddContact(**by, customer=customer.id, name=command.name, email=command.email, phone=command.phone)
        carry_out(context, found)
    done = carry_out(
        context,
        CompleteAction(
            **by,
            action=action.id,
            version=command.version,
            result=command.result,
            due_line=command.due_line,
            amount_minor=command.amount_minor,
            agreed_day=command.agreed_day,
            cause=command.cause,
        ),
    )
    if command.note.strip():
        _note(context, command, customer, command.note, action.id)
    answer: dict[str, Any] = {**done.answer, "customer": customer.id}
    if command.next_day is not None:
        key = f"{command.key}/next"
        planned = PlanWork(**by, key=key, customer=customer.id, due_day=command.next_day)
        answer["next_action"] = carry_out(context, planned).answer["action"]
    return Change(
        subject_kind="customer",
        subject_id=customer.id,
        after={"action": action.id, "result": command.result, "next_day": command.next_day},
        answer=answer,
        dirty=[customer.id],
        entity_id=customer.entity_id,
    )


def _check_needed(command: ReportWork) -> None:
    if command.result not in RESULTS:
        raise Invalid.because("result", f"{command.result!r} is no result", f"choose {', '.join(RESULTS)}")
    missing = [name for name in sorted(NEEDED.get(command.result, ())) if getattr(command, name) is None]
    if missing:
        label = RESULTS[command.result].label
        raise Invalid(Problem(place=one, what="is missing", cure=f"fill it in: “{label}” needs it") for one in missing)


@dataclass(frozen=True, kw_only=True)
class ConfirmTogether(Command):
    """Let several messages go that wait for a person's confirmation.

    Args:
        actions: id and version of each, as the actor saw it.
    """

    actions: Sequence[tuple[int, int]]


@register(ConfirmTogether, permission="actions.work", person_only=True)
def confirm_together(context: Context, command: ConfirmTogether) -> Change:
    """All of them or none; each has its own audit entry, and is decided again at its claim."""
    _check_together(command.actions)
    by: dict[str, Any] = {"actor": command.actor, "reason": command.reason}
    confirmed = [
        carry_out(context, ConfirmMessage(**by, action=number, version=version)).subject_id
        for number, version in sorted(command.actions)
    ]
    return Change(
        subject_kind="action",
        subject_id=min(number for number, _ in command.actions),
        after={"confirmed": confirmed},
        answer={"confirmed": len(confirmed)},
    )


@dataclass(frozen=True, kw_only=True)
class ReassignWork(Command):
    """Give open work to somebody else.

    Args:
        actions: id and version of each, as the actor saw it.
        owner: who does it from now on.
    """

    actions: Sequence[tuple[int, int]]
    owner: int


@register(ReassignWork, permission="actions.work", person_only=True)
def reassign_work(context: Context, command: ReassignWork) -> Change:
    """All of it or none; the new owner must see the customers and may work."""
    _check_together(command.actions)
    before: dict[str, Any] = {}
    for number, version in sorted(command.actions):
        action: Action | None = Action.get_or_none(Action.id == number)
        if action is None:
            raise NotFound(f"no action {number}")
        customer = context.customer(action.customer_id)
        if action.channel not in WORK_CHANNELS or action.state != "open" or action.version != version:
            raise Conflict(f"action {number} was done or changed by somebody else; none of those chosen was touched")
        worker(command.owner, customer)
        before[str(number)] = action.owner_id
        update_version(action, owner=command.owner)
    return Change(
        subject_kind="action",
        subject_id=min(number for number, _ in command.actions),
        before={"owners": before},
        after={"owner": command.owner, "actions": sorted(number for number, _ in command.actions)},
        answer={"reassigned": len(before)},
    )


@dataclass(frozen=True, kw_only=True)
class AssignCollector(Command):
    """Give customers to a collector, with their open work.

    Args:
        collector: None: to nobody.
    """

    customers: Sequence[int]
    collector: int | None


@register(AssignCollector, permission="work.assign", person_only=True)
def assign_collector(context: Context, command: AssignCollector) -> Change:
    """Open work goes along that was the former collector's, or nobody's."""
    if not 0 < len(command.customers) <= TOGETHER_MAX:
        raise Invalid.because(
            "customers", f"names {len(command.customers)} customers", f"choose 1 to {TOGETHER_MAX} of them"
        )
    before: dict[str, Any] = {}
    for number in sorted(set(command.customers)):
        customer = context.customer(number)
        if command.collector is not None:
            worker(command.collector, customer)
        before[str(number)] = customer.collector_id
        formerly: Any = Action.owner.is_null()
        if customer.collector_id is not None:
            formerly |= Action.owner == customer.collector_id
        own_role = Action.owner_role.is_null() | (Action.owner_role == "collector")
        Action.update(owner=command.collector, version=Action.version + 1).where(
            Action.customer == customer, Action.state == "open", own_role, formerly
        ).execute()
        update_version(customer, collector=command.collector)
    return Change(
        subject_kind="customer",
        subject_id=min(command.customers),
        before={"collectors": before},
        after={"collector": command.collector, "customers": sorted(set(command.customers))},
        answer={"assigned": len(before)},
    )


# --- shared ----------------------------------------------------------------------------


def worker(user_id: int, customer: Customer) -> "User":
    """A user who may work and sees the customer.

    Raises:
        Invalid: they may not, or do not.
    """
    from engine.notes import people_with

    for user in people_with("actions.work", customer):
        if user.id == user_id:
            return user
    raise Invalid.because("owner", "may not work on this customer", "choose a collector who sees it")


def _check_together(actions: Sequence[tuple[int, int]]) -> None:
    if not 0 < len(dict(actions)) <= TOGETHER_MAX or len(dict(actions)) != len(actions):
        raise Invalid.because("actions", f"names {len(actions)}", f"choose 1 to {TOGETHER_MAX}, each once")


def _action(number: int, customer: Customer) -> Action:
    found: Action | None = Action.get_or_none(Action.id == number, Action.customer == customer)
    if found is None:
        raise NotFound(f"no action {number} of this customer")
    return found


def _note(context: Context, command: Command, customer: Customer, text: str, action: int) -> None:
    note = WriteNote(actor=command.actor, reason=command.reason, customer=customer.id, text=text, action=action)
    carry_out(context, note)


def _made(context: Context, customer: Customer, key: str, channel: str, day: int, step: str) -> Action:
    made: Action = Action.create(
        key=key,
        entity_id=customer.entity_id,
        customer=customer,
        policy_key=MANUAL,
        episode=0,
        step_key=step,
        channel=channel,
        template=PLANNED,
        owner_role="collector",
        owner=customer.collector_id or (None if context.actor is None else context.actor.id),
        state="open",
        due_day=day,
        created_at=context.at,
    )
    return made
