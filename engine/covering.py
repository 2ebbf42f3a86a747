"""Several policies, one letter: due steps of a customer leave in one message by each channel.

At a claim the due messages to a customer by one channel, of whatever policies and due lines, are decided
together. The most severe carries the others: they are ``claimed`` with it, without a lease, and name it
in ``covered_by``. Once it is sent they are sent; if it fails or is cancelled they are due again. A
message that was claimed before takes nobody new along: its receiver may know it already. Nor does one
leave on a day on which the customer had another by the same channel. Source: semantics.md 4.
"""

from collections.abc import Iterable, Sequence

from peewee import Expression

from engine import sending
from engine.payment_plans import AGREED
from engine.queries import DAY_US
from engine.sending import Wait
from engine.tables import Action, Customer, Entity, Message, database

COVERED = "covered"  # why a message waits: it goes along with another
ANOTHER = "another_today"
SOON_US = 60 * 1_000_000  # until the next look while another message is under way
CARRYING = ("due", "claimed", "sending", "uncertain")  # what goes along waits with these
SEEN = (*CARRYING, "sent")


class Beside:
    """The other messages to the customers of one claim, read at once; of channels that reach a customer.

    Args:
        actions: what may be claimed, in its order.
        now_at: microseconds UTC.
        earlier: says in SQL whether a message must wait for an earlier one of its own policy and subject.
    """

    def __init__(self, actions: Sequence[Action], now_at: int, earlier: Expression) -> None:
        from engine.claims import CONTACT_CHANNELS

        self._now_at, self._earlier, self._channels = now_at, earlier, CONTACT_CHANNELS
        customers = [action.customer_id for action in actions if action.channel in CONTACT_CHANNELS]
        self._others: dict[tuple[int, str], list[Action]] = {}
        rows = Action.select().where(
            Action.customer.in_(customers),
            Action.channel.in_(CONTACT_CHANNELS),
            Action.covered_by.is_null(),
            Action.state.in_(SEEN),
            Action.settled_at.is_null() | (Action.settled_at > now_at - 2 * DAY_US),
        )
        for row in rows if customers else ():
            self._others.setdefault((row.customer_id, row.way), []).append(row)

    def groups(self, actions: Sequence[Action]) -> list[list[Action]]:
        """The actions, each with the due messages that may leave in one with it."""
        found: list[list[Action]] = []
        taken: set[int] = set()
        for action in actions:
            if action.id not in taken:
                found.append(self._group(action))
                taken.update(one.id for one in found[-1])
        return found

    def _group(self, action: Action) -> list[Action]:
        if action.generation:
            return [action, *release([action.id])]
        fresh = [
            other.id
            for other in ([] if action.step_key == AGREED else self._of(action))
            if other.step_key != AGREED
            and other.state == "due"
            and not other.generation
            and other.not_before_at <= self._now_at
        ]
        if not fresh:
            return [action]
        rows = Action.select(Action, Customer).join(Customer).where(Action.id.in_(fresh), ~self._earlier)
        return [action, *rows.order_by(Action.id)]

    def wait(self, action: Action, group: Sequence[Action]) -> Wait | None:
        """Why a message must not go now because of another to its customer by its channel; None: it may.

        Messages of the same policy and subject keep their own order; those of its group leave with it.
        """
        if action.step_key == AGREED:
            return None  # it confirms what was agreed and asks for nothing anew
        along = {one.id for one in group}
        others = [other for other in self._of(action) if not (other.id in along or _is_alike(other, action))]
        if not others:
            return None
        tomorrow = sending.day_bounds(Entity.get_by_id(action.entity_id), self._now_at)[1]
        until_at = max(self._until_at(other, action, tomorrow) for other in others)
        return Wait(until_at, ANOTHER) if until_at > self._now_at else None

    def _of(self, action: Action) -> list[Action]:
        others = self._others.get((action.customer_id, action.way), [])
        return [other for other in others if other.id != action.id]

    def _until_at(self, other: Action, action: Action, tomorrow: int) -> int:
        """Until when another message stands in the way; 0: it does not."""
        soon = self._now_at + SOON_US
        if other.state == "due":  # tried before it goes first, the older of two; unless it waits for another day
            first = other.generation and (not action.generation or other.id < action.id)
            return max(other.not_before_at, soon) if first and other.not_before_at < tomorrow else 0
        if other.state in ("claimed", "sending"):
            return max(other.lease_until_at or 0, soon)
        at = other.settled_at
        if other.state == "uncertain":
            at = Message.select(Message.composed_at).where(Message.action == other.id).scalar()
        today = sending.day_at(action, self._now_at)
        if at is None:
            return 0
        # What a clock that was ahead settled counts as today's.
        return tomorrow if at > self._now_at or sending.day_at(other, at) == today else 0


def _is_alike(one: Action, other: Action) -> bool:
    return (one.policy_key, one.line_id) == (other.policy_key, other.line_id)


def carrier_of(actions: Iterable[Action]) -> Action:
    """The message that carries the others: one tried before, else the most severe, else the whole account's."""
    return min(actions, key=lambda one: (one.generation == 0, -one.level, one.line_id != 0, one.id))


def cover(covered: Sequence[Action], carrier: Action) -> None:
    """Let due messages go along with another; in the claim's transaction."""
    Action.update(state="claimed", covered_by=carrier.id, waiting_for=COVERED, version=Action.version + 1).where(
        Action.id.in_([action.id for action in covered]), Action.state == "due"
    ).execute()


def release(carriers: Sequence[int]) -> list[Action]:
    """Make due again what goes along with some messages; what that was."""
    riding = Action.covered_by.in_(list(carriers)) & (Action.state == "claimed")
    ids = [number for (number,) in Action.select(Action.id).where(riding).tuples()] if carriers else []
    if not ids:
        return []
    Action.update(state="due", covered_by=None, waiting_for=None, version=Action.version + 1).where(
        Action.id.in_(ids)
    ).execute()
    return list(Action.select(Action, Customer).join(Customer).where(Action.id.in_(ids)).order_by(Action.id))


def let_stand_again() -> int:
    """Make due again what went along with a message that leaves no more; how many."""
    carrier = Action.alias()
    over = (
        Action.select(Action.covered_by)
        .join(carrier, on=(Action.covered_by == carrier.id))
        .where(Action.state == "claimed", carrier.state.not_in(SEEN))
    )
    return len(release([number for (number,) in over.distinct().tuples()]))


def settle_with(carrier_id: int, at: int) -> None:
    """What went along with a message that is sent now is sent; in the same transaction."""
    from engine import diary

    # Asked by hand, since it is asked for every message and the query builder takes longer than the database.
    asked = f"select id from action where covered_by_id = {database.param} and state = 'claimed'"  # noqa: S608 own names
    numbers = [number for (number,) in database.execute_sql(asked, (carrier_id,)).fetchall()]
    if not numbers:
        return
    riding = list(Action.select().where(Action.id.in_(numbers)))
    carrier = Action.get_by_id(carrier_id)
    for action in riding:
        Action.update(
            state="sent",
            settled_at=at,
            waiting_for=None,
            receipt=carrier.receipt,
            edition_sent=carrier.edition_sent,
            version=Action.version + 1,
        ).where(Action.id == action.id).execute()
        diary.feed_standing(action, "sent", at)
