"""The amount at risk: chance times amount, half up, exact at any size, the same on Polars and DuckDB."""

from typing import Any

import duckdb
import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ledger.columns import MONEY_BOUND
from scoring.risk import with_risk

AMOUNTS = st.none() | st.integers(0, MONEY_BOUND)
SCORES = st.none() | st.integers(0, 10_000)


def risks(frame: Any) -> list[int | None]:
    """The column, in the order of the rows."""
    found = with_risk(nw.from_native(frame)).sort("n").select("at_risk_minor").collect()
    return list(found["at_risk_minor"].to_list())


def rows_of(pairs: list[tuple[int | None, int | None]]) -> pl.LazyFrame:
    """One row per pair."""
    return pl.LazyFrame(
        [(n, amount, score) for n, (amount, score) in enumerate(pairs)],
        schema={"n": pl.Int64, "overdue_net_minor": pl.Int64, "score_bp": pl.Int64},
        orient="row",
    )


def by_hand(amount: int | None, score: int | None) -> int | None:
    """Whole integers of any size, half up."""
    return None if amount is None or score is None else (amount * score + 5_000) // 10_000


@given(st.lists(st.tuples(AMOUNTS, SCORES), min_size=1, max_size=20))
def test_it_is_the_amount_times_the_chance(pairs: list[tuple[int | None, int | None]]) -> None:
    """Law: what whole numbers give, at the largest amounts too; unknown where either is."""
    assert risks(rows_of(pairs)) == [by_hand(*pair) for pair in pairs]


def test_half_a_minor_unit_goes_up() -> None:
    """Below, at and above the half."""
    assert risks(rows_of([(1, 4_999), (1, 5_000), (1, 5_001), (3, 5_000), (0, 10_000), (7, 10_000)])) == [
        0, 1, 1, 2, 0, 7,
    ]  # fmt: skip


def test_duckdb_says_the_same() -> None:
    """One expression for both engines."""
    pairs: list[tuple[int | None, int | None]] = [
        (MONEY_BOUND, 9_999), (12_345, 5_000), (99_999, 3_333), (None, 1), (1, None),
    ]  # fmt: skip
    polars = rows_of(pairs)
    with duckdb.connect() as connection:
        connection.register("scored", polars.collect().to_arrow())
        assert risks(connection.sql("select * from scored")) == risks(polars) == [by_hand(*pair) for pair in pairs]
