"""Cells and sheets of exported files: nothing a spreadsheet would take for a formula."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

from flask import Response, send_file
from markupsafe import Markup
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from ledger.money import exponent

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TITLE_LENGTH_MAX = 31  # of a sheet of an Excel file

# A sheet runs a cell that begins with one of these, also full-width or behind blanks and controls.
STARTERS = frozenset("=+-@|%\uff1d\uff0b\uff0d\uff20")
BLANKS = "\t\r\n\0 \u00a0\u200b\ufeff"


def harmless(value: Any) -> Any:
    """A value that a spreadsheet shows and never runs. Numbers stay numbers.

    >>> harmless("=HYPERLINK(1)"), harmless("Oak & Co"), harmless(-5), harmless(None)
    ("'=HYPERLINK(1)", 'Oak & Co', -5, '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return value
    text = str(value).replace("\0", "")
    bare = text.lstrip(BLANKS)
    if (text[:1] in BLANKS and text) or bare[:1] in STARTERS:
        return "'" + text
    return text


def add_sheet(book: Any, title: str, rows: Iterable[Iterable[Any]], head: Sequence[str] = ()) -> None:
    """Add a sheet to a write-only workbook.

    Args:
        rows: its cells; of markup only the text is written.
        head: names above the columns, in bold; they stay in sight.
    """
    sheet = book.create_sheet(title[:TITLE_LENGTH_MAX])
    if head:
        sheet.freeze_panes = "A2"
        names = [WriteOnlyCell(sheet, value=harmless(name)) for name in head]
        for name in names:
            name.font = Font(bold=True)
        sheet.append(names)
    for row in rows:
        sheet.append([harmless(value.striptags() if isinstance(value, Markup) else value) for value in row])


def saved(book: Any) -> bytes:
    """The file of a workbook."""
    written = BytesIO()
    book.save(written)
    return written.getvalue()


def amount(minor: int | None, currency: str) -> Decimal | None:
    """An amount as a number of a sheet.

    >>> amount(1234, "EUR"), amount(1234, "JPY"), amount(None, "EUR")
    (Decimal('12.34'), Decimal('1234'), None)
    """
    return None if minor is None else Decimal(minor).scaleb(-exponent(currency))


def sent(content: bytes, name: str) -> Response:
    """An Excel file as an answer that the browser keeps under a name."""
    return send_file(BytesIO(content), XLSX, as_attachment=True, download_name=name)
