"""How long a portfolio's ledger is read, its facts are computed, decided and kept, step by step.

    python -m benchmarks.facts --customers 100000

Each figure is the median of a few rounds; the memory is the largest of all of them.
"""

import os
import statistics
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from benchmarks.portfolio import AS_OF_DAY
from benchmarks.watching import memory_watched
from engine.frames import STREAM, collected, frames_on_disk
from engine.kept_frames import store_frame
from engine.pipeline import asking, decided_day, facts_frame
from engine.runtime import Runtime
from engine.tables import Entity

FACTS_SECONDS = 6
ROUNDS = 3


def _processor_seconds() -> float:
    """Of this process and the children that have ended."""
    return sum(os.times()[:4])


class Laps:
    """Seconds of each step, by wall and by processor, round after round."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.busy: dict[str, list[float]] = {}

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Measure a step."""
        wall, busy = time.monotonic(), _processor_seconds()
        yield
        self.wall.setdefault(name, []).append(time.monotonic() - wall)
        self.busy.setdefault(name, []).append(_processor_seconds() - busy)
        print(f"{name} {self.wall[name][-1]:.2f} s, {self.busy[name][-1]:.2f} s of processor time", flush=True)

    def median(self, name: str) -> float:
        """By wall."""
        return statistics.median(self.wall[name])

    def rows(self) -> list[list[str]]:
        """Step, seconds, seconds of processor time."""
        return [[name, f"{self.median(name):.2f}", f"{statistics.median(self.busy[name]):.2f}"] for name in self.wall]


def one_round(runtime: Runtime, laps: Laps) -> None:
    """Read, compute, decide, keep."""
    entity = Entity.get()
    ask = asking(runtime, entity, AS_OF_DAY)
    with ExitStack() as files:
        with laps.lap("read the ledger"):
            frames = files.enter_context(frames_on_disk(runtime, ask.question))
        with laps.lap("facts"):
            facts = collected(facts_frame(frames, ask), STREAM)
    with laps.lap("stages and differences"):
        decided_day(runtime, entity, ask.edition, AS_OF_DAY, ask.begins, facts)
    with laps.lap("keep the facts"):
        store_frame(runtime, facts)


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """All rounds."""
    laps = Laps()
    with memory_watched() as memory:
        for _ in range(ROUNDS):
            one_round(runtime, laps)
    found.goal(Goal(f"{chosen.database}.facts", laps.median("facts"), FACTS_SECONDS, "s"))
    note = (
        f"{chosen.customers:,} customers, median of {ROUNDS}. A child process reads the ledger into files, from which "
        f"the facts stream; its processor time counts. Peak memory {memory.peak_gb:.2f} GB."
    )
    found.table(Table(f"Facts, {chosen.database}", ["step", "seconds", "processor seconds"], laps.rows(), note))


if __name__ == "__main__":
    measured(__doc__, measure)
