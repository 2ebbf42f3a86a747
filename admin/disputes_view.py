"""The list of disputes: what is contested, whose it is to solve, until when, and how it ended."""

from typing import Any, ClassVar

from flask import g
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import ModelSelect, fn

from admin import formatting, gate
from admin.console import Choice, Tab
from admin.customers import customer_link
from admin.views import CUSTOMER_FILTERS, OfCustomers, link
from engine import access
from engine.dispute_causes import CAUSES
from engine.disputes import Told, told, with_closings
from engine.tables import Dispute, DisputeClosing, DisputeStep

CLOSED = DisputeClosing.select(DisputeClosing.dispute)


def cause_words(code: str) -> str:
    """What a cause is called; one that is not on the list any more stays as it is."""
    return _(CAUSES[code].label) if code in CAUSES else formatting.title(code)


def state_badge(one: Told) -> Markup:
    """How it stands, in a word."""
    if one.closing is None:
        return formatting.badge("open", _("late") if one.late else _("open"), "hot" if one.late else "warm")
    words = {"accepted": _("accepted"), "rejected": _("rejected"), "withdrawn": _("withdrawn")}
    return formatting.badge("done", words.get(one.state, one.state), "calm")


def disputed_amount(dispute: Dispute) -> Markup:
    """What is disputed, in the line's currency."""
    line = dispute.due_line
    return formatting.money(dispute.amount_minor or line.amount_minor, line.currency)


def _told(row: Dispute) -> Told:
    found: Told = g.disputes[row.id]
    return found


def _of_role(query: ModelSelect, role: str) -> ModelSelect:
    """Whose it is now: as the last change says, else as it was opened."""
    changed = DisputeStep.select(DisputeStep.dispute).where(DisputeStep.kind == "change")
    latest = (
        DisputeStep.select(fn.MAX(DisputeStep.id)).where(DisputeStep.kind == "change").group_by(DisputeStep.dispute)
    )
    theirs = DisputeStep.select(DisputeStep.dispute).where(DisputeStep.id.in_(latest), DisputeStep.owner_role == role)
    first = fn.COALESCE(Dispute.first_id, Dispute.id)
    return query.where((first.not_in(changed) & (Dispute.owner_role == role)) | first.in_(theirs))


class DisputesView(OfCustomers):
    """What customers contest."""

    permission = "customers.view"
    can_view_details = False  # they have a page of their own
    heading = _l("Disputes")
    lead = _l("What customers contest: not dunned while it is open, and once accepted until its credit note comes.")
    empty = _l("Nothing is disputed here.")
    list_template = "console/disputes.html"
    column_list = ("booked_day", "customer", "invoice", "cause", "amount", "hand", "deadline", "state")
    column_export_list = (*column_list, "days", "reason")
    column_labels: ClassVar[dict[str, Any]] = {
        "booked_day": _l("Opened"),
        "customer": _l("Customer"),
        "invoice": _l("Invoice"),
        "cause": _l("Cause"),
        "amount": _l("Disputed"),
        "hand": _l("Whose"),
        "deadline": _l("To be solved by"),
        "state": _l("State"),
        "days": _l("Days"),
        "reason": _l("What is contested"),
    }
    column_kinds: ClassVar[dict[str, str]] = {"booked_day": "day", "deadline": "day", "amount": "amount"}
    sorts: ClassVar[dict[str, Any]] = {"booked_day": Dispute.booked_day}
    first_sort = ("booked_day", True)
    tabs = (
        Tab("open", _l("Open"), lambda q: q.where(Dispute.id.not_in(CLOSED))),
        Tab("closed", _l("Closed"), lambda q: q.where(Dispute.id.in_(CLOSED))),
    )
    choices = (
        *CUSTOMER_FILTERS,
        Choice(
            "cause",
            _l("Cause"),
            lambda q, v: q.where(Dispute.cause == v),
            lambda: [(code, cause_words(code)) for code in CAUSES],
        ),
        Choice("owner", _l("Whose"), _of_role, lambda: [(role, formatting.title(role)) for role in access.ROLES]),
    )
    shown: ClassVar[dict[str, Any]] = {
        "booked_day": lambda row: formatting.day(row.booked_day),
        "customer": lambda row: customer_link(row.customer),
        "invoice": lambda row: link("dispute_pages.page", row.due_line.number, dispute_id=row.id),
        "cause": lambda row: cause_words(row.cause),
        "amount": disputed_amount,
        "hand": lambda row: formatting.title(_told(row).hand.owner_role),
        "deadline": lambda row: formatting.day(_told(row).hand.deadline_day),
        "state": lambda row: state_badge(_told(row)),
    }
    plain: ClassVar[dict[str, Any]] = {
        "booked_day": lambda row: formatting.iso(row.booked_day),
        "customer": lambda row: row.customer.number,
        "invoice": lambda row: row.due_line.number,
        "cause": lambda row: row.cause,
        "amount": lambda row: formatting.whole_units(
            row.amount_minor or row.due_line.amount_minor, row.due_line.currency
        ),
        "hand": lambda row: _told(row).hand.owner_role,
        "deadline": lambda row: formatting.iso(_told(row).hand.deadline_day),
        "state": lambda row: _told(row).state,
        "days": lambda row: _told(row).days,
    }

    def joined(self) -> ModelSelect:
        """Disputes with their line, customer and closing."""
        query: ModelSelect = with_closings()
        return query

    def visible(self) -> ModelSelect:
        """Disputes of customers in the reader's scope."""
        return access.visible_to(current_user.id, self.joined(), in_order=True)

    def prepare(self, rows: list[Any]) -> None:
        """Read what became of all of them at once."""
        super().prepare(rows)
        days = {row.entity_id: gate.runtime().today(row.customer.entity) for row in rows}
        g.disputes = {one.dispute.id: one for one in told(rows, days)}
