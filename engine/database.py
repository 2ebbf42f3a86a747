"""The database: opened with durable settings, guarded by triggers, safe to use from threads."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from peewee import Database, Model, SqliteDatabase
from playhouse.migrations import Runner

from engine.settings import Settings, sqlite_path
from engine.tables import APPEND_ONLY, TABLES, database

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent.parent / "migrations"
HISTORY = "schema_migration"
BUSY_TIMEOUT_MS = 30_000  # longer than any transaction of ours may hold the write lock
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: at NORMAL a power cut loses acknowledged commits
    "foreign_keys": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "cache_size": -32_000,
}
DURABLE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


class WeakDatabase(RuntimeError):
    """The database does not keep what it acknowledges; the program must not start."""


def connect(settings: Settings, sqlite: type[SqliteDatabase] = SqliteDatabase) -> SqliteDatabase:
    """Open the database the settings name and bind the tables to it.

    Each thread gets its own connection. Every transaction starts IMMEDIATE: a transaction that
    reads first and writes later would fail late with "database is locked".

    Args:
        sqlite: how SQLite reaches its files; power cuts and full disks come in here.

    Raises:
        WeakDatabase: a durability setting did not take.
    """
    path = sqlite_path(settings.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = sqlite(str(path), pragmas=PRAGMAS, lock_type="immediate", autoconnect=True)
    database.initialize(opened)
    opened.connect(reuse_if_open=True)
    weak = durability(opened)
    if weak:
        opened.close()
        raise WeakDatabase("; ".join(weak))
    return opened


def durability(opened: Database) -> list[str]:
    """What is weaker than promised about this connection; empty when all is well."""
    weak = []
    for name, wanted in DURABLE.items():
        seen = opened.execute_sql(f"pragma {name}").fetchone()[0]
        if seen != wanted:
            weak.append(f"{name} is {seen}, must be {wanted}")
    return weak


def damage(opened: Database) -> list[str]:
    """What of the stored rows is damaged or refers to nothing, in words."""
    rows = opened.execute_sql("pragma integrity_check").fetchall()
    broken = [str(row[0]) for row in rows if row[0] != "ok"]
    lost = opened.execute_sql("pragma foreign_key_check").fetchall()
    return broken + [f"{row[0]} {row[1]} refers to a row of {row[2]} that is not there" for row in lost]


def snapshot(opened: Database) -> AbstractContextManager[Any]:
    """A transaction that reads one state and takes no write lock."""
    reading: AbstractContextManager[Any] = opened.atomic("DEFERRED")
    return reading


def create_triggers(opened: Database) -> None:
    """Let the database itself refuse to change or delete an append-only row."""
    for model in APPEND_ONLY:
        table = table_name(model)
        for verb in ("update", "delete"):
            opened.execute_sql(
                f'create trigger if not exists "{table}_no_{verb}" before {verb} on "{table}" '
                f"begin select raise(abort, '{table} is append-only: no {verb}'); end"
            )
    opened.execute_sql(
        'create trigger if not exists "document_is_fixed" before update of body, sha256, key, kind, stage, entity_id '
        "on \"document\" when old.status <> 'draft' "
        "begin select raise(abort, 'a proposed document cannot be changed'); end"
    )


def table_name(model: type[Model]) -> str:
    """The SQL name of a model's table."""
    return str(model._meta.table_name)


def write_rows(
    opened: Database, model: type[Model], columns: Sequence[str], rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> None:
    """Insert many rows by one prepared statement, five times as fast as the query builder.

    Args:
        columns: names of the table's columns, from our own code.
        conflict: what follows ``on conflict``, without parameters.
    """
    marks = ", ".join([opened.param] * len(columns))
    after = f" on conflict {conflict}" if conflict else ""
    sql = f"insert into {table_name(model)} ({', '.join(columns)}) values ({marks}){after}"  # noqa: S608 own names
    opened.connection().cursor().executemany(sql, rows)


def upsert(keys: Sequence[str], columns: Sequence[str]) -> str:
    """The conflict clause that replaces some columns.

    >>> upsert(["id"], ["level", "step"])
    '(id) do update set level = excluded.level, step = excluded.step'
    """
    return f"({', '.join(keys)}) do update set " + ", ".join(f"{name} = excluded.{name}" for name in columns)


def missing_triggers(opened: Database) -> list[str]:
    """Names of the append-only triggers that are not there."""
    rows = opened.execute_sql("select name from sqlite_master where type = 'trigger'").fetchall()
    present = {row[0] for row in rows}
    wanted = [f"{table_name(model)}_no_{verb}" for model in APPEND_ONLY for verb in ("update", "delete")]
    return [name for name in wanted if name not in present]


def migrate(opened: Database, directory: Path = MIGRATIONS) -> list[str]:
    """Bring the schema up to this release. Safe to call at every start, by several processes at once.

    An empty database gets the tables as they are now and counts every migration as applied; a test
    holds that the migrations give the same schema.

    Returns:
        The names of what was applied now.
    """
    with opened.atomic():
        runner = Runner(opened, str(directory), table_name=HISTORY)
        fresh = not opened.get_tables()
        if fresh:
            opened.create_tables(TABLES, safe=True)
        applied: list[str] = runner.fake() if fresh else runner.up() if _pending(runner) else []
        create_triggers(opened)
    return applied


def _pending(runner: Runner) -> bool:
    return any(migration.applied is None for migration in runner.status())
