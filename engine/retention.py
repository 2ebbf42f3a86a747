"""How long the facts of runs are kept: 35 days, month-ends ten years, and always those of the last run."""

from calendar import monthrange
from typing import TYPE_CHECKING

from engine.kept_frames import FRAMES_FOLDER
from engine.pipeline import last_portfolio_run
from engine.runs import UNFINISHED
from engine.tables import Entity, Run
from ledger.days import date_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

KEPT_DAYS = 35
MONTH_ENDS_KEPT_DAYS = 3_653  # ten years
SETTLING_SECONDS = 3_600  # a frame is stored before the run that names it


def is_kept(day: int, today: int) -> bool:
    """Whether the facts of a day are still kept today.

    Args:
        day: the day decided.
        today: the entity's day.

    >>> is_kept(20_000, 20_035), is_kept(20_000, 20_036)  # 2024-10-04
    (True, False)
    >>> is_kept(20_027, 23_680), is_kept(20_027, 23_681)  # 2024-10-31
    (True, False)
    """
    on = date_of(day)
    month_end = on.day == monthrange(on.year, on.month)[1]
    return today - day <= (MONTH_ENDS_KEPT_DAYS if month_end else KEPT_DAYS)


def purge_frames(runtime: "Runtime") -> int:
    """Remove the facts that no run needs any more, at most once a day of ours.

    Decisions stay: each holds the facts its policies read. A run whose facts are gone cannot be
    replayed, and no simulation starts from its day.

    Returns:
        How many files were removed.
    """
    now_at = runtime.now_at()
    date = now_at // 86_400_000_000
    if runtime.cache.get("frames_purged") == date:
        return 0
    needed = _needed(runtime)
    removed = 0
    for path in (runtime.settings.var / FRAMES_FOLDER).glob("*.parquet"):
        settled = now_at / 1_000_000 - path.stat().st_mtime > SETTLING_SECONDS
        if settled and f"{FRAMES_FOLDER}/{path.name}" not in needed:
            path.unlink(missing_ok=True)
            removed += 1
    runtime.cache["frames_purged"] = date
    return removed


def _needed(runtime: "Runtime") -> set[str]:
    needed = set()
    for entity in Entity.select():
        today = runtime.today(entity)
        last = last_portfolio_run(entity)
        named = (Run.facts_file, Run.lines_file, Run.invoices_file, Run.cash_file)
        runs = Run.select(Run.id, Run.as_of_day, Run.state, *named).where(
            Run.entity == entity, Run.facts_file.is_null(False)
        )
        for run in runs:
            latest = last is not None and run.id == last.id
            if latest or run.state in UNFINISHED or is_kept(run.as_of_day, today):
                files = (getattr(run, field.name) for field in named)
                needed |= {str(file) for file in files if file is not None}
    return needed
