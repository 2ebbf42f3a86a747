"""What a field of several forms offers or begins with."""

from typing import Any

from flask_babel import gettext as _

from admin import formatting, gate
from engine.access import ROLES
from engine.dispute_causes import causes_on
from engine.tables import DueLine
from ledger.days import day_of

LINES_MAX = 200


def yes_no(yes: Any, no: Any) -> Any:
    """Yes or no, in the words of the question."""
    return lambda _subject: [("yes", yes), ("no", no)]


def roles(_subject: Any) -> list[tuple[str, str]]:
    """All roles."""
    return [(role, formatting.title(role)) for role in ROLES]


def lines(subject: Any) -> list[tuple[str, str]]:
    """The customer's due lines, the newest first, or any of them."""
    found = DueLine.select().where(DueLine.customer == subject.id).order_by(DueLine.due_day.desc()).limit(LINES_MAX)
    return [("", _("Any of them"))] + [
        (
            str(line.id),
            f"{line.number} · {formatting.money_text(line.amount_minor, line.currency)} {line.currency}"
            f" · {formatting.day_text(line.due_day)}",
        )
        for line in found
    ]


def one_line(subject: Any) -> list[tuple[str, str]]:
    """The same, one of them."""
    return lines(subject)[1:]


def causes(_subject: Any) -> list[tuple[str, Any]]:
    """What a dispute may be about."""
    return [(code, _(cause.label)) for code, cause in causes_on(gate.runtime().today()).items()]


def today(_subject: Any) -> int:
    """The day."""
    return gate.runtime().today()


def in_days(days: int) -> Any:
    """The day in so many days."""
    return lambda _subject: day_of(gate.runtime().now().date()) + days
