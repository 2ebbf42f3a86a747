"""What covers an open line: credits, disputes, promises, pauses; and which line leads.

Nothing is posted. Credits and unapplied cash are set off virtually, oldest overdue line
first, only to decide the leader, the net overdue and the level (semantics.md 1).
"""

import narwhals as nw

from ledger.balances import live
from ledger.basis import Basis, Frame, Frames, Keep, unkept
from ledger.disputes import disputed_lines
from ledger.expressions import at_most, in_force, lit, not_below_zero
from ledger.promises import promised_freely, promised_lines

ACCOUNT = ["customer_id", "currency"]
OLDEST_FIRST = ["due_day", "number", "ordinal", "id"]
PAUSING = ("pause", "dunning_block")
DIGITS = 19  # of the largest Int64
UNKNOWN = -1  # stands for null inside a text key
UNIT_SEPARATOR = "\x1f"  # sorts before every character that may stand in a number


def running_blocks(frames: Frames, day: int) -> Frame:
    """Blocks in force on a day."""
    return live(frames, "block", day).filter(nw.col("counts_now") & in_force(day))


def paused_lines(frames: Frames, day: int) -> Frame:
    """Lines that a pause of their own keeps out of dunning: id, is_paused."""
    return (
        running_blocks(frames, day)
        .filter(nw.col("kind").is_in(PAUSING) & ~nw.col("due_line_id").is_null())
        .select(nw.col("due_line_id").alias("id"))
        .unique()
        .with_columns(is_paused=nw.lit(True))
    )


def pools(lines: Frame, credit_rows: Frame, free_promises: Frame) -> Frame:
    """Per customer and currency, what may be set off: credit_pool_minor, free_promise_minor.

    Credits, unapplied cash and lines that were paid too much make up the first.
    """
    rests = credit_rows.filter(nw.col("rest_minor") != lit(0)).select(*ACCOUNT, nw.col("rest_minor").alias("pool"))
    overpaid = lines.filter(nw.col("open_minor") < lit(0)).select(
        *ACCOUNT, (lit(0) - nw.col("open_minor")).alias("pool")
    )
    rows = nw.concat(
        [
            nw.concat([rests, overpaid]).with_columns(promise=lit(0)),
            free_promises.select(*ACCOUNT, lit(0).alias("pool"), nw.col("free_promise_minor").alias("promise")),
        ]
    )
    return rows.group_by(*ACCOUNT).agg(
        nw.col("pool").sum().cast(nw.Int64).alias("credit_pool_minor"),
        nw.col("promise").sum().cast(nw.Int64).alias("free_promise_minor"),
    )


def _filled(pool: nw.Expr, amount: nw.Expr, reached: nw.Expr) -> nw.Expr:
    """How much of an amount a pool fills, when the amounts before it come first."""
    return at_most(not_below_zero(pool - (reached - amount)), amount)


def _reached(amount: str) -> nw.Expr:
    return nw.col(amount).cum_sum().over(*ACCOUNT, order_by=OLDEST_FIRST).cast(nw.Int64)


def _set_off(lines: Frame, pools_: Frame, as_of_day: int) -> Frame:
    """Spread the pools over the dated open lines of their account, oldest first.

    Credits reach overdue lines only: first what of them may be dunned, and what is left the parts that are
    disputed, promised or paused, so that nobody is asked for more than they owe of the rest. Free promises
    reach what is then left of any dated line.

    Returns:
        id, covered_minor, of it eased_minor (what may be dunned), freely_promised_minor; only lines of
        accounts with a pool.
    """
    overdue, pool = nw.col("due_day") < lit(as_of_day), nw.col("credit_pool_minor")
    undisputed = nw.col("open_minor") - nw.col("disputed_minor") - nw.col("promised_minor")
    return (
        lines.filter((nw.col("open_minor") > lit(0)) & ~nw.col("due_day").is_null())
        .join(pools_, on=ACCOUNT, how="inner")
        .with_columns(
            asked_minor=nw.when(overdue & ~nw.col("is_paused")).then(undisputed).otherwise(lit(0)),
            late_minor=nw.when(overdue).then(nw.col("open_minor")).otherwise(lit(0)),
        )
        .with_columns(held_minor=nw.col("late_minor") - nw.col("asked_minor"), reached=_reached("asked_minor"))
        .with_columns(
            eased_minor=_filled(pool, nw.col("asked_minor"), nw.col("reached")),
            spent_minor=nw.col("asked_minor").sum().over(*ACCOUNT).cast(nw.Int64),
            reached=_reached("held_minor"),
        )
        .with_columns(
            covered_minor=nw.col("eased_minor")
            + _filled(pool - nw.col("spent_minor"), nw.col("held_minor"), nw.col("reached")),
            rest_minor=undisputed - nw.col("eased_minor"),
        )
        .with_columns(reached=_reached("rest_minor"))
        .select(
            "id",
            "covered_minor",
            "eased_minor",
            _filled(nw.col("free_promise_minor"), nw.col("rest_minor"), nw.col("reached")).alias(
                "freely_promised_minor"
            ),
        )
    )


def covered_lines(
    basis: Basis,
    lines: Frame,
    credit_rows: Frame,
    promises: Frame,
    disputes: Frame,
    paused: Frame,
    keep: Keep = unkept,
) -> Frame:
    """Say of every line what of its open amount is disputed, promised, covered, or to be dunned.

    Args:
        basis: the question.
        lines: of settled_lines, with is_planned (null: no plan in good order pays the line).
        credit_rows: of credit_states.
        promises: of promise_states.
        disputes: of open_disputes and of expected_credits: due_line_id, amount_minor.
        paused: of paused_lines.
        keep: how a frame read twice is kept.

    Returns:
        The lines with disputed_minor, promised_minor, covered_minor, is_paused and
        eligible_minor (undisputed, unpromised, uncovered, unpaused; 0 without a due
        date; what covers a disputed, promised or paused part takes nothing from it),
        all in the line's currency. Disputed and promised never pass the open
        amount; what is disputed is not counted as promised.
    """
    open_now = not_below_zero(nw.col("open_minor"))
    named = nw.coalesce("disputed_minor", lit(0))
    disputed = nw.when(nw.col("wholly_disputed") == lit(1)).then(open_now).otherwise(at_most(named, open_now))
    # A payment plan in good order promises all of its lines.
    said = nw.when(~nw.col("is_planned").is_null()).then(open_now).otherwise(nw.coalesce("promised_minor", lit(0)))
    promised = at_most(said, open_now - nw.col("disputed_minor"))
    marked = keep(
        lines.join(disputed_lines(disputes), on="id", how="left")
        .join(promised_lines(promises), on="id", how="left")
        .join(paused, on="id", how="left")
        .with_columns(disputed_minor=disputed)
        .with_columns(promised_minor=promised, is_paused=~nw.col("is_paused").is_null())
        .drop("wholly_disputed", "is_planned")
    )
    spread = _set_off(marked, pools(lines, credit_rows, promised_freely(promises)), basis.as_of_day)
    freely = nw.coalesce("freely_promised_minor", lit(0))
    eased = nw.coalesce("eased_minor", lit(0))
    rest = nw.col("open_minor") - eased - nw.col("disputed_minor") - nw.col("promised_minor")
    may_lead = ~nw.col("is_paused") & ~nw.col("due_day").is_null()
    return (
        marked.join(spread, on="id", how="left")
        .with_columns(
            covered_minor=nw.coalesce("covered_minor", lit(0)), promised_minor=nw.col("promised_minor") + freely
        )
        .with_columns(eligible_minor=nw.when(may_lead).then(not_below_zero(rest)).otherwise(lit(0)))
        .drop("freely_promised_minor", "eased_minor")
    )


def leaders(lines: Frame, earliest: Frame) -> Frame:
    """The leader of each customer that has one.

    The leader is the line to be dunned that is due first; of several due that day the
    one with the lowest number, then instalment, then id, so that the choice is total.

    Args:
        lines: of covered_lines, with eligible_base.
        earliest: customer_id, leader_due_day: the earliest due day of a line with an
            eligible_minor.

    Returns:
        customer_id, leader_line_id, leader_base (its eligible_minor in the base
        currency; null without a rate).
    """
    base = nw.coalesce("eligible_base", lit(UNKNOWN))
    # One minimum over text finds the line and carries its id and amount along; a rank
    # within the customer would need a sort of every open line.
    key = nw.concat_str(
        nw.col("number"),
        nw.col("ordinal").cast(nw.String).str.zfill(6),
        *(number.cast(nw.String).str.zfill(DIGITS) for number in (nw.col("id"), base)),
        separator=UNIT_SEPARATOR,
    )
    carried = nw.col("key").str
    amount = carried.slice(-DIGITS).cast(nw.Int64)
    return (
        lines.filter(nw.col("eligible_minor") > lit(0))
        .join(earliest, left_on=["customer_id", "due_day"], right_on=["customer_id", "leader_due_day"], how="inner")
        .select("customer_id", key.alias("key"))
        .group_by("customer_id")
        .agg(nw.col("key").min())
        .select(
            "customer_id",
            carried.slice(-2 * DIGITS - 1, DIGITS).cast(nw.Int64).alias("leader_line_id"),
            nw.when(amount != lit(UNKNOWN)).then(amount).alias("leader_base"),
        )
    )
