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
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from peewee import Expression, fn

from engine import diary, sending
from engine.claims import (
    BATCH,
    IN_FLIGHT,
    LEASE_US,
    MESSAGE_CHANNELS,
    SECOND_US,
    STUCK,
    WAITING,
    Claim,
    LeaseLost,
    Tally,
    claim,
)
from engine.contact_times import note_wait
from engine.doors import LETTER, doors_of
from engine.sending import Prepare
from engine.tables import Action, Contact, Message, Person
from notifiers.gateways import Doubtful, Gateway, Receipt, Rejected, Unreachable

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

__all__ = [
    "ATTEMPTS_MAX",
    "BATCH",
    "IN_FLIGHT",
    "LEASE_US",
    "MESSAGE_CHANNELS",
    "STUCK",
    "WAITING",
    "Claim",
    "LeaseLost",
    "Tally",
    "backoff_us",
    "claim",
    "deliver",
    "send",
    "sweep",
]

ATTEMPTS_MAX = 40  # with BACKOFF more than 24 hours of a provider that is down
BACKOFF_US = 60 * SECOND_US  # after the first failure, doubled after each further one
BACKOFF_MAX_US = 3_600 * SECOND_US
SWEEP_MAX = 1_000  # rows of each kind one sweep looks at


# --- sending and settling --------------------------------------------------------------


def deliver(
    runtime: "Runtime",
    *,
    gateway: Gateway | None = None,
    prepare: Prepare | None = None,
    batch: int | None = None,
    lease_us: int = LEASE_US,
) -> Tally:
    """Send what is due until nothing is, or until the receiver cannot be reached.

    Safe to call from any number of processes at once, and to be killed at any point.
    """
    doors = dict.fromkeys(MESSAGE_CHANNELS, gateway) if gateway else doors_of(runtime)
    tally = Tally()
    while doors:
        looked_at = 0
        for door in {id(one): one for one in doors.values()}.values():
            channels = tuple(channel for channel, behind in doors.items() if behind is door)
            claims, looked = claim(
                runtime,
                runtime.now_at(),
                gateway=door,
                prepare=prepare,
                batch=batch,
                lease_us=lease_us,
                channels=channels,
            )
            looked_at += looked.total
            for state, many in looked.counts.items():
                if state != "claimed":
                    tally.add(state, many)
            if not _hand_over(runtime, door, claims, lease_us, tally):
                doors = {channel: other for channel, other in doors.items() if channel not in channels}
        if not looked_at:
            return tally
    return tally


def _hand_over(runtime: "Runtime", door: Gateway, claims: list[Claim], lease_us: int, tally: Tally) -> bool:
    """Send what was claimed, in order; False: the receiver cannot be reached, and the rest is given back."""
    for claimed in claims:
        log.info("claimed %s generation %d", claimed.key, claimed.generation)
    for number, claimed in enumerate(claims):
        state = send(runtime, door, claimed, lease_us)
        log.info("settled %s generation %d as %s", claimed.key, claimed.generation, state)
        tally.add(state)
        if state == "unreachable":
            _release(claims[number + 1 :])
            return False
    return True


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
    with runtime.database.atomic():
        ours = _settle(
            runtime,
            claimed,
            state="due",
            receipt=why,
            not_before_at=now_at + pause,
            waiting_for="retry",
            attempts=claimed.attempt if counted else claimed.attempt - 1,
        )
        if ours:
            note_wait(Action.get_by_id(claimed.action_id), "retry", now_at)
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
    doors = dict.fromkeys(MESSAGE_CHANNELS, gateway) if gateway else doors_of(runtime)
    now_at = runtime.now_at()
    tally = Tally()
    expired = (
        Action.select()
        .where(Action.state.in_(("claimed", "sending")), Action.lease_until_at <= now_at)
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    for action in list(expired):
        door = doors.get(action.channel)
        receipt = door.find(action.key) if door and action.state == "claimed" else None  # asked outside the transaction
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
        .where(Person.key_sealed.is_null(False), Contact.customer == Action.customer)
        .where(Contact.usable | (Action.channel == LETTER))
    )
    waiting = (
        Action.select()
        .where(Action.state == "waiting", Action.waiting_for == "no_address", fn.EXISTS(usable))
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    for action in list(waiting):
        if not sending.is_reached(runtime, action):
            continue
        with runtime.database.atomic():
            diary.resume(action, now_at, "an address is known now")
        tally.add("due")
