"""Payment plans: instalments over some lines, in good order, done, or defaulted.

A plan promises that what is left of its lines goes down to nothing in steps. An instalment
is kept when by its day plus the tolerance no more is left of the lines than the plan leaves
then: payments, credit notes and write-offs count alike, and so does money that came early.
The first one missed ends the plan; what comes later does not bring it back.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

import narwhals as nw

from ledger.balances import live
from ledger.basis import YEAR_DAYS, Basis, Frame, Frames
from ledger.days import date_of, day_of
from ledger.declare import Fact, count, days
from ledger.expressions import lit, mx, n, s

EVERY = ("week", "two_weeks", "month")
INSTALMENTS_MAX = 60

# Over the plans of one customer.
PLAN_FACTS = (
    # a plan whose first instalment is due tomorrow: 1; the same missed 4 days ago (tolerance 3): 0
    Fact(
        count("plans_active", "Payment plans", "Payment plans in good order."),
        lambda _: n(nw.col("is_active")),
    ),
    # instalments of 4 and of 40 days ago (tolerance 3), nothing came: 2
    Fact(
        count("instalments_missed_12m", "Instalments missed", "Instalments of payment plans missed in 365 days."),
        lambda _: nw.col("missed_12m").sum(),
    ),
    # an instalment of 4 days ago (tolerance 3) missed: 1
    Fact(
        days(
            "days_since_plan_default",
            "Days since a payment plan defaulted",
            "Days since the last day, tolerance included, on which the first instalment missed could still be kept.",
        ),
        lambda basis: lit(basis.as_of_day) - nw.col("defaulted_day").max(),
    ),
)


def plan_members(frames: Frames, day: int) -> Frame:
    """Lines of the plans in force on a day: plan_id, due_line_id."""
    owners = {"plan_id": "payment_plan", "due_line_id": "due_line"}
    return live(frames, "plan_line", day, owners).filter(nw.col("counts_now")).select("plan_id", "due_line_id")


def plan_states(frames: Frames, basis: Basis, allocations: Frame, lines: Frame, members: Frame) -> Frame:
    """Every plan in force and what became of it as of the day.

    Args:
        frames: the input frames.
        basis: the question.
        allocations: of live_allocations.
        lines: of settled_lines.
        members: of plan_members.

    Returns:
        id, customer_id, is_active (in good order, and something is left to pay), missed_12m,
        defaulted_day (the last day on which the first missed instalment could be kept; null: none).
    """
    day = basis.as_of_day
    now = nw.col("counts_now")
    plans = live(frames, "payment_plan", day).filter(now).select("id", "customer_id", "total_minor")
    owed = (
        members.join(
            lines.filter(now).select(nw.col("id").alias("due_line_id"), "amount_minor", "open_minor"),
            on="due_line_id",
            how="inner",
        )
        .group_by("plan_id")
        .agg(
            nw.col("amount_minor").sum().cast(nw.Int64).alias("lines_minor"),
            nw.col("open_minor").sum().cast(nw.Int64).alias("open_minor"),
        )
        .rename({"plan_id": "id"})
    )
    instalments = (
        live(frames, "instalment", day, {"plan_id": "payment_plan"})
        .filter(now)
        .with_columns(
            deadline_day=nw.col("due_day") + lit(basis.promise_tolerance_days),
            so_far_minor=nw.col("amount_minor").cum_sum().over("plan_id", order_by=["due_day", "id"]).cast(nw.Int64),
        )
        .select("id", "plan_id", "deadline_day", "so_far_minor")
    )
    came = allocations.filter(now).select(
        "due_line_id", nw.col("booked_day").alias("came_day"), nw.col("amount_minor").alias("came_minor")
    )
    settled = (
        instalments.join(members.join(came, on="due_line_id", how="inner"), on="plan_id", how="inner")
        .group_by("id")
        .agg(s(nw.col("came_day") <= nw.col("deadline_day"), nw.col("came_minor")).cast(nw.Int64).alias("by_then"))
    )
    left = nw.col("lines_minor") - nw.coalesce("by_then", lit(0))
    is_over = nw.col("deadline_day") < lit(day)
    is_missed = is_over & (left > nw.col("total_minor") - nw.col("so_far_minor"))
    watched = (
        instalments.join(settled, on="id", how="left")
        .join(plans.join(owed, on="id", how="inner").rename({"id": "plan_id"}), on="plan_id", how="inner")
        .with_columns(is_missed=is_missed)
    )
    missed = nw.col("is_missed")
    recent = missed & (nw.col("deadline_day") >= lit(day - YEAR_DAYS))
    return (
        watched.group_by("plan_id")
        .agg(
            nw.col("customer_id").max().cast(nw.Int64).alias("customer_id"),
            nw.col("open_minor").max().cast(nw.Int64).alias("open_minor"),
            n(missed).cast(nw.Int64).alias("missed"),
            n(recent).cast(nw.Int64).alias("missed_12m"),
            (lit(0) - mx(missed, lit(0) - nw.col("deadline_day"))).cast(nw.Int64).alias("defaulted_day"),
        )
        .select(
            nw.col("plan_id").alias("id"),
            "customer_id",
            ((nw.col("missed") == lit(0)) & (nw.col("open_minor") > lit(0))).alias("is_active"),
            "missed_12m",
            "defaulted_day",
        )
    )


def planned_lines(states: Frame, members: Frame) -> Frame:
    """Lines that a plan in good order keeps out of dunning: id, is_planned."""
    active = states.filter(nw.col("is_active")).select(nw.col("id").alias("plan_id"))
    return (
        members.join(active, on="plan_id", how="inner")
        .select(nw.col("due_line_id").alias("id"))
        .unique()
        .with_columns(is_planned=nw.lit(True))
    )


# --- one plan, as values ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watched:
    """One instalment and how it stands: ``kept``, ``missed``, ``open`` (not over yet) or ``void`` (after a default)."""

    due_day: int
    amount_minor: int
    state: str


def watched(
    instalments: Sequence[tuple[int, int]], left_by: Sequence[int], as_of_day: int, tolerance_days: int
) -> list[Watched]:
    """How the instalments of one plan stand.

    Args:
        instalments: (due day, amount), in their order.
        left_by: per instalment, what is left of the lines by its deadline, or by now where that is later.
        tolerance_days: days after its due day on which an instalment is still kept.

    >>> [one.state for one in watched([(10, 60), (20, 40)], [100, 100], 14, 3)]
    ['missed', 'void']
    >>> [one.state for one in watched([(10, 60), (20, 40)], [40, 40], 14, 3)]
    ['kept', 'open']
    """
    total = sum(amount for _due, amount in instalments)
    found: list[Watched] = []
    broken = False
    for (due, amount), so_far, left in zip(
        instalments, accumulate(amount for _due, amount in instalments), left_by, strict=True
    ):
        is_met, is_over = left <= total - so_far, due + tolerance_days < as_of_day
        state = "void" if broken else "kept" if is_met else "missed" if is_over else "open"
        broken = broken or state == "missed"
        found.append(Watched(due, amount, state))
    return found


def schedule(total_minor: int, first_day: int, instalments: int, every: str) -> list[tuple[int, int]]:
    """Equal instalments of a total, the odd units with the first: (due day, amount).

    Args:
        every: one of ``EVERY``; months keep the day of the first where they have it.

    >>> schedule(100, 30, 3, "week")
    [(30, 34), (37, 33), (44, 33)]
    """
    each = total_minor // instalments
    amounts = [total_minor - each * (instalments - 1)] + [each] * (instalments - 1)
    return [(_later(first_day, number, every), amount) for number, amount in enumerate(amounts)]


def _later(first_day: int, number: int, every: str) -> int:
    first = date_of(first_day)
    if every != "month":
        return day_of(first + timedelta(weeks=number * (2 if every == "two_weeks" else 1)))
    months = first.year * 12 + first.month - 1 + number
    year, month = months // 12, months % 12 + 1
    return day_of(date(year, month, min(first.day, monthrange(year, month)[1])))
