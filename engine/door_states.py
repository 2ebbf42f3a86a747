"""Door states: how fast each way out may be used, and when one that fails is left alone.

All workers share them in the database. After some failures in a row a way rests, twice as long each
time and by a quarter more or less; then one message probes it. A way that is down or slow therefore
never delays another, and a provider that is back is not asked by all its clients at one instant.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peewee import fn

from engine.door_settings import LIMITS
from engine.doors import ClosedGateway, Way, ways_of
from engine.pauses import jittered
from engine.tables import Action, Door, Message

if TYPE_CHECKING:
    from engine.runtime import Runtime

SECOND_US = 1_000_000
WINDOW_US = 60 * SECOND_US
FAILURES_MAX = 3  # in a row; then it rests
REST_US = 60 * SECOND_US  # doubled after each further failure
REST_MAX_US = 3_600 * SECOND_US
PROBE_US = 150 * SECOND_US  # how long others wait for what a probe brings
NOTED_EACH_US = 60 * SECOND_US  # a success is written down so often at most
TURN_US = 20 * SECOND_US  # how long a way out may keep a worker from the others
ERROR_LENGTH_MAX = 300


def limit_of(runtime: "Runtime", way: Way) -> int:
    """Messages a minute."""
    return dict(runtime.settings.limits).get(way.gateway.name, LIMITS.get(way.gateway.name, LIMITS["mailbox"]))


def admitted(runtime: "Runtime", way: Way, now_at: int, wanted: int) -> int:
    """How many messages may be claimed for a way now; in the claim's transaction."""
    door = Door.get_or_none(Door.name == way.name)
    if door is None:
        return min(wanted, limit_of(runtime, way))
    if door.rests_until_at is not None and door.rests_until_at > now_at:
        return 0
    left = limit_of(runtime, way) - (door.used if _same_window(door, now_at) else 0)
    return max(0, min(wanted, left, 1 if door.failures >= FAILURES_MAX else wanted))


def charge(way: Way, now_at: int, many: int) -> None:
    """Count claimed messages; in the claim's transaction. A probe keeps others away until it is back."""
    door, _ = Door.get_or_create(name=way.name)
    fresh = not _same_window(door, now_at)
    changes = {"window_at": now_at if fresh else door.window_at, "used": many + (0 if fresh else door.used)}
    if door.failures >= FAILURES_MAX:
        changes["rests_until_at"] = now_at + PROBE_US
    Door.update(**changes).where(Door.name == way.name).execute()


def is_noted(way: Way, now_at: int) -> bool:
    """Whether a success by it needs no note: the last one was noted lately, and nothing has failed since."""
    door = Door.get_or_none(Door.name == way.name)
    if door is None or door.failures or door.last_success_at is None:
        return False
    return bool(0 <= now_at - door.last_success_at < NOTED_EACH_US)


def note_success(way: Way, now_at: int) -> None:
    """Something left by it: it rests no more."""
    Door.get_or_create(name=way.name)
    if not is_noted(way, now_at):
        Door.update(failures=0, rests_until_at=None, last_success_at=now_at).where(Door.name == way.name).execute()


def note_failure(way: Way, now_at: int, error: str) -> None:
    """It failed, as it would have for any message; after some times it rests."""
    door, _ = Door.get_or_create(name=way.name)
    failures = door.failures + 1
    rests = now_at + jittered(rest_us(failures), f"{way.name}#{now_at}") if failures >= FAILURES_MAX else None
    Door.update(
        failures=failures, rests_until_at=rests, last_failure_at=now_at, last_error=error[:ERROR_LENGTH_MAX]
    ).where(Door.name == way.name).execute()


def rest_us(failures: int) -> int:
    """How long a way rests after so many failures in a row, before jitter.

    >>> [rest_us(failures) // SECOND_US for failures in (2, 3, 4, 5, 9, 60)]
    [0, 60, 120, 240, 3600, 3600]
    """
    return 0 if failures < FAILURES_MAX else min(REST_MAX_US, REST_US << min(failures - FAILURES_MAX, 20))


def _same_window(door: Door, now_at: int) -> bool:
    """Whether messages are still counted in the window that was opened; a clock set back opens another."""
    return bool(0 <= now_at - door.window_at < WINDOW_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState:
    """How a way out fares, to be shown.

    Args:
        name: of the way.
        gateway: by which it leads.
        channels: whose messages leave by it.
        state: open, resting, failing (it failed last, and is tried on), or closed (nothing is set up).
        rests_until_at: while it rests.
        waiting: messages that are due by it.
        sent_today: in the last 24 hours.
        limit: messages a minute.
    """

    name: str
    gateway: str
    channels: tuple[str, ...]
    state: str
    rests_until_at: int | None
    last_success_at: int | None
    last_failure_at: int | None
    last_error: str | None
    waiting: int
    sent_today: int
    limit: int


def door_states(runtime: "Runtime") -> list[DoorState]:
    """How every way out fares now."""
    now_at = runtime.now_at()
    doors = {door.name: door for door in Door.select()}
    by_channel = fn.COALESCE(Action.sends_by, Action.channel)
    counted = fn.COUNT(Action.id)
    waiting = _counted(Action.select(by_channel, Action.entity_id, counted).where(Action.state == "due"))
    sent = _counted(
        Action.select(by_channel, Action.entity_id, counted)
        .join(Message, on=(Message.action == Action.id))
        .where(Action.state == "sent", Action.settled_at > now_at - 86_400 * SECOND_US)
    )
    found = []
    for way in ways_of(runtime):
        door = doors.get(way.name) or Door(name=way.name)
        found.append(
            DoorState(
                name=way.name,
                gateway=way.gateway.name,
                channels=way.channels,
                state=_state(way, door, now_at),
                rests_until_at=door.rests_until_at,
                last_success_at=door.last_success_at,
                last_failure_at=door.last_failure_at,
                last_error=door.last_error if door.failures else None,
                waiting=_of(way, waiting),
                sent_today=_of(way, sent),
                limit=limit_of(runtime, way),
            )
        )
    return found


def _counted(query: object) -> dict[tuple[str, int], int]:
    by_channel = fn.COALESCE(Action.sends_by, Action.channel)
    rows = query.group_by(by_channel, Action.entity_id).tuples()  # type: ignore[attr-defined]
    return {(channel, entity): many for channel, entity, many in rows}


def _of(way: Way, counts: dict[tuple[str, int], int]) -> int:
    return sum(
        many for (channel, entity), many in counts.items() if channel in way.channels and way.entity in (None, entity)
    )


def _state(way: Way, door: Door, now_at: int) -> str:
    if isinstance(way.gateway, ClosedGateway):
        return "closed"
    if door.rests_until_at is not None and door.rests_until_at > now_at:
        return "resting"
    return "failing" if door.failures else "open"
