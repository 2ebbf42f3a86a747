"""The doorbell: huey tasks that carry nothing and know nothing.

All truth is in the database. ``drain`` is rung after a commit; ``sweep`` comes each minute and finds
what a lost ring missed. Deleting the queue therefore loses nothing, and a row somebody forged in
it runs no code: messages are JSON with a known name and no arguments.
"""

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huey import SqliteHuey, crontab
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import SqliteStorage

from engine import outbox, retention, runs, uploads
from engine.tables import Alarm
from engine.verify import verify_nightly

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

QUEUE_FILE = "queue.db"
QUEUE_NAME = "dunwell"
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


def make_huey(runtime: "Runtime") -> SqliteHuey:
    """The queue of a runtime, with its two tasks; also makes ``runtime.ring`` ring.

    Args:
        runtime: whose outbox the tasks empty.
    """
    path = runtime.settings.var / QUEUE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    huey = SqliteHuey(
        QUEUE_NAME,
        filename=str(path),
        storage_class=RenewingStorage,
        serializer=BellSerializer(),
        results=False,
        store_none=False,
        utc=True,
    )
    drain = huey.task(name="drain")(lambda: drain_now(runtime))
    huey.periodic_task(crontab(minute="*"), name="sweep")(lambda: sweep_now(runtime))

    def ring() -> None:
        """Wake a worker. A bell that cannot ring loses nothing: the sweep comes within a minute."""
        with suppress(Exception):
            drain()
            return
        try:
            drain()  # a queue file that was spoilt has been replaced by now
        except Exception:
            log.warning("the bell did not ring; the sweep will find the work", exc_info=True)

    runtime.huey, runtime.ring = huey, ring
    return huey


def drain_now(runtime: "Runtime") -> None:
    """Decide the customers that changed, then send what is due."""
    _decide(runtime, "customers that changed", lambda: runs.drain_dirty(runtime))
    outbox.deliver(runtime)


def sweep_now(runtime: "Runtime") -> None:
    """Find what was left behind: days not decided yet, leases that ran out, rings that were lost.

    Once a night, after its runs, everything is verified.
    """
    recovered = outbox.sweep(runtime)
    if recovered.total:
        log.info("swept: %s", recovered.counts)
    uploads.purge(runtime)
    retention.purge_frames(runtime)
    _decide(runtime, "the day", lambda: runs.run_due_days(runtime))
    drain_now(runtime)
    verify_nightly(runtime)


def _decide(runtime: "Runtime", what: str, decide: Callable[[], object]) -> None:
    """Decide; a fault is told to a person once, and does not keep back what was decided before.

    Each message is decided again before it is sent, so sending on is safe: where nothing can be
    decided, that fails too.
    """
    try:
        decide()
    except Exception as error:
        log.exception("deciding %s failed", what)
        told = Alarm.select().where(Alarm.kind == "run_failed", Alarm.acknowledged_at.is_null())
        if not told.exists():
            Alarm.create(
                kind="run_failed",
                text=f"deciding {what} failed: {type(error).__name__}; see the worker's log",
                raised_at=runtime.now_at(),
            )
