"""How long a nightly run takes, step by step, on a real SQLite file. Prints; asserts nothing.

python -m benchmarks.run --customers 100000

Adopts the portfolio as of one day, goes live, and measures the run of the next day: reading, facts,
stages, differences, storing, confirming by durable-rules in a child process, decisions with their
actions; then one customer alone.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.filling import build
from benchmarks.portfolio import AS_OF_DAY
from engine.pipeline import decide_customer
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Action, Decision, Entity, Run


def one_customer(runtime: Runtime, customers: int, times: int) -> list[float]:
    """Milliseconds of deciding one customer alone, warm."""
    taken = []
    for number in range(times + 20):
        start = time.perf_counter()
        decide_customer(runtime, number * 37 % customers + 1, AS_OF_DAY)
        taken.append((time.perf_counter() - start) * 1_000)
    return sorted(taken[20:])


def show(title: str, run: Run, seconds: float) -> None:
    """One run, step by step."""
    counts = f"{run.customers:,} customers, {run.changed:,} changed, {run.applied:,} written"
    print(f"{title}: {seconds:.1f} s, {counts}, state {run.state}")
    for name, taken in json.loads(run.seconds).items():
        print(f"  {name:<20}{taken:8.2f} s")


def main() -> None:
    """Fill a file, adopt, go live, run, and print what each step took."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=100_000)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        start = time.monotonic()
        runtime = build(f"sqlite:///{var / 'dunwell.db'}", chosen.customers)
        entity = Entity.get()
        print(f"filled in {time.monotonic() - start:.1f} s, {(var / 'dunwell.db').stat().st_size >> 20:,} MB")
        start = time.monotonic()
        run = run_entity(runtime, entity, AS_OF_DAY - 1)
        show("adoption", run, time.monotonic() - start)
        Entity.update(sending=True, live_from_day=AS_OF_DAY, live_after_run=run.id).execute()
        for day in range(AS_OF_DAY, AS_OF_DAY + 5):
            start = time.monotonic()
            run = run_entity(runtime, Entity.get(), day)
            show(f"day {day - AS_OF_DAY + 1} after go-live", run, time.monotonic() - start)
        print(f"{Decision.select().count():,} decisions, {Action.select().count():,} actions")
        taken = one_customer(runtime, chosen.customers, 200)
        print(f"one customer: p50 {statistics.median(taken):.1f} ms, p99 {taken[-2]:.1f} ms")
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MB, children "
              f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10:,} MB")  # fmt: skip
        runtime.close()


if __name__ == "__main__":
    main()
