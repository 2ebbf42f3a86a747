"""The state of a customer on a day: every fact of the ledger, one row per customer."""

from dataclasses import dataclass

import narwhals as nw

from ledger.account import (
    ACCOUNT_FACTS,
    CREDIT_FACTS,
    EXPOSURE_FACTS,
    LEADER_FACTS,
    charges_open,
    contacts_made,
    customer_blocks,
    group_exposures,
    limits_in_force,
    with_utilisation,
)
from ledger.amounts import AMOUNT_FACTS, AMOUNT_MEASURES, CREDIT_MEASURES, with_base
from ledger.balances import credit_states, live_allocations, settled_lines
from ledger.basis import FRAMES, QUARTER_DAYS, YEAR_DAYS, Basis, Frame, Frames, Keep, unkept
from ledger.behaviour import BEHAVIOUR_FACTS, BEHAVIOUR_MEASURES, PAYMENT_FACTS, with_payment
from ledger.columns import Column, Kind
from ledger.cover import covered_lines, leaders, paused_lines
from ledger.declare import Fact, columns_of, computed
from ledger.disputes import DISPUTE_FACTS, expected_credits, open_disputes
from ledger.expressions import lit
from ledger.external_facts import RATING_FACTS, STATEMENT_FACTS, said_by_others
from ledger.plans import PLAN_FACTS, plan_members, plan_states, planned_lines
from ledger.promises import PROMISE_FACTS, promise_states

__all__ = [
    "CUSTOMER_COLUMNS",
    "FRAMES",
    "QUARTER_DAYS",
    "TECHNICAL",
    "YEAR_DAYS",
    "Basis",
    "Frames",
    "Keep",
    "Parts",
    "booked_rows",
    "customer_facts",
    "facts_of",
    "facts_on",
    "parts_of",
    "unkept",
]

TECHNICAL = ("customer_id", "group_id", "leader_line_id", "leader_due_day")

CUSTOMER_COLUMNS: tuple[Column, ...] = columns_of(
    EXPOSURE_FACTS,
    AMOUNT_FACTS,
    CREDIT_FACTS,
    LEADER_FACTS,
    BEHAVIOUR_FACTS,
    PAYMENT_FACTS,
    PROMISE_FACTS,
    PLAN_FACTS,
    DISPUTE_FACTS,
    ACCOUNT_FACTS,
    RATING_FACTS,
    STATEMENT_FACTS,
)


@dataclass(frozen=True)
class Parts:
    """What both subjects are made of, as of one day: covered lines, credits, promises, plans, disputes."""

    lines: Frame
    credits: Frame
    promises: Frame
    plans: Frame
    disputes: Frame


def parts_of(frames: Frames, basis: Basis, keep: Keep = unkept) -> Parts:
    """Rebuild lines, credits, promises, plans and disputes as of the day of the basis."""
    day = basis.as_of_day
    allocations = keep(live_allocations(frames, day))
    lines = keep(settled_lines(frames, day, allocations))
    credit_rows = keep(credit_states(frames, day, allocations))
    promises = keep(promise_states(frames, basis, allocations, lines, credit_rows))
    members = keep(plan_members(frames, day))
    plans = keep(plan_states(frames, basis, allocations, lines, members))
    disputes = keep(open_disputes(frames, day))
    contested = nw.concat([disputes.select("due_line_id", "amount_minor"), expected_credits(frames, day, allocations)])
    marked = lines.join(planned_lines(plans, members), on="id", how="left")
    covered = covered_lines(basis, marked, credit_rows, promises, contested, paused_lines(frames, day), keep)
    return Parts(keep(with_payment(with_base(covered, basis), basis)), credit_rows, promises, plans, disputes)


def customer_facts(frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """Every fact of the ledger, one row per customer of the customer frame.

    Args:
        frames: the input frames (FRAMES) of one entity. A customer's own rows suffice for
            all but group_exposure_minor, which needs the rows of its group's members.
        basis: the question.
        keep: how a frame that is read more than once is kept.

    Returns:
        TECHNICAL and CUSTOMER_COLUMNS, in that order; rows in no order.
    """
    return facts_of(parts_of(frames, basis, keep), frames, basis, keep)


def facts_of(parts: Parts, frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """``customer_facts`` of parts already rebuilt."""
    return facts_on(booked_rows(parts, frames, basis, keep), frames, basis)


def booked_rows(parts: Parts, frames: Frames, basis: Basis, keep: Keep = unkept) -> Frame:
    """What of the facts neither limits nor contacts change: most of the work, shared by days tried twice."""
    rows = _joined(parts, frames, basis, keep).with_columns(
        *_known_nothing("lines_unknown", (*AMOUNT_FACTS, *BEHAVIOUR_FACTS)),
        *_known_nothing("promises_open", PROMISE_FACTS),
        *_known_nothing("plans_active", PLAN_FACTS),
        *_known_nothing("disputes_open", DISPUTE_FACTS),
        *computed(CREDIT_FACTS, basis),
        # The default of a plan is a broken promise: the step reached comes again.
        days_since_promise_broken=nw.min_horizontal("days_since_promise_broken", "days_since_plan_default"),
    )
    rows = keep(rows.with_columns(*computed(EXPOSURE_FACTS, basis)))
    return rows.join(group_exposures(rows, frames), on="group_id", how="left")


def facts_on(rows: Frame, frames: Frames, basis: Basis) -> Frame:
    """Every fact, from what is booked (``booked_rows``) and the frames of limits and contacts."""
    for beside in (limits_in_force(frames, basis.as_of_day), contacts_made(frames, basis.as_of_day)):
        rows = rows.join(beside, on="customer_id", how="left")
    rows = with_utilisation(rows)
    rest = (*LEADER_FACTS, *ACCOUNT_FACTS)
    names = [column.name for column in CUSTOMER_COLUMNS]
    ready = [name for name in names if name not in {fact.column.name for fact in rest}]
    return rows.select(*TECHNICAL, *ready, *computed(rest, basis)).select(*TECHNICAL, *names)


def _known_nothing(marker: str, facts: tuple[Fact, ...]) -> list[nw.Expr]:
    """Sums and counts of a customer without any row: 0 is known, where a null sum is not."""
    absent = nw.col(marker).is_null()
    names = [fact.column.name for fact in facts if fact.column.kind in {Kind.MONEY, Kind.COUNT}]
    return [nw.when(absent).then(lit(0)).otherwise(nw.col(name)).alias(name) for name in names]


def _joined(parts: Parts, frames: Frames, basis: Basis, keep: Keep) -> Frame:
    """Customers with the aggregates of all their rows beside them."""
    day = basis.as_of_day
    measures = {**AMOUNT_MEASURES, **BEHAVIOUR_MEASURES}
    lines = keep(
        parts.lines.group_by("customer_id").agg(
            *computed((*AMOUNT_FACTS, *BEHAVIOUR_FACTS), basis),
            *(expression.cast(nw.Int64).alias(name) for name, expression in measures.items()),
        )
    )
    credit_rows = (
        basis.with_base(parts.credits, rest_base=nw.col("rest_minor"))
        .group_by("customer_id")
        .agg(
            *computed(PAYMENT_FACTS, basis),
            *(expression.cast(nw.Int64).alias(name) for name, expression in CREDIT_MEASURES.items()),
        )
    )
    earliest = lines.filter(~nw.col("leader_due_day").is_null()).select("customer_id", "leader_due_day")
    beside = (
        lines,
        credit_rows,
        leaders(parts.lines, earliest),
        parts.promises.group_by("customer_id").agg(*computed(PROMISE_FACTS, basis)),
        parts.plans.group_by("customer_id").agg(*computed(PLAN_FACTS, basis)),
        parts.disputes.group_by("customer_id").agg(*computed(DISPUTE_FACTS, basis)),
        customer_blocks(frames, day),
        charges_open(frames, basis),
        said_by_others(frames, basis),
    )
    rows = frames["customer"].select(
        nw.col("id").alias("customer_id"),
        nw.col("customer_group_id").alias("group_id"),
        "country",
        "terms_days",
        "opened_day",
    )
    for part in beside:
        rows = rows.join(part, on="customer_id", how="left")
    return rows
