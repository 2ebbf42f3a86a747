"""Outages: the disk is full, failing or read-only, or the database is busy or gone.

Not a fault of what was asked: nothing was kept, and the same again will do once the cause is gone.
"""

import errno
import sqlite3
from enum import StrEnum

import psycopg
from peewee import DatabaseError, InterfaceError


class Outage(StrEnum):
    """Why nothing can be kept just now."""

    FULL = "full"
    READ_ONLY = "read_only"
    BUSY = "busy"
    FAILING = "failing"


TOLD = {
    Outage.FULL: "the disk is full",
    Outage.READ_ONLY: "the disk or the database is read-only",
    Outage.BUSY: "the database is busy",
    Outage.FAILING: "the disk or the database does not answer",
}
ERRNOS = {
    errno.ENOSPC: Outage.FULL,
    errno.EDQUOT: Outage.FULL,
    errno.EFBIG: Outage.FULL,  # the process may not write files so large
    errno.EROFS: Outage.READ_ONLY,
    errno.EIO: Outage.FAILING,
}
SQLITE_SAYS = (  # sqlite3_errstr of the result codes, which every driver passes on
    ("disk is full", Outage.FULL),
    ("readonly database", Outage.READ_ONLY),
    ("is locked", Outage.BUSY),
    ("disk i/o error", Outage.FAILING),
    ("unable to open database file", Outage.FAILING),
)
SQLSTATES = (  # PostgreSQL, by the beginning of the code
    ("53100", Outage.FULL),
    ("25006", Outage.READ_ONLY),
    ("53", Outage.BUSY),  # out of connections or memory
    ("55P03", Outage.BUSY),  # a lock not given in time
    ("40", Outage.BUSY),  # a deadlock, or a change that came too late to be serialized
    ("58", Outage.FAILING),  # I/O
    ("57P", Outage.FAILING),  # shutting down
    ("08", Outage.FAILING),  # no connection
)


def outage_of(error: BaseException) -> Outage | None:
    """Why the disk or database failed; None when the error is another one.

    >>> import errno
    >>> outage_of(OSError(errno.ENOSPC, "No space left on device")).value
    'full'
    >>> outage_of(DatabaseError("no such column: x")) is None
    True
    """
    if isinstance(error, OSError):
        return ERRNOS.get(error.errno or 0)
    if isinstance(error, psycopg.Error):
        return _of_postgres(error)
    if isinstance(error, DatabaseError | InterfaceError) and error.args and isinstance(error.args[0], Exception):
        found = outage_of(error.args[0])  # peewee's error carries the driver's; reading rows raises the driver's own
        lost = found is None and "no such savepoint" in str(error)
        # A savepoint goes with its transaction, which SQLite ends by itself when the disk fails.
        return outage_of(error.__context__) if lost and error.__context__ is not None else found
    if isinstance(error, DatabaseError | InterfaceError) and isinstance(
        error.__context__, psycopg.Error | DatabaseError
    ):
        return outage_of(error.__context__)  # while connecting, peewee passes on the text alone
    return _of_sqlite(str(error)) if isinstance(error, sqlite3.Error | DatabaseError) else None


def _of_sqlite(said: str) -> Outage | None:
    return next((outage for words, outage in SQLITE_SAYS if words in said.lower()), None)


def _of_postgres(error: psycopg.Error) -> Outage | None:
    if error.sqlstate is None:  # the connection broke, or none came about
        return Outage.FAILING if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    return next((outage for begins, outage in SQLSTATES if error.sqlstate.startswith(begins)), None)
