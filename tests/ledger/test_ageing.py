"""Ageing: the buckets add up, and each edge falls where it says."""

from datetime import date

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ageing import ageing, bucket_names
from ledger.balances import open_items
from ledger.days import day_of

SCHEMA = {"customer_id": pl.Int64, "kind": pl.String, "open_minor": pl.Int64, "due_day": pl.Int64}
TODAY = 20_000
ITEM = st.one_of(
    st.tuples(
        st.integers(1, 3),
        st.just("debit"),
        st.integers(1, 10**12),
        st.one_of(st.none(), st.integers(TODAY - 200, TODAY + 50)),
    ),
    st.tuples(st.integers(1, 3), st.sampled_from(["credit", "unapplied"]), st.integers(-(10**12), -1), st.none()),
)


def frame(*items):
    """Open items as (customer, kind, amount, due day)."""
    return pl.DataFrame(list(items), schema=SCHEMA, orient="row")


def aged(items, **others):
    """The report, by customer."""
    rows = ageing(nw.from_native(items.lazy()), TODAY, **others).to_native().collect().to_dicts()
    return {row.pop("customer_id"): row for row in rows}


@settings(deadline=None)
@given(items=st.lists(ITEM, max_size=20))
def test_buckets_add_up_to_the_balance(items):
    """Whatever is owed, the columns of a customer's row sum to it."""
    balance: dict[int, int] = {}
    for customer, _, amount, _ in items:
        balance[customer] = balance.get(customer, 0) + amount
    assert {customer: sum(row.values()) for customer, row in aged(frame(*items)).items()} == balance


@pytest.mark.parametrize(
    ("late", "bucket"),
    [
        (-5, "not_due"),
        (0, "not_due"),
        (1, "d1_30"),
        (30, "d1_30"),
        (31, "d31_60"),
        (60, "d31_60"),
        (61, "d61_90"),
        (90, "d61_90"),
        (91, "d90_over"),
        (4_000, "d90_over"),
    ],
)
def test_edges_of_the_buckets(late, bucket):
    """A line due on the day is not due yet; each bucket includes its last day."""
    row = aged(frame((1, "debit", 700, TODAY - late)))[1]
    assert {name for name, amount in row.items() if amount} == {bucket}


def test_worked_example_age_1():
    """The example of domain.md: as of 31 March 2026."""
    cases = {
        (2026, 4, 15): "not_due",
        (2026, 3, 31): "not_due",
        (2026, 3, 30): "d1_30",
        (2026, 3, 1): "d1_30",
        (2026, 2, 28): "d31_60",
        (2026, 1, 30): "d31_60",
        (2026, 1, 29): "d61_90",
        (2025, 12, 31): "d61_90",
        (2025, 12, 30): "d90_over",
    }
    for due, bucket in cases.items():
        items = nw.from_native(frame((1, "debit", 1, day_of(date(*due)))).lazy())
        row = ageing(items, day_of(date(2026, 3, 31))).to_native().collect().to_dicts()[0]
        assert row[bucket] == 1, due


def test_credits_unapplied_cash_and_missing_due_dates_stand_apart():
    """None of them is mixed into a bucket."""
    items = frame(
        (1, "debit", 50, None), (1, "credit", -20, None), (1, "unapplied", -7, None), (1, "debit", 1, TODAY - 1)
    )
    row = aged(items)[1]
    assert (row["no_due_date"], row["credits"], row["unapplied"], row["d1_30"]) == (50, -20, -7, 1)


def test_an_item_without_a_rate_makes_the_row_unknown():
    """A sum with an unknown part is unknown; other customers keep their rows."""
    rows = aged(frame((1, "debit", 5, TODAY), (1, "debit", None, TODAY), (2, "debit", 5, TODAY)))
    assert set(rows[1].values()) == {None}
    assert rows[2]["not_due"] == 5


def test_edges_are_the_callers():
    """Other edges give other buckets."""
    row = aged(frame((1, "debit", 5, TODAY - 8), (1, "debit", 3, TODAY - 7)), edges_days=(7,))[1]
    assert (row["d1_7"], row["d7_over"]) == (3, 5)


@pytest.mark.parametrize("edges", [(30, 30), (60, 30), (0, 30), (-1,)])
def test_edges_must_rise(edges):
    """Edges that do not rise from day 1 are the caller's mistake."""
    with pytest.raises(ValueError, match="must rise"):
        bucket_names(edges)


def test_same_on_polars_and_duckdb():
    """One report, two engines."""
    items = frame(*[(i % 7, "debit" if i % 5 else "credit", i * 13 - 400, TODAY - i) for i in range(200)])
    on_duckdb = ageing(nw.from_native(duckdb.from_arrow(items.to_arrow())), TODAY).to_native().to_arrow_table()
    assert {row.pop("customer_id"): row for row in on_duckdb.to_pylist()} == aged(items)


def test_as_of_a_past_day_later_receipts_do_not_count(book):
    """Paid yesterday, recorded today: open as of two days ago and as of yesterday."""
    ledger = book()
    ledger.pay(ledger.line(100, -10), 100, day=-1, recorded=0)
    for as_of, owed in [(-2, 100), (-1, 100), (0, None)]:
        rows = ageing(open_items(ledger.frames(), ledger.basis(as_of)), TODAY + as_of).to_native().collect().to_dicts()
        assert [row["d1_30"] for row in rows] == ([owed] if owed else [])
