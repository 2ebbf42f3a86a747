"""What facts and stages cost on Spark and on Polars, from the same rows. Prints; asserts that they are equal.

python -m benchmarks.spark --customers 100000 --master 'local[2]'

Processor seconds count this process and those it started: with ``local[2]`` all of Spark, with a
cluster only its driver.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.filling import build, settings_for
from benchmarks.portfolio import LAST_DAY
from engine import kept_frames, spark
from engine.finishing import Steps
from engine.pipeline import asking, decided_day, read_facts
from engine.runtime import build as open_runtime
from engine.tables import Entity

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """Of this process, of the children that ended and of those that run."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = time.process_time() + ended.ru_utime + ended.ru_stime
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if int(fields[1]) == os.getpid():
            taken += sum(map(int, fields[11:15])) / TICKS
    return taken


@dataclass
class Metered(Steps):
    """Steps that count processor seconds too."""

    processor: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step both ways."""
        before = processor_seconds()
        with super().step(name):
            yield
        self.processor[name] = self.processor.get(name, 0.0) + processor_seconds() - before

    def show(self, engine: str) -> None:
        """One line per step."""
        for name, seconds in self.seconds.items():
            print(f"{engine:<8}{name:<10}{seconds:9.1f} s{self.processor[name]:9.1f} s of processor time", flush=True)


def main() -> None:
    """Fill a folder, or take one that is filled, and compute its facts and stages twice."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=100_000)
    arguments.add_argument("--master", default="local[2]")
    arguments.add_argument("--folder", type=Path, help="Of a portfolio that is filled already.")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        url = f"sqlite:///{folder / 'dunwell.db'}"
        build(url, chosen.customers).close()
        runtime = open_runtime(replace(settings_for(url), spark_master=chosen.master))
        ask = asking(runtime, Entity.get(), LAST_DAY)
        here, there = Metered(), Metered()
        with here.step("facts"):
            facts = read_facts(runtime, ask)
        with here.step("stages"):
            decided_day(runtime, ask.entity, ask.edition, ask.as_of_day, ask.begins, facts)
        here.show("polars")
        with spark.computed(runtime, ask, there) as computed:
            there.show("spark")
            same = kept_frames.store_frame(runtime, computed.facts) == kept_frames.store_frame(runtime, facts)
        runtime.close()
    if not same:
        raise SystemExit("the facts differ")
    print("the facts are the same")


if __name__ == "__main__":
    main()
