"""Writing CSV that any reader takes and no spreadsheet runs.

What is exported reads back as it was: ``ledger.cells.text`` undoes the escaping.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence

# A cell that begins like this becomes a formula in a spreadsheet, or hides the mark that escapes one.
RISKY = re.compile("'*[=+\\-@\t\r＝＋－＠]")
NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*")
CONTACT_COLUMNS = ("customer", "name", "email", "role", "language")


def escaped(cell: str | int | None) -> str:
    """A cell that stays what it is in a spreadsheet; negative numbers stay numbers.

    >>> escaped("=1+1"), escaped("-12.50"), escaped(-5), escaped(None)
    ("'=1+1", '-12.50', '-5', '')
    """
    if cell is None:
        return ""
    text = str(cell)
    return "'" + text if RISKY.match(text) and not NUMBER.fullmatch(text) else text


def csv_of(header: Sequence[str], rows: Iterable[Sequence[str | int | None]]) -> str:
    """A CSV text with a heading: comma, double quotes where needed, lines end as RFC 4180 says."""
    file = io.StringIO(newline="")
    lines = csv.writer(file, lineterminator="\r\n")
    lines.writerow([escaped(name) for name in header])
    lines.writerows([escaped(cell) for cell in row] for row in rows)
    return file.getvalue()


def contacts_csv(customers: Iterable[tuple[str, str]], domain: str = "ledger.example") -> str:
    """A contacts file for the customers of any ledger, one address each, for trials.

    Args:
        customers: number and name.
        domain: of the addresses; ``.example`` is never delivered to.

    Returns:
        CSV text for ``samples/mappings/contacts.json``.

    >>> contacts_csv([("0379-NEVHP", "Hollow Oak")]).splitlines()[1]
    '0379-NEVHP,Accounts payable,0379-nevhp@ledger.example,accounts payable,en'
    """
    rows = [
        (number, "Accounts payable", f"{_local_part(number)}@{domain}", "accounts payable", "en")
        for number, _ in sorted(set(customers))
    ]
    return csv_of(CONTACT_COLUMNS, rows)


def _local_part(number: str) -> str:
    """ASCII, because not every mail server takes more; a short hash keeps changed ones apart."""
    kept = re.sub(r"[^a-z0-9_+-]+", "-", number.casefold()).strip("-")[:50]
    if kept == number.casefold():
        return kept
    return f"{kept or 'customer'}-{hashlib.sha256(number.encode()).hexdigest()[:8]}"
