"""Clocks that jump: what a worker wrote down while its clock was ahead is mended once it is right again.

The latest instant any worker saw is kept. A clock that shows less was set back: leases, pauses and rests
that end in what is the future again would hold messages back for as long as the clock was ahead. Nothing
is sent by that: a message is decided again at its claim, and who holds a lease keeps it for its length.
"""

import logging

from engine.claims import LEASE_US, SECOND_US
from engine.settlements import backoff_us
from engine.tables import Action, Alarm, ClockMark, Door

log = logging.getLogger(__name__)

APART_US = 120 * SECOND_US  # the clocks of several machines may differ so much
NOTED_EACH_US = 10 * SECOND_US
AT_ONCE_MAX = 1_000  # messages whose pauses are shortened together


def is_to_note(now_at: int) -> bool:
    """Whether an instant is one to note, or earlier than what was noted; asked outside any transaction."""
    seen_at = ClockMark.select(ClockMark.seen_at).scalar()
    return seen_at is None or not seen_at - APART_US <= now_at <= seen_at + NOTED_EACH_US


def mend(now_at: int) -> int:
    """Note an instant; where the clock was set back, by how much, after mending. In the caller's transaction.

    Args:
        now_at: what the clock shows, microseconds UTC.

    Returns:
        Microseconds it was set back by, 0: it was not.
    """
    seen_at = ClockMark.select(ClockMark.seen_at).scalar()
    _shorten_leases(now_at)
    if seen_at is None:
        ClockMark.insert(id=1, seen_at=now_at).on_conflict_ignore().execute()
        return 0
    if now_at > seen_at + NOTED_EACH_US:
        ClockMark.update(seen_at=now_at).where(ClockMark.seen_at < now_at).execute()
    if now_at >= seen_at - APART_US:
        return 0
    ClockMark.update(seen_at=now_at).execute()
    _shorten(now_at)
    back_us = int(seen_at) - now_at
    _tell(back_us, now_at)
    return back_us


def _shorten_leases(now_at: int) -> None:
    """No lease is longer than one that begins now, whenever it began."""
    held = Action.state.in_(("claimed", "sending")) & (Action.lease_until_at > now_at + LEASE_US + APART_US)
    Action.update(lease_until_at=now_at + LEASE_US, version=Action.version + 1).where(held).execute()


def _shorten(now_at: int) -> None:
    """Let nothing wait longer than it would if it had begun to wait now."""
    Door.update(rests_until_at=now_at).where(Door.rests_until_at > now_at).execute()
    waits = (Action.state == "due") & (Action.not_before_at > now_at)
    retried = waits & (Action.waiting_for == "retry")
    Action.update(not_before_at=now_at, version=Action.version + 1).where(
        waits & (Action.waiting_for.is_null() | (Action.waiting_for != "retry"))
    ).execute()
    last = 0
    while True:
        rows = list(Action.select().where(retried, Action.id > last).order_by(Action.id).limit(AT_ONCE_MAX))
        for action in rows:
            until_at = now_at + backoff_us(action.key, max(1, action.attempts))
            if action.not_before_at > until_at:  # the try does not count, or two clocks apart would use all up
                Action.update(
                    not_before_at=until_at, attempts=max(0, action.attempts - 1), version=Action.version + 1
                ).where(Action.id == action.id).execute()
        if len(rows) < AT_ONCE_MAX:
            return
        last = rows[-1].id


def _tell(back_us: int, now_at: int) -> None:
    minutes = back_us // (60 * SECOND_US)
    log.warning("the clock was set back by %d minutes", minutes)
    if not Alarm.select().where(Alarm.kind == "clock", Alarm.acknowledged_at.is_null()).exists():
        text = f"a worker's clock shows {minutes} minutes less than one showed before; keep all of them on time"
        Alarm.create(kind="clock", text=text, raised_at=now_at)
