"""Checks of what is kept: the database's settings, file and triggers, the audit chain, documents by their hashes."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine import audit, database
from engine.kept_frames import stored_sha256
from engine.pipeline import last_portfolio_run
from engine.tables import TABLES, Document, Edition, Entity, ScoreModel
from engine.verify.report import RESTORE, Seen
from ledger.canonical import sha256_of
from ledger.problems import Problem

if TYPE_CHECKING:
    from engine.runtime import Runtime

Head = tuple[int, str]


def durability(runtime: "Runtime") -> Iterator[Seen]:
    """The connection keeps what it acknowledges."""
    yield 1
    for weak in runtime.database.weaknesses():
        yield Problem("database", weak, "undo the change of the setting; commits since may be lost by a power cut")


def triggers(runtime: "Runtime") -> Iterator[Seen]:
    """The database itself refuses to change what is append-only."""
    yield 1
    for name in database.missing_triggers(runtime.database):
        yield Problem(f"trigger {name}", "is missing: rows could be changed", "start the server again, it creates it")


def schema(runtime: "Runtime") -> Iterator[Seen]:
    """Every table has the columns this release reads and writes."""
    for model in TABLES:
        yield 1
        table = database.table_name(model)
        there = {column.name for column in runtime.database.get_columns(table)}
        for name in sorted(set(model._meta.columns) - there):
            yield Problem(f"table {table}", f"has no column {name}", RESTORE)


def file(runtime: "Runtime") -> Iterator[Seen]:
    """Pages and indexes are whole, and every reference leads to a row."""
    yield 1
    for what in runtime.database.damage():
        yield Problem("database file", what, RESTORE)


def chain(heads: list[Head]) -> Iterator[Seen]:
    """No audit entry was changed, removed, inserted or swapped since its head was kept.

    Args:
        heads: entries and hash, as kept by earlier verifications or elsewhere.
    """
    report = audit.verify_chain(*heads)
    yield report.entries
    for broken in report.broken:
        yield Problem("audit chain", broken, "compare with a backup to see what was changed, and find out by whom")


def documents() -> Iterator[Seen]:
    """Policies, parameters, models and editions are what their sha256 says."""
    for model, name in ((Document, "document"), (ScoreModel, "score model"), (Edition, "edition")):
        for sha256, body in model.select(model.sha256, model.body).tuples().iterator():
            yield 1
            if sha256_of(json.loads(body)) != sha256:
                yield Problem(f"{name} {sha256[:12]}", "its content gives another sha256", RESTORE)


def stored_facts(runtime: "Runtime") -> Iterator[Seen]:
    """The facts of each entity's last run are those it decided with."""
    for entity in Entity.select().order_by(Entity.id):
        run = last_portfolio_run(entity)
        if run is None:
            continue
        yield from _stored(runtime, f"facts of run {run.id} ({run.facts_file})", run.facts_file, run.facts_sha256)
        if run.lines_file is not None:
            yield from _stored(runtime, f"lines of run {run.id} ({run.lines_file})", run.lines_file, run.lines_sha256)


def _stored(runtime: "Runtime", place: str, file: str, sha256: str) -> Iterator[Seen]:
    yield 1
    try:
        found = stored_sha256(runtime, str(file))
    except FileNotFoundError:
        yield Problem(place, "the file is not there", "restore it from the backup of the state folder")
        return
    if found != sha256:
        yield Problem(place, "its content gives another sha256", "restore it from the backup of the state folder")
