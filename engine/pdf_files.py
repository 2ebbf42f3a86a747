"""PDF files of other hands: whether they can be read, and several as one for one envelope."""

import io
from collections.abc import Sequence

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError

# What reading a spoilt file may end with, beside what the reader says itself.
UNREAD = (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OSError)
PAGES_MAX = 200  # of one document


def fault_within(content: bytes) -> tuple[str, str] | None:
    """Why a file that looks like a PDF cannot be sent or printed, and the cure; None: it can."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            return "is locked with a password", "save it without one"
        pages = len(reader.pages)
        joined([content])
    except UNREAD:
        return "cannot be read as a PDF", "print the invoice to a PDF file again"
    if not 0 < pages <= PAGES_MAX:
        return f"has {pages} pages", f"give 1 to {PAGES_MAX}"
    return None


def joined(files: Sequence[bytes]) -> bytes:
    """The pages of several PDF files, one after another, as one; the same files give the same bytes."""
    writer = PdfWriter()
    for content in files:
        writer.append(io.BytesIO(content), import_outline=False)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()
