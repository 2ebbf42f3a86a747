"""Cells of exported files: nothing a spreadsheet would take for a formula."""

from decimal import Decimal
from typing import Any

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
