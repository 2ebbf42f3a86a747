"""Looking four weeks ahead: every day decided for every customer, in force and with a change beside it.

    python -m benchmarks.forward --customers 100000

On a database that ``benchmarks.night`` has decided. Processor time stands beside the seconds, for a
machine that is busy with something else.
"""

import json
import time
from argparse import Namespace
from datetime import UTC, datetime
from datetime import time as clock_time
from typing import Any

from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from benchmarks.watching import memory_watched
from engine.forward import DAYS, look_ahead
from engine.frames import count_of
from engine.pipeline import last_portfolio_run
from engine.runtime import Runtime
from engine.tables import Document, Entity
from ledger.days import date_of
from rules.thresholds import thresholds_of, with_threshold

SECONDS = 60  # of 100,000 customers, both sides


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """One side, then both."""
    entity = Entity.get()
    last = last_portfolio_run(entity)
    if last is None:
        raise SystemExit("nothing is decided here yet: run python -m benchmarks.night first")
    runtime.now = lambda: datetime.combine(date_of(last.as_of_day), clock_time(12), tzinfo=UTC)
    rows = []
    for title, changed in (("in force", []), ("in force and with a change", [_changed()])):
        start, begun = (time.monotonic(), time.process_time()), 0
        with memory_watched() as memory:
            for pair in look_ahead(runtime, entity, changed):
                begun += count_of(pair.live.begun)
        seconds, busy = time.monotonic() - start[0], time.process_time() - start[1]
        rows.append([title, f"{seconds:.1f}", f"{busy:.1f}", f"{begun:,}", f"{memory.peak_gb:.2f} GB"])
    found.goal(Goal(f"{chosen.database}.ahead", seconds, SECONDS, "s"))
    columns = ["sides", "seconds", "processor seconds", "steps in force", "peak memory"]
    note = f"{chosen.customers:,} customers, {DAYS} days; processor seconds without those of the child that reads."
    found.table(Table(f"Looking ahead, {chosen.database}", columns, rows, note))


def _changed() -> dict[str, Any]:
    """The escalation in force with its first reminder two days earlier."""
    body = json.loads(Document.get(Document.key == "escalation").body)
    threshold = next(one for one in thresholds_of(body) if one.owner == "standard-p4")
    changed: dict[str, Any] = with_threshold(body, threshold.place, threshold.value - 2, "2024-01-01")
    return changed


if __name__ == "__main__":
    measured(__doc__, measure)
