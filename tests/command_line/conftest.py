"""The command line as a person uses it: one process per command, on a state folder of the test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Said = subprocess.CompletedProcess[str]


def speaker(var: Path) -> Callable[..., Said]:
    """``say("run", "ACME", DUNWELL_ZONE="UTC")`` runs ``dunwell run ACME`` on a state folder."""

    def run(*words: str, **environment: str) -> Said:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DUNWELL_")}
        command = [str(Path(sys.executable).with_name("dunwell")), *words]
        settings = {**kept, "DUNWELL_VAR": str(var), **environment}
        return subprocess.run(command, env=settings, cwd=ROOT, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def say(tmp_path: Path) -> Callable[..., Said]:
    """The command line on a state folder of this test."""
    return speaker(tmp_path / "var")
