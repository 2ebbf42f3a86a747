"""The diary: what people say and do about actions, and the work that actions leave for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.call_results import AGREED, NEEDED, RESULTS, RESULTS_OF, WORK_CHANNELS
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    carry_out,
    expect_version,
    register,
    update_version,
)
from engine.corrections import RecordPromise, SetBlock
from engine.disputes import RecordDispute
from engine.tables import Action, Alarm, Block, Contact, Dispute, DueLine, Promise, database

if TYPE_CHECKING:
    from engine.tables import Customer

FIND_CONTACT = "find_contact"
AGAIN = "/again/"  # in the key of a repeated call, before the number of the try
CALLS_MAX = 3  # a call nobody answers is tried so many times
CANCELLABLE = ("waiting", "due", "failed")


@dataclass(frozen=True, kw_only=True)
class ConfirmMessage(Command):
    """Let a message go that waits for a person's confirmation.

    Args:
        action: its id.
        version: of the row the actor saw; None: whatever it is now.
    """

    action: int
    version: int | None = None


@register(ConfirmMessage, permission="actions.work", person_only=True)
def confirm_message(context: Context, command: ConfirmMessage) -> Change:
    """It becomes due; the claim decides it again all the same."""
    action, _ = _action(context, command.action, command.version)
    if action.channel in WORK_CHANNELS or action.state != "waiting":
        raise _wrong_state(action, "can be confirmed")
    if action.waiting_for == "no_address":
        raise Invalid.because("action", "has no address to go to", "enter a contact of the customer first")
    return _changed(action, state="due", waiting_for=None, not_before_at=context.at, settled_by=context.actor)


@dataclass(frozen=True, kw_only=True)
class CancelAction(Command):
    """Do not carry an action out; the reason is kept with it."""

    action: int
    version: int | None = None


@register(CancelAction, permission="actions.work")
def cancel_action(context: Context, command: CancelAction) -> Change:
    """A message is cancelled, a call or task is skipped: either way its step is finished."""
    action, _ = _action(context, command.action, command.version)
    if action.channel in WORK_CHANNELS:
        if action.state != "open":
            raise _wrong_state(action, "can be skipped")
        state = "skipped"
    elif action.state in CANCELLABLE:
        state = "cancelled"
    else:
        raise _wrong_state(action, "can be cancelled")
    done = {"settled_at": context.at, "settled_by": context.actor}
    return _changed(action, finished=True, state=state, result=command.reason, waiting_for=None, **done)


@dataclass(frozen=True, kw_only=True)
class CompleteAction(Command):
    """Report the result of a call or task.

    What was agreed is recorded with it; without it the answer names the command to offer next.

    Args:
        result: one of ``RESULTS_OF`` its channel.
        due_line: the line a promise or dispute is about; a promise may be about any.
        amount_minor: promised, or disputed (None: all of the line); in the base currency.
        agreed_day: by when it will be paid; of a payment said to be made, until when dunning pauses.
        cause: of a dispute, as of ``RecordDispute``; other results take no notice of it.
    """

    action: int
    result: str
    version: int | None = None
    due_line: int | None = None
    amount_minor: int | None = None
    agreed_day: int | None = None
    cause: str = "other"


@register(CompleteAction, permission="actions.work")
def complete_action(context: Context, command: CompleteAction) -> Change:
    """Close the work and leave what follows: another call, a task, or the command to offer next."""
    action, customer = _action(context, command.action, command.version)
    allowed = RESULTS_OF.get(action.channel, ())
    if command.result not in allowed:
        raise Invalid.because("result", f"{command.result!r} is no result of it", f"choose {', '.join(allowed)}")
    if action.state != "open":
        raise _wrong_state(action, "can be completed")
    done = {"settled_at": context.at, "settled_by": context.actor}
    change = _changed(action, finished=True, state="done", result=command.result, **done)
    today = context.today(customer.entity)
    answer: dict[str, Any] = dict(change.answer)
    if command.result == "no_answer":
        again = _repeat(action, context.at, today + 1)
        answer["next_action"] = None if again is None else again.id
    elif command.result == "wrong_contact":
        answer["next_action"] = ask_for_contact(action, context.at, today).id
    elif command.result == "contact_found":
        _resume_waiting(action, context.at)
    follow_up = RESULTS[command.result].follow_up
    agreed = _agreed(context, command, customer)
    if agreed is not None:
        answer["recorded"] = dict(carry_out(context, agreed).answer)
    elif follow_up is not None:
        answer["follow_up"] = {"command": follow_up, "customer": customer.id}
    if RESULTS[command.result].reached:
        feed_standing(action, "reached", context.at)
    return _with_answer(change, answer)


def _agreed(context: Context, command: CompleteAction, customer: "Customer") -> Command | None:
    """The command that a result stands for, or None when what was agreed is not said."""
    line, amount, day = command.due_line, command.amount_minor, command.agreed_day
    said = {"due_line": line, "amount_minor": amount, "agreed_day": day}
    given = {name for name, value in said.items() if value is not None}
    takes = AGREED.get(command.result, frozenset())
    needs = NEEDED.get(command.result, frozenset())
    for name in sorted(given - takes):
        raise Invalid.because(name, f"does not belong to the result {command.result}", "leave it empty")
    if not given:
        return None
    for name in sorted(needs - given):
        raise Invalid.because(name, f"is missing: {command.result} needs it", "fill it in, or leave all of it empty")
    by: dict[str, Any] = {"actor": command.actor, "reason": command.reason}
    named = None if line is None else DueLine.get_or_none(DueLine.id == line, DueLine.customer == customer)
    if line is not None and named is None:
        raise NotFound(f"no due line {line} of this customer")
    if command.result == "disputed" and line is not None:
        return RecordDispute(**by, due_line=line, amount_minor=amount, cause=command.cause)
    if amount is not None and day is not None:
        currency = customer.entity.currency if named is None else named.currency
        return RecordPromise(
            **by, customer=customer.id, due_line=line, amount_minor=amount, currency=currency, promised_day=day
        )
    today = context.today(customer.entity)
    return SetBlock(**by, customer=customer.id, kind="pause", from_day=today, until_day=day, due_line=line)


def is_recorded(action: Action) -> bool:
    """Whether what was agreed in a finished call was recorded with its result, at the same instant."""
    return action.settled_at is not None and any(
        table.select().where(table.customer == action.customer_id, table.recorded_at == action.settled_at).exists()
        for table in (Promise, Dispute, Block)
    )


@dataclass(frozen=True, kw_only=True)
class ResolveUncertain(Command):
    """Say whether a doubtful message arrived, after having looked or asked.

    Args:
        delivered: True: it counts as sent; False: it is sent again, under the same Message-ID,
            if it is still due then.
    """

    action: int
    delivered: bool
    version: int | None = None


@register(ResolveUncertain, permission="actions.resolve", person_only=True)
def resolve_uncertain(context: Context, command: ResolveUncertain) -> Change:
    """Only a person ends doubt."""
    action, _ = _action(context, command.action, command.version)
    if action.state != "uncertain":
        raise _wrong_state(action, "can be resolved")
    resolved(action, command.delivered, context.at, "confirmed by a person")
    return Change(
        subject_kind="action",
        subject_id=action.id,
        before={"state": "uncertain", "result": action.result},
        after={"state": action.state, "result": action.result},
        answer={"action": action.id, "state": action.state, "version": action.version},
        dirty=[action.customer_id] if command.delivered else [],
        entity_id=action.entity_id,
    )


def resolved(action: Action, delivered: bool, at: int, receipt: str) -> None:
    """End the doubt about a message: it counts as sent, or is due again with all its attempts."""
    if delivered:
        update_version(action, state="sent", settled_at=at, receipt=receipt)
        feed_standing(action, "sent", at)
    else:
        update_version(action, state="due", not_before_at=at, attempts=0, waiting_for=None)


@dataclass(frozen=True, kw_only=True)
class RetryMessage(Command):
    """Try a message again that was given up."""

    action: int
    version: int | None = None


@register(RetryMessage, permission="actions.resolve", person_only=True)
def retry_message(context: Context, command: RetryMessage) -> Change:
    """It becomes due with all its attempts."""
    action, _ = _action(context, command.action, command.version)
    if action.channel in WORK_CHANNELS or action.state != "failed":
        raise _wrong_state(action, "can be tried again")
    return _changed(
        action, state="due", not_before_at=context.at, attempts=0, result=None, settled_at=None, waiting_for=None
    )


# --- what commands and outbox share ----------------------------------------------------


def ask_for_contact(action: Action, at: int, today: int) -> Action:
    """The task "find a contact" for an action that reaches nobody; at most one is open at a time."""
    subject = f"line-{action.line_id}" if action.line_id else str(action.customer_id)
    stem = f"{subject}/{action.policy_key}/{action.episode}/{action.step_key}/{action.repeat_no}/task"
    earlier = list(Action.select().where(Action.key.startswith(stem), Action.template == FIND_CONTACT))
    for task in earlier:
        if task.state == "open":
            found: Action = task
            return found
    made: Action = Action.create(
        key=stem if not earlier else f"{stem}/{len(earlier) + 1}",
        entity_id=action.entity_id,
        customer=action.customer_id,
        line_id=action.line_id,
        decision=action.decision_id,
        policy_key=action.policy_key,
        episode=action.episode,
        step_key=action.step_key,
        repeat_no=action.repeat_no,
        level=action.level,
        channel="task",
        template=FIND_CONTACT,
        owner_role=action.owner_role or "collector",
        owner=action.owner_id,
        state="open",
        due_day=today,
        created_at=at,
    )
    return made


def resume(action: Action, at: int, why: str) -> None:
    """Make a message due that waited for an address, and close the task that asked for one."""
    changed = (
        Action.update(state="due", waiting_for=None, not_before_at=at, version=Action.version + 1)
        .where(Action.id == action.id, Action.state == "waiting", Action.waiting_for == "no_address")
        .execute()
    )
    if changed:
        Action.update(state="cancelled", result=why, settled_at=at, version=Action.version + 1).where(
            _same_step(action), Action.template == FIND_CONTACT, Action.state == "open"
        ).execute()


def raise_alarm(action: Action, kind: str, text: str, at: int) -> None:
    """Tell a person about an action; the text names no person."""
    Alarm.create(
        entity_id=action.entity_id,
        customer=action.customer_id,
        kind=kind,
        text=f"action {action.id}, {action.key}: {text}",
        raised_at=at,
    )


REACHED = (
    "update standing set last_contact_day = ? where customer_id = ? and policy_key = ? and line_id = ? "
    "and (last_contact_day is null or last_contact_day < ?)"
)


def feed_standing(action: Action, event: str, at: int) -> None:
    """Let the standing know that the customer was reached by a message or a call; and those it carried."""
    from engine import covering, sending
    from engine.claims import CONTACT_CHANNELS

    if event == "sent" and action.channel not in CONTACT_CHANNELS:
        return  # it went to a colleague or a program
    day = sending.day_at(action, at)
    database.execute_sql(  # by hand, since the query builder takes longer than the database
        REACHED.replace("?", database.param), (day, action.customer_id, action.policy_key, action.line_id, day)
    )
    if event == "sent":
        covering.settle_with(action.id, at)


def _action(context: Context, action_id: int, version: int | None) -> "tuple[Action, Customer]":
    action: Action | None = Action.get_or_none(Action.id == action_id)
    if action is None:
        raise NotFound(f"no action {action_id}")
    customer = context.customer(action.customer_id)
    expect_version(action, version)
    return action, customer


def _wrong_state(action: Action, what: str) -> Conflict:
    return Conflict(f"action {action.id} is {action.state}: it is not one that {what}", current={"state": action.state})


def _changed(action: Action, *, finished: bool = False, **changes: Any) -> Change:
    before = {name: getattr(action, name) for name in ("state", "result")}
    update_version(action, **changes)
    after = {name: getattr(action, name) for name in ("state", "result")}
    return Change(
        subject_kind="action",
        subject_id=action.id,
        before=before,
        after=after,
        answer={"action": action.id, "state": action.state, "version": action.version},
        dirty=[action.customer_id] if finished else [],
        entity_id=action.entity_id,
    )


def _with_answer(change: Change, answer: Mapping[str, Any]) -> Change:
    return Change(
        subject_kind=change.subject_kind,
        subject_id=change.subject_id,
        before=change.before,
        after=change.after,
        answer=answer,
        dirty=change.dirty,
        entity_id=change.entity_id,
    )


def _repeat(action: Action, at: int, day: int) -> Action | None:
    """The same call once more, on another day; None when it was tried often enough."""
    stem, _, times = action.key.partition(AGAIN)
    times_tried = int(times or 1)
    if times_tried >= CALLS_MAX:
        return None
    copied = (
        *("entity_id", "line_id", "policy_key", "episode", "step_key", "repeat_no", "level"),
        *("channel", "template", "owner_role", "blocks"),
    )
    made: Action = Action.create(
        key=f"{stem}{AGAIN}{times_tried + 1}",
        customer=action.customer_id,
        decision=action.decision_id,
        owner=action.owner_id,
        state="open",
        due_day=day,
        created_at=at,
        **{name: getattr(action, name) for name in copied},
    )
    return made


def _resume_waiting(task: Action, at: int) -> None:
    """The messages of the task's step go on, if there is a contact to go to now."""
    if not Contact.select().where(Contact.customer == task.customer_id, Contact.usable).exists():
        raise Invalid.because("result", "there is no usable contact of the customer", "enter the contact first")
    for action in Action.select().where(_same_step(task), Action.state == "waiting"):
        resume(action, at, "the contact was found")


def _same_step(action: Action) -> Any:
    return (
        (Action.customer == action.customer_id)
        & (Action.line_id == action.line_id)
        & (Action.policy_key == action.policy_key)
        & (Action.episode == action.episode)
        & (Action.step_key == action.step_key)
        & (Action.repeat_no == action.repeat_no)
    )
