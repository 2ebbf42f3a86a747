"""SQLite: what it does otherwise than PostgreSQL, behind the same names (``engine.postgres``)."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from peewee import Database, Model, SqliteDatabase, fn

BUSY_TIMEOUT_MS = 30_000  # longer than any transaction of ours may hold the write lock
ANALYSED_MAX = 1_000  # rows of an index that are looked at for statistics
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL: at NORMAL a power cut loses acknowledged commits
    "foreign_keys": 1,
    "busy_timeout": BUSY_TIMEOUT_MS,
    "cache_size": -32_000,
}
DURABLE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


class SqliteWays(Database):  # type: ignore[misc]
    """A file. Each thread has its own connection; every transaction that writes starts IMMEDIATE.

    One that reads first and writes later would fail late with "database is locked".

    Args:
        path: of the file.
    """

    driver = "sqlite"
    changes = ("update", "delete")  # what a trigger refuses on an append-only table
    unindexed = "+"  # before a column: an index on the entity would read all of its rows
    listed = "(select value from json_each(?))"  # the numbers of a JSON array, bound as one text

    def __init__(self, path: Path | str, **more: Any) -> None:
        super().__init__(str(path), pragmas=PRAGMAS, lock_type="immediate", autoconnect=True, **more)

    def snapshot(self) -> AbstractContextManager[Any]:
        """A transaction that reads one state and takes no lock."""
        reading: AbstractContextManager[Any] = self.atomic("DEFERRED")
        return reading

    def beside(self) -> AbstractContextManager[Any]:
        """A transaction that changes rows of its own only: SQLite has one writer, so it is one like all."""
        writing: AbstractContextManager[Any] = self.atomic()
        return writing

    def claiming(self) -> AbstractContextManager[Any]:
        """A transaction that claims messages: one like all here."""
        return self.beside()

    def weaknesses(self) -> list[str]:
        """What of this connection is weaker than promised (E1); empty when all is well."""
        weak = []
        for name, wanted in DURABLE.items():
            seen = self.execute_sql(f"pragma {name}").fetchone()[0]
            if seen != wanted:
                weak.append(f"{name} is {seen}, must be {wanted}")
        return weak

    def damage(self) -> list[str]:
        """What of the stored rows is damaged or refers to nothing, in words."""
        rows = self.execute_sql("pragma integrity_check").fetchall()
        broken = [str(row[0]) for row in rows if row[0] != "ok"]
        lost = self.execute_sql("pragma foreign_key_check").fetchall()
        return broken + [f"{row[0]} {row[1]} refers to a row of {row[2]} that is not there" for row in lost]

    def triggers(self) -> set[str]:
        """Names of the triggers in force."""
        return {row[0] for row in self.execute_sql("select name from sqlite_master where type = 'trigger'").fetchall()}

    def refuse(self, name: str, table: str, event: str, message: str, when: str = "") -> None:
        """Make a trigger that refuses an event (``update``, ``delete``, ``update of a, b``) on a table."""
        only = f"when {when} " if when else ""
        self.execute_sql(
            f'create trigger if not exists "{name}" before {event} on "{table}" '
            f"{only}begin select raise(abort, '{message}'); end"
        )

    def take_statistics(self) -> None:
        """Let the planner see how the rows are spread: without, it takes any index for a selective one."""
        self.execute_sql(f"pragma analysis_limit = {ANALYSED_MAX}")
        self.execute_sql("analyze")

    def keep_words(self) -> None:
        """Make the triggers that keep the words of customers as customers come and are renamed."""
        new = (
            "insert into customer_word (word, customer_id) select distinct cast(lower(value) as blob), new.id "
            "from json_each('[' || replace(json_quote(new.number || ' ' || new.name), ' ', '\",\"') || ']') "
            "where value <> '';"
        )
        self.execute_sql(f"create trigger if not exists customer_words_come after insert on customer begin {new} end")
        old = "delete from customer_word where customer_id = new.id;"
        self.execute_sql(
            "create trigger if not exists customer_words_change after update of number, name on customer "
            f"when old.number <> new.number or old.name <> new.name begin {old} {new} end"
        )

    def numbers(self, model: type[Model], many: int) -> Sequence[int]:
        """Ids for so many new rows; inside a transaction, which holds the write lock."""
        last = model.select(fn.max(model.id)).scalar() or 0
        return range(last + 1, last + 1 + many)

    @contextmanager
    def alone(self, name: str, folder: Path) -> Iterator[bool]:
        """Hold a lock of this machine while the block runs; False: somebody else holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def shut(self) -> None:
        """Close this thread's connection."""
        if not self.is_closed():
            self.close()

    @staticmethod
    def first_of(column: str) -> str:
        """The first text of a JSON array kept as text, or null."""
        return f"json_extract({column}, '$[0]')"

    @staticmethod
    def value_of(column: str, _type: str) -> str:
        """The value of a JSON scalar kept as text."""
        return f"json_extract({column}, '$')"


class Sqlite(SqliteWays, SqliteDatabase):  # type: ignore[misc]
    """A file, reached as the operating system offers it."""

    def rollback(self) -> Any:
        """Roll back, unless SQLite has done so: it ends a transaction by itself when the disk fails."""
        if not self.is_closed() and not self.connection().in_transaction:
            return False
        return super().rollback()
