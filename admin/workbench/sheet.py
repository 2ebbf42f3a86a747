"""What an edit of a decision table comes to: cells, blocks, rows and columns. Nothing is saved here.

Rows are named by the key of their rule, so that a row is found again where others were added before it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext as _

from ledger.problems import Problem
from rules import editing
from rules.condition_cells import fact_of, terms_of
from rules.table_reading import document_of
from rules.tables import FACT, OTHERWISE, Line, Table, TableColumn, new_key, table_of

LAST = "otherwise"  # names the last row
NEW = "new"  # begins the name of a row that is not a rule yet
BLOCK_ROWS_MAX = 500
BLOCK_MARKS_MAX = 500_000
Document = Mapping[str, Any]
Cells = dict[tuple[str, str], str]  # by row's name and column's key, a text


@dataclass(frozen=True)
class Change:
    """What was asked of a table.

    Args:
        document: as it would be; None when it is refused.
        problems: why; ``line`` is the number of the row, ``column`` the key of the column.
        words: what was done, for the audit trail.
        focus: row and column the reader goes on at.
        typed: texts that could not be read, kept in their cells.
        pending: where a row stands that is no rule yet, and its texts; None for none.
    """

    document: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)
    words: str = ""
    focus: tuple[str, str] = ("", "")
    typed: Cells = field(default_factory=dict)
    pending: tuple[int, dict[str, str]] | None = None


def columns_shown(table: Table) -> list[TableColumn]:
    """The columns of the sheet: the key stays out of sight, it is made from the name of the rule."""
    return [column for column in table.columns if column.key != "key"]


def names_of(body: Document) -> list[str]:
    """The names of the rows, in order."""
    return [*(str(rule["key"]) for rule in body["rules"]), LAST]


def with_cells(body: Document, table: Table, cells: Cells) -> Change:
    """Change cells of rows that are there."""
    names = names_of(body)
    gone = [name for name, _key in cells if name not in names]
    if gone:
        return _gone()
    rows = sorted({names.index(name) for name, _key in cells})
    lines = []
    for row in rows:
        texts = {key: text for (name, key), text in cells.items() if name == names[row]}
        lines.append(replace(table.lines[row], cells={**table.lines[row].cells, **texts}))
    document, problems = _spliced(body, table, rows, lines)
    first = next(iter(cells))
    words = _("%(row)s: %(column)s changed", row=_row_name(table, rows[0]), column=table.column(first[1]).title)
    if len(cells) > 1:
        words = _("%(count)s cells changed", count=len(cells))
    return Change(document, problems, words, first, {} if document else dict(cells))


def _gone() -> Change:
    return Change(None, [Problem("", _("This is not there any more."), _("Choose again."))])


def _row_name(table: Table, row: int) -> str:
    if table.lines[row].origin == OTHERWISE:
        return _("Otherwise")
    return table.lines[row].text("label") or table.lines[row].text("key")


def _spliced(
    body: Document, table: Table, rows: Sequence[int], lines: Sequence[Line]
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The document with some lines read anew; the others stay as they are, unread."""
    last = len(table.lines) - 1
    ends = rows[-1] == last
    read = [*lines[: len(lines) - ends], lines[-1] if ends else table.lines[last]]
    numbers = [*rows[: len(rows) - ends], last]

    def where(index: int, column: TableColumn | None) -> str:
        return place_words(numbers[index] + 1, column)

    part, problems = document_of(read, table.columns, {**body, "cases": []}, table.tongue, where)
    if part is None:
        return None, [replace(p, line=None if p.line is None else numbers[p.line]) for p in problems]
    rules = list(body["rules"])
    for number, rule in zip(numbers[:-1], part["rules"], strict=True):
        rules[number] = rule
    return {**body, "rules": rules, "otherwise": part["otherwise"]}, []


def place_words(row: int, column: TableColumn | None) -> str:
    """A cell in the reader's words."""
    if column is None:
        return _("row %(row)s", row=row)
    return _("row %(row)s, column %(column)s", row=row, column=column.title)


def with_row(body: Document, table: Table, at: int, texts: Mapping[str, str]) -> Change:
    """Put a new row in; it waits, unsaved, until it asks of a fact."""
    at = min(max(at, 0), len(body["rules"]))
    name = f"{NEW}{at}"
    filled = {key: text for key, text in texts.items() if text.strip()}
    if not any(key.startswith(FACT) for key in filled):
        return Change(dict(body), focus=(name, "label"), pending=(at, filled))
    key = new_key(filled.get("label", ""), set(names_of(body)))
    line = Line({**filled, "key": key})
    lines = [line, table.lines[-1]]

    def where(_index: int, column: TableColumn | None) -> str:
        return place_words(at + 1, column)

    part, problems = document_of(lines, table.columns, {**body, "cases": []}, table.tongue, where)
    if part is None:
        typed = {(name, problem.column): filled.get(problem.column, "") for problem in problems if problem.column}
        return Change(None, problems, focus=(name, "label"), typed=typed, pending=(at, filled))
    rules = [*body["rules"][:at], part["rules"][0], *body["rules"][at:]]
    return Change(
        {**body, "rules": rules}, words=_("%(row)s added", row=filled.get("label", key)), focus=(key, "label")
    )


def with_block(body: Document, table: Table, start: tuple[str, str], text: str) -> Change:
    """Paste a block copied from a spreadsheet: to the right and down, beyond the last rule as new rows."""
    names, columns = names_of(body), [column.key for column in columns_shown(table)]
    if start[0] not in names or start[1] not in columns:
        return _gone()
    if len(text) > BLOCK_MARKS_MAX:
        return Change(None, [Problem("", _("The block is too large."), _("Paste it in parts, or as an Excel file."))])
    try:
        rows = [row for row in csv.reader(io.StringIO(text.replace("\0", "")), delimiter="\t") if row]
    except csv.Error:
        return Change(None, [Problem("", _("The block is too large."), _("Paste it in parts, or as an Excel file."))])
    first, left = names.index(start[0]), columns.index(start[1])
    room = 1 if start[0] == LAST else BLOCK_ROWS_MAX
    if len(rows) > room or any(left + len(row) > len(columns) for row in rows):
        what = _("The block has more rows or columns than there is room for.")
        return Change(None, [Problem("", what, _("Begin further to the left or above, or paste less."))])
    cells: Cells = {}
    for down, row in enumerate(rows):
        for right, cell in enumerate(row):
            name = names[first + down] if first + down < len(names) - 1 or start[0] == LAST else f"{NEW}{first + down}"
            cells[(name, columns[left + right])] = " ".join(cell.split())
    return _pasted(body, table, cells, start)


def _pasted(body: Document, table: Table, cells: Cells, start: tuple[str, str]) -> Change:
    there = {place: text for place, text in cells.items() if not place[0].startswith(NEW) or place[0] in names_of(body)}
    change = with_cells(body, table, there) if there else Change(dict(body))
    problems = list(change.problems)
    document = change.document or dict(body)
    for name in dict.fromkeys(name for name, _key in cells if (name, _key) not in there):
        texts = {key: text for (own, key), text in cells.items() if own == name}
        added = with_row(document, table_of(document, table.tongue), len(document["rules"]), texts)
        if added.pending is not None:
            row = place_words(len(document["rules"]) + 1, None)
            problems += added.problems or [Problem(row, _("no cell asks of a fact"), _("fill one under a fact"))]
        elif added.document is not None:
            document = added.document
    words = _("%(count)s cells pasted", count=len(cells))
    if problems:
        return Change(None, problems, words, start, there)
    return Change(document, [], words, start)


def without_row(body: Document, name: str) -> Change:
    """Take a rule away."""
    return _moved(body, name, lambda place, _row: editing.drop(body, place), _("%(row)s removed"), -1)


def with_copy(body: Document, name: str) -> Change:
    """A rule once more, below itself, under a key of its own."""
    return _moved(body, name, lambda place, _row: editing.duplicate(body, place), _("%(row)s copied"), 1)


def moved(body: Document, name: str, by: int) -> Change:
    """A rule one row up or down; where the order decides, its priority goes along."""
    last = len(body["rules"]) - 1
    return _moved(
        body,
        name,
        lambda place, row: editing.move(body, place, min(max(row + by, 0), last)),
        _("%(row)s moved"),
        by,
    )


def _moved(body: Document, name: str, change: Any, words: str, by: int) -> Change:
    names = names_of(body)[:-1]
    if name not in names:
        return _gone()
    row = names.index(name)
    document, problems = change(f"/rules/{row}", row)
    if document is None:
        return Change(None, problems, focus=(name, "label"))
    rule = body["rules"][row]
    after = names_of(document)
    focus = name if name in after else after[min(max(row + by, 0), len(after) - 1)]
    return Change(document, [], words % {"row": rule.get("label", name)}, (focus, "label"))


def without_column(body: Document, table: Table, key: str) -> Change:
    """Take every test of a fact away; refused where a rule asks of nothing else."""
    if not key.startswith(FACT) or key not in {column.key for column in table.columns}:
        what = _("Only the column of a fact can be removed.")
        return Change(None, [Problem("", what, _("Choose a cell under a fact first."))])
    name = key.removeprefix(FACT)
    asking = [
        rule["key"] for rule in body["rules"] if any(fact_of(term) == name for term in terms_of(rule["when"]) or ())
    ]
    if not asking:
        return Change(dict(body), words="", focus=(names_of(body)[0], "label"))
    change = with_cells(body, table, {(row, key): "" for row in asking})
    words = _("Column %(column)s removed", column=table.column(key).title)
    return replace(change, words=words, typed={}, focus=(names_of(body)[0], "label"))
