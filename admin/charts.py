"""Charts as values: what is drawn, its data table and its sheet are one thing.

The server draws them as SVG without scripts or inline styles; lines differ by dash and marker, not by colour alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from flask_babel import gettext as _
from markupsafe import Markup

from admin import formatting
from admin.sheet import TITLE_LENGTH_MAX, add_sheet, amount

WIDE, TALL = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 10, 46
MARKS_MAX = 6  # markers of a line
BANDS_MAX = 2  # lines whose interval is shaded; the table has all
STYLES = 6  # of lines; console.css and scores.css know each
TICKS = 5
PLACES = {"share": 4, "figure": 3, "index": 2}


@dataclass(frozen=True)
class Column:
    """A column of a chart's table.

    Args:
        kind: ``text``, ``count``, ``share`` (0 to 1), ``figure``, ``index`` or ``money`` (minor units).
        range: cells are pairs: from, to; two columns of a sheet.
    """

    label: str
    kind: str = "share"
    range: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        points: (x, y) in the units of the axes; a y of None is a gap.
        band: (low, high) at each point; None: no interval.
        style: 0 is the one that is asked about.
        bars: draw the band as bars at the points and no line between them.
    """

    label: str
    points: Sequence[tuple[float, float | None]]
    band: Sequence[tuple[float, float]] | None = None
    style: int = 0
    bars: bool = False

    @property
    def key(self) -> str:
        """The marker beside its name in the legend."""
        return mark(self.style, 17, 6)


@dataclass(frozen=True)
class Axis:
    """An axis: its label with the unit, its range and its ticks as (place, text)."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Chart:
    """A chart, its table and how to read it.

    Args:
        key: of the page and of the file.
        told: what it says in a sentence.
        levels: horizontal lines with their names.
        diagonal: the name of the line from corner to corner; empty: none.
        rows: cells in the order of the columns.
        currency: of money cells.
    """

    key: str
    title: str
    told: str
    across: Axis
    up: Axis
    lines: Sequence[Line]
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    levels: Sequence[tuple[float, str]] = ()
    diagonal: str = ""
    currency: str = ""

    def x(self, value: float) -> float:
        """The place of a value on the drawing."""
        span = (self.across.high - self.across.low) or 1
        return round(LEFT + (value - self.across.low) / span * (WIDE - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """The place of a value on the drawing; what lies beyond the axis is drawn at its end."""
        span = (self.up.high - self.up.low) or 1
        inside = min(max(value, self.up.low), self.up.high)
        return round(TALL - BOTTOM - (inside - self.up.low) / span * (TALL - TOP - BOTTOM), 1)

    def path(self, line: Line) -> str:
        """A line as the path of an SVG, with gaps where a value is unknown."""
        drawn, pen = [], "M"
        for across, up in line.points:
            if up is None:
                pen = "M"
                continue
            drawn.append(f"{pen}{self.x(across)} {self.y(up)}")
            pen = "L"
        return "".join(drawn)

    def band(self, line: Line) -> str:
        """The interval of a line as a closed path; of more than two lines they would hide each other."""
        if line.band is None or line.bars or len(line.band) < 2 or line.style >= BANDS_MAX:
            return ""
        xs = [self.x(across) for across, _up in line.points]
        over = [f"{x} {self.y(high)}" for x, (_low, high) in zip(xs, line.band, strict=True)]
        under = [f"{x} {self.y(low)}" for x, (low, _high) in zip(xs, line.band, strict=True)]
        return "M" + "L".join([*over, *reversed(under)]) + "Z"

    def stems(self, line: Line) -> list[tuple[float, float, float]]:
        """The intervals of single points: x, y of the low and of the high end."""
        if line.band is None or not line.bars:
            return []
        return [
            (self.x(across), self.y(low), self.y(high))
            for (across, _up), (low, high) in zip(line.points, line.band, strict=True)
        ]

    def cells(self, row: Sequence[Any]) -> list[tuple[Column, Markup | str]]:
        """A row of the table with the column of each cell."""
        return [
            (column, _range(value, column.kind) if column.range else cell(value, column.kind, self.currency))
            for column, value in zip(self.columns, row, strict=True)
        ]

    def marks(self, line: Line) -> list[tuple[str, str]]:
        """Markers as paths, each with what it says when pointed at; of a long line only some."""
        known = [(across, up) for across, up in line.points if up is not None]
        step = 1 if line.bars else max(1, -(-len(known) // MARKS_MAX))
        return [
            (mark(line.style, self.x(across), self.y(up)), f"{line.label}: {_number(up, 'share')}")
            for across, up in known[::-1][::step]
        ]


def mark(style: int, x: float, y: float) -> str:
    """The marker of a style around a place: circle, square, triangle, diamond, cross, bar.

    >>> mark(1, 10, 10)
    'M6.5 6.5h7v7h-7Z'
    """
    match style % STYLES:
        case 0:
            return f"M{x - 3.5:g} {y:g}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0Z"
        case 1:
            return f"M{x - 3.5:g} {y - 3.5:g}h7v7h-7Z"
        case 2:
            return f"M{x - 4:g} {y + 3.5:g}h8l-4 -7.5Z"
        case 3:
            return f"M{x - 4.5:g} {y:g}l4.5 -4.5l4.5 4.5l-4.5 4.5Z"
        case 4:
            return f"M{x - 4:g} {y - 1:g}h3v-3h2v3h3v2h-3v3h-2v-3h-3Z"
    return f"M{x - 4:g} {y - 1.5:g}h8v3h-8Z"


def share_axis(label: str, high: float = 1.0, low: float = 0.0) -> Axis:
    """An axis of shares in per cent."""
    parts = 3 if round(10 * (high - low)) in {3, 6} else 4 if round(10 * (high - low)) in {2, 4, 8} else TICKS
    steps = [low + (high - low) * step / parts for step in range(parts + 1)]
    return Axis(label, low, high, [(step, _plain(100 * step, 0)) for step in steps])


def index_axis(label: str, high: float) -> Axis:
    """An axis of plain figures from 0 on."""
    parts = {0.3: 3, 2.0: 4}.get(high, TICKS)
    steps = [high * step / parts for step in range(parts + 1)]
    return Axis(label, 0.0, high, [(step, _plain(step, 1)) for step in steps])


def name_axis(label: str, names: Sequence[str], most: int = 8) -> Axis:
    """An axis of names one after the other; of many only some are written."""
    step = max(1, -(-len(names) // most))
    return Axis(label, -0.5, len(names) - 0.5, [(place, names[place]) for place in range(0, len(names), step)])


def rounded_up(value: float, steps: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)) -> float:
    """The end of an axis of shares that holds a value.

    >>> rounded_up(0.34), rounded_up(0.0)
    (0.4, 0.1)
    """
    return next((step for step in steps if value <= step), steps[-1])


def _plain(value: float, places: int) -> str:
    pattern = "0" + ("." + "0" * places if places else "")
    return str(format_decimal(round(value, places), format=pattern, locale=formatting.locale()))


def _number(value: float, kind: str) -> str:
    return formatting.percent_text(round(10_000 * value)) if kind == "share" else _plain(value, PLACES[kind])


def cell(value: Any, kind: str, currency: str = "") -> Markup | str:
    """A value of a table as the page shows it."""
    if value is None:
        return formatting.NOTHING
    match kind:
        case "text":
            return str(value)
        case "count":
            return formatting.count(value)
        case "money":
            return formatting.money(value, currency)
    return _number(value, kind)


def _range(ends: tuple[float, float] | None, kind: str) -> Markup | str:
    """From where to where, in as few words as a narrow column has room for."""
    if ends is None:
        return formatting.NOTHING
    low, high = (_number(end, kind) for end in ends)
    return f"{low}\u2009\u2013\u2009{high}"


def sheet_cell(value: Any, kind: str, currency: str = "") -> Any:
    """The same for a sheet: numbers stay numbers, shares are in per cent."""
    if value is None or kind in {"text", "count"}:
        return value
    if kind == "money":
        return amount(value, currency)
    if kind == "share":
        return Decimal(round(10_000 * value)).scaleb(-2)
    return Decimal(str(round(value, PLACES.get(kind, 2))))


def add_chart(book: Any, chart: Chart, name: str = "") -> None:
    """Add the table of a chart to a workbook; a sheet's name is short, so it is cut."""
    units = {"share": " %", "money": f" {chart.currency}"}
    head, kinds = [], []
    for column in chart.columns:
        label = column.label + units.get(column.kind, "")
        head += [_("%(what)s, from", what=label), _("%(what)s, to", what=label)] if column.range else [label]
        kinds += [column.kind] * (2 if column.range else 1)
    title = "".join(" " if sign in "[]:*?/\\" else sign for sign in name or chart.title)
    add_sheet(book, title[:TITLE_LENGTH_MAX], (_sheet_row(chart, row, kinds) for row in chart.rows), head)


def _sheet_row(chart: Chart, row: Sequence[Any], kinds: Sequence[str]) -> list[Any]:
    values: list[Any] = []
    for column, value in zip(chart.columns, row, strict=True):
        values += (value or (None, None)) if column.range else [value]
    return [sheet_cell(value, kind, chart.currency) for value, kind in zip(values, kinds, strict=True)]


def with_columns(chart: Chart, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Chart:
    """A chart whose table says more than is drawn."""
    return replace(
        chart,
        columns=[*chart.columns, *columns],
        rows=[[*row, *more] for row, more in zip(chart.rows, rows, strict=True)],
    )


def interval_columns(labels: Iterable[str], kind: str = "share") -> list[Column]:
    """Two columns for each line: the value, and from where to where 95 of 100 draws lie."""
    found = []
    for label in labels:
        found += [Column(label, kind), Column(_("%(what)s, interval", what=label), kind, range=True)]
    return found
