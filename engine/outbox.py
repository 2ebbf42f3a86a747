"""The outbox: carries out each message once, whatever dies in between (promises.md 3).

::

    due -claim(gen+1, lease)-> claimed -> sent              idempotent gateway
     ^                            | `-> due (error, backoff)   lease over: claimed again, same key
     | cancelled <- decided again +
     `---------- a person <- uncertain <- sending           SMTP: `sending` is committed before the
                                                            content; lease over: uncertain, never
                                                            sent again alone

A claim is one IMMEDIATE transaction that decides the customer again and fixes what the message
says. Writing it out and the call are outside any transaction; the text is stored before it leaves,
with ``sending`` or, for an idempotent receiver, before the call. A settlement names the generation
it belongs to, so a worker that wakes after its lease changes nothing. Messages of one customer
leave in their order.
"""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from engine import clocks, covering, diary
from engine.claims import (
    BATCH,
    IN_FLIGHT,
    LEASE_US,
    MESSAGE_CHANNELS,
    STUCK,
    WAITING,
    Claim,
    LeaseLost,
    Tally,
    claim,
    whole,
)
from engine.door_states import TURN_US, note_failure, note_success
from engine.doors import Way, doors_of, ways_of
from engine.outages import outage_of
from engine.reaching import is_reached
from engine.sending import Prepare
from engine.settlements import ATTEMPTS_MAX, BACKOFF_MAX_US, Result, Unwritable, backoff_us, change, release, settle
from engine.tables import Action, Message
from engine.writing import Written, keep, write
from notifiers.gateways import Doubtful, Gateway, Lasting, Receipt, Rejected, Unreachable
from notifiers.printing import Unprintable

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

__all__ = [
    "ATTEMPTS_MAX",
    "BACKOFF_MAX_US",
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
    "whole",
]

Text = Written | Unwritable | LeaseLost  # what became of writing a message out

SETTLED_TOGETHER = 10  # messages to an idempotent receiver between two commits
FAILED = ("unreachable", "uncertain")  # what says something of the way out, not of one message
RESUMED = "resumed"  # the last of those that wait for an address that was looked at
SWEEP_MAX = 1_000  # rows of each kind one sweep looks at


# --- sending and settling --------------------------------------------------------------


def deliver(
    runtime: "Runtime",
    *,
    gateway: Gateway | None = None,
    prepare: Prepare | None = None,
    batch: int = BATCH,
    lease_us: int = LEASE_US,
) -> Tally:
    """Send what is due until nothing is, or until the receiver cannot be reached.

    Safe to call from any number of processes at once, and to be killed at any point.
    """
    ways = [whole(gateway)] if gateway else ways_of(runtime)
    tally = Tally()
    while ways:
        with runtime.database.atomic():
            clocks.mend(runtime.now_at())
        looked_at = 0
        for way in list(ways):
            claims, looked = claim(runtime, runtime.now_at(), way=way, prepare=prepare, batch=batch, lease_us=lease_us)
            looked_at += looked.total
            for state, many in looked.counts.items():
                if state != "claimed":
                    tally.add(state, many)
            with way.gateway.session() if isinstance(way.gateway, Lasting) else nullcontext():
                reached = _hand_over(runtime, way, claims, lease_us, tally)
            if not reached:
                ways.remove(way)
        if not looked_at:
            return tally
    return tally


def _hand_over(runtime: "Runtime", way: Way, claims: list[Claim], lease_us: int, tally: Tally) -> bool:
    """Send what was claimed, in order; False: the receiver cannot be reached, and the rest is given back."""
    for claimed in claims:
        log.info("claimed %s generation %d", claimed.key, claimed.generation)
    many = SETTLED_TOGETHER if way.gateway.idempotent else 1
    start_at, is_fine = runtime.now_at(), False
    for start in range(0, len(claims), many):
        part = claims[start : start + many]
        if start and runtime.now_at() > min(start_at + TURN_US, part[0].lease_until_at - lease_us // 2):
            release(runtime, claims[start:])  # a slow receiver: the others have their turn, the rest is claimed anew
            return True
        states = send(runtime, way.gateway, part, lease_us)
        is_fine = _note(runtime, way, part, states, is_fine)
        for claimed, state in zip(part, states, strict=False):
            log.info("settled %s generation %d as %s", claimed.key, claimed.generation, state)
            tally.add(state)
        if "unreachable" in states:
            release(runtime, claims[start + len(states) :])
            return False
    return True


def _note(runtime: "Runtime", way: Way, part: Sequence[Claim], states: Sequence[str], was_fine: bool) -> bool:
    """Write down how the way out fares, and tell whether it is fine; what concerns one message only says nothing."""
    failed = next((claimed for claimed, state in zip(part, states, strict=False) if state in FAILED), None)
    if failed is None and (was_fine or "sent" not in states):
        return was_fine
    with runtime.database.atomic():
        if failed is None:
            note_success(way, runtime.now_at())
        else:
            said = Action.select(Action.receipt).where(Action.id == failed.action_id).scalar()
            note_failure(way, runtime.now_at(), said or "no answer")
    return failed is None


def send(runtime: "Runtime", gateway: Gateway, claims: Sequence[Claim], lease_us: int = LEASE_US) -> list[str]:
    """Write claimed messages out, hand them over and settle what came of it.

    Several at once only with a receiver that drops repeats: what a crash leaves of them is asked for.

    Returns:
        As ``settlements.settle``, for each; fewer than there are claims when the receiver cannot be
        reached: the rest was not tried.
    """
    texts: Sequence[Text] = [_written(runtime, claimed) for claimed in claims]
    if gateway.idempotent:
        texts = _kept(runtime, gateway, claims, texts)
    results: list[Result] = []
    for claimed, text in zip(claims, texts, strict=True):
        result = _call(runtime, gateway, claimed, text, lease_us) if isinstance(text, Written) else text
        results.append(result)
        if isinstance(result, Unreachable) and result.for_all:
            break
    is_plain = all(isinstance(result, Receipt) for result in results)  # anything else is told to a person, too
    with runtime.database.beside() if is_plain else runtime.database.atomic():
        return [settle(runtime, claimed, result) for claimed, result in zip(claims, results, strict=False)]


def _written(runtime: "Runtime", claimed: Claim) -> Written | Unwritable:
    """Write a message out; one that cannot be written stops no other."""
    try:
        return write(runtime, claimed)
    except Exception as error:
        if outage_of(error) is not None:
            raise
        log.exception("action %s cannot be written", claimed.key)
        why = str(error) if isinstance(error, Unprintable) else type(error).__name__
        return Unwritable(f"the message cannot be prepared: {why}")


def _kept(runtime: "Runtime", gateway: Gateway, claims: Sequence[Claim], texts: Sequence[Text]) -> list[Text]:
    """Store texts in one transaction, before anything leaves."""
    found: list[Text] = []
    with runtime.database.atomic():
        for claimed, text in zip(claims, texts, strict=True):
            if isinstance(text, Written):
                ours = change(runtime, claimed, {"body_sha256": text.body_sha256})
                if ours:
                    keep(runtime, claimed, text, gateway.name)
                found.append(text if ours else LeaseLost(claimed.key))
            else:
                found.append(text)
    return found


def _call(runtime: "Runtime", gateway: Gateway, claimed: Claim, text: Written, lease_us: int) -> Result:
    """Call the gateway for one message."""
    handed_over = False

    def about_to_send() -> None:
        nonlocal handed_over
        now_at = runtime.now_at()
        with runtime.database.beside():
            changes = {"state": "sending", "lease_until_at": now_at + lease_us, "body_sha256": text.body_sha256}
            ours = change(runtime, claimed, changes, lease_after=now_at)
            if ours and not gateway.idempotent:
                keep(runtime, claimed, text, gateway.name)
        if not ours:
            raise LeaseLost(claimed.key)
        handed_over = True

    if runtime.now_at() >= claimed.lease_until_at:
        log.warning("the lease of %s was over before the call", claimed.key)
        return LeaseLost(claimed.key)
    try:
        return gateway.deliver(text.message, about_to_send)
    except LeaseLost as error:
        log.warning("the lease of %s was over before the content", claimed.key)
        return error
    except (Unreachable, Rejected, Doubtful) as error:
        return error
    except Exception as error:  # a fault of ours, at the worst moment perhaps
        log.exception("gateway %s failed with %s", gateway.name, claimed.key)
        why = str(error) or type(error).__name__
        return Doubtful(why) if handed_over else Unreachable(type(error).__name__)


# --- sweeping --------------------------------------------------------------------------


def sweep(runtime: "Runtime", *, gateway: Gateway | None = None) -> Tally:
    """Find what a dead worker or a lost ring left behind.

    A claimed action whose lease is over becomes due again, unless its receiver already has it; a
    sending one becomes uncertain. A message that waited for an address goes on once there is one.
    """
    doors = doors_of(runtime)
    now_at = runtime.now_at()
    with runtime.database.atomic():
        clocks.mend(now_at)
    tally = Tally()
    expired = (
        Action.select()
        .where(Action.state.in_(("claimed", "sending")), Action.lease_until_at <= now_at)
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    for action in list(expired):
        door = gateway or doors[action.way]
        receipt = door.find(action.key) if action.state == "claimed" else None  # asked outside the transaction
        tally.add(_recover(runtime, action, receipt, now_at))
    with runtime.database.atomic():
        covering.let_stand_again()
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
    """Look at those that wait for an address, some at a time: there may be more than one sweep can look at."""
    last: int = runtime.cache.get(RESUMED, 0)
    waiting = (
        Action.select()
        .where(Action.state == "waiting", Action.waiting_for == "no_address", Action.id > last)
        .order_by(Action.id)
        .limit(SWEEP_MAX)
    )
    found = list(waiting)
    runtime.cache[RESUMED] = found[-1].id if len(found) == SWEEP_MAX else 0
    for action in found:
        if not is_reached(runtime, action):
            continue
        with runtime.database.atomic():
            diary.resume(action, now_at, "an address is known now")
        tally.add("due")
