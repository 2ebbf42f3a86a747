"""Frames kept as Parquet below the state folder, each under a name that follows from what is in it."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from engine.runtime import Runtime

FRAMES_FOLDER = "frames"
OS_ERROR = re.compile(r"os error (\d+)")  # how Polars tells what the operating system answered


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


def store_frame(runtime: "Runtime", frame: nw.LazyFrame[Any], key: str = "customer_id") -> Stored:
    """Keep a frame under a name that follows from what is in it; the same frame twice is one file.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    native: pl.LazyFrame = frame.to_native()
    table = native.collect().sort(key)
    table = table.select(sorted(table.columns))
    sha256 = _columns_sha256(table[name] for name in table.columns)
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


def _columns_sha256(columns: Iterable[pl.Series]) -> str:
    """The sha256 over a table's schema and values."""
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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
