"""How long a nightly run takes, step by step, on a real SQLite file. Prints; asserts nothing.

python -m benchmarks.run --customers 100000

Adopts the portfolio as of one day, goes live, and measures the run of the next day: reading, facts,
stages, differences, storing, confirming by durable-rules in a child process, decisions with their
actions; then one customer alone.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.portfolio import AS_OF_DAY, portfolio
from engine.pipeline import decide_customer
from engine.runs import run_entity
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import Action, CustomerGroup, Decision, Document, Entity, Run
from ledger.canonical import canonical, sha256_of
from rules.documents import shipped

ROWS = 50_000
IDENTIFIED = ("due_line", "credit")


def fill(runtime: Runtime, customers: int) -> Entity:
    """Post a made-up portfolio and put the shipped policies in force."""
    entity = Entity.create(code="DE01", name="Main", currency="EUR", portfolio_share_bp=10_000)
    for document in shipped():
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
    tables = portfolio(customers)
    connection = runtime.database.connection()
    groups = tables["customer"]["customer_group_id"].drop_nulls().unique().to_list()
    with runtime.database.atomic():
        CustomerGroup.insert_many(
            [{"id": g, "code": f"G{g}", "name": f"G{g}", "currency": "EUR"} for g in groups]
        ).execute()
        for name in ("customer", "due_line", "credit", "allocation", "credit_limit", "dispute", "dispute_closing",
                     "promise", "block", "reversal"):  # fmt: skip
            _post(connection, name, _completed(name, tables[name], entity), runtime)
    return entity


def _completed(name: str, table: pl.DataFrame, entity: Entity) -> pl.DataFrame:
    """The columns that tables have and frames do not."""
    more: dict[str, Any] = {"entity_id": pl.lit(entity.id)}
    if name == "customer":
        more |= {"name": pl.col("number"), "language": pl.lit("en"), "custom": pl.lit("{}"), "version": pl.lit(1)}
    else:
        more["recorded_at"] = pl.col("recorded_day") * 86_400_000_000
    if name in IDENTIFIED:
        more |= {"identity": pl.col("id").cast(pl.String), "revision": pl.lit(0)}
    more |= {
        "due_line": {"text": pl.lit("")},
        "credit": {"number": pl.lit(""), "reference": pl.lit("")},
        "credit_limit": {"reason": pl.lit("")},
        "dispute": {"reason": pl.lit(""), "owner_role": pl.lit("sales")},
        "dispute_closing": {"accepted": pl.lit(True)},
        "block": {"reason": pl.lit("")},
        "reversal": {"reason": pl.lit("")},
    }.get(name, {})
    return table.with_columns(**more)


def _post(connection: Any, name: str, table: pl.DataFrame, runtime: Runtime) -> None:
    columns = {row[1] for row in runtime.database.execute_sql(f"pragma table_info({name})").fetchall()}
    table = table.select([column for column in table.columns if column in columns])
    marks = ", ".join("?" * table.width)
    sql = f"insert into {name} ({', '.join(table.columns)}) values ({marks})"
    for start in range(0, table.height, ROWS):
        connection.executemany(sql, table.slice(start, ROWS).rows())


def one_customer(runtime: Runtime, customers: int, times: int) -> list[float]:
    """Milliseconds of deciding one customer alone, warm."""
    taken = []
    for number in range(times + 20):
        start = time.perf_counter()
        decide_customer(runtime, number * 37 % customers + 1, AS_OF_DAY)
        taken.append((time.perf_counter() - start) * 1_000)
    return sorted(taken[20:])


def show(title: str, run: Run, seconds: float) -> None:
    """One run, step by step."""
    counts = f"{run.customers:,} customers, {run.changed:,} changed, {run.applied:,} written"
    print(f"{title}: {seconds:.1f} s, {counts}, state {run.state}")
    for name, taken in json.loads(run.seconds).items():
        print(f"  {name:<20}{taken:8.2f} s")


def main() -> None:
    """Fill a file, adopt, go live, run, and print what each step took."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=100_000)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        runtime = build(Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key="s" * 40))
        start = time.monotonic()
        entity = fill(runtime, chosen.customers)
        print(f"filled in {time.monotonic() - start:.1f} s, {(var / 'dunwell.db').stat().st_size >> 20:,} MB")
        start = time.monotonic()
        run = run_entity(runtime, entity, AS_OF_DAY - 1)
        show("adoption", run, time.monotonic() - start)
        Entity.update(sending=True, live_from_day=AS_OF_DAY, live_after_run=run.id).execute()
        for day in range(AS_OF_DAY, AS_OF_DAY + 5):
            start = time.monotonic()
            run = run_entity(runtime, Entity.get(), day)
            show(f"day {day - AS_OF_DAY + 1} after go-live", run, time.monotonic() - start)
        print(f"{Decision.select().count():,} decisions, {Action.select().count():,} actions")
        taken = one_customer(runtime, chosen.customers, 200)
        print(f"one customer: p50 {statistics.median(taken):.1f} ms, p99 {taken[-2]:.1f} ms")
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MB, children "
              f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10:,} MB")  # fmt: skip
        runtime.close()


if __name__ == "__main__":
    main()
