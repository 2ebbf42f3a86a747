"""Goals: what a benchmark measured beside what was asked, as a line of text and as a file.

A benchmark runs in a process of its own and hands over what it found by ``--json FILE``:
its goals, which ``python -m benchmarks`` ends with, and tables for docs/benchmarks.md.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Goal:
    """One thing that was asked and measured.

    Args:
        name: short, one word with dots: ``sqlite.facts``.
        measured, target: in ``unit``.
        unit: s, ms, GB, x; what the figures are counted in.
        at_most: whether less is better.
    """

    name: str
    measured: float
    target: float
    unit: str
    at_most: bool = True

    @property
    def ok(self) -> bool:
        """Whether what was asked is reached."""
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def line(self) -> str:
        """As ``python -m benchmarks`` ends with it.

        >>> Goal("facts", 5.25, 6, "s").line()
        'goal facts measured 5.25 s target 6 s ok'
        """
        verdict = "ok" if self.ok else "short"
        measured, target = figure(self.measured), figure(self.target)
        return f"goal {self.name} measured {measured} {self.unit} target {target} {self.unit} {verdict}"


def figure(value: float) -> str:
    """A number as people read it: three digits that matter, thousands apart.

    >>> figure(0.01234), figure(5.25), figure(1234567.8), figure(6)
    ('0.0123', '5.25', '1,234,568', '6')
    """
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


@dataclass(frozen=True)
class Table:
    """A table for docs/benchmarks.md; every cell is text already.

    Args:
        title: its heading.
        columns: the names of its columns.
        rows: one sequence of cells each, as long as ``columns``.
        note: a sentence below it.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> str:
        """As docs/benchmarks.md shows it: the first column to the left, the others to the right."""
        marks = ["---", *("---:" for _ in self.columns[1:])]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, marks, *self.rows)]
        parts = [f"### {self.title}", "\n".join(lines), self.note]
        return "\n\n".join(part for part in parts if part)


@dataclass
class Found:
    """What one benchmark found; written as it grows, so that a crash loses only what follows.

    Args:
        file: where it goes; None prints only.
    """

    file: Path | None = None
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def goal(self, goal: Goal) -> None:
        """Keep a goal and print its line."""
        print(goal.line(), flush=True)
        self.goals.append(goal)
        self.write()

    def table(self, table: Table) -> None:
        """Keep a table and print it."""
        print(table.markdown(), flush=True)
        self.tables.append(table)
        self.write()

    def write(self) -> None:
        """Write everything found so far."""
        if self.file is not None:
            found = {"goals": _values(self.goals), "tables": _values(self.tables)}
            self.file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


def _values(found: Iterable[Goal | Table]) -> list[dict[str, object]]:
    return [asdict(one) for one in found]


def read(file: Path) -> Found:
    """What a benchmark left in its file; nothing when it left none."""
    if not file.is_file() or not file.stat().st_size:
        return Found()
    kept = json.loads(file.read_text(encoding="utf-8"))
    return Found(None, [Goal(**one) for one in kept["goals"]], [Table(**one) for one in kept["tables"]])


def json_argument(arguments: argparse.ArgumentParser) -> None:
    """Add ``--json FILE`` to a benchmark's command line; pass what it reads to ``Found``."""
    arguments.add_argument("--json", type=Path, help="write goals and tables to this file")
