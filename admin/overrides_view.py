"""Overrides of the risk class: what people decided in place of the rules, why, until when, and how often."""

from dataclasses import dataclass
from typing import Any, ClassVar

from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import ModelSelect, fn

from admin import formatting, forms, gate
from admin.console import Choice, Tab
from admin.customers import customer_link
from admin.views import CUSTOMER_FILTERS, OfCustomers
from engine import access
from engine.override_rates import ByReason, Held, Month, by_month, by_reason
from engine.tables import Customer, Override, Run, User

CLASSES = ("A", "B", "C", "D", "E")
COUNTED_MAX = 50_000  # the latest are counted
YEAR_DAYS = 365
OVER = Override.ended_day.is_null(False)
WAITS = (Override.needs_approval == True) & Override.approved_by.is_null()  # noqa: E712


@dataclass(frozen=True)
class Rates:
    """How often, for the page.

    Args:
        months: with the share of customers overridden, in basis points; None where a part of an entity is seen.
    """

    months: list[tuple[Month, int | None]]
    reasons: list[ByReason]

    @property
    def some(self) -> bool:
        """Whether any month has one to draw."""
        return any(one.made or one.held for one, _share in self.months)


def _today() -> int:
    return gate.runtime().today()


def _customers(user: int) -> int | None:
    """Customers of the last run of each entity seen; None where a part of one is seen, since counting takes long."""
    seen = access.visible_entities(user)
    if not all(access.sees_whole_entity(user, entity) for entity in seen):
        return None
    last = Run.select(fn.max(Run.id)).where(Run.entity.in_(seen), Run.state == "done", Run.kind != "event")
    return int(Run.select(fn.sum(Run.customers)).where(Run.id.in_(last.group_by(Run.entity))).scalar() or 0)


def _in_force(query: ModelSelect) -> ModelSelect:
    return query.where(~OVER, ~WAITS, Override.until_day > _today())


def _over(query: ModelSelect) -> ModelSelect:
    return query.where(OVER | (Override.until_day <= _today()))


def _value(row: Override) -> Markup:
    return formatting.badge(forms.override_text(row.value, row.target, row.customer.entity.currency))


class OverridesView(OfCustomers):
    """The queue: what ends next comes first."""

    permission = "customers.view"
    can_view_details = False  # a customer's page has them, with what may be done
    heading = _l("Overrides")
    lead = _l("Risk classes that people set in place of the rules: each with its reason and its end.")
    empty = _l("The rules decide alone.")
    list_template = "console/overrides.html"
    column_list = ("until_day", "customer", "value", "reason", "by", "from_day")
    column_export_list = (*column_list, "approved_by", "ended_day")
    column_labels: ClassVar[dict[str, Any]] = {
        "until_day": _l("Ends"),
        "customer": _l("Customer"),
        "value": _l("Class"),
        "reason": _l("Reason"),
        "by": _l("By"),
        "from_day": _l("Since"),
        "approved_by": _l("Approved by"),
        "ended_day": _l("Ended early"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"until_day": "day", "from_day": "day", "reason": "wrap"}
    sorts: ClassVar[dict[str, Any]] = {"until_day": Override.until_day, "from_day": Override.from_day}
    first_sort = ("until_day", False)
    tabs = (
        Tab("held", _l("In force"), _in_force),
        Tab("waiting", _l("Waits for a second person"), lambda q: q.where(~OVER, WAITS)),
        Tab("over", _l("Over"), _over),
    )
    choices = (
        *CUSTOMER_FILTERS,
        Choice(
            "class",
            _l("Class"),
            lambda q, v: q.where(Override.value == f'"{v}"'),
            lambda: [(one, one) for one in CLASSES],
        ),
        Choice("reason", _l("Reason"), lambda q, v: q.where(Override.reason.contains(v))),
    )
    shown: ClassVar[dict[str, Any]] = {
        "until_day": lambda row: formatting.day(row.until_day),
        "customer": lambda row: customer_link(row.customer),
        "value": _value,
        "by": lambda row: row.by.name,
        "from_day": lambda row: formatting.day(row.from_day),
    }
    plain: ClassVar[dict[str, Any]] = {
        "until_day": lambda row: formatting.iso(row.until_day),
        "customer": lambda row: row.customer.number,
        "value": lambda row: forms.override_text(row.value, row.target, row.customer.entity.currency),
        "by": lambda row: row.by.name,
        "from_day": lambda row: formatting.iso(row.from_day),
        "approved_by": lambda row: row.approved_by_id and User.get_by_id(row.approved_by_id).name,
        "ended_day": lambda row: formatting.iso(row.ended_day),
    }

    def joined(self) -> ModelSelect:
        """Overrides of the risk class with their customer and who made them."""
        query: ModelSelect = (
            Override.select(Override, Customer, User)
            .join(Customer)
            .switch(Override)
            .join(User, on=(Override.by == User.id))
            .where(Override.target == "risk_class")
        )
        return query

    def rates(self) -> Rates:
        """How often, over the last twelve months."""
        user, today = current_user.id, _today()
        customers = _customers(user)
        rows = self.visible().order_by(Override.id.desc()).limit(COUNTED_MAX)
        held = [
            Held(
                row.from_day,
                row.until_day,
                row.ended_day,
                row.reason,
                not row.needs_approval or row.approved_by_id is not None,
            )
            for row in rows
        ]
        months = [(one, round(10_000 * one.held / customers) if customers else None) for one in by_month(held, today)]
        return Rates(months, by_reason(held, today, today - YEAR_DAYS))
