"""Workers that die: at every boundary, and by kill -9 at any moment (promises A1, A2).

The processes are those of fleet.py; here is only what must be true afterwards.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FLEET = Path(__file__).with_name("fleet.py")
LATE_CUSTOMERS = 10  # find a receiver slower than their lease, once each


def run_fleet(folder, mode, *options, database=""):
    done = subprocess.run(
        [sys.executable, str(FLEET), mode, str(folder), *options],
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
        env={**os.environ, "DUNWELL_FLEET_DATABASE": database},
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.splitlines()[-1])


# What becomes of the five customers of the crash runs: 1 is served, 2 has no address, 3 has paid, 4's
# first try fails, 5's mail is refused for good.
EXPECTED = {"1": "sent", "2": "waiting", "3": "cancelled", "4": "sent", "5": "failed"}


@pytest.mark.long
@pytest.mark.promise("A1")
def test_a_crash_at_any_boundary_loses_and_repeats_nothing(tmp_path):
    """Before and after every commit and every call: each effect once, as if nothing had happened."""
    runs = run_fleet(tmp_path, "crash")
    assert len(runs) > 40
    for run in runs:
        for key, state in run["states"].items():
            customer, _, _, step, _, channel = key.split("/")[:6]
            if channel == "task":
                assert state == "open"
            elif step == "p4":
                assert state == EXPECTED[customer], (key, state)
        sent = {key for key, state in run["states"].items() if state == "sent"}
        assert run["effects"] == dict.fromkeys(sent, 1)
        assert sum(key.endswith("/task") for key in run["states"]) == 1
        assert run["doubtful"] == []


@pytest.mark.promise("A2")
def test_a_crash_with_a_receiver_that_takes_repeats_leaves_doubt_and_no_second_effect(tmp_path):
    """A mail server: at most one effect for one key, and what nobody can know is listed."""
    runs = run_fleet(tmp_path, "crash", "--one-way")
    doubted = 0
    for run in runs:
        assert set(run["effects"].values()) <= {1}
        sent = {key for key, state in run["states"].items() if state == "sent"}
        assert sent <= set(run["effects"])
        assert set(run["effects"]) <= sent | set(run["doubtful"])
        assert len(run["doubtful"]) <= 1
        doubted += len(run["doubtful"])
    assert doubted > 0


@pytest.mark.long
@pytest.mark.promise("A1")
@pytest.mark.timeout(600)
def test_fifty_kills_over_a_thousand_actions(tmp_path, store, request):
    """Each key reaches an idempotent receiver exactly once; repeated calls stay within kills times batch."""
    database = "" if store == "sqlite" else request.getfixturevalue("postgres_url")
    found = run_fleet(tmp_path / "fleet", "kill", database=database)
    assert (found["actions"], found["kills"]) == (1_000, 50)
    assert found["between"] >= 40  # between claim and settlement, by the workers' own log
    assert found["states"] == {"sent": 1_000}
    assert (found["twice"], found["never"], found["order"]) == ([], [], [])
    assert found["calls"] - 1_000 <= (found["kills"] + found["stops"] + LATE_CUSTOMERS) * 5


@pytest.mark.promise("A2")
@pytest.mark.timeout(600)
def test_fifty_kills_with_a_receiver_that_takes_repeats(tmp_path):
    """No effect twice without a person; once a person has looked at the doubtful ones, each effect once."""
    found = run_fleet(tmp_path / "fleet", "kill", "--one-way")
    assert (found["actions"], found["kills"]) == (1_000, 50)
    assert found["between"] >= 40
    assert found["doubtful"] <= found["kills"] + found["stops"] + LATE_CUSTOMERS
    assert found["states"] == {"sent": 1_000}
    assert (found["twice"], found["never"], found["order"]) == ([], [], [])


@pytest.mark.timeout(600)
def test_the_same_run_without_the_generation_check_is_red(tmp_path):
    """The test above would notice: with the generation out of the fence, late workers send twice."""
    found = run_fleet(tmp_path / "fleet", "kill", "--one-way", "--no-generation")
    assert found["twice"]
