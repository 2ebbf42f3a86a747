"""Claims: taking over the next due messages, each decided again in the same transaction (see ``engine.outbox``)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peewee import ModelSelect, fn

from engine import contact_times, diary, sending
from engine.outages import outage_of
from engine.sending import Cancel, Go, NoAddress, Prepare, Wait
from engine.tables import Action, Customer, Entity
from notifiers.gateways import Gateway

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

SECOND_US = 1_000_000
LEASE_US = 150 * SECOND_US  # longer than a whole SMTP conversation (notifiers.smtp.CALL_SECONDS_MAX)
BATCH = 50  # actions a worker holds at a time: what a kill leaves waiting for its lease

MESSAGE_CHANNELS = ("email", "letter", "sms", "chat", "webhook", "internal")
CONTACT_CHANNELS = ("email", "letter", "sms", "chat")  # those that reach the customer: they count as a contact
IN_FLIGHT = ("due", "claimed", "sending")
STUCK = ("waiting", "uncertain", "failed")  # a person has to say something first
WAITING = {
    "unconfirmed": "A person confirms this message before it leaves.",
    "no_address": "There is no usable address; a task asks for one.",
    "no_sender": "The entity has no sender address.",
    "stopped": "A person stopped the policy; it goes on when two people say so.",
    "pause": "Dunning of this customer is paused or blocked.",
    "renamed": "The step has another name in the version that holds now; the next run sends it by that.",
    "unknown": "What the customer owes is not known: a rate is missing.",
    "undecidable": "The rules cannot be applied just now; an alarm says why.",
    "disagreement": "The executors of the rules disagreed about this customer; a person looks at it first.",
    "min_days": "The customer was contacted too few days ago.",
    "cap": "The collector's messages of the day are used up.",
    "cap_days": "The customer had as many contacts lately as one may have in so many days.",
    "hours": "It is outside the sending hours where the customer is.",
    "quiet_day": "Nothing is sent on this day of the week or on this date.",
    "holiday": "It is a public holiday where the customer is.",
    "retry": "The last try failed; the next one comes by itself.",
}


class LeaseLost(Exception):
    """Somebody else owns the action by now; nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An action this worker owns until its lease is over.

    Args:
        action: its row as it was before the claim.
        go: what is to be sent, fixed at the claim and not written out yet.
        at: when it was claimed.
    """

    action: Action
    go: Go
    generation: int
    attempt: int
    lease_until_at: int
    at: int

    @property
    def action_id(self) -> int:
        """Of the row."""
        return int(self.action.id)

    @property
    def key(self) -> str:
        """Of the action: the receiver gets it at each try."""
        return str(self.action.key)


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


def claim(
    runtime: "Runtime",
    now_at: int,
    *,
    gateway: Gateway,
    prepare: Prepare | None = None,
    batch: int = BATCH,
    lease_us: int = LEASE_US,
    channels: Sequence[str] = MESSAGE_CHANNELS,
) -> tuple[list[Claim], Tally]:
    """Take over the next due messages, after deciding each of them again.

    Args:
        channels: those that leave by this gateway.
        prepare: decides one message; by default as the rules in force say, reading for all at once.
        batch: how many at most.

    Returns:
        What is to be sent now, and a tally of all rows looked at (empty: nothing was due).
    """
    claims: list[Claim] = []
    tally = Tally()
    with runtime.database.atomic():
        actions = due(runtime, now_at, batch, channels)
        decide = prepare or sending.Together(runtime, actions).prepare
        for action in actions:
            try:
                with runtime.database.atomic():  # a message that cannot be prepared stops no other
                    verdict = _daily_cap(runtime, action, now_at) or decide(runtime, action, now_at, gateway)
                    taken = _apply(runtime, action, verdict, now_at, lease_us)
            except Exception as error:
                if outage_of(error) is not None:
                    raise  # not the message's fault: nothing of this claim counts
                log.exception("action %s cannot be prepared", action.key)
                _give_up(action, f"the message cannot be prepared: {type(error).__name__}", now_at)
                tally.add("failed")
                continue
            tally.add("claimed" if isinstance(verdict, Go) else type(verdict).__name__.lower())
            if taken is not None:
                claims.append(taken)
    return claims, tally


def due(runtime: "Runtime", now_at: int, batch: int, channels: Sequence[str] = MESSAGE_CHANNELS) -> list[Action]:
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
            Action.channel.in_(channels),
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


def _apply(runtime: "Runtime", action: Action, verdict: Any, now_at: int, lease_us: int) -> Claim | None:
    if isinstance(verdict, Go):
        return _take(action, verdict, now_at, lease_us)
    unclaimed = (Action.id == action.id) & (Action.state == "due")
    if isinstance(verdict, Cancel):
        changes: dict[str, Any] = {"state": "cancelled", "result": verdict.why, "settled_at": now_at}
        log.info("cancelled %s: %s", action.key, verdict.why)
    elif isinstance(verdict, Wait):
        changes = {"not_before_at": verdict.until_at, "waiting_for": verdict.why}
        contact_times.note_wait(action, verdict.why, now_at)
    elif isinstance(verdict, NoAddress):
        changes = {"state": "waiting", "waiting_for": "no_address"}
        diary.ask_for_contact(action, now_at, sending.business_day(runtime, action))
    else:
        raise TypeError(f"{type(verdict).__name__} is no verdict")
    Action.update(**changes, version=Action.version + 1).where(unclaimed).execute()
    return None


def _take(action: Action, go: Go, now_at: int, lease_us: int) -> Claim:
    """Raise the generation: from here on we own the action."""
    generation, lease_until_at = action.generation + 1, now_at + lease_us
    written = (
        Action.update(
            state="claimed",
            generation=generation,
            lease_until_at=lease_until_at,
            attempts=action.attempts + 1,
            waiting_for=None,
            edition_sent=go.edition,
            result=go.lacking,
            version=Action.version + 1,
        )
        .where((Action.id == action.id) & (Action.state == "due") & (Action.generation == action.generation))
        .execute()
    )
    if written != 1:
        raise LeaseLost(action.key)
    return Claim(action, go, generation, action.attempts + 1, lease_until_at, now_at)


def _give_up(action: Action, why: str, now_at: int) -> None:
    """Fail an action nobody has claimed."""
    Action.update(state="failed", result=why, settled_at=now_at, waiting_for=None, version=Action.version + 1).where(
        (Action.id == action.id) & (Action.generation == action.generation)
    ).execute()
    diary.raise_alarm(action, "message_failed", why, now_at)
