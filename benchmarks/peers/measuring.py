"""Measures engines in processes of their own, in turns, and holds their answers against each other.

A process has one processor: Polars one thread. All engines prepare first; then each round asks one
after another, so that whatever else the machine does meets all of them alike.
"""

import hashlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import polars as pl

from benchmarks.peers.base import ANSWER, Answers, Engine
from benchmarks.peers.engines import ENGINE
from benchmarks.peers.policies import BLOCK_ROWS, book_of, rows_of

BLOCKS_PER_PROCESS = 1_000_000 // BLOCK_ROWS  # where the rows of the next process begin
COMPARED_ROWS = 20_000
REFERENCE = "reference evaluator"  # which all others are held against
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Part:
    """What one process took for its share of the rows, in seconds of processor time and of the clock."""

    processor: float
    elapsed: float


@dataclass(frozen=True)
class Measured:
    """One engine with some rules on some processes.

    Args:
        rows: in all processes together.
        processor: per round, seconds of processor time of the slowest process.
        elapsed: per round, seconds by the clock until the last process was done.
    """

    rules: int
    engine: str
    processes: int
    rows: int
    processor: Sequence[float]
    elapsed: Sequence[float]

    @property
    def rate(self) -> float:
        """Rows a second of processor time, by the median round."""
        return self.rows / statistics.median(self.processor)


def measure(rules: int, processes: int, names: Sequence[str], rounds: int, share: float) -> list[Measured]:
    """Measure engines on the same rows and rules.

    Args:
        rules: in all three policies together.
        processes: how many, each with as many rows of its own.
        names: of engines; the reference evaluator, which all are held against, must be among them.
        rounds: how often; the median counts.
        share: of the rows that each engine usually gets in a process.

    Raises:
        ValueError: two engines decide a row differently.
    """
    os.environ["POLARS_MAX_THREADS"] = "1"  # read by the processes when they start
    spawn = multiprocessing.get_context("spawn")
    rows = {name: int(ENGINE[name].rows_measured * share) for name in names}
    children: dict[str, list[tuple[Any, Connection]]] = {name: [] for name in names}
    try:
        for name in names:
            for number in range(processes):
                ours, theirs = spawn.Pipe()
                child = spawn.Process(target=_serve, args=(theirs, name, rules, rows[name], number), daemon=False)
                child.start()
                theirs.close()
                children[name].append((child, ours))
        for name in names:
            for _, connection in children[name]:
                connection.recv()
        taken: dict[str, list[list[Part]]] = {name: [] for name in names}
        elapsed: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                start = time.perf_counter()
                taken[name].append(_asked(children[name], "run"))
                elapsed[name].append(time.perf_counter() - start)
        for number in range(processes):
            hold_equal({name: _asked([children[name][number]], "answers")[0] for name in names}, rules)
    finally:
        for own in children.values():
            for child, connection in own:
                connection.close()
                child.join()
    return [
        Measured(
            rules,
            name,
            processes,
            rows[name] * processes,
            [max(part.processor for part in parts) for parts in taken[name]],
            elapsed[name],
        )
        for name in names
    ]


def _asked(children: Sequence[tuple[Any, Connection]], what: str) -> list[Any]:
    for _, connection in children:
        connection.send(what)
    return [connection.recv() for _, connection in children]


def hold_equal(found: Mapping[str, tuple[Answers, str | None]], rules: int) -> None:
    """Every engine's first rows as the reference evaluator's, and all rows of the frames alike."""
    expected = found[REFERENCE][0]
    for name, (answers, _) in found.items():
        for place, (answer, wanted) in enumerate(zip(answers, expected)):
            if answer != wanted:
                raise ValueError(f"{rules} rules, row {place}: {name} says {answer}, {REFERENCE} {wanted}")
    digests = {digest for _, digest in found.values() if digest is not None}
    if len(digests) > 1:
        raise ValueError(f"{rules} rules: the frames differ beyond the first {COMPARED_ROWS} rows")


def _serve(connection: Connection, name: str, rules: int, rows: int, number: int) -> None:
    """One process: prepare, then answer until the other side goes."""
    engine = ENGINE[name](book_of(rules), rows_of(rows, first_block=number * BLOCKS_PER_PROCESS))
    found = engine.run()
    connection.send("ready")
    try:
        while True:
            if connection.recv() == "run":
                start, busy = time.perf_counter(), _processor_seconds(engine)
                found = engine.run()
                connection.send(Part(_processor_seconds(engine) - busy, time.perf_counter() - start))
            else:
                head = found[:COMPARED_ROWS]
                connection.send((engine.answers(head), _digest(found) if isinstance(found, pl.DataFrame) else None))
    except EOFError:
        engine.close()


def _processor_seconds(engine: Engine) -> float:
    """Processor time of this process and of those that the engine started."""
    return time.process_time() + sum(_ticks_of(process) for process in engine.process_ids()) / TICKS


def _ticks_of(process: int) -> int:
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        after_name = file.read().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])  # user and system time


def _digest(found: pl.DataFrame) -> str:
    """Stands for all answers, rows in their order, whole numbers of any width alike."""
    wide = found.select(pl.col(name).cast(pl.Int64) if found[name].dtype.is_integer() else name for name in ANSWER)
    return hashlib.sha256(wide.hash_rows().to_numpy().tobytes()).hexdigest()
