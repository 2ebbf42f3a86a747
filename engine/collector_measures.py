"""Measures of collectors: work done, promises kept, and the cash that followed a contact.

Every figure is the count or sum of rows that the caller gets too. A payment follows at most one
contact: the last one before it, within the days that a parameter gives.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import access
from engine.call_results import RESULTS, WORK_CHANNELS
from engine.claims import CONTACT_CHANNELS
from engine.desk import parameter
from engine.frames import Frames, read_rows, rows_of, schemas_of, typed_rows
from engine.hold_out import is_in_hold_out, terms_of
from engine.kept_frames import scan_frame
from engine.known import chunks
from engine.pipeline import asking
from engine.queries import Question, questions
from engine.ready_plans import PLAN_DAY, Slot, Slots
from engine.sending import contact_day, instant_of
from engine.tables import Action, AuditEntry, Credit, Customer, Entity, Promise, Reversal, Run
from ledger.state import Basis, Keep, parts_of
from scoring.arms import Compared, Member, compared

if TYPE_CHECKING:
    from engine.runtime import Runtime

AFTER_DAYS = "cash_after_days"  # the parameter
AFTER_DAYS_FIRST = 10  # while no parameter says another
ROWS_MAX = 100_000  # pieces of work of one period
PROMISES_TOGETHER = 500  # customers whose promises are read at once
PERIOD_DAYS_MAX = 366
REACHED = frozenset(code for code, result in RESULTS.items() if result.reached)
PROMISING = ("RecordPromise",)


@dataclass(frozen=True, slots=True)
class Period:
    """What is asked for.

    Args:
        from_day, until_day: half-open.
        collector: None: everybody.
        after_days: within which a payment follows a contact.
    """

    entity: Entity
    from_day: int
    until_day: int
    collector: int | None
    after_days: int


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work somebody finished.

    Args:
        kind: call | task | message | skipped.
        reached: whether it was a contact.
    """

    action: int
    by: int
    customer: int
    kind: str
    result: str
    day: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise somebody recorded, and what became of it: open | kept | broken."""

    promise: int
    by: int
    customer: int
    amount_minor: int
    currency: str
    promised_day: int
    state: str


@dataclass(frozen=True, slots=True)
class Followed:
    """One payment that followed a contact."""

    credit: int
    by: int
    customer: int
    amount_minor: int
    day: int
    contact_day: int


@dataclass(frozen=True, slots=True)
class Measures:
    """The rows behind every figure of a period.

    Args:
        other_currencies: payments left out because they are not in the entity's base currency.
        compared: customers ranked with the model beside the hold-out; None: no facts of the first day are kept.
        facts_day: the day of those facts.
    """

    period: Period
    work: tuple[Work, ...]
    promises: tuple[Promised, ...]
    followed: tuple[Followed, ...]
    other_currencies: int
    compared: Compared | None
    facts_day: int | None


def measures(runtime: "Runtime", period: Period, user: int) -> Measures:
    """Read a period, of the customers a person may see."""
    work = _work(runtime, period, user)
    followed, others = _followed(period, work)
    arms, day = _arms(runtime, period, user)
    return Measures(period, work, _promises(runtime, period, user), followed, others, arms, day)


def after_days(runtime: "Runtime", entity: Entity) -> int:
    """Within how many days a payment follows a contact."""
    return parameter(runtime, entity, runtime.today(entity), AFTER_DAYS, AFTER_DAYS_FIRST)


# --- work ------------------------------------------------------------------------------


def _instants(period: Period) -> tuple[int, int]:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(period.entity.zone)
    return instant_of(period.from_day, zone), instant_of(period.until_day, zone)


def _work(runtime: "Runtime", period: Period, user: int) -> tuple[Work, ...]:
    start, end = _instants(period)
    query = Action.select(Action).join(Customer)
    query = query.where(
        Action.entity_id == period.entity.id,
        Action.settled_at >= start,
        Action.settled_at < end,
        Action.settled_by.is_null(False),
        Action.state.in_(("done", "skipped", "sent")),
    )
    if period.collector is not None:
        query = query.where(Action.settled_by == period.collector)
    rows = access.visible_to(user, query).order_by(Action.settled_at, Action.id).limit(ROWS_MAX)
    return tuple(_piece(period, action) for action in rows)


def _piece(period: Period, action: Action) -> Work:
    day = contact_day(str(period.entity.zone), action.created_at, action.due_day, action.settled_at)
    if action.state == "skipped":
        kind, reached = "skipped", False
    elif action.channel in WORK_CHANNELS:
        kind, reached = action.channel, action.result in REACHED
    else:
        kind, reached = "message", action.channel in CONTACT_CHANNELS
    result = action.result if kind in WORK_CHANNELS else action.state
    return Work(action.id, action.settled_by_id, action.customer_id, kind, str(result or ""), day, reached)


# --- promises --------------------------------------------------------------------------


def _promises(runtime: "Runtime", period: Period, user: int) -> tuple[Promised, ...]:
    start, end = _instants(period)
    entries = AuditEntry.select(AuditEntry.subject_id, AuditEntry.actor_id).where(
        AuditEntry.command.in_(PROMISING),
        AuditEntry.at >= start,
        AuditEntry.at < end,
        AuditEntry.entity_id == period.entity.id,
        AuditEntry.actor_id.is_null(False),
    )
    if period.collector is not None:
        entries = entries.where(AuditEntry.actor_id == period.collector)
    recorded_by = {int(subject): actor for subject, actor in entries.tuples() if str(subject).isdigit()}
    back = Reversal.select(Reversal.target_id).where(Reversal.target == "promise")
    found: list[Promise] = []
    for some in chunks(sorted(recorded_by)):
        query = Promise.select(Promise).join(Customer).where(Promise.id.in_(some), Promise.id.not_in(back))
        found += list(access.visible_to(user, query).order_by(Promise.id))
    states = promise_states_of(runtime, period.entity, sorted({promise.customer_id for promise in found}))
    return tuple(
        Promised(
            promise=promise.id,
            by=recorded_by[promise.id],
            customer=promise.customer_id,
            amount_minor=promise.amount_minor,
            currency=promise.currency,
            promised_day=promise.promised_day,
            state=states[promise.id],
        )
        for promise in found
        if promise.id in states
    )


def promise_states_of(runtime: "Runtime", entity: Entity, customers: Sequence[int]) -> dict[int, str]:
    """What became of the promises of some customers, by id: open | kept | broken."""
    basis = asking(runtime, entity, runtime.today(entity)).basis
    tables = questions(Question(entity_id=entity.id, as_of_day=basis.as_of_day, zone=entity.zone), runtime.database)
    lasting = replace(basis, as_of_day=PLAN_DAY)
    slots = Slots(lambda: Slot(schemas_of(tables), lambda frames, keep: _states(frames, lasting, keep)), 1)
    found: dict[int, str] = {}
    for some in chunks(list(customers), PROMISES_TOGETHER):
        with slots.slot() as slot:
            rows = rows_of(slot.answer(typed_rows(tables, read_rows(runtime, tables, some)), basis.as_of_day))
        for row in rows:
            found[row["id"]] = "broken" if row["is_broken"] else "open" if row["rest_minor"] else "kept"
    return found


def _states(frames: Frames, basis: Basis, keep: Keep) -> nw.LazyFrame[Any]:
    return parts_of(frames, basis, keep).promises.select("id", "is_broken", "rest_minor")


# --- cash after contact ----------------------------------------------------------------


def _followed(period: Period, work: Iterable[Work]) -> tuple[tuple[Followed, ...], int]:
    contacts: dict[int, list[tuple[int, int]]] = {}
    for piece in work:
        if piece.reached:
            contacts.setdefault(piece.customer, []).append((piece.day, piece.by))
    for days in contacts.values():
        days.sort()
    found, others = [], 0
    for credit in _payments(sorted(contacts), period.from_day, period.until_day + period.after_days):
        before = bisect_left(contacts[credit.customer_id], (credit.booked_day, 0)) - 1
        if before < 0:
            continue
        day, by = contacts[credit.customer_id][before]
        if credit.booked_day - day > period.after_days:
            continue
        if credit.currency != period.entity.currency:
            others += 1
            continue
        found.append(Followed(credit.id, by, credit.customer_id, credit.amount_minor, credit.booked_day, day))
    return tuple(found), others


def _payments(customers: Sequence[int], from_day: int, until_day: int) -> Iterable[Credit]:
    """Payments booked from a day on to a day, both included, that were not taken back."""
    back = Reversal.select(Reversal.target_id).where(Reversal.target == "credit")
    for some in chunks(customers):
        yield from (
            Credit.select()
            .where(
                Credit.customer.in_(some),
                Credit.kind == "payment",
                Credit.booked_day >= from_day,
                Credit.booked_day <= until_day,
                Credit.id.not_in(back),
            )
            .order_by(Credit.booked_day, Credit.id)
        )


# --- beside the hold-out ---------------------------------------------------------------


def _arms(runtime: "Runtime", period: Period, user: int) -> tuple[Compared | None, int | None]:
    """What came in of what was overdue when the period began, ranked with the model and in the hold-out."""
    share_bp, seed = terms_of(asking(runtime, period.entity, period.from_day).edition.book.parameters)
    found = _overdue_then(runtime, period)
    if found is None or not share_bp:
        return None, None
    overdue, day = found
    query = access.visible_to(user, Customer.select(Customer.id, Customer.customer_group))
    query = query.where(Customer.entity == period.entity)
    if period.collector is not None:
        query = query.where(Customer.collector == period.collector)
    groups = {customer: group for customer, group in query.tuples() if customer in overdue}
    came: dict[int, int] = dict.fromkeys(groups, 0)
    for credit in _payments(sorted(groups), day, period.until_day - 1):
        if credit.currency == period.entity.currency:
            came[credit.customer_id] += credit.amount_minor
    arms: tuple[list[Member], list[Member]] = ([], [])
    for customer, group in sorted(groups.items()):
        cluster = f"c{customer}" if group is None else f"g{group}"
        member = Member(cluster, overdue[customer], min(came[customer], overdue[customer]))
        arms[is_in_hold_out(customer, group, share_bp, seed)].append(member)
    return compared(*arms, seed), day


def _overdue_then(runtime: "Runtime", period: Period) -> tuple[Mapping[int, int], int] | None:
    """What each customer had overdue when the period began, from the first facts kept since then."""
    runs = Run.select().where(
        Run.entity == period.entity,
        Run.kind != "event",
        Run.state == "done",
        Run.facts_file.is_null(False),
        Run.as_of_day >= period.from_day,
        Run.as_of_day < period.until_day,
    )
    for run in runs.order_by(Run.as_of_day, Run.id).limit(1):
        try:
            frame = scan_frame(runtime, str(run.facts_file))
        except FileNotFoundError:
            return None
        rows = rows_of(frame.filter(nw.col("overdue_minor") > 0).select("customer_id", "overdue_minor"))
        return {row["customer_id"]: int(row["overdue_minor"]) for row in rows}, run.as_of_day
    return None
