"""Matching: durable-rules confirms outcomes, in child processes that only match.

The parent flattens rows to facts, sends them in batches and gets path numbers back. A child
that crashes, hangs or answers with an error costs a retry: its rows are sent once more, one
by one, to a fresh child; a row that fails again is evaluated by the reference evaluator. Every
such event is an alarm in the result. Source: cage.md, semantics.md 2.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal

from rules import durable, reference
from rules.book import Book
from rules.conditions import Scalar

Row = Mapping[str, Scalar | None]

BATCH_ROWS = 250  # answers of two batches fit a socket's buffer, so neither side ever waits for the other
OUTSTANDING = 2  # batches under way per child: one is matched while the next is prepared
PROCESSES_MAX = 2
RECYCLE_AFTER = 200_000  # matches of one child
CRASHES_MAX = 20  # of one call; then the reference evaluator does the rest
BATCH_SECONDS = 30.0
CHILD = Path(__file__).with_name("matching_child.py")


@dataclass(frozen=True, slots=True)
class Match:
    """What one row matches in one stage.

    Args:
        keys: keys of the matched rules.
        by: who found out. ``refused`` means that a value is of the wrong type; nothing matches then.
    """

    keys: frozenset[str]
    by: Literal["durable", "reference", "refused"] = "durable"


@dataclass(frozen=True, slots=True)
class MatchAlarm:
    """Something a person must know of."""

    kind: Literal["matcher_crash", "matcher_error", "matcher_timeout", "matcher_given_up", "wrong_type"]
    text: str


@dataclass(slots=True)
class Confirmation:
    """The answer: per stage one match per row, in the order asked; and the alarms."""

    matches: dict[str, list[Match]] = field(default_factory=dict)
    alarms: list[MatchAlarm] = field(default_factory=list)

    def of(self, index: int) -> dict[str, frozenset[str]]:
        """Matched keys per stage of the row at one place, for ``rules.reference.decide``."""
        return {stage: found[index].keys for stage, found in self.matches.items()}

    def confirmed_by(self, index: int) -> Literal["durable", "reference"]:
        """Who confirmed a row: durable-rules only if it did so in every stage."""
        sure = all(found[index].by == "durable" for found in self.matches.values())
        return "durable" if sure else "reference"


@dataclass(slots=True)
class _Batch:
    """Facts of one shard, and where their answers belong."""

    shard: durable.Shard
    facts: list[str]
    places: list[tuple[str, int, int]]  # stage, row, number of the shard in its stage
    tried: bool = False


class _Child:
    """One child process and what is under way there."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", str(CHILD), str(theirs.fileno())]
            self.process = subprocess.Popen(  # noqa: S603 our own script, no shell
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        self.connection = Connection(ours.detach())
        self.under_way: deque[_Batch] = deque()
        self.loaded: set[str] = set()
        self.matched = 0
        self.deadline = 0.0

    def send(self, batch: _Batch) -> None:
        """Hand over a batch; a broken pipe shows when its answer is read."""
        message: dict[str, object] = {"match": batch.shard.name, "facts": batch.facts}
        if batch.shard.name not in self.loaded:
            self.loaded.add(batch.shard.name)
            message["load"] = {batch.shard.name: batch.shard.ruleset()}
        if not self.under_way:
            self.deadline = time.monotonic() + BATCH_SECONDS
        self.under_way.append(batch)
        self._write(message)

    def keep_only(self, names: set[str]) -> None:
        """Free the shards of other books."""
        if self.loaded - names:
            self._write({"drop": sorted(self.loaded - names)})
            self.loaded &= names

    def _write(self, message: Mapping[str, object]) -> None:
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())

    def receive(self) -> list[list[int]] | str:
        """The oldest answer: path numbers per fact, or what went wrong.

        Raises:
            EOFError, OSError: the child is gone.
        """
        answer = json.loads(self.connection.recv_bytes())
        self.deadline = time.monotonic() + BATCH_SECONDS
        if "error" in answer:
            return str(answer["error"])
        hits: list[list[int]] = answer["hits"]
        self.matched += len(hits)
        return hits

    def end(self) -> int:
        """End it, now; how it ended (negative: by that signal)."""
        self.connection.close()  # end of file is its order to go
        try:
            return self.process.wait(timeout=1 if self.under_way else 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Matcher:
    """Child processes that match rows; a context manager, to be used by one worker process.

    Args:
        processes: 1 or 2.
        recycle_after: matches after which a child is replaced.
    """

    def __init__(self, processes: int = 1, *, recycle_after: int = RECYCLE_AFTER) -> None:
        if not 1 <= processes <= PROCESSES_MAX:
            raise ValueError(f"a matcher has 1 to {PROCESSES_MAX} processes, not {processes}")
        self._processes = processes
        self._recycle_after = recycle_after
        self._children: list[_Child] = []
        self._lock = threading.Lock()

    def __enter__(self) -> "Matcher":
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End the children. The matcher may be used again; it starts new ones."""
        with self._lock:
            while self._children:
                self._children.pop().end()

    def __del__(self) -> None:
        """End the children of a matcher that nobody has any more, such as a runtime's that was dropped."""
        with contextlib.suppress(Exception):
            self.close()

    @property
    def process_ids(self) -> list[int]:
        """Process ids of the children, for the worker's log."""
        return [child.process.pid for child in self._children]

    def confirm(self, book: Book, rows_by_stage: Mapping[str, Sequence[Row]]) -> Confirmation:
        """Match rows against the rules of stages.

        Args:
            book: its stages are the ones asked.
            rows_by_stage: rows of facts, with the outcomes of earlier stages among them.

        Returns:
            Per stage one match per row. It is always complete, whatever happens to a child.
        """
        with self._lock:
            return _Call(self, book, rows_by_stage).run()

    def _ready(self) -> list[_Child]:
        """The children, fresh ones in place of those that are worn or gone.

        One that is gone with rows under way is left to ``_collect``, which tries them again.
        """
        for child in [one for one in self._children if not one.under_way]:
            if child.process.poll() is not None or child.matched >= self._recycle_after:
                self._discard(child)
        while len(self._children) < self._processes:
            self._children.append(_Child())
        return self._children

    def _discard(self, child: _Child) -> int:
        self._children.remove(child)
        return child.end()


class _Call:
    """One call of ``confirm``: what is to do, what is known."""

    def __init__(self, matcher: Matcher, book: Book, rows_by_stage: Mapping[str, Sequence[Row]]) -> None:
        self.matcher, self.book, self.rows = matcher, book, rows_by_stage
        self.shards = {stage: durable.of_book(book, stage) for stage in rows_by_stage}
        self.result = Confirmation()
        self.again: deque[_Batch] = deque()
        self.crashes = 0
        self.numbers: dict[str, list[list[Sequence[int] | None]]] = {}
        self.by: dict[str, list[Literal["durable", "reference", "refused"]]] = {}

    def run(self) -> Confirmation:
        """Send everything, take every answer, put the answers together."""
        for stage, rows in self.rows.items():
            self.numbers[stage] = [[None] * len(self.shards[stage].shards) for _ in rows]
            self.by[stage] = ["durable"] * len(rows)
        wanted = {shard.name for shards in self.shards.values() for shard in shards.shards}
        for child in self.matcher._ready():
            child.keep_only(wanted)
        batches = self._batches()
        more = True
        while more or self.again or any(child.under_way for child in self.matcher._children):
            more = self._feed(batches, more)
            self._collect()
        for stage, rows in self.rows.items():
            self.result.matches[stage] = [self._match(stage, index, row) for index, row in enumerate(rows)]
        return self.result

    def _match(self, stage: str, index: int, row: Row) -> Match:
        by = self.by[stage][index]
        answers = [own for own in self.numbers[stage][index] if own is not None]
        if by == "durable" and len(answers) == len(self.shards[stage].shards):
            return Match(self.shards[stage].matched(answers))
        if by == "durable":  # no answer must never look like no match
            self.result.alarms.append(MatchAlarm("matcher_error", f"{stage}, row {index}: not answered"))
        if by != "refused":
            return Match(reference.matching(row, self.book.stages[stage], self.book), "reference")
        return Match(frozenset(), "refused")

    def _batches(self) -> Iterable[_Batch]:
        for stage, rows in self.rows.items():
            for start in range(0, len(rows), BATCH_ROWS):
                allowed = [i for i in range(start, min(start + BATCH_ROWS, len(rows))) if self._allows(stage, i)]
                for number, shard in enumerate(self.shards[stage].shards):
                    facts = [_text(durable.flat_fact(rows[i], shard)) for i in allowed]
                    if facts:
                        yield _Batch(shard, facts, [(stage, i, number) for i in allowed])

    def _allows(self, stage: str, index: int) -> bool:
        why = self.shards[stage].refused(self.rows[stage][index])
        if why is None:
            return True
        self.by[stage][index] = "refused"
        self.result.alarms.append(MatchAlarm("wrong_type", f"{stage}, row {index}: {why}"))
        return False

    def _feed(self, batches: Iterable[_Batch], more: bool) -> bool:
        """Give every child its share; whether batches are left."""
        source = iter(batches)
        for child in list(self.matcher._ready()):
            while self._has_room(child):
                batch = self.again.popleft() if self.again else next(source, None) if more else None
                if batch is None:
                    return False
                if self.crashes > CRASHES_MAX:
                    self._by_reference(batch)
                else:
                    child.send(batch)
        return more

    def _has_room(self, child: _Child) -> bool:
        """Whether a child may get more. A row tried again travels alone, so that only it is blamed."""
        if child.matched >= self.matcher._recycle_after:
            return False
        alone = bool(self.again and self.again[0].tried) or any(batch.tried for batch in child.under_way)
        return len(child.under_way) < (1 if alone else OUTSTANDING)

    def _collect(self) -> None:
        """Take one answer of every child that has one; find out who is gone or late."""
        busy = {child.connection: child for child in self.matcher._children if child.under_way}
        if not busy:
            return
        latest = min(child.deadline for child in busy.values())
        for connection in wait(list(busy), timeout=max(0.0, latest - time.monotonic())):
            assert isinstance(connection, Connection)
            child = busy.pop(connection)
            try:
                answer = child.receive()
            except (EOFError, OSError):
                self._lost(child, "matcher_crash")
                continue
            batch = child.under_way.popleft()
            if isinstance(answer, str):
                child.loaded.discard(batch.shard.name)
                self._failed(batch, "matcher_error", answer)
            else:
                for (stage, index, number), hits in zip(batch.places, answer, strict=True):
                    self.numbers[stage][index][number] = hits
        for child in busy.values():
            if time.monotonic() >= child.deadline:
                self._lost(child, "matcher_timeout")

    def _lost(self, child: _Child, kind: Literal["matcher_crash", "matcher_timeout"]) -> None:
        """A child is gone or hangs: everything under way there is tried again."""
        self.crashes += 1
        code = self.matcher._discard(child)
        text = f"exit status {code}" if kind == "matcher_crash" else f"no answer in {BATCH_SECONDS:.0f} seconds"
        if self.crashes == CRASHES_MAX + 1:
            given_up = f"{self.crashes} crashes in one call; the reference evaluator does the rest"
            self.result.alarms.append(MatchAlarm("matcher_given_up", given_up))
        # The child answers in order: only the oldest batch can have ended it.
        first, *untouched = child.under_way
        child.under_way.clear()
        self._failed(first, kind, text)
        self.again.extend(untouched)

    def _failed(
        self, batch: _Batch, kind: Literal["matcher_crash", "matcher_error", "matcher_timeout"], text: str
    ) -> None:
        """Try the rows of a batch once more, one by one; a row that fails again goes to the reference."""
        stages = sorted({stage for stage, _, _ in batch.places})
        count = len(batch.facts)
        self.result.alarms.append(MatchAlarm(kind, f"{', '.join(stages)}, {count} rows: {text}"))
        if batch.tried:
            self._by_reference(batch)
        else:
            self.again.extend(
                _Batch(batch.shard, [fact], [place], tried=True) for fact, place in zip(batch.facts, batch.places)
            )

    def _by_reference(self, batch: _Batch) -> None:
        for stage, index, _ in batch.places:
            self.by[stage][index] = "reference"


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # made once: ``json.dumps`` would make one per fact


def _text(fact: Mapping[str, int | str]) -> str:
    # The ruleset is dumped the same way: the extension compares the escaped bytes.
    return _ENCODE(fact)
