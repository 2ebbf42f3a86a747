"""What a customer's actions say of a day: sent, on their way, waiting for what, cancelled why, a person's work."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from peewee import Expression, fn

from engine import contact_times
from engine.call_results import RESULTS, WORK_CHANNELS
from engine.claims import MESSAGE_CHANNELS, STUCK
from engine.contact_times import CAP
from engine.standing_on import day_end_at, over_day
from engine.tables import Action, ActionWait, Alarm, AuditEntry, Block, Customer, Outcome, Reversal, User
from rules.contact_hours import HOLIDAY, HOURS, QUIET_DAY, holiday_name

if TYPE_CHECKING:
    from rules.book import Book

Link = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason, or one thing that happened.

    Args:
        code: names it; ``admin.silence`` has a sentence for each.
        figures: what it rests on, by name with the suffixes of the tables.
        link: kind and id of what it is about.
        rank: the smaller answers first.
    """

    code: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    link: Link | None = None
    rank: int = 50


def of_actions(customer: Customer, day: int, today: int, book: "Book | None") -> Iterator[Finding]:
    """What was under way on a day, the oldest first.

    Args:
        book: the rules and parameters of the day.
    """
    entity = customer.entity
    for action in Action.select().where(Action.customer == customer, Action.due_day <= day).order_by(Action.id):
        over = over_day(action, entity)
        if over is not None and over < day:
            continue
        if action.channel in WORK_CHANNELS:
            yield _work(action, over, day)
        elif over == day or (action.state in ("uncertain",) and day == today):
            yield _ended(action)
        elif day < today:
            yield from _waited(action, customer, day, book)
        else:
            yield _now(action, customer, day, book)


def _figures(action: Action, **more: Any) -> dict[str, Any]:
    return {"step": action.step_key, "channel": action.channel, **more}


def _work(action: Action, over: int | None, day: int) -> Finding:
    link = ("action", action.id)
    if over == day and action.state == "done":
        label = RESULTS[action.result].label if action.result in RESULTS else action.result
        return Finding("work_done", _figures(action, result=label), link, rank=55)
    if over == day:
        return Finding("work_ended", _figures(action, reason=action.result or ""), link, rank=55)
    owner = None if action.owner_id is None else User.get_by_id(action.owner_id).name
    who = {"by": owner} if owner else {"role": action.owner_role or "collector"}
    return Finding("work_open", _figures(action, since_day=action.due_day, **who), link, rank=55)


def _ended(action: Action) -> Finding:
    """A message that was over on the day."""
    link = ("action", action.id)
    if action.state == "sent" and action.covered_by:
        return _along("sent_along", action, sent_at=action.settled_at)
    if action.state == "sent":
        return Finding("sent", _figures(action, sent_at=action.settled_at), link, rank=0)
    if action.state == "uncertain":
        return Finding("uncertain", _figures(action, reason=action.receipt or ""), link, rank=1)
    if action.state == "failed":
        return Finding("failed", _figures(action, reason=action.result or ""), link, rank=2)
    return Finding("cancelled", _figures(action, reason=action.result or ""), link, rank=3)


def _along(code: str, action: Action, **more: Any) -> Finding:
    """A message that goes along with another."""
    carrier = Action.get_by_id(action.covered_by)
    return Finding(code, _figures(action, other=carrier.step_key, **more), ("action", carrier.id), rank=2)


def _now(action: Action, customer: Customer, day: int, book: "Book | None") -> Finding:
    """A message that is not over today."""
    link = ("action", action.id)
    if action.covered_by:
        return _along("covered", action)
    if action.state in ("claimed", "sending"):
        return Finding("on_its_way", _figures(action), link, rank=1)
    if action.state == "failed":
        return _ended(action)
    earlier = _earlier(action)
    if earlier is not None:
        return Finding("earlier_message", _figures(action, earlier=earlier.step_key), ("action", earlier.id), rank=4)
    if action.waiting_for:
        return waits(action.waiting_for, action, customer, day, book)
    return Finding("due_now", _figures(action), link, rank=45)


def _waited(action: Action, customer: Customer, day: int, book: "Book | None") -> Iterator[Finding]:
    """A message that was not over on a past day: what it waited for then."""
    kept = ActionWait.select().where(ActionWait.action == action, ActionWait.day == day).order_by(ActionWait.id)
    codes = [wait.why for wait in kept]
    end_at = day_end_at(customer.entity, day)
    confirmed = AuditEntry.select().where(
        AuditEntry.command == "ConfirmMessage", AuditEntry.subject_id == str(action.id), AuditEntry.at > end_at
    )
    if not codes and (action.waiting_for == "unconfirmed" or confirmed.exists()):
        codes = ["unconfirmed"]
    if not codes:
        quiet = contact_times.quiet_code(customer, action.channel, day)
        codes = [quiet] if quiet else []
    if not codes:
        earlier = _earlier_then(action, end_at)
        if earlier is not None:
            figures = _figures(action, earlier=earlier.step_key)
            yield Finding("earlier_message", figures, ("action", earlier.id), rank=4)
            return
        figures = _figures(action, due_day=action.due_day)
        figures |= {} if action.settled_at is None else {"over_at": action.settled_at}
        yield Finding("not_taken", figures, ("action", action.id), rank=45)
    for code in codes:
        yield waits(code, action, customer, day, book)


def waits(code: str, action: Action, customer: Customer, day: int, book: "Book | None") -> Finding:
    """A reason for which a message waits or waited, with the figures behind it."""
    entity, figures, link = customer.entity, _figures(action), ("action", action.id)
    if action.waiting_for == code and action.state == "due" and action.not_before_at:
        figures["until_at"] = action.not_before_at
    place = contact_times.place_of(customer, entity)
    if code == "pause":
        found = of_block("pause", customer, day)
        return Finding(found.code, {**figures, **found.figures}, found.link, rank=4)
    if code == HOURS:
        start, end = contact_times.times_of(entity).of(action.channel)
        figures |= {"from_hour": start, "until_hour": end, "zones": len(place.zones), "zone": place.zones[0]}
    elif code == HOLIDAY:
        figures |= {"day": day, "name": holiday_name(place, day) or "", "country": place.country}
    elif code == QUIET_DAY:
        figures |= {"day": day}
    elif code == CAP:
        contacts = [one for one, _ in contact_times.contacts_of(customer.id, entity) if one <= day]
        segment = Outcome.select(Outcome.segment).where(Outcome.customer == customer).scalar()
        most, days = (None if book is None else contact_times.cap_of(book, segment)) or (None, None)
        figures |= {"most": most, "days": days, "contact_day": max(contacts, default=None)}
    elif code == "cap":
        owner = None if customer.collector_id is None else User.get_by_id(customer.collector_id).name
        figures |= {"daily_cap": entity.daily_cap, "by": owner or ""}
    elif code == "retry":
        figures |= {"attempts": action.attempts, "reason": action.receipt or ""}
    elif code in ("disagreement", "undecidable"):
        alarm = (
            Alarm.select(fn.MAX(Alarm.id))
            .where(Alarm.kind == code, (Alarm.customer == customer) | (Alarm.entity_id == entity.id))
            .scalar()
        )
        link = link if alarm is None else ("alarm", int(alarm))
    return Finding(code, figures, link, rank=4)


def _earlier(action: Action) -> Action | None:
    """The message of the same customer that must be over first, as ``engine.claims`` says."""
    same_subject = _same_subject(action)
    same_episode = same_subject & (Action.episode == action.episode)
    found: Action | None = (
        Action.select()
        .where(
            Action.customer == action.customer_id,
            Action.channel.in_(MESSAGE_CHANNELS),
            Action.covered_by.is_null(),
            Action.id < action.id,
            Action.state.in_(("claimed", "sending"))
            | ((Action.state == "due") & same_subject)
            | (Action.state.in_(STUCK) & same_episode),
        )
        .order_by(Action.id)
        .first()
    )
    return found


def _same_subject(action: Action) -> Expression:
    return (Action.policy_key == action.policy_key) & (Action.line_id == action.line_id)


def _earlier_then(action: Action, at: int) -> Action | None:
    """The earlier message that was not over yet at an instant."""
    found: Action | None = (
        Action.select()
        .where(
            Action.customer == action.customer_id,
            Action.channel.in_(MESSAGE_CHANNELS),
            _same_subject(action),
            Action.id < action.id,
            Action.settled_at.is_null() | (Action.settled_at > at),
        )
        .order_by(Action.id)
        .first()
    )
    return found


# --- what both halves of an answer read ---------------------------------------------------


def name_of(user_id: int | None) -> str:
    """The name of a user; empty: the system."""
    return "" if user_id is None else str(User.get_by_id(user_id).name)


def of_block(code: str, customer: Customer, day: int) -> Finding:
    """A pause, a block or an insolvency with who set it, why and until when."""
    block = block_on(customer, day)
    if block is None:
        return Finding(code, {}, ("pauses", customer.id), rank=40)
    figures = {"reason": block.reason, "by": name_of(block.by), "since_day": block.from_day}
    figures |= {} if block.until_day is None else {"until_day": block.until_day}
    return Finding(block.kind, figures, ("pauses", customer.id), rank=40)


def block_on(customer: Customer, day: int) -> Block | None:
    """The block of a customer, or of one of its lines, that held on a day."""
    ended = Reversal.select(Reversal.target_id).where(Reversal.target == "block", Reversal.booked_day <= day)
    found: Block | None = (
        Block.select()
        .where(
            Block.customer == customer,
            Block.from_day <= day,
            Block.until_day.is_null() | (Block.until_day > day),
            Block.id.not_in(ended),
        )
        .order_by(Block.due_line.is_null().desc(), Block.id.desc())
        .first()
    )
    return found
