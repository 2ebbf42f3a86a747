"""Ageing: how old is what customers owe.

Pure: reads no file, database or clock. The caller passes the frame and the day,
so last year's report can be run again today.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import narwhals as nw

EDGES_DAYS = (30, 60, 90)  # last day of each overdue bucket; IFRS 9, Illustrative Example 12


def bucket_names(edges_days: Sequence[int] = EDGES_DAYS) -> list[str]:
    """Name the overdue buckets between rising edges.

    >>> bucket_names((30, 60))
    ['d1_30', 'd31_60', 'd60_over']
    """
    bounds = [0, *edges_days]
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError(f"bucket edges must rise from day 1, got {list(edges_days)}")
    return [f"d{low + 1}_{high}" for low, high in pairwise(bounds)] + [f"d{bounds[-1]}_over"]


def within(late_days: nw.Expr, low: int, high: int | None) -> nw.Expr:
    """Whether a line is more than `low` and at most `high` days past due; `high` None is open."""
    above = late_days > nw.lit(low, dtype=nw.Int64)
    return above if high is None else above & (late_days <= nw.lit(high, dtype=nw.Int64))


def ageing(lines: nw.LazyFrame[Any], as_of_day: int, edges_days: Sequence[int] = EDGES_DAYS) -> nw.LazyFrame[Any]:
    """Split each customer's balance by how many days its lines are past due.

    Args:
        lines: one row per open due line, credit or unapplied payment (balances.open_items):
            customer_id, kind ("debit" | "credit" | "unapplied"), open_minor (minor
            units of the entity's base currency, negative when we owe the customer, null
            when a rate is missing), due_day (Int64 days since 1970-01-01, or null).
        as_of_day: the day the question is asked for, counted alike; a line due that
            day is not due yet.
        edges_days: last day of each overdue bucket, rising.

    Returns:
        One row per customer: customer_id, not_due, one column per bucket,
        no_due_date, credits, unapplied (all minor units, 0 when empty). The columns
        of a row sum to the customer's balance. A customer with an item in a currency
        without a rate has null in every column: an unknown part makes an unknown sum.

    Raises:
        ValueError: the edges do not rise from day 1.

    Source: semantics.md 1; IFRS 9, Illustrative Example 12.
    """
    zero, one = nw.lit(0, dtype=nw.Int64), nw.lit(1, dtype=nw.Int64)
    debit = nw.col("kind") == nw.lit("debit")
    late_days = nw.lit(as_of_day, dtype=nw.Int64) - nw.col("due_day")
    parts = {
        "not_due": debit & (late_days <= zero),
        "no_due_date": debit & nw.col("due_day").is_null(),
        "credits": nw.col("kind") == nw.lit("credit"),
        "unapplied": nw.col("kind") == nw.lit("unapplied"),
    }
    lows = [0, *edges_days]
    for name, low, high in zip(bucket_names(edges_days), lows, [*edges_days, None]):
        parts[name] = debit & within(late_days, low, high)
    unknown = nw.when(nw.col("open_minor").is_null()).then(one).otherwise(zero)
    amounts = [nw.when(test).then(nw.col("open_minor")).otherwise(zero).alias(name) for name, test in parts.items()]
    known = [nw.when(nw.col("unknown") == zero).then(nw.col(name)).alias(name) for name in parts]
    return (
        lines.select("customer_id", unknown.alias("unknown"), *amounts)
        .group_by("customer_id")
        .agg(nw.col("unknown", *parts).sum().cast(nw.Int64))
        .select("customer_id", *known)
    )
