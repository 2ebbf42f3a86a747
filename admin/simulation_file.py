"""A simulation as an Excel file: figures, matrices, movers, rules, and the customers that change."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask_babel import gettext as _
from openpyxl import Workbook

from admin import formatting, impact
from admin.changes import outcome_label
from admin.sheet import add_sheet, amount, saved
from admin.simulation_asked import Asked
from admin.versions import title_of
from engine import moved
from engine.comparison import DECISIVE
from engine.frames import rows_of
from engine.pairing import AFTER, BEFORE, Pair
from engine.tables import Customer
from rules.stages import STAGE_NAMES

CUSTOMERS_MAX = 50_000  # in the file; those with the largest exposure
NAMED_AT_ONCE = 500


def workbook(asked: Asked, one: impact.ShownImpact, pair: Pair) -> bytes:
    """The file."""
    book = Workbook(write_only=True)
    _summary(book, asked, one)
    _matrices(book, one)
    _movers(book, one)
    _rules(book, one)
    _customers(book, one, pair)
    return saved(book)


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
        (_("Their exposure"), "", amount(one.changed_minor, one.currency)),
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
    add_sheet(book, _("Summary"), rows, (_("What"), _("Now"), _("Then"), _("Version")))


def _matrices(book: Any, one: impact.ShownImpact) -> None:
    rows = []
    for stage in one.stages:
        for row in stage.rows:
            for column, cell in zip(stage.columns, row.cells, strict=True):
                if cell.customers:
                    money = amount(cell.exposure_minor, one.currency)
                    rows.append((stage.label, row.label, column, cell.customers, money, one.currency))
    add_sheet(
        book, _("Matrices"), rows, (_("Stage"), _("Now"), _("Then"), _("Customers"), _("Exposure"), _("Currency"))
    )


def _movers(book: Any, one: impact.ShownImpact) -> None:
    rows = []
    for stage in one.stages:
        for who in stage.movers:
            money = amount(who.exposure_minor, one.currency)
            rows.append((stage.label, who.customer.number, who.customer.name, who.before, who.after, money))
    head = (_("Stage"), _("Number"), _("Customer"), _("Now"), _("Then"), _("Exposure"))
    add_sheet(book, _("Movers"), rows, head)


def _rules(book: Any, one: impact.ShownImpact) -> None:
    rows = [
        (stage.label, hit.label, hit.before, hit.after, _("never") if hit.after == 0 else "")
        for stage in one.stages
        for hit in stage.hits
    ]
    add_sheet(book, _("Rules"), rows, (_("Stage"), _("Rule"), _("Now"), _("Then"), _("Remark")))


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
                line.append(amount(row["exposure_minor"], one.currency))
                for outcome in outcomes:
                    line += [_value(outcome, row[side + outcome], one.currency) for side in (BEFORE, AFTER)]
                yield line
        if one.changed > len(found):
            yield [_("The %(n)s with the largest exposure of %(all)s.", n=len(found), all=one.changed)]

    add_sheet(book, _("Customers"), lines(), head)


def _value(outcome: str, value: Any, currency: str) -> Any:
    if outcome.endswith("_minor"):
        return amount(value, currency)
    return value


def _plain(figure: impact.ShownFigure, value: int, one: impact.ShownImpact) -> Any:
    return amount(value, one.currency) if figure.is_money else value
