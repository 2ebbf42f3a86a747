"""All benchmarks, one after another, each in a process of its own; goals at the end.

    python -m benchmarks                      a million customers, on both databases
    python -m benchmarks --size small         the same code in three minutes

A benchmark that fails loses only its own goals; the last lines say which failed. The tables go
between the markers of docs/benchmarks.md at full size, or wherever ``--write`` says.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.goals import Found, read
from benchmarks.growth import sizes
from benchmarks.places import DATABASES
from benchmarks.watching import GB, machine, resident_bytes, versions

CUSTOMERS = {"full": 1_000_000, "small": 5_000}
MATCHED_ROWS = {"full": 100_000, "small": 5_000}
DOCS = Path("docs/benchmarks.md")
BEGIN, END = "<!-- begin: python -m benchmarks -->", "<!-- end -->"
LONGEST_SECONDS = 3_000  # of one benchmark; it is ended then
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Job:
    """One benchmark to run: its module and what it is told."""

    module: str
    told: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        """After the interpreter."""
        return ["-m", f"benchmarks.{self.module}", *self.told]


@dataclass
class Done:
    """How a benchmark went."""

    job: Job
    status: int
    seconds: float
    peak_bytes: int
    found: Found


def jobs(size: str, databases: list[str], folder: Path) -> Iterator[Job]:
    """Everything, in an order in which each finds what it needs."""
    for database in databases:
        of = ("--database", database, "--folder", str(folder))
        largest = CUSTOMERS[size]
        for customers in sizes(largest):
            yield Job("night", (*of, "--customers", str(customers)))
        for module in ("growth", "facts", "stages", "simulation", "checks", "lists", "editing"):
            yield Job(module, (*of, "--customers", str(largest)))
        yield Job("sending", (*of, "--customers", str(largest)))
        yield Job("forward", (*of, "--customers", str(sizes(largest)[1])))
    yield Job("scoring", ("--customers", str(CUSTOMERS[size])))
    yield Job("matching", ("--rows", str(MATCHED_ROWS[size])))
    if importlib.util.find_spec("benchmarks.peers") is not None:
        yield Job("peers", ("--size", size))


def run(job: Job, folder: Path) -> Done:
    """Run a benchmark to its end and watch its memory."""
    print(f"\n== {' '.join(job.command[1:])} ==", flush=True)
    file = folder / "found.json"
    file.unlink(missing_ok=True)
    start, peak = time.monotonic(), 0
    with subprocess.Popen([sys.executable, *job.command, "--json", str(file)]) as child:
        while child.poll() is None:
            peak = max(peak, resident_bytes(child.pid))
            if time.monotonic() - start > LONGEST_SECONDS:
                child.kill()
            time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - start
    print(f"ended with status {child.returncode} after {seconds:.0f} s, peak {peak / GB:.2f} GB", flush=True)
    return Done(job, child.returncode, seconds, peak, read(file))


def page(size: str, done: list[Done]) -> str:
    """What goes between the markers of docs/benchmarks.md."""
    lines = [
        f"Measured on {machine()}; {versions()}.",
        "",
        f"Command: `make bench SIZE={size}`." if size != "full" else "Command: `make bench`.",
        "",
        "```text",
        *_goals(done, size),
        "```",
        "",
        "### Benchmarks",
        "",
        "| benchmark | seconds | peak memory | status |",
        "| --- | ---: | ---: | ---: |",
        *(f"| `{_shown(one.job)}` | {one.seconds:.0f} | {one.peak_bytes / GB:.2f} GB | {one.status} |" for one in done),
    ]
    for one in done:
        for table in () if _is_for_growth(one.job, size) else one.found.tables:
            lines += ["", table.markdown()]
    return "\n".join(lines) + "\n"


def _shown(job: Job) -> str:
    """The command without where the databases lie."""
    words = job.command
    if "--folder" in words:
        place = words.index("--folder")
        words = words[:place] + words[place + 2 :]
    return " ".join(["python", *words])


def _customers(job: Job) -> int:
    return int(job.told[job.told.index("--customers") + 1])


def write(text: str, file: Path) -> None:
    """Put the text between the markers of a file.

    Raises:
        ValueError: the markers are not there.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} lacks the lines {BEGIN} and {END}")
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _is_for_growth(job: Job, size: str) -> bool:
    """Whether a night is measured at a smaller size, and neither its goals nor its tables are shown."""
    return job.module == "night" and _customers(job) < CUSTOMERS[size]


def _goals(done: list[Done], size: str) -> list[str]:
    return [goal.line() for one in done if not _is_for_growth(one.job, size) for goal in one.found.goals]


def report(done: list[Done], size: str) -> list[str]:
    """The last lines: every goal of the largest size, and what failed."""
    lines = _goals(done, size)
    lines.append(f"peak memory of all benchmarks {max(one.peak_bytes for one in done) / GB:.2f} GB")
    return lines + [f"failed: {_shown(one.job)}, status {one.status}" for one in done if one.status != 0]


def main() -> int:
    """Run all and tell.

    Returns:
        0 when every benchmark ran to its end, whatever it measured.
    """
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks"
    )
    arguments.add_argument("--size", choices=sorted(CUSTOMERS), default="full")
    arguments.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    arguments.add_argument("--folder", type=Path, help="of the databases, kept; by default a temporary one")
    arguments.add_argument("--write", type=Path, help=f"file with the markers; {DOCS} at full size")
    chosen = arguments.parse_args()
    databases = [*DATABASES] if chosen.database == "both" else [chosen.database]
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="dunwell-benchmarks-"))
    folder.mkdir(parents=True, exist_ok=True)
    target = chosen.write or (DOCS if chosen.size == "full" else None)
    start, done = time.monotonic(), []
    try:
        for job in jobs(chosen.size, databases, folder):
            done.append(run(job, folder))
            if target is not None:  # after each, so that half an hour is not lost with the last one
                write(page(chosen.size, done), target)
    finally:
        if chosen.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{len(done)} benchmarks in {time.monotonic() - start:.0f} s", flush=True)
    print("\n".join(report(done, chosen.size)))
    return 1 if any(one.status for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
