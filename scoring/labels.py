"""Labels: did some invoice of the customer go 30 days past due within the next 90 days?

A label enters training only once it is decided: its 90 days are over on the day the
ledger is known. Customers with such an invoice on the day itself are left out; the
question is who turns bad, not who is.
"""

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from ledger.expressions import lit

Frame = nw.LazyFrame[Any]

TASK = "customer_late30"
DAYS_PAST_DUE = 30
HORIZON_DAYS = 90


def standing_entries(entries: Frame, reversals: Frame, target: str, known_day: int) -> Frame:
    """Keep the entries that were recorded and not taken back by the known day."""
    known = nw.col("recorded_day") <= lit(known_day)
    taken_back = reversals.filter(known, nw.col("target") == target).select("target_id").unique()
    return entries.filter(known).join(taken_back, left_on="id", right_on="target_id", how="anti")


def bad_lines(frames: Mapping[str, Frame], known_day: int) -> Frame:
    """List the due lines that were still open 30 days past due.

    Args:
        frames: the ledger's frames; due_line, allocation and reversal are read.
        known_day: the day up to which entries are known.

    Returns:
        One row per line: customer_id, bad_day (the first day it counted as bad) and
        cleared_day (the day its last allocation was booked; null while it is open).
    """
    reversals = frames["reversal"]
    lines = standing_entries(frames["due_line"], reversals, "due_line", known_day)
    sets = standing_entries(frames["allocation"], reversals, "allocation", known_day)
    bad_day = nw.col("due_day") + lit(DAYS_PAST_DUE)
    dated = lines.filter(~nw.col("due_day").is_null()).select(
        "id",
        "customer_id",
        "amount_minor",
        # an invoice that arrives long past due is bad from the day it is booked
        nw.when(bad_day < nw.col("booked_day")).then(nw.col("booked_day")).otherwise(bad_day).alias("bad_day"),
    )
    paid = sets.select(
        "due_line_id", nw.col("amount_minor").alias("paid_minor"), nw.col("booked_day").alias("paid_day")
    )
    in_time = nw.col("paid_day") <= nw.col("bad_day")
    summed = (
        dated.join(paid, left_on="id", right_on="due_line_id", how="left")
        .with_columns(nw.col("paid_minor").fill_null(0))
        .group_by("id", "customer_id", "amount_minor", "bad_day")
        .agg(
            nw.col("paid_minor").sum().cast(nw.Int64).alias("paid_minor"),
            nw.when(in_time).then(nw.col("paid_minor")).otherwise(lit(0)).sum().cast(nw.Int64).alias("in_time_minor"),
            nw.col("paid_day").max().alias("last_day"),
        )
    )
    cleared = nw.col("paid_minor") >= nw.col("amount_minor")
    return summed.filter(nw.col("in_time_minor") < nw.col("amount_minor"), nw.col("bad_day") <= lit(known_day)).select(
        "customer_id", "bad_day", nw.when(cleared).then(nw.col("last_day")).alias("cleared_day")
    )


def labels(bad: Frame, as_of_day: int) -> Frame:
    """Say of each customer with a bad line whether it was bad already, and whether it turns bad.

    Args:
        bad: what bad_lines gives.
        as_of_day: the day of the facts.

    Returns:
        customer_id, already_bad and label (0 or 1 each). A customer without a row has
        neither.
    """
    day, bad_day, cleared = lit(as_of_day), nw.col("bad_day"), nw.col("cleared_day")
    still = (bad_day <= day) & (cleared.is_null() | (cleared > day))
    turns = (bad_day > day) & (bad_day <= lit(as_of_day + HORIZON_DAYS))
    flags = bad.select(
        "customer_id",
        nw.when(still).then(lit(1)).otherwise(lit(0)).alias("already_bad"),
        nw.when(turns).then(lit(1)).otherwise(lit(0)).alias("label"),
    )
    return flags.group_by("customer_id").agg(nw.col("already_bad").max(), nw.col("label").max())


def cutoffs(first_day: int, known_day: int, every_days: int = 14) -> list[int]:
    """List the days whose labels are decided, oldest first, ending at the latest possible."""
    last = known_day - HORIZON_DAYS
    return sorted(range(last, first_day - 1, -every_days))


def training_rows(facts: Frame, bad: Frame, as_of_day: int, columns: tuple[str, ...]) -> Frame:
    """Join a day's facts to their labels.

    Args:
        facts: the facts of that day, one row per customer.
        bad: what bad_lines gives.
        as_of_day: the day of the facts.
        columns: the facts to keep.

    Returns:
        customer_id, as_of_day, label and the facts, for customers with business in the last
        twelve months that are not bad already.
    """
    joined = facts.select("customer_id", *columns).join(labels(bad, as_of_day), on="customer_id", how="left")
    # a turnover that lacks a rate is null: then there was business too
    idle = (nw.col("turnover_12m_minor") == lit(0)).fill_null(False)
    seen = (nw.col("open_count") > lit(0)) | (nw.col("paid_count_12m") > lit(0)) | ~idle
    kept = joined.filter(seen, nw.col("already_bad").fill_null(0) == lit(0))
    return kept.select(
        "customer_id", lit(as_of_day).alias("as_of_day"), nw.col("label").fill_null(0).alias("label"), *columns
    )
