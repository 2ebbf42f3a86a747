"""Runs: an entity is decided as of a day, once, resumably.

facts -> stages -> differences -> gate -> stored frame -> confirmed -> decisions with their actions.
A run that a crash interrupts goes on from its stored facts; days that were missed are decided in
order, and only the last of them creates actions.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import time
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from peewee import ModelSelect

from engine import frames, kept_frames, line_rows
from engine.commands import Invalid
from engine.confirming import matcher_of
from engine.editions import activate, keep
from engine.finishing import Computed, Steps, clean, finish
from engine.frames import STREAM, collected
from engine.locks import Busy, alone
from engine.matching import Matcher
from engine.pipeline import Asking, asking, decided_day, last_portfolio_run
from engine.replaying import replayed_run
from engine.tables import ENTRY_TABLES, Alarm, Entity, Run
from ledger.canonical import canonical
from ledger.days import date_of
from rules.book import Book

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

CATCH_UP_DAYS_MAX = 366  # in one call by a person
CATCH_UP_ALONE_MAX = 31  # days the workers decide without being asked
STARTS_AT = time(2)  # in the entity's zone
UNFINISHED = ("gated", "confirming")

Engine = Literal["polars", "spark"]
Computing = Callable[["Runtime", Asking, Steps], AbstractContextManager[Computed]]


def run_entity(
    runtime: "Runtime", entity: Entity, as_of_day: int, *, replay: bool = False, engine: Engine | None = None
) -> Run:
    """Decide an entity as of a day, and every day missed before it.

    A run that would change too much stops (state ``gated``) until somebody approves it; calling
    again then goes on. Calling again for a day that is decided changes nothing.

    Args:
        replay: decide a past day again from its stored facts and edition, writing nothing.
        engine: what computes facts and outcomes; by default Spark where the settings name its master.

    Returns:
        The run of the day; of an earlier one if that is gated.

    Raises:
        Invalid: the day lies before the last decided one, or too far after it.
        Busy: another process is deciding this entity.
        engine.editions.Unusable: a document or model in force cannot be read.
        engine.replaying.Different: a replay does not give what was decided.
        engine.spark.ClusterError: Spark is asked for and cannot be used.
    """
    if replay:
        return replayed_run(runtime, entity, as_of_day)
    computing = _computing(runtime, engine)
    with alone(runtime, entity):
        matching = matcher_of(runtime)
        entity = Entity.get_by_id(entity.id)
        waiting = _unfinished(runtime, entity, as_of_day, matching)
        if waiting is not None:
            return waiting
        run: Run | None = None
        days = _days(entity, as_of_day)
        acted = _last_acting_day(entity)
        for day in days:
            run = _decide_day(runtime, entity, day, matching, computing, acts=day == days[-1], sent_until_day=acted)
            if run.state != "done":
                return run
            entity = Entity.get_by_id(entity.id)
        if run is None:
            raise AssertionError("there is always a day to decide")
        return run


def resume(runtime: "Runtime", run: Run) -> Run:
    """Go on with a run that was approved or interrupted.

    Raises:
        Busy: another process is deciding this entity.
    """
    with alone(runtime, run.entity):
        run = Run.get_by_id(run.id)
        return run if run.state != "confirming" else finish(runtime, run, matcher_of(runtime))


def run_due_days(runtime: "Runtime") -> list[Run]:
    """What the workers call: finish what was begun, and decide each adopted entity's day once it has come."""
    runs = []
    for entity in Entity.select().where(Entity.adopted_day.is_null(False)).order_by(Entity.id):
        today = runtime.today(entity)
        last = last_portfolio_run(entity)
        confirming = _unfinished_runs(entity).where(Run.state == "confirming")
        begun = confirming.exists()
        behind = 0 if last is None else today - last.as_of_day
        night = runtime.now().astimezone(ZoneInfo(entity.zone)).time() >= STARTS_AT
        if not begun and (behind <= 0 or not night):
            continue
        if not begun and behind > CATCH_UP_ALONE_MAX:
            _tell_behind(runtime, entity, behind)
            continue
        try:
            if begun:
                runs += [resume(runtime, run) for run in confirming]
            else:
                runs.append(run_entity(runtime, entity, today))
        except Busy:
            log.info("entity %s is being decided by another process", entity.code)
    return runs


def _unfinished_runs(entity: Entity) -> ModelSelect:
    """Runs of the portfolio that an earlier call left; one of a few customers has no facts to go on from."""
    return Run.select().where(Run.entity == entity, Run.kind != "event", Run.state.in_(UNFINISHED)).order_by(Run.id)


def _unfinished(runtime: "Runtime", entity: Entity, as_of_day: int, matcher: Matcher) -> Run | None:
    """Finish or set aside what an earlier call left; the run to wait for, if any."""
    run: Run
    for run in _unfinished_runs(entity):
        if run.state == "confirming":
            finish(runtime, run, matcher)
        elif as_of_day > run.as_of_day:
            # Nothing of it took effect: the newer day is compared with what is in force.
            Run.update(state="superseded", finished_at=runtime.now_at(), version=Run.version + 1).where(
                Run.id == run.id
            ).execute()
        else:
            return run
    return None


def _days(entity: Entity, as_of_day: int) -> list[int]:
    last = last_portfolio_run(entity)
    if last is None or as_of_day == last.as_of_day:
        return [as_of_day]
    if as_of_day < last.as_of_day:
        raise Invalid.because(
            "as_of",
            f"{date_of(as_of_day)} lies before {date_of(last.as_of_day)}, the last decided day",
            "decide a later day, or replay the past one",
        )
    if as_of_day - last.as_of_day > CATCH_UP_DAYS_MAX:
        raise Invalid.because(
            "as_of",
            f"{date_of(as_of_day)} is more than {CATCH_UP_DAYS_MAX} days after the last decided day",
            f"decide up to {date_of(last.as_of_day + CATCH_UP_DAYS_MAX)} first",
        )
    return list(range(last.as_of_day + 1, as_of_day + 1))


def _last_acting_day(entity: Entity) -> int | None:
    found: int | None = (
        Run.select(Run.as_of_day)
        .where(Run.entity == entity, Run.kind != "event", Run.state == "done", Run.acts | (Run.kind == "adoption"))
        .order_by(Run.as_of_day.desc())
        .limit(1)
        .scalar()
    )
    return found


@dataclass(frozen=True)
class Counted:
    """What deciding a frame found; of due lines also where their frame is stored."""

    rows: int
    changed: int
    moved: int
    stale: int
    points: int
    undecided: int
    stored: kept_frames.Stored | None = None

    @property
    def nothing(self) -> bool:
        """Whether a day decided once more says nothing new; that a step began today is no news."""
        return not (self.changed or self.moved or self.points)


def _decide_day(
    runtime: "Runtime",
    entity: Entity,
    day: int,
    matcher: Matcher,
    computing: Computing,
    *,
    acts: bool,
    sent_until_day: int | None,
) -> Run:
    steps = Steps()
    started_at, entries_until = runtime.now_at(), last_entries(runtime)
    activate(runtime, day)
    last = last_portfolio_run(entity)
    ask = asking(runtime, entity, day, sent_until_day=sent_until_day)
    if not ask.edition.book.stages and ask.edition.lines is None:
        raise Invalid.because(
            "policies", f"none is live for {entity.code} on {date_of(day)}", "propose and approve policies first"
        )
    with computing(runtime, ask, steps) as computed:
        counted = _count(computed, ask.edition.book)
        lines = None
        if computed.lines is not None:
            lines = _count(computed.lines, ask.edition.for_lines().book)
        if last is not None and last.as_of_day == day and counted.nothing and (lines is None or lines.nothing):
            clean(entity, started_at)
            return last
        with steps.step("store"):
            stored = kept_frames.store_frame(runtime, computed.facts)
            if computed.lines is not None and lines is not None:
                lines = replace(lines, stored=kept_frames.store_frame(runtime, computed.lines.facts, "line_id"))
        when = {"started_at": started_at, "entries_until": entries_until}
        run = _begin(runtime, ask, stored, counted, lines, last, acts=acts, when=when, steps=steps)
        return run if run.state == "gated" else finish(runtime, run, matcher, ask, computed, steps)


def _begin(
    runtime: "Runtime",
    ask: Asking,
    stored: kept_frames.Stored,
    counted: Counted,
    lines: Counted | None,
    last: Run | None,
    *,
    acts: bool,
    when: Mapping[str, Any],
    steps: Steps,
) -> Run:
    """Write down the run: its facts are stored, nothing of it has taken effect yet."""
    gated = last is not None and any(_is_gated(ask.entity, part) for part in (counted, lines) if part is not None)
    of_lines: dict[str, Any] = {}
    if lines is not None and lines.stored is not None:
        of_lines = {
            "line_policy_key": ask.edition.line_policy_key,
            "lines_sha256": lines.stored.sha256,
            "lines_file": lines.stored.file,
            "lines": lines.rows,
            "lines_changed": lines.changed,
        }
    with runtime.database.atomic():
        keep(ask.edition)
        run: Run = Run.create(
            entity=ask.entity,
            as_of_day=ask.as_of_day,
            kind="adoption" if last is None else "nightly",
            state="gated" if gated else "confirming",
            acts=acts and last is not None,
            sent_until_day=ask.question.sent_until_day,
            edition=ask.edition.sha256,
            policy_key=ask.edition.policy_key,
            facts_sha256=stored.sha256,
            facts_file=stored.file,
            customers=counted.rows,
            changed=counted.changed,
            undecided=counted.undecided,
            **of_lines,
            seconds=steps.as_json(),
            **when,
        )
        if gated:
            _tell_gated(ask.entity, run, run.started_at)
    return run


@contextmanager
def _here(runtime: "Runtime", ask: Asking, steps: Steps) -> Iterator[Computed]:
    """Facts and outcomes by Polars, in this process."""
    of_lines = line_rows.asking_of_lines(ask)
    with steps.step("facts"):
        facts, own = line_rows.read_portfolio(runtime, ask, of_lines)
    with steps.step("stages"):
        decided = decided_day(runtime, ask.entity, ask.edition, ask.as_of_day, ask.begins, facts)
        lines = None
        if of_lines is not None and own is not None:
            rows = collected(line_rows.line_rows(own, decided, of_lines), STREAM)
            entity, edition, begins = ask.entity, of_lines.edition, of_lines.begins
            lines = Computed(rows, decided_day(runtime, entity, edition, ask.as_of_day, begins, rows))
    yield Computed(facts, decided, lines)


def _computing(runtime: "Runtime", engine: Engine | None) -> Computing:
    """What computes; Spark is refused before anything is done where it cannot be used."""
    if (engine or ("spark" if runtime.settings.spark_master else "polars")) == "polars":
        return _here
    from engine import spark

    spark.require(runtime.settings)
    return spark.computed


def _count(computed: Computed, book: Book) -> Counted:
    undecided = [f"undecided_{name}" for name in book.stages]
    marks = ["changed", "moved", "stale", "points_changed"]
    columns = frames.sums_of(computed.decided, marks, undecided)
    return Counted(
        rows=frames.count_of(computed.facts),
        changed=columns["changed"],
        moved=columns["moved"],
        stale=columns["stale"],
        points=columns["points_changed"],
        undecided=columns["any"],
    )


def last_entries(runtime: "Runtime") -> str:
    """Per table of entries the last id, as JSON: what comes after has later ones, whatever a clock says."""
    tables = [model._meta.table_name for model in ENTRY_TABLES]
    asked = ", ".join(f"(select coalesce(max(id), 0) from {name})" for name in tables)  # noqa: S608 our own names
    return canonical(dict(zip(tables, runtime.database.execute_sql(f"select {asked}").fetchone())))


def _is_gated(entity: Entity, counted: Counted) -> bool:
    """Whether a run would change more than its share of customers, or of due lines.

    Adoption is not gated: it contacts nobody, and everything is new. Nor is the first run after a
    go-live: two people have just approved, with figures, what it sends.
    """
    if counted.changed * 10_000 <= counted.rows * entity.portfolio_share_bp:
        return False
    if entity.live_after_run is None:
        return True
    lived = Run.select().where(
        Run.entity == entity, Run.kind != "event", Run.state == "done", Run.id > entity.live_after_run
    )
    return bool(lived.exists())


def _tell_gated(entity: Entity, run: Run, at: int) -> None:
    lines = f" and {run.lines_changed} of {run.lines} due lines" if run.lines else ""
    share = f"{entity.portfolio_share_bp // 100}.{entity.portfolio_share_bp % 100:02d} %"
    Alarm.create(
        entity_id=entity.id,
        kind="gated",
        text=f"run {run.id} would change {run.changed} of {run.customers} customers{lines}, more than {share}",
        raised_at=at,
    )


def _tell_behind(runtime: "Runtime", entity: Entity, behind: int) -> None:
    open_alarms = Alarm.select().where(
        Alarm.entity_id == entity.id, Alarm.kind == "behind", Alarm.acknowledged_at.is_null()
    )
    if not open_alarms.exists():
        Alarm.create(
            entity_id=entity.id,
            kind="behind",
            text=f"{entity.code} is {behind} days behind; more than {CATCH_UP_ALONE_MAX} are decided only when asked",
            raised_at=runtime.now_at(),
        )


def drain_dirty(runtime: "Runtime") -> int:
    """Decide the customers that were marked since they were decided last (``engine.events``)."""
    from engine.events import drain_dirty as drain

    return drain(runtime)
