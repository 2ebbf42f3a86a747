"""Promises to pay: open, kept or broken, derived from what came in.

A promise is kept when the promised amount came in after it was made and by the promised
day plus the tolerance (domain.md 3), or when nothing is left of its line by then. Of what
came in on the day it was made, the credits that were known before it do not count: who
pays a part and promises the rest has the rest still to pay. Promises of one line made on
one day are a plan: what comes in fills the earliest first, so that one instalment does
not keep them all.
"""

import narwhals as nw

from ledger.balances import live
from ledger.basis import YEAR_DAYS, Basis, Frame, Frames
from ledger.declare import Fact, count, days
from ledger.expressions import at_most, lit, n, no_number, not_below_zero, s

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
    # 100 promised for 4 days ago (tolerance 3), 99 paid: 1; 100 paid: null
    Fact(
        days(
            "days_since_promise_broken",
            "Days since a promise was broken",
            "Days since the last day, tolerance included, on which the latest broken promise or plan could be kept.",
        ),
        lambda basis: lit(basis.as_of_day) - nw.when(nw.col("is_broken")).then(nw.col("deadline_day")).max(),
    ),
)


def _receipts(promises: Frame, incoming: Frame, keys: list[str]) -> Frame:
    """Per promise: in_time_minor that came in from its making to its deadline, and all by then.

    Args:
        promises: id, booked_day, after_credit_id, deadline_day and the keys.
        incoming: came_minor, came_day, came_by (its credit) and the keys.
        keys: what ties one to the other.
    """
    came = nw.col("came_day")
    by_then = came <= nw.col("deadline_day")
    is_newer = nw.col("came_by") > nw.col("after_credit_id")
    is_after = (came > nw.col("booked_day")) | ((came == nw.col("booked_day")) & is_newer)
    return (
        promises.select("id", "booked_day", "after_credit_id", "deadline_day", *keys)
        .join(incoming, on=keys, how="inner")
        .group_by("id")
        .agg(
            s(by_then & is_after, nw.col("came_minor")).cast(nw.Int64).alias("in_time_minor"),
            s(by_then, nw.col("came_minor")).cast(nw.Int64).alias("by_then_minor"),
        )
    )


def _made(frames: Frames, basis: Basis) -> Frame:
    """Promises that count, with their deadline and what their plan promised up to each."""
    return (
        live(frames, "promise", basis.as_of_day)
        .filter(nw.col("counts_now"))
        .with_columns(
            deadline_day=nw.col("promised_day") + lit(basis.promise_tolerance_days),
            plan_line_id=nw.coalesce("due_line_id", lit(0)),
        )
        .with_columns(
            so_far_minor=nw.col("amount_minor").cum_sum().over(*PLAN, order_by=["promised_day", "id"]).cast(nw.Int64)
        )
    )


def promise_states(frames: Frames, basis: Basis, allocations: Frame, lines: Frame, credit_rows: Frame) -> Frame:
    """Every promise made and what became of it as of the day.

    A promise on a line is measured by what was set against that line, one on no line in
    particular by the customer's payments in its currency.

    Args:
        frames: the input frames.
        basis: the question.
        allocations: of live_allocations.
        lines: of settled_lines.
        credit_rows: of credit_states.

    Returns:
        id, customer_id, due_line_id (null: any line), currency, deadline_day (promised
        day + tolerance), is_broken, rest_minor (what an open promise still covers; 0 when
        kept or broken). A promise on a line that was taken back is left out.
    """
    now = nw.col("counts_now")
    came = (nw.col("amount_minor").alias("came_minor"), nw.col("booked_day").alias("came_day"))
    made = _made(frames, basis)
    on_line = made.filter(~nw.col("due_line_id").is_null())
    on_none = made.filter(nw.col("due_line_id").is_null())
    line_minor = lines.filter(now).select(nw.col("id").alias("due_line_id"), nw.col("amount_minor").alias("line_minor"))
    against = allocations.filter(now).select("due_line_id", nw.col("credit_id").alias("came_by"), *came)
    set_against = _receipts(on_line, against, ["due_line_id"])
    payments = credit_rows.filter(now & (nw.col("kind") == nw.lit("payment")))
    payments = payments.select("customer_id", "currency", nw.col("id").alias("came_by"), *came)
    paid = _receipts(on_none, payments, ["customer_id", "currency"])
    states = nw.concat(
        [
            on_line.join(line_minor, on="due_line_id", how="inner").join(set_against, on="id", how="left"),
            on_none.with_columns(line_minor=no_number()).join(paid, on="id", how="left"),
        ]
    )
    missing = nw.col("so_far_minor") - nw.coalesce("in_time_minor", lit(0))
    left = nw.col("line_minor") - nw.coalesce("by_then_minor", lit(0))
    is_over = nw.col("deadline_day") < lit(basis.as_of_day)
    is_unmet = (nw.col("missing_minor") > lit(0)) & (left.is_null() | (left > lit(0)))
    return states.with_columns(missing_minor=at_most(not_below_zero(missing), nw.col("amount_minor"))).select(
        "id",
        "customer_id",
        "due_line_id",
        "currency",
        "deadline_day",
        (is_over & is_unmet).alias("is_broken"),
        nw.when(is_unmet & ~is_over).then(nw.col("missing_minor")).otherwise(lit(0)).alias("rest_minor"),
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
