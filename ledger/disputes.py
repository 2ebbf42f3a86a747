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
