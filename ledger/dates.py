"""Dates as files write them: formats, and telling the format from a whole column.

``03/01/2012`` alone may be January or March. A column as a whole usually tells; where it
does not, the reader is shown both readings instead of a guess.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from ledger.columns import DAYS_BOUND
from ledger.days import date_of, day_of

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FULL_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
MONTH_NUMBERS = {name: at for names in (MONTHS, FULL_MONTHS) for at, name in enumerate(names, start=1)}
MONTH_NUMBERS["sept"] = 9
CENTURY_TURN = 70  # a two-digit year from here on is of the 1900s
EARLIEST_DAY, LATEST_DAY = 0, DAYS_BOUND

TOKENS = re.compile(r"yyyy|yy|mmm|mm|m|dd|d|hh:mm|[ T./-]+")
PARTS = {
    "yyyy": r"(?P<year>[0-9]{4})",
    "yy": r"(?P<short>[0-9]{2})",
    "mmm": r"(?P<name>[A-Za-z]{3,9})",
    "mm": r"(?P<month>[0-9]{2})",
    "m": r"(?P<month>[0-9]{1,2})",
    "dd": r"(?P<day>[0-9]{2})",
    "d": r"(?P<day>[0-9]{1,2})",
    "hh:mm": r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?",
}
SAMPLE = 200  # cells that say which format a column nearly has
_DATES = (
    *("yyyy-mm-dd", "yyyy/mm/dd", "yyyymmdd", "d.m.yyyy", "d/m/yyyy", "m/d/yyyy", "d-m-yyyy", "m-d-yyyy"),
    *("d-mmm-yyyy", "d-mmm-yy", "d mmm yyyy", "d.m.yy", "d/m/yy", "m/d/yy", "d-m-yy"),
)
_TIMES = ("", " hh:mm", "Thh:mm")


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A way to write a date, such as ``d/m/yyyy``; a time of day is dropped."""

    text: str
    pattern: re.Pattern[str]

    def day(self, text: str) -> int | None:
        """Days since 1970-01-01, or None when the text is not of this format or no such day exists.

        >>> format_of("d.m.yyyy").day("3.1.2012") == format_of("yyyy-mm-dd").day("2012-01-03")
        True
        >>> format_of("d.m.yyyy").day("31.02.2012") is None
        True
        """
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        year = parts.get("year")
        if year is None:
            short = int(parts["short"])
            number = short + (1900 if short >= CENTURY_TURN else 2000)
        else:
            number = int(year)
        name = parts.get("name")
        month = int(parts["month"]) if name is None else MONTH_NUMBERS.get(name.lower(), 0)
        try:
            day = day_of(date(number, month, int(parts["day"])))
        except ValueError:
            return None
        return day if EARLIEST_DAY <= day <= LATEST_DAY else None


def format_of(text: str) -> DateFormat | None:
    """The format a text describes, or None when it describes none.

    >>> format_of("d/m/yyyy").text, format_of("d/m"), format_of("%d")
    ('d/m/yyyy', None, None)
    """
    tokens = TOKENS.findall(text)
    if "".join(tokens) != text or len(text) > 30:
        return None
    kinds = sorted(token[0] for token in tokens if token in PARTS)
    if kinds not in (["d", "m", "y"], ["d", "h", "m", "y"]):
        return None
    return DateFormat(text, re.compile("".join(PARTS.get(token, re.escape(token)) for token in tokens)))


def _candidates() -> tuple[DateFormat, ...]:
    formats = [format_of(day + time) for day in _DATES for time in _TIMES]
    return tuple(one for one in formats if one is not None)


CANDIDATES = _candidates()


ISO_DATE = CANDIDATES[0]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A column whose format the file does not tell.

    Args:
        cell: the cell that shows it.
        readings: two formats that read it differently, or none when no format reads it.
        missed: the format that reads most of the column, where none reads all of it.
    """

    cell: str
    readings: tuple[DateFormat, ...] = ()
    missed: DateFormat | None = None


def detect(columns: Mapping[str, Iterable[str]]) -> dict[str, DateFormat | Unclear]:
    """Tell the format of each column of dates from the file as a whole.

    Args:
        columns: the filled cells of each column whose format is not declared.

    Returns:
        For each column its format, or what is unclear about it. A column that fits several
        formats follows the columns that fit one, when these agree among themselves.

    >>> detect({"on": ["03/01/2012", "23/01/2012"]})["on"].text
    'd/m/yyyy'
    >>> [one.text for one in detect({"on": ["03/01/2012"]})["on"].readings]
    ['d/m/yyyy', 'm/d/yyyy']
    """
    fitting: dict[str, list[DateFormat]] = {}
    found: dict[str, DateFormat | Unclear] = {}
    cells = {name: list(dict.fromkeys(values)) for name, values in columns.items()}
    for name, values in cells.items():
        fits = [one for one in CANDIDATES if all(one.day(cell) is not None for cell in values)]
        if not values:
            found[name] = CANDIDATES[0]
        elif not fits:
            found[name] = _closest(values)
        else:
            fitting[name] = fits
    told = {fits[0].text for fits in fitting.values() if len(fits) == 1}
    for name, fits in fitting.items():
        agreeing = [one for one in fits if one.text in told]
        found[name] = _settle(cells[name], agreeing if len(agreeing) == 1 else fits)
    return found


def _settle(values: list[str], fits: list[DateFormat]) -> DateFormat | Unclear:
    for other in fits[1:]:
        for cell in values:
            if fits[0].day(cell) != other.day(cell):
                return Unclear(cell, readings=(fits[0], other))
    return fits[0]


def _closest(values: list[str]) -> Unclear:
    best, most = None, 0
    for one in CANDIDATES:
        count = sum(one.day(cell) is not None for cell in values[:SAMPLE])
        if count > most:
            best, most = one, count
    cell = next(cell for cell in values if best is None or best.day(cell) is None)
    return Unclear(cell, missed=best)


def in_words(day: int) -> str:
    """A day that cannot be misread.

    >>> in_words(15342)
    '3 January 2012'
    """
    on = date_of(day)
    return f"{on.day} {FULL_MONTHS[on.month - 1].capitalize()} {on.year}"
