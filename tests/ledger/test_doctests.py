"""The examples in the docstrings of the ledger are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import ledger

MODULES = sorted(path.stem for path in Path(ledger.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    """Each line of an example gives what stands below it."""
    assert doctest.testmod(importlib.import_module(f"ledger.{name}")).failed == 0
