"""Why was nothing sent? For one customer and one day: what was sent, or every reason why not, with its figures.

Read from actions and what they waited for, from runs, stops and the decision of the day. There is
always an answer: the last resort is the step that comes next, or that none does.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.claims import MESSAGE_CHANNELS
from engine.contact_times import foretold_day
from engine.silence_actions import Finding, block_on, name_of, of_actions, of_block
from engine.standing_on import Stood, day_end_at, portfolio_run, stood_on
from engine.tables import (
    Action,
    AuditEntry,
    Customer,
    Decision,
    Dispute,
    Entity,
    Override,
    PolicyStop,
    Promise,
    Reversal,
    Standing,
)
from rules.escalation import Coming, Plan, Wait, coming
from rules.policies import Step
from rules.standing import event_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

COMING = 3  # steps foretold
LINES_MAX = 20  # due lines with a standing of their own that an answer names
HOLDS_BACK = frozenset({Wait.NONE.value, Wait.RAISED_TODAY.value})  # settled codes that are answered elsewhere


@dataclass(frozen=True, slots=True)
class ComingStep:
    """A step that comes if nothing is paid.

    Args:
        day: the first on which it can be carried out.
        moved: whether its own day is a quiet one.
        holds: codes of what could hold it back beside payment, promise and dispute.
    """

    step: str
    level: int
    channel: str
    day: int
    moved: bool
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """The answer for a day.

    Args:
        findings: the one that answers first, then what else held then.
        coming: the next steps, if nothing is paid; of today and later only.
        rebuilt: the day's facts were computed again, because they are stored no more.
    """

    day: int
    findings: tuple[Finding, ...]
    coming: tuple[ComingStep, ...] = field(default=())
    rebuilt: bool = False

    @property
    def answer(self) -> Finding:
        """What answers the question."""
        return self.findings[0]


def silence_of(runtime: "Runtime", customer: Customer, day: int, now: Stood | None = None) -> Silence:
    """Why nothing was sent to a customer on a day, or what was.

    Args:
        customer: with its entity.
        now: where it stands today, for whoever asks for today and knows.
    """
    entity, today = customer.entity, runtime.today(customer.entity)
    stood = now or stood_on(runtime, customer, min(day, today))
    ahead = tuple(_coming(runtime, customer, stood, today)) if day >= today else ()
    if day > today:
        return Silence(day, (Finding("to_come", {"day": day}), *_of_entity(entity, today, today)), ahead)
    found = [
        *of_actions(customer, day, today, None if stood is None else stood.book),
        *_of_entity(entity, day, today),
        *_of_lines(customer, day, today),
        *_of_customer(runtime, customer, stood, day),
    ]
    kept: dict[tuple[str, Any], Finding] = {}
    for finding in found:
        kept.setdefault((finding.code, finding.figures.get("line")), finding)
    answer = sorted(kept.values(), key=lambda one: one.rank)
    return Silence(day, tuple(answer), ahead, stood is not None and stood.rebuilt)


# --- what holds for everybody of the entity ---------------------------------------------


def _of_entity(entity: Entity, day: int, today: int) -> Iterator[Finding]:
    if entity.adopted_day is None:
        yield Finding("not_adopted", {"entity": entity.name}, rank=10)
    elif day < entity.adopted_day:
        yield Finding("before_first_run", {"first_day": entity.adopted_day}, rank=10)
    else:
        yield from _of_run(entity, day, today)
    if entity.live_from_day is None or day < entity.live_from_day:
        figures = {} if entity.live_from_day is None else {"live_day": entity.live_from_day}
        yield Finding("not_live", {"entity": entity.name, **figures}, rank=20)
    else:
        yield from _stopped(entity, day, today)


def _of_run(entity: Entity, day: int, today: int) -> Iterator[Finding]:
    run = portfolio_run(entity, day)
    if run is None:
        yield Finding("run_to_come" if day == today else "no_run", {"day": day}, rank=30)
        return
    link = ("run", run.id)
    if run.state == "gated":
        yield Finding("gated", {"changed": run.changed, "customers": run.customers}, link, rank=5)
    elif run.state != "done":
        yield Finding("run_under_way", {"since_at": run.started_at}, link, rank=30)
    elif run.kind == "adoption":
        yield Finding("adoption", {"day": day}, link, rank=15)
    elif not run.acts:
        yield Finding("missed_day", {"day": day, "decided_at": run.started_at}, link, rank=15)


def _stopped(entity: Entity, day: int, today: int) -> Iterator[Finding]:
    """By the audit trail: who stopped all sending last, if nobody had started it again by the end of the day."""
    entry = (
        AuditEntry.select()
        .where(
            AuditEntry.entity_id == entity.id,
            AuditEntry.command.in_(("StopSending", "ApproveGoLive")),
            AuditEntry.at <= day_end_at(entity, day),
        )
        .order_by(AuditEntry.id.desc())
        .first()
    )
    if day == today and entity.sending:
        return
    if entry is not None and entry.command == "StopSending":
        figures = {"stopped_at": entry.at, "by": name_of(entry.actor_id), "reason": entry.reason}
        yield Finding("stopped_sending", figures, ("audit", entry.id), rank=8)
    elif day == today:
        yield Finding("stopped_sending", {}, rank=8)


def policy_stop(policy_key: str, entity: Entity, at: int) -> PolicyStop | None:
    """The stop of a policy that was in force at an instant."""
    found: PolicyStop | None = (
        PolicyStop.select()
        .where(
            PolicyStop.policy_key == policy_key,
            PolicyStop.entity.is_null() | (PolicyStop.entity == entity),
            PolicyStop.stopped_at <= at,
            PolicyStop.over_at.is_null() | (PolicyStop.over_at > at),
        )
        .order_by(PolicyStop.id.desc())
        .first()
    )
    return found


# --- what the rules said of the customer ------------------------------------------------


def _of_customer(runtime: "Runtime", customer: Customer, stood: Stood | None, day: int) -> Iterator[Finding]:
    if stood is None or stood.stage is None or stood.plan is None:
        by_line = stood is not None and stood.run is not None and stood.run.line_policy_key
        yield Finding("none" if by_line else "no_policy", {}, rank=67 if by_line else 25)
        return
    row, decided, plan = stood.row, stood.decided, stood.plan
    if "escalation" in decided.undecided:
        facts = ", ".join(decided.undecided["escalation"])
        yield Finding("undecided", {"facts": facts}, rank=35)
    code = decided.waiting or Wait.NONE.value
    if code == Wait.STOPPED.value:
        stop = policy_stop(stood.stage.policy.key, customer.entity, day_end_at(customer.entity, day))
        by = {} if stop is None else {"by": stop.stopped_by.name, "reason": stop.reason, "stopped_at": stop.stopped_at}
        yield Finding(code, {"policy": stood.stage.policy.name, **by}, rank=40)
    elif code not in HOLDS_BACK:
        yield _settled(code, customer, row, plan, day)
    elif code == Wait.RAISED_TODAY.value and customer.entity.live_from_day is not None:
        figures = {"step": decided.outcomes.get("step") or row.get("previous_step"), "day": day}
        yield Finding(code, figures, rank=70)
    elif decided.enters_step:
        yield Finding("step_begins", {"step": decided.outcomes.get("step"), "day": day}, rank=60)
    else:
        yield _nothing_due(customer, stood, day)


def _of_lines(customer: Customer, day: int, today: int) -> Iterator[Finding]:
    """Due lines that have a standing of their own: why they go no further, what comes, or where they stood."""
    rows = Standing.select().where(Standing.customer == customer, Standing.line_id > 0, Standing.open)
    for row in rows.order_by(Standing.leader_due_day, Standing.line_id).limit(LINES_MAX):
        line = {"line": row.line_id}
        codes = json.loads(row.waiting_for)
        if day < today:
            level = _level_then(row, day)
            if level is not None:
                yield Finding("line_stood", {**line, "level": level}, rank=66)
        elif codes:
            yield Finding("line_waits", {**line, "why": codes[0]}, rank=42)
        elif row.next_step is not None:
            yield Finding("line_next", {**line, "step": row.next_step, "next_day": row.next_day}, rank=66)


def _level_then(row: Standing, day: int) -> int | None:
    """The level of a due line on a past day, by the last decision up to it; None: nothing was decided of it."""
    changes = (
        Decision.select(Decision.changes)
        .where(Decision.customer == row.customer_id, Decision.line_id == row.line_id, Decision.as_of_day <= day)
        .order_by(Decision.id.desc())
        .limit(1)
        .scalar()
    )
    event = None if changes is None else event_of(json.loads(changes), day)
    return None if event is None else event.level


def _nothing_due(customer: Customer, stood: Stood, day: int) -> Finding:
    row, plan = stood.row, stood.plan
    following = None if plan is None else _next(plan, row, stood.decided.outcomes, day)
    if following is None:
        return Finding("no_step_left", {"level": stood.decided.outcomes.get("level") or 0}, rank=65)
    leaves_day = _leaves_day(customer, stood, following)
    figures = {"step": following.step, "next_day": following.day, "late_days": row.get("leader_days_past_due")}
    figures |= {} if leaves_day == following.day else {"leaves_day": leaves_day}
    return Finding("no_step_yet", figures, rank=65)


def _leaves_day(customer: Customer, stood: Stood, following: Coming) -> int:
    """The first day on which a step can be carried out: its own may be a quiet one."""
    policy = None if stood.stage is None else stood.stage.policy.escalation
    channels = {} if policy is None else {step.key: step.channel for step in policy.steps()}
    if following.step not in channels:
        return following.day
    return foretold_day(customer.entity, customer.country, channels[following.step], following.day)


def _settled(code: str, customer: Customer, row: Mapping[str, Any], plan: Plan, day: int) -> Finding:
    """A reason of the settling with the figures it rests on."""
    segment = row.get("segment") or row.get("previous_segment")
    figures: dict[str, Any] = {}
    link: tuple[str, int] | None = None
    if code in (Wait.PAUSE.value, Wait.DUNNING_BLOCK.value, Wait.INSOLVENT.value, Wait.HANDED_OVER.value):
        return of_block(code, customer, day)
    if code == Wait.PROMISE.value:
        found = _standing(Promise, "promise", customer, day)
        figures = {"promised_minor": row.get("promised_minor")}
        figures |= {} if found is None else {"until_day": found.promised_day}
    elif code == Wait.DISPUTE.value:
        found = _standing(Dispute, "dispute", customer, day)
        figures = {"disputed_minor": row.get("disputed_minor")}
        figures |= {} if found is None else {"reason": found.reason, "since_day": found.booked_day}
    elif code == Wait.LEFT_ALONE.value:
        figures = _tied(customer, day)
    elif code in (Wait.NO_LEADER.value, Wait.UNKNOWN.value):
        figures = {name: row.get(name) for name in ("overdue_minor", "open_minor")}
    elif code == Wait.WITHIN_TOLERANCE.value:
        figures = {"net_minor": row.get("overdue_net_minor"), "bound_minor": plan.tolerance.of(segment)}
    elif code == Wait.MINIMUM.value:
        early = (row.get("leader_days_past_due") or 0) < 0
        amount = row.get("leader_open_minor" if early else "overdue_net_minor")
        figures = {"net_minor": amount, "bound_minor": plan.minimum.of(segment)}
    elif code == Wait.MIN_DAYS.value:
        since, least = int(row.get("days_since_contact") or 0), plan.minimum_days.of(segment)
        figures = {"contact_day": day - since, "days": least, "until_day": day - since + least}
    elif code == Wait.STEP_OPEN.value:
        open_one = _open_action(customer, day)
        figures = {"step": row.get("previous_step")}
        link = None if open_one is None else ("action", open_one.id)
    return Finding(code, figures, link, rank=40)


def _tied(customer: Customer, day: int) -> dict[str, Any]:
    """By whom, until when and why a customer was tied to no scenario."""
    tied = Override.select().where(
        Override.customer == customer,
        Override.target == "scenario",
        Override.from_day <= day,
        Override.until_day > day,
        Override.ended_day.is_null() | (Override.ended_day > day),
    )
    found = tied.order_by(Override.id.desc()).first()
    return {} if found is None else {"by": found.by.name, "until_day": found.until_day, "reason": found.reason}


def _standing(model: Any, target: str, customer: Customer, day: int) -> Any:
    ended = Reversal.select(Reversal.target_id).where(Reversal.target == target, Reversal.booked_day <= day)
    mine = model.select().where(model.customer == customer, model.booked_day <= day, model.id.not_in(ended))
    return mine.order_by(model.id.desc()).first()


def _open_action(customer: Customer, day: int) -> Action | None:
    states = ("waiting", "due", "claimed", "sending", "uncertain", "failed", "open")
    found: Action | None = (
        Action.select()
        .where(Action.customer == customer, Action.state.in_(states), Action.due_day <= day)
        .order_by(Action.id.desc())
        .first()
    )
    return found


# --- what comes -------------------------------------------------------------------------


def _next(plan: Plan, row: Mapping[str, Any], outcomes: Mapping[str, Any], day: int) -> Coming | None:
    return coming(
        plan,
        {**row, **outcomes},
        level=int(outcomes.get("level") or 0),
        step=outcomes.get("step"),
        as_of_day=day,
        leader_due_day=row.get("leader_due_day"),
        last_contact_day=None if row.get("days_since_contact") is None else day - int(row["days_since_contact"]),
    )


def _coming(runtime: "Runtime", customer: Customer, stood: Stood | None, today: int) -> Iterator[ComingStep]:
    """The next steps one after another, each as if the one before was carried out on its day."""
    if stood is None or stood.stage is None or stood.plan is None or stood.stage.policy.escalation is None:
        return
    steps = {step.key: step for step in stood.stage.policy.escalation.steps()}
    entity, row, outcomes = customer.entity, dict(stood.row), dict(stood.decided.outcomes)
    block = block_on(customer, today)
    held = () if entity.sending else (("not_live" if entity.live_from_day is None else "stopped_sending"),)
    day = today if block is None or block.until_day is None else max(today, block.until_day - 1)
    # What today's run is about to begin comes first.
    begins = Coming(str(outcomes.get("step")), today) if stood.decided.enters_step and stood.run is None else None
    for _ in range(COMING):
        found, begins = begins or _next(stood.plan, row, outcomes, day), None
        if found is None or found.step not in steps:
            return
        step = steps[found.step]
        on = foretold_day(entity, customer.country, step.channel, found.day)
        holds = [*held, *(["pause"] if block is not None else []), *(["unconfirmed"] if step.mode == "confirm" else [])]
        if step.channel in MESSAGE_CHANNELS and not _reached(runtime, customer, step):
            holds.append("no_address")
        level = next(one.level for one in stood.plan.steps if one.key == step.key)
        yield ComingStep(step.key, level, step.channel, on, on != found.day, tuple(holds))
        outcomes |= {"level": level, "step": step.key}
        row["days_since_contact"] = None if step.channel == "task" else 0
        row |= {"previous_step": step.key, "days_since_step_done": 0}
        day = on


def _reached(runtime: "Runtime", customer: Customer, step: Step) -> bool:
    from engine import reaching

    probe = Action(
        customer=customer,
        channel=step.channel,
        otherwise=",".join(step.otherwise),
        owner_role=step.owner,
        entity_id=customer.entity_id,
    )
    return reaching.is_reached(runtime, probe)


def plain(silence: Silence) -> dict[str, Any]:
    """An answer as values for a file or another program."""
    return {
        "day": silence.day,
        "answer": silence.answer.code,
        "findings": [{"code": one.code, **one.figures} for one in silence.findings],
        "coming": [
            {"step": one.step, "level": one.level, "channel": one.channel, "day": one.day, "held_by": list(one.holds)}
            for one in silence.coming
        ],
        "rebuilt": silence.rebuilt,
    }
