"""The recheck at claim: is the step of an action still due, under the edition in force now?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine import line_rows, pipeline, sending
from engine.frames import Frames
from engine.tables import Action, Alarm, Entity
from rules import reference
from rules.escalation import Move, Wait
from rules.policies import Step
from rules.reference import Decided

if TYPE_CHECKING:
    from engine.pipeline import Asking
    from engine.runtime import Runtime

ESCALATION = "escalation"
# Reasons for which a step is over for now; the standing decides later whether it comes again.
OVER = {
    Wait.PROMISE.value: "what is overdue is promised",
    Wait.DISPUTE.value: "what is overdue is disputed",
    Wait.EXCLUDED.value: "the policy leaves this customer alone now",
    Wait.LEFT_ALONE.value: "a person tied the customer to no scenario",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the recheck found.

    Args:
        cancelled: why the step is not due any more, or None.
        waiting_for: why it must wait, a key of ``engine.outbox.WAITING``, or None.
        until_at: until when; None: the next day.
        edition: sha256 of the edition it was decided again under.
    """

    cancelled: str | None = None
    waiting_for: str | None = None
    until_at: int | None = None
    edition: str


@dataclass(frozen=True, slots=True)
class Read:
    """Facts of some customers of one entity, as the claim's transaction sees them.

    Args:
        ask: the question they answer.
        rows: by customer.
        of_lines: the same question about due lines; None where no policy decides them, or nobody asks.
        lines: rows of due lines, by line.
        frames: what the rows were computed from, for what else is asked of it.
        disagreed: customers about whom the executors disagreed and nobody has looked at it yet.
    """

    ask: "Asking"
    rows: Mapping[int, dict[str, Any]]
    frames: Frames
    disagreed: frozenset[int]
    of_lines: "Asking | None" = None
    lines: Mapping[int, dict[str, Any]] = field(default_factory=dict)


def read(runtime: "Runtime", entity: Entity, day: int, customers: Sequence[int], of_lines: Sequence[int] = ()) -> Read:
    """Read what deciding some customers again needs; many cost hardly more than one.

    Args:
        of_lines: the customers of whom due lines are decided again as well.
    """
    ask = pipeline.asking(runtime, entity, day)
    found, frames = pipeline.facts_and_frames_of(runtime, ask, customers)
    rows, disagreed = {row["customer_id"]: row for row in found}, _disagreed(customers)
    ask_lines = line_rows.asking_of_lines(ask) if of_lines else None
    if ask_lines is None:
        return Read(ask, rows, frames, disagreed)
    own = [rows[customer] for customer in dict.fromkeys(of_lines) if customer in rows]
    decided = {row["customer_id"]: reference.decide(row, ask.edition.book) for row in own}
    lines = line_rows.rows_of_customers(runtime, ask_lines, own, decided)
    return Read(ask, rows, frames, disagreed, ask_lines, {row["line_id"]: row for row in lines})


def check(runtime: "Runtime", action: Action, entity: Entity, facts: Read) -> Checked:
    """Decide the customer, or due line, of an action again, from facts read in the same transaction."""
    ask = facts.ask
    edition = ask.edition.sha256
    row = facts.rows.get(action.customer_id)
    if row is None:
        return Checked(cancelled="the customer has no account any more", edition=edition)
    if action.line_id:
        if facts.of_lines is None:
            return Checked(cancelled="no policy decides invoices any more", edition=edition)
        ask, row = facts.of_lines, facts.lines.get(action.line_id)
        if row is None:
            return Checked(cancelled="the invoice is not open any more", edition=edition)
    decided = reference.decide(row, ask.edition.book)
    cancelled = None if _renamed(action, decided, ask) else _gone(action, row, decided, ask)
    if cancelled is not None:
        return Checked(cancelled=cancelled, edition=edition)
    waiting_for, days = _waits(action, row, decided, ask, action.customer_id in facts.disagreed)
    until_at = None
    if days:
        start, next_start = sending.day_bounds(entity, runtime.now_at())
        until_at = next_start + (days - 1) * (next_start - start)
    return Checked(waiting_for=waiting_for, until_at=until_at, edition=edition)


def step_of(action: Action, facts: Read) -> Step | None:
    """The step of an action, as the policy in force has it."""
    ask = facts.of_lines if action.line_id and facts.of_lines is not None else facts.ask
    stage = ask.edition.book.stages.get(ESCALATION)
    terms = None if stage is None else stage.policy.escalation
    return None if terms is None else next((step for step in terms.steps() if step.key == action.step_key), None)


def _gone(action: Action, row: dict[str, Any], decided: Decided, ask: "Asking") -> str | None:
    """Why the step is over, or None while it is still due."""
    stage = ask.edition.book.stages.get(ESCALATION)
    plan = None if stage is None else stage.plan
    if action.policy_key != ask.edition.policy_key:
        return f"the policy {action.policy_key} is not in force any more"
    if row.get("insolvent"):
        return "the customer is insolvent"
    if row.get("handed_over"):
        return "the debt is handed over"
    if decided.waiting == Wait.STOPPED.value:
        return None  # it stands where it stood: it waits (see _waits)
    if ESCALATION in decided.undecided or decided.waiting == Wait.UNKNOWN.value:
        return None  # nothing is known of the money: it waits (see _waits)
    if decided.episode_move in (Move.CLOSE.value, Move.NONE.value):
        if not action.level:
            return "the step before the due date has lapsed"
        return "the invoice is not overdue any more" if action.line_id else "nothing is overdue any more"
    if decided.waiting in OVER:
        return OVER[decided.waiting]
    if plan is not None and not plan.is_meant(action.step_key, {**row, **decided.derived, **decided.outcomes}):
        return "the step is not for this customer now"
    level, step = decided.outcomes.get("level"), decided.outcomes.get("step")
    if step != action.step_key or not isinstance(level, int) or level < action.level:
        who = "invoice" if action.line_id else "customer"
        return f"the {who} stands at level {level} now, step {step or 'none'}"
    return None


def _renamed(action: Action, decided: Decided, ask: "Asking") -> bool:
    """Whether the step has another name by now: the next run puts its message in that step's place."""
    stage = ask.edition.book.stages.get(ESCALATION)
    if stage is None or stage.plan is None or action.policy_key != ask.edition.policy_key:
        return False
    stands = stage.plan.stood(action.level, action.step_key)[1]
    return stands != action.step_key and stands == decided.outcomes.get("step")


def _waits(
    action: Action, row: dict[str, Any], decided: Decided, ask: "Asking", is_disagreed: bool
) -> tuple[str | None, int | None]:
    """Why the message must wait, and for how many days."""
    if decided.waiting == Wait.STOPPED.value:
        return Wait.STOPPED.value, None
    if _renamed(action, decided, ask):
        return "renamed", None
    if ESCALATION in decided.undecided or decided.waiting == Wait.UNKNOWN.value:
        return "unknown", None
    if row.get("dunning_block") or decided.waiting == Wait.PAUSE.value:
        return "pause", None
    if is_disagreed:
        return "disagreement", None
    stage = ask.edition.book.stages.get(ESCALATION)
    since = row.get("days_since_contact")
    if stage is not None and stage.plan is not None and since is not None:
        minimum = stage.plan.minimum_days.of(row.get("segment"))
        if since < minimum:
            return "min_days", minimum - since
    return None, None


def _disagreed(customers: Sequence[int]) -> frozenset[int]:
    """About whom of some customers the executors disagreed, and nobody has looked at it yet."""
    found = Alarm.select(Alarm.customer).where(
        Alarm.customer.in_(list(customers)), Alarm.kind == "disagreement", Alarm.acknowledged_at.is_null()
    )
    return frozenset(number for (number,) in found.tuples())
