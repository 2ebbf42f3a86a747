"""Power cuts on SQLite (promise E1): what was acknowledged is there, whole, and nothing else is.

The story is told once on a disk that writes down every operation; a cut is a place in that list. What
the disk then holds is opened by the product as it always is.
"""

import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from peewee import DatabaseError

from engine import database as storage
from engine import sqlite
from engine.commands import execute
from engine.runtime import build
from engine.setting_up import CreateEntity
from engine.settings import Settings
from engine.tables import Action, AuditEntry, Decision, Entity, Run
from engine.verify import verify

CUTS, CUTS_SLOW = 100, 500
AGAIN_EVERY = 5  # one in so many is cut a second time, while the product starts again
LATER = "an acknowledged commit is lost"


class Found(Exception):
    """What a cut left is not what was promised."""


@pytest.fixture(scope="module")
def told(disks, story, tmp_path_factory):
    """``told("full")``: the story at a strength of syncing, told once each."""
    kept = {}

    def tell(strength: str, clock):
        if strength not in kept:
            its_own = type(clock)()
            kept[strength] = story.tell(tmp_path_factory.mktemp(strength), disks, its_own, f"power-{strength}"), its_own
        recorded, ended = kept[strength]
        clock.set(ended.instant)
        return recorded

    return tell


@pytest.fixture
def weaker(monkeypatch):
    """``weaker("normal")``: the product with a durability setting somebody took away, and its check of it."""

    def take_away(strength: str) -> None:
        level = ("off", "normal", "full").index(strength)
        monkeypatch.setattr(sqlite, "PRAGMAS", {**sqlite.PRAGMAS, "synchronous": level})
        monkeypatch.setattr(sqlite, "DURABLE", {**sqlite.DURABLE, "synchronous": level})

    return take_away


def look(story, clock, folder: Path, recorded, cut: int, verified: set[str]) -> None:
    """Open what a cut left, as at any start, and compare it with what was promised.

    Args:
        verified: states whose rows were verified, this one from now on among them.

    Raises:
        Found: it is not so.
        DatabaseError: it cannot be read at all.
    """
    settings = Settings(database=f"sqlite:///{folder / 'dunwell.db'}", var=folder, secret_key=story.SECRET)
    opened = storage.connect(settings)
    try:
        state = story.state_of(opened)
        known = recorded.known_at(cut)
        if state not in recorded.states[known : known + 2]:  # the next one may have been on its way
            raise Found(LATER if state in recorded.states else "a state that never was")
        (whole,) = opened.execute_sql("pragma integrity_check").fetchone()
        if whole != "ok":
            raise Found(f"integrity: {whole}")
        opened.close()
        _works_on(clock, settings, state in verified)
        verified.add(state)
    finally:
        if not opened.is_closed():
            opened.close()


def _works_on(clock, settings: Settings, verified: bool) -> None:
    """The product starts, what it verifies each night holds, and the next command goes through."""
    runtime = build(settings, now=clock)
    checks = [] if verified else verify(runtime).checks
    broken = [f"{check.name}: {check.findings}" for check in checks if check.found]
    if broken:
        raise Found("; ".join(broken))
    stray = Action.select().where(Action.decision.is_null(False), Action.decision.not_in(Decision.select(Decision.id)))
    unwritten = [run.id for run in Run.select() if Decision.select().where(Decision.run == run).count() != run.applied]
    if stray.count() or unwritten:
        raise Found(f"actions without decisions: {stray.count()}; runs that count others: {unwritten}")
    before = AuditEntry.select().count()
    code = f"new{Entity.select().count()}"
    execute(runtime, CreateEntity(actor=None, reason="the power is back", code=code, name="New Ltd", currency="EUR"))
    if AuditEntry.select().count() != before + 1:
        raise Found("a command after the cut left no audit entry")
    runtime.close()


def cut_power(disks, recorded, here: Path, chance: Random) -> int:
    """Write what a cut leaves into a folder.

    Returns:
        Behind how many operations it came.
    """
    cut = chance.randint(recorded.disk.begun, len(recorded.disk.operations))
    here.mkdir()
    (here / "frames").symlink_to(recorded.folder / "frames")  # each was on disk before a run named it
    for name, content in disks.remains(recorded.disk.operations[:cut], chance).items():
        (here / name).write_bytes(content)
    if chance.random() < 0.5:  # the shared memory of a process that died is worth nothing, whatever it says
        (here / "dunwell.db-shm").write_bytes(chance.randbytes(32_768))
    return cut


def cut_often(disks, story, clock, folder: Path, recorded, cuts: int, seed: int) -> Counter:
    """Cut the power at random operations; what came of it, by kind ('' when all is well)."""
    chance, outcomes, verified = Random(seed), Counter(), set()
    for number in range(cuts):
        here = folder / str(number)
        cut = cut_power(disks, recorded, here, chance)
        try:
            if number % AGAIN_EVERY == 0:
                starting = story.start_again(here, disks, clock, f"again-{folder.name}-{number}")
                if starting.states[0] not in recorded.states[recorded.known_at(cut) :]:
                    raise Found(LATER)
                here = folder / f"{number} again"
                cut_again = cut_power(disks, starting, here, chance)
                look(story, clock, here, starting, cut_again, verified)
                outcomes[""] += 1
                continue
            look(story, clock, here, recorded, cut, verified)
        except (Found, DatabaseError, sqlite3.DatabaseError, storage.WeakDatabase) as error:
            outcomes[str(error) if isinstance(error, Found) else f"corrupt: {type(error).__name__}"] += 1
        else:
            outcomes[""] += 1
    return outcomes


@pytest.mark.promise("E1")
def test_a_hundred_power_cuts_lose_nothing_that_was_acknowledged(disks, story, told, clock, tmp_path):
    """Imports, approvals, decisions with their actions, claims and settlements: each whole, or not begun."""
    recorded = told("full", clock)
    assert len(recorded.states) > 50
    assert len(set(recorded.states)) == len(recorded.states)
    assert {operation.verb for operation in recorded.disk.operations} == {
        "create",
        "write",
        "truncate",
        "sync",
        "unlink",
    }
    assert cut_often(disks, story, clock, tmp_path, recorded, CUTS, seed=1) == {"": CUTS}


@pytest.mark.slow
@pytest.mark.promise("E1")
def test_five_hundred_power_cuts_lose_nothing_that_was_acknowledged(disks, story, told, clock, tmp_path):
    """The same, at other places."""
    recorded = told("full", clock)
    assert cut_often(disks, story, clock, tmp_path, recorded, CUTS_SLOW, seed=2) == {"": CUTS_SLOW}


def test_with_weaker_syncing_the_same_cuts_lose_commits(disks, story, told, weaker, clock, tmp_path):
    """The test above would notice: at NORMAL commits are lost."""
    weaker("normal")
    recorded = told("normal", clock)
    outcomes = cut_often(disks, story, clock, tmp_path, recorded, 30, seed=1)
    assert outcomes[LATER] > 8, outcomes


def test_without_syncing_the_same_cuts_destroy_the_database(disks, story, told, weaker, clock, tmp_path):
    """At OFF nothing can be relied on: files that cannot be read, or states that never were."""
    weaker("off")
    recorded = told("off", clock)
    outcomes = cut_often(disks, story, clock, tmp_path, recorded, 40, seed=1)
    spoilt = sum(many for what, many in outcomes.items() if what not in ("", LATER))
    assert spoilt > 0, outcomes
    assert outcomes[LATER] + spoilt > 20, outcomes  # half of the cuts at least
