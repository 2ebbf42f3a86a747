"""Where a customer stood on a day, and what the rules said of it then: today's facts, a stored day's, or rebuilt."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import narwhals as nw

from engine import contact_times, frames, kept_frames, sending
from engine.differences import STAGE_OUTCOMES
from engine.editions import Unusable, edition_of
from engine.pipeline import Asking, asking, facts_of
from engine.tables import Action, Customer, Decision, Entity, Run
from rules import reference
from rules.book import Book, BookStage
from rules.escalation import Plan
from rules.reference import Decided
from rules.standing import Contacted, Event, Stand, event_of, fold_all

if TYPE_CHECKING:
    from engine.runtime import Runtime

ESCALATION = "escalation"


@dataclass(frozen=True, slots=True)
class Stood:
    """A customer on a day.

    Args:
        row: the facts of the day.
        decided: what the rules in force on it make of them.
        book: those rules, with the parameters of the day.
        stage: of the escalation; None: no escalation policy was in force.
        run: the portfolio run of the day, if there was one.
        rebuilt: the day's facts are not stored any more; they were computed again from the ledger and
            the decisions of the days before.
    """

    row: Mapping[str, Any]
    decided: Decided
    book: Book
    stage: BookStage | None
    run: Run | None
    rebuilt: bool = False

    @property
    def plan(self) -> Plan | None:
        """The escalation's plan."""
        return None if self.stage is None else self.stage.plan


def portfolio_run(entity: Entity, day: int) -> Run | None:
    """The run that decided, or is deciding, a day for the whole portfolio."""
    found: Run | None = (
        Run.select()
        .where(Run.entity == entity, Run.as_of_day == day, Run.kind != "event", Run.state != "superseded")
        .order_by(Run.id.desc())
        .first()
    )
    return found


def stands_now(ask: Asking, row: Mapping[str, Any], decided: Decided) -> Stood:
    """Where a customer stands today, by facts and a decision that are there already."""
    return _stood(row, ask, portfolio_run(ask.entity, ask.as_of_day), decided=decided)


def stood_on(runtime: "Runtime", customer: Customer, day: int) -> Stood | None:
    """Where a customer stood on a day; None: no rules were in force that could say so."""
    entity = customer.entity
    run = portfolio_run(entity, day)
    try:
        if day >= runtime.today(entity):
            return _of(runtime, asking(runtime, entity, day), customer, run)
        kept = _kept(runtime, customer, run)
        if kept is not None:
            return kept
        edition = None if run is None or run.edition is None else edition_of(runtime, entity, run.edition, day)
        ask = asking(runtime, entity, day, edition)
        (row,) = facts_of(runtime, ask, [customer.id])
        before = _before(customer, entity, ask, row)
        return _stood({**row, **before}, ask, run, rebuilt=True)
    except (Unusable, KeyError):
        return None


def _of(runtime: "Runtime", ask: Asking, customer: Customer, run: Run | None) -> Stood:
    (row,) = facts_of(runtime, ask, [customer.id])
    return _stood(row, ask, run)


def _stood(
    row: Mapping[str, Any], ask: Asking, run: Run | None, *, rebuilt: bool = False, decided: Decided | None = None
) -> Stood:
    book = ask.edition.book
    said = reference.decide(row, book) if decided is None else decided
    return Stood(row, said, book, book.stages.get(ESCALATION), run, rebuilt)


def _kept(runtime: "Runtime", customer: Customer, run: Run | None) -> Stood | None:
    """From the frame its run stored."""
    if run is None or not run.facts_file or not run.edition:
        return None
    try:
        frame = kept_frames.scan_frame(runtime, run.facts_file)
    except FileNotFoundError:  # frames are kept for a time only
        return None
    rows = frames.rows_of(frame.filter(nw.col("customer_id") == nw.lit(customer.id, dtype=nw.Int64)))
    if not rows:
        return None
    edition = edition_of(runtime, customer.entity, run.edition, run.as_of_day)
    return _stood(rows[0], asking(runtime, customer.entity, run.as_of_day, edition), run)


def _before(customer: Customer, entity: Entity, ask: Asking, row: Mapping[str, Any]) -> dict[str, Any]:
    """What stood on the evening before, in place of what stands now."""
    day, outcomes, events = ask.as_of_day, dict[str, Any](), list[Event]()
    decisions = Decision.select(Decision.changes, Decision.as_of_day).where(
        Decision.customer == customer, Decision.line_id == 0, Decision.as_of_day < day
    )
    for changes, decided_day in decisions.order_by(Decision.id).tuples():
        parsed = json.loads(changes)
        for stage in STAGE_OUTCOMES:
            outcomes.update(parsed.get(stage, {}).get("after", {}))
        event = event_of(parsed, decided_day) if parsed.get("standing_of") == ask.edition.policy_key else None
        if event is not None:
            events.append(event)
    contacts = [contact for contact, _ in contact_times.contacts_of(customer.id, entity) if contact <= day]
    stand = fold_all([*events, *(Contacted(day=contact) for contact in contacts)])
    return {
        **{f"previous_{name}": value for name, value in outcomes.items()},
        "previous_level": stand.level,
        "previous_step": stand.step_key,
        "episode_open": stand.open,
        "same_leader": stand.leader_line_id is not None and stand.leader_line_id == row.get("leader_line_id"),
        "raised_today": False,
        "step_finished": _finished(customer, entity, ask, stand),
        "at_since_day": stand.since_day,
        "at_last_contact_day": stand.last_contact_day,
        "days_since_contact": day - max(contacts) if contacts else None,
    }


def _finished(customer: Customer, entity: Entity, ask: Asking, stand: Stand) -> bool:
    """Whether the step reached was over by the day."""
    rows = Action.select().where(
        Action.customer == customer,
        Action.line_id == 0,
        Action.policy_key == ask.edition.policy_key,
        Action.episode == stand.episode,
        Action.step_key == stand.step_key,
    )
    holding = [one for one in rows if one.blocks or one.channel not in ("call", "task")]
    return all(over_day(one, entity) is not None and (over_day(one, entity) or 0) < ask.as_of_day for one in holding)


def over_day(action: Action, entity: Entity) -> int | None:
    """The business day on which an action was over; None: it is not."""
    if action.settled_at is None:
        return None
    return sending.contact_day(entity.zone, action.created_at, action.due_day, action.settled_at)


def day_end_at(entity: Entity, day: int) -> int:
    """The last instant of an entity's day, microseconds UTC."""
    return sending.instant_of(day + 1, ZoneInfo(entity.zone)) - 1
