"""The command line as a person uses it, on a state folder of the test.

Most tests call the function that the program ``dunwell`` calls, with words, an environment and streams
of their own: a process takes a second to start. Those about the process itself start one.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from admin.command_line import main

ROOT = Path(__file__).parents[2]
Said = subprocess.CompletedProcess[str]


def environment_of(var: Path, changes: dict[str, str]) -> dict[str, str]:
    """The environment of a command whose state is in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DUNWELL_")}
    return {**kept, "DUNWELL_VAR": str(var), **changes}


def speaker(var: Path) -> Callable[..., Said]:
    """``say("run", "ACME", DUNWELL_ZONE="UTC")`` says ``dunwell run ACME`` to a state folder."""

    def run(*words: str, **environment: str) -> Said:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as here, redirect_stdout(out), redirect_stderr(err):
            here.setattr(os, "environ", environment_of(var, environment))
            here.setattr(sys, "argv", ["dunwell", *words])
            here.chdir(ROOT)
            with pytest.raises(SystemExit) as end:
                main()
        said = []
        for stream in (out, err):
            stream.flush()
            said.append(stream.buffer.getvalue().decode())
        return Said(words, int(end.value.code or 0), *said)

    return run


@pytest.fixture
def say(tmp_path: Path) -> Callable[..., Said]:
    """The command line on a state folder of this test."""
    return speaker(tmp_path / "var")


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Said]:
    """``start("run", "ACME")`` is the same in a process of its own."""

    def run(*words: str, **environment: str) -> Said:
        command = [str(Path(sys.executable).with_name("dunwell")), *words]
        given = environment_of(tmp_path / "var", environment)
        return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, text=True, timeout=240)

    return run
