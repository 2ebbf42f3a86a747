"""The queue: in a file beside SQLite, or in tables of the same PostgreSQL server.

It carries bells, no work (``engine.tasks``): whoever deletes or forges its rows changes nothing.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from huey import Huey, PostgresHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import PostgresStorage, SqliteStorage

from engine.postgres import WRITER
from engine.settings import Settings

log = logging.getLogger(__name__)

QUEUE_FILE = "queue.db"
QUEUE_NAME = "dunwell"
QUEUE_TABLES = "queue"  # what the names of its tables begin with
MESSAGE_BYTES_MAX = 2_000  # of one bell; it holds a name and an id


class ForgedMessage(ValueError):
    """A row of the queue is none of ours; it is dropped."""


class BellSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: the id and the name of a task, nothing else. Nothing is ever unpickled."""

    def serialize(self, data: Any) -> bytes:
        """Write a message.

        Raises:
            ForgedMessage: it carries more than a bell may.
        """
        if not isinstance(data, Message) or data.args or data.kwargs:
            raise ForgedMessage("the queue takes tasks without arguments only")
        return json.dumps({"id": data.id, "name": data.name, "retries": 0}).encode()

    def deserialize(self, data: Any) -> Message:
        """Read a message.

        Raises:
            ForgedMessage: it is not one that ``serialize`` wrote.
        """
        content = bytes(data)
        if len(content) > MESSAGE_BYTES_MAX:
            raise ForgedMessage("a row of the queue is too long")
        try:
            read = json.loads(content)
            identity, name = read["id"], read["name"]
        except (ValueError, TypeError, KeyError) as error:
            raise ForgedMessage("a row of the queue is no message of ours") from error
        if not isinstance(identity, str) or not isinstance(name, str):
            raise ForgedMessage("a row of the queue is no message of ours")
        return Message(id=identity, name=name, retries=0, retry_delay=0, args=(), kwargs={})


class RenewingStorage(SqliteStorage):  # type: ignore[misc]
    """A queue file that may be deleted or overwritten at any time: a new one takes its place."""

    @contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[Any]:
        """As in huey; a file that is gone or spoilt is replaced for the next call."""
        if self._conn is not None and self._file() != self._opened_file:
            self._renew(spoilt=False)
        try:
            with super().db(commit=commit, close=close) as cursor:
                yield cursor
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError) or "no such table" in str(error):
                log.warning("the queue file is spoilt (%s); a new one takes its place", error)
                self._renew(spoilt=True)
            raise

    def _create_connection(self) -> Any:
        connection = super()._create_connection()
        self._opened_file = self._file()
        return connection

    def _file(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.filename)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _renew(self, *, spoilt: bool) -> None:
        with suppress(sqlite3.Error):
            self.close()
        self._conn = None
        if spoilt:
            for end in ("", "-wal", "-shm"):
                Path(f"{self.filename}{end}").unlink(missing_ok=True)
        self.initialize_schema()


class RenewingTables(PostgresStorage):  # type: ignore[misc]
    """Queue tables that may be emptied or dropped at any time: new ones take their place."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._made: list[psycopg.Connection[Any]] = []
        super().__init__(*arguments, **named)

    @contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[Any]:
        """As in huey; tables that are gone are made anew for the next call."""
        try:
            with super().db(commit=commit, close=close) as cursor:
                yield cursor
        except psycopg.errors.UndefinedTable as error:
            log.warning("the queue's tables are gone (%s); new ones take their place", error)
            self.initialize_schema()
            raise

    def initialize_schema(self) -> None:
        """Make the tables that are not there; one process at a time, or two would make the same one."""
        with self.db(commit=True, close=True) as cursor:
            cursor.execute(f"select pg_advisory_xact_lock({WRITER})")
            for statement in self.ddl:
                cursor.execute(statement)

    def close(self) -> bool:
        """Close every connection, also those on which threads that are gone have waited for a bell."""
        closed: bool = super().close()
        while self._made:
            self._made.pop().close()
        return closed

    def _connect(self) -> Any:
        self._made = [connection for connection in self._made if not connection.closed]
        connection = super()._connect()
        self._made.append(connection)
        return connection

    _create_connection = _connect


def open_queue(settings: Settings) -> Huey:
    """The queue of a database: in the same server, or in a file of the state folder."""
    common = {"serializer": BellSerializer(), "results": False, "store_none": False, "utc": True}
    if settings.on_postgresql:
        place = {"dsn": settings.database, "table_prefix": QUEUE_TABLES}
        return PostgresHuey(QUEUE_NAME, storage_class=RenewingTables, **place, **common)
    path = settings.var / QUEUE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteHuey(QUEUE_NAME, filename=str(path), storage_class=RenewingStorage, **common)
