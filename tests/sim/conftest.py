"""The trading year's modules stand beside this file; its database is set up once and copied for each seed."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sim_setting_up import set_up
from sim_year import Year

from engine.matching import Matcher


@pytest.fixture(scope="session")
def kept(prepared: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What a worker keeps between days: plans by documents, and the matching children."""
    matcher = Matcher()
    yield {**prepared["sqlite"], "matcher": matcher}
    matcher.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory, ready_file: Path, kept: dict[str, Any]) -> Path:
    """A folder with a database: two companies that are adopted and live, their customers, rules and people."""
    folder = tmp_path_factory.mktemp("town")
    set_up(folder, ready_file, kept)
    return folder


@pytest.fixture
def trading_year(town: Path, kept: dict[str, Any], tmp_path: Path) -> Callable[[int], Year]:
    """Begin the year of a seed: ``trading_year(7)``."""
    return lambda seed: Year(seed, town, tmp_path / str(seed), kept)
