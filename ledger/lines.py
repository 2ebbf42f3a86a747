"""Facts of one open due line: the subject `invoice`, with its customer's facts beside."""

import narwhals as nw

from ledger.basis import Basis, Frame, Frames, Keep, unkept
from ledger.columns import Column
from ledger.declare import Fact, code, columns_of, computed, count, days, flag, money
from ledger.expressions import lit
from ledger.state import facts_of, parts_of

LINE_TECHNICAL = ("line_id", "customer_id", "invoice_day", "due_day")

# Over the open lines as state.parts_of prepares them.
LINE_FACTS = (
    # invoice 2026-117: the same
    Fact(code("number", "Invoice number", "Number of the invoice.", nullable=False), lambda _: nw.col("number")),
    # the second of three instalments: 2
    Fact(count("ordinal", "Instalment", "Which due line of the invoice, counted from 1."), lambda _: nw.col("ordinal")),
    # invoiced 1,000, 400 paid: 1,000
    Fact(
        money("line_amount_minor", "Line amount", "What was invoiced on this line."),
        lambda _: nw.col("amount_base"),
    ),
    # invoiced 1,000, 400 paid: 600
    Fact(
        money("line_open_minor", "Line open amount", "What is still to be paid on this line."),
        lambda _: nw.col("open_base"),
    ),
    # due yesterday: 1; due in three days: -3
    Fact(
        days("line_days_past_due", "Line days past due", "Days since the line fell due; negative before.", low=-40_000),
        lambda _: nw.col("late_days"),
    ),
    # 300 of an open 1,000 disputed: 300
    Fact(
        money("line_disputed_minor", "Line disputed", "The part of the open amount under dispute."),
        lambda _: nw.col("disputed_base"),
    ),
    # 1 of an open 1,000 promised: yes
    Fact(
        flag("line_promised", "Line promised", "Whether an open promise to pay covers any of the line."),
        lambda _: nw.col("promised_minor") > lit(0),
    ),
    # overdue with 1,000 open, 400 unapplied cash reaches it: 400
    Fact(
        money("line_covered_minor", "Line covered", "The part that credits and unapplied cash would pay."),
        lambda _: nw.col("covered_base"),
    ),
)
LINE_COLUMNS: tuple[Column, ...] = columns_of(LINE_FACTS)


def line_facts(frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """One row per open due line: LINE_TECHNICAL, LINE_COLUMNS, and all facts of its customer.

    Args:
        frames: the input frames (FRAMES) of one entity.
        basis: the question.
        keep: how a frame that is read more than once is kept.
    """
    parts = parts_of(frames, basis, keep)
    open_lines = basis.with_base(
        parts.lines.filter(nw.col("is_open")),
        amount_base=nw.col("amount_minor"),
        covered_base=nw.col("covered_minor"),
    )
    own = open_lines.select(nw.col("id").alias("line_id"), *LINE_TECHNICAL[1:], *computed(LINE_FACTS, basis))
    return own.join(facts_of(parts, frames, basis, keep), on="customer_id", how="inner")
