"""Checks of the books, set by set: what is owed, what was set against what, and the facts decided with.

Two ways that share no code must meet: sums that the database adds up over entries, and the columns
that facts are made of.
"""

# Values in the SQL are integers through ``:d`` and names of our own tables.
# ruff: noqa: S608

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.editions import VERSION, Edition, edition_for, edition_of
from engine.frames import STREAM, Frames, collected, count_of, keep, read_frames, rows_of
from engine.kept_frames import scan_frame
from engine.pipeline import last_portfolio_run
from engine.queries import Field, Question, Table
from engine.tables import ENTRY_TABLES, Customer, Entity, Run
from engine.verify.report import FINDINGS_MAX, RESTORE, Seen
from ledger.money import format_minor
from ledger.problems import Problem
from ledger.state import CUSTOMER_COLUMNS, Parts, facts_of, parts_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

Frame = nw.LazyFrame[Any]
BUCKETS = ("not_due_minor", "d1_30_minor", "d31_60_minor", "d61_90_minor", "d90_over_minor", "no_due_date_minor")
# These follow from other rows than a customer's entries, which may have changed since.
NOT_OF_ENTRIES = frozenset(
    {"group_exposure_minor", "days_since_contact", "terms_days", "country", "entity", "tenure_days"}
)
OF_ENTRIES = tuple(column.name for column in CUSTOMER_COLUMNS if column.name not in NOT_OF_ENTRIES)
MARGIN_US = 3_600 * 1_000_000  # an import that was under way when a run read the ledger may have ended after it


@dataclass(frozen=True)
class Rebuilt:
    """An entity's books rebuilt as of its last decided day, or of today when none is decided.

    Args:
        run: the last portfolio run, if any.
        read: the ledger's frames, ``owed`` (customer_id, currency, owed_minor: summed by the
            database) and ``touched`` (customer_id: with entries that came after the run).
    """

    entity: Entity
    run: Run | None
    edition: Edition
    parts: Parts
    facts: Frame
    read: Frames


def books(runtime: "Runtime", entity: Entity) -> Iterator[Seen]:
    """Entries, open amounts, buckets and stored facts of an entity say the same."""
    if not Customer.select(Customer.id).where(Customer.entity == entity).limit(1).exists():
        return
    rebuilt = _rebuild(runtime, entity)
    yield from _balances(rebuilt)
    yield from _buckets(rebuilt)
    if rebuilt.run is not None and rebuilt.edition.body["engine"] == VERSION:
        yield from _snapshot(runtime, rebuilt, rebuilt.run)


def _rebuild(runtime: "Runtime", entity: Entity) -> Rebuilt:
    run = last_portfolio_run(entity)
    day = runtime.today(entity) if run is None else run.as_of_day
    edition = edition_for(runtime, entity, day) if run is None else edition_of(runtime, entity, str(run.edition), day)
    more = {"owed": _owed(entity, day), "touched": _touched(entity, day, run)}
    question = Question(entity_id=entity.id, as_of_day=day, zone=entity.zone)
    read = read_frames(runtime, entity, as_of_day=day, question=question, more=more)
    basis = edition.basis(entity, day)
    parts = parts_of(read, basis, keep)
    return Rebuilt(entity, run, edition, parts, collected(facts_of(parts, read, basis, keep), STREAM), read)


def _known(day: int, table: str = "") -> str:
    return f"{table}booked_day <= {day:d} and {table}recorded_day <= {day:d}"


def _standing_entries(table: str, amount: str, entity: Entity, day: int) -> str:
    return (
        f"select customer_id, currency, {amount} as amount from {table} where entity_id = {entity.id:d} "
        f"and {_known(day)} and id not in "
        f"(select target_id from reversal where target = '{table}' and {_known(day)})"
    )


def _owed(entity: Entity, day: int) -> Table:
    """Invoices less credits, payments and write-offs, by customer and currency."""
    both = [("due_line", "amount_minor"), ("credit", "-amount_minor")]
    entries = " union all ".join(_standing_entries(table, amount, entity, day) for table, amount in both)
    sql = (
        "select customer_id, currency, cast(sum(amount) as bigint) as owed_minor "
        f"from ({entries}) as entries group by customer_id, currency"
    )
    return Table((Field("customer_id", nw.Int64), Field("currency", nw.String), Field("owed_minor", nw.Int64)), sql, "")


def _touched(entity: Entity, day: int, run: Run | None) -> Table:
    """Customers with entries that the run may not have seen although they count for its day.

    Those with later ids: a clock that was ahead when the run read them says nothing about what came after.
    On PostgreSQL an import that was under way then has earlier ids, so the clock is asked too.
    """
    since = 0 if run is None else run.started_at - MARGIN_US
    until = {} if run is None else json.loads(run.entries_until)
    parts = [
        f"select customer_id from {name} where entity_id = {entity.id:d} "
        f"and (id > {until.get(name, 0):d} or recorded_at > {since:d}) and {_known(day)}"
        for name in (model._meta.table_name for model in ENTRY_TABLES)
    ]
    return Table((Field("customer_id", nw.Int64),), " union ".join(parts), "")


def _balances(rebuilt: Rebuilt) -> Iterator[Seen]:
    """Per customer and currency: what entries sum to is what lines and credits leave open."""
    zero, opened, owed = nw.lit(0, dtype=nw.Int64), nw.col("open_minor"), nw.col("owed_minor")
    who = ("customer_id", "currency")
    both = nw.concat(
        [
            rebuilt.parts.lines.select(*who, opened, zero.alias("owed_minor")),
            rebuilt.parts.credits.select(
                *who, (zero - nw.col("rest_minor")).alias("open_minor"), zero.alias("owed_minor")
            ),
            rebuilt.read["owed"].select(*who, zero.alias("open_minor"), owed),
        ],
        how="vertical",
    )
    sums = collected(both.group_by(*who).agg(opened.sum(), owed.sum()), STREAM)
    yield count_of(sums)
    for row in _rows(sums.filter(opened != owed)):
        currency = row["currency"]
        yield Problem(
            f"customer {row['customer_id']}, {currency}",
            f"entries sum to {format_minor(row['owed_minor'], currency)}, "
            f"but {format_minor(row['open_minor'], currency)} is open",
            "look for allocations without their invoice or payment; " + RESTORE,
        )


def _buckets(rebuilt: Rebuilt) -> Iterator[Seen]:
    """The ageing buckets of a customer sum to what is open."""
    total = reduce(add, (nw.col(name) for name in BUCKETS))
    facts = rebuilt.facts.select("customer_id", "open_minor", total.alias("total"))
    for row in _rows(facts.filter(nw.col("open_minor") != nw.col("total"))):
        yield Problem(
            f"customer {row['customer_id']}",
            f"the ageing buckets sum to {row['total']}, {row['open_minor']} minor units are open",
            "report it: facts are computed wrongly",
        )


def _snapshot(runtime: "Runtime", rebuilt: Rebuilt, run: Run) -> Iterator[Seen]:
    """The facts a run stored come out of the entries again, value by value."""
    try:
        stored = scan_frame(runtime, str(run.facts_file))
    except FileNotFoundError:
        return  # said by the check of stored facts
    present = set(stored.collect_schema().names())
    names = [name for name in OF_ENTRIES if name in present]
    now = rebuilt.facts.select("customer_id", *(nw.col(name).alias(f"now_{name}") for name in names))
    kept = stored.select("customer_id", *names).join(rebuilt.read["touched"], on="customer_id", how="anti")
    beside = collected(kept.join(now, on="customer_id", how="left"), STREAM)
    yield count_of(beside)
    for row in _rows(beside.filter(reduce(or_, (~_same(name) for name in names)))):
        others = [name for name in names if row[name] != row[f"now_{name}"]]
        shown = ", ".join(f"{name} was {row[name]}, is {row[f'now_{name}']}" for name in others[:3])
        yield Problem(
            f"customer {row['customer_id']}, facts of run {run.id}",
            f"the entries give others than were stored: {shown}",
            "entries were changed behind the program's back; " + RESTORE,
        )


def _same(name: str) -> nw.Expr:
    was, now = nw.col(name), nw.col(f"now_{name}")
    return (was == now).fill_null(False) | (was.is_null() & now.is_null())


def _rows(frame: Frame) -> list[dict[str, Any]]:
    """The rows in the order of customers; beyond so many each is one more of the same."""
    return rows_of(frame.sort("customer_id"))


def allocations(runtime: "Runtime") -> Iterator[Seen]:
    """No allocation in force exceeds its line or its credit, or joins two customers or currencies."""
    in_force = "a.id not in (select target_id from reversal where target = 'allocation')"
    (count,) = runtime.database.execute_sql("select count(*) from allocation").fetchone()
    yield int(count)
    for table, name in (("due_line", "due line"), ("credit", "credit")):
        rows = runtime.database.execute_sql(
            f"select t.id, t.customer_id, t.amount_minor, s.total, t.currency from {table} t join "
            f"(select a.{table}_id as target, cast(sum(a.amount_minor) as bigint) as total from allocation a "
            f"where {in_force} group by a.{table}_id) s on s.target = t.id "
            "where abs(s.total) > abs(t.amount_minor) order by t.id"
        )
        for number, customer, amount, total, currency in rows.fetchmany(FINDINGS_MAX):
            yield Problem(
                f"customer {customer}, {name} {number}",
                f"{format_minor(total, currency)} is set against {format_minor(amount, currency)}",
                "reverse the allocation that was made last",
            )
    rows = runtime.database.execute_sql(
        "select a.id, l.customer_id from allocation a join due_line l on l.id = a.due_line_id "
        "join credit c on c.id = a.credit_id where l.currency <> c.currency or l.customer_id <> c.customer_id "
        "or l.customer_id <> a.customer_id order by a.id"
    )
    for number, customer in rows.fetchmany(FINDINGS_MAX):
        yield Problem(
            f"customer {customer}, allocation {number}",
            "joins an invoice and a credit of two customers or currencies",
            "reverse the allocation",
        )
