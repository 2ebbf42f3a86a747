"""Plans kept ready: one customer through a plan that was built before anybody asked."""

import os
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import narwhals as nw
import polars as pl

from engine.frames import TYPES, Frames, Schemas
from ledger.basis import Keep

PLAN_DAY = 20_000  # the day every plan that is kept ready is of; any would do
AS_EAGER = pl.QueryOptFlags._eager()  # what Polars runs its own eager frames with


class Slot:
    """A plan built once and collected per call: building it costs three times the answer.

    The plan runs in steps, one per frame that it keeps, each collected as eager frames are: for a
    few rows, optimizing a plan and starting its threads cost three times the work.

    It is a plan of one day, PLAN_DAY, whatever day is asked for: an answer depends on how far days
    lie apart, never on which they are. Columns of days (``day``, ``*_day``) are moved there as rows
    come in and back as the answer goes out, so that a plan lasts longer than a day.

    One thread at a time. A Polars thread calls the sources, so the rows are kept on the slot, not
    in a thread-local.
    """

    def __init__(self, schemas: Schemas, plan: Callable[[Frames, Keep], nw.LazyFrame[Any]]) -> None:
        self._steps: list[pl.LazyFrame] = []
        self._kept: dict[int, pl.DataFrame] = {}
        self._frames: dict[str, pl.DataFrame] = {}
        self._columns = {name: list(schema) for name, schema in schemas.items()}
        sources: Frames = {
            name: nw.from_native(
                pl.defer(
                    lambda name=name: self._frames[name],  # type: ignore[misc]
                    schema={column: TYPES[dtype] for column, dtype in schema.items()},
                )
            )
            for name, schema in schemas.items()
        }
        self._plan: pl.LazyFrame = plan(sources, self._keep).to_native()

    def _keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Make a frame a step of its own; what reads it reads the step's result."""
        step: pl.LazyFrame = frame.to_native()
        number = len(self._steps)
        self._steps.append(step)
        return nw.from_native(pl.defer(lambda: self._kept[number], schema=step.collect_schema()))

    def answer(self, inputs: Frames, as_of_day: int) -> nw.LazyFrame[Any]:
        """Collect the plan over frames that are computed, such as ``typed_rows`` gives."""
        ahead = PLAN_DAY - as_of_day
        wanted = [inputs[name].to_native().select(columns) for name, columns in self._columns.items()]
        read = pl.collect_all(wanted, optimizations=AS_EAGER)
        self._frames = {name: _moved(frame, ahead) for name, frame in zip(self._columns, read, strict=True)}
        for number, step in enumerate(self._steps):
            self._kept[number] = step.collect(optimizations=AS_EAGER)
        answer = self._plan.collect(optimizations=AS_EAGER)
        self._frames, self._kept = {}, {}
        return nw.from_native(_moved(answer, -ahead).lazy())


def _moved(frame: pl.DataFrame, days: int) -> pl.DataFrame:
    """The frame with all its days so many days later."""
    names = [name for name in frame.columns if name == "day" or name.endswith("_day")]
    return frame.with_columns(pl.col(names) + days) if names and days and frame.height else frame


class Slots:
    """The slots of one question: at most as many at once as there are cores, the rest wait."""

    def __init__(self, build: Callable[[], Slot], size: int | None = None) -> None:
        self._build = build
        self._free: queue.LifoQueue[Slot | None] = queue.LifoQueue()
        for _ in range(size or os.cpu_count() or 1):
            self._free.put(None)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Borrow a slot; the first time it is built."""
        taken = self._free.get()
        try:
            if taken is None:
                taken = self._build()
            yield taken
        finally:
            self._free.put(taken)
