"""Damage of the database file: bytes turned over are named, or the program refuses to start, or nothing was lost."""

import random
import shutil
import sqlite3
from collections import Counter

import pytest
from peewee import DatabaseError

from engine.database import WeakDatabase
from engine.runs import run_entity
from engine.runtime import build
from engine.tables import Entity
from engine.verify import verify

DAY = 20_543
pytestmark = pytest.mark.sqlite("bytes of the one file are turned over; a server guards its own files")


@pytest.fixture
def decided(runtime, entity, books, policies, go_live):
    """Forty customers, adopted, live, decided; one file, the program stopped."""
    for number in range(40):
        customer = books.customer(f"{number}")
        books.payment(customer, books.invoice(customer, 50_000, DAY - 200, DAY + 20 - number), 20_000, DAY - 3)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, Entity.get(), DAY + 1)
    assert verify(runtime).sound
    runtime.close()
    for end in ("-wal", "-shm"):
        assert not runtime.settings.database_path.with_name(f"dunwell.db{end}").exists()
    return runtime


def content(path):
    """Every row of every table, or None when they cannot all be read."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        connection.close()


def flipped(raw, dice):
    """A copy with some bits turned over: one byte, or a run of them as a bad sector leaves it."""
    copy = bytearray(raw)
    at, many = dice.randrange(len(raw)), dice.choice([1, 4, 64, 512])
    for place in range(at, min(at + many, len(raw))):
        copy[place] ^= dice.randrange(1, 256)
    return bytes(copy)


def fate(runtime, whole):
    """What becomes of a damaged file, and whether all its rows could be read and were as before."""
    try:
        opened = build(runtime.settings, runtime.now)
    except (DatabaseError, WeakDatabase, UnicodeDecodeError):
        return "refused"
    try:
        report = verify(opened)
    except DatabaseError:
        return "refused"
    finally:
        opened.close()
    if not report.sound:
        return "named"
    return "nothing lost" if whole else "unseen"


def fates(runtime, copies, seed):
    """How many of so many damaged copies ended how."""
    path, dice, counted = runtime.settings.database_path, random.Random(seed), Counter()
    raw, before = path.read_bytes(), content(path)
    var, pristine = runtime.settings.var, runtime.settings.var.with_name("pristine")
    shutil.copytree(var, pristine)
    for _ in range(copies):
        shutil.rmtree(var)
        shutil.copytree(pristine, var)
        path.write_bytes(flipped(raw, dice))
        ended = fate(runtime, content(path) == before)
        counted[ended] += 1
    return counted


@pytest.mark.promise("E5")
def test_twenty_damaged_copies(decided):
    """Each is refused with one clear error, or verifying names the damage, or every row is as it was."""
    counted = fates(decided, 20, seed=9)
    assert counted["unseen"] == 0
    assert counted["named"] + counted["refused"] >= 4  # damage was done


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.promise("E5")
def test_two_hundred_damaged_copies(decided):
    """At most one in fifty goes unseen: a byte of what no hash or sum covers, such as a name or an instant."""
    counted = fates(decided, 200, seed=6)
    assert counted["unseen"] <= 4, counted
    assert counted["named"] > 20
    assert counted["refused"] >= 1
