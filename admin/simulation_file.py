"""A simulation as an Excel file: figures, matrices, movers, rules, and the customers that change."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from admin import formatting, impact
from admin.changes import outcome_label
from admin.sheet import harmless
from admin.simulation_asked import Asked
from admin.versions import title_of
from engine import moved
from engine.comparison import DECISIVE
from engine.frames import rows_of
from engine.pairing import AFTER, BEFORE, Pair
from engine.tables import Customer
from ledger.money import exponent
from rules.stages import STAGE_NAMES

MIMETYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CUSTOMERS_MAX = 50_000  # in the file; those with the largest exposure
NAMED_AT_ONCE = 500


def workbook(asked: Asked, one: impact.ShownImpact, pair: Pair) -> BytesIO:
    """The file, from its beginning."""
    book = Workbook(write_only=True)
    _summary(book, asked, one)
    _matrices(book, one)
    _movers(book, one)
    _rules(book, one)
    _customers(book, one, pair)
    file = BytesIO()
    book.save(file)
    file.seek(0)
    return file


def _sheet(book: Any, title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    cells = []
    for name in head:
        cell = WriteOnlyCell(sheet, value=harmless(name))
        cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)
    for row in rows:
        sheet.append([harmless(value.striptags() if isinstance(value, Markup) else value) for value in row])


def _summary(book: Any, asked: Asked, one: impact.ShownImpact) -> None:
    whom = [value for value in (asked.whom.segment, asked.whom.risk_class, asked.whom.portfolio) if value]
    rows: list[Sequence[Any]] = [
        *(
            (_("Change %(n)s", n=n), title_of(document), "", document.sha256)
            for n, document in enumerate(asked.documents, 1)
        ),
        (_("Entity"), one.entity.name),
        (_("Customers"), ", ".join(map(formatting.title, whom)) or _("all"), one.customers),
        (_("Facts of"), formatting.iso(one.as_of_day)),
        (_("To hold from"), asked.from_on),
        (_("Customers touched"), "", one.changed),
        (_("Their exposure"), "", _money(one.changed_minor, one.currency)),
        *(
            (figure.label, _plain(figure, figure.before, one), _plain(figure, figure.after, one))
            for figure in one.figures
        ),
        *((_("Begins: %(step)s", step=step.label), step.before, step.after) for step in one.steps),
        *((_("Worklist of %(name)s", name=work.name), *work.worklist) for work in one.work),
        *((_("Calls and tasks of %(name)s", name=work.name), *work.work) for work in one.work if any(work.work)),
        *((_("Open already with %(name)s", name=work.name), work.diary, work.diary) for work in one.work if work.diary),
        (_("sha256 of all outcomes"), "", "", one.outcomes_sha256),
    ]
    _sheet(book, _("Summary"), (_("What"), _("Now"), _("Then"), _("Version")), rows)


def _matrices(book: Any, one: impact.ShownImpact) -> None:
    rows = []
    for stage in one.stages:
        for row in stage.rows:
            for column, cell in zip(stage.columns, row.cells, strict=True):
                if cell.customers:
                    money = _money(cell.exposure_minor, one.currency)
                    rows.append((stage.label, row.label, column, cell.customers, money, one.currency))
    _sheet(book, _("Matrices"), (_("Stage"), _("Now"), _("Then"), _("Customers"), _("Exposure"), _("Currency")), rows)


def _movers(book: Any, one: impact.ShownImpact) -> None:
    rows = []
    for stage in one.stages:
        for who in stage.movers:
            money = _money(who.exposure_minor, one.currency)
            rows.append((stage.label, who.customer.number, who.customer.name, who.before, who.after, money))
    head = (_("Stage"), _("Number"), _("Customer"), _("Now"), _("Then"), _("Exposure"))
    _sheet(book, _("Movers"), head, rows)


def _rules(book: Any, one: impact.ShownImpact) -> None:
    rows = [
        (stage.label, hit.label, hit.before, hit.after, _("never") if hit.after == 0 else "")
        for stage in one.stages
        for hit in stage.hits
    ]
    _sheet(book, _("Rules"), (_("Stage"), _("Rule"), _("Now"), _("Then"), _("Remark")), rows)


def _customers(book: Any, one: impact.ShownImpact, pair: Pair) -> None:
    stages = [stage for stage in STAGE_NAMES if stage in pair.touched]
    outcomes = [DECISIVE[stage] for stage in stages]
    names = [*(BEFORE + outcome for outcome in outcomes), *(AFTER + outcome for outcome in outcomes)]
    own = moved.moved_rows(pair).select("customer_id", *names)
    ranked = moved.customers_in(pair, moved.Cell()).join(own, on="customer_id", how="inner")
    found = rows_of(ranked.sort("rank", "customer_id", descending=[True, False]).head(CUSTOMERS_MAX))
    head = [_("Number"), _("Customer"), _("Exposure")]
    for outcome in outcomes:
        label = outcome_label(outcome)
        head += [_("%(what)s now", what=label), _("%(what)s then", what=label)]

    def lines() -> Iterable[Sequence[Any]]:
        for start in range(0, len(found), NAMED_AT_ONCE):
            part = found[start : start + NAMED_AT_ONCE]
            query = Customer.select().where(Customer.id.in_([row["customer_id"] for row in part]))
            named = {customer.id: customer for customer in query}
            for row in part:
                customer = named.get(row["customer_id"])
                line = [customer.number, customer.name] if customer is not None else ["", ""]
                line.append(_money(row["exposure_minor"], one.currency))
                for outcome in outcomes:
                    line += [_value(outcome, row[side + outcome], one.currency) for side in (BEFORE, AFTER)]
                yield line
        if one.changed > len(found):
            yield [_("The %(n)s with the largest exposure of %(all)s.", n=len(found), all=one.changed)]

    _sheet(book, _("Customers"), head, lines())


def _value(outcome: str, value: Any, currency: str) -> Any:
    if outcome.endswith("_minor"):
        return _money(value, currency)
    return value


def _plain(figure: impact.ShownFigure, value: int, one: impact.ShownImpact) -> Any:
    return _money(value, one.currency) if figure.is_money else value


def _money(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else Decimal(minor).scaleb(-exponent(currency))
