"""Why a customer's open invoices have the chances they have: reasons with value and usual value."""

from collections.abc import Mapping
from dataclasses import dataclass

from babel.dates import get_day_names
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from openpyxl import Workbook

from admin import formatting, gate
from admin.explanation_page import visible_customer
from admin.sheet import add_sheet, saved, sent
from engine.editions import Unusable
from engine.invoice_whys import whys_of_customer
from engine.tables import DueLine
from scoring.features import THIN_HISTORY_PAID
from scoring.invoice_features import INVOICE_FEATURES, InvoiceFeature
from scoring.invoice_reasons import InvoiceReason
from scoring.open_reasons import Explained
from scoring.reasons import unit_text

blueprint = Blueprint("invoice_whys", __name__, url_prefix="/customers")

BY_NAME: Mapping[str, InvoiceFeature] = {feature.name: feature for feature in INVOICE_FEATURES}
LAST = 5  # payments that late_share_last5_bp looks at
WHOLE_BP = 10_000


@dataclass(frozen=True)
class Told:
    """One invoice and why, as it is shown."""

    number: str
    due_day: int | None
    one: Explained
    reasons: list[tuple[bool, str]]


def reason_words(reason: InvoiceReason, paid_count: int) -> str:
    """One reason in words with value and usual value; what one can count is counted."""
    feature = BY_NAME[reason.feature]
    counted = min(LAST, paid_count)
    if (
        reason.feature == "late_share_last5_bp"
        and None not in (reason.value, reason.usual)
        and counted >= THIN_HISTORY_PAID
    ):
        late, usual = (round((share or 0) * counted / WHOLE_BP) for share in (reason.value, reason.usual))
        return _(
            "%(late)s of the last %(paid)s payments late, usual %(usual)s of %(paid)s",
            late=late,
            paid=counted,
            usual=usual,
        )
    value, usual_value = (_value(feature.unit, number) for number in (reason.value, reason.usual))
    return _("%(label)s: %(value)s, usual %(usual)s", label=_(feature.label), value=value, usual=usual_value)


def _value(unit: str, value: int | None) -> str:
    if unit == "weekday" and value is not None:
        return str(get_day_names("wide", locale=formatting.locale())[value % 7])
    return unit_text(unit, value, _)


@blueprint.get("/<int:customer_id>/chances")
@gate.needs("customers.view")
def chances(customer_id: int) -> ResponseReturnValue:
    """Every open invoice on which nothing was paid yet, likeliest late first."""
    customer = visible_customer(customer_id)
    try:
        found = whys_of_customer(gate.runtime(), customer.entity, customer.id)
    except Unusable as error:
        return render_template("console/chances.html", customer=customer, rows=[], day=None, problem=str(error))
    day, lines = found or (None, [])
    ids = [one.line_id for one in lines]
    known = {row.id: row for row in DueLine.select().where(DueLine.id.in_(ids), DueLine.customer == customer)}
    rows = [
        Told(
            str(known[one.line_id].number),
            known[one.line_id].due_day,
            one,
            [(reason.micro > 0, reason_words(reason, one.paid_count)) for reason in one.reasons],
        )
        for one in lines
        if one.line_id in known
    ]
    if request.args.get("file") == "xlsx":
        return _file(str(customer.number), rows)
    return render_template("console/chances.html", customer=customer, rows=rows, day=day, problem="")


def _file(number: str, rows: list[Told]) -> ResponseReturnValue:
    book = Workbook(write_only=True)
    head = [_("Invoice"), _("Due"), _("Chance to be paid late"), _("Of 100 alike"), _("Points"), _("Why")]
    cells = (
        [
            *(row.number, formatting.iso(row.due_day), formatting.percent_text(row.one.p_late_bp)),
            *(row.one.alike.of_100 if row.one.alike else None, row.one.points),
            "; ".join(("+ " if raises else "- ") + text for raises, text in row.reasons).lstrip("+- "),
        ]
        for row in rows
    )
    add_sheet(book, _("Open invoices"), cells, head)
    return sent(saved(book), f"chances-{number}.xlsx")
