"""Events: customers whose state changed are decided again, through the same pipeline, a few at a time."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import after_run, line_rows
from engine.confirming import Claimed, confirm, matcher_of
from engine.decisions import Applying, Verdict, standing_row, write, write_points
from engine.differences import STAGE_OUTCOMES, changed_stages, has_moved, points_changed, waiting_code
from engine.editions import activate, keep
from engine.locks import Busy, alone
from engine.matching import Matcher
from engine.pipeline import Asking, asking, facts_of, last_portfolio_run
from engine.tables import Customer, DirtyCustomer, Entity, Run, Standing
from rules import reference
from rules.reference import Decided

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

BATCH = 200  # customers decided at a time; from about here columns would be faster
BEHIND_DAYS_MAX = 31  # an entity left further behind is decided as of its last day


def drain_dirty(runtime: "Runtime") -> int:
    """Decide every customer that was marked since it was decided last.

    More of them than one batch and than the entity's share for a run go through a portfolio run,
    with its gate.

    Returns:
        How many customers were decided.
    """
    decided = 0
    marked = DirtyCustomer.select(DirtyCustomer.entity_id).distinct().tuples()
    for entity in Entity.select().where(Entity.id.in_([row[0] for row in marked])).order_by(Entity.id):
        last = last_portfolio_run(entity)
        if last is None:
            continue  # the adoption decides everybody
        day = _day(runtime, entity, last)
        waiting = DirtyCustomer.select().where(DirtyCustomer.entity_id == entity.id).count()
        customers = Customer.select().where(Customer.entity == entity).count()
        try:
            if waiting > BATCH and waiting * 10_000 > customers * entity.portfolio_share_bp:
                decided += _decide_all(runtime, entity, day)
            else:
                decided += _drain(runtime, entity, day)
        except Busy:
            log.info("entity %s is being decided by another process", entity.code)
    return decided


def _day(runtime: "Runtime", entity: Entity, last: Run) -> int:
    today = runtime.today(entity)
    if today - last.as_of_day > BEHIND_DAYS_MAX:
        return int(last.as_of_day)
    return max(today, int(last.as_of_day))


def _decide_all(runtime: "Runtime", entity: Entity, day: int) -> int:
    from engine.runs import run_entity

    run = run_entity(runtime, entity, day)
    return int(run.customers) if run.state == "done" else 0


def _drain(runtime: "Runtime", entity: Entity, day: int) -> int:
    decided = 0
    with alone(runtime, entity):
        matcher = matcher_of(runtime)
        _close_interrupted(runtime, entity)
        activate(runtime, day)
        while True:
            marks = list(
                DirtyCustomer.select(DirtyCustomer.customer, DirtyCustomer.since_at)
                .where(DirtyCustomer.entity_id == entity.id)
                .order_by(DirtyCustomer.since_at, DirtyCustomer.customer)
                .limit(BATCH)
                .tuples()
            )
            if not marks:
                return decided
            ask = asking(runtime, entity, day)
            decided += decide_customers(runtime, ask, _with_groups([mark[0] for mark in marks]), matcher)
            with runtime.database.atomic():
                for customer, since_at in marks:  # one marked again meanwhile keeps its newer mark
                    DirtyCustomer.delete().where(
                        DirtyCustomer.customer == customer, DirtyCustomer.since_at == since_at
                    ).execute()


def _close_interrupted(runtime: "Runtime", entity: Entity) -> None:
    """End the runs of a drain that died: what they wrote holds, and whom they did not come to is still marked."""
    left = (Run.entity == entity) & (Run.kind == "event") & (Run.state == "confirming")
    with runtime.database.atomic():
        Run.update(state="done", finished_at=runtime.now_at(), version=Run.version + 1).where(left).execute()


def _with_groups(customers: list[int]) -> list[int]:
    """The customers and the other members of their groups, whose group exposure changes as well."""
    groups = Customer.select(Customer.customer_group).where(
        Customer.id.in_(customers), Customer.customer_group.is_null(False)
    )
    entities = Customer.select(Customer.entity).where(Customer.id.in_(customers))
    members = (
        Customer.select(Customer.id)
        .where(Customer.customer_group.in_(groups), Customer.entity.in_(entities))
        .limit(GROUP_MEMBERS_MAX)
        .tuples()
    )
    return sorted({*customers, *(row[0] for row in members)})


GROUP_MEMBERS_MAX = 500  # of all groups of a batch; the nightly run decides the rest


@dataclass(frozen=True, slots=True)
class _Found:
    """One customer decided, and what of it is to be written."""

    row: dict[str, Any]
    decided: Decided
    changed: bool
    stale: bool
    points: bool


def decide_customers(runtime: "Runtime", ask: Asking, customers: list[int], matcher: Matcher) -> int:
    """Decide some customers as of a day, and write what changed, under a run of kind ``event``.

    Returns:
        How many were decided.
    """
    started_at = runtime.now_at()
    rows = [r for r in facts_of(runtime, ask, customers) if (r["was_as_of_day"] or ask.as_of_day) <= ask.as_of_day]
    found = [_look(row, ask) for row in rows]
    lines = _look_at_lines(runtime, ask, found)
    undecided = [one.row for one in found if one.decided.undecided]
    ranks = [one for one in found if one.points and not one.changed]
    write_points(runtime, [{"customer_id": one.row["customer_id"], **one.decided.outcomes} for one in ranks])
    if not undecided and not any(one.changed or one.stale for one in (*found, *lines.found)):
        return len(rows)
    with runtime.database.atomic():
        keep(ask.edition)
        run = Run.create(
            entity=ask.entity,
            as_of_day=ask.as_of_day,
            kind="event",
            state="confirming",
            edition=ask.edition.sha256,
            policy_key=ask.edition.policy_key,
            line_policy_key=ask.edition.line_policy_key,
            customers=len(rows),
            changed=sum(one.changed for one in found),
            lines=len(lines.found),
            lines_changed=sum(one.changed for one in lines.found),
            undecided=len(undecided),
            started_at=started_at,
        )
    applying = Applying(runtime, run, ask.edition, ask.begins, started_at)
    _write(applying, matcher, found)
    if lines.ask is not None:
        _write(Applying(runtime, run, lines.ask.edition, lines.ask.begins, started_at), matcher, lines.found)
    with runtime.database.atomic():
        if ask.begins:
            after_run.refer_rows(applying, undecided, after_run.REFER_TASKS_MAX)
        Run.update(state="done", finished_at=runtime.now_at(), version=Run.version + 1).where(
            Run.id == run.id
        ).execute()
        runtime.database.after_commit(runtime.ring)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The due lines of the customers decided; none without a policy of theirs."""

    ask: Asking | None
    found: list[_Found]


def _look_at_lines(runtime: "Runtime", ask: Asking, customers: list[_Found]) -> _Lines:
    of_lines = line_rows.asking_of_lines(ask)
    if of_lines is None:
        return _Lines(None, [])
    decided = {one.row["customer_id"]: one.decided for one in customers}
    rows = line_rows.rows_of_customers(runtime, of_lines, [one.row for one in customers], decided)
    return _Lines(of_lines, [_look(row, of_lines) for row in rows])


def _write(applying: Applying, matcher: Matcher, found: list[_Found]) -> None:
    """Write what changed once it is confirmed, and why the others wait."""
    claims = [_claim(one) for one in found if one.changed]
    if claims:
        write(applying, confirm(applying, matcher, claims))
    with applying.runtime.database.atomic():
        for one in found:
            if one.stale and not one.changed:
                _write_waiting(applying, one)


def _look(row: dict[str, Any], ask: Asking) -> _Found:
    decided = reference.decide(row, ask.edition.book)
    changed = not row["known"] or bool(changed_stages(row, decided.outcomes)) or has_moved(row, decided)
    said, noted = waiting_code(decided.waiting, ask.begins), row["at_waiting"] or "none"
    due = row["at_next_day"] is not None and row["at_next_day"] <= ask.as_of_day
    passed = ask.begins and due and said == "none"
    stale = bool(row["at_open"]) and (said != noted or passed)
    # What is derived goes along: it is matched again, and kept with the facts of the decision.
    return _Found({**row, **decided.derived}, decided, changed, stale, points_changed(row, decided.outcomes))


def _claim(one: _Found) -> Claimed:
    said: dict[str, Any] = {name: one.decided.outcomes.get(name) for names in STAGE_OUTCOMES.values() for name in names}
    if one.decided.waiting is not None:
        said["waiting"] = one.decided.waiting
        said["enters_step"] = one.decided.enters_step
        said["episode_move"] = one.decided.episode_move
    return Claimed(one.row, said, one.decided.matched)


def _write_waiting(applying: Applying, one: _Found) -> None:
    values = standing_row(applying, Verdict(one.row, one.decided, "reference"))
    if values is not None:
        Standing.update(**{name: values[name] for name in ("waiting_for", "next_step", "next_day")}).where(
            Standing.customer == one.row["customer_id"],
            Standing.policy_key == applying.edition.policy_key,
            Standing.line_id == values["line_id"],
        ).execute()
