"""From the bytes of a file to rows of cells: encoding, delimiter, quotes, shape.

Nothing here raises on what a user gives: every finding is a problem with its line.
"""

import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.problems import Problem

WHOLE = "(all)"  # the column of a problem that concerns the whole line or file


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one file may hold. Each limit is named in the problem that it causes."""

    file_bytes: int = 64 * 2**20
    rows: int = 1_000_000
    columns: int = 500
    cell_characters: int = 4_000
    problems: int = 100  # shown one by one; the rest is counted


LIMITS = Limits()
FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook (XLSX)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (XLS)"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a GZIP archive"),
    (b"{\\rtf", "an RTF document"),
)
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
DELIMITERS = (",", ";", "\t", "|")
SAVE_AS_CSV = "save it as CSV (UTF-8) in your spreadsheet or accounts and import that file"


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells, each with the line it starts on, as wide as the header."""

    header: tuple[str, ...] = ()
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    encoding: str = "utf-8"
    delimiter: str = ","
    plain: bool = True  # ASCII only: no mark that cannot be seen


def problem(line: int, column: str, what: str, cure: str) -> Problem:
    """An error at a place in a file."""
    return Problem(place=place_of(line, column), what=what, cure=cure, line=line, column=column)


def warning(line: int, column: str, what: str, cure: str) -> Problem:
    """A finding that does not stop the import."""
    return Problem(place=place_of(line, column), what=what, cure=cure, severity="warning", line=line, column=column)


def place_of(line: int, column: str) -> str:
    """Words for a place.

    >>> place_of(3, "Amount"), place_of(3, WHOLE)
    ('line 3, column Amount', 'line 3')
    """
    return f"line {line}" if column == WHOLE else f"line {line}, column {column}"


def grid(
    content: bytes,
    wanted: Sequence[str],
    encoding: str | None = None,
    delimiter: str | None = None,
    limits: Limits = LIMITS,
) -> Grid:
    """Split a file into rows.

    Args:
        content: the file.
        wanted: the headings that a mapping asks for; they tell the delimiter.
        encoding, delimiter: declared, or None to detect them.
        limits: how much the file may hold.

    Returns:
        Its rows; with problems of severity error the rows are not to be used.
    """
    text, encoding, problems = _decode(content, encoding, limits)
    if problems and text is None:
        return Grid(problems=problems, encoding=encoding)
    if text is None or not text.strip():
        return Grid(problems=[problem(1, WHOLE, "the file is empty", "choose a file with a heading and rows")])
    if delimiter is None:
        delimiter = _delimiter(text, wanted)
    found = Grid(problems=problems, encoding=encoding, delimiter=delimiter)
    records = _records(text, delimiter, found.problems)
    header: tuple[str, ...] | None = None
    for line, cells in records:
        if header is None:
            header = tuple(clean_heading(cell) for cell in cells)
            if len(header) > limits.columns:
                what = f"the file has {len(header)} columns, more than the limit `columns` of {limits.columns}"
                found.problems.append(problem(line, WHOLE, what, "leave out columns that are not needed"))
                break
        elif len(found.rows) >= limits.rows:
            what = f"the file has more rows than the limit `rows` of {limits.rows}"
            found.problems.append(problem(line, WHOLE, what, "split the file and import the parts one after the other"))
            break
        elif _fits(line, cells, header, found.problems, limits):
            found.rows.append((line, cells))
        if len(found.problems) > limits.problems:
            break
    if header is None and not found.problems:
        found.problems.append(problem(1, WHOLE, "no line of the file holds anything", "choose a file with a heading"))
    return Grid(header or (), found.rows, found.problems, encoding, delimiter, text.isascii())


def clean_heading(cell: str) -> str:
    """A heading as it is compared: NFC, trimmed, without marks that cannot be seen."""
    return unicodedata.normalize("NFC", cell.replace("\ufeff", "")).strip()


def _decode(content: bytes, encoding: str | None, limits: Limits) -> tuple[str | None, str, list[Problem]]:
    if len(content) > limits.file_bytes:
        what = f"the file has {len(content)} bytes, more than the limit `file_bytes` of {limits.file_bytes}"
        return None, encoding or "utf-8", [problem(1, WHOLE, what, "split the file and import the parts")]
    for start, name in FOREIGN:
        if content.startswith(start):
            return None, encoding or "utf-8", [problem(1, WHOLE, f"the file is {name}, not CSV", SAVE_AS_CSV)]
    marked = next((name for bom, name in BOMS if content.startswith(bom)), None)
    chosen = marked or encoding or "utf-8"
    try:
        text = content.decode("utf-8-sig" if chosen == "utf-8" else chosen)
        return text, chosen, []
    except UnicodeDecodeError as error:
        broken = error
    if marked is None and encoding is None and b"\0" not in content:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            line = content.count(b"\n", 0, broken.start) + 1
            what = "the file is not UTF-8 and was read as Windows-1252"
            cure = "look at names with accents in the preview; else give the encoding in the mapping"
            return text, "cp1252", [warning(line, WHOLE, what, cure)]
    line = content.count(b"\n", 0, broken.start) + 1
    what = f"byte {broken.start + 1} of the file is not valid {chosen}"
    return None, chosen, [problem(line, WHOLE, what, f"{SAVE_AS_CSV}, or give the encoding in the mapping")]


def _delimiter(text: str, wanted: Sequence[str]) -> str:
    """The delimiter with which the first line holds most of the wanted headings."""
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    folded = {clean_heading(name).casefold() for name in wanted}

    def score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            return (0, 0)
        return (len({clean_heading(cell).casefold() for cell in cells} & folded), len(cells))

    return max(DELIMITERS, key=score)


def _records(text: str, delimiter: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Records with the line they start on. A broken quote ends them with a problem."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            column, heading = _broken_quote(text, line, delimiter)
            what = f"a quotation mark in cell {column} does not close where the cell ends"
            cure = "close it, or write a quotation mark inside a quoted cell twice"
            problems.append(problem(line, heading, what, cure))
            return
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _broken_quote(text: str, line: int, delimiter: str) -> tuple[int, str]:
    """Number and heading of the cell of a line where its quotes go wrong."""
    lines = io.StringIO(text, newline="")
    header: list[str] = []
    broken = ""
    for at, one in enumerate(lines, start=1):
        if not header and one.strip():
            header = [clean_heading(cell).strip('"') for cell in one.split(delimiter)]
        if at == line:
            broken = one.rstrip("\r\n")
            break
    cell, inside = 1, False
    for at, mark in enumerate(broken):
        following = broken[at + 1 : at + 2]
        if mark == '"' and (inside or at == 0 or broken[at - 1] == delimiter):
            if inside and following not in {"", delimiter, '"'} and broken[at - 1] != '"':
                break
            inside = not inside
        elif mark == '"' and broken[at - 1] == '"':
            inside = not inside
        elif mark == delimiter and not inside:
            cell += 1
    return cell, header[cell - 1] if cell <= len(header) else WHOLE


def _fits(line: int, cells: list[str], header: tuple[str, ...], problems: list[Problem], limits: Limits) -> bool:
    """Whether a row has the shape of the header; what is wrong becomes a problem."""
    if len(cells) != len(header):
        column = header[len(cells)] if len(cells) < len(header) else WHOLE
        what = f"the row has {len(cells)} cells, the heading has {len(header)}"
        cure = "quote cells that hold the delimiter or a line break, and give every row all columns"
        problems.append(problem(line, column or WHOLE, what, cure))
        return False
    longest = max(map(len, cells))
    if longest > limits.cell_characters:
        column = header[[len(cell) for cell in cells].index(longest)]
        what = f"a cell has {longest} characters, more than the limit `cell_characters` of {limits.cell_characters}"
        problems.append(problem(line, column or WHOLE, what, "shorten it; often a quotation mark is not closed"))
        return False
    if any("\0" in cell for cell in cells):
        column = next(name for name, cell in zip(header, cells, strict=True) if "\0" in cell)
        problems.append(problem(line, column or WHOLE, "the cell holds a NUL character", SAVE_AS_CSV))
        return False
    return True
