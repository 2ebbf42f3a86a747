"""Open items: what is owed and what reduces it, rebuilt from entries as of a day.

Pure. An entry counts from the day it was both booked and recorded; a reversal takes it
back from the day the reversal was. Later receipts therefore change no earlier figure.
"""

import narwhals as nw

from ledger.basis import Basis, Frame, Frames, Keep, unkept
from ledger.expressions import known_before, known_by, lit, mx, no_number, s

_COUNTED = ("counts_now", "counts_before")
ALLOCATION_COLUMNS = ("credit_id", "due_line_id", "booked_day", "amount_minor", "is_payment", *_COUNTED)
SETTLED_COLUMNS = (
    *("id", "customer_id", "number", "ordinal", "invoice_day", "due_day", "amount_minor", "currency"),
    *("open_minor", "paid_day", *_COUNTED),
)
CREDIT_COLUMNS = ("id", "customer_id", "kind", "booked_day", "amount_minor", "currency", "rest_minor", *_COUNTED)


def live(frames: Frames, table: str, day: int, owners: dict[str, str] | None = None) -> Frame:
    """Entries of a table that were known on a day and not taken back before it.

    Args:
        frames: the input frames.
        table: the table.
        day: the day asked for.
        owners: further tables whose reversal takes the entry back too, by key column
            (a reversed payment takes its allocations with it).

    Returns:
        The table's columns, and `counts_now` (not taken back by the end of the day, so
        balances count it) and `counts_before` (known before the day and not taken back
        before it, so features count it).
    """
    reversals = frames["reversal"].filter(known_by(day))
    since = nw.max_horizontal("booked_day", "recorded_day")
    entries = frames[table].filter(known_by(day))
    marks = []
    for key, target in {"id": table, **(owners or {})}.items():
        mark = f"_back_{target}"
        marks.append(mark)
        taken_back = (
            reversals.filter(nw.col("target") == nw.lit(target))
            .group_by("target_id")
            .agg(since.min().cast(nw.Int64).alias(mark))
            .rename({"target_id": key})
        )
        entries = entries.join(taken_back, on=key, how="left")
    # Spark has no least of one column.
    first = nw.min_horizontal(*marks) if len(marks) > 1 else nw.col(*marks)
    return (
        entries.filter(first.is_null() | (first == lit(day)))
        .with_columns(
            counts_now=first.is_null(),
            counts_before=known_before(day),
        )
        .drop(*marks)
    )


def live_allocations(frames: Frames, day: int) -> Frame:
    """Allocations that count: ALLOCATION_COLUMNS; is_payment says whether their credit is one."""
    owners = {"credit_id": "credit", "due_line_id": "due_line"}
    others = (
        frames["credit"]
        .filter(nw.col("kind") != nw.lit("payment"))
        .select(nw.col("id").alias("credit_id"), nw.lit(True).alias("not_paid"))
    )
    return (
        live(frames, "allocation", day, owners)
        .join(others, on="credit_id", how="left")
        .with_columns(is_payment=nw.col("not_paid").is_null())
        .select(*ALLOCATION_COLUMNS)
    )


def settled_lines(frames: Frames, day: int, allocations: Frame) -> Frame:
    """Every due line that counts, with what was set against it.

    Args:
        frames: the input frames.
        day: the day asked for.
        allocations: of live_allocations.

    Returns:
        SETTLED_COLUMNS: of due_line what facts need, `counts_now`, `counts_before`, and
        open_minor: what is still to be paid, in the line's currency; 0 when the line was
            taken back today, negative when too much was set against it.
        paid_day: when the line was paid in full as far as features know; null when open,
            and when no payment had part in it (a write-off is no payment).
    """
    now, before = nw.col("counts_now"), nw.col("counts_before")
    amount = nw.col("amount_minor")
    settled = (
        allocations.group_by("due_line_id")
        .agg(
            s(now, amount).cast(nw.Int64).alias("settled_minor"),
            s(before, amount).cast(nw.Int64).alias("settled_before_minor"),
            mx(before & nw.col("is_payment"), nw.col("booked_day")).cast(nw.Int64).alias("last_paid_day"),
        )
        .rename({"due_line_id": "id"})
    )
    open_minor = amount - nw.coalesce("settled_minor", lit(0))
    in_full = before & (nw.col("settled_before_minor") >= amount)
    return (
        live(frames, "due_line", day)
        .join(settled, on="id", how="left")
        .with_columns(
            open_minor=nw.when(now).then(open_minor).otherwise(lit(0)),
            paid_day=nw.when(in_full).then(nw.col("last_paid_day")).otherwise(no_number()),
        )
        .select(*SETTLED_COLUMNS)
    )


def credit_states(frames: Frames, day: int, allocations: Frame) -> Frame:
    """Every credit that counts, with what is left of it.

    Args:
        frames: the input frames.
        day: the day asked for.
        allocations: of live_allocations.

    Returns:
        CREDIT_COLUMNS: of credit what facts need, `counts_now`, `counts_before`, and rest_minor: what is not
        allocated, in the credit's currency; 0 when the credit was taken back today.
    """
    used = (
        allocations.filter(nw.col("counts_now"))
        .group_by("credit_id")
        .agg(nw.col("amount_minor").sum().cast(nw.Int64).alias("used_minor"))
        .rename({"credit_id": "id"})
    )
    rest = nw.col("amount_minor") - nw.coalesce("used_minor", lit(0))
    return (
        live(frames, "credit", day)
        .join(used, on="id", how="left")
        .with_columns(rest_minor=nw.when(nw.col("counts_now")).then(rest).otherwise(lit(0)))
        .select(*CREDIT_COLUMNS)
    )


def open_items(frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """Everything open on a day, one row per line or credit, in the base currency.

    Returns:
        customer_id, kind ("debit" | "credit" | "unapplied"), open_minor (negative when we
        owe the customer; null without a rate), due_day (null for credits, and for lines
        without a due date). A line that was paid too much is a credit.
    """
    day = basis.as_of_day
    allocations = keep(live_allocations(frames, day))
    lines = settled_lines(frames, day, allocations).filter(nw.col("open_minor") != lit(0))
    is_debit = nw.col("open_minor") > lit(0)
    debits = lines.select(
        "customer_id",
        "currency",
        nw.when(is_debit).then(nw.lit("debit")).otherwise(nw.lit("credit")).alias("kind"),
        nw.when(is_debit).then(nw.col("due_day")).otherwise(no_number()).alias("due_day"),
        "open_minor",
    )
    is_cash = nw.col("kind") == nw.lit("payment")
    rests = credit_states(frames, day, allocations).filter(nw.col("rest_minor") != lit(0))
    credit_rows = rests.select(
        "customer_id",
        "currency",
        nw.when(is_cash).then(nw.lit("unapplied")).otherwise(nw.lit("credit")).alias("kind"),
        no_number().alias("due_day"),
        (lit(0) - nw.col("rest_minor")).alias("open_minor"),
    )
    items = basis.with_base(nw.concat([debits, credit_rows]), open_minor=nw.col("open_minor"))
    return items.select("customer_id", "kind", "open_minor", "due_day")
