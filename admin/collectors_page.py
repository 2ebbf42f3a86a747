"""Collectors: work done, promises kept, cash after contact, beside a hold-out; by collector and period."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import formatting, gate
from admin.dashboard import chosen_entity
from admin.desk_forms import workers
from admin.sheet import add_sheet, amount, saved, sent
from admin.signs import signs
from engine.collector_measures import PERIOD_DAYS_MAX, Measures, Period, after_days, measures
from engine.known import chunks
from engine.tables import Customer, User
from ledger.days import day_of

blueprint = Blueprint("collectors", __name__, url_prefix="/collectors")
DAYS_FIRST = 28
ROWS_SHOWN = 500
KINDS = ("call", "reached", "task", "message", "skipped", "promises", "kept", "broken", "open", "cash")


@dataclass
class Line:
    """What one collector did.

    Args:
        counts: pieces of work by kind.
        kept, broken, open: count and amount in minor units, of promises in the base currency.
    """

    name: str
    user: int
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("call", "reached", "task", "message", "skipped"), 0)
    )
    promises: dict[str, list[int]] = field(default_factory=lambda: {"kept": [0, 0], "broken": [0, 0], "open": [0, 0]})
    contacts: int = 0
    cash_minor: int = 0
    payments: int = 0

    @property
    def kept_bp(self) -> tuple[int | None, int | None]:
        """Share of the promises that were due which were kept: by count, by amount."""
        return tuple(_share(self.promises["kept"][at], self.promises["broken"][at]) for at in (0, 1))  # type: ignore[return-value]


def _share(part: int, rest: int) -> int | None:
    return None if part + rest == 0 else (20_000 * part + part + rest) // (2 * (part + rest))


def lines_of(found: Measures) -> list[Line]:
    """A line each, by name."""
    currency = str(found.period.entity.currency)
    users = {*(one.by for one in found.work), *(one.by for one in found.promises), *(one.by for one in found.followed)}
    names = dict(User.select(User.id, User.name).where(User.id.in_(sorted(users))).tuples())
    lines = {user: Line(names.get(user, "?"), user) for user in users}
    for piece in found.work:
        line = lines[piece.by]
        line.counts[piece.kind] += 1
        line.counts["reached"] += piece.reached and piece.kind == "call"
        line.contacts += piece.reached
    for promise in found.promises:
        if promise.currency == currency:
            lines[promise.by].promises[promise.state][0] += 1
            lines[promise.by].promises[promise.state][1] += promise.amount_minor
    for payment in found.followed:
        lines[payment.by].cash_minor += payment.amount_minor
        lines[payment.by].payments += 1
    return sorted(lines.values(), key=lambda line: (line.name.lower(), line.user))


@blueprint.get("/")
@gate.needs("collectors.view")
def page() -> ResponseReturnValue:
    """The measures of a period."""
    period = asked()
    found = None if period is None else measures(gate.runtime(), period, current_user.id)
    return render_template(
        "console/collectors.html",
        period=period,
        found=found,
        lines=[] if found is None else lines_of(found),
        entities=signs().entities,
        people=workers() if sees_all() else [],
        arguments={} if period is None else _arguments(period),
    )


@blueprint.get("/rows")
@gate.needs("collectors.view")
def rows() -> ResponseReturnValue:
    """The rows behind a figure."""
    period, what = asked(), request.args.get("what", "")
    if period is None or what not in KINDS:
        abort(404)
    found = measures(gate.runtime(), period, current_user.id)
    cells = list(_rows(found, what))
    return render_template(
        "console/collector_rows.html",
        period=period,
        what=what,
        rows=cells[:ROWS_SHOWN],
        many=len(cells),
        arguments=_arguments(period),
    )


@blueprint.get("/xlsx")
@gate.needs("collectors.view")
def workbook() -> ResponseReturnValue:
    """All of it as an Excel file."""
    period = asked()
    if period is None:
        abort(404)
    found = measures(gate.runtime(), period, current_user.id)
    name = f"dunwell-collectors-{period.entity.code}-{formatting.iso(period.from_day)}.xlsx"
    return sent(_written(found), name)


def sees_all() -> bool:
    """Whether the reader sees every collector's figures, not only their own."""
    return gate.may("work.assign") or gate.may("audit.view")


def asked() -> Period | None:
    """The period the address asks for; the last four weeks where it names none."""
    entity = chosen_entity()
    if entity is None:
        return None
    today = gate.runtime().today(entity)
    until = min(_day("until", today), today + 1)
    first = max(min(_day("from", until - DAYS_FIRST), until - 1), until - PERIOD_DAYS_MAX)
    word = request.args.get("collector", "")
    collector = int(word) if word.isdigit() else None
    return Period(
        entity=entity,
        from_day=first,
        until_day=until,
        collector=collector if sees_all() else current_user.id,
        after_days=after_days(gate.runtime(), entity),
    )


def _day(name: str, otherwise: int) -> int:
    try:
        return day_of(date.fromisoformat(request.args.get(name, "")))
    except ValueError:
        return otherwise


def _arguments(period: Period) -> dict[str, Any]:
    kept = {"entity": period.entity.code, "from": formatting.iso(period.from_day)}
    kept |= {"until": formatting.iso(period.until_day)}
    return kept if period.collector is None else {**kept, "collector": str(period.collector)}


@dataclass(frozen=True)
class Cell:
    """A row behind a figure: whose, of which customer, when, what, and how much in minor units."""

    by: str
    customer: Customer
    day: int
    what: str
    amount_minor: int | None = None
    currency: str = ""
    action: int | None = None


def _rows(found: Measures, what: str) -> Iterable[Cell]:
    names = dict(User.select(User.id, User.name).tuples())
    wanted = {*(one.customer for one in found.work), *(one.customer for one in found.promises)}
    customers: dict[int, Customer] = {}
    for some in chunks(sorted(wanted | {one.customer for one in found.followed})):
        customers.update({one.id: one for one in Customer.select().where(Customer.id.in_(some))})
    currency = str(found.period.entity.currency)
    if what == "cash":
        for paid in found.followed:
            said = _("paid after the contact of %(day)s", day=formatting.day_text(paid.contact_day))
            yield Cell(names[paid.by], customers[paid.customer], paid.day, said, paid.amount_minor, currency)
    elif what in ("promises", "kept", "broken", "open"):
        for one in found.promises:
            if what in ("promises", one.state):
                said = formatting.title(one.state)
                yield Cell(
                    names[one.by], customers[one.customer], one.promised_day, said, one.amount_minor, one.currency
                )
    else:
        for piece in found.work:
            if what == piece.kind or (what == "reached" and piece.kind == "call" and piece.reached):
                said = formatting.title(piece.result) if piece.kind != "skipped" else _("Skipped")
                yield Cell(names[piece.by], customers[piece.customer], piece.day, said, action=piece.action)


def _written(found: Measures) -> bytes:
    book = Workbook(write_only=True)
    currency = str(found.period.entity.currency)
    head = [
        *(_("Collector"), _("Calls"), _("Reached"), _("Tasks"), _("Messages let go"), _("Skipped")),
        *(_("Promises kept"), _("Promises broken"), _("Promises open"), _("Contacts"), _("Payments after contact")),
        _("Cash after contact"),
        _("Currency"),
    ]
    table = [
        [
            line.name,
            *(line.counts[kind] for kind in ("call", "reached", "task", "message", "skipped")),
            *(line.promises[state][0] for state in ("kept", "broken", "open")),
            line.contacts,
            line.payments,
            amount(line.cash_minor, currency),
            currency,
        ]
        for line in lines_of(found)
    ]
    add_sheet(book, _("Collectors"), table, head)
    columns = [_("Collector"), _("Number"), _("Customer"), _("Day"), _("What"), _("Amount"), _("Currency")]
    for what, title in (
        ("call", _("Calls")),
        ("task", _("Tasks")),
        ("message", _("Messages let go")),
        ("promises", _("Promises")),
        ("cash", _("Payments after contact")),
    ):
        add_sheet(book, title, (_cells(cell) for cell in _rows(found, what)), columns)
    add_sheet(
        book,
        _("Hold-out"),
        _arm_rows(found),
        [_("Ranked"), _("Customers"), _("Overdue"), _("Came in"), _("Share"), _("From"), _("Until")],
    )
    return saved(book)


def _cells(cell: Cell) -> list[Any]:
    paid = None if cell.amount_minor is None else amount(cell.amount_minor, cell.currency)
    day = formatting.iso(cell.day)
    return [cell.by, cell.customer.number, cell.customer.name, day, cell.what, paid, cell.currency]


def _arm_rows(found: Measures) -> Iterable[list[Any]]:
    if found.compared is None:
        return
    currency = str(found.period.entity.currency)
    for name, arm in ((_("with the model"), found.compared.first), (_("by amount alone"), found.compared.second)):
        shares = [
            None if one is None else formatting.percent_text(round(one * 10_000))
            for one in (arm.share, arm.low, arm.high)
        ]
        yield [name, arm.customers, amount(arm.overdue_minor, currency), amount(arm.came_minor, currency), *shares]
