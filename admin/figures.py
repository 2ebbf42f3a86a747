"""Figures of the portfolio as the last run saw them, restricted to what a person may see.

A run keeps the facts of every customer as one frame; sums, rankings and the figures beside a list's
rows are read from it, column by column, so that a million customers are not a million rows of SQL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
from flask import g

from engine import access
from engine.frames import rows_of
from engine.kept_frames import scan_frame
from engine.runtime import Runtime
from engine.tables import Customer, Entity, Run

WITH_FACTS = ("done", "gated", "confirming")
SUMMED = (
    "exposure_minor",
    "open_minor",
    "overdue_minor",
    "overdue_net_minor",
    "not_due_minor",
    "d1_30_minor",
    "d31_60_minor",
    "d61_90_minor",
    "d90_over_minor",
    "no_due_date_minor",
    "credits_minor",
    "unapplied_minor",
    "disputed_minor",
    "promised_minor",
    "turnover_3m_minor",
    "turnover_12m_minor",
)
BESIDE = ("exposure_minor", "overdue_minor", "leader_days_past_due", "utilisation_bp", "credit_limit_minor")


@dataclass(frozen=True)
class Portfolio:
    """The figures of one entity, as far as a person sees it, on one day.

    Args:
        run: whose facts these are.
        customers: how many are counted.
        sums: minor units by fact, of the customers whose amounts are known.
        unknown: customers with amounts that could not be converted (a rate is missing).
        limits_minor: sum of the limits of customers that have one.
        exposed_minor: exposure of those same customers.
        over_limit: how many of them are over it.
    """

    run: Run
    customers: int
    sums: dict[str, int]
    unknown: int
    limits_minor: int
    exposed_minor: int
    over_limit: int


def last_run(entity_id: int) -> Run | None:
    """The latest run of an entity that kept its facts."""
    found: Run | None = (
        Run.select()
        .where(Run.entity == entity_id, Run.kind != "event", Run.state.in_(WITH_FACTS), Run.facts_file.is_null(False))
        .order_by(Run.as_of_day.desc(), Run.id.desc())
        .first()
    )
    return found


def facts_of_run(runtime: Runtime, run: Run, user: int) -> nw.LazyFrame[Any] | None:
    """The facts of a run, only the customers a person may see; None when the frame is gone."""
    try:
        frame = scan_frame(runtime, str(run.facts_file))
    except FileNotFoundError:
        return None
    if access.sees_whole_entity(user, run.entity_id):
        return frame
    return frame.filter(nw.col("customer_id").is_in(_theirs(run.entity_id, user)))


def _theirs(entity_id: int, user: int) -> list[int]:
    """The customers of an entity that a person may see, read once per request."""
    kept: dict[int, dict[int, list[int]]] = g.setdefault("customers_seen", {})
    if user not in kept:
        kept[user] = {}
        for key, entity in access.visible_to(user, Customer.select(Customer.id, Customer.entity)).tuples():
            kept[user].setdefault(entity, []).append(key)
    return kept[user].get(entity_id, [])


def portfolio(runtime: Runtime, entity: Entity, user: int) -> Portfolio | None:
    """Add up an entity's facts; None before its first run."""
    run = last_run(entity.id)
    frame = None if run is None else facts_of_run(runtime, run, user)
    if run is None or frame is None:
        return None
    have = set(frame.collect_schema().names())
    summed = [name for name in SUMMED if name in have]
    limited = nw.col("credit_limit_minor").is_null()
    exposure = nw.col("exposure_minor")
    row = rows_of(
        frame.select(
            *(nw.col(name).sum() for name in summed),
            customers=nw.col("customer_id").count(),
            unknown=exposure.is_null().sum(),
            limits=nw.col("credit_limit_minor").sum(),
            exposed=nw.when(~limited).then(exposure).sum(),
            over=(exposure > nw.col("credit_limit_minor")).sum(),
        )
    )[0]
    return Portfolio(
        run=run,
        customers=int(row["customers"] or 0),
        sums={name: int(row[name] or 0) for name in summed},
        unknown=int(row["unknown"] or 0),
        limits_minor=int(row["limits"] or 0),
        exposed_minor=int(row["exposed"] or 0),
        over_limit=int(row["over"] or 0),
    )


def top(runtime: Runtime, entity: Entity, user: int, fact: str, rows: int) -> list[dict[str, Any]]:
    """The customers with the most of a fact: id, exposure, limit and the fact."""
    run = last_run(entity.id)
    frame = None if run is None else facts_of_run(runtime, run, user)
    if frame is None:
        return []
    names = dict.fromkeys(("customer_id", fact, *BESIDE))
    positive = frame.filter(nw.col(fact) > 0).select(*names)
    return rows_of(positive.sort(fact, "customer_id", descending=[True, False]).head(rows))


def beside(runtime: Runtime, customers: Iterable[Customer], names: Sequence[str] = BESIDE) -> dict[int, dict[str, Any]]:
    """Facts of a few customers from their entities' last runs, by customer id."""
    by_entity: dict[int, list[int]] = {}
    for customer in customers:
        by_entity.setdefault(customer.entity_id, []).append(customer.id)
    found: dict[int, dict[str, Any]] = {}
    for entity_id, keys in by_entity.items():
        run = last_run(entity_id)
        if run is None:
            continue
        try:
            frame = scan_frame(runtime, str(run.facts_file))
        except FileNotFoundError:
            continue
        rows = rows_of(frame.filter(nw.col("customer_id").is_in(keys)).select("customer_id", *names))
        found.update({row["customer_id"]: row for row in rows})
    return found


def ranked(
    runtime: Runtime,
    entities: Iterable[int],
    fact: str,
    *,
    falling: bool,
    at: tuple[Any, Any] | None,
    positive: bool,
    only: Sequence[int] | None,
    rows: int,
) -> list[tuple[int, int | None]]:
    """Customer ids in the order of a fact, from a position on.

    Args:
        falling: greatest first.
        at: (value, customer id) after which to begin.
        positive: leave out customers with nothing of it.
        only: ids to choose from; None for all.
        rows: how many at most.

    Returns:
        (customer id, value) pairs; ties by id, unknown values left out.
    """
    found: list[tuple[int, int | None]] = []
    for entity_id in entities:
        run = last_run(entity_id)
        if run is None:
            continue
        try:
            frame = scan_frame(runtime, str(run.facts_file)).select("customer_id", fact)
        except FileNotFoundError:
            continue
        value, key = nw.col(fact), nw.col("customer_id")
        frame = frame.filter(value > 0) if positive else frame.filter(~value.is_null())
        if only is not None:
            frame = frame.filter(key.is_in(only))
        if at is not None and isinstance(at[0], int) and isinstance(at[1], int):
            further = key < at[1] if falling else key > at[1]
            past = value < at[0] if falling else value > at[0]
            frame = frame.filter(past | ((value == at[0]) & further))
        order = frame.sort(fact, "customer_id", descending=[falling, falling])
        found += [(row["customer_id"], row[fact]) for row in rows_of(order.head(rows))]
    found.sort(key=lambda pair: (pair[1] or 0, pair[0]), reverse=falling)
    return found[:rows]
