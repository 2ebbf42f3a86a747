"""The outbox: carries out each message once, whatever dies in between (promises.md 3).

::

    due -claim(gen+1, lease)-> claimed -> sent              idempotent gateway
     ^                            | `-> due (error, backoff)   lease over: claimed again, same key
     | cancelled <- decided again +
     `---------- a person <- uncertain <- sending           SMTP: `sending` is committed before the
                                                            content; lease over: uncertain, never
                                                            sent again alone

A claim is one IMMEDIATE transaction that decides the customer again; the call is outside any
transaction; a settlement names the generation it belongs to, so a worker that wakes after its
lease changes nothing. Messages of one customer leave in their order.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from peewee import Expression, ModelSelect, fn

from engine import diary, sending
from engine.sending import Cancel, Go, NoAddress, Prepare, Wait
from engine.tables import Action, Contact, Customer, Entity, Message, Person
from notifiers.gateways import Doubtful, Gateway, OutgoingMessage, Receipt, Rejected, Unreachable, message_id_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
LEASE_US = 150 * SECOND_US  # longer than a whole SMTP conversation (notifiers.smtp.CALL_SECONDS_MAX)
BATCH = 10  # actions a worker holds at a time; what a kill leaves waiting for its lease
ATTEMPTS_MAX = 40  # with BACKOFF more than 24 hours of a provider that is down
BACKOFF_US = 60 * SECOND_US  # after the first failure, doubled after each further one
BACKOFF_MAX_US = 3_600 * SECOND_US
SWEEP_MAX = 1_000  # rows of each kind one sweep looks at

MESSAGE_CHANNELS = ("email",)
IN_FLIGHT = ("due", "claimed", "sending")
STUCK = ("waiting", "uncertain", "failed")  # a person has to say something first
WAITING = {
    "unconfirmed": "A person confirms this message before it leaves.",
    "no_address": "There is no usable address; a task asks for one.",
    "no_sender": "The entity has no sender address.",
    "pause": "Dunning of this customer is paused or blocked.",
    "unknown": "What the customer owes is not known: a rate is missing.",
    "undecidable": "The rules cannot be applied just now; an alarm says why.",
    "disagreement": "The executors of the rules disagreed about this customer; a person looks at it first.",
    "min_days": "The customer was contacted too few days ago.",
    "cap": "The collector's messages of the day are used up.",
    "retry": "The last try failed; the next one comes by itself.",
}


class LeaseLost(Exception):
    """Somebody else owns the action by now; nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An action this worker owns until its lease is over."""

    action_id: int
    key: str
    generation: int
    attempt: int
    lease_until_at: int
    message: OutgoingMessage


@dataclass(slots=True)
class Tally:
    """What became of the actions a call looked at, by state."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, state: str, many: int = 1) -> None:
        """Count actions under a state."""
        self.counts[state] = self.counts.get(state, 0) + many

    def __getitem__(self, state: str) -> int:
        return self.counts.get(state, 0)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


# --- claiming --------------------------------------------------------------------------


def claim(
    runtime: "Runtime",
    now_at: int,
    *,
    gateway: Gateway,
    prepare: Prepare = sending.prepare,
    batch: int = BATCH,
    lease_us: int = LEASE_US,
) -> tuple[list[Claim], Tally]:
    """Take over the next due messages, after deciding each of them again.

    Returns:
        What is to be sent now, and a tally of all rows looked at (empty: nothing was due).
    """
    claims: list[Claim] = []
    tally = Tally()
    with runtime.database.atomic():
        for action in _due(runtime, now_at, batch):
            try:
                with runtime.database.atomic():  # a letter that cannot be written stops no other
                    verdict = _daily_cap(runtime, action, now_at) or prepare(runtime, action, now_at, gateway)
                    taken = _apply(runtime, action, verdict, now_at, gateway, lease_us)
            except Exception as error:
                log.exception("action %s cannot be prepared", action.key)
                _give_up(action, f"the message cannot be prepared: {type(error).__name__}", now_at)
                tally.add("failed")
                continue
            tally.add("claimed" if isinstance(verdict, Go) else type(verdict).__name__.lower())
            if taken is not None:
                claims.append(taken)
    return claims, tally


def _due(runtime: "Runtime", now_at: int, batch: int) -> list[Action]:
    """The next due messages of entities that send, at most one per customer."""
    open_entities = [
        entity.id
        for entity in Entity.select().where(Entity.sending & Entity.live_from_day.is_null(False))
        if entity.live_from_day <= runtime.today(entity)
    ]
    rows = (
        Action.select(Action, Customer)
        .join(Customer)
        .where(
            Action.state == "due",
            Action.channel.in_(MESSAGE_CHANNELS),
            Action.entity_id.in_(open_entities),
            Action.not_before_at <= now_at,
            ~fn.EXISTS(_earlier()),
        )
        .order_by(Action.due_day, Action.id)
        .limit(batch)
    )
    return list(rows)


def _earlier() -> ModelSelect:
    """Messages of the same customer that must be over first: level 2 never before level 1."""
    other = Action.alias()
    same_episode = (other.policy_key == Action.policy_key) & (other.episode == Action.episode)
    return other.select(other.id).where(
        other.customer == Action.customer,
        other.channel.in_(MESSAGE_CHANNELS),
        other.id < Action.id,
        other.state.in_(IN_FLIGHT) | (other.state.in_(STUCK) & same_episode),
    )


def _daily_cap(runtime: "Runtime", action: Action, now_at: int) -> Wait | None:
    """Put a message off until tomorrow when its collector's messages of today are used up."""
    entity = Entity.get_by_id(action.entity_id)
    start, end = sending.day_bounds(entity, now_at)
    collector = action.customer.collector_id
    owner = Customer.collector.is_null() if collector is None else Customer.collector == collector
    used = (
        Action.select()
        .join(Customer)
        .where(
            Action.entity_id == entity.id,
            owner,
            Action.channel.in_(MESSAGE_CHANNELS),
            Action.state.in_(("claimed", "sending")) | ((Action.state == "sent") & (Action.settled_at >= start)),
        )
        .count()
    )
    return Wait(end, "cap") if used >= entity.daily_cap else None


def _apply(
    runtime: "Runtime", action: Action, verdict: Any, now_at: int, gateway: Gateway, lease_us: int
) -> Claim | None:
    if isinstance(verdict, Go):
        return _take(runtime, action, verdict, now_at, gateway, lease_us)
    unclaimed = (Action.id == action.id) & (Action.state == "due")
    if isinstance(verdict, Cancel):
        changes: dict[str, Any] = {"state": "cancelled", "result": verdict.why, "settled_at": now_at}
        log.info("cancelled %s: %s", action.key, verdict.why)
    elif isinstance(verdict, Wait):
        changes = {"not_before_at": verdict.until_at, "waiting_for": verdict.why}
    elif isinstance(verdict, NoAddress):
        changes = {"state": "waiting", "waiting_for": "no_address"}
        diary.ask_for_contact(action, now_at, sending.business_day(runtime, action))
    else:
        raise TypeError(f"{type(verdict).__name__} is no verdict")
    Action.update(**changes, version=Action.version + 1).where(unclaimed).execute()
    return None


def _take(runtime: "Runtime", action: Action, go: Go, now_at: int, gateway: Gateway, lease_us: int) -> Claim:
    """Compose, keep the text sealed, and raise the generation: from here on we own the action."""
    known = Message.get_or_none(Message.action == action.id)
    message_id = message_id_of(action.key, go.from_address) if known is None else known.message_id
    message = OutgoingMessage(
        key=action.key,
        message_id=message_id,
        from_address=go.from_address,
        from_name=go.from_name,
        to_address=go.to_address,
        to_name=go.to_name,
        subject=go.letter.subject,
        text=go.letter.text,
        html=go.letter.html,
        language=go.letter.language,
        at=now_at,
    )
    kept = {"to": go.to_address, "subject": go.letter.subject, "text": go.letter.text, "html": go.letter.html}
    digest = sha256("\x00".join(kept.values()).encode()).hexdigest()
    Message.insert(
        action=action.id,
        person=go.person.id,
        message_id=message_id,
        sealed=runtime.vault.seal(go.person, kept),
        body_sha256=digest,
        gateway=gateway.name,
        composed_at=now_at,
    ).on_conflict(
        conflict_target=[Message.action],
        preserve=[Message.person, Message.sealed, Message.body_sha256, Message.gateway, Message.composed_at],
    ).execute()
    generation, lease_until_at = action.generation + 1, now_at + lease_us
    written = (
        Action.update(
            state="claimed",
            generation=generation,
            lease_until_at=lease_until_at,
            attempts=action.attempts + 1,
            waiting_for=None,
            body_sha256=digest,
            edition_sent=go.edition,
            version=Action.version + 1,
        )
        .where((Action.id == action.id) & (Action.state == "due") & (Action.generation == action.generation))
        .execute()
    )
    if written != 1:
        raise LeaseLost(action.key)
    return Claim(action.id, action.key, generation, action.attempts + 1, lease_until_at, message)


# --- sending and settling --------------------------------------------------------------


def deliver(
    runtime: "Runtime",
    *,
    gateway: Gateway | None = None,
    prepare: Prepare = sending.prepare,
    batch: int = BATCH,
    lease_us: int = LEASE_US,
) -> Tally:
    """Send what is due until nothing is, or until the receiver cannot be reached.

    Safe to call from any number of processes at once, and to be killed at any point.
    """
    door = gateway or sending.gateway_of(runtime)
    tally = Tally()
    while True:
        claims, looked_at = claim(
            runtime, runtime.now_at(), gateway=door, prepare=prepare, batch=batch, lease_us=lease_us
        )
        for state, many in looked_at.counts.items():
            if state != "claimed":
                tally.add(state, many)
        for claimed in claims:
            log.info("claimed %s generation %d", claimed.key, claimed.generation)
        for number, claimed in enumerate(claims):
            state = send(runtime, door, claimed, lease_us)
            log.info("settled %s generation %d as %s", claimed.key, claimed.generation, state)
            tally.add(state)
            if state == "unreachable":
                _release(claims[number + 1 :])
                return tally
        if not looked_at.total:
            return tally


def send(runtime: "Runtime", gateway: Gateway, claimed: Claim, lease_us: int = LEASE_US) -> str:
    """Call the gateway for one claimed action and settle what came of it.

    Returns:
        sent, due (tried again later), unreachable (the same, and so would be all others),
        uncertain, failed, or lost (the lease was over: another worker owns it).
    """
    handed_over = False

    def about_to_send() -> None:
        nonlocal handed_over
        now_at = runtime.now_at()
        in_time = Action.lease_until_at > now_at
        if not _settle(runtime, claimed, in_time, state="sending", lease_until_at=now_at + lease_us):
            raise LeaseLost(claimed.key)
        handed_over = True

    if runtime.now_at() >= claimed.lease_until_at:
        log.warning("the lease of %s was over before the call", claimed.key)
        return "lost"
    try:
        receipt = gateway.deliver(claimed.message, about_to_send)
    except LeaseLost:
        log.warning("the lease of %s was over before the content", claimed.key)
        return "lost"
    except Unreachable as error:
        state = _retry(runtime, claimed, str(error), counted=True)
        return "unreachable" if error.for_all and state == "due" else state
    except Rejected as error:
        return _refused(runtime, claimed, error)
    except Exception as error:  # Doubtful, or a fault of ours at the worst moment
        if not isinstance(error, Doubtful):
            log.exception("gateway %s failed with %s", gateway.name, claimed.key)
        if handed_over or isinstance(error, Doubtful):
            return _doubt(runtime, claimed, str(error) or type(error).__name__)
        return _retry(runtime, claimed, type(error).__name__, counted=True)
    return _sent(runtime, claimed, receipt)


def _owned(claimed: Claim) -> Expression:
    """The fence: whoever takes an action over raises its generation, so an older claim finds no row."""
    return (Action.id == claimed.action_id) & (Action.generation == claimed.generation)


def _settle(runtime: "Runtime", claimed: Claim, also: Expression | None = None, **changes: Any) -> bool:
    """Write a change of state if the action is still ours; False: another worker owns it."""
    condition = _owned(claimed) if also is None else _owned(claimed) & also
    with runtime.database.atomic():
        written = Action.update(**changes, version=Action.version + 1).where(condition).execute()
    if written != 1:
        log.warning("%s generation %d is not ours any more", claimed.key, claimed.generation)
    return bool(written == 1)


def _sent(runtime: "Runtime", claimed: Claim, receipt: Receipt) -> str:
    now_at = runtime.now_at()
    with runtime.database.atomic():
        ours = _settle(
            runtime,
            claimed,
            state="sent",
            receipt=receipt.answer,
            settled_at=now_at,
            waiting_for=None,
        )
        if ours:
            Message.update(sent_at=now_at, gateway=receipt.gateway).where(Message.action == claimed.action_id).execute()
            diary.feed_standing(Action.get_by_id(claimed.action_id), "sent", now_at)
        else:
            _note_late_delivery(claimed, now_at)
    return "sent" if ours else "lost"


def _retry(runtime: "Runtime", claimed: Claim, why: str, *, counted: bool) -> str:
    """Put an action back, to be tried again after a while, or give it up after too many tries."""
    now_at = runtime.now_at()
    if claimed.attempt >= ATTEMPTS_MAX:
        return _fail(runtime, claimed, f"given up after {ATTEMPTS_MAX} tries: {why}")
    pause = backoff_us(claimed.key, claimed.attempt)
    ours = _settle(
        runtime,
        claimed,
        state="due",
        receipt=why,
        not_before_at=now_at + pause,
        waiting_for="retry",
        attempts=claimed.attempt if counted else claimed.attempt - 1,
    )
    return "due" if ours else "lost"


def _release(claims: Iterable[Claim]) -> None:
    """Give back what was claimed and not tried; it costs no attempt."""
    for claimed in claims:
        Action.update(
            state="due",
            waiting_for="retry",
            attempts=Action.attempts - 1,
            version=Action.version + 1,
        ).where(_owned(claimed)).execute()


def _refused(runtime: "Runtime", claimed: Claim, error: Rejected) -> str:
    """A refused address is not used again; the customer's next contact gets the message, or a task asks for one."""
    if not error.address_is_bad:
        return _fail(runtime, claimed, str(error))
    with runtime.database.atomic():
        ours = _settle(runtime, claimed, state="due", receipt=str(error), attempts=0, waiting_for="no_address")
        if ours:
            message = Message.get(Message.action == claimed.action_id)
            Contact.update(usable=False).where(Contact.person == message.person_id).execute()
    return "due" if ours else "lost"


def _fail(runtime: "Runtime", claimed: Claim, why: str) -> str:
    now_at = runtime.now_at()
    with runtime.database.atomic():
        ours = _settle(runtime, claimed, state="failed", result=why, settled_at=now_at, waiting_for=None)
        if ours:
            diary.raise_alarm(Action.get_by_id(claimed.action_id), "message_failed", why, now_at)
    return "failed" if ours else "lost"


def _doubt(runtime: "Runtime", claimed: Claim, why: str) -> str:
    with runtime.database.atomic():
        ours = _settle(runtime, claimed, state="uncertain", receipt=why, waiting_for=None)
        if ours:
            action = Action.get_by_id(claimed.action_id)
            diary.raise_alarm(action, "message_uncertain", why, runtime.now_at())
    return "uncertain" if ours else "lost"


def _give_up(action: Action, why: str, now_at: int) -> None:
    """Fail an action nobody has claimed."""
    Action.update(state="failed", result=why, settled_at=now_at, waiting_for=None, version=Action.version + 1).where(
        (Action.id == action.id) & (Action.generation == action.generation)
    ).execute()
    diary.raise_alarm(action, "message_failed", why, now_at)


def _note_late_delivery(claimed: Claim, now_at: int) -> None:
    """The receiver took a message we no longer owned; a person must know unless it counts as sent anyway."""
    action = Action.get_by_id(claimed.action_id)
    if action.state not in ("sent", "claimed", "sending", "due"):
        diary.raise_alarm(action, "message_late", f"delivered although the action is {action.state}", now_at)


def backoff_us(key: str, attempt: int) -> int:
    """How long to wait after a failed try: doubling, with a quarter of jitter either way.

    The jitter comes from the key and the attempt, so that a thousand actions do not return at
    the same second and a test can say when each of them does.

    >>> 45 * SECOND_US <= backoff_us("a", 1) <= 75 * SECOND_US
    True
    >>> backoff_us("a", 30) <= BACKOFF_MAX_US * 5 // 4
    True
    """
    pause = min(BACKOFF_MAX_US, BACKOFF_US << min(attempt - 1, 20))
    share = int.from_bytes(sha256(f"{key}#{attempt}".encode()).digest()[:4], "big")
    return pause * 3 // 4 + pause // 2 * share // 2**32


# --- sweeping --------------------------------------------------------------------------


def sweep(runtime: "Runtime", *, gateway: Gateway | None = None) -> Tally:
    """Find what a dead worker or a lost ring left behind.

    A claimed action whose lease is over becomes due again, unless its receiver already has it; a
    sending one becomes uncertain. A message that waited for an address goes on once there is one.
    """
    door = gateway or sending.gateway_of(runtime)
    now_at = runtime.now_at()
    tally = Tally()
    expired = (
        Action.select()
        .where(Action.state.in_(("claimed", "sending")), Action.lease_until_at <= now_at)
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    for action in list(expired):
        receipt = door.find(action.key) if action.state == "claimed" else None  # asked outside the transaction
        tally.add(_recover(runtime, action, receipt, now_at))
    _resume_addressed(runtime, now_at, tally)
    return tally


def _recover(runtime: "Runtime", action: Action, receipt: Receipt | None, now_at: int) -> str:
    """Take an action away from a worker whose lease is over; the generation shuts that worker out."""
    mine = (
        (Action.id == action.id)
        & (Action.generation == action.generation)
        & (Action.state == action.state)
        & (Action.lease_until_at <= now_at)
    )
    why = ""
    changes: dict[str, Any] = {"generation": action.generation + 1}
    if receipt is not None:
        state = "sent"
        changes |= {"receipt": receipt.answer, "settled_at": now_at}
    elif action.state == "sending":
        state, why = "uncertain", "the worker died after it began to hand the message over"
        changes |= {"receipt": why}
    elif action.attempts >= ATTEMPTS_MAX:
        state, why = "failed", f"given up after {ATTEMPTS_MAX} tries that no worker finished"
        changes |= {"result": why, "settled_at": now_at}
    else:
        state = "due"
        changes |= {"waiting_for": "retry", "not_before_at": now_at}
    with runtime.database.atomic():
        if Action.update(state=state, **changes, version=Action.version + 1).where(mine).execute() != 1:
            return "lost"
        after = Action.get_by_id(action.id)
        if state == "sent":
            Message.update(sent_at=now_at).where(Message.action == action.id).execute()
            diary.feed_standing(after, "sent", now_at)
        elif why:
            diary.raise_alarm(after, f"message_{state}", why, now_at)
    log.info("recovered %s generation %d as %s", action.key, action.generation, state)
    return state


def _resume_addressed(runtime: "Runtime", now_at: int, tally: Tally) -> None:
    usable = (
        Contact.select(Contact.customer)
        .join(Person)
        .where(Contact.usable, Person.key_sealed.is_null(False), Contact.customer == Action.customer)
    )
    waiting = (
        Action.select()
        .where(Action.state == "waiting", Action.waiting_for == "no_address", fn.EXISTS(usable))
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    for action in list(waiting):
        if sending.address_of(runtime, action.customer_id) is None:
            continue
        with runtime.database.atomic():
            diary.resume(action, now_at, "an address is known now")
        tally.add("due")
