"""How often people decide in place of the rules: overrides of the risk class by month and by reason."""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ledger.days import date_of, day_of

MONTHS = 12
REASONS_MAX = 10


@dataclass(frozen=True, slots=True)
class Held:
    """An override: from a day until before another, ended early or never approved.

    Args:
        counts: whether it took effect at all; one that waits for a second person does not.
    """

    from_day: int
    until_day: int
    ended_day: int | None
    reason: str
    counts: bool = True

    def holds(self, day: int) -> bool:
        """Whether it is in force on a day."""
        end = self.until_day if self.ended_day is None else min(self.until_day, self.ended_day)
        return self.counts and self.from_day <= day < end


@dataclass(frozen=True, slots=True)
class Month:
    """One month.

    Args:
        last_day: of the month, or today in the one that goes on.
        made: overrides that began in it.
        held: in force on its last day.
    """

    last_day: int
    made: int
    held: int


@dataclass(frozen=True, slots=True)
class ByReason:
    """A reason as it was written, blanks and case apart."""

    reason: str
    made: int
    held: int


def by_month(overrides: Sequence[Held], today: int, months: int = MONTHS) -> list[Month]:
    """The months up to today's, the earliest first."""
    on = date_of(today)
    found = []
    for back in range(months - 1, -1, -1):
        number = on.year * 12 + on.month - 1 - back
        year, month = number // 12, number % 12 + 1
        first, last = day_of(date(year, month, 1)), day_of(date(year, month, monthrange(year, month)[1]))
        last = min(last, today)
        made = sum(one.counts and first <= one.from_day <= last for one in overrides)
        found.append(Month(last, made, sum(one.holds(last) for one in overrides)))
    return found


def by_reason(overrides: Iterable[Held], today: int, since: int) -> list[ByReason]:
    """The reasons of those made since a day or still in force, the most frequent first."""
    groups: dict[str, list[Held]] = {}
    for one in overrides:
        if one.from_day >= since or one.holds(today):
            groups.setdefault(" ".join(one.reason.split()).casefold(), []).append(one)
    found = [
        ByReason(ones[0].reason, sum(one.from_day >= since for one in ones), sum(one.holds(today) for one in ones))
        for ones in groups.values()
    ]
    return sorted(found, key=lambda one: (-one.made, -one.held, one.reason))[:REASONS_MAX]
