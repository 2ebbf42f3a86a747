"""An outlook as its page shows it: steps by week, work by collector, and the customers behind a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from babel.dates import format_skeleton
from flask_babel import gettext as _
from flask_login import current_user

from admin import formatting
from engine import access
from engine.frames import count_of, rows_of
from engine.outlook import WORK, Count, Load, Outlook, Side
from engine.tables import Customer, Entity, User
from ledger.days import date_of
from rules.policies import Step

ROWS_SHOWN = 300  # customers of a cell on the page; the workbook has all of them


@dataclass(frozen=True)
class Pair:
    """A number in force and with the change; the same where there is none."""

    live: int
    then: int

    @property
    def difference(self) -> int:
        """How many more with the change."""
        return self.then - self.live


@dataclass(frozen=True)
class Cell:
    """A number on both sides, and the money it is about."""

    steps: Pair
    about_minor: Pair


@dataclass(frozen=True)
class Line:
    """One row of a table: what it is of, week by week, and in all."""

    key: str
    label: str
    scenario: str
    weeks: tuple[Cell, ...]

    @property
    def total(self) -> Cell:
        """All weeks together."""
        return _sum(self.weeks)


@dataclass(frozen=True)
class Channel:
    """The steps of one channel."""

    channel: str
    label: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Line:
        """All its steps together."""
        weeks = tuple(_sum([line.weeks[n] for line in self.lines]) for n in range(len(self.lines[0].weeks)))
        return Line("", self.label, "", weeks)


@dataclass(frozen=True)
class Collected:
    """What one collector gets, week by week, on both sides."""

    key: str
    name: str
    weeks: tuple[tuple[Load, Load], ...]
    over: tuple[bool, bool]


@dataclass(frozen=True)
class Week:
    """What else a week brings, on both sides."""

    label: str
    first: int
    last: int
    held: Pair
    newly_held: Pair
    released: Pair
    proposed: Pair
    taken: Pair
    gated: Pair


def _sum(cells: Any) -> Cell:
    found = list(cells)
    return Cell(
        Pair(sum(c.steps.live for c in found), sum(c.steps.then for c in found)),
        Pair(sum(c.about_minor.live for c in found), sum(c.about_minor.then for c in found)),
    )


@dataclass
class Shown:
    """An outlook in the reader's words.

    Args:
        both: whether there is a change to compare with.
    """

    outlook: Outlook
    entity: Entity

    @property
    def both(self) -> bool:
        """Whether there is a change to compare with."""
        return self.outlook.changed is not None

    @property
    def sides(self) -> tuple[Side, Side]:
        """In force and with the change; twice the same without one."""
        return self.outlook.live, self.outlook.changed or self.outlook.live

    @cached_property
    def weeks(self) -> tuple[Week, ...]:
        """Week by week what else happens."""
        live, then = (side.weeks() for side in self.sides)
        return tuple(_week(a, b) for a, b in zip(live, then, strict=True))

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The steps, channel by channel: messages first, then what people do."""
        live, then = self.sides
        counts = live.counts(), then.counts()
        steps = {**live.steps, **then.steps}
        found: dict[str, list[Line]] = {}
        for key, channel in sorted({(key, channel) for side in counts for key, channel, _week in side}):
            cells = tuple(
                _cell(*(side.get((key, channel, week), Count()) for side in counts)) for week in range(len(self.weeks))
            )
            found.setdefault(channel, []).append(Line(key, self.step_label(key), scenario_of(steps, key), cells))
        order = [*(name for name in found if name not in WORK), *(name for name in WORK if name in found)]
        for lines in found.values():
            lines.sort(key=lambda line: (*_order(steps, line.key), line.key))
        return tuple(Channel(name, channel_label(name), tuple(found[name])) for name in order)

    @property
    def total(self) -> Line:
        """Every step together."""
        weeks = tuple(
            _sum([channel.total.weeks[n] for channel in self.channels]) if self.channels else _sum([])
            for n in range(len(self.weeks))
        )
        return Line("", _("All steps"), "", weeks)

    @property
    def customers(self) -> Pair:
        """How many customers any step is about."""
        live, then = self.sides
        return Pair(live.customers(), then.customers())

    @cached_property
    def days(self) -> tuple[tuple[int, Pair], ...]:
        """Steps that begin day by day."""
        live, then = (side.by_day() for side in self.sides)
        return tuple((day.day, Pair(live[day.day], then[day.day])) for day in self.outlook.live.days)

    @cached_property
    def collectors(self) -> tuple[Collected, ...]:
        """The work of each collector; customers without one come last."""
        live, then = (side.loads() for side in self.sides)
        cap = int(self.entity.daily_cap)
        names = self.collector_names
        rows = []
        for who in {collector for collector, _week in (*live, *then)}:
            weeks = tuple((live.get((who, n), Load()), then.get((who, n), Load())) for n in range(len(self.weeks)))
            over = (any(one.most > cap for one, _ in weeks), any(two.most > cap for _, two in weeks))
            rows.append((who is None, names.get(who, ""), Collected("" if who is None else str(who), "", weeks, over)))
        rows.sort(key=lambda row: (row[0], row[1], row[2].key))
        return tuple(
            Collected(one.key, name or _("Unassigned"), one.weeks, one.over) for _unassigned, name, one in rows
        )

    @cached_property
    def collector_names(self) -> dict[int | None, str]:
        """Names of those who collect, by id."""
        ids = {who for side in self.sides for who, _week in side.loads() if who is not None}
        return {user.id: str(user.name or user.email) for user in User.select().where(User.id.in_(list(ids)))}

    def step_label(self, key: str) -> str:
        """What the policy that has a step calls it."""
        for side in reversed(self.sides):
            step, _scenario = side.steps.get(key, (None, ""))
            if step is not None and step.label:
                return _(step.label)
        return formatting.title(key)

    def behind(self, cell: Mapping[str, Any], most: int | None = ROWS_SHOWN) -> tuple[int, list[dict[str, Any]]]:
        """The steps behind a number: how many, and the first of them with their customers."""
        wanted = dict(cell)
        side = self.outlook.sides.get(wanted.pop("side", "live"), self.outlook.live)
        rows = side.rows(**wanted)
        found = rows_of(rows if most is None else rows.head(most))
        named = _customers([row["customer_id"] for row in found])
        for row in found:
            row["customer"] = named.get(row["customer_id"])
        return count_of(rows), found


CHUNK = 900


def _customers(ids: list[int]) -> dict[int, Customer]:
    found: dict[int, Customer] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), CHUNK):
        query = access.visible_to(
            current_user.id, Customer.select().where(Customer.id.in_(wanted[start : start + CHUNK]))
        )
        found |= {customer.id: customer for customer in query}
    return found


def _cell(live: Count, then: Count) -> Cell:
    return Cell(Pair(live.steps, then.steps), Pair(live.about_minor, then.about_minor))


def _week(live: Any, then: Any) -> Week:
    def pair(name: str) -> Pair:
        return Pair(*(sum(int(getattr(day, name)) for day in days) for days in (live, then)))

    first, last = live[0].day, live[-1].day
    return Week(
        label=week_label(first, last),
        first=first,
        last=last,
        held=Pair(live[-1].held, then[-1].held),
        **{name: pair(name) for name in ("newly_held", "released", "proposed", "taken", "gated")},
    )


def week_label(first: int, last: int) -> str:
    """A week by its first and last day."""
    return f"{short_day(first)} – {short_day(last)}"


def short_day(day: int) -> str:
    """A day without its year: ``1 Apr``."""
    return str(format_skeleton("MMMd", date_of(day), locale=formatting.locale()))


def scenario_of(steps: Mapping[str, tuple[Step, str]], key: str) -> str:
    """What the scenario of a step is called."""
    return formatting.title(steps[key][1]) if key in steps else ""


def _order(steps: Mapping[str, tuple[Step, str]], key: str) -> tuple[int, int]:
    """By level and day; a step that no policy has any more comes first."""
    return (steps[key][0].level, steps[key][0].days) if key in steps else (-1, 0)


def channel_label(channel: str) -> str:
    """Several of a channel."""
    words = {"email": _("E-mails"), "letter": _("Letters"), "call": _("Calls"), "task": _("Tasks")}
    return words.get(channel, formatting.title(channel))


def shown(outlook: Outlook, entity: Entity) -> Shown:
    """Prepare an outlook for its page."""
    return Shown(outlook, entity)


def read_cell(arguments: Any) -> dict[str, Any]:
    """Which number an address names; what it does not name counts all."""
    found: dict[str, Any] = {"side": "then" if arguments.get("side") == "then" else "live"}
    for name in ("week", "day"):
        value = arguments.get(name, type=int)
        if value is not None:
            found[name] = value
    for name in ("step", "channel"):
        if arguments.get(name):
            found[name] = str(arguments[name])
    if "collector" in arguments:
        found["collector"] = arguments.get("collector", type=int)
    return found
