"""Cash forecasts kept: after each run the workers forecast its entity once, so that no reader waits for it.

Beside the run, not within it: no decision reads them. Of each entity the last run alone is forecast; its frame's
name follows from what is in it and the run names it last; whoever was killed in between does it again. They are
removed with the facts.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine import frames, kept_frames
from engine.cash import HORIZON_DAYS, CashForecast, Week, cash_forecasts
from engine.outages import outage_of
from engine.pipeline import last_portfolio_run
from engine.tables import Alarm, DueLine, Entity, Run

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

LINES_MAX = 1_000_000  # due lines of an entity: 2 GB beside what reading takes; of more there is no forecast
NOTE = "models"  # kind of an alarm
HEAD = {
    "as_of_day": nw.Int64,
    "currency": nw.String,
    "learned": nw.Boolean,
    "invoices": nw.Int64,
    "open_minor": nw.Int64,
    "litigation_minor": nw.Int64,
    "part_paid_minor": nw.Int64,
}
SCHEMA: dict[str, Any] = HEAD | dict.fromkeys(Week.__dataclass_fields__, nw.Int64)


@dataclass(frozen=True, slots=True)
class KeptCash:
    """What is kept of one run.

    Args:
        day: of the run.
        at: when it was made: what was booked or said later is not in it.
        ahead: the thirteen weeks from the day after the run's.
        behind: the thirteen weeks that ended before the run's day.
    """

    day: int
    at: int
    ahead: CashForecast
    behind: CashForecast


def is_waiting() -> bool:
    """Whether the last run of some entity is not forecast yet."""
    return bool(_waiting())


def work_off(runtime: "Runtime") -> int:
    """Forecast the entities whose last run has no forecast yet; how many entities.

    A fault is told and not tried again before the next run: it must not keep trainings back.
    """
    if not is_waiting():
        return 0
    done = 0
    with runtime.database.alone("cash-forecasts", runtime.settings.var / "locks") as held:
        for run in _waiting() if held else ():
            try:
                keep_cash(runtime, run)
            except Exception as error:
                if outage_of(error) is not None:
                    raise
                log.exception("cash forecast of run %s failed", run.id)
                _name(run, None, runtime.now_at())
                text = f"no cash forecast for {run.entity.code}: {type(error).__name__}; see the worker's log"
                Alarm.create(kind=NOTE, text=text, raised_at=runtime.now_at())
            done += 1
    return done


def _waiting() -> list[Run]:
    last = (last_portfolio_run(entity) for entity in Entity.select().order_by(Entity.id))
    return [run for run in last if run is not None and run.cash_at is None]


def keep_cash(runtime: "Runtime", run: Run) -> None:
    """Forecast from a run's day and keep it with the run. Doing it again on the same entries changes nothing."""
    at, day, entity = runtime.now_at(), int(run.as_of_day), run.entity
    lines = DueLine.select(DueLine.id).where(DueLine.entity_id == entity.id).limit(LINES_MAX + 1).count()
    # from the day after on, with all that was booked and said by then; and the weeks that ended before the day
    days = [day + 1, day - HORIZON_DAYS]
    found = cash_forecasts(runtime, entity, days, today=day) if lines <= LINES_MAX else []
    rows = [
        {name: getattr(one, name) for name in HEAD} | {name: getattr(week, name) for name in Week.__dataclass_fields__}
        for one in found
        for week in one.weeks
    ]
    file = kept_frames.store_frame(runtime, frames.from_rows(rows, SCHEMA), "begins").file if rows else None
    _name(run, file, at)


def _name(run: Run, file: str | None, at: int) -> None:
    Run.update(cash_file=file, cash_at=at, version=Run.version + 1).where(Run.id == run.id).execute()


def kept_cash(runtime: "Runtime", entity: Entity) -> KeptCash | None:
    """The newest forecast that is kept of an entity; None without one. Reads no ledger."""
    run = (
        Run.select()
        .where(Run.entity == entity, Run.kind != "event", Run.state == "done", Run.cash_file.is_null(False))
        .order_by(Run.as_of_day.desc(), Run.id.desc())
        .first()
    )
    if run is None:
        return None
    try:
        rows = frames.rows_of(kept_frames.scan_frame(runtime, str(run.cash_file)))
    except FileNotFoundError:
        return None
    day = int(run.as_of_day)
    ahead, behind = (_forecast([row for row in rows if (row["as_of_day"] > day) is later]) for later in (True, False))
    return KeptCash(day, int(run.cash_at), ahead, behind)


def _forecast(rows: list[dict[str, Any]]) -> CashForecast:
    weeks = (Week(**{name: row[name] for name in Week.__dataclass_fields__}) for row in rows)
    ordered = tuple(sorted(weeks, key=lambda week: week.begins))
    return CashForecast(**{name: rows[0][name] for name in HEAD}, weeks=ordered)
