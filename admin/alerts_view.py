"""The list of alerts: what somebody should look at about a customer, with the buttons to settle it."""

from typing import Any, ClassVar

from flask import request
from flask_babel import lazy_gettext as _l

from admin import formatting, gate
from admin.alerts_shown import alert_name, seen, settle_buttons, state_badge, state_now
from admin.console import Choice, Tab
from admin.customers import customer_link
from admin.views import CUSTOMER_FILTERS, OfCustomers
from engine.alerts import State, in_state
from engine.tables import Alert
from rules.documents import shipped


def _codes() -> list[tuple[str, Any]]:
    """Kinds of alerts there have been, those of the shipped policy first."""
    own = [
        rule["then"]["alert"]
        for document in shipped()
        if document.get("stage") == "alert"
        for rule in document["rules"]
    ]
    return [(code, formatting.title(code)) for code in own]


def _in(state: State) -> Any:
    return lambda query: query.where(in_state(state, gate.runtime().today()))


class AlertsView(OfCustomers):
    """What somebody should look at, raised once when it begins."""

    permission = "customers.view"
    can_view_details = False  # the decision that raised it is its page
    heading = _l("Alerts")
    lead = _l("Said once, when it begins to hold; acknowledged or snoozed, it comes up again only when there is news.")
    empty = _l("No alert. Nothing out of the ordinary has begun.")
    column_list = ("alert", "customer", "since_day", "facts", "state", "settle")
    column_export_list = ("alert", "customer", "since_day", "state", "snoozed_until_day", "over_day", "reason")
    column_labels: ClassVar[dict[str, Any]] = {
        "alert": _l("Alert"),
        "customer": _l("Customer"),
        "since_day": _l("Since"),
        "facts": _l("What the rule saw"),
        "state": _l("State"),
        "settle": _l("Settle"),
        "snoozed_until_day": _l("Snoozed until"),
        "over_day": _l("Over since"),
        "reason": _l("Reason"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"since_day": "day", "facts": "wrap"}
    sorts: ClassVar[dict[str, Any]] = {"since_day": Alert.since_day}
    first_sort = ("since_day", True)
    tabs = (
        Tab("open", _l("Open"), _in(State.OPEN)),
        Tab("snoozed", _l("Snoozed"), _in(State.SNOOZED)),
        Tab("acknowledged", _l("Acknowledged"), _in(State.ACKNOWLEDGED)),
        Tab("over", _l("Over"), _in(State.OVER)),
    )
    choices = (
        *CUSTOMER_FILTERS,
        Choice("alert", _l("Alert"), lambda q, v: q.where(Alert.alert == v), _codes),
    )
    shown: ClassVar[dict[str, Any]] = {
        "alert": alert_name,
        "customer": lambda row: customer_link(row.customer),
        "since_day": lambda row: formatting.day(row.since_day),
        "facts": lambda row: seen(row, row.customer.entity.currency),
        "state": state_badge,
        "settle": lambda row: settle_buttons(row, request.full_path.rstrip("?")),
    }
    plain: ClassVar[dict[str, Any]] = {
        "customer": lambda row: row.customer.number,
        "since_day": lambda row: formatting.iso(row.since_day),
        "state": lambda row: state_now(row).value,
        "snoozed_until_day": lambda row: formatting.iso(row.snoozed_until_day),
        "over_day": lambda row: formatting.iso(row.over_day),
    }
