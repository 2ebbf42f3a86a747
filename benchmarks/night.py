"""Decision runs of a whole portfolio: adopted, gone live, and a night of which few customers change.

    python -m benchmarks.night --customers 100000

The adoption decides everybody; its process is killed (-9) in the middle and another goes on. The
first days after go-live change more than the entity's share: such a run stops at the gate, is
approved and drained. Then comes the night that is measured, with the memory of all its processes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace

from benchmarks.filling import build
from benchmarks.goals import Found, Goal, Table
from benchmarks.places import Place, arguments, opened
from benchmarks.portfolio import AS_OF_DAY
from benchmarks.watching import Watched, memory_watched
from engine.going_live import ApproveRun
from engine.locks import Busy
from engine.runs import resume, run_entity
from engine.runtime import Runtime
from engine.tables import Action, Decision, Entity, Outcome, Run, Standing, User, UserRole, UserScope

ADOPTED_DAY, LIVE_DAY = AS_OF_DAY - 1, AS_OF_DAY
NIGHT_DAY = AS_OF_DAY + 2
NIGHT_SECONDS, NIGHT_GB, MASS_SECONDS, CHANGED_PERCENT = 60, 4, 900, 5
KILLED_AT = 0.3  # of the decisions of the adoption
KILLED_FROM = 10_000  # customers; fewer are decided before a kill could come in between
POLL_SECONDS = 0.2
FREE_SECONDS = 60


def main() -> None:
    """Decide day by day and measure."""
    parser = arguments(__doc__)
    parser.add_argument("--decide", type=int, help="decide this day and end; used by this program itself")
    parser.add_argument("--url", help="of the database in which that day is decided")
    chosen = parser.parse_args()
    if chosen.decide is not None:
        _decide_alone(chosen)
        return
    found = Found(chosen.json)
    with opened(chosen.database, chosen.folder) as place:
        runtime = place.runtime(chosen.customers)
        try:
            if Run.select().exists():
                runtime.close()
                place.remove(chosen.customers)
                runtime = place.runtime(chosen.customers)
            measure(place, runtime, chosen, found)
        finally:
            runtime.close()


def measure(place: Place, runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """All days, one after another."""
    name, rows = place.database, []
    killed = _killed_in_the_middle(place, runtime, chosen) if chosen.customers >= KILLED_FROM else 0.0
    with memory_watched() as memory:
        run, seconds = decide_day(runtime, ADOPTED_DAY)
    _check_adopted(run, chosen.customers)
    rows.append(_row("adoption, after the kill", run, seconds, memory))
    found.goal(Goal(f"{name}.mass_change", killed + seconds, MASS_SECONDS, "s"))
    go_live(run)
    for day in range(LIVE_DAY, NIGHT_DAY):
        with memory_watched() as memory:
            run, seconds = decide_day(runtime, day)
        rows.append(_row(f"day {day - LIVE_DAY + 1} after go-live", run, seconds, memory))
    with memory_watched() as memory:
        run, seconds = decide_day(runtime, NIGHT_DAY)
    rows.append(_row("the measured night", run, seconds, memory))
    share = 100 * run.changed / run.customers
    found.goal(Goal(f"{name}.night_changed", share, CHANGED_PERCENT, "%"))
    found.goal(Goal(f"{name}.night", seconds, NIGHT_SECONDS, "s"))
    found.goal(Goal(f"{name}.night_memory", memory.peak_gb, NIGHT_GB, "GB"))
    columns = ["run", "seconds", "changed", "written", "gate", "peak memory"]
    note = (
        f"{chosen.customers:,} customers. From {KILLED_FROM:,} on, the adoption was killed with SIGKILL at "
        f"{KILLED_AT:.0%} of its decisions and "
        f"went on in another process: the {killed:.1f} s before the kill count in its goal, not in its line. "
        "Memory is that of the process and all below it, sampled; a PostgreSQL server is not among them."
    )
    found.table(Table(f"Runs, {name}", columns, rows, note))
    steps = [[step, f"{taken:.2f}"] for step, taken in json.loads(run.seconds).items()]
    counts = f"{Decision.select().count():,} decisions and {Action.select().count():,} actions are kept."
    found.table(Table(f"Steps of the measured night, {name}", ["step", "seconds"], steps, counts))


def decide_day(runtime: Runtime, day: int) -> tuple[Run, float]:
    """Decide a day; a run that stops at the gate is approved and drained."""
    start = time.monotonic()
    run = _run_when_free(runtime, day)
    if run.state == "gated":
        runtime.execute(ApproveRun(actor=_approver().id, reason="looked at", key=f"approve-{run.id}", run=run.id))
        run = resume(runtime, run)
    seconds = time.monotonic() - start
    if run.state != "done" or run.as_of_day != day:
        raise RuntimeError(f"day {day} is not decided: run {run.id} of day {run.as_of_day} is {run.state}")
    print(f"day {day}: {seconds:.1f} s, {run.changed:,} changed, {run.applied:,} written, {run.seconds}", flush=True)
    return run, seconds


def _run_when_free(runtime: Runtime, day: int) -> Run:
    """Decide a day; a server may hold the lock of a killed process until it notices that it is gone."""
    tries = int(FREE_SECONDS / POLL_SECONDS)
    for _ in range(tries):
        try:
            return run_entity(runtime, Entity.get(), day)
        except Busy:
            time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the entity was not free within {FREE_SECONDS} s")


def _row(title: str, run: Run, seconds: float, memory: Watched) -> list[str]:
    gate = "approved" if run.approved_by_id is not None else "-"
    return [title, f"{seconds:.1f}", f"{run.changed:,}", f"{run.applied:,}", gate, f"{memory.peak_gb:.2f} GB"]


def _approver() -> User:
    user, new = User.get_or_create(email="approver@house.example", defaults={"name": "Approver", "fs_uniquifier": "a"})
    if new:
        UserRole.create(user=user, role="credit_manager")
        UserScope.create(user=user, entity=Entity.get())
    return user


def _killed_in_the_middle(place: Place, runtime: Runtime, chosen: Namespace) -> float:
    """Begin the adoption in a process of its own and kill it; how long it ran."""
    command = [sys.executable, "-m", "benchmarks.night", "--database", place.database, "--customers"]
    command += [str(chosen.customers), "--folder", str(place.folder), "--decide", str(ADOPTED_DAY)]
    command += ["--url", place.url(chosen.customers)]  # it must not hold the server: what is killed lets go of nothing
    start = time.monotonic()
    with subprocess.Popen(command) as child:
        while child.poll() is None and _applied() < KILLED_AT * chosen.customers:
            time.sleep(POLL_SECONDS)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
    seconds = time.monotonic() - start
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the adoption ended by itself with status {child.returncode}")
    print(f"killed after {seconds:.1f} s, {_applied():,} decisions are written", flush=True)
    return seconds


def _applied() -> int:
    return Run.select(Run.applied).limit(1).scalar() or 0


def _decide_alone(chosen: Namespace) -> None:
    place = Place(chosen.database, chosen.folder.resolve())
    run_entity(build(chosen.url, chosen.customers, var=place.var(chosen.customers)), Entity.get(), chosen.decide)


def _check_adopted(run: Run, customers: int) -> None:
    """Everybody is decided once, as if nothing had been killed."""
    seen = {
        "run.applied": run.applied,
        "decisions": Decision.select().where(Decision.run == run).count(),
        "customers decided": Decision.select(Decision.customer).where(Decision.run == run).distinct().count(),
        "outcomes": Outcome.select().count(),
    }
    wrong = {name: count for name, count in seen.items() if count != customers}
    if wrong or Standing.select().where(Standing.step_key.is_null(False)).exists():
        raise RuntimeError(f"the adoption of {customers:,} customers left {wrong}")


def go_live(run: Run) -> None:
    Entity.update(sending=True, live_from_day=LIVE_DAY, live_after_run=run.id).execute()


if __name__ == "__main__":
    main()
