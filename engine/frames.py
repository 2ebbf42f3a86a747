"""Frames: the ledger read as one snapshot, and what is done with a frame as a whole.

With ``engine.kept_frames`` and ``engine.ready_plans`` the only modules that know Polars. Everything else
works with narwhals LazyFrames.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from engine.queries import Question, Table, questions
from engine.tables import Entity

if TYPE_CHECKING:
    from engine.runtime import Runtime

SMALL_READ = 1_000  # customers; up to here rows through the open connection are faster than columns
STREAM = 20_000  # rows; from here plans run in batches, which needs less than half the memory
ROWS_BY_CURSOR = 200_000  # entries in all; up to here reading rows takes less than starting a process (0.7 s)
LARGE = ("customer", "due_line", "credit", "allocation")
CHILD = Path(__file__).with_name("reading_child.py")
CHILD_SECONDS = 600
TYPES: Mapping[Any, Any] = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}

Frames = dict[str, nw.LazyFrame[Any]]
Schemas = Mapping[str, Mapping[str, Any]]
Rows = list[tuple[Any, ...]]


def read_frames(
    runtime: "Runtime",
    entity: Entity,
    customers: Sequence[int] | None = None,
    as_of_day: int | None = None,
    question: Question | None = None,
    more: Mapping[str, Table] | None = None,
) -> Frames:
    """Read one entity's tables, all as of the same instant.

    Args:
        customers: ids to read, with the other members of their groups; None reads all.
        as_of_day: the day asked for, by default the entity's today.
        question: what else the read depends on; made from the other arguments by default.
        more: further frames of all customers, read as of the same instant.

    Returns:
        The frames of ``ledger.state.FRAMES``, and ``previous`` with what was decided before.
    """
    day = runtime.today(entity) if as_of_day is None else as_of_day
    tables = questions(question or Question(entity_id=entity.id, as_of_day=day, zone=entity.zone), runtime.database)
    if customers is None:
        return _read_all(runtime, {**tables, **(more or {})})
    return typed_rows(tables, read_rows(runtime, tables, customers))


def read_rows(runtime: "Runtime", tables: Mapping[str, Table], customers: Sequence[int]) -> dict[str, Rows]:
    """Read a few customers, and the members of their groups, through the open connection."""
    if len(customers) > SMALL_READ:
        raise ValueError(f"at most {SMALL_READ} customers at a time, got {len(customers)}")
    database = runtime.database
    with database.snapshot():
        wanted = json.dumps(_with_group_members(database, customers))
        return {name: database.execute_sql(table.some, (wanted,)).fetchall() for name, table in tables.items()}


def _with_group_members(database: Any, customers: Sequence[int]) -> list[int]:
    some = f"from customer where id in {database.listed}"
    found = database.execute_sql(
        f"select id from customer where customer_group_id in (select customer_group_id {some}) "  # noqa: S608 own names
        f"and entity_id in (select entity_id {some})",
        (json.dumps(list(customers)),) * 2,
    ).fetchall()
    return sorted({*customers, *(row[0] for row in found)})


def read_table(runtime: "Runtime", table: Table) -> nw.LazyFrame[Any]:
    """All rows of one table."""
    return _read_all(runtime, {"table": table})["table"]


def _read_all(runtime: "Runtime", tables: Mapping[str, Table]) -> Frames:
    """One snapshot of everything: rows while they are few, columns by a child process when many."""
    if is_small(runtime):
        with runtime.database.snapshot():
            rows = {name: runtime.database.execute_sql(table.all).fetchall() for name, table in tables.items()}
        return typed_rows(tables, rows)
    with _as_files(runtime, tables) as frames:
        return {name: collected(frame) for name, frame in frames.items()}


@contextmanager
def frames_on_disk(runtime: "Runtime", question: Question, more: Mapping[str, Table] | None = None) -> Iterator[Frames]:
    """What ``read_frames`` reads of a large entity, left in files as long as the ``with``.

    What is computed from them streams: a million customers need 2.5 GB instead of 4.

    Args:
        more: further frames, read as of the same instant.
    """
    with _as_files(runtime, {**questions(question, runtime.database), **(more or {})}) as frames:
        yield frames


def export_tables(runtime: "Runtime", tables: Mapping[str, Table], folder: Path) -> None:
    """Write every table as a Parquet file into a folder: one snapshot, never whole in memory."""
    with _as_files(runtime, tables) as frames:
        for name, frame in frames.items():
            native: pl.LazyFrame = frame.to_native()
            native.sink_parquet(folder / f"{name}.parquet", compression="zstd")


@contextmanager
def _as_files(runtime: "Runtime", tables: Mapping[str, Table]) -> Iterator[Frames]:
    """One snapshot of everything, in files that last as long as the ``with``."""
    with tempfile.TemporaryDirectory(dir=runtime.settings.var, prefix="reading-") as folder:
        _read_by_child(runtime, {name: table.all for name, table in tables.items()}, folder)
        yield {
            name: nw.from_native(pl.scan_ipc(Path(folder) / f"{name}.arrow").select(_casts(table)))
            for name, table in tables.items()
        }


def is_small(runtime: "Runtime") -> bool:
    """Whether the ledger is so small that building a plan takes longer than anything else."""
    return entries(runtime) <= ROWS_BY_CURSOR


def typed_rows(tables: Mapping[str, Table], rows: Mapping[str, Rows]) -> Frames:
    """Rows as read, as frames."""
    return {name: nw.from_native(_typed(table, rows[name]).lazy()) for name, table in tables.items()}


def schemas_of(tables: Mapping[str, Table]) -> Schemas:
    """The columns and types of each frame."""
    return {name: {column.name: column.dtype for column in table.columns} for name, table in tables.items()}


def entries(runtime: "Runtime") -> int:
    """About how many customers and entries the ledger has, of all entities."""
    return sum(
        runtime.database.execute_sql(f"select coalesce(max(id), 0) from {name}").fetchone()[0]  # noqa: S608
        for name in LARGE
    )


def _read_by_child(runtime: "Runtime", queries: Mapping[str, str], folder: str) -> None:
    settings = runtime.settings
    order = {
        "driver": runtime.database.driver,
        "database": settings.database if settings.on_postgresql else str(settings.database_path),
        "folder": folder,
        "queries": queries,
    }
    done = subprocess.run(  # noqa: S603 our own script, no shell
        [sys.executable, "-P", str(CHILD)],
        input=json.dumps(order),  # a URL may hold a password: not for the list of processes
        text=True,
        capture_output=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the ledger could not be read: {done.stderr.strip()[-500:]}")


def _casts(table: Table) -> list[pl.Expr]:
    casts = []
    for column in table.columns:
        wanted = TYPES[column.dtype]
        if column.empty_is_null:
            # Texts are read with '' for null: ADBC takes a column's type from its first rows, and calls
            # a column without rows a number.
            text = pl.col(column.name).cast(wanted)
            casts.append(pl.when(text != "").then(text).alias(column.name))
        else:
            casts.append(pl.col(column.name).cast(wanted))
    return casts


def _typed(table: Table, rows: Rows) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema={c.name: TYPES[c.dtype] for c in table.columns})
    if not any(c.dtype is nw.Boolean or c.empty_is_null for c in table.columns):
        return pl.DataFrame(rows, schema={c.name: TYPES[c.dtype] for c in table.columns}, orient="row")
    # SQLite answers 0 and 1; a column of nulls alone shows no type.
    raw = {c.name: None if c.dtype is nw.Boolean else TYPES[c.dtype] for c in table.columns}
    return pl.DataFrame(rows, schema=raw, orient="row", infer_schema_length=None).select(_casts(table))


def from_rows(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> nw.LazyFrame[Any]:
    """A frame of a few rows given as mappings; what a row does not name is null."""
    types = {name: TYPES[dtype] for name, dtype in schema.items()}
    return nw.from_native(
        pl.DataFrame([tuple(row.get(name) for name in types) for row in rows], schema=types, orient="row").lazy()
    )


def from_columns(columns: Mapping[str, Any]) -> nw.LazyFrame[Any]:
    """A frame of columns given as arrays."""
    return nw.from_native(pl.DataFrame(dict(columns)).lazy())


def collected(frame: nw.LazyFrame[Any], rows_expected: int = 0) -> nw.LazyFrame[Any]:
    """Compute a frame once, so that what follows does not compute it again."""
    native: pl.LazyFrame = frame.to_native()
    engine: Any = "streaming" if rows_expected >= STREAM else "in-memory"
    return nw.from_native(native.collect(engine=engine).lazy())


def rows_of(frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
    """The rows of a frame as plain values."""
    native: pl.LazyFrame = frame.to_native()
    return native.collect().to_dicts()


def columns_of(frame: nw.LazyFrame[Any], *names: str) -> tuple[list[Any], ...]:
    """Some columns of a frame as lists of plain values."""
    native: pl.LazyFrame = frame.to_native()
    table = native.select(names).collect()
    return tuple(table[name].to_list() for name in names)


def batches(frame: nw.LazyFrame[Any], size: int, key: str = "customer_id") -> Iterator[list[dict[str, Any]]]:
    """The rows of a frame in the order of a key, so many at a time, as plain values."""
    native: pl.LazyFrame = frame.to_native()
    table = native.collect().sort(key)
    for start in range(0, table.height, size):
        yield table.slice(start, size).to_dicts()


def count_of(frame: nw.LazyFrame[Any]) -> int:
    """How many rows a frame has."""
    native: pl.LazyFrame = frame.to_native()
    return int(native.select(pl.len()).collect().item())


def sums_of(frame: nw.LazyFrame[Any], marks: Sequence[str], any_of: Sequence[str]) -> dict[str, int]:
    """How many rows carry each mark, and (``any``) how many carry at least one of some others."""
    native: pl.LazyFrame = frame.to_native()
    either = pl.any_horizontal(*any_of) if any_of else pl.lit(False)
    row = native.select(*(pl.col(mark).sum().alias(mark) for mark in marks), either.sum().alias("any")).collect()
    return {name: int(value or 0) for name, value in row.row(0, named=True).items()}


def scan_folder(folder: Path) -> nw.LazyFrame[Any]:
    """A frame that Spark wrote as a folder of Parquet files."""
    return nw.from_native(pl.scan_parquet(folder / "*.parquet"))


def beside(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Two frames of the same rows in the same order, as one; computed."""
    parts: list[pl.LazyFrame] = [left.to_native(), right.to_native()]
    return nw.from_native(pl.concat([part.collect() for part in parts], how="horizontal").lazy())


def alongside(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Two frames of the same rows in the same order, as one; read as it is used."""
    parts: list[pl.LazyFrame] = [left.to_native(), right.to_native()]
    return nw.from_native(pl.concat(parts, how="horizontal"))


def are_alike(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], key: str) -> bool:
    """Whether two frames have the same rows in the same order, by a key."""
    parts: list[pl.LazyFrame] = [left.to_native(), right.to_native()]
    one, other = (part.select(key).collect()[key] for part in parts)
    return one.equals(other)


def keep(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Compute a frame once where a plan reads it several times (ledger.basis.Keep).

    Collected, not a cache node of the plan: Polars 2.1 panics on some plans with both such nodes
    and those that it finds itself.
    """
    return collected(frame, STREAM)
