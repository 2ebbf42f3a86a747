"""Decisions: a changed outcome becomes a decision row, the outcomes in force, the standing and its
actions, about five hundred customers per transaction and never one without the other.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import Expression

from engine.alerts import write_edges
from engine.contact_times import foretold_day
from engine.database import update_rows, upsert, write_rows
from engine.differences import AWAY, STAGE_OUTCOMES, changed_stages, fact_row, waiting_code
from engine.editions import Edition
from engine.queries import PREVIOUS
from engine.tables import Action, Customer, Decision, Outcome, Override, Run, Standing
from ledger.canonical import canonical
from rules.escalation import Coming, Move, Wait, coming
from rules.policies import Step
from rules.reference import Decided
from rules.stages import POINT_OUTCOMES
from rules.standing import Moved, Stand, action_key, fold, kept_event

if TYPE_CHECKING:
    from engine.runtime import Runtime

DECISIONS_PER_TRANSACTION = 500
FOR_PEOPLE = ("waiting", "open")
KEPT = (Wait.UNKNOWN.value, Wait.STOPPED.value)  # the escalation was not settled: where they stood, they stand
CANCELLABLE = ("waiting", "due", "failed", "open")  # what is under way is decided again where it is sent
OUTCOME_COLUMNS = tuple(name for name in PREVIOUS if name != "as_of_day")
Subject = tuple[int, int]  # a customer, and one of its due lines or 0 for itself


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about a customer or a due line, agreed on by the executors and ready to be written.

    Args:
        row: the facts, with ``was_*``, ``at_*`` and ``previous_*``.
        decided: what the rules make of it.
        confirmed_by: durable | reference.
    """

    row: Mapping[str, Any]
    decided: Decided
    confirmed_by: str

    @property
    def customer_id(self) -> int:
        """Whose it is."""
        return int(self.row["customer_id"])

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return self.customer_id, int(self.row.get("line_id") or 0)


@dataclass(frozen=True)
class Applying:
    """What all decisions of one run share."""

    runtime: "Runtime"
    run: Run
    edition: Edition
    begins: bool
    at: int

    @property
    def of_lines(self) -> bool:
        """Whether due lines are decided, whose customers' outcomes stand."""
        return self.edition.book.subject != "customer"


def write(applying: Applying, verdicts: Sequence[Verdict]) -> int:
    """Write decisions with their outcomes, standings and actions, each batch in one transaction.

    Returns:
        How many were written.
    """
    for start in range(0, len(verdicts), DECISIONS_PER_TRANSACTION):
        batch = verdicts[start : start + DECISIONS_PER_TRANSACTION]
        with applying.runtime.database.atomic():
            ids = _write_decisions(applying, batch)
            if not applying.of_lines:
                by_customer = {customer: number for (customer, _line), number in ids.items()}
                _write_outcomes(applying, batch, by_customer)
                write_edges(applying, batch, by_customer)
            _write_standings(applying, batch)
            _end_actions(applying, batch)
            _rename_actions(applying, batch, ids)
            _write_actions(applying, batch, ids)
            Run.update(applied=Run.applied + len(batch)).where(Run.id == applying.run.id).execute()
    return len(verdicts)


DECISION_COLUMNS = (
    "id", "run_id", "entity_id", "customer_id", "line_id", "as_of_day",
    "edition", "changes", "facts", "confirmed_by", "created_at",
)  # fmt: skip


def _write_decisions(applying: Applying, batch: Sequence[Verdict]) -> dict[Subject, int]:
    book, run = applying.edition.book, applying.run
    numbers = applying.runtime.database.numbers(Decision, len(batch))
    ids = {verdict.subject: number for verdict, number in zip(batch, numbers)}
    rows = [
        (
            ids[verdict.subject],
            run.id,
            run.entity_id,
            *verdict.subject,
            run.as_of_day,
            applying.edition.sha256,
            canonical(changes_of(applying, verdict)),
            canonical(fact_row(verdict.row, book)),
            verdict.confirmed_by,
            applying.at,
        )
        for verdict in batch
    ]
    write_rows(applying.runtime.database, Decision, DECISION_COLUMNS, rows)
    return ids


def changes_of(applying: Applying, verdict: Verdict) -> dict[str, Any]:
    """What a decision keeps: of each stage that changed what was and what is, by which rules; and the standing."""
    decided, row = verdict.decided, verdict.row
    changes: dict[str, Any] = {}
    for stage in changed_stages(row, decided.outcomes):
        names = STAGE_OUTCOMES[stage]
        changes[stage] = {
            "before": {name: row.get(f"was_{name}") for name in names},
            "after": {name: decided.outcomes.get(name) for name in names},
            "by_rules": {name: decided.by_rules.get(name) for name in names},
            "rules": sorted(decided.matched.get(stage, ())),
            "winner": decided.winner.get(stage),
        }
        if stage == "scorecard":
            changes[stage]["points"] = decided.outcomes.get("points")
    event = event_for(applying, verdict)
    if event is not None:
        changes["standing"] = kept_event(event)
        changes["standing_of"] = applying.edition.policy_key
    return changes


def event_for(applying: Applying, verdict: Verdict) -> Moved | None:
    """What the decision does to the customer's standing; None without an escalation policy."""
    decided, row = verdict.decided, verdict.row
    if not applying.edition.policy_key or decided.episode_move is None:
        return None
    away = decided.waiting in AWAY
    level = decided.outcomes.get("level")
    by_hand = level != decided.by_rules.get("level", level)
    # A level that a person decided begins no step: the rules' step is not the one of that level.
    mapped = mapped_standing(applying.edition, row, decided)
    stood_at = row.get("at_step_key") if mapped is None else mapped[1]
    step = stood_at if by_hand else decided.outcomes.get("step")
    return Moved(
        day=applying.run.as_of_day,
        move=decided.episode_move,
        level=level if isinstance(level, int) else 0,
        step=step if isinstance(step, str) else None,
        enters=decided.enters_step and not by_hand,
        leader_line_id=None if away else row.get("leader_line_id"),
        leader_due_day=None if away else row.get("leader_due_day"),
        mapped=mapped,
    )


def mapped_standing(edition: Edition, row: Mapping[str, Any], decided: Decided) -> tuple[int, str | None] | None:
    """Level and step that a customer is taken to stand at by a version that renamed those stood at; else None."""
    stage = edition.book.stages.get("escalation")
    if stage is None or stage.plan is None or decided.waiting in KEPT:
        return None
    before = (row.get("previous_level") or 0, row.get("previous_step"))
    found = stage.plan.stood(*before)
    return None if found == before else found


def _write_outcomes(applying: Applying, batch: Sequence[Verdict], ids: Mapping[int, int]) -> None:
    run = applying.run
    columns = ("customer_id", "entity_id", *OUTCOME_COLUMNS, "run_id", "decision_id", "as_of_day")
    rows = []
    for verdict in batch:
        values = {name: verdict.decided.outcomes.get(name) for name in OUTCOME_COLUMNS}
        values["hold"] = bool(values["hold"])
        values["level"] = values["level"] or 0
        number = verdict.customer_id
        rows.append((number, run.entity_id, *values.values(), run.id, ids[number], run.as_of_day))
    write_rows(applying.runtime.database, Outcome, columns, rows, upsert(["customer_id"], columns[2:]))


def write_points(runtime: "Runtime", rows: Iterable[Mapping[str, Any]]) -> None:
    """Write points that are no decision: they and what they rank change every day.

    Args:
        rows: customer_id and each of ``POINT_OUTCOMES``.
    """
    values = [(*(row[name] for name in POINT_OUTCOMES), row["customer_id"]) for row in rows]
    if values:
        with runtime.database.atomic():
            update_rows(runtime.database, Outcome, POINT_OUTCOMES, ("customer_id",), values)


STANDING_COLUMNS = (
    "episode",
    "open",
    "leader_line_id",
    "leader_due_day",
    "level",
    "step_key",
    "repeat_no",
    "since_day",
    "next_step",
    "next_day",
    "waiting_for",
)


def _write_standings(applying: Applying, batch: Iterable[Verdict]) -> None:
    found = [row for verdict in batch if (row := standing_row(applying, verdict)) is not None]
    columns = ("customer_id", "line_id", "entity_id", "policy_key", *STANDING_COLUMNS)
    rows = [
        (
            row["customer"],
            row["line_id"],
            row["entity_id"],
            row["policy_key"],
            *(row[name] for name in STANDING_COLUMNS),
        )
        for row in found
    ]
    # Of a standing that is there the last contact stays: the outbox writes it.
    clause = upsert(["customer_id", "policy_key", "line_id"], STANDING_COLUMNS)
    write_rows(applying.runtime.database, Standing, columns, rows, clause)


def standing_row(applying: Applying, verdict: Verdict) -> dict[str, Any] | None:
    """The standing after a decision, as its table keeps it; None when there is none to keep."""
    event = event_for(applying, verdict)
    if event is None:
        return None
    row = verdict.row
    stand = fold(Stand.of(row), event)
    if stand.episode == 0 and row.get("at_episode") is None:
        return None
    plan = applying.edition.book.stages["escalation"].plan
    after = None
    if stand.open and plan is not None:
        after = coming(
            plan,
            {**row, **verdict.decided.derived, **verdict.decided.outcomes},
            level=stand.level,
            step=stand.step_key,
            as_of_day=event.day,
            leader_due_day=stand.leader_due_day,
            last_contact_day=row.get("at_last_contact_day"),
        )
    return {
        "customer": verdict.customer_id,
        "line_id": verdict.subject[1],
        "entity_id": applying.run.entity_id,
        "policy_key": applying.edition.policy_key,
        **{name: getattr(stand, name) for name in Stand.__dataclass_fields__},
        "next_step": None if after is None else after.step,
        "next_day": None if after is None else _foretold(applying, row, after),
        "waiting_for": json.dumps(waiting_codes(applying, verdict)),
    }


def _foretold(applying: Applying, row: Mapping[str, Any], after: Coming) -> int:
    """The day the next step can be carried out: its message leaves on no quiet day."""
    terms = applying.edition.book.stages["escalation"].policy.escalation
    steps = () if terms is None else terms.steps()
    channel = next((step.channel for step in steps if step.key == after.step), "")
    return foretold_day(applying.run.entity, row.get("country"), channel, after.day)


def waiting_codes(applying: Applying, verdict: Verdict) -> list[str]:
    """Why nothing further begins, as codes; silence always has one."""
    code = waiting_code(verdict.decided.waiting, applying.begins)
    return [] if code == "none" else [code]


def _end_actions(applying: Applying, batch: Iterable[Verdict]) -> None:
    """An episode that ends takes its open actions with it."""
    ended = [
        verdict.subject for verdict in batch if verdict.decided.episode_move in (Move.CLOSE.value, Move.REOPEN.value)
    ]
    if not ended:
        return
    Action.update(
        state="cancelled",
        result="the episode is over: nothing is overdue any more",
        settled_at=applying.at,
        version=Action.version + 1,
    ).where(
        _about(ended),
        Action.policy_key == applying.edition.policy_key,
        Action.state.in_(CANCELLABLE),
    ).execute()


def _about(subjects: Sequence[Subject]) -> Expression:
    """Actions about some customers, or about some due lines."""
    lines = [line for _customer, line in subjects if line]
    if lines:
        return Action.line_id.in_(lines) & Action.customer.in_([customer for customer, _line in subjects])
    return Action.customer.in_([customer for customer, _line in subjects]) & (Action.line_id == 0)


def _rename_actions(applying: Applying, batch: Sequence[Verdict], ids: Mapping[Subject, int]) -> None:
    """What a renamed step has not sent yet is sent by the step in its place; what it has sent is not sent again."""
    moved: dict[str, list[tuple[Verdict, Moved]]] = {}
    for verdict in batch:
        event = event_for(applying, verdict)
        if event is not None and event.mapped is not None and applying.begins and verdict.row.get("previous_step"):
            moved.setdefault(str(verdict.row["previous_step"]), []).append((verdict, event))
    for old, found in moved.items():
        own = (Action.policy_key == applying.edition.policy_key) & (Action.step_key == old)
        own = own & _about([verdict.subject for verdict, _ in found])
        why = f"the step {old} has another name in the version that holds now"
        Action.update(
            state="cancelled", result=why, waiting_for=None, settled_at=applying.at, version=Action.version + 1
        ).where(own, Action.state.in_(CANCELLABLE)).execute()
        ended = Action.select(Action.customer, Action.line_id).where(
            own, Action.result == why, Action.settled_at == applying.at
        )
        unsent = set(ended.tuples())
        standing = [
            (verdict.subject, fold(Stand.of(verdict.row), event), ids[verdict.subject])
            for verdict, event in found
            if verdict.subject in unsent and event.move == Move.SAME.value and not event.enters
        ]
        write_actions(applying, standing)


def _write_actions(applying: Applying, batch: Sequence[Verdict], ids: Mapping[Subject, int]) -> None:
    if not (applying.run.acts and applying.begins):
        return
    standing = []
    for verdict in batch:
        event = event_for(applying, verdict)
        if event is not None and event.enters:
            standing.append((verdict.subject, fold(Stand.of(verdict.row), event), ids[verdict.subject]))
    _take_back_repeated(applying, standing)
    write_actions(applying, standing)


def _take_back_repeated(applying: Applying, standing: Sequence[tuple[Subject, Stand, int | None]]) -> None:
    """A step that comes again takes the place of what a person has not done of it yet: nobody is asked twice."""
    again: dict[str, list[Subject]] = {}
    for subject, stand, _ in standing:
        if stand.repeat_no and stand.step_key is not None:
            again.setdefault(stand.step_key, []).append(subject)
    for step, subjects in again.items():
        Action.update(
            state="cancelled",
            result="the step came again; its newer action takes this one's place",
            waiting_for=None,
            settled_at=applying.at,
            version=Action.version + 1,
        ).where(
            _about(subjects),
            Action.policy_key == applying.edition.policy_key,
            Action.step_key == step,
            Action.due_day < applying.run.as_of_day,
            Action.state.in_(FOR_PEOPLE),
        ).execute()


def write_actions(applying: Applying, standing: Sequence[tuple[Subject, Stand, int | None]]) -> int:
    """Create the action of the step each subject stands at, once: its key is unique for ever.

    Args:
        standing: customer and due line, standing, decision.
    """
    policy = applying.edition.book.stages["escalation"].policy
    steps: dict[str, Step] = {} if policy.escalation is None else {s.key: s for s in policy.escalation.steps()}
    owners = _collectors([customer for (customer, _), _, _ in standing], applying.run.as_of_day)
    rows = [
        {
            "key": action_key(customer, policy.key, stand, steps[stand.step_key].channel, line),
            "entity_id": applying.run.entity_id,
            "customer": customer,
            "line_id": line,
            "decision": decision,
            "policy_key": policy.key,
            "episode": stand.episode,
            "step_key": stand.step_key,
            "repeat_no": stand.repeat_no,
            "level": stand.level,
            "channel": steps[stand.step_key].channel,
            "otherwise": ",".join(steps[stand.step_key].otherwise),
            "template": steps[stand.step_key].template,
            "owner_role": steps[stand.step_key].owner,
            "owner": owners.get(customer) if steps[stand.step_key].owner in (None, "collector") else None,
            "blocks": steps[stand.step_key].blocks,
            "state": first_state(steps[stand.step_key]),
            "waiting_for": "unconfirmed" if first_state(steps[stand.step_key]) == "waiting" else None,
            "due_day": applying.run.as_of_day,
            "edition_planned": applying.edition.sha256,
            "created_at": applying.at,
        }
        for (customer, line), stand, decision in standing
        if stand.step_key in steps
    ]
    if rows:
        Action.insert_many(rows).on_conflict_ignore().execute()
    return len(rows)


def first_state(step: Step) -> str:
    """Where an action begins: a message is due or waits for a person; a call or task is open."""
    if step.channel in ("call", "task"):
        return "open"
    return "waiting" if step.mode == "confirm" else "due"


def _collectors(customers: Sequence[int], day: int) -> dict[int, int]:
    rows = Customer.select(Customer.id, Customer.collector).where(Customer.id.in_(list(customers))).tuples()
    owners = {customer: collector for customer, collector in rows if collector is not None}
    overrides = (
        Override.select(Override.customer, Override.value)
        .where(
            Override.customer.in_(list(customers)),
            Override.target == "collector",
            Override.from_day <= day,
            Override.until_day > day,
            Override.ended_day.is_null() | (Override.ended_day > day),
        )
        .order_by(Override.id)
        .tuples()
    )
    for customer, value in overrides:
        owners[customer] = json.loads(value)
    return owners
