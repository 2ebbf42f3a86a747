"""Facts of runs are kept 35 days, month-ends ten years, and always those of the last run."""

import os

import pytest

from engine.retention import KEPT_DAYS, purge_frames
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Entity, Run
from engine.tasks import sweep_now

HOUR = 3_600


@pytest.fixture
def decided(runtime: Runtime, entity: Entity, policies, books) -> list[Run]:
    """Three days decided in a row, the first of them the end of February."""
    customer = books.customer("1")
    today = runtime.today(entity)
    books.invoice(customer, 50_000, today - 60, today - 40)
    return [run_entity(runtime, entity, day) for day in range(today - 31, today - 28)]


def age_files(runtime: Runtime, hours: int = 2) -> None:
    """As if the files had been written so many hours ago by the test's clock."""
    then = runtime.now_at() / 1_000_000 - hours * HOUR
    for path in (runtime.settings.var / "frames").iterdir():
        os.utime(path, (then, then))


def kept(runtime: Runtime, runs: list[Run]) -> list[bool]:
    """Whether the facts of each run are there."""
    return [(runtime.settings.var / str(run.facts_file)).is_file() for run in runs]


def test_facts_are_kept_35_days(runtime, clock, decided):
    """On the 35th day all are there; on the 36th an ordinary day goes, a month-end and the last run stay."""
    age = runtime.today(Entity.get()) - decided[1].as_of_day
    clock.advance(days=KEPT_DAYS - age)
    age_files(runtime)
    assert purge_frames(runtime) == 0
    assert kept(runtime, decided) == [True, True, True]
    clock.advance(days=1)
    age_files(runtime)
    assert purge_frames(runtime) == 1
    assert kept(runtime, decided) == [True, False, True]


def test_a_file_no_run_names_goes_once_it_is_an_hour_old(runtime, decided):
    """A frame is stored before its run is; only what stays alone was left by a process that died."""
    alone = runtime.settings.var / "frames" / ("0" * 64 + ".parquet")
    alone.write_bytes(b"")
    age_files(runtime, hours=1)
    assert purge_frames(runtime) == 0
    runtime.cache.clear()
    age_files(runtime, hours=2)
    assert purge_frames(runtime) == 1
    assert not alone.exists()
    assert kept(runtime, decided) == [True, True, True]


def test_facts_of_a_run_that_waits_are_kept(runtime, clock, decided):
    """Approval may come late: what a gated run decided from stays as long as it waits."""
    Run.update(state="gated").where(Run.id == decided[1].id).execute()
    clock.advance(days=100)
    age_files(runtime)
    purge_frames(runtime)
    assert kept(runtime, decided)[1]


def test_the_sweep_purges_once_a_day(runtime, clock, decided):
    """The workers do it; every minute would list the folder for nothing."""
    clock.advance(days=KEPT_DAYS)
    Entity.update(adopted_day=None).execute()
    age_files(runtime)
    sweep_now(runtime)
    assert kept(runtime, decided) == [True, False, True]
