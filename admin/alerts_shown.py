"""An alert as the console shows it: what it is about, what its rule saw, where it stands, what can be done."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from markupsafe import Markup

from admin import explaining, formatting, gate
from engine.alerts import State, state_of
from engine.tables import Alert, Customer

TONES = {State.OPEN: "bad", State.SNOOZED: "warm", State.ACKNOWLEDGED: "calm", State.OVER: "good"}
ON_A_CUSTOMER = 6  # alerts on the page of a customer, those under way first


@dataclass(frozen=True)
class Shown:
    """One alert on the page of its customer."""

    alert: Alert
    name: Markup
    facts: Markup
    state: Markup
    settle: Markup


def state_now(alert: Alert) -> State:
    """Where an alert stands today."""
    return state_of(alert, gate.runtime().today())


def seen(alert: Alert, currency: str) -> Markup:
    """What the rules saw, in words."""
    facts: Mapping[str, Any] = json.loads(alert.facts)
    known = {name: value for name, value in facts.items() if value is not None and value is not False}
    lines = [
        Markup('<span class="seen-fact"><span class="quiet">{}</span> {}</span>').format(label, value)
        for label, value, _meaning in explaining.facts_shown(known, currency)
    ]
    return Markup('<span class="seen-facts">{}</span>').format(Markup("").join(lines))


def state_badge(alert: Alert) -> Markup:
    """Where an alert stands, by whom and until when."""
    state = state_now(alert)
    shown = formatting.badge(state.value, tone=TONES[state])
    notes = []
    if state is State.SNOOZED:
        notes.append(_("until %(day)s", day=formatting.day_text(alert.snoozed_until_day)))
    if state is State.OVER:
        notes.append(_("since %(day)s", day=formatting.day_text(alert.over_day)))
    if alert.acknowledged_by_id is not None:
        notes.append(_("by %(name)s", name=alert.acknowledged_by.name))
    elif state is State.SNOOZED and alert.snoozed_by_id is not None:
        notes.append(_("by %(name)s", name=alert.snoozed_by.name))
    if alert.reason:
        notes.append(f"“{alert.reason}”")
    sub = Markup('<span class="sub">{}</span>').format(", ".join(notes)) if notes else Markup("")
    return shown + sub


def settle_buttons(alert: Alert, back: str) -> Markup:
    """What the reader can do about an alert that is under way."""
    if state_now(alert) not in {State.OPEN, State.SNOOZED} or not gate.may("alerts.settle"):
        return Markup("")
    buttons = [
        Markup('<a class="button" href="{}">{}</a>').format(
            url_for("commands.form", name=name, alert=alert.id, version=alert.version, next=back), label
        )
        for name, label in (("AcknowledgeAlert", _("Acknowledge")), ("SnoozeAlert", _("Snooze")))
    ]
    return Markup('<span class="row tight">{}</span>').format(Markup("").join(buttons))


def alert_name(alert: Alert) -> Markup:
    """What an alert is about, leading to the decision that raised it."""
    address = url_for("decisions.decision_page", decision_id=alert.decision_id)
    return Markup('<a class="strong" href="{}">{}</a>').format(address, formatting.title(alert.alert))


def on_customer(customer: Customer, back: str) -> list[Shown]:
    """The alerts of one customer: those under way, then the last ones that are over."""
    query = (
        Alert.select()
        .where(Alert.customer == customer)
        .order_by(Alert.over_day.is_null(False), Alert.id.desc())
        .limit(ON_A_CUSTOMER)
    )
    return [
        Shown(
            alert,
            alert_name(alert),
            seen(alert, customer.entity.currency),
            state_badge(alert),
            settle_buttons(alert, back),
        )
        for alert in query
    ]
