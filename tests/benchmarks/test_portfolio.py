"""The made-up portfolio of the benchmarks: the same for a seed, in pieces of any size, and it adds up."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.filling import build
from benchmarks.portfolio import AS_OF_DAY, LAST_DAY, Tables, blocks, portfolio
from engine.queries import MODELS
from engine.runtime import Runtime
from engine.tables import Block, Contact, Entity

CUSTOMERS = 2_500
SECRET = {"person": ("sealed", "key_sealed")}  # sealed with keys that are never the same


@pytest.fixture(scope="module")
def frames() -> Tables:
    """A portfolio in memory."""
    return portfolio(CUSTOMERS)


def _filled(folder: Path, chunk: int) -> Runtime:
    return build(f"sqlite:///{folder / 'dunwell.db'}", CUSTOMERS, chunk=chunk)


def _rows(runtime: Runtime, name: str) -> list[tuple[object, ...]]:
    columns = ", ".join(c for c in MODELS[name]._meta.columns if c not in SECRET.get(name, ()))
    rows: list[tuple[object, ...]] = runtime.database.execute_sql(
        f"select {columns} from {name} order by id"
    ).fetchall()
    return rows


def test_a_seed_gives_the_same_rows_again(frames: Tables) -> None:
    """Nothing depends on when or how often it is drawn; another seed draws others."""
    again = portfolio(CUSTOMERS)
    assert {name: table.equals(frames[name]) for name, table in again.items()} == dict.fromkeys(frames, True)
    assert not portfolio(CUSTOMERS, seed=1)["due_line"].equals(frames["due_line"])


def test_the_size_of_the_chunks_changes_no_row(tmp_path: Path, frames: Tables) -> None:
    """A database filled in chunks of one block holds what one filled in one piece holds."""
    seen = []
    for chunk in (1_000, 5_000):
        runtime = _filled(tmp_path / str(chunk), chunk)
        seen.append({name: _rows(runtime, name) for name in (*next(blocks(10)), "person", "exchange_rate")})
        assert runtime.database.execute_sql("pragma foreign_key_check").fetchall() == []
        assert runtime.database.weaknesses() == []
        runtime.close()
    assert seen[0] == seen[1]
    assert {name: len(seen[0][name]) for name in frames if name in seen[0]} == {
        name: table.height for name, table in frames.items() if name in seen[0]
    }


def test_both_databases_are_filled_with_the_same_rows(tmp_path: Path, postgres_url: str) -> None:
    """What COPY writes into PostgreSQL is what the prepared statements write into SQLite; ids go on after it."""
    seen = []
    for url in (f"sqlite:///{tmp_path / 'dunwell.db'}", postgres_url):
        runtime = build(url, CUSTOMERS, var=tmp_path)
        seen.append({name: _rows(runtime, name) for name in (*next(blocks(10)), "person", "exchange_rate")})
        contact = Contact.get()
        assert runtime.vault.open_person(contact.person)["email"].endswith(".example")
        assert Block.create(**{**Block.select().dicts().first(), "id": None}).id == len(seen[-1]["block"]) + 1
        runtime.close()
    assert seen[0] == seen[1]


def test_a_filled_database_is_opened_as_it_is(tmp_path: Path) -> None:
    """Building it again adds nothing; asking for another size names the cure."""
    _filled(tmp_path, 1_000).close()
    again = _filled(tmp_path, 1_000)
    assert Entity.select().count() == 1
    contact = Contact.get()
    assert again.vault.open_person(contact.person) == {
        "name": "",
        "email": f"accounts.payable@c{contact.customer_id:07}.example",
    }
    again.close()
    with pytest.raises(ValueError, match="name another one"):
        build(f"sqlite:///{tmp_path / 'dunwell.db'}", CUSTOMERS + 1)


def test_what_is_set_against_lines_and_credits_never_exceeds_them(frames: Tables) -> None:
    """Allocations of a line come to no more than the line, those of a credit to no more than the credit."""
    for table, key in (("due_line", "due_line_id"), ("credit", "credit_id")):
        used = frames["allocation"].group_by(key).agg(pl.col("amount_minor").sum().alias("used"))
        joined = used.join(frames[table], left_on=key, right_on="id", how="inner")
        assert joined.height == used.height
        assert joined.filter(pl.col("used") > pl.col("amount_minor")).is_empty()


def test_rows_refer_to_rows_of_the_same_customer(frames: Tables) -> None:
    """Whatever names a due line, a credit or a dispute belongs to its customer."""
    for name, key, target in (
        ("allocation", "due_line_id", "due_line"),
        ("allocation", "credit_id", "credit"),
        ("dispute", "due_line_id", "due_line"),
        ("dispute_closing", "dispute_id", "dispute"),
        ("reversal", "target_id", "dispute"),
    ):
        owners = frames[target].select("id", pl.col("customer_id").alias("owner"))
        joined = frames[name].join(owners, left_on=key, right_on="id", how="left")
        assert joined.filter(pl.col("owner").is_null() | (pl.col("owner") != pl.col("customer_id"))).is_empty(), name


def test_the_portfolio_looks_like_a_trade_ledger(frames: Tables) -> None:
    """Five lines a customer, three credits, two fifths open, a sixth of the money late; no payment on a Sunday."""
    lines = frames["due_line"].filter(pl.col("booked_day") <= AS_OF_DAY)
    paid = (
        frames["allocation"]
        .filter(pl.col("booked_day") <= AS_OF_DAY)
        .group_by("due_line_id")
        .agg(pl.col("amount_minor").sum().alias("paid"))
    )
    joined = lines.join(paid, left_on="id", right_on="due_line_id", how="left")
    rest = joined.with_columns(open=pl.col("amount_minor") - pl.col("paid").fill_null(0)).filter(pl.col("open") > 0)
    late = rest.filter(pl.col("due_day") < AS_OF_DAY)["open"].sum() / rest["open"].sum()
    assert frames["due_line"].height == 5 * CUSTOMERS
    assert 2.9 * CUSTOMERS < frames["credit"].height < 3.3 * CUSTOMERS
    assert 0.38 < rest.height / lines.height < 0.50
    assert 0.12 < late < 0.28
    assert frames["credit"].filter((pl.col("booked_day") + 3) % 7 >= 5).is_empty()
    assert frames["credit"]["booked_day"].max() == LAST_DAY
