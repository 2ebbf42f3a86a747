"""A matching child that dies by SIGSEGV in the middle of a run costs nothing but an alarm."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.filling import build
from benchmarks.portfolio import AS_OF_DAY
from engine import matching
from engine.runs import run_entity
from engine.tables import Alarm, Decision, Entity, Outcome, Run, Standing

# The real child, whose process is killed as a fault in the extension would: in the middle of a batch.
DYING = """
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("child", {child!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
asked, match = 0, child.DurableShard.match

def dying(self, fact):
    global asked
    asked += 1
    if asked == {at}:
        os.kill(os.getpid(), signal.SIGSEGV)
    return match(self, fact)

child.DurableShard.match = dying
child.main()
"""


def _said(model: type, *names: str) -> str:
    """One hash over some columns of all rows, in the order of customers."""
    seen = hashlib.sha256()
    for row in model.select(*(getattr(model, name) for name in names)).order_by(model.customer).tuples().iterator():
        seen.update(repr(row).encode())
    return seen.hexdigest()


def _adopted(folder: Path, customers: int) -> tuple[Run, dict[str, str], list[Alarm]]:
    """Adopt the portfolio in a folder; the run, what it left, and its alarms."""
    runtime = build(f"sqlite:///{folder / 'dunwell.db'}", customers)
    try:
        run = run_entity(runtime, Entity.get(), AS_OF_DAY)
        left = {
            "decisions": _said(Decision, "customer", "changes", "facts", "confirmed_by"),
            "outcomes": _said(Outcome, *(name for name in Outcome._meta.fields if name != "decision_id")),
            "standings": _said(Standing, *(name for name in Standing._meta.fields if name != "id")),
        }
        assert Decision.select().count() == customers
        return run, left, list(Alarm.select())
    finally:
        runtime.close()


@pytest.fixture
def twins(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, Path, int]]:
    """The same filled database twice, and its customers."""
    customers: int = request.param
    (tmp_path / "one").mkdir()
    build(f"sqlite:///{tmp_path / 'one' / 'dunwell.db'}", customers).close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    yield tmp_path / "one", tmp_path / "two", customers
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(
    ("twins", "at", "crashes_min"),
    [
        pytest.param(1_500, 1_111, 3, id="1,500 customers"),
        pytest.param(100_000, 20_011, 20, id="100,000 customers", marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
    ],
    indirect=["twins"],
)
def test_a_child_killed_in_the_middle_of_a_run_changes_no_decision(
    twins: tuple[Path, Path, int], at: int, crashes_min: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every child dies by SIGSEGV after so many rows: decisions, outcomes and standings are those of a quiet run."""
    one, two, customers = twins
    quiet, expected, silence = _adopted(one, customers)
    script = tmp_path / "dying_child.py"
    script.write_text(DYING.format(child=str(matching.CHILD), at=at), encoding="utf-8")
    monkeypatch.setattr(matching, "CHILD", script)
    killed, left, alarms = _adopted(two, customers)
    assert silence == []
    assert left == expected
    assert (killed.state, killed.applied, killed.disagreed) == (quiet.state, quiet.applied, 0)
    assert {alarm.kind for alarm in alarms} == {"matcher_crash"}
    assert len(alarms) >= crashes_min
    assert all("exit status -11" in alarm.text for alarm in alarms)
