"""Facts of one open due line: the subject `invoice`, with its customer's facts beside.

A line is its own leader: what an escalation asks of a customer's leader, net overdue, promises and
disputes it asks here of the line alone, by the same names (`LEADING_COLUMNS`).
"""

import narwhals as nw

from ledger.basis import Basis, Frame, Frames, Keep, unkept
from ledger.columns import Column
from ledger.declare import Fact, code, columns_of, computed, count, days, flag, money
from ledger.expressions import lit, no_number
from ledger.state import Parts, facts_of, parts_of

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


def _leads(value: nw.Expr) -> nw.Expr:
    """A value of a line that is to be dunned; null of one that is covered, disputed, promised or paused."""
    return nw.when(nw.col("eligible_minor") > lit(0)).then(value).otherwise(no_number())


# Facts of the line that stand in the place of its customer's of the same name.
LEADING_FACTS = (
    # open, due 5 days ago: 5; the same wholly disputed: null
    Fact(
        days(
            "leader_days_past_due",
            "Days past due of the leader",
            "Days since the line fell due, negative before; unknown while nothing of it is to be dunned.",
            low=-40_000,
        ),
        lambda _: _leads(nw.col("late_days")),
    ),
    # 1,000 open, 300 of it disputed: 700
    Fact(
        money("leader_open_minor", "Open amount of the leader", "What is left of the line to be dunned."),
        lambda _: _leads(nw.col("eligible_base")),
    ),
    # 1,000 due yesterday, credits cover 400: 600; due tomorrow: 0
    Fact(
        money("overdue_net_minor", "Net overdue", "Of a line past its due date, what credits do not cover."),
        lambda _: (
            nw.when(nw.col("open_base").is_null())
            .then(no_number())
            .when(nw.col("late_days") > lit(0))
            .then(nw.col("net_base"))
            .otherwise(lit(0))
        ),
    ),
    # 400 of it promised: 400
    Fact(
        money("promised_minor", "Promised", "The undisputed part of the line under an open promise to pay."),
        lambda _: nw.col("promised_base"),
    ),
    # 300 of it disputed: 300
    Fact(
        money("disputed_minor", "Disputed", "The part of the line under an open dispute."),
        lambda _: nw.col("disputed_base"),
    ),
    # a promise for this line, or for the account, could be kept until 4 days ago: 4
    Fact(
        days(
            "days_since_promise_broken",
            "Days since a promise was broken",
            "Days since the latest broken promise for the line, or for the whole account, could still be kept.",
        ),
        lambda basis: lit(basis.as_of_day) - nw.col("broken_day"),
    ),
)
LEADING_COLUMNS: tuple[Column, ...] = columns_of(LEADING_FACTS)
LEADER_TECHNICAL = ("leader_line_id", "leader_due_day")
OWN_COLUMNS = (
    *LINE_TECHNICAL,
    *LEADER_TECHNICAL,
    *(column.name for column in (*LINE_COLUMNS, *LEADING_COLUMNS)),
)


def line_facts(frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """One row per open due line: OWN_COLUMNS, and all further facts of its customer.

    Args:
        frames: the input frames (FRAMES) of one entity.
        basis: the question.
        keep: how a frame that is read more than once is kept.
    """
    parts = parts_of(frames, basis, keep)
    customers = facts_of(parts, frames, basis, keep)
    beside = [name for name in customers.collect_schema().names() if name not in OWN_COLUMNS]
    return own_facts(parts, basis).join(customers.select("customer_id", *beside), on="customer_id", how="inner")


def own_facts(parts: Parts, basis: Basis) -> Frame:
    """One row per open due line: OWN_COLUMNS, what it says itself."""
    open_lines = basis.with_base(
        parts.lines.filter(nw.col("is_open")),
        amount_base=nw.col("amount_minor"),
        covered_base=nw.col("covered_minor"),
    )
    # A promise for the account counts for each of its lines: the latest of both.
    broken = parts.promises.filter(nw.col("is_broken")).select("customer_id", "due_line_id", "deadline_day")
    named = (
        broken.filter(~nw.col("due_line_id").is_null())
        .group_by("due_line_id")
        .agg(line_day=nw.col("deadline_day").max())
    )
    free = (
        broken.filter(nw.col("due_line_id").is_null())
        .group_by("customer_id")
        .agg(free_day=nw.col("deadline_day").max())
    )
    joined = (
        open_lines.join(named, left_on="id", right_on="due_line_id", how="left")
        .join(free, on="customer_id", how="left")
        .with_columns(
            broken_day=nw.when(nw.col("line_day") > nw.coalesce("free_day", "line_day"))
            .then(nw.col("line_day"))
            .otherwise(nw.coalesce("free_day", "line_day"))
        )
    )
    return joined.select(
        nw.col("id").alias("line_id"),
        *LINE_TECHNICAL[1:],
        _leads(nw.col("id")).alias("leader_line_id"),
        _leads(nw.col("due_day")).alias("leader_due_day"),
        *computed(LINE_FACTS, basis),
        *computed(LEADING_FACTS, basis),
    )
