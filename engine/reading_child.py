"""Child process: reads tables as one snapshot and leaves them as Arrow files.

A process of its own, because the driver brings a second copy of SQLite. Two copies in one process
break each other's file locks: closing the driver's connection would delete the write-ahead log
under the first copy's open connection, and with it every later commit. PostgreSQL needs no such
care, and is read the same way: what the driver takes of memory goes with the child.

Run as a script with one JSON object on standard input: ``driver`` (sqlite | postgresql),
``database`` (path or URL), ``folder`` to write into, ``queries`` (name to SQL).
"""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

FIRST = {
    "sqlite": ("pragma busy_timeout = 30000",),
    "postgresql": (
        "set transaction isolation level repeatable read, read only",
        # Right after a large run the statistics are old: row by row it would take hours for a million.
        "set local enable_nestloop = off",
    ),
}


def _connected(driver: str, database: str) -> Any:
    if driver == "postgresql":
        from adbc_driver_postgresql import dbapi as postgresql

        return postgresql.connect(database)
    from adbc_driver_sqlite import dbapi as sqlite

    return sqlite.connect(database)


def main(driver: str, database: str, folder: str, queries: dict[str, str]) -> None:
    """Read every table in one transaction."""
    with _connected(driver, database) as connection, connection.cursor() as cursor:
        for statement in FIRST[driver]:
            cursor.execute(statement)
        for name, sql in queries.items():
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
            with pa.ipc.new_file(Path(folder) / f"{name}.arrow", reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)


if __name__ == "__main__":
    main(**json.load(sys.stdin))
