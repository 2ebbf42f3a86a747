"""The harness of the benchmarks: what it runs, how it ends, what it writes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, CUSTOMERS, DOCS, END, Done, Job, jobs, page, report, run, write
from benchmarks.goals import Found, Goal, Table
from benchmarks.watching import GB, memory_watched, resident_bytes


def _done(status: int = 0, customers: str = "1000000") -> Done:
    found = Found(None, [Goal("sqlite.night", 41.5, 60, "s")], [Table("Runs", ["run"], [["night"]])])
    job = Job("night", ("--database", "sqlite", "--folder", "/somewhere", "--customers", customers))
    return Done(job, status, 12.0, 3 * GB, found)


def test_each_database_is_decided_before_it_is_measured(tmp_path: Path) -> None:
    """The nights of all sizes come first: growth, stages and checks read what they left."""
    names = [(job.module, job.told[1]) for job in jobs("small", ["sqlite", "postgresql"], tmp_path)]
    for database in ("sqlite", "postgresql"):
        own = [module for module, told in names if told == database]
        assert own[:3] == ["night", "night", "night"]
        assert {"growth", "facts", "stages", "simulation", "checks"} <= {*own[3:]}
        assert "night" not in own[3:]


def test_a_benchmark_that_fails_keeps_the_goals_of_the_others() -> None:
    """Its own line says which it was; goals found before the crash are kept."""
    lines = report([_done(), _done(status=1)], "full")
    assert [line for line in lines if line.startswith("goal")] == 2 * [
        "goal sqlite.night measured 41.5 s target 60 s ok"
    ]
    assert lines[-1] == "failed: python -m benchmarks.night --database sqlite --customers 1000000, status 1"


def test_smaller_sizes_serve_growth_and_have_no_goals_of_their_own() -> None:
    """Their nights are measured, and neither their goals nor their tables are shown."""
    small = _done(customers="10000")
    assert "### Runs" not in page("full", [small])
    assert [line for line in report([small], "full") if line.startswith("goal")] == []


def test_the_page_is_written_between_its_markers(tmp_path: Path) -> None:
    """What people wrote around the markers stays; without markers nothing is written."""
    file = tmp_path / "benchmarks.md"
    file.write_text(f"# By hand\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    write(page("full", [_done()]), file)
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# By hand")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "goal sqlite.night measured 41.5 s target 60 s ok" in text
    assert "old" not in text
    assert "/somewhere" not in text
    (tmp_path / "bare.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the lines"):
        write("text", tmp_path / "bare.md")


def test_the_page_of_the_docs_has_its_markers() -> None:
    """A full run can write it."""
    text = (Path(__file__).parents[2] / DOCS).read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1


def test_memory_of_children_is_counted() -> None:
    """A child that holds 100 MB shows in the peak of its parent's tree."""
    before = resident_bytes(os.getpid())
    with memory_watched() as memory:
        subprocess.run([sys.executable, "-c", "held = bytearray(100 * 2**20); import time; time.sleep(1)"], check=True)
    assert memory.peak > before + 90 * 2**20


def test_a_benchmark_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A night of a few customers runs to its end and hands its goals over."""
    told = ("--database", "sqlite", "--folder", str(tmp_path), "--customers", str(CUSTOMERS["small"] // 100))
    done = run(Job("night", told), tmp_path)
    assert done.status == 0
    assert [goal.name for goal in done.found.goals] == [
        *("sqlite.mass_change", "sqlite.night_changed", "sqlite.night", "sqlite.night_memory")
    ]
    assert done.peak_bytes > 50 * 2**20
