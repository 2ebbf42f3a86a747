"""Received mail: what a bounce or an answer does, in the transaction that takes it in, and who settles the rest.

A message that came back was no contact: it goes again by the step's next usable address or channel,
else it waits for one and a task asks for it; either way the next level waits with it. An answer is
work for the customer's collector. What belongs to nobody waits to be assigned.
"""

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from engine import access, audit, call_results, diary, sending
from engine.claims import CONTACT_CHANNELS
from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    expect_version,
    mark_dirty,
    register,
    update_version,
)
from engine.reaching import next_way, person_about, reached, refuse
from engine.tables import Action, Customer, Entity, Mailbox, Message, Person, ReceivedMail, Standing
from engine.vault import Erased
from notifiers.incoming import Incoming

if TYPE_CHECKING:
    from engine.runtime import Runtime

ANSWER = "answer"  # template of the task
SENT_AGAIN_MAX = 3  # after that a person decides
ARRIVED = ("sent", "uncertain")  # states in which a message may come back
COPIED = ("entity_id", "line_id", "policy_key", "episode", "step_key", "repeat_no", "level", "channel", "otherwise")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as it came from the mailbox."""

    uid_validity: int
    uid: int
    content: bytes


def identity_of(mail: Incoming, content: bytes) -> str:
    """By what a mail is known again, also where the mailbox was renumbered or it came twice."""
    if not mail.message_id:
        return sha256(content).hexdigest()
    body = content.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    return sha256(mail.message_id.encode() + b"\0" + body).hexdigest()


def take_in(runtime: "Runtime", box: Mailbox, fetched: Fetched, mail: Incoming) -> ReceivedMail | None:
    """Take a mail in once, with all it does, and move on in the mailbox; one transaction.

    Returns:
        Its row; None: it was taken in before, or another worker was faster.
    """
    identity, at = identity_of(mail, fetched.content), runtime.now_at()
    with runtime.database.atomic():
        # The first statement: of two workers with one mail the second waits here, and finds it done.
        moved_on = Mailbox.update(last_uid=fetched.uid).where(
            Mailbox.id == box.id, Mailbox.uid_validity == fetched.uid_validity, Mailbox.last_uid < fetched.uid
        )
        if moved_on.execute() != 1 or ReceivedMail.select().where(ReceivedMail.identity == identity).exists():
            return None
        message = _message_of(mail)
        row = ReceivedMail(
            mailbox=box.id,
            uid_validity=fetched.uid_validity,
            uid=fetched.uid,
            identity=identity,
            received_at=at,
            kind=_kind(mail, message),
            status=mail.status[:20],
            state="unassigned" if message is None else "noted",
            action=None if message is None else message.action_id,
            customer=None if message is None else message.action.customer_id,
            person=_owner(runtime, message),
        )
        row.sealed = runtime.vault.seal(row.person, _kept(mail))
        if message is not None:
            _act(runtime, row, message, mail)
        row.save(force_insert=True)
        _note(row, at)
        runtime.database.after_commit(runtime.ring)
    return row


def _kind(mail: Incoming, message: Message | None) -> str:
    if mail.kind == "written":
        return "other" if message is None else "reply"
    return mail.kind


def _message_of(mail: Incoming) -> Message | None:
    """Our message that a mail names first."""
    if not mail.refers_to:
        return None
    found = Message.select(Message, Action).join(Action).where(Message.message_id.in_(mail.refers_to))
    by_id = {message.message_id: message for message in found}
    return next((by_id[one] for one in mail.refers_to if one in by_id), None)


def _owner(runtime: "Runtime", message: Message | None) -> Person:
    """With whose key a mail is sealed: erased with the person the message went to, where one is known."""
    if message is not None and message.person.key_sealed is not None:
        person: Person = message.person
        return person
    return runtime.vault.create_person({}) if message is None else person_about(runtime, message.action.customer)


def _kept(mail: Incoming) -> dict[str, Any]:
    kept = asdict(mail)
    return {name: kept[name] for name in ("sender", "subject", "text", "said", "attachments", "message_id")}


def _note(row: ReceivedMail, at: int) -> None:
    audit.append(
        at=at,
        actor=None,
        command="TakeInMail",
        subject_kind="received_mail",
        subject_id=row.id,
        reason="read from the mailbox",
        entity_id=None if row.action_id is None else row.action.entity_id,
        after={"kind": row.kind, "state": row.state, "status": row.status, "action": row.action_id},
    )


# --- what it does ----------------------------------------------------------------------


def _act(runtime: "Runtime", row: ReceivedMail, message: Message, mail: Incoming) -> None:
    """The effects of a mail about one of our messages."""
    action: Action = message.action
    if row.kind == "reply":
        row.state = "diary"
    elif row.kind == "hard_bounce" and action.state in ARRIVED:
        row.state = _bounced(runtime, action, message, mail)
    if row.state == "diary":
        row.task = _task(runtime, row, action.customer, action)


def _bounced(runtime: "Runtime", action: Action, message: Message, mail: Incoming) -> str:
    """What becomes of a message that came back for good."""
    try:
        went_to = str(runtime.vault.open(message.person, message.sealed).get("to", "")).lower()
    except Erased:
        return "noted"
    if mail.recipients and went_to not in mail.recipients:
        return "diary"  # it was passed on, or somebody makes this up: a person looks at it
    again = action.way == "email" and mail.address_is_bad
    if again:
        known = runtime.vault.open_person(message.person) or {}
        if str(known.get("email", "")).strip().lower() == went_to:
            refuse(message.person, "email")
    at = runtime.now_at()
    riding = Action.select().where(Action.covered_by == action.id, Action.state == "sent")
    for one in [action, *riding.order_by(Action.id)]:
        made = _send_again(runtime, one, at) if again else None
        _take_back(one, mail.status, made, at)
    mark_dirty([action.customer_id], at)
    if again and made is not None:
        return "goes_again"
    diary.raise_alarm(action, "message_failed", f"it came back: {mail.status}", at)
    return "diary"


def _send_again(runtime: "Runtime", action: Action, at: int) -> Action | None:
    """The same message by the next address or channel there is, or waiting for one; None: often enough."""
    stem, _, times = action.key.partition(diary.AGAIN)
    tried = int(times or 1)
    if tried >= SENT_AGAIN_MAX:
        return None
    entity = Entity.get_by_id(action.entity_id)
    way = action.way if reached(runtime, action, entity, action.way) else next_way(runtime, action, entity)
    made: Action = Action.create(
        key=f"{stem}{diary.AGAIN}{tried + 1}",
        customer=action.customer_id,
        decision=action.decision_id,
        template=action.template,
        owner_role=action.owner_role,
        owner=action.owner_id,
        blocks=action.blocks,
        sends_by=way,
        state="due" if way else "waiting",
        waiting_for=None if way else "no_address",
        due_day=action.due_day,
        not_before_at=at,
        edition_planned=action.edition_planned,
        created_at=action.created_at,
        **{name: getattr(action, name) for name in COPIED},
    )
    if way is None:
        diary.ask_for_contact(made, at, sending.business_day(runtime, made))
    return made


def _take_back(action: Action, status: str, made: Action | None, at: int) -> None:
    """It was no contact: its step is not finished by it, and minimum days do not count from it."""
    came_back = f"it came back: {status or 'undeliverable'}"
    state, result = ("failed", came_back) if made is None else ("cancelled", f"{came_back}; again as action {made.id}")
    update_version(action, state=state, result=result, settled_at=at)
    reaching = [name for name, one in call_results.RESULTS.items() if one.reached]
    sent = (Action.state == "sent") & Action.channel.in_(CONTACT_CHANNELS)
    contacts = Action.select().where(
        Action.customer == action.customer_id,
        Action.policy_key == action.policy_key,
        Action.line_id == action.line_id,
        Action.settled_at.is_null(False),
        sent | ((Action.state == "done") & Action.result.in_(reaching)),
    )
    last = max((sending.day_at(one, one.settled_at) for one in contacts), default=None)
    Standing.update(last_contact_day=last).where(
        Standing.customer == action.customer_id,
        Standing.policy_key == action.policy_key,
        Standing.line_id == action.line_id,
    ).execute()


def _task(runtime: "Runtime", row: ReceivedMail, customer: Customer, about: Action | None) -> Action:
    """The diary item of the customer's collector."""
    made: Action = Action.create(
        key=f"{ANSWER}/{row.identity}",
        entity_id=customer.entity_id,
        customer=customer,
        line_id=0 if about is None else about.line_id,
        policy_key=ANSWER,
        episode=0,
        step_key="message_came_back" if row.kind == "hard_bounce" else "answer_of_the_customer",
        channel="task",
        template=ANSWER,
        owner_role="collector",
        owner=customer.collector_id,
        state="open",
        due_day=runtime.today(customer.entity),
        created_at=runtime.now_at(),
    )
    return made


# --- what a person settles -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AssignMail(Command):
    """Say whose answer a mail is that belongs to no message of ours.

    Args:
        mail: its id.
        entity: code of the customer's.
        number: of the customer.
        version: of the row the actor saw.
    """

    mail: int
    entity: str
    number: str
    version: int | None = None


@register(AssignMail, permission="actions.work", person_only=True)
def assign_mail(context: Context, command: AssignMail) -> Change:
    """It becomes a diary item of the customer's collector, and is erased with their contact."""
    row = _unassigned(context, command.mail, command.version)
    entity = context.entity(command.entity, whole=False)
    named = Customer.get_or_none(Customer.entity == entity, Customer.number == command.number.strip())
    if named is None:
        raise Invalid.because("number", "is no customer's of this entity", "look it up under Customers")
    customer = context.customer(named.id)
    runtime = context.runtime
    person = person_about(runtime, customer)
    sealed = runtime.vault.seal(person, runtime.vault.open(row.person, row.sealed))
    task = _task(runtime, row, customer, None)
    by = {"settled_by": context.actor, "settled_at": context.at}
    update_version(row, state="diary", customer=customer, task=task, person=person, sealed=sealed, **by)
    return _settled(row, customer=customer.id, task=task.id, entity_id=customer.entity_id)


@dataclass(frozen=True, kw_only=True)
class SetMailAside(Command):
    """Say that a mail is nobody's answer."""

    mail: int
    version: int | None = None


@register(SetMailAside, permission="actions.work", person_only=True)
def set_mail_aside(context: Context, command: SetMailAside) -> Change:
    """It leaves the list; its words go with the key they were sealed with."""
    row = _unassigned(context, command.mail, command.version)
    context.runtime.vault.erase(row.person, context.at)
    update_version(row, state="set_aside", settled_by=context.actor, settled_at=context.at)
    return _settled(row)


def _unassigned(context: Context, mail_id: int, version: int | None) -> ReceivedMail:
    row: ReceivedMail | None = ReceivedMail.get_or_none(ReceivedMail.id == mail_id)
    # It can be any customer's: only for who sees all of them.
    if row is None or (context.actor is not None and not access.sees_all_of(context.actor, None)):
        raise NotFound(f"no mail {mail_id}")
    expect_version(row, version)
    if row.state != "unassigned":
        raise Conflict(f"mail {mail_id} is settled already", current={"state": row.state})
    return row


def _settled(row: ReceivedMail, *, entity_id: int | None = None, **after: Any) -> Change:
    return Change(
        subject_kind="received_mail",
        subject_id=row.id,
        before={"state": "unassigned"},
        after={"state": row.state, **after},
        answer={"mail": row.id, "state": row.state},
        entity_id=entity_id,
    )
