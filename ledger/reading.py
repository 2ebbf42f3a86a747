"""Reading: from the bytes of a file and a mapping to records and problems.

Pure, linear in the size of the file, and it never raises on what a user gives. A file with
one error is not to be posted: whole or nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger import cells
from ledger.cells import shown
from ledger.dates import Unclear, detect, in_words
from ledger.dialect import LIMITS, WHOLE, Limits, grid, problem, warning
from ledger.mapping import RECORDS, ImportMapping, Value
from ledger.problems import Problem, has_errors
from ledger.records import Record, repeated
from ledger.rows import Maker, Sheet, settled


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds.

    Args:
        records: in file order; only to be posted when no problem is an error.
        problems: errors and warnings, by line.
        rows: rows below the heading that are not blank.
        detected: delimiter, encoding, decimal mark and date formats as used, for the preview.
    """

    records: list[Record]
    problems: list[Problem]
    rows: int
    detected: Mapping[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether an error stops the whole file."""
        return has_errors(self.problems)


def read(content: bytes, mapping: ImportMapping, limits: Limits = LIMITS) -> Reading:
    """Read a file.

    Args:
        content: the bytes of the file.
        mapping: what its columns mean.
        limits: how much it may hold.

    Returns:
        Records and problems. Each problem says line, column, what is wrong and the cure.
    """
    wanted = mapping.columns()
    table = grid(content, wanted, mapping.encoding, mapping.delimiter, limits)
    if not table.header or has_errors(table.problems):
        return Reading([], _capped(table.problems, limits), len(table.rows))
    sheet = Sheet(mapping, table)
    _locate(sheet, wanted)
    if not has_errors(sheet.problems):
        _settle_formats(sheet)
    records = [] if has_errors(sheet.problems) else _records(sheet, limits)
    detected = {"encoding": table.encoding, "delimiter": table.delimiter, **sheet.detected()}
    return Reading(records, _capped(sheet.problems, limits), len(table.rows), detected)


def _capped(problems: list[Problem], limits: Limits) -> list[Problem]:
    """At most so many problems, errors first, by line; the last says how many more there are."""
    ordered = sorted(problems, key=lambda one: (one.severity != "error", one.line or 0, one.column or ""))
    if len(ordered) <= limits.problems:
        return ordered
    more = len(ordered) - limits.problems + 1
    ordered[limits.problems - 1 :] = [
        Problem("the file", f"has at least {more} more findings", "cure these first", ordered[-1].severity, 1, WHOLE)
    ]
    return ordered


def _locate(sheet: Sheet, wanted: Sequence[str]) -> None:
    """Find each column of the mapping by its heading, capitals aside."""
    header = sheet.grid.header
    heading_line = 1
    for name in wanted:
        places = [at for at, heading in enumerate(header) if heading == name]
        if not places:
            places = [at for at, heading in enumerate(header) if heading.casefold() == name.casefold()]
        if not places:
            there = ", ".join(heading for heading in header if heading)[:300]
            what = f"the file has no column {name!r}; it has: {there or 'none'}"
            sheet.problems.append(problem(heading_line, name, what, "choose the right file, or change the mapping"))
        elif len(places) > 1:
            what = f"the heading {name!r} stands {len(places)} times"
            sheet.problems.append(problem(heading_line, name, what, "rename or remove all but one"))
        else:
            sheet.at[name] = places[0]
    if not sheet.grid.rows:
        what = "the file has a heading and no rows"
        sheet.problems.append(problem(heading_line, WHOLE, what, "export the period again"))


def _settle_formats(sheet: Sheet) -> None:
    """Take the declared formats of dates and amounts, or tell them from all cells."""
    amounts: list[str] = []
    unclear: dict[str, None] = {}
    for record in sheet.mapping.records:
        for name, source in record.fields.items():
            if source.column is None:
                continue
            value = RECORDS[record.kind][name].value
            if value is Value.MONEY:
                amounts.append(source.column)
            elif value is Value.DAY:
                declared = source.date_formats or sheet.mapping.date_formats
                if declared:
                    sheet.formats[source.column] = declared
                else:
                    unclear[source.column] = None
    for name, found in detect({name: _filled(sheet, name) for name in unclear if name not in sheet.formats}).items():
        if isinstance(found, Unclear):
            _report_dates(sheet, name, found)
        else:
            sheet.formats[name] = (found,)
    if sheet.mapping.decimal_mark is None and amounts:
        _settle_mark(sheet, amounts)


def _filled(sheet: Sheet, name: str) -> Iterator[str]:
    at = sheet.at[name]
    for _, row in sheet.grid.rows:
        cell = cells.visible(row[at]).strip()
        if cell:
            yield cell


def _line_of(sheet: Sheet, cell: str | None, names: Sequence[str]) -> tuple[int, str]:
    """Line and column of the first cell with this text."""
    for line, row in sheet.grid.rows:
        for name in names:
            if cells.visible(row[sheet.at[name]]).strip() == cell:
                return line, name
    return 1, names[0]


def _report_dates(sheet: Sheet, name: str, found: Unclear) -> None:
    line, _ = _line_of(sheet, found.cell, [name])
    if found.readings:
        read = [(one.text, one.day(found.cell)) for one in found.readings]
        words = " or ".join(f"{in_words(day)} ({text})" for text, day in read if day is not None)
        what = f"{shown(found.cell)} may be {words}, and no date of the file decides"
        cure = f'set "date_formats" of this field in the mapping, for example ["{read[0][0]}"]'
    elif found.missed is not None:
        what = f"{shown(found.cell)} is not a date written as {found.missed.text} like the others, or does not exist"
        cure = 'correct the date; if the file mixes formats, name them all in "date_formats"'
    else:
        what, cure = f"{shown(found.cell)} is not a date", "map a column of dates, written as in 2012-01-31"
    sheet.problems.append(problem(line, name, what, cure))


def _settle_mark(sheet: Sheet, names: Sequence[str]) -> None:
    found = cells.detect_mark(cell for name in names for cell in _filled(sheet, name))
    if not isinstance(found, cells.MarkUnclear):
        sheet.decimal_mark = found
        return
    if found.point is not None and found.comma is not None:
        line, name = _line_of(sheet, found.comma, names)
        what = f"the file writes both {shown(found.point)} and {shown(found.comma)}: one decimal mark is wrong"
    else:
        line, name = _line_of(sheet, found.either, names)
        plain = (found.either or "").replace(",", "").replace(".", "")
        what = f"{shown(found.either or '')} may be {plain} or a thousandth of it, and no amount of the file decides"
    sheet.problems.append(problem(line, name, what, 'set "decimal_mark" in the mapping to "." or ","'))


def _records(sheet: Sheet, limits: Limits) -> list[Record]:
    """All records of the rows; stops after more problems than a person can read."""
    makers = [Maker(sheet, record) for record in sheet.mapping.records if not record.settles]
    settling = [Maker(sheet, record) for record in sheet.mapping.records if record.settles]
    found: list[Record] = []
    for line, row in sheet.grid.rows:
        for maker in makers:
            record = maker.record(line, row)
            if record is None:
                continue
            if settling and maker.kind == "invoice":
                record = settled(record, row, settling)
            found.append(record)
        if len(sheet.problems) > len(sheet.grid.problems) + 5 * limits.problems:
            break  # errors only: warnings are kept apart until the end
    for (name, what, cure), (line, rows) in sheet.warnings.items():
        sheet.problems.append(warning(line, name, what if rows == 1 else f"{what} ({rows} rows from here on)", cure))
    sheet.problems.extend(repeated(found))
    return found
