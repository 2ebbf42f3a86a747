"""An outlook as a workbook: the tables of its page, and every step that begins."""

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _
from openpyxl import Workbook

from admin.forward_shown import Shown
from admin.sheet import add_sheet, amount, saved
from ledger.days import date_of

ROWS_MAX = 200_000  # steps of one side


def workbook(shown: Shown, titles: list[str]) -> bytes:
    """Write all of it.

    Args:
        titles: of the changes.
    """
    book = Workbook(write_only=True)
    add_sheet(book, _("By week"), _by_week(shown))
    add_sheet(book, _("By day"), _by_day(shown))
    add_sheet(book, _("Orders and limits"), _beside(shown))
    add_sheet(book, _("Work"), _work(shown))
    add_sheet(book, _("Steps"), _steps(shown))
    add_sheet(book, _("Assumptions"), _about(shown, titles))
    return saved(book)


def _sides(shown: Shown) -> list[tuple[str, str]]:
    named = [("live", _("In force"))]
    return [*named, ("then", _("With the change"))] if shown.both else named


def _by_week(shown: Shown) -> Iterable[Iterable[Any]]:
    currency = str(shown.entity.currency)
    yield [
        _("Channel"),
        _("Step"),
        _("Side"),
        *(week.label for week in shown.weeks),
        _("In all"),
        f"{_('About')} {currency}",
    ]
    for channel in shown.channels:
        for line in channel.lines:
            for side, name in _sides(shown):
                counts = [getattr(cell.steps, side) for cell in line.weeks]
                money = amount(getattr(line.total.about_minor, side), currency)
                yield [channel.label, line.label, name, *counts, sum(counts), money]


def _by_day(shown: Shown) -> Iterable[Iterable[Any]]:
    sides = _sides(shown)
    yield [_("Day"), *(name for _side, name in sides)]
    for day, pair in shown.days:
        yield [date_of(day).isoformat(), *(getattr(pair, side) for side, _name in sides)]


def _beside(shown: Shown) -> Iterable[Iterable[Any]]:
    yield [
        _("Week"),
        _("Side"),
        _("Orders held"),
        _("Newly held"),
        _("Released"),
        _("Limits proposed"),
        _("Put in force"),
    ]
    for week in shown.weeks:
        for side, name in _sides(shown):
            pairs = (week.held, week.newly_held, week.released, week.proposed, week.taken)
            yield [week.label, name, *(getattr(pair, side) for pair in pairs)]


def _work(shown: Shown) -> Iterable[Iterable[Any]]:
    yield [_("Collector"), _("Week"), _("Side"), _("Messages"), _("Calls and tasks"), _("Most messages in a day")]
    for one in shown.collectors:
        for week, loads in zip(shown.weeks, one.weeks, strict=True):
            for (_side, name), load in zip(_sides(shown), loads, strict=False):
                yield [one.name, week.label, name, load.messages, load.work, load.most]


def _steps(shown: Shown) -> Iterable[Iterable[Any]]:
    currency = str(shown.entity.currency)
    yield [
        *(_("Day"), _("Side"), _("Customer"), _("Name"), _("Step"), _("Channel"), _("Level"), _("Collector")),
        *(f"{label} {currency}" for label in (_("About"), _("Overdue"), _("Leader"))),
    ]
    names = shown.collector_names
    for side, name in _sides(shown):
        for row in shown.behind({"side": side}, ROWS_MAX)[1]:
            customer = row["customer"]
            yield [
                date_of(row["day"]).isoformat(),
                name,
                "" if customer is None else customer.number,
                "" if customer is None else customer.name,
                shown.step_label(row["step"]),
                row["channel"],
                row["level"],
                names.get(row["collector"], ""),
                *(amount(row[f"{name}_minor"], currency) for name in ("about", "overdue", "leader")),
            ]


def _about(shown: Shown, titles: list[str]) -> Iterable[Iterable[Any]]:
    yield [_("Entity"), shown.entity.name]
    yield [_("First day"), date_of(shown.outlook.live.days[0].day).isoformat()]
    yield [_("Last day"), date_of(shown.outlook.live.days[-1].day).isoformat()]
    for title in titles:
        yield [_("Change"), title]
    yield [_("Assumed"), _("Nobody pays, and nothing new is booked.")]
