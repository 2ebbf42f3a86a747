"""Claims: taking over the next due messages, each decided again in the same transaction (see ``engine.outbox``)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peewee import ModelSelect, fn

from engine import contact_times, covering, diary, door_states, sending
from engine.doors import Way
from engine.outages import outage_of
from engine.sending import Cancel, Elsewhere, Go, NoAddress, Prepare, Verdict, Wait
from engine.tables import Action, Customer, Entity
from engine.together import Together
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
    "no_template": "The template of this step is not in force; two people approve one.",
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
    "another_today": "The customer has another message by the same channel today; this one goes later.",
    "covered": "It goes along with another message to the customer.",
    "edited": "Its text was edited in another language than its contact's; a person edits it again.",
    "no_door": "Nothing is set up for this channel: a provider, an approved address or a colleague of that role.",
    "retry": "The last try failed; the next one comes by itself.",
}


def whole(gateway: Gateway) -> Way:
    """One gateway as the way out of every channel."""
    return Way(gateway.name, gateway, MESSAGE_CHANNELS)


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
    way: Way,
    prepare: Prepare | None = None,
    batch: int = BATCH,
    lease_us: int = LEASE_US,
) -> tuple[list[Claim], Tally]:
    """Take over the next due messages, after deciding each of them again.

    Args:
        way: by which they leave.
        prepare: decides one message; by default as the rules in force say, reading for all at once.
        batch: how many at most.

    Returns:
        What is to be sent now, and a tally of all rows looked at (empty: nothing was due).
    """
    with runtime.database.claiming():
        covering.let_stand_again()
        many = door_states.admitted(runtime, way, now_at, batch)
        actions = due(runtime, now_at, many, way.channels, way.entity) if many else []
        if not actions:
            return [], Tally()
        chosen = _chosen(runtime, actions, now_at, way.gateway, prepare, lease_us)
        _take(runtime, chosen.claims)
        if chosen.claims:
            door_states.charge(way, now_at, len(chosen.claims))
    return chosen.claims, chosen.tally


def _chosen(
    runtime: "Runtime", actions: Sequence[Action], now_at: int, gateway: Gateway, prepare: Prepare | None, lease_us: int
) -> "Choice":
    """Decide about due messages: all in one go, or where that fails each apart, so that one stops no other."""
    try:
        with runtime.database.atomic():
            return Choice(runtime, actions, now_at, gateway, prepare, lease_us).made()
    except Exception as error:
        if outage_of(error) is not None:
            raise  # not the messages' fault: nothing of this claim counts
        log.warning("a message cannot be prepared; each is prepared apart", exc_info=True)
    return Choice(runtime, actions, now_at, gateway, prepare, lease_us, apart=True).made()


class Choice:
    """Which of some due messages leave now; made and used inside a claim's transaction.

    Args:
        actions: in their order.
        apart: each in a savepoint of its own, so that one that fails changes nothing but itself.
    """

    def __init__(
        self,
        runtime: "Runtime",
        actions: Sequence[Action],
        now_at: int,
        gateway: Gateway,
        prepare: Prepare | None,
        lease_us: int,
        *,
        apart: bool = False,
    ) -> None:
        self._runtime, self._now_at, self._gateway, self._lease_us = runtime, now_at, gateway, lease_us
        self._beside = covering.Beside(actions, now_at, fn.EXISTS(_earlier(of_subject=True)))
        self._groups = self._beside.groups(actions)
        self._together = Together(runtime, [one for group in self._groups for one in group])
        self._decide = prepare or self._together.prepare
        self._caps = Caps(now_at)
        self._apart = apart
        self.claims: list[Claim] = []
        self.tally = Tally()

    def made(self) -> "Choice":
        """Choose; put off or cancel what does not leave."""
        for group in self._groups:
            chosen = self._of_group(group)
            if chosen is not None:
                carrier, go = chosen
                until_at = self._now_at + self._lease_us
                claimed = Claim(carrier, go, carrier.generation + 1, carrier.attempts + 1, until_at, self._now_at)
                self._caps.count(carrier)
                self._together.taken(carrier, until_at)
                self.claims.append(claimed)
                self.tally.add("claimed")
        return self

    def _of_group(self, group: Sequence[Action]) -> tuple[Action, Go] | None:
        """One message of a customer, with those that leave in it."""
        going: list[tuple[Action, Go]] = []
        for action in group:
            verdict = self._verdict(action, group)
            if isinstance(verdict, Go):
                going.append((action, verdict))
            elif action is group[0] and action.generation:
                return None  # what went along with it is claimed by itself, once its turn comes
        if not going:
            return None
        carrier = covering.carrier_of([action for action, _ in going])
        go: Verdict | None = next(go for action, go in going if action is carrier)
        covered = [action for action, _ in going if action is not carrier]
        if covered:
            covering.cover(covered, carrier)
            go = self._verdict(carrier, group)  # once more: it lists what it carries
            if not isinstance(go, Go):
                covering.release([carrier.id])
                return None
            self.tally.add("covered", len(covered))
        return (carrier, go) if isinstance(go, Go) else None

    def _verdict(self, action: Action, group: Sequence[Action]) -> Verdict | None:
        """The verdict about a message; one that it does not leave by is written down. None: it has failed."""
        if not self._apart:
            verdict = self._written_down(action, group)
        else:
            try:
                with self._runtime.database.atomic():
                    verdict = self._written_down(action, group)
            except Exception as error:
                if outage_of(error) is not None:
                    raise
                log.exception("action %s cannot be prepared", action.key)
                _give_up(action, f"the message cannot be prepared: {type(error).__name__}", self._now_at)
                self.tally.add("failed")
                return None
        if not isinstance(verdict, Go):
            self.tally.add(type(verdict).__name__.lower())
        return verdict

    def _written_down(self, action: Action, group: Sequence[Action]) -> Verdict:
        early = self._beside.wait(action, group) or self._caps.wait_of(action)
        verdict = early or self._decide(self._runtime, action, self._now_at, self._gateway)
        if not isinstance(verdict, Go):
            _put_off(self._runtime, action, verdict, self._now_at)
        return verdict


def due(
    runtime: "Runtime",
    now_at: int,
    batch: int,
    channels: Sequence[str] = MESSAGE_CHANNELS,
    only: int | None = None,
) -> list[Action]:
    """The next due messages of entities that send; of each policy and subject one.

    Args:
        channels: by which they leave.
        only: id of the entity whose they are; None: of all.
    """
    entities = {
        entity.id: entity
        for entity in Entity.select().where(Entity.sending & Entity.live_from_day.is_null(False))
        if entity.live_from_day <= runtime.today(entity) and only in (None, entity.id)
    }
    rows = (
        Action.select(Action, Customer)
        .join(Customer)
        .where(
            Action.state == "due",
            fn.COALESCE(Action.sends_by, Action.channel).in_(channels),
            Action.entity_id.in_(list(entities)),
            Action.not_before_at <= now_at,
            ~fn.EXISTS(_earlier()),
        )
        .order_by(Action.due_day, Action.id)
        .limit(batch)
    )
    actions = list(rows)
    for action in actions:
        action.customer.entity = entities[action.entity_id]  # read once for all
    return actions


def _earlier(*, of_subject: bool = False) -> ModelSelect:
    """Messages that must be over first: level 2 never before level 1, and one to a customer at a time.

    Args:
        of_subject: only those of the same policy and subject.
    """
    other = Action.alias()
    same_subject = (other.policy_key == Action.policy_key) & (other.line_id == Action.line_id)
    same_episode = same_subject & (other.episode == Action.episode)
    found = other.select(other.id).where(
        other.customer == Action.customer,
        other.channel.in_(MESSAGE_CHANNELS),
        other.covered_by.is_null(),
        other.id < Action.id,
        other.state.in_(("claimed", "sending"))
        | ((other.state == "due") & same_subject)
        | (other.state.in_(STUCK) & same_episode),
    )
    return found.where(same_subject) if of_subject else found


class Caps:
    """What the collectors may still send today; made and used inside a claim's transaction."""

    def __init__(self, now_at: int) -> None:
        self.now_at = now_at
        self._used: dict[tuple[int, int | None], int] = {}

    def wait_of(self, action: Action) -> Wait | None:
        """Put a message off until tomorrow when its collector's messages of today are used up."""
        if action.channel not in CONTACT_CHANNELS:
            return None
        entity = action.customer.entity
        start, end = sending.day_bounds(entity, self.now_at)
        key = (entity.id, action.customer.collector_id)
        if key not in self._used:
            self._used[key] = _sent_since(start, *key)
        return Wait(end, "cap") if self._used[key] >= entity.daily_cap else None

    def count(self, action: Action) -> None:
        """One was claimed."""
        if action.channel in CONTACT_CHANNELS:
            self._used[action.customer.entity_id, action.customer.collector_id] += 1


def _sent_since(start: int, entity_id: int, collector: int | None) -> int:
    """How many messages of a collector's customers were sent, or are on the way."""
    owner = Customer.collector.is_null() if collector is None else Customer.collector == collector
    own = (
        Action.select()
        .join(Customer)
        .where(Action.entity_id == entity_id, owner, Action.channel.in_(CONTACT_CHANNELS), Action.covered_by.is_null())
    )
    # Asked apart: each has an index, and joined by "or" they have none.
    on_the_way = own.where(Action.state.in_(("claimed", "sending"))).count()
    return int(on_the_way + own.where(Action.state == "sent", Action.settled_at >= start).count())


def _put_off(runtime: "Runtime", action: Action, verdict: Verdict, now_at: int) -> None:
    """Write down why a message does not leave now."""
    unclaimed = (Action.id == action.id) & (Action.state == "due")
    if isinstance(verdict, Cancel):
        changes: dict[str, Any] = {"state": "cancelled", "result": verdict.why, "settled_at": now_at}
        log.info("cancelled %s: %s", action.key, verdict.why)
    elif isinstance(verdict, Wait):
        changes = {"not_before_at": verdict.until_at, "waiting_for": verdict.why}
        contact_times.note_wait(action, verdict.why, now_at)
    elif isinstance(verdict, Elsewhere):
        changes = {"sends_by": verdict.channel}
    elif isinstance(verdict, NoAddress):
        changes = {"state": "waiting", "waiting_for": "no_address", "sends_by": None}
        diary.ask_for_contact(action, now_at, sending.business_day(runtime, action))
    else:
        raise TypeError(f"{type(verdict).__name__} is no verdict")
    Action.update(**changes, version=Action.version + 1).where(unclaimed).execute()


def _take(runtime: "Runtime", claims: Sequence[Claim]) -> None:
    """Raise the generations: from here on we own the actions. In the transaction that has chosen them."""
    for one in claims:
        taken = {"state": "claimed", "generation": one.generation, "lease_until_at": one.lease_until_at}
        taken |= {
            "attempts": one.attempt,
            "waiting_for": None,
            "edition_sent": one.go.edition,
            "result": one.go.lacking,
        }
        if change_row(runtime, {"id": one.action_id, "generation": one.generation - 1, "state": "due"}, taken) != 1:
            raise LeaseLost(one.key)


def change_row(
    runtime: "Runtime", found: Mapping[str, Any], changes: Mapping[str, Any], lease_after: int | None = None
) -> int:
    """Change an action's row, if it is still as expected; gives how many rows were: 1, or 0.

    Written by hand, since the query builder takes longer than the database.

    Args:
        found: what its columns must be, its ``id`` among them.
        changes: by column.
        lease_after: its lease must be over only after this instant.
    """
    mark = runtime.database.param
    wanted = ", ".join(f"{name} = {mark}" for name in changes)
    conditions = " and ".join(f"{name} = {mark}" for name in found)
    values = (*changes.values(), *found.values())
    if lease_after is not None:
        conditions, values = f"{conditions} and lease_until_at > {mark}", (*values, lease_after)
    sql = f"update action set {wanted}, version = version + 1 where {conditions}"  # noqa: S608 own names
    done = runtime.database.execute_sql(sql, values)
    return int(runtime.database.rows_affected(done))


def _give_up(action: Action, why: str, now_at: int) -> None:
    """Fail an action nobody has claimed."""
    Action.update(state="failed", result=why, settled_at=now_at, waiting_for=None, version=Action.version + 1).where(
        (Action.id == action.id) & (Action.generation == action.generation)
    ).execute()
    diary.raise_alarm(action, "message_failed", why, now_at)
