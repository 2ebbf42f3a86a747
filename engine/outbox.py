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
with ``sending`` or, for an idempotent receiver, before the call. What came of a mail is written down
in the transaction in which the next begins: one commit a mail, and never two of a worker in doubt. A
settlement names the generation it belongs to, so a worker that wakes after its lease changes nothing.
Messages of one customer leave in their order.
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
from engine.door_states import TURN_US, is_noted, note_failure, note_success
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

TOGETHER = 10  # messages written out before the first of them leaves; to an idempotent receiver also settled at once
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
    asked = list(ways)
    while asked:
        if clocks.is_to_note(runtime.now_at()):  # asked beside all writers: they would wait for each batch
            with runtime.database.atomic():
                clocks.mend(runtime.now_at())
        busy = []  # by which something was due: these are asked again, and all once more before the end
        for way in asked:
            claims, looked = claim(runtime, runtime.now_at(), way=way, prepare=prepare, batch=batch, lease_us=lease_us)
            for state, many in looked.counts.items():
                if state != "claimed":
                    tally.add(state, many)
            with way.gateway.session() if isinstance(way.gateway, Lasting) else nullcontext():
                reached = _hand_over(runtime, way, claims, lease_us, tally)
            if not reached:
                ways.remove(way)
            elif looked.total:
                busy.append(way)
        asked = busy or (list(ways) if any(way not in asked for way in ways) else [])
    return tally


def _hand_over(runtime: "Runtime", way: Way, claims: list[Claim], lease_us: int, tally: Tally) -> bool:
    """Send what was claimed, in order; False: the receiver cannot be reached, and the rest is given back."""
    for claimed in claims:
        log.info("claimed %s generation %d", claimed.key, claimed.generation)
    start_at, is_fine = runtime.now_at(), False
    for start in range(0, len(claims), TOGETHER):
        part = claims[start : start + TOGETHER]
        until_at = min(start_at + TURN_US, part[0].lease_until_at - lease_us // 2)
        if start and runtime.now_at() > until_at:
            states: list[str] = []
        else:
            states = send(runtime, way.gateway, part, lease_us, until_at)
        for claimed, state in zip(part, states, strict=False):
            is_fine = _note(runtime, way, claimed, state, is_fine)
            log.info("settled %s generation %d as %s", claimed.key, claimed.generation, state)
            tally.add(state)
        if len(states) < len(part) or "unreachable" in states:
            # A slow receiver: the others have their turn, the rest is claimed anew.
            release(runtime, claims[start + len(states) :])
            return "unreachable" not in states
    return True


def _note(runtime: "Runtime", way: Way, claimed: Claim, state: str, was_fine: bool) -> bool:
    """Write down how the way out fares, and tell whether it is fine; what concerns one message only says nothing."""
    if state not in FAILED and (was_fine or state != "sent"):
        return was_fine
    if state == "sent" and is_noted(way, runtime.now_at()):
        return True
    with runtime.database.atomic():
        if state == "sent":
            note_success(way, runtime.now_at())
        else:
            said = Action.select(Action.receipt).where(Action.id == claimed.action_id).scalar()
            note_failure(way, runtime.now_at(), said or "no answer")
    return state == "sent"


def send(
    runtime: "Runtime",
    gateway: Gateway,
    claims: Sequence[Claim],
    lease_us: int = LEASE_US,
    until_at: int | None = None,
) -> list[str]:
    """Write claimed messages out, hand them over one after the other and settle what came of it.

    With a receiver that drops repeats all are settled at the end: what a crash leaves of them is asked
    for. With another each is settled before the next is handed over, in the transaction that writes
    down that the next one is: never are two in doubt.

    Args:
        until_at: no call but the first begins later.

    Returns:
        As ``settlements.settle``, for each; fewer than there are claims when the time is over or the
        receiver cannot be reached: the rest was not tried.
    """
    texts: Sequence[Text] = [_written(runtime, claimed) for claimed in claims]
    if gateway.idempotent:
        texts = _kept(runtime, gateway, claims, texts)
    results = Results(runtime, gateway.idempotent)
    for number, (claimed, text) in enumerate(zip(claims, texts, strict=True)):
        if number and until_at is not None and runtime.now_at() > until_at:
            break
        result = _call(runtime, gateway, claimed, text, lease_us, results) if isinstance(text, Written) else text
        results.add(claimed, result)
        if isinstance(result, Unreachable) and result.for_all:
            break
    results.settle()
    return results.states


class Results:
    """What came of some calls, settled in their order.

    Args:
        all_at_end: with a receiver that drops repeats; else only a receipt waits, for the next call.
    """

    def __init__(self, runtime: "Runtime", all_at_end: bool) -> None:
        self._runtime, self._all_at_end = runtime, all_at_end
        self._open: list[tuple[Claim, Result, int]] = []
        self.states: list[str] = []

    def add(self, claimed: Claim, result: Result) -> None:
        """Take a result in."""
        if not self._all_at_end and self._open:
            self.settle()  # the call said nothing of beginning to hand over
        self._open.append((claimed, result, self._runtime.now_at()))
        if not self._all_at_end and not isinstance(result, Receipt):
            self.settle()

    def settle(self) -> None:
        """Write down what is not yet, in a transaction of its own."""
        if self._open:
            is_plain = all(isinstance(result, Receipt) for _, result, _ in self._open)
            # Anything else is told to a person, too.
            with self._runtime.database.beside() if is_plain else self._runtime.database.atomic():
                states = self.written()
            self.done(states)

    def written(self) -> list[str]:
        """Write it down in the caller's transaction; what became of each."""
        return [settle(self._runtime, claimed, result, at) for claimed, result, at in self._open]

    def done(self, states: Sequence[str]) -> None:
        """What was written is committed."""
        self.states += states
        self._open = []


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
    with runtime.database.beside():
        for claimed, text in zip(claims, texts, strict=True):
            if isinstance(text, Written):
                ours = change(runtime, claimed, {"body_sha256": text.body_sha256})
                if ours:
                    keep(runtime, claimed, text, gateway.name)
                found.append(text if ours else LeaseLost(claimed.key))
            else:
                found.append(text)
    return found


def _call(
    runtime: "Runtime", gateway: Gateway, claimed: Claim, text: Written, lease_us: int, before: Results
) -> Result:
    """Call the gateway for one message.

    Args:
        before: what came of the calls before, written down with the beginning of this one.
    """
    handed_over = False

    def about_to_send() -> None:
        nonlocal handed_over
        now_at = runtime.now_at()
        with runtime.database.beside():
            states = before.written()
            changes = {"state": "sending", "lease_until_at": now_at + lease_us, "body_sha256": text.body_sha256}
            ours = change(runtime, claimed, changes, lease_after=now_at)
            if ours and not gateway.idempotent:
                keep(runtime, claimed, text, gateway.name)
        before.done(states)
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
