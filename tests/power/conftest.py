"""The disk and the story that is told on it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


def _beside(name: str) -> ModuleType:
    spec = spec_from_file_location(f"power_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def disks() -> ModuleType:
    """``disk.py``, beside this file."""
    return _beside("disk")


@pytest.fixture(scope="session")
def story() -> ModuleType:
    """``story.py``, beside this file."""
    return _beside("story")
