"""Frames: the ledger read as one snapshot, run facts kept as Parquet, one customer through a ready plan.

The only module that knows Polars. Everything else works with narwhals LazyFrames.
"""

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from engine.queries import Question, Table, questions
from engine.tables import Entity
from ledger.basis import Keep

if TYPE_CHECKING:
    from engine.runtime import Runtime

SMALL_READ = 1_000  # customers; up to here rows through the open connection are faster than columns
STREAM = 20_000  # rows; from here plans run in batches, which needs less than half the memory
FRAMES_FOLDER = "frames"
ROWS_BY_CURSOR = 200_000  # entries in all; up to here reading rows takes less than starting a process (0.7 s)
LARGE = ("customer", "due_line", "credit", "allocation")
OS_ERROR = re.compile(r"os error (\d+)")  # how Polars tells what the operating system answered
CHILD = Path(__file__).with_name("reading_child.py")
CHILD_SECONDS = 600
PLAN_DAY = 20_000  # the day every plan that is kept ready is of; any would do
AS_EAGER = pl.QueryOptFlags._eager()  # what Polars runs its own eager frames with
TYPES: Mapping[Any, Any] = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}

Frames = dict[str, nw.LazyFrame[Any]]
Schemas = Mapping[str, Mapping[str, Any]]
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A frame on disk.

    Args:
        sha256: over schema and values sorted by customer, not over the file's bytes.
        file: path below the state folder.
        rows: how many.
    """

    sha256: str
    file: str
    rows: int


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


def store_frame(runtime: "Runtime", frame: nw.LazyFrame[Any], key: str = "customer_id") -> Stored:
    """Keep a frame under a name that follows from what is in it; the same frame twice is one file.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    native: pl.LazyFrame = frame.to_native()
    table = native.collect().sort(key)
    table = table.select(sorted(table.columns))
    sha256 = frame_sha256(table)
    folder = runtime.settings.var / FRAMES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256}.parquet"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write_parquet(table, unfinished)
            _sync(unfinished)
            unfinished.rename(path)
        except OSError:
            unfinished.unlink(missing_ok=True)  # half a file must not take what room is left
            raise
        _sync(folder)
    else:
        path.touch()  # young again: nobody removes it before the run that names it is there
    return Stored(sha256=sha256, file=f"{FRAMES_FOLDER}/{path.name}", rows=table.height)


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    try:
        table.write_parquet(path, compression="zstd")
    except pl.exceptions.PolarsError as error:  # says "(os error 28)" where Python has an OSError with its number
        number = OS_ERROR.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def scan_frame(runtime: "Runtime", file: str) -> nw.LazyFrame[Any]:
    """A stored frame, read column by column as it is used.

    Raises:
        FileNotFoundError: it was removed (frames are kept for a time only).
    """
    path = runtime.settings.var / file
    if not path.is_file():
        raise FileNotFoundError(f"the facts frame {file} is not there any more")
    return nw.from_native(pl.scan_parquet(path))


def stored_sha256(runtime: "Runtime", file: str) -> str:
    """The sha256 over what a stored frame holds, read column by column.

    Raises:
        FileNotFoundError: it was removed.
    """
    native: pl.LazyFrame = scan_frame(runtime, file).to_native()
    names = native.collect_schema().names()
    return _columns_sha256(native.select(name).collect()[name] for name in names)


def scan_folder(folder: Path) -> nw.LazyFrame[Any]:
    """A frame that Spark wrote as a folder of Parquet files."""
    return nw.from_native(pl.scan_parquet(folder / "*.parquet"))


def frame_sha256(table: pl.DataFrame) -> str:
    """The sha256 over a table's schema and values."""
    return _columns_sha256(table[name] for name in table.columns)


def _columns_sha256(columns: Iterable[pl.Series]) -> str:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(json.dumps([column.name, str(column.dtype), len(column)]).encode())
        for part in _bytes_of(column):
            digest.update(part)
    return digest.hexdigest()


def column_sha256s(
    frame: nw.LazyFrame[Any],
    names: Sequence[str],
    others: nw.LazyFrame[Any] | None = None,
    named: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The sha256 over the values of each of some columns, in the order of the rows.

    Args:
        frame: in the order of ``customer_id``, where others are given.
        others: rows of some of the same customers, whose values stand in place of the frame's.
        named: by column, what it is called in ``others``.
    """
    native: pl.LazyFrame = frame.to_native()
    table = native.select(*names, *(["customer_id"] if named else [])).collect()
    instead, places = pl.DataFrame(), pl.Series(dtype=pl.UInt32)
    if others is not None and named:
        instead = others.to_native().select("customer_id", *named.values()).collect()
        places = table["customer_id"].search_sorted(instead["customer_id"])

    def hashed(name: str) -> str:
        column = table[name]
        if named:
            column = column.clone().scatter(places, instead[named[name]])
        digest = hashlib.sha256()
        for part in _bytes_of(column):
            digest.update(part)
        return digest.hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # neither Polars nor hashlib holds the interpreter
        return dict(zip(names, pool.map(hashed, names), strict=True))


def _bytes_of(column: pl.Series) -> Iterator[bytes | memoryview]:
    """What a column's hash is over: which values are null, then the values; of texts, the distinct ones and places.

    Null counts as the empty text, which comes first of all, and as 0.
    """
    yield column.is_null().to_numpy().data
    if column.dtype == pl.String:
        distinct = column.unique().drop_nulls()
        if column.null_count():
            distinct = distinct.append(pl.Series([""])).unique()
        distinct = distinct.sort()
        yield json.dumps(distinct.to_list()).encode()
        yield column.cast(pl.Enum(distinct)).to_physical().cast(pl.UInt32).fill_null(0).to_numpy().data
    else:
        yield column.cast(pl.Int64).fill_null(0).to_numpy().data


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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Compute a frame once where a plan reads it several times (ledger.basis.Keep).

    Collected, not a cache node of the plan: Polars 2.1 panics on some plans with both such nodes
    and those that it finds itself.
    """
    return collected(frame, STREAM)


class Slot:
    """A plan built once and collected per call: building it costs three times the answer.

    The plan runs in steps, one per frame that it keeps, each collected as eager frames are: for a
    few rows, optimizing a plan and starting its threads cost three times the work.

    It is a plan of one day, PLAN_DAY, whatever day is asked for: an answer depends on how far days
    lie apart, never on which they are. Columns of days (``day``, ``*_day``) are moved there as rows
    come in and back as the answer goes out, so that a plan lasts longer than a day.

    One thread at a time. A Polars thread calls the sources, so the rows are kept on the slot, not
    in a thread-local.
    """

    def __init__(self, schemas: Schemas, plan: Callable[[Frames, Keep], nw.LazyFrame[Any]]) -> None:
        self._steps: list[pl.LazyFrame] = []
        self._kept: dict[int, pl.DataFrame] = {}
        self._frames: dict[str, pl.DataFrame] = {}
        self._columns = {name: list(schema) for name, schema in schemas.items()}
        sources: Frames = {
            name: nw.from_native(
                pl.defer(
                    lambda name=name: self._frames[name],  # type: ignore[misc]
                    schema={column: TYPES[dtype] for column, dtype in schema.items()},
                )
            )
            for name, schema in schemas.items()
        }
        self._plan: pl.LazyFrame = plan(sources, self._keep).to_native()

    def _keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Make a frame a step of its own; what reads it reads the step's result."""
        step: pl.LazyFrame = frame.to_native()
        number = len(self._steps)
        self._steps.append(step)
        return nw.from_native(pl.defer(lambda: self._kept[number], schema=step.collect_schema()))

    def answer(self, inputs: Frames, as_of_day: int) -> nw.LazyFrame[Any]:
        """Collect the plan over frames that are computed, such as ``typed_rows`` gives."""
        ahead = PLAN_DAY - as_of_day
        self._frames = {
            name: _moved(inputs[name].select(columns).to_native().collect(), ahead)
            for name, columns in self._columns.items()
        }
        for number, step in enumerate(self._steps):
            self._kept[number] = step.collect(optimizations=AS_EAGER)
        answer = self._plan.collect(optimizations=AS_EAGER)
        self._frames, self._kept = {}, {}
        return nw.from_native(_moved(answer, -ahead).lazy())


def _moved(frame: pl.DataFrame, days: int) -> pl.DataFrame:
    """The frame with all its days so many days later."""
    names = [name for name in frame.columns if name == "day" or name.endswith("_day")]
    return frame.with_columns(pl.col(names) + days) if names and days else frame


class Slots:
    """The slots of one question: at most as many at once as there are cores, the rest wait."""

    def __init__(self, build: Callable[[], Slot], size: int | None = None) -> None:
        self._build = build
        self._free: queue.LifoQueue[Slot | None] = queue.LifoQueue()
        for _ in range(size or os.cpu_count() or 1):
            self._free.put(None)

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Borrow a slot; the first time it is built."""
        taken = self._free.get()
        try:
            if taken is None:
                taken = self._build()
            yield taken
        finally:
            self._free.put(taken)
