"""The decision table of a draft: a sheet that is edited cell by cell, each saved at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import comparing, formatting, gate
from admin.table_documents import spoken_for, why_no_table
from admin.table_export import choices_of
from admin.versions import address, body_of, currency_shown, replaced_by, title_of
from admin.workbench import sheet
from admin.workbench.desk import blueprint, editable
from admin.workbench.sheet import LAST, NEW, Change
from engine import drafts
from engine.commands import Conflict
from engine.findings import findings
from engine.governance import SaveDraft, UndoDraft
from engine.tables import Document, User
from ledger.problems import Problem
from rules.cell_words import Tongue
from rules.facts import readable
from rules.tables import FACT, Table, TableColumn, cell_at, table_of

NOTES_SHOWN = 100


@dataclass(frozen=True)
class Note:
    """A finding or a problem beside the table, with the cell it leads to."""

    number: int
    words: str
    cure: str
    severity: str
    row: str = ""
    column: str = ""
    place: str = ""


@dataclass(frozen=True)
class CellShown:
    """A cell as the page draws it."""

    column: TableColumn
    text: str
    notes: tuple[int, ...] = ()
    unsaved: bool = False


@dataclass(frozen=True)
class RowShown:
    """A row as the page draws it."""

    name: str
    number: int
    place: str
    cells: tuple[CellShown, ...]


def tongue_for(row: Document) -> Tongue:
    """How the reader of this page writes cells."""
    return spoken_for(row, str(formatting.locale().language), currency_shown(row))


@blueprint.get("/<int:document_id>/table")
@gate.needs("documents.draft")
def table(document_id: int) -> ResponseReturnValue:
    """The draft as a sheet."""
    return table_page(editable(document_id), Change({}), request.args.getlist("with"))


@blueprint.post("/<int:document_id>/table")
@gate.needs("documents.draft")
def table_edit(document_id: int) -> ResponseReturnValue:
    """Do to the sheet what is asked, and save it."""
    row = editable(document_id)
    if row.status != "draft":
        abort(409)
    given = request.form
    seen = int(given.get("version", "0")) if given.get("version", "").isdecimal() else 0
    more = given.getlist("with")
    body, tongue = body_of(row), tongue_for(row)
    if given.get("do") == "undo":
        return undone(row, seen, more)
    if given.get("do") == "add-column":
        more = list(dict.fromkeys([*more, given.get("fact", "")]))
        return answered(row, Change(dict(body), focus=(given.get("row", ""), FACT + more[-1])), more)
    if why_no_table(body, tongue):
        return redirect(url_for("workbench.table", document_id=row.id), 303)
    if seen != row.version:
        return table_conflict(row, seen, more)
    change = change_of(body, table_of(body, tongue, more), given)
    if given.get("do") == "remove-column":
        more = [name for name in more if FACT + name != given.get("column")]
    if change.document is None or change.document == body:
        return answered(row, change, more, 422 if change.document is None else 200)
    command = SaveDraft(
        actor=current_user.id, reason=change.words, document=change.document, document_id=row.id, version=seen
    )
    try:
        gate.runtime().execute(command)
    except Conflict:
        return table_conflict(editable(document_id), seen, more)
    return answered(editable(document_id), change, more)


def change_of(body: Mapping[str, Any], shown: Table, given: Mapping[str, str]) -> Change:
    """What a form asks of a table."""
    do, name, key = given.get("do", "cell"), given.get("row", ""), given.get("column", "")
    if name.startswith(NEW) and name not in sheet.names_of(body) and do in {"cell", "add"}:
        texts = {field.removeprefix("cell:"): text for field, text in given.items() if field.startswith("cell:")}
        at = name.removeprefix(NEW)
        return sheet.with_row(body, shown, int(at) if at.isdecimal() and len(at) < 9 else 0, texts)
    if do == "cell" and any(column.key == key for column in shown.columns):
        return sheet.with_cells(body, shown, {(name, key): given.get("value", "")})
    if do == "add":
        at = sheet.names_of(body).index(name) + 1 if name in sheet.names_of(body)[:-1] else len(body["rules"])
        return sheet.with_row(body, shown, at, {})
    if do == "block":
        return sheet.with_block(body, shown, (name, key), given.get("block", ""))
    if do == "copy":
        return sheet.with_copy(body, name)
    if do == "remove":
        return sheet.without_row(body, name)
    if do in {"up", "down"}:
        return sheet.moved(body, name, -1 if do == "up" else 1)
    if do == "remove-column":
        return sheet.without_column(body, shown, key)
    return Change(None, [Problem("", _("This is not there any more."), _("Choose again."))])


def undone(row: Document, seen: int, more: list[str]) -> ResponseReturnValue:
    """Take the last edit back."""
    last = drafts.steps_of(row)[-1:]
    if not last:
        abort(404)
    words = _("Taken back: %(what)s", what=last[0]["reason"])[:2_000]
    gate.runtime().execute(UndoDraft(actor=current_user.id, reason=words, document_id=row.id, version=seen))
    row = editable(row.id)
    return answered(row, Change(body_of(row), words=words), more)


def answered(row: Document, change: Change, more: list[str], status: int = 200) -> ResponseReturnValue:
    """The sheet after an edit; a browser without scripts is sent to it."""
    if "X-Sheet" in request.headers or status != 200 or change.pending is not None:
        return table_page(row, change, more, status)
    return redirect(url_for("workbench.table", document_id=row.id, **({"with": more} if more else {})), 303)


def table_conflict(row: Document, seen: int, more: list[str]) -> ResponseReturnValue:
    """Somebody else saved the draft meanwhile: both sides, and nothing is overwritten."""
    now, before = body_of(row), drafts.body_at(row, seen)
    tongue = tongue_for(row)
    mine, possible = None, False
    if before is not None and not why_no_table(before, tongue):
        mine = change_of(before, table_of(before, tongue, more), request.form).document
    if not why_no_table(now, tongue):
        possible = change_of(now, table_of(now, tongue, more), request.form).document is not None
    return conflict_page(row, before, mine, possible, "workbench.table")


def conflict_page(
    row: Document, before: dict[str, Any] | None, mine: dict[str, Any] | None, possible: bool, page: str
) -> ResponseReturnValue:
    """Both sides of a conflict, with the way to either.

    Args:
        before: the draft as the reader saw it, where that is remembered.
        mine: what they would have made of it.
        possible: whether their edit can still be put.
        page: endpoint of the page it happened on.
    """
    currency = currency_shown(row)
    last = drafts.steps_of(row)[-1:]
    return render_template(
        "console/workbench/table_conflict.html",
        whole="X-Sheet" not in request.headers,
        row=row,
        title=title_of(row),
        way=url_for(page, document_id=row.id),
        theirs=comparing.differences(before, body_of(row), currency) if before else [],
        mine=comparing.differences(before, mine, currency) if before and mine else [],
        other=User.get_or_none(User.id == last[0]["by"]) if last else None,
        possible=possible,
        given=[(n, v) for n, v in request.form.items(multi=True) if n not in {"csrf_token", "version"}],
    ), 409


def table_page(row: Document, change: Change, more: list[str], status: int = 200) -> ResponseReturnValue:
    """The page, or the part of it that a script puts in place."""
    body, tongue = body_of(row), tongue_for(row)
    problems = why_no_table(body, tongue)
    shown = None if problems else table_of(body, tongue, more)
    notes = [] if shown is None else notes_of(row, body, shown, change)
    steps = drafts.steps_of(row)
    head = replaced_by(row)
    facts = readable(str(row.stage), tongue.voice.dictionary) if row.stage else {}
    page = "console/workbench/sheet.html" if "X-Sheet" in request.headers else "console/workbench/table.html"
    return render_template(
        page,
        row=row,
        body=body,
        title=title_of(row),
        problems=problems,
        columns=[] if shown is None else sheet.columns_shown(shown),
        rows=[] if shown is None else rows_shown(body, shown, change, notes),
        choices={} if shown is None else {column.key: choices_of(column, shown) for column in shown.columns},
        notes=notes,
        change=change,
        more=[] if shown is None else [c.key.removeprefix(FACT) for c in shown.columns if c.key.startswith(FACT)],
        last=steps[-1] if steps else None,
        facts=facts,
        back=address(head or row),
        names={} if shown is None else names_offered(shown, facts),
        words={"is_in": tongue.word("in"), "unknown": tongue.word("is unknown"), "either": tongue.word("or")},
    ), status


def names_offered(shown: Table, facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """What may be written in braces and in brackets."""
    tongue = shown.tongue
    return {
        "parameters": sorted(tongue.parameter(name) for name in tongue.voice.parameters),
        "facts": sorted(tongue.fact(name) for name in facts),
    }


def notes_of(row: Document, body: Mapping[str, Any], shown: Table, change: Change) -> list[Note]:
    """What is wrong with what was just typed, and what the checker finds in what is saved."""
    names = sheet.names_of(body)
    found = []
    for problem in change.problems:
        name = "" if problem.line is None else names[min(problem.line, len(names) - 1)]
        if change.pending is not None:
            name = f"{NEW}{change.pending[0]}"
        cell = (name, problem.column or "label") if name else ("", "")
        found.append(Note(len(found), problem.what, problem.cure, "refused", *cell, place=problem.place))
    for problem in findings(body, row.entity)[:NOTES_SHOWN]:
        number, key = cell_at(problem.place, body)
        name = "" if key is None else LAST if number is None else names[number]
        key = next((column.key for column in sheet.columns_shown(shown) if column.key == key), "label")
        where = sheet.place_words(names.index(name) + 1, shown.column(key)) if name else problem.place
        found.append(Note(len(found), problem.what, problem.cure, problem.severity, name, key, where))
    return found


def rows_shown(body: Mapping[str, Any], shown: Table, change: Change, notes: list[Note]) -> list[RowShown]:
    """Every row with its cells; a row that waits stands where it was put in."""
    columns = sheet.columns_shown(shown)
    by_cell: dict[tuple[str, str], tuple[int, ...]] = {}
    for note in notes:
        by_cell[(note.row, note.column)] = (*by_cell.get((note.row, note.column), ()), note.number)

    def cells(name: str, texts: Mapping[str, str]) -> tuple[CellShown, ...]:
        return tuple(
            CellShown(
                column,
                change.typed.get((name, column.key), texts.get(column.key, "")),
                by_cell.get((name, column.key), ()),
                (name, column.key) in change.typed,
            )
            for column in columns
        )

    found = []
    for number, (name, line) in enumerate(zip(sheet.names_of(body), shown.lines, strict=True)):
        texts = line.cells if name != LAST else {**line.cells, "label": _("Otherwise")}
        place = "/otherwise" if name == LAST else f"/rules/{number}"
        found.append(RowShown(name, number + 1, place, cells(name, texts)))
    if change.pending is not None:
        at, texts = change.pending
        found.insert(at, RowShown(f"{NEW}{at}", at + 1, "", cells(f"{NEW}{at}", texts)))
    return found
