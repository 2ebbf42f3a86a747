"""Promises to pay: open, kept or broken, derived from what came in.

A promise is kept when the promised amount came in from the day it was made to the
promised day plus the tolerance (domain.md 3), or when nothing is left of its line by
then. Promises of one line made on one day are a plan: what comes in fills the earliest
first, so that one instalment does not keep them all.
"""

import narwhals as nw

from ledger.balances import live, live_allocations
from ledger.basis import YEAR_DAYS, Basis, Frame, Frames
from ledger.declare import Fact, count
from ledger.expressions import at_most, lit, n, not_below_zero, s

PLAN = ["customer_id", "plan_line_id", "currency", "booked_day"]

# Over the promises of one customer.
PROMISE_FACTS = (
    # 100 promised for tomorrow, 40 paid: 1 open; the same promised for 4 days ago (tolerance 3): 0
    Fact(
        count("promises_open", "Open promises", "Promises to pay that are neither kept nor broken yet."),
        lambda _: n(nw.col("rest_minor") > lit(0)),
    ),
    # 100 promised for 4 days ago (tolerance 3), 99 paid: 1; 100 paid: 0
    Fact(
        count("promises_broken_12m", "Broken promises", "Promises broken in the last 365 days."),
        lambda basis: n(nw.col("is_broken") & (nw.col("deadline_day") >= lit(basis.as_of_day - YEAR_DAYS))),
    ),
)


def _receipts_on_lines(frames: Frames, basis: Basis, promises: Frame) -> Frame:
    """Per promise on a line: received_minor in its time, left_minor of the line at its deadline."""
    allocations = live_allocations(frames, basis.as_of_day).filter(nw.col("counts_now"))
    sums = allocations.select(
        "due_line_id", nw.col("amount_minor").alias("came_in"), nw.col("booked_day").alias("came")
    )
    lines = live(frames, "due_line", basis.as_of_day).select(
        nw.col("id").alias("due_line_id"), nw.col("amount_minor").alias("line_minor")
    )
    came, until = nw.col("came"), nw.col("deadline_day")
    matched = (
        promises.select("id", "due_line_id", "booked_day", "deadline_day")
        .join(sums, on="due_line_id", how="inner")
        .group_by("id")
        .agg(
            s((came >= nw.col("booked_day")) & (came <= until), nw.col("came_in"))
            .cast(nw.Int64)
            .alias("received_minor"),
            s(came <= until, nw.col("came_in")).cast(nw.Int64).alias("settled_minor"),
        )
    )
    return (
        promises.select("id", "due_line_id")
        .join(lines, on="due_line_id", how="inner")
        .join(matched, on="id", how="left")
        .select(
            "id",
            nw.coalesce("received_minor", lit(0)).alias("received_minor"),
            (nw.col("line_minor") - nw.coalesce("settled_minor", lit(0))).alias("left_minor"),
        )
    )


def _receipts_of_customers(frames: Frames, basis: Basis, promises: Frame) -> Frame:
    """Per promise on no line in particular: the customer's payments in its time and currency."""
    payments = (
        live(frames, "credit", basis.as_of_day)
        .filter(nw.col("counts_now") & (nw.col("kind") == nw.lit("payment")))
        .select("customer_id", "currency", nw.col("amount_minor").alias("came_in"), nw.col("booked_day").alias("came"))
    )
    came = nw.col("came")
    matched = (
        promises.select("id", "customer_id", "currency", "booked_day", "deadline_day")
        .join(payments, on=["customer_id", "currency"], how="inner")
        .group_by("id")
        .agg(
            s((came >= nw.col("booked_day")) & (came <= nw.col("deadline_day")), nw.col("came_in"))
            .cast(nw.Int64)
            .alias("received_minor")
        )
    )
    return (
        promises.select("id")
        .join(matched, on="id", how="left")
        .select("id", nw.coalesce("received_minor", lit(0)).alias("received_minor"), lit(1).alias("left_minor"))
    )


def promise_states(frames: Frames, basis: Basis) -> Frame:
    """Every promise made and what became of it as of the day.

    Returns:
        id, customer_id, due_line_id (null: any line), currency, deadline_day (promised
        day + tolerance), is_broken, rest_minor (what an open promise still covers; 0 when
        kept or broken).
    """
    promises = (
        live(frames, "promise", basis.as_of_day)
        .filter(nw.col("counts_now"))
        .with_columns(
            deadline_day=nw.col("promised_day") + lit(basis.promise_tolerance_days),
            plan_line_id=nw.coalesce("due_line_id", lit(0)),
        )
        .with_columns(
            promised_so_far=nw.col("amount_minor").cum_sum().over(*PLAN, order_by=["promised_day", "id"]).cast(nw.Int64)
        )
    )
    on_line = nw.col("due_line_id").is_null()
    receipts = nw.concat(
        [
            _receipts_on_lines(frames, basis, promises.filter(~on_line)),
            _receipts_of_customers(frames, basis, promises.filter(on_line)),
        ]
    )
    missing = at_most(not_below_zero(nw.col("promised_so_far") - nw.col("received_minor")), nw.col("amount_minor"))
    is_over = nw.col("deadline_day") < lit(basis.as_of_day)
    is_unmet = (nw.col("missing_minor") > lit(0)) & (nw.col("left_minor") > lit(0))
    return (
        promises.join(receipts, on="id", how="inner")
        .with_columns(missing_minor=missing)
        .with_columns(
            is_broken=is_over & is_unmet,
            rest_minor=nw.when(is_unmet & ~is_over).then(nw.col("missing_minor")).otherwise(lit(0)),
        )
        .select("id", "customer_id", "due_line_id", "currency", "deadline_day", "is_broken", "rest_minor")
    )


def promised_lines(states: Frame) -> Frame:
    """Per line: promised_minor, what open promises on it still cover."""
    return (
        states.filter(~nw.col("due_line_id").is_null() & (nw.col("rest_minor") > lit(0)))
        .group_by("due_line_id")
        .agg(nw.col("rest_minor").sum().cast(nw.Int64).alias("promised_minor"))
        .rename({"due_line_id": "id"})
    )


def promised_freely(states: Frame) -> Frame:
    """Per customer and currency: free_promise_minor, what open promises on no line in particular cover."""
    return (
        states.filter(nw.col("due_line_id").is_null() & (nw.col("rest_minor") > lit(0)))
        .group_by("customer_id", "currency")
        .agg(nw.col("rest_minor").sum().cast(nw.Int64).alias("free_promise_minor"))
    )
