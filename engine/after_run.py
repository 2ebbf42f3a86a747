"""What follows at the end of a run: actions of missed days, undecided customers, limits within the band."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames
from engine.commands import Change, Command, Context, NotFound, Refused, register
from engine.decisions import Applying, Subject, write_actions
from engine.differences import columns_to_apply
from engine.payment_plans import note_defaults
from engine.tables import (
    Action,
    Alarm,
    Credit,
    CreditLimit,
    Customer,
    Decision,
    DueLine,
    Entity,
    Outcome,
    Run,
    Standing,
)
from rules import reference
from rules.standing import Stand

if TYPE_CHECKING:
    from engine.pipeline import Frame

REFER = "refer"
REFER_TASKS_MAX = 500  # of one run; beyond, one alarm says how many more there are
REFER_OWNER = "credit_manager"
RATE = "missing_rate"  # kind of an alarm
BAND = "limit_automatic_band"
BATCH = 500


def complete(applying: Applying, decided: "Frame") -> None:
    """Do what is left when all decisions of a run are written. Doing it again changes nothing."""
    run = applying.run
    if run.acts and applying.begins and "escalation" in applying.edition.book.stages:
        _act_for_missed_days(applying)
    if run.undecided:
        _tell_missing_rates(applying)
    if run.kind != "adoption" and run.acts:
        _note_defaults(applying)
        if run.undecided:
            _refer(applying, decided)
        band = applying.edition.book.parameters.get(BAND)
        proposing = applying.edition.book.stages.get("credit_limit")
        stopped = proposing is not None and proposing.stopped
        if band is not None and isinstance(band.value, int) and not stopped:
            applying.runtime.execute(
                PutLimitsInForce(
                    actor=None,
                    reason="the proposals lie within the automatic band",
                    key=f"limits-of-run-{run.id}",
                    run=run.id,
                    band_minor=band.value,
                )
            )


def _note_defaults(applying: Applying) -> None:
    """Put payment plans that have defaulted into the diary."""
    runtime, run = applying.runtime, applying.run
    entity = Entity.get_by_id(run.entity_id)
    tolerance = applying.edition.basis(entity, run.as_of_day).promise_tolerance_days
    with runtime.database.atomic():
        note_defaults(runtime, entity, run.as_of_day, tolerance, applying.at)


def complete_lines(applying: Applying, decided: "Frame") -> None:
    """The same for due lines, whose customers have their limits and rates from ``complete``."""
    if not applying.run.acts:
        return
    if applying.begins:
        _act_for_missed_days(applying)
    _refer(applying, decided)


def _act_for_missed_days(applying: Applying) -> None:
    """Create the action of each step that was reached on a missed day and still stands: once, today."""
    run = applying.run
    if run.sent_until_day is None or run.sent_until_day >= run.as_of_day - 1:
        return
    rows = Standing.select().where(
        Standing.entity_id == run.entity_id,
        Standing.policy_key == applying.edition.policy_key,
        Standing.open,
        Standing.step_key.is_null(False),
        Standing.since_day > run.sent_until_day,
        Standing.since_day < run.as_of_day,
    )
    own = Standing.line_id != 0 if applying.of_lines else Standing.line_id == 0
    standing = []
    for row in rows.where(own).order_by(Standing.customer, Standing.line_id):
        subject = (row.customer_id, row.line_id)
        standing.append((subject, Stand.of(row.__data__, prefix=""), _last_decision(subject)))
    for start in range(0, len(standing), BATCH):
        with applying.runtime.database.atomic():
            write_actions(applying, standing[start : start + BATCH])


def _last_decision(subject: Subject) -> int | None:
    customer, line = subject
    found: int | None = (
        Decision.select(Decision.id)
        .where(Decision.customer == customer, Decision.line_id == line)
        .order_by(Decision.id.desc())
        .limit(1)
        .scalar()
    )
    return found


def _tell_missing_rates(applying: Applying) -> None:
    """One alarm names the currencies without a rate; it is not raised again while it is open."""
    run, edition = applying.run, applying.edition
    used = {
        str(currency)
        for table in (DueLine, Credit)
        for (currency,) in table.select(table.currency).where(table.entity_id == run.entity_id).distinct().tuples()
    }
    missing = sorted(used - {edition.body["currency"], *edition.body["rates"]})
    if not missing:
        return
    text = (
        f"no exchange rate into {edition.body['currency']} for {', '.join(missing)}: amounts that need it are unknown"
    )
    known = Alarm.select().where(
        Alarm.entity_id == run.entity_id, Alarm.kind == RATE, Alarm.text == text, Alarm.acknowledged_at.is_null()
    )
    if not known.exists():
        Alarm.create(entity_id=run.entity_id, kind=RATE, text=text, raised_at=applying.at)


def _refer(applying: Applying, decided: "Frame") -> None:
    """A diary item for each customer whom a stage refers to a person, naming the missing facts."""
    book = applying.edition.book
    undecided = [f"undecided_{name}" for name in book.stages]
    rows = decided.filter(nw.any_horizontal(*(nw.col(name) for name in undecided), ignore_nulls=True))
    wanted = columns_to_apply(tuple(decided.collect_schema().names()), book)
    made = 0
    for batch in frames.batches(rows.select(wanted), BATCH):
        with applying.runtime.database.atomic():
            made += refer_rows(applying, batch, REFER_TASKS_MAX - made)
        if made >= REFER_TASKS_MAX:
            break
    if applying.run.undecided > REFER_TASKS_MAX:
        Alarm.create(
            entity_id=applying.run.entity_id,
            kind="undecided",
            text=f"run {applying.run.id} leaves {applying.run.undecided} customers undecided; "
            f"the diary names {REFER_TASKS_MAX} of them",
            raised_at=applying.at,
        )


def refer_rows(applying: Applying, rows: Iterable[dict[str, Any]], most: int) -> int:
    """Diary items for undecided rows, at most one open per customer and stage.

    Returns:
        How many customers and stages are in the diary now, new and old.
    """
    counted = 0
    for row in rows:
        decided = reference.decide(row, applying.edition.book)
        for stage, missing in sorted(decided.undecided.items()):
            if counted >= most:
                return counted
            counted += 1
            named = ",".join(missing) or ",".join(decided.conflicts.get(stage, ()))
            open_already = Action.select().where(
                Action.customer == row["customer_id"],
                Action.template == REFER,
                Action.policy_key == stage,
                Action.state == "open",
            )
            if open_already.exists():
                continue
            Action.insert(
                key=f"{row['customer_id']}/{REFER}/{stage}/{applying.run.as_of_day}/{named}"[:255],
                entity_id=applying.run.entity_id,
                customer=row["customer_id"],
                policy_key=stage,
                episode=0,
                step_key=named,
                channel="task",
                template=REFER,
                owner_role=REFER_OWNER,
                state="open",
                due_day=applying.run.as_of_day,
                edition_planned=applying.edition.sha256,
                created_at=applying.at,
            ).on_conflict_ignore().execute()
    return counted


@dataclass(frozen=True, kw_only=True)
class PutLimitsInForce(Command):
    """Make entries of the limits a run proposes within the automatic band.

    Args:
        run: whose proposals.
        band_minor: the highest amount that needs no person.
    """

    run: int
    band_minor: int


@register(PutLimitsInForce, permission="limits.approve")
def put_limits_in_force(context: Context, command: PutLimitsInForce) -> Change:
    """Append one entry per proposal that differs from the limit in force; the next run's facts see them."""
    if context.actor is not None:
        raise Refused("the band is applied by a run; a person approves limits one by one")
    run = Run.get_or_none(Run.id == command.run)
    if run is None:
        raise NotFound(f"no run {command.run}")
    proposals = (
        Outcome.select(Outcome.customer, Outcome.proposed_limit_minor)
        .where(
            Outcome.entity_id == run.entity_id,
            Outcome.run_id == run.id,
            Outcome.proposed_limit_minor.is_null(False),
            Outcome.proposed_limit_minor <= command.band_minor,
        )
        .order_by(Outcome.customer)
        .tuples()
    )
    in_force = _limits_in_force(run.entity_id, run.as_of_day + 1)
    rows = [
        {
            "entity_id": run.entity_id,
            "customer": customer,
            "booked_day": run.as_of_day,
            "recorded_day": run.as_of_day,
            "recorded_at": context.at,
            "amount_minor": amount,
            "from_day": run.as_of_day + 1,
            "reason": f"proposed by the rules in run {run.id}, within the automatic band",
        }
        for customer, amount in proposals
        # A limit above the band was a person's decision: the rules lower it only with a person.
        if in_force.get(customer) != amount and (in_force.get(customer) or 0) <= command.band_minor
    ]
    for start in range(0, len(rows), BATCH):
        CreditLimit.insert_many(rows[start : start + BATCH]).execute()
    return Change(
        subject_kind="run",
        subject_id=run.id,
        after={"limits": len(rows), "band_minor": command.band_minor},
        answer={"limits": len(rows)},
        entity_id=run.entity_id,
    )


def _limits_in_force(entity_id: int, day: int) -> dict[int, int | None]:
    from engine.tables import Reversal

    undone = Reversal.select(Reversal.target_id).where(Reversal.target == "credit_limit")
    rows = (
        CreditLimit.select(CreditLimit.customer, CreditLimit.amount_minor)
        .join(Customer)
        .where(
            CreditLimit.entity_id == entity_id,
            CreditLimit.from_day <= day,
            CreditLimit.until_day.is_null() | (CreditLimit.until_day > day),
            CreditLimit.id.not_in(undone),
        )
        .order_by(CreditLimit.id)
        .tuples()
    )
    return dict(rows)
