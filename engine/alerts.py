"""Alerts: what somebody should look at about a customer, raised on the edge and settled by a person.

An alert is raised when its rule begins to hold and not again while it goes on holding. A person
acknowledges it, or snoozes it until a day. When it no longer holds it is over, and armed again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from peewee import Expression

from engine.commands import Change, Command, Context, Invalid, NotFound, expect_version, register, update_version
from engine.tables import Alert, Entity
from ledger.canonical import canonical
from ledger.days import date_of
from rules.effects import evaluate, facts_of
from rules.hits import SEPARATOR

if TYPE_CHECKING:
    from engine.decisions import Applying, Verdict

STAGE = "alert"
SNOOZE_DAYS_MAX = 90
ROWS_PER_INSERT = 200


class State(StrEnum):
    """Where an alert stands on a day."""

    OPEN = "open"
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


def codes_of(outcome: object) -> tuple[str, ...]:
    """The alerts in an outcome of the stage, in its order, each once.

    >>> codes_of("over_limit,insolvent"), codes_of(None)
    (('over_limit', 'insolvent'), ())
    """
    return tuple(dict.fromkeys(outcome.split(SEPARATOR))) if isinstance(outcome, str) and outcome else ()


def edges(before: object, after: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The alerts that begin to hold and those that no longer do, between two outcomes.

    >>> edges("a,b", "b,c")
    (('c',), ('a',))
    """
    was, now = codes_of(before), codes_of(after)
    return tuple(code for code in now if code not in was), tuple(code for code in was if code not in now)


def write_edges(applying: "Applying", batch: Sequence["Verdict"], ids: Mapping[int, int]) -> None:
    """Raise and end alerts with the decisions that say so; inside the caller's transaction.

    Args:
        batch: verdicts of the run, confirmed.
        ids: customer -> its decision.
    """
    ended: dict[str, list[int]] = {}
    raised = []
    for verdict in batch:
        begins, ends = edges(verdict.row.get("was_alert"), verdict.decided.outcomes.get(STAGE))
        for code in ends:
            ended.setdefault(code, []).append(verdict.customer_id)
        raised += [_row(applying, verdict, code, ids[verdict.customer_id]) for code in begins]
    for code, customers in sorted(ended.items()):
        under_way = Alert.select(Alert.id, Alert.customer).where(
            Alert.alert == code, Alert.customer.in_(customers), Alert.over_day.is_null()
        )
        for number, customer in list(under_way.tuples()):
            Alert.update(
                over_day=applying.run.as_of_day, over_decision_id=ids[customer], version=Alert.version + 1
            ).where(Alert.id == number).execute()
    for start in range(0, len(raised), ROWS_PER_INSERT):
        Alert.insert_many(raised[start : start + ROWS_PER_INSERT]).execute()


def _row(applying: "Applying", verdict: "Verdict", code: str, decision: int) -> dict[str, Any]:
    seen = {**verdict.row, **verdict.decided.outcomes}
    stage = applying.edition.book.stages[STAGE]
    matched = verdict.decided.matched.get(STAGE, frozenset())
    rules = [
        rule
        for rule in stage.ranked
        if rule.key in matched and STAGE in rule.effects and evaluate(rule.effects[STAGE], seen) == code
    ]
    read = frozenset[str]().union(*(rule.facts | facts_of(rule.effects[STAGE]) for rule in rules))
    return {
        "entity_id": applying.run.entity_id,
        "customer": verdict.customer_id,
        "alert": code,
        "rules": json.dumps([rule.key for rule in rules]),
        "facts": canonical({name: seen.get(name) for name in sorted(read)}),
        "decision": decision,
        "since_day": applying.run.as_of_day,
    }


def state_of(alert: Alert, today: int) -> State:
    """Where an alert stands on a day.

    Args:
        today: the day it is at the customer's entity.
    """
    if alert.over_day is not None:
        return State.OVER
    if alert.acknowledged_at is not None:
        return State.ACKNOWLEDGED
    if alert.snoozed_until_day is not None and alert.snoozed_until_day > today:
        return State.SNOOZED
    return State.OPEN


def in_state(state: State, today: int) -> Expression:
    """The alerts that stand so on a day, as a condition on their rows; agrees with ``state_of``."""
    snoozed = Alert.snoozed_until_day.is_null(False) & (Alert.snoozed_until_day > today)
    awake = Alert.snoozed_until_day.is_null() | (Alert.snoozed_until_day <= today)
    under_way, seen = Alert.over_day.is_null(), Alert.acknowledged_at.is_null(False)
    unseen = under_way & Alert.acknowledged_at.is_null()
    found: Expression = {
        State.OVER: Alert.over_day.is_null(False),
        State.ACKNOWLEDGED: under_way & seen,
        State.SNOOZED: unseen & snoozed,
        State.OPEN: unseen & awake,
    }[state]
    return found


@dataclass(frozen=True, kw_only=True)
class AcknowledgeAlert(Command):
    """Say that somebody has seen an alert; it does not come up again until it has been over.

    Args:
        alert: its id.
        version: of the row the actor saw; None: whatever it is now.
    """

    alert: int
    version: int | None = None


@register(AcknowledgeAlert, permission="alerts.settle", person_only=True)
def acknowledge_alert(context: Context, command: AcknowledgeAlert) -> Change:
    """Acknowledge it, once; a snoozed one too."""
    alert, today = _under_way(context, command.alert, command.version)
    return _settled(
        alert,
        today,
        acknowledged_by=context.actor,
        acknowledged_at=context.at,
        snoozed_until_day=None,
        reason=command.reason,
    )


@dataclass(frozen=True, kw_only=True)
class SnoozeAlert(Command):
    """Let an alert rest until a day, on which it comes up again if it still holds.

    Args:
        alert: its id.
        until_day: after today, at most ``SNOOZE_DAYS_MAX`` days ahead.
        version: of the row the actor saw; None: whatever it is now.
    """

    alert: int
    until_day: int
    version: int | None = None


@register(SnoozeAlert, permission="alerts.settle", person_only=True)
def snooze_alert(context: Context, command: SnoozeAlert) -> Change:
    """Snooze it, or move the day on which it comes up again."""
    alert, today = _under_way(context, command.alert, command.version)
    if not today < command.until_day <= today + SNOOZE_DAYS_MAX:
        raise Invalid.because(
            "until_day",
            f"{date_of(command.until_day)} is not within {SNOOZE_DAYS_MAX} days after today",
            f"choose a day from {date_of(today + 1)} to {date_of(today + SNOOZE_DAYS_MAX)}",
        )
    return _settled(alert, today, snoozed_by=context.actor, snoozed_until_day=command.until_day, reason=command.reason)


def _under_way(context: Context, alert_id: int, version: int | None) -> tuple[Alert, int]:
    """An alert the actor may see and that somebody can still settle, and the day it is there."""
    alert: Alert | None = Alert.get_or_none(Alert.id == alert_id)
    if alert is None:
        raise NotFound(f"no alert {alert_id}")
    context.customer(alert.customer_id)
    expect_version(alert, version)
    today = context.today(Entity.get_by_id(alert.entity_id))
    state = state_of(alert, today)
    if state is State.OVER:
        raise Invalid.because("alert", "is over: it does not hold any more", "there is nothing left to do")
    if state is State.ACKNOWLEDGED:
        raise Invalid.because("alert", "is acknowledged already", "there is nothing left to do")
    return alert, today


def _settled(alert: Alert, today: int, **changes: Any) -> Change:
    before = {"state": state_of(alert, today), "snoozed_until_day": alert.snoozed_until_day}
    update_version(alert, **changes)
    return Change(
        subject_kind="alert",
        subject_id=alert.id,
        before=before,
        after={"state": state_of(alert, today), "snoozed_until_day": alert.snoozed_until_day},
        answer={"alert": alert.id, "version": alert.version},
        entity_id=alert.entity_id,
    )
