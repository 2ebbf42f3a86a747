"""Child process: reads tables as one snapshot and leaves them as Arrow files.

A process of its own, because the driver brings a second copy of SQLite. Two copies in one process
break each other's file locks: closing the driver's connection would delete the write-ahead log
under the first copy's open connection, and with it every later commit. Run as a script with the
database's path, the folder to write into, and on standard input a JSON object of name to SQL.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
from adbc_driver_sqlite import dbapi


def main(database: str, folder: str) -> None:
    """Read every table in one transaction."""
    tables: dict[str, str] = json.load(sys.stdin)
    with dbapi.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("pragma busy_timeout = 30000")
        for name, sql in tables.items():
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
            with pa.ipc.new_file(Path(folder) / f"{name}.arrow", reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
