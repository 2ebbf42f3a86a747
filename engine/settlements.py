"""Settlements: what becomes of an action after the call, if it is still ours.

Each names the generation it belongs to, so a worker that wakes after its lease changes nothing.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine import covering, diary
from engine.claims import SECOND_US, Claim, LeaseLost, change_row
from engine.contact_times import note_wait
from engine.database import update_rows
from engine.pauses import jittered
from engine.reaching import refuse
from engine.tables import Action, Message
from notifiers.gateways import Doubtful, Receipt, Rejected, Unreachable

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 40  # with BACKOFF more than 24 hours of a provider that is down
BACKOFF_US = 60 * SECOND_US  # after the first failure, doubled after each further one
BACKOFF_MAX_US = 3_600 * SECOND_US


class Unwritable(Exception):
    """The message cannot be written; a person must see to it."""


Result = Receipt | Unreachable | Rejected | Doubtful | LeaseLost | Unwritable


def settle(runtime: "Runtime", claimed: Claim, result: Result, at: int | None = None) -> str:
    """Write down what came of a call, in the caller's transaction.

    Args:
        at: when it came; None: now.

    Returns:
        sent, due (tried again later), unreachable (the same, and so would be all others),
        uncertain, failed, or lost (the lease was over: another worker owns it).
    """
    if isinstance(result, Receipt):
        return _sent(runtime, claimed, result, runtime.now_at() if at is None else at)
    if isinstance(result, Unreachable):
        state = _retry(runtime, claimed, str(result))
        return "unreachable" if result.for_all and state == "due" else state
    if isinstance(result, Rejected):
        return _refused(runtime, claimed, result)
    if isinstance(result, Doubtful):
        return _doubt(runtime, claimed, str(result))
    if isinstance(result, LeaseLost):
        return "lost"
    return _fail(runtime, claimed, str(result))


def fence(claimed: Claim) -> dict[str, Any]:
    """Whoever takes an action over raises its generation, so an older claim finds no row."""
    return {"id": claimed.action_id, "generation": claimed.generation}


def change(runtime: "Runtime", claimed: Claim, changes: Mapping[str, Any], lease_after: int | None = None) -> bool:
    """Write a change of state if the action is still ours; False: another worker owns it."""
    written = change_row(runtime, fence(claimed), changes, lease_after)
    if written != 1:
        log.warning("%s generation %d is not ours any more", claimed.key, claimed.generation)
    return written == 1


def release(runtime: "Runtime", claims: Iterable[Claim]) -> None:
    """Give back what was claimed and not tried; it costs no attempt."""
    with runtime.database.atomic():
        for claimed in claims:
            changes = {"state": "due", "waiting_for": "retry", "attempts": claimed.attempt - 1}
            change_row(runtime, fence(claimed), changes)


def _sent(runtime: "Runtime", claimed: Claim, receipt: Receipt, at: int) -> str:
    at = max(at, claimed.at)  # the clock may have been set back meanwhile: caps count this day
    changes = {"state": "sent", "receipt": receipt.answer, "settled_at": at, "waiting_for": None}
    if not change(runtime, claimed, changes):
        _note_late_delivery(claimed, at)
        return "lost"
    values = (at, receipt.gateway, claimed.action_id)
    update_rows(runtime.database, Message, ("sent_at", "gateway"), ("action_id",), [values])
    diary.feed_standing(claimed.action, "sent", at)
    return "sent"


def _retry(runtime: "Runtime", claimed: Claim, why: str) -> str:
    """Put an action back, to be tried again after a while, or give it up after too many tries."""
    now_at = runtime.now_at()
    if claimed.attempt >= ATTEMPTS_MAX:
        return _fail(runtime, claimed, f"given up after {ATTEMPTS_MAX} tries: {why}")
    pause = backoff_us(claimed.key, claimed.attempt)
    changes = {"state": "due", "receipt": why, "not_before_at": now_at + pause, "waiting_for": "retry"}
    ours = change(runtime, claimed, changes)
    if ours:
        note_wait(claimed.action, "retry", now_at)
    return "due" if ours else "lost"


def _refused(runtime: "Runtime", claimed: Claim, error: Rejected) -> str:
    """A refused address is not used again; the customer's next contact gets the message, or a task asks for one."""
    if not error.address_is_bad:
        return _fail(runtime, claimed, str(error))
    changes = {"state": "due", "receipt": str(error), "attempts": 0, "waiting_for": "no_address"}
    ours = change(runtime, claimed, changes)
    if ours:
        refuse(claimed.go.person, claimed.action.way)
    return "due" if ours else "lost"


def _fail(runtime: "Runtime", claimed: Claim, why: str) -> str:
    now_at = runtime.now_at()
    changes = {"state": "failed", "result": why, "settled_at": now_at, "waiting_for": None}
    ours = change(runtime, claimed, changes)
    if ours:
        diary.raise_alarm(claimed.action, "message_failed", why, now_at)
        covering.release([claimed.action_id])
    return "failed" if ours else "lost"


def _doubt(runtime: "Runtime", claimed: Claim, why: str) -> str:
    ours = change(runtime, claimed, {"state": "uncertain", "receipt": why, "waiting_for": None})
    if ours:
        diary.raise_alarm(claimed.action, "message_uncertain", why, runtime.now_at())
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
    return jittered(min(BACKOFF_MAX_US, BACKOFF_US << min(attempt - 1, 20)), f"{key}#{attempt}")
