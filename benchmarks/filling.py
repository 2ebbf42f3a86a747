"""A database filled with a made-up portfolio, ready to be decided.

    python -m benchmarks.filling sqlite:////tmp/million/dunwell.db --customers 1000000

Blocks are drawn and written a chunk at a time, so memory does not grow with the portfolio: through
one prepared statement per table on SQLite, by COPY on PostgreSQL. What is left is durable and
whole; while it is being filled a crash may lose it, and it is filled again.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
from peewee import Field, Model, SqliteDatabase

from benchmarks.portfolio import BLOCK, ENTITY_ID, LAST_DAY, OLDEST_DAYS, RATES_E9, SEED, Tables, blocks
from engine.queries import MODELS
from engine.runtime import Runtime
from engine.runtime import build as open_runtime
from engine.setting_up import shipped_documents
from engine.settings import Settings, sqlite_path
from engine.tables import Document, Entity, ExchangeRate
from ledger.canonical import canonical, sha256_of

SECRET = "benchmarks " * 4  # nothing sealed with it is secret
CHUNK = 20_000  # customers written in one transaction
TOLD_EVERY = 100_000


def build(url: str, customers: int, *, var: Path | None = None, seed: int = SEED, chunk: int = CHUNK) -> Runtime:
    """Fill an empty database, or open the one that is filled; nothing is decided in it yet.

    Args:
        url: of the database.
        customers: of its one entity, DE01, with five due lines each.
        var: folder of the other state; by default beside a SQLite file.
        seed: of the portfolio.
        chunk: customers in memory at a time, a multiple of ``benchmarks.portfolio.BLOCK``.

    Raises:
        ValueError: the database holds another number of customers.
    """
    runtime = open_runtime(settings_for(url, var))
    if not Entity.select().exists():
        _fill(runtime, customers, seed, chunk)
    found = runtime.database.execute_sql("select coalesce(max(id), 0) from customer").fetchone()[0]
    if found != customers:
        runtime.close()
        raise ValueError(f"{url} holds {found:,} customers, not {customers:,}: name another one")
    return runtime


def settings_for(url: str, var: Path | None = None) -> Settings:
    """Settings of a benchmark on a database; its state lies beside the file, or in ``var``."""
    if var is None:
        var = sqlite_path(url).parent if url.startswith("sqlite") else Path(tempfile.gettempdir()) / "dunwell-benchmark"
    return Settings(database=url, var=var, secret_key=SECRET)


def _fill(runtime: Runtime, customers: int, seed: int, chunk: int) -> None:
    database = runtime.database
    if chunk % BLOCK:
        raise ValueError(f"a chunk is a multiple of {BLOCK} customers, not {chunk}")
    if isinstance(database, SqliteDatabase):
        database.execute_sql("pragma synchronous = off")
        database.execute_sql("pragma foreign_keys = off")
    with database.atomic():
        Entity.create(id=ENTITY_ID, code="DE01", name="Main", currency="EUR", zone="Europe/Berlin")
        put_in_force(shipped_documents())
        _rates()
    written, start = 0, time.monotonic()
    for tables in _chunks(blocks(customers, seed), chunk):
        with database.atomic():
            for name, table in tables.items():
                _post(runtime, name, table)
        written += tables["customer"].height
        if written % TOLD_EVERY == 0:
            print(f"filled {written:,} of {customers:,} customers in {time.monotonic() - start:.0f} s", flush=True)
    _settle(runtime)


def _chunks(source: Iterator[Tables], chunk: int) -> Iterator[Tables]:
    gathered: list[Tables] = []
    for block in source:
        gathered.append(block)
        if len(gathered) * BLOCK >= chunk:
            yield {name: pl.concat([one[name] for one in gathered]) for name in block}
            gathered = []
    if gathered:
        yield {name: pl.concat([one[name] for one in gathered]) for name in gathered[0]}


def put_in_force(documents: Iterable[dict[str, Any]]) -> None:
    """Let documents be in force as if two people had approved them long ago."""
    for document in documents:
        Document.create(
            kind=document["kind"],
            key=document["key"],
            stage=document.get("stage"),
            subject=document.get("subject"),
            sha256=sha256_of(document),
            body=canonical(document),
            status="approved",
            from_day=0,
            approved_at=1,
        )


def _rates() -> None:
    for currency, rate in RATES_E9.items():
        ExchangeRate.create(
            base="EUR", currency=currency, day=LAST_DAY - OLDEST_DAYS, rate_e9=rate, source="made up", recorded_at=0
        )


def _post(runtime: Runtime, name: str, table: pl.DataFrame) -> None:
    """Write the rows of a table; contacts with the person behind each."""
    if name == "contact":
        sealed = [runtime.vault.seal_anew({"name": "", "email": email}) for email in table["email"].to_list()]
        person = pl.DataFrame(
            {
                "id": table["person_id"],
                "sealed": pl.Series([one for one, _ in sealed], dtype=pl.Binary),
                "key_sealed": pl.Series([key for _, key in sealed], dtype=pl.Binary),
            }
        )
        _write(runtime, "person", person)
        table = table.drop("email")
    _write(runtime, name, _completed(MODELS[name], table))


def _completed(model: type[Model], table: pl.DataFrame) -> pl.DataFrame:
    """Add the defaults of columns that the portfolio does not tell of."""
    fields: list[Field] = model._meta.sorted_fields
    more: dict[str, Any] = {
        field.column_name: field.default for field in fields if field.default is not None and field.name != "id"
    }
    return table.with_columns(**{name: pl.lit(value) for name, value in more.items() if name not in table.columns})


def _write(runtime: Runtime, name: str, table: pl.DataFrame) -> None:
    connection, columns = runtime.database.connection(), ", ".join(table.columns)
    if isinstance(runtime.database, SqliteDatabase):
        marks = ", ".join("?" * table.width)
        connection.executemany(f"insert into {name} ({columns}) values ({marks})", table.iter_rows())
        return
    text = io.BytesIO()
    binary = [column for column, dtype in table.schema.items() if dtype == pl.Binary]
    hexadecimal = [pl.concat_str(pl.lit("\\x"), pl.col(column).bin.encode("hex")).alias(column) for column in binary]
    table.with_columns(hexadecimal).write_csv(text, include_header=False)
    with connection.cursor() as cursor, cursor.copy(f"copy {name} ({columns}) from stdin (format csv)") as copy:
        copy.write(text.getvalue())


def _settle(runtime: Runtime) -> None:
    """Make it durable, and give the planner its statistics; ids go on after the written ones."""
    database = runtime.database
    if isinstance(database, SqliteDatabase):
        database.execute_sql("analyze")
        database.execute_sql("pragma synchronous = full")
        database.execute_sql("pragma wal_checkpoint(truncate)")
        database.close()
        database.connect()
        return
    for name in MODELS:
        if MODELS[name]._meta.auto_increment:
            quoted = f'"{name}"'
            database.execute_sql(
                f"select setval(pg_get_serial_sequence('{quoted}', 'id'), greatest((select max(id) from {quoted}), 1))"
            )
    database.execute_sql("analyze")


def main() -> None:
    """Fill the database named on the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url", help="sqlite:///path or postgresql://...")
    arguments.add_argument("--customers", type=int, default=1_000_000)
    chosen = arguments.parse_args()
    start = time.monotonic()
    build(chosen.url, chosen.customers).close()
    print(f"{chosen.customers:,} customers in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
