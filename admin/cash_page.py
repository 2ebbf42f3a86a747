"""The cash forecast: thirteen weeks to come with their range, and thirteen gone by beside what came in."""

from typing import Any

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import formatting, gate
from admin.dashboard import chosen_entity
from admin.sheet import add_sheet, amount, saved, sent
from admin.signs import signs
from engine import access
from engine.cash import CashForecast, Week
from engine.kept_cash import kept_cash
from engine.pipeline import last_portfolio_run
from engine.tables import Entity
from ledger.money import exponent

blueprint = Blueprint("cash", __name__, url_prefix="/cash")
FIGURES = ("expected", "typical", "low", "high", "dated", "promised", "came")


@blueprint.get("/")
@gate.needs("reports.view")
def index() -> ResponseReturnValue:
    """Both forecasts of one entity, as the workers kept them."""
    entity = chosen_entity()
    whole = entity is not None and access.sees_whole_entity(current_user.id, entity.id)
    kept = kept_cash(gate.runtime(), entity) if entity is not None and whole else None
    return render_template(
        "console/cash.html",
        entity=entity,
        entities=signs().entities,
        whole=whole,
        kept=kept,
        run=last_portfolio_run(entity) if entity is not None and whole and kept is None else None,
        ahead=kept.ahead if kept else None,
        behind=kept.behind if kept and kept.behind.invoices else None,  # if anything was open then
        bars=[_bars(one, entity) for one in (kept.ahead, kept.behind)] if kept and entity is not None else [],
        heads=_heads(),
        cells=lambda week, past: [getattr(week, name) for name in (FIGURES if past else FIGURES[:-1])],
    )


@blueprint.get("/xlsx")
@gate.needs("reports.view")
def workbook() -> ResponseReturnValue:
    """The same as a workbook."""
    entity = chosen_entity()
    if entity is None or not access.sees_whole_entity(current_user.id, entity.id):
        abort(404)
    book = Workbook(write_only=True)
    head = [_("Week from"), *(f"{label} {entity.currency}" for label in _heads())]
    kept = kept_cash(gate.runtime(), entity)
    for one, title in ((kept.ahead, _("To come")), (kept.behind, _("Gone by"))) if kept else ():
        rows = (
            [formatting.iso(week.begins), *(amount(getattr(week, name), str(entity.currency)) for name in FIGURES)]
            for week in one.weeks
        )
        add_sheet(book, title, rows, head)
    if not book.worksheets:
        add_sheet(book, _("To come"), [], head)
    return sent(saved(book), f"dunwell-cash-{entity.code}.xlsx")


def _heads() -> list[str]:
    return [
        _("Expected"),
        _("Typical week"),
        _("At least"),
        _("At most"),
        _("By due date and promise"),
        _("Promised"),
        _("Came in"),
    ]


def _bars(one: CashForecast, entity: Entity) -> list[tuple[str, int, int]]:
    """Label, expected and what came in, in whole units: of weeks to come the due dates stand beside."""
    unit = 10 ** exponent(str(entity.currency))

    def beside(week: Week) -> Any:
        return week.dated if week.came is None else week.came

    return [
        (formatting.day_text(week.begins)[:6].strip(" ,"), week.expected // unit, beside(week) // unit)
        for week in one.weeks
    ]
