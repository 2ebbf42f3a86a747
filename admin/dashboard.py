"""The dashboard: one screen of one entity, every figure a way to the rows behind it."""

from dataclasses import dataclass
from typing import Any

from flask import request
from flask_login import current_user
from peewee import fn

from admin import figures, gate
from admin.figures import Portfolio
from admin.signs import alarms_of, few, signs
from engine import access
from engine.alerts import State, in_state
from engine.desk import unassigned_customers
from engine.tables import Action, Alarm, Alert, Customer, Entity, Outcome, Run
from engine.verify import latest
from ledger.kpis import dso_simple_days_e2

BUCKETS = (
    ("0", "not_due_minor", "not_due"),
    ("1", "d1_30_minor", "d1_30"),
    ("2", "d31_60_minor", "d31_60"),
    ("3", "d61_90_minor", "d61_90"),
    ("4", "d90_over_minor", "d90_over"),
    ("x", "no_due_date_minor", "no_due_date"),
)
DSO_DAYS = 91  # the window of turnover_3m
TOP_ROWS = 8
VERIFIED_HOURS_MAX = 26  # a night and two hours
CLASSES = ("A", "B", "C", "D", "E")


@dataclass(frozen=True)
class Days:
    """Days sales outstanding, in hundredths of a day; None when there is nothing to divide by."""

    dso_e2: int | None
    best_e2: int | None


@dataclass(frozen=True)
class Verified:
    """The last verification, as the dashboard says it.

    Args:
        state: good | failed | old (well, but too long ago) | never.
        at: when it ended, microseconds UTC.
        problems: how many it found.
    """

    state: str
    at: int | None = None
    problems: int = 0


@dataclass(frozen=True)
class Count:
    """So many customers with one outcome."""

    value: str
    customers: int


def chosen_entity() -> Entity | None:
    """The entity asked for, or the first one the reader sees."""
    entities = signs().entities
    wanted = request.args.get("entity", "")
    return next((e for e in entities if e.code == wanted), entities[0] if entities else None)


def days_of(portfolio: Portfolio) -> Days:
    """DSO and best possible DSO over the last 91 days of turnover."""
    sales = portfolio.sums.get("turnover_3m_minor", 0)
    return Days(
        dso_e2=dso_simple_days_e2(balance(portfolio), sales, DSO_DAYS),
        best_e2=dso_simple_days_e2(portfolio.sums.get("not_due_minor", 0), sales, DSO_DAYS),
    )


def balance(portfolio: Portfolio) -> int:
    """What customers owe in all, credits and unapplied payments taken off."""
    sums = portfolio.sums
    return sums.get("open_minor", 0) - abs(sums.get("credits_minor", 0)) - abs(sums.get("unapplied_minor", 0))


def share_bp(part: int, whole: int) -> int | None:
    """A share in basis points, half up; None of nothing."""
    return None if whole <= 0 else (20_000 * part + whole) // (2 * whole)


def verified() -> Verified:
    """What the last verification found, and whether it is too old to count."""
    last = latest()
    if last is None:
        return Verified("never")
    at, problems = int(last.finished_at), int(last.problems)
    old = gate.runtime().now_at() - at > VERIFIED_HOURS_MAX * 3_600_000_000
    return Verified("failed" if problems else "old" if old else "good", at, problems)


def values() -> dict[str, Any]:
    """What the dashboard's template needs."""
    entity = chosen_entity()
    if entity is None:
        return {"entity": None}
    user, runtime = current_user.id, gate.runtime()
    found = figures.portfolio(runtime, entity, user)
    return {
        "entity": entity,
        "entities": signs().entities,
        "portfolio": found,
        "run": _last_run(entity, user),
        "work": _work(entity, user),
        "verified": verified(),
        **({} if found is None else _figures(found, entity, user)),
    }


def _figures(found: Portfolio, entity: Entity, user: int) -> dict[str, Any]:
    sums = found.sums
    amounts = {fact: sums.get(fact, 0) for _tone, fact, _name in BUCKETS}
    debits = sum(amounts.values())
    ranked = figures.top(gate.runtime(), entity, user, "overdue_minor", TOP_ROWS)
    names = {c.id: c for c in Customer.select().where(Customer.id.in_([row["customer_id"] for row in ranked]))}
    return {
        "buckets": [
            (tone, name, sums.get(fact, 0), share_bp(sums.get(fact, 0), debits)) for tone, fact, name in BUCKETS
        ],
        "debits": debits,
        "balance": balance(found),
        "overdue_share_bp": share_bp(sums.get("overdue_minor", 0), debits),
        "late_90_bp": share_bp(sums.get("d90_over_minor", 0), debits),
        "days": days_of(found),
        "limit_used_bp": share_bp(found.exposed_minor, found.limits_minor),
        "top": [(names[row["customer_id"]], row) for row in ranked if row["customer_id"] in names],
        "classes": _classes(entity, user),
    }


def _classes(entity: Entity, user: int) -> list[Count]:
    query = Outcome.select(Outcome.risk_class, fn.COUNT(Outcome.customer)).where(Outcome.entity_id == entity.id)
    if not access.sees_whole_entity(user, entity.id):
        query = access.visible_to(user, query.join(Customer))
    counted = {value or "?": number for value, number in query.group_by(Outcome.risk_class).tuples()}
    order = [*CLASSES, *sorted(set(counted) - set(CLASSES))]
    return [Count(value, counted[value]) for value in order if value in counted]


def _work(entity: Entity, user: int) -> dict[str, Any]:
    actions = Action.select(Action.id).join(Customer).where(Action.entity_id + 0 == entity.id)
    mine = access.visible_to(user, actions, in_order=True)
    outcomes = Outcome.select(Outcome.customer).join(Customer).where(Outcome.entity_id + 0 == entity.id)
    held = access.visible_to(user, outcomes, in_order=True)
    letters = mine.where(Action.channel.not_in(("call", "task")))
    raised = Alert.select(Alert.id).join(Customer).where(Alert.entity_id == entity.id)
    alerts = access.visible_to(user, raised, in_order=True)
    day = gate.runtime().today(entity)
    return {
        "held": few(held.where(Outcome.hold == True)),  # noqa: E712
        "waiting": few(letters.where(Action.state == "waiting")),
        "doubt": few(letters.where(Action.state.in_(("uncertain", "failed")))),
        "alerts": few(alerts.where(in_state(State.OPEN, day))),
        "unassigned": few(unassigned_customers(user).where(Customer.entity + 0 == entity.id).select(Customer.id)),
        "diary": few(mine.where(Action.state == "open", Action.due_day <= day)),
        "alarms": list(alarms_of(user).where(Alarm.acknowledged_at.is_null()).order_by(Alarm.id.desc()).limit(4)),
    }


def _last_run(entity: Entity, user: int) -> Run | None:
    """The latest portfolio run, whose counters only those may see who see the whole entity."""
    if not access.sees_whole_entity(user, entity.id):
        return None
    found: Run | None = (
        Run.select()
        .where(Run.entity == entity, Run.kind != "event")
        .order_by(Run.as_of_day.desc(), Run.id.desc())
        .first()
    )
    return found
