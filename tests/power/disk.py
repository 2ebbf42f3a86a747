"""A disk that writes down what SQLite asks of it, forgets it when the power is cut, and fails when told to.

An apsw VFS over real files. What survives a cut follows from the list of operations alone: what was
written before a file's last sync is there; of what came later each sector of 512 bytes is there or
not; names that came or went after the folder's last sync are there up to some point.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import apsw
from playhouse.apsw_ext import APSWDatabase

from engine.sqlite import SqliteWays

SECTOR_BYTES = 512
WATCHED = (
    apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
)
WITH_NAME = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL

# What a disk may answer, in SQLite's words, and the operations that meet it.
FAULTS: dict[str, tuple[type[Exception], int, str, tuple[str, ...]]] = {
    "full": (apsw.FullError, apsw.SQLITE_FULL, "database or disk is full", ("write", "truncate")),
    "eio": (apsw.IOError, apsw.SQLITE_IOERR, "disk I/O error", ("write", "truncate", "sync", "unlink", "read")),
    "read-only": (
        apsw.ReadOnlyError,
        apsw.SQLITE_READONLY,
        "attempt to write a readonly database",
        ("write", "truncate", "unlink"),
    ),
}


def answer(fault: str) -> Exception:
    """A fault as apsw hands it to SQLite, and as the product's own driver would hand it on."""
    kind, code, words, _ = FAULTS[fault]
    error = type("OperationalError", (kind, sqlite3.OperationalError), {})(words)
    error.extendedresult = code
    return error


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing asked of the disk: verb, the file's number, and what belongs to it."""

    verb: str  # create | write | truncate | sync | unlink
    file: int
    offset: int = 0
    content: bytes = b""
    name: str = ""
    now: bool = False  # the folder is synced with it


@dataclass
class Disk:
    """Operations in order, and what they meet.

    Args:
        operations: all of them so far.
        fault: name of a fault that every operation meets from ``fails_from`` on, None: none.
        seen: operations that the fault might have met since it was set.
        met: how many did meet it.
        begun: operations that say what was there before; no cut comes among them.
    """

    operations: list[Operation] = field(default_factory=list)
    fault: str | None = None
    fails_from: int = 0
    seen: int = 0
    met: int = 0
    names: dict[str, int] = field(default_factory=dict)
    files: int = 0
    begun: int = 0

    def note(self, operation: Operation) -> None:
        """Write an operation down."""
        self.operations.append(operation)

    def meet(self, verb: str) -> None:
        """Fail, if the disk fails by now."""
        if self.fault is None:
            return
        if verb not in FAULTS[self.fault][-1]:
            return
        self.seen += 1
        if self.seen >= self.fails_from:
            self.met += 1
            raise answer(self.fault)

    @contextmanager
    def failing(self, fault: str, operation: int) -> Iterator[None]:
        """From its n-th operation on the disk fails, until the block is left."""
        self.fault, self.fails_from, self.seen, self.met = fault, operation, 0, 0
        try:
            yield
        finally:
            self.fault = None

    def opened(self, path: Path) -> int:
        """The number of a file, of a new one when there is none of the name."""
        name = path.name
        if name not in self.names:
            self.files += 1
            self.names[name] = self.files
            self.note(Operation("create", self.files, name=name))
        return self.names[name]

    def hold(self, folder: Path) -> None:
        """Begin with the files of a folder, all of them safe."""
        for path in sorted(folder.glob("*.db*")):
            if not path.name.endswith("-shm"):
                number = self.opened(path)
                self.note(Operation("write", number, content=path.read_bytes()))
                self.note(Operation("sync", number, now=True))
        self.begun = len(self.operations)

    def unlinked(self, name: str, now: bool) -> None:
        """A name goes."""
        if name in self.names:
            self.note(Operation("unlink", self.names.pop(name), name=name, now=now))


class DiskVFS(apsw.VFS):
    """SQLite's way to the disk; a name of its own for each."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk, self.vfs_name = disk, name
        super().__init__(name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return DiskFile(self.disk, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        self.disk.meet("unlink")
        super().xDelete(name, syncdir)
        self.disk.unlinked(Path(name).name, syncdir)


class DiskFile(apsw.VFSFile):
    """One open file. Nothing is really synced: what a sync is worth is known from the list."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self.disk, self.file = disk, 0
        self.names_at_sync = bool(flags[0] & WITH_NAME)
        if flags[0] & WATCHED and name is not None:
            self.file = disk.opened(Path(name if isinstance(name, str) else name.filename()))
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        if self.file:
            self.disk.meet("read")
        return super().xRead(amount, offset)

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        if self.file:
            self.disk.meet("write")
            self.disk.note(Operation("write", self.file, offset, bytes(content)))
        super().xWrite(content, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        if self.file:
            self.disk.meet("truncate")
            self.disk.note(Operation("truncate", self.file, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.file:
            self.disk.meet("sync")
            self.disk.note(Operation("sync", self.file, now=self.names_at_sync))
            self.names_at_sync = False  # as SQLite's own VFS: the folder with a journal's first sync


class Cursor(apsw.Cursor):
    """With what the standard library's cursor has beside."""

    def fetchmany(self, size: int) -> list[Any]:
        """The next rows."""
        return list(islice(self, size))


def database_on(disk: Disk, name: str, committed: Callable[[APSWDatabase], None] | None = None) -> type[APSWDatabase]:
    """The database class to open the product's database with.

    Args:
        name: of the VFS, one per test.
        committed: called after each commit that changed something, when it was acknowledged.
    """
    vfs = DiskVFS(disk, name)

    class OnDisk(SqliteWays, APSWDatabase):  # type: ignore[misc]
        kept_vfs = vfs  # SQLite holds no reference of its own
        changes_seen = 0

        def __init__(self, path: str, **options: Any) -> None:
            super().__init__(path, vfs=name, **options)

        def _connect(self) -> apsw.Connection:
            connection = super()._connect()
            connection.cursor_factory = Cursor
            connection.convert_binding = lambda _cursor, _number, value: str(value)  # instants of the migrations
            return connection

        def commit(self) -> Any:
            answer = super().commit()
            self.note_commit()
            return answer

        def execute_sql(self, sql: str, params: Any = None) -> Any:
            answer = super().execute_sql(sql, params)
            if sql.split(None, 1)[0].lower() in ("insert", "update", "delete"):
                self.note_commit()
            return answer

        def note_commit(self) -> None:
            """An acknowledged commit, unless a transaction is still open or nothing was changed."""
            connection = self.connection()
            if committed is not None and connection.getautocommit():
                committed(self)

    return OnDisk


# --- what a cut leaves -----------------------------------------------------------------


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    later: list[Operation] = field(default_factory=list)


def remains(operations: list[Operation], chance: Random) -> dict[str, bytes]:
    """The files by name after a power cut behind the last operation."""
    files: dict[int, _File] = {}
    names: dict[str, int] = {}
    unsure: list[Operation] = []  # names that came or went, the folder not synced yet
    for operation in operations:
        if operation.verb == "create":
            files[operation.file] = _File()
            unsure.append(operation)
        elif operation.verb == "unlink":
            unsure.append(operation)
        elif operation.verb == "sync":
            file = files[operation.file]
            for one in file.later:
                _apply(file.synced, one)
            file.later.clear()
        else:
            files[operation.file].later.append(operation)
        if operation.now:
            _name(names, unsure)
            unsure = []
    _name(names, unsure[: chance.randint(0, len(unsure))])
    share = chance.choice((0.0, 0.5, 0.5, 0.5, 1.0))  # mostly a half; all or nothing is possible, too
    return {name: _left(files[number], share, chance) for name, number in names.items()}


def _name(names: dict[str, int], operations: list[Operation]) -> None:
    for one in operations:
        if one.verb == "create":
            names[one.name] = one.file
        elif names.get(one.name) == one.file:
            del names[one.name]


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.verb == "truncate":
        del content[operation.offset :]
        return
    _write(content, operation.offset, operation.content, None)


def _write(content: bytearray, offset: int, piece: bytes, chance: Random | None) -> None:
    gap = offset - len(content)
    if gap > 0:  # a file that grew without its content: zeros, or what lay there before
        content.extend(bytes(gap) if chance is None or chance.random() < 0.5 else chance.randbytes(gap))
    content[offset : offset + len(piece)] = piece


def _left(file: _File, share: float, chance: Random) -> bytes:
    content = bytearray(file.synced)
    for one in file.later:
        if one.verb == "truncate":
            if chance.random() < share:
                _apply(content, one)
            continue
        start = 0
        while start < len(one.content):
            size = min(SECTOR_BYTES - (one.offset + start) % SECTOR_BYTES, len(one.content) - start)
            if chance.random() < share:
                _write(content, one.offset + start, one.content[start : start + size], chance)
            start += size
    return bytes(content)
