"""A decision table as an Excel file: rules, the policy's head, and how to fill it in.

Plain values are real numbers in human units; everything else is text, never a formula.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from admin.sheet import saved
from ledger.canonical import sha256_of
from ledger.columns import Column, Kind
from rules.cell_words import Tongue
from rules.condition_cells import read_cell
from rules.effect_cells import read_effect
from rules.facts import readable
from rules.figures import RATIO_PLACES, places_of, unit_words
from rules.tables import FACT, OTHERWISE, THEN, Line, Table, TableColumn, table_of, unknown_words

OTHERWISE_KEY = "(otherwise)"
HEAD_ROWS = 2  # labels, and below them, hidden, what each column is
HEAD_FIELDS = ("name", "source", "because")  # of the policy's head, these may be changed
FIXED_FIELDS = ("key", "stage", "subject", "entity", "hit", "from", "until", "currency", "language", "sha256", "check")
UNWRITABLE = re.compile("[\ufffe\uffff]")  # no mark of XML
RUNNING = tuple("=+-@\t\r")
CHOICES_LENGTH_MAX = 250  # a list inside a validation is one short text
EXACT = 10**15  # a spreadsheet keeps 15 digits of a number; longer ones are written as text
CELL_LENGTH_MAX = 32_767  # of a cell of an Excel file
BOLD, QUIET = Font(bold=True), Font(color="666666")
HEAD_FILL = PatternFill("solid", fgColor="E8EDF2")
LAST_FILL = PatternFill("solid", fgColor="F6F6F2")
WRAPPED = Alignment(wrap_text=True, vertical="top")
WIDTHS = {"key": 20, "label": 34, "because": 48, "priority": 9, "on_unknown": 18}
WIDTH = 20


def workbook_of(document: Mapping[str, Any], sha256: str, tongue: Tongue) -> bytes:
    """A policy as an Excel file.

    Args:
        document: one that is a decision table.
        sha256: names the version, so that a file that comes back finds what it was made from.

    Raises:
        ValueError: a cell is longer than such a file can hold.
    """
    table = table_of(document, tongue)
    made = Workbook()
    sheet = made.active
    sheet.title = tongue.voice.say("Rules")
    _fill_rules(sheet, table)
    _validate(sheet, table)
    _fill_head(made.create_sheet(tongue.voice.say("Policy")), document, sha256, tongue)
    _fill_guide(made.create_sheet(tongue.voice.say("How to fill this in")), document, tongue)
    return saved(made)


def put_text(cell: Cell, text: str) -> None:
    """Write a text that no spreadsheet takes for a formula, a number or a date.

    Raises:
        ValueError: it is too long for a cell.
    """
    if len(text) > CELL_LENGTH_MAX:
        raise ValueError(
            f"a cell of an Excel file holds {CELL_LENGTH_MAX} marks, this one has {len(text)}: split the rule"
        )
    if UNWRITABLE.search(text):
        raise ValueError("an Excel file cannot hold a mark of a text in this policy: remove it")
    cell.value = text
    cell.data_type = "s"
    cell.number_format = "@"
    if text.startswith(RUNNING):
        cell.quotePrefix = True


def number_format(kind: Kind, currency: str) -> str:
    """How a number of a kind is shown."""
    if kind is Kind.RATIO:
        return "0.00%"
    places = places_of(kind, currency)
    if kind is not Kind.MONEY:
        return "0"
    return "#,##0" + ("." + "0" * places if places else "")


def _fill_rules(sheet: Worksheet, table: Table) -> None:
    for number, column in enumerate(table.columns, start=1):
        head, key = sheet.cell(1, number), sheet.cell(2, number)
        put_text(head, column.heading)
        put_text(key, column.key)
        head.font, head.fill, head.alignment, key.font = BOLD, HEAD_FILL, WRAPPED, QUIET
        sheet.column_dimensions[get_column_letter(number)].width = WIDTHS.get(column.key, WIDTH)
        for row, line in enumerate(table.lines, start=HEAD_ROWS + 1):
            cell = sheet.cell(row, number)
            _fill_cell(cell, line, column, table.tongue)
            cell.alignment = WRAPPED
            if line.origin == OTHERWISE:
                cell.fill = LAST_FILL
    sheet.row_dimensions[2].hidden = True
    sheet.freeze_panes = sheet.cell(HEAD_ROWS + 1, 3)


def _fill_cell(cell: Cell, line: Line, column: TableColumn, tongue: Tongue) -> None:
    text = line.text(column.key)
    if line.origin == OTHERWISE and column.key in ("key", "label"):
        text = OTHERWISE_KEY if column.key == "key" else tongue.voice.say("Otherwise")
    plain = plain_number(text, column, tongue)
    if plain is not None and abs(plain) < EXACT:
        kind = Kind.COUNT if column.declared is None else column.declared.kind
        places = RATIO_PLACES * 2 if kind is Kind.RATIO else places_of(kind, tongue.voice.currency)
        cell.value = Decimal(plain).scaleb(-places)
        cell.number_format = number_format(kind, tongue.voice.currency)
    elif text or column.key.startswith(FACT):
        put_text(cell, text) if text else _as_text(cell)
    elif column.declared is not None and column.declared.unit is not None:
        cell.number_format = number_format(column.declared.kind, tongue.voice.currency)


def _as_text(cell: Cell) -> None:
    cell.number_format = "@"  # "30 .. 60" or "1-2" stays what was typed


def plain_number(text: str, column: TableColumn, tongue: Tongue) -> int | None:
    """The integer that a cell says and nothing else; None for texts, tests, names and formulas."""
    if column.key == "priority" and text:
        return int(text)
    declared = column.declared
    if declared is None or declared.unit is None or not text:
        return None
    if column.key.startswith(THEN):
        found = read_effect(text, declared, tongue)
    else:
        terms = read_cell(text, declared, tongue)
        found = terms[0][2] if len(terms) == 1 and isinstance(terms[0], list) and terms[0][1] == "==" else None
    return found if type(found) is int else None


def _validate(sheet: Worksheet, table: Table) -> None:
    """Lists to choose from; a warning only, for a cell may also say ``is unknown`` or name a parameter."""
    for number, column in enumerate(table.columns, start=1):
        choices = choices_of(column, table)
        joined = ",".join(choices)
        if not choices or len(joined) > CHOICES_LENGTH_MAX or '"' in joined or any("," in one for one in choices):
            continue
        rule = DataValidation(type="list", formula1=f'"{joined}"', allow_blank=True, errorStyle="information")
        letter = get_column_letter(number)
        rule.add(f"{letter}{HEAD_ROWS + 1}:{letter}{HEAD_ROWS + len(table.lines) + 200}")
        sheet.add_data_validation(rule)


def choices_of(column: TableColumn, table: Table) -> list[str]:
    """What a cell of a column is usually filled with: for a list to choose from."""
    tongue = table.tongue
    if column.key == "on_unknown":
        return list(unknown_words(tongue).values())
    if column.declared is None:
        return [tongue.word("yes"), tongue.word("no")] if column.key in ("exclusion", "final") else []
    if column.declared.kind is Kind.BOOL:
        return [tongue.word("yes"), tongue.word("no")]
    if column.declared.unit is not None:
        return []
    if column.declared.values:
        return [tongue.value(value, column.declared.kind) for value in column.declared.values]
    return sorted({text for line in table.lines if (text := line.text(column.key)) and " " not in text})


def head_fields(document: Mapping[str, Any], sha256: str, tongue: Tongue) -> dict[str, tuple[str, str]]:
    """The head of a policy: label and value by field."""
    say = tongue.voice.say
    effective = document["effective"]
    values = {
        "name": (say("Name"), document["name"]),
        "source": (say("Source"), document["source"]),
        "because": (say("Because"), document["because"]),
        "key": (say("Key"), document["key"]),
        "stage": (say("Stage"), document["stage"]),
        "subject": (say("Subject"), document.get("subject", "customer")),
        "entity": (say("Entity"), document.get("entity") or ""),
        "hit": (say("Hit policy"), document["hit"]),
        "from": (say("Holds from"), effective["from"]),
        "until": (say("Until"), effective.get("until") or ""),
        "currency": (say("Currency"), tongue.voice.currency),
        "language": (say("Language"), tongue.voice.language),
        "sha256": (say("Version"), sha256),
        "check": (say("Check"), check_of(sha256, tongue)),
    }
    return {name: values[name] for name in (*HEAD_FIELDS, *FIXED_FIELDS)}


def check_of(sha256: str, tongue: Tongue) -> str:
    """What a file is read by, as a short hash: another currency would make other amounts of the same figures."""
    return sha256_of([sha256, tongue.voice.currency, tongue.voice.language])[:16]


def _fill_head(sheet: Worksheet, document: Mapping[str, Any], sha256: str, tongue: Tongue) -> None:
    for row, (name, (label, value)) in enumerate(head_fields(document, sha256, tongue).items(), start=1):
        for number, text in enumerate((label, value, name), start=1):
            cell = sheet.cell(row, number)
            put_text(cell, text)
            cell.alignment = WRAPPED
            cell.font = BOLD if number == 1 else QUIET if name in FIXED_FIELDS else Font()
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 18, 90
    sheet.column_dimensions["C"].hidden = True


def guide_lines(tongue: Tongue) -> list[str]:
    """How the cells are written, line by line."""
    say = tongue.voice.say
    return [
        say("Each row is a rule: it holds when every filled cell under a fact holds. The last row is for all others."),
        say("Under a fact write > 5,000.00, <= 30, 30 .. 60 (both ends included), in A, B, not in A, B, or a value."),
        say("Write is unknown or is known to ask whether a fact is known; join tests by and, alternatives by or."),
        say("Write {a parameter} in braces and [another fact] in square brackets in place of a number."),
        say("Under an outcome write a value, {a parameter}, [a fact], a share such as 12.5 % * [a fact], min(…; …), "
            "max(…; …), round down(…; step) or none."),
        say("Amounts are in the currency at the head of the column, shares in per cent; texts with marks in quotes."),
        say("A new row needs no key. For a new column write the name of a fact below into its first row."),
        say("Formulas are refused: paste values. The grey fields of the policy's head are changed in the console."),
    ]  # fmt: skip


def _fill_guide(sheet: Worksheet, document: Mapping[str, Any], tongue: Tongue) -> None:
    voice = tongue.voice
    row = 0
    for line in guide_lines(tongue):
        row += 1
        put_text(sheet.cell(row, 1), line)
    parameters = [
        (tongue.parameter(name), voice.say(one.label), unit_words(one.kind, voice), voice.say(one.meaning))
        for name, one in sorted(voice.parameters.items())
    ]
    facts = [_fact_row(one, tongue) for one in readable(document["stage"], voice.dictionary).values()]
    for title, rows in ((voice.say("Parameters"), parameters), (voice.say("Facts"), facts)):
        row = _fill_list(sheet, row + 2, title, rows)
    for letter, width in zip("ABCD", (44, 34, 10, 100), strict=True):
        sheet.column_dimensions[letter].width = width


def _fact_row(one: Column, tongue: Tongue) -> tuple[str, ...]:
    return (one.name, tongue.voice.fact(one.name), unit_words(one.kind, tongue.voice), tongue.voice.say(one.meaning))


def _fill_list(sheet: Worksheet, row: int, title: str, rows: Iterable[Sequence[str]]) -> int:
    put_text(sheet.cell(row, 1), title)
    sheet.cell(row, 1).font = BOLD
    for values in rows:
        row += 1
        for number, text in enumerate(values, start=1):
            put_text(sheet.cell(row, number), text)
    return row
