"""Starting console and worker together: Ctrl-C leaves no process, a child that ends ends the rest."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from admin.starting import bind_address, serve_command, with_secret, work_command

TOGETHER = """
import sys
from admin.starting import run_together
here = sys.argv[1]
# each child starts a child of its own and writes both process ids
CHILD = '''
import os, subprocess, sys, time
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {below.pid}")
time.sleep(float(sys.argv[2]))
'''
lives = {"a": "600", "b": sys.argv[2]}
commands = [[sys.executable, "-c", CHILD, f"{here}/{name}", seconds] for name, seconds in lives.items()]
sys.exit(run_together(commands, dict(), lambda: print("welcome", flush=True)))
"""


def alive(process: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def started(folder: Path, seconds: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Two commands running together, and the four processes below them."""
    said = folder / "said"
    with said.open("w") as file:
        command = [sys.executable, "-c", TOGETHER, str(folder), seconds]
        runner = subprocess.Popen(command, stdout=file, start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        written = [path.read_text() for name in "ab" if (path := folder / name).exists()]
        if len(written) == 2 and all(written) and said.read_text() == "welcome\n":
            return runner, [int(number) for text in written for number in text.split()]
        time.sleep(0.05)
    raise AssertionError("the children did not start")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to stop it ends with 0, and so do children and what they started."""
    runner, below = started(tmp_path, "600")
    assert all(alive(process) for process in below)
    os.kill(runner.pid, number)
    assert runner.wait(120) == 0
    assert [process for process in below if alive(process)] == []


def test_when_one_ends_the_others_end(tmp_path: Path) -> None:
    """A console without a worker would look well and do nothing; the exit code says it was not asked for."""
    runner, below = started(tmp_path, "1")
    assert runner.wait(120) != 0
    assert [process for process in below if alive(process)] == []


def test_a_secret_that_is_set_counts(tmp_path: Path) -> None:
    """Nothing is generated where DUNWELL_SECRET_KEY is given."""
    given = {"DUNWELL_SECRET_KEY": "s" * 40, "DUNWELL_VAR": str(tmp_path / "var")}
    assert with_secret(given) == given
    assert not (tmp_path / "var").exists()


def test_port_zero_becomes_a_free_port() -> None:
    """So that a second demo on the same machine starts too."""
    host, port = bind_address("127.0.0.1:0").split(":")
    assert host == "127.0.0.1"
    assert int(port) > 1023
    assert bind_address("127.0.0.1:8000") == "127.0.0.1:8000"


def test_console_and_worker_are_started_as_documented() -> None:
    """Loopback as given; the worker ends gracefully on TERM."""
    assert "wsgi:app" in serve_command("127.0.0.1:8000")
    worker = work_command()
    assert worker[1] == "wsgi.huey"
    assert worker[worker.index("--graceful-signal") + 1] == "TERM"
