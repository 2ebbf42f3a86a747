"""What PostgreSQL needs of its own: settings that keep commits, one writer at a time, starts side by side."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg
import pytest
from peewee import IntegrityError, OperationalError

from engine import audit, frames
from engine.commands import Change, Command, register
from engine.database import MIGRATIONS, WeakDatabase, connect, migrate, missing_triggers, update_rows
from engine.locks import Busy, alone
from engine.postgres import BESIDE, CLAIMING, CONNECTIONS_MAX, LOCKS
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import Action, AuditEntry, Customer, Decision, DueLine, Entity, Outcome
from engine.verify import verify

pytestmark = pytest.mark.postgresql("SQLite has its own tests of the same matters")


# --- settings (promise E1) -------------------------------------------------------------


@pytest.mark.promise("E1")
@pytest.mark.parametrize(
    ("setting", "value", "weak"),
    [
        ("synchronous_commit", "off", True),
        ("synchronous_commit", "local", True),
        ("synchronous_commit", "remote_write", True),
        ("synchronous_commit", "on", False),
        ("synchronous_commit", "remote_apply", False),
    ],
)
def test_a_database_that_acknowledges_what_it_may_lose_is_not_opened(
    runtime, settings, postgres_url, setting, value, weak
):
    """The program does not start, and says the setting and its value; a connection that is open says so as well."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        name = server.info.dbname
        server.execute(f"alter database {name} set {setting} = '{value}'")
    runtime.close()
    if weak:
        with pytest.raises(WeakDatabase, match=f"{setting} is {value}, must be on"):
            build(settings)
    else:
        assert runtime.database.weaknesses() == []
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"alter database {name} reset {setting}")
    runtime.database.connect(reuse_if_open=True)
    runtime.database.execute_sql(f"set {setting} = '{value}'")
    assert bool(runtime.database.weaknesses()) == weak


@pytest.mark.promise("E1")
@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_sync_is_not_used(runtime, server, settings, setting):
    """What the whole server is set to counts, also when it is changed while we run."""
    runtime.close()

    def set_to(value):
        server.admin.execute(f"alter system set {setting} = {value}")
        server.admin.execute("select pg_reload_conf()")
        end = time.monotonic() + 120
        while server.admin.execute(f"show {setting}").fetchone()[0] != value and time.monotonic() < end:
            time.sleep(0.02)

    set_to("off")
    try:
        with pytest.raises(WeakDatabase, match=f"{setting} is off, must be on"):
            build(settings)
        check = next(check for check in verify(runtime).checks if check.name == "durability")
        assert f"{setting} is off" in str(check.findings[0])
    finally:
        set_to("on")
    opened = connect(settings)
    assert opened.weaknesses() == []
    opened.shut()
    runtime.close()


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("postgresql://dunwell:canary@db.example:5432/dunwell", True),
        ("postgresql:///dunwell?host=/run/postgresql", True),
        ("postgresql://dunwell:canary@db.example:5432/", False),
        ("postgresql://dunwell:canary@db.example:0/dunwell", False),
        ("postgresql://dunwell:canary@db.example:many/dunwell", False),
        ("postgres://dunwell:canary@db.example/dunwell", False),
    ],
)
def test_one_url_names_the_database(url, usable, tmp_path):
    """What is none is said without its password, which is in no text of the settings either."""
    environment = {"DUNWELL_VAR": str(tmp_path), "DUNWELL_SECRET_KEY": "k" * 32, "DUNWELL_DATABASE": url}
    settings, problems = Settings.from_environment(environment)
    assert [problem.place for problem in problems] == ([] if usable else ["DUNWELL_DATABASE"])
    assert "canary" not in f"{problems}{settings!r}"
    assert settings.on_postgresql == url.startswith("postgresql://")


# --- starting --------------------------------------------------------------------------

START = """
import sys
from pathlib import Path
from engine.runtime import build
from engine.settings import Settings
from engine.tasks import make_huey
runtime = build(Settings(database=sys.argv[1], var=Path(sys.argv[2]), secret_key="s" * 40))
make_huey(runtime).storage.close()
runtime.close()
"""


def test_several_processes_may_start_at_once_on_an_empty_database(server, tmp_path):
    """One sets the schema up, the others wait for it; none fails."""
    url = server.copy(ready=False)
    try:
        started = [
            subprocess.Popen([sys.executable, "-c", START, url, str(tmp_path)], stderr=subprocess.PIPE)
            for _ in range(4)
        ]
        said = [process.communicate(timeout=550)[1].decode() for process in started]
        assert [process.returncode for process in started] == [0] * 4, said
        opened = connect(Settings(database=url, var=tmp_path, secret_key="s" * 40))
        assert missing_triggers(opened) == []
        assert migrate(opened) == []
        rows = opened.execute_sql("select count(*) from schema_migration").fetchone()
        assert rows == (len(list(MIGRATIONS.glob("0*.py"))),)
        opened.shut()
    finally:
        server.drop(url)


# --- one writer at a time --------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Count(Command):
    """For this test only."""


@register(Count, permission="customers.view")
def count_one(context, command):
    """Read, wait, write: what goes wrong where two may write at once."""
    entity = Entity.get()
    time.sleep(0.002)
    Entity.update(daily_cap=entity.daily_cap + 1).where(Entity.id == entity.id).execute()
    return Change(subject_kind="entity", subject_id=entity.id)


def beside(runtime, work, hands=8):
    """Call ``work`` at once from several threads, each with a connection of its own, and close those."""

    def one(number):
        try:
            return work(number)
        finally:
            runtime.database.close()

    with ThreadPoolExecutor(hands) as threads:
        return list(threads.map(one, range(hands)))


def test_no_command_meets_another_half_way(runtime, entity):
    """Eight hands, 160 commands that read and then write: each counts, and the audit chain is one."""
    before = Entity.get().daily_cap

    def work(_):
        for _ in range(20):
            runtime.execute(Count(actor=None, reason="test"))

    beside(runtime, work)
    assert Entity.get().daily_cap == before + 160
    report = audit.verify_chain()
    assert (report.entries, report.broken) == (160, ())
    assert [one.id for one in AuditEntry.select().order_by(AuditEntry.id)] == list(range(1, 161))


def test_a_reader_waits_for_no_writer_and_sees_one_state(runtime, entity):
    """While somebody writes, a snapshot is taken at once and stays what it was after the commit."""
    begun, go_on = threading.Event(), threading.Event()

    def write(_):
        with runtime.database.atomic():
            Entity.update(name="After").execute()
            begun.set()
            assert go_on.wait(30)

    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(beside, runtime, write, 1)
        assert begun.wait(30)
        with runtime.database.snapshot():
            assert Entity.get().name == "Main Ltd"
            go_on.set()
            written.result()
            assert Entity.get().name == "Main Ltd"
        assert Entity.get().name == "After"


def test_a_snapshot_writes_nothing(runtime, entity):
    """The server refuses."""
    with pytest.raises(Exception, match="read-only transaction"), runtime.database.snapshot():
        Entity.update(name="x").execute()
    assert Entity.get().name == "Main Ltd"


def test_who_waits_too_long_for_the_writer_is_told(runtime, entity, postgres_url):
    """An error after the time limit, not a thread that hangs; nothing was changed."""
    from engine.postgres import WRITER

    with psycopg.connect(postgres_url) as somebody:
        somebody.execute(f"select pg_advisory_xact_lock({WRITER})")
        runtime.database.execute_sql("set lock_timeout = 50")
        with pytest.raises(OperationalError, match="lock timeout"), runtime.database.atomic():
            Entity.update(name="x").execute()
    assert Entity.get().name == "Main Ltd"
    with runtime.database.atomic():
        Entity.update(name="After").execute()
    assert Entity.get().name == "After"


def test_what_two_workers_write_of_their_own_messages_waits_for_writers_only(runtime, entity, postgres_url):
    """Two such transactions are open at once; nobody who reads and then writes meets one half way."""
    from engine.postgres import WRITER

    with psycopg.connect(postgres_url) as other:
        other.execute(f"select pg_advisory_xact_lock_shared({WRITER})")
        with runtime.database.beside():
            Entity.update(name="Beside").execute()
        runtime.database.execute_sql("set lock_timeout = 50")
        with pytest.raises(OperationalError, match="lock timeout"), runtime.database.atomic():
            Entity.update(name="x").execute()
        other.rollback()
        other.execute(f"select pg_advisory_xact_lock({WRITER})")
        with pytest.raises(OperationalError, match="lock timeout"), runtime.database.beside():
            Entity.update(name="x").execute()
    assert Entity.get().name == "Beside"


def test_a_claim_waits_for_writers_and_other_claims_and_keeps_no_message_from_being_settled(
    runtime, entity, postgres_url
):
    """Neither side commits what the other has not seen; who writes down how a claimed message fared goes on."""
    runtime.database.execute_sql("set lock_timeout = 50")
    with psycopg.connect(postgres_url) as other:
        other.execute(f"select {LOCKS[BESIDE]}")
        with runtime.database.claiming():
            Entity.update(country="XX").where(Entity.id == entity.id).execute()
    for mode in (None, CLAIMING):
        with psycopg.connect(postgres_url) as other:
            other.execute(f"select {LOCKS[mode]}")
            with pytest.raises(OperationalError, match="lock timeout"), runtime.database.claiming():
                pytest.fail("it must wait")
            if mode == CLAIMING:
                with runtime.database.beside():
                    Entity.update(country="YY").where(Entity.id == entity.id).execute()
                with pytest.raises(OperationalError, match="lock timeout"), runtime.database.atomic():
                    pytest.fail("it must wait")
    assert Entity.get_by_id(entity.id).country == "YY"


def test_two_hosts_decide_an_entity_one_after_the_other(runtime, entity):
    """The lock is the server's, whatever folder the host has; it ends with the block and with the connection."""
    elsewhere = replace(runtime.settings, var=runtime.settings.var / "elsewhere")
    other = Runtime(settings=elsewhere, database=connect(elsewhere), now=runtime.now, vault=runtime.vault)
    with alone(runtime, entity), pytest.raises(Busy), alone(other, entity):
        raise AssertionError
    with alone(other, entity):
        pass
    holding = alone(runtime, entity)
    holding.__enter__()
    number = runtime.database.connection().info.backend_pid
    other.database.execute_sql("select pg_terminate_backend(%s, 5000)", (number,))
    with alone(other, entity):
        pass
    holding.__exit__(None, None, None)
    other.close()


# --- what the database itself refuses ----------------------------------------------------


def test_an_emptied_table_is_refused_too(runtime, books, customer):
    """Truncating is no way around append-only."""
    books.invoice(customer, 100, 20_543, 20_543)
    with pytest.raises(IntegrityError, match="append-only"):
        runtime.database.execute_sql("truncate due_line cascade")
    assert DueLine.select().count() == 1


def test_a_trigger_that_was_switched_off_is_missing(runtime):
    """It is there, and refuses nothing."""
    runtime.database.execute_sql("alter table audit_entry disable trigger audit_entry_no_delete")
    assert missing_triggers(runtime.database) == ["audit_entry_no_delete"]


def test_damage_is_named(runtime, customer):
    """A row that refers to nothing, written while references were not checked, and an index that is not valid."""
    assert runtime.database.damage() == []
    runtime.database.execute_sql("set session_replication_role = replica")
    Customer.update(entity=77).execute()
    runtime.database.execute_sql("set session_replication_role = origin")
    runtime.database.execute_sql(
        "update pg_index set indisvalid = false where indexrelid = 'decision_as_of_day_id'::regclass"
    )
    assert runtime.database.damage() == [
        "the index decision_as_of_day_id is not valid",
        "customer.entity_id 77 refers to a row of entity that is not there",
    ]


# --- doors of bulk ---------------------------------------------------------------------


def test_ids_are_given_out_once(runtime):
    """Also to two who ask at once, and to rows that are written one by one."""
    given = [
        number for numbers in beside(runtime, lambda _: runtime.database.numbers(Decision, 50)) for number in numbers
    ]
    assert sorted(given) == list(range(1, 401))


def test_many_rows_are_changed_by_their_keys(runtime, books):
    """Each row its own value; others stay."""
    made = [books.customer(str(number)) for number in range(3)]
    for one in made:
        Outcome.create(customer=one, entity_id=one.entity_id, run_id=1, as_of_day=1)
    update_rows(runtime.database, Outcome, ("points",), ("customer_id",), [(7, made[0].id), (9, made[2].id)])
    assert [one.points for one in Outcome.select().order_by(Outcome.customer)] == [7, None, 9]


def test_sums_of_money_are_whole_numbers(runtime, books, customer):
    """Beyond what a bigint holds, too."""
    for _ in range(3):
        books.invoice(customer, 9_000_000_000_000_000_000, 1, 1)
    (total,) = runtime.database.execute_sql("select sum(amount_minor) from due_line").fetchone()
    assert (total, type(total)) == (27_000_000_000_000_000_000, int)


def test_more_threads_than_connections_wait_for_each_other(runtime, entity):
    """The pool is bounded; nobody is turned away while others finish soon."""
    names = beside(runtime, lambda _: [Entity.get().name for _ in range(5)], hands=CONNECTIONS_MAX + 10)
    assert {name for found in names for name in found} == {"Main Ltd"}
    assert Action.select().count() == 0


def test_the_password_of_the_url_is_in_no_error_of_the_reading_child(runtime, entity, monkeypatch):
    """It goes in on standard input, not among the arguments that everybody may list."""
    seen = []
    run = subprocess.run
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", -1)
    monkeypatch.setattr(frames.subprocess, "run", lambda command, **more: seen.append(command) or run(command, **more))
    frames.read_frames(runtime, entity)
    assert len(seen) == 1
    assert not any("postgresql://" in str(part) for part in seen[0])
