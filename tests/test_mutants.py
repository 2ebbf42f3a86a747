"""The faults that ``make mutants`` plants have their place in the code of today, and tests that exist."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("planted", ROOT / "tests/mutants/planted.py")
planted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(planted)


@pytest.mark.parametrize("mutant", planted.MUTANTS, ids=lambda mutant: f"{mutant.promise}: {mutant.removes}")
def test_each_has_its_place_and_its_tests(mutant):
    """What is replaced stands there exactly once, so a planted fault is never a fault of the planting."""
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old
    for test in mutant.tests:
        file, name = test.split("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")
