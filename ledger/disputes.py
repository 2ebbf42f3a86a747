"""Disputes: what a customer contests, as of a day."""

import narwhals as nw

from ledger.balances import live
from ledger.basis import Frame, Frames
from ledger.declare import Fact, count
from ledger.expressions import known_by, lit

# Over the open disputes of one customer.
DISPUTE_FACTS = (
    # two disputes, one of them closed yesterday: 1
    Fact(count("disputes_open", "Open disputes", "Disputes opened and not yet closed."), lambda _: nw.len()),
)


def open_disputes(frames: Frames, day: int) -> Frame:
    """Disputes opened by a day and not closed by its end: id, customer_id, due_line_id, amount_minor.

    A dispute of a reversed line is none. amount_minor null means all of the line.
    """
    closed = frames["dispute_closing"].filter(known_by(day)).select(nw.col("dispute_id").alias("id")).unique()
    return (
        live(frames, "dispute", day, {"due_line_id": "due_line"})
        .filter(nw.col("counts_now"))
        .join(closed, on="id", how="anti")
        .select("id", "customer_id", "due_line_id", "amount_minor")
    )


def expected_credits(frames: Frames, day: int, allocations: Frame) -> Frame:
    """What was accepted and waits for its credit note: due_line_id, amount_minor (null: all of the line).

    A credit note, or a write-off, set against the line since the dispute was opened fulfils it.

    Args:
        frames: the input frames.
        day: the day asked for.
        allocations: of live_allocations.
    """
    accepted = (
        frames["dispute_closing"]
        .filter(known_by(day) & (nw.col("outcome") == nw.lit("accepted")))
        .select(nw.col("dispute_id").alias("id"), "accepted_minor")
    )
    disputes = (
        live(frames, "dispute", day, {"due_line_id": "due_line"})
        .filter(nw.col("counts_now"))
        .join(accepted, on="id", how="inner")
        .select(
            "id",
            "due_line_id",
            nw.col("booked_day").alias("opened_day"),
            nw.coalesce("accepted_minor", "amount_minor").alias("accepted_minor"),
        )
    )
    credited = allocations.filter(nw.col("counts_now") & ~nw.col("is_payment"))
    since = (
        disputes.select("id", "due_line_id", "opened_day")
        .join(credited.select("due_line_id", "booked_day", "amount_minor"), on="due_line_id", how="inner")
        .filter(nw.col("booked_day") >= nw.col("opened_day"))
        .group_by("id")
        .agg(nw.col("amount_minor").sum().cast(nw.Int64).alias("credited_minor"))
    )
    rest = nw.col("accepted_minor") - nw.coalesce("credited_minor", lit(0))
    return (
        disputes.join(since, on="id", how="left")
        .select("due_line_id", rest.alias("amount_minor"))
        .filter(nw.col("amount_minor").is_null() | (nw.col("amount_minor") > lit(0)))
    )


def disputed_lines(disputes: Frame) -> Frame:
    """Per line: disputed_minor (sum of the parts named) and wholly_disputed (1 when one names no part)."""
    whole = nw.when(nw.col("amount_minor").is_null()).then(lit(1)).otherwise(lit(0))
    return (
        disputes.with_columns(whole=whole)
        .group_by("due_line_id")
        .agg(
            nw.col("amount_minor").sum().cast(nw.Int64).alias("disputed_minor"),
            nw.col("whole").max().cast(nw.Int64).alias("wholly_disputed"),
        )
        .rename({"due_line_id": "id"})
    )
