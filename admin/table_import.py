"""A decision table from an Excel file that came back: its policy, or every problem by sheet, row and column.

Nothing in the file is run or looked up: formulas, dates, merged cells and files of another kind
are refused, sizes are bounded before anything is unpacked.
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any
from warnings import catch_warnings, simplefilter
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from admin.table_export import FIXED_FIELDS, HEAD_FIELDS, HEAD_ROWS, OTHERWISE_KEY, head_fields
from ledger.columns import Kind
from ledger.problems import Problem
from rules.cell_words import Say, Tongue
from rules.figures import figure_text, places_of
from rules.table_reading import document_of
from rules.tables import FACT, OTHERWISE, Line, TableColumn, new_key, table_of
from rules.words import english

FILE_BYTES_MAX = 5 * 1024 * 1024
UNPACKED_BYTES_MAX = 16 * 1024 * 1024
PARTS_MAX = 200
ROWS_MAX = 2_000
COLUMNS_MAX = 300
PROBLEMS_SHOWN = 100
DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
PERCENT = re.compile(r'"[^"]*"|\\.')  # what is quoted in a number format
DAMAGED = (  # whatever the parser meets in a file that somebody has bent
    *(InvalidFileException, ParseError, zipfile.BadZipFile, OSError, EOFError),
    *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError),
)
Document = dict[str, Any]


@dataclass(frozen=True)
class Head:
    """The second sheet: fields by name, and where each stands."""

    title: str
    fields: Mapping[str, str]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Opened:
    """A file that could be opened: the sheet of the rules and the head of the policy."""

    rules: Worksheet
    head: Head


def opened(content: bytes, name: str, say: Say = english) -> tuple[Opened | None, list[Problem]]:
    """Open a file.

    Args:
        content: of the file.
        name: of the file, for the places of problems.
        say: gives messages in the reader's language.
    """
    problems = _unsafe(content, name, say)
    if problems:
        return None, problems
    try:
        with catch_warnings():
            simplefilter("ignore")  # of what a table does not need: unknown extensions, odd headers
            book = load_workbook(BytesIO(content), keep_links=False)
    except DAMAGED as error:
        what = say("it is damaged: %(fault)s") % {"fault": type(error).__name__}
        return None, [Problem(name, what, say("open it in the spreadsheet and save it again as .xlsx"))]
    sheets = [sheet for sheet in book.worksheets if isinstance(sheet, Worksheet)]
    for sheet in sheets:
        if sheet.max_row > ROWS_MAX or sheet.max_column > COLUMNS_MAX:
            parts = {"row": sheet.max_row, "column": get_column_letter(min(sheet.max_column, 18278))}
            what = say("it reaches to row %(row)s and column %(column)s") % parts
            parts = {"row": ROWS_MAX, "column": get_column_letter(COLUMNS_MAX)}
            cure = say("delete what stands beyond row %(row)s and column %(column)s, also empty rows") % parts
            problems.append(Problem(say("sheet %(sheet)s") % {"sheet": sheet.title}, what, cure))
    if problems:
        return None, problems
    rules = next((sheet for sheet in sheets if "key" in _texts(sheet, HEAD_ROWS)), None)
    head = next((found for sheet in sheets if "sha256" in (found := _head(sheet)).fields), None)
    if rules is None or head is None:
        cure = say("export the policy again, and change the copy without removing sheets or its hidden row and column")
        what = say("the sheet of the rules is missing") if rules is None else say("the head of the policy is missing")
        return None, [Problem(name, what, cure)]
    return Opened(rules, head), []


def _unsafe(content: bytes, name: str, say: Say) -> list[Problem]:
    """Why a file is not even opened."""
    cure, less = say("save the table as an Excel workbook (.xlsx)"), say("remove pictures and other sheets")
    if len(content) > FILE_BYTES_MAX:
        what = say("it is larger than %(count)s MB") % {"count": FILE_BYTES_MAX // 1024 // 1024}
        return [Problem(name, what, less)]
    if content.startswith(OLD_EXCEL):
        cure = say("save the table as an Excel workbook (.xlsx), without a password")
        return [Problem(name, say("it is of an old or an encrypted kind"), cure)]
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            parts = packed.infolist()
            if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
                return [Problem(name, say("it unpacks to more than a table needs"), less)]
            for part in parts:
                with packed.open(part) as stream:
                    unpacked = stream.read(UNPACKED_BYTES_MAX)  # never more than the file says of itself
                if part.filename.endswith((".xml", ".rels", ".vml")) and DECLARATION.search(unpacked):
                    return [Problem(name, say("it declares entities, which no spreadsheet does"), cure)]
            if "[Content_Types].xml" not in packed.namelist():
                return [Problem(name, say("it is no Excel workbook, or damaged"), cure)]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError):
        return [Problem(name, say("it is no Excel workbook, or damaged"), cure)]
    return []


def _texts(sheet: Worksheet, row: int) -> list[str]:
    return [str(sheet.cell(row, number).value or "").strip() for number in range(1, sheet.max_column + 1)]


def _head(sheet: Worksheet) -> Head:
    fields, rows = {}, {}
    for row in range(1, min(sheet.max_row, 100) + 1):
        name = str(sheet.cell(row, 3).value or "")
        if name in HEAD_FIELDS or name in FIXED_FIELDS:
            cell = sheet.cell(row, 2)
            plain = "" if cell.value is None or cell.data_type == "f" else str(cell.value).strip()
            fields[name], rows[name] = plain, row
    return Head(sheet.title, fields, rows)


def document_from(
    file: Opened, base: Mapping[str, Any], sha256: str, tongue: Tongue
) -> tuple[Document | None, list[Problem]]:
    """The policy that a file says.

    Args:
        base: the version the file was made from; what the table does not show is kept from it.
        sha256: of the base.
        tongue: of the file's language.

    Returns:
        The document, or None and every problem, placed by sheet, row and column.
    """
    reader = _Sheet(file.rules, tongue)
    columns, where = reader.columns(table_of(base, tongue).columns)
    problems = [*_head_problems(file.head, base, sha256, tongue), *reader.problems, *reader.merged(where)]
    if problems:
        return None, problems
    lines, rows = reader.lines(columns, where, base)
    if reader.problems:
        return None, reader.problems[:PROBLEMS_SHOWN]

    def place(index: int, column: TableColumn | None) -> str:
        return reader.place(rows[min(index, len(rows) - 1)], None if column is None else where.get(column.key))

    named = {**base, **{name: file.head.fields[name] for name in HEAD_FIELDS if file.head.fields.get(name)}}
    document, problems = document_of(lines, columns, named, tongue, place)
    return document, problems[:PROBLEMS_SHOWN]


def _head_problems(head: Head, base: Mapping[str, Any], sha256: str, tongue: Tongue) -> list[Problem]:
    say = tongue.voice.say
    problems = []
    for name, (label, value) in head_fields(base, sha256, tongue).items():
        place = cell_words(say, head.title, head.rows.get(name, 1), "B")
        if name not in head.fields:
            what = say("%(field)s is missing") % {"field": label}
            problems.append(
                Problem(say("sheet %(sheet)s") % {"sheet": head.title}, what, say("export the policy again"))
            )
        elif name in HEAD_FIELDS and not head.fields[name]:
            problems.append(Problem(place, say("%(field)s is empty, or a formula") % {"field": label}, say("write it")))
        elif name in FIXED_FIELDS and head.fields[name] != value:
            what = say("%(field)s was changed to “%(value)s”") % {"field": label, "value": head.fields[name]}
            cure = say("write “%(value)s” again, and change it in the console") % {"value": value}
            problems.append(Problem(place, what, cure))
    return problems


def cell_words(say: Say, title: str, row: int, letter: str, heading: str = "") -> str:
    """A cell of a file in words."""
    place = say("sheet %(sheet)s, row %(row)s, column %(column)s") % {"sheet": title, "row": row, "column": letter}
    return f"{place} ({heading})" if heading else place


class _Sheet:
    """Reads the sheet of the rules, and collects what is wrong with it."""

    def __init__(self, sheet: Worksheet, tongue: Tongue) -> None:
        self.sheet = sheet
        self.tongue = tongue
        self.say = tongue.voice.say
        self.problems: list[Problem] = []

    def place(self, row: int, number: int | None) -> str:
        """A cell in the reader's words."""
        if number is None:
            return self.say("sheet %(sheet)s, row %(row)s") % {"sheet": self.sheet.title, "row": row}
        heading = str(self.sheet.cell(1, number).value or "")
        return cell_words(self.say, self.sheet.title, row, get_column_letter(number), heading)

    def _wrong(self, row: int, number: int | None, what: str, cure: str) -> None:
        self.problems.append(Problem(self.place(row, number), what, cure, line=row))

    def columns(self, wanted: Sequence[TableColumn]) -> tuple[list[TableColumn], dict[str, int]]:
        """The columns of the sheet, and where each stands; headings may be renamed, columns moved or added."""
        known = {column.key: column for column in wanted}
        found: list[TableColumn] = []
        where: dict[str, int] = {}
        for number, key in enumerate(_texts(self.sheet, HEAD_ROWS), start=1):
            heading = str(self.sheet.cell(1, number).value or "").strip()
            column = known.get(key) or self._new_fact(key or heading)
            if column is None and (key or heading or self._filled(number)):
                cure = self.say("write the name of a fact from the last sheet into its first row, or remove the column")
                what = self.say("“%(name)s” is no fact and no column of this policy") % {"name": key or heading}
                self._wrong(1, number, what, cure)
            elif column is not None and column.key in where:
                self._wrong(1, number, self.say("the column is there twice"), self.say("remove one of them"))
            elif column is not None:
                found.append(column)
                where[column.key] = number
        for column in wanted:
            if column.key not in where:
                cure = self.say("put it back; to take its tests away, empty its cells")
                self._wrong(1, None, self.say("the column “%(name)s” is missing") % {"name": column.heading}, cure)
        return found, where

    def _new_fact(self, name: str) -> TableColumn | None:
        voice = self.tongue.voice
        name = name.removeprefix(FACT)
        if name not in voice.dictionary:
            bare = re.sub(r"\s*\([^()]*\)$", "", name).casefold()
            name = next((one for one in voice.dictionary if voice.fact(one).casefold() in (bare, name.casefold())), "")
        return TableColumn(FACT + name, voice.fact(name), declared=voice.dictionary[name]) if name else None

    def _filled(self, number: int) -> bool:
        rows = range(HEAD_ROWS + 1, self.sheet.max_row + 1)
        return any(self.sheet.cell(row, number).value is not None for row in rows)

    def merged(self, where: Mapping[str, int]) -> list[Problem]:
        """Merged cells inside the table: what they mean for the rows below is anybody's guess."""
        last = max(where.values(), default=0)
        return [
            Problem(
                self.say("sheet %(sheet)s, cells %(cells)s") % {"sheet": self.sheet.title, "cells": one.coord},
                self.say("they are merged"),
                self.say("unmerge them and fill each cell"),
            )
            for one in self.sheet.merged_cells.ranges
            if one.min_col <= last
        ]

    def lines(
        self, columns: Sequence[TableColumn], where: Mapping[str, int], base: Mapping[str, Any]
    ) -> tuple[list[Line], list[int]]:
        """The filled rows with their numbers, ``otherwise`` last."""
        places = {rule["key"]: f"/rules/{index}" for index, rule in enumerate(base["rules"])}
        known = set(places)
        lines: list[Line] = []
        rows: list[int] = []
        last: tuple[Line, int] | None = None
        for row in range(HEAD_ROWS + 1, self.sheet.max_row + 1):
            cells = {column.key: self._text(row, where[column.key], column) for column in columns}
            if not any(cells.values()):
                continue
            if cells["key"] == OTHERWISE_KEY:
                if last is not None:
                    what = self.say("there is a second row %(key)s") % {"key": OTHERWISE_KEY}
                    self._wrong(row, where["key"], what, self.say("remove one of them"))
                last = Line({**cells, "key": "", "label": ""}, OTHERWISE), row
                continue
            cells["key"] = cells["key"] or new_key(cells["label"], known)
            known.add(cells["key"])
            lines.append(Line(cells, places.get(cells["key"])))
            rows.append(row)
        if last is None:
            what = self.say("the row %(key)s is missing") % {"key": OTHERWISE_KEY}
            self._wrong(HEAD_ROWS + 1, where["key"], what, self.say("put it back at the end"))
            return lines, rows
        return [*lines, last[0]], [*rows, last[1]]

    def _text(self, row: int, number: int, column: TableColumn) -> str:
        """A cell as the grammar of tables reads it."""
        cell = self.sheet.cell(row, number)
        value = cell.value
        if value is None:
            return ""
        match cell.data_type:
            case "f":
                self._wrong(
                    row, number, self.say("the cell holds a formula"), self.say("paste its value in place of it")
                )
            case "e":
                what = self.say("the cell holds the error %(error)s") % {"error": value}
                self._wrong(row, number, what, self.say("correct it, or empty it"))
            case "d":
                cure = self.say("write the value as text, with an apostrophe before it")
                self._wrong(row, number, self.say("the spreadsheet has made a date of it"), cure)
            case "b":
                return self._truth(row, number, column, bool(value))
            case "n":
                return self._number(row, cell, column)
            case _:
                return str(value).strip()
        return ""

    def _truth(self, row: int, number: int, column: TableColumn, value: bool) -> str:
        if column.key in ("exclusion", "final") or (column.declared and column.declared.kind is Kind.BOOL):
            return self.tongue.word("yes" if value else "no")
        what = self.say("“%(text)s” does not belong here") % {"text": value}
        self._wrong(row, number, what, self.say("write %(value)s") % {"value": column.heading})
        return ""

    def _number(self, row: int, cell: Cell, column: TableColumn) -> str:
        """A number of the sheet in the units of its column; a share may be formatted as per cent or not."""
        try:
            value = Decimal(format(cell.value, ".15g"))
        except (InvalidOperation, ValueError, TypeError):
            what = self.say("“%(text)s” is no whole number") % {"text": cell.value}
            self._wrong(row, cell.column, what, self.say("write it"))
            return ""
        declared = column.declared
        kind = Kind.COUNT if declared is None else declared.kind
        percent = "%" in PERCENT.sub("", cell.number_format or "")
        if kind in (Kind.CODE, Kind.ENUM) or column.key in ("key", "label", "because", "on_unknown"):
            return format(value, "f")
        if percent and kind is not Kind.RATIO:
            cure = self.say("format the cell as a number: %(column)s is no share") % {"column": column.heading}
            self._wrong(row, cell.column, self.say("the cell is formatted as per cent"), cure)
            return ""
        scaled = (value * 100 if percent else value).scaleb(places_of(kind, self.tongue.voice.currency))
        if scaled != scaled.to_integral_value() or abs(scaled) > 10**20:
            places = places_of(kind, self.tongue.voice.currency)
            text = {"text": format(value, "f"), "count": places}
            what = self.say("“%(text)s” has more than %(count)s digits after the mark") % text
            if not places:
                what = self.say("“%(text)s” is no whole number") % text
            self._wrong(row, cell.column, what, self.say("round it"))
            return ""
        return figure_text(int(scaled), kind, self.tongue.voice)
