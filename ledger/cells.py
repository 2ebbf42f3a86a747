"""From a cell to a value: codes, texts, amounts, counts, rates. Never raises on a cell.

A converter returns the value or a ``Fault`` that says what is wrong and what to do.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

from ledger.money import LARGEST_MINOR, exponent, half_up, parse_amount

CODE_CHARACTERS = 200
SLUG_CHARACTERS = 100
COUNT_MAX = 100_000
RATE_DIGITS = 12  # decimals of a rate
RATE_SCALE = 10**RATE_DIGITS
RATE_MAX = 10**9
EMAIL_CHARACTERS = 254

# Marks that steer the direction of writing or cannot be seen: they make two numbers that look
# the same differ, or one number look like another.
INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
JOINERS = re.compile("[\u200c\u200d]")  # legitimate in names, not in numbers
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
FORMULA = ("=", "＝")
ESCAPED = re.compile("'+[=+\\-@\t\r＝＋－＠]")  # how an export keeps a text from becoming a formula

AMOUNT = re.compile(r"\(?[-+]?[0-9][0-9.,]*-?\)?")
GROUP_SPACE = re.compile(r"(?<=[0-9])[ '’\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
ONE_MARK = re.compile(r"[-+(]*([0-9]+)([.,])([0-9]+)[-)]*")
COUNT = re.compile(r"-?[0-9]{1,6}(?:[.,]0+)?")
WHOLE = re.compile(r"[0-9]{1,8}(?:[.,]0+)?")
WHOLE_BP = 10_000
YES = frozenset({"yes", "y", "true", "1", "ja", "oui", "x"})
NO = frozenset({"no", "n", "false", "0", "nein", "non", "-"})
RATE = re.compile(r"[0-9]{1,10}(?:[.,][0-9]{1,12})?")
CURRENCY = re.compile(r"[A-Z]{3}")
COUNTRY = re.compile(r"[A-Za-z]{2}")
LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_][A-Za-z]{2})?")
EMAIL = re.compile(r"[^@\s,;:<>()\[\]\\\"]{1,64}@(?:[\w-]{1,63}\.)+[\w-]{1,63}")


class Fault(NamedTuple):
    """Why a cell was not understood, and what to do about it."""

    what: str
    cure: str


def shown(cell: str) -> str:
    """A cell as a problem quotes it: short, on one line, without marks that cannot be seen.

    >>> shown("12" + chr(0x202e) + "34")
    "'12\\\\u202e34'"
    """
    return ascii(cell) if INVISIBLE.search(cell) else repr(cell if len(cell) <= 40 else cell[:37] + "...")


def visible(cell: str) -> str:
    """The cell without direction marks and other marks that cannot be seen."""
    return cell if cell.isascii() else INVISIBLE.sub("", cell)


def text(cell: str) -> str | Fault:
    """A text: NFC, trimmed; may hold line breaks.

    >>> text("  Cafe\\u0301 "), text("'=not a formula")
    ('Café', '=not a formula')
    """
    cell = cell.strip() if cell.isascii() else unicodedata.normalize("NFC", INVISIBLE.sub("", cell)).strip()
    if cell.startswith(FORMULA):
        return Fault(f"{shown(cell)} is a formula, not a text", "export values instead of formulas")
    if CONTROL.search(cell):
        return Fault(f"{ascii(cell)[:60]} holds a control character", "remove it and export the file again")
    return cell[1:] if ESCAPED.match(cell) else cell


def code(cell: str) -> str | Fault:
    """A number or key: as a text, on one line, short.

    >>> code(" 0379-NEVHP ")
    '0379-NEVHP'
    """
    found = text(cell if cell.isascii() else JOINERS.sub("", cell))
    if isinstance(found, Fault):
        return found
    if any(mark in found for mark in "\n\r\t\u2028\u2029\u0085"):
        return Fault(f"{shown(found)} holds a line break or a tab", "write it on one line")
    if len(found) > CODE_CHARACTERS:
        return Fault(f"a number has {len(found)} characters, more than {CODE_CHARACTERS}", "map the right column")
    return found


def slug(name: str) -> str | Fault:
    """A key made from a name, for files that have names but no numbers.

    >>> slug("Dr. Müller & Söhne, Inc."), slug("Kimberly White")
    ('dr-müller-söhne-inc', 'kimberly-white')
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    key = "-".join("".join(mark if mark.isalnum() else " " for mark in folded).split())[:SLUG_CHARACTERS].strip("-")
    return key or Fault(f"{shown(name)} holds no letter or digit", "give this customer a number")


def strip_zeros(number: str) -> str:
    """A number without its leading zeros.

    >>> strip_zeros("0000611365"), strip_zeros("000"), strip_zeros("0")
    ('611365', '0', '0')
    """
    return number.lstrip("0") or number[:1]


def money(cell: str, currency: str, decimal_mark: Literal[".", ","]) -> int | Fault:
    """An amount in minor units of a currency.

    >>> money("1,234.5", "USD", "."), money("1.234,50-", "EUR", ","), money("97", "JPY", ".")
    (123450, -123450, 97)
    """
    plain = cell if cell.isascii() and " " not in cell else unicodedata.normalize("NFKC", cell).replace("−", "-")
    plain = GROUP_SPACE.sub("", plain.strip())
    if AMOUNT.fullmatch(plain) is None:
        return _no_amount(cell, decimal_mark)
    found = parse_amount(plain, currency, decimal_mark)
    if found is None:
        return _refused_amount(cell, plain, currency, decimal_mark)
    return found


def _no_amount(cell: str, decimal_mark: str) -> Fault:
    what = f"{shown(cell)} is not an amount"
    if "e" in cell.lower() and any(mark.isdigit() for mark in cell):
        return Fault(f"{what}: it looks like a rounded number of a spreadsheet", "format the column as plain numbers")
    return Fault(
        what, f"write digits with {decimal_mark!r} before the decimals and no currency, as in 1234{decimal_mark}50"
    )


def _refused_amount(cell: str, plain: str, currency: str, decimal_mark: str) -> Fault:
    digits = re.sub("[^0-9]", "", plain.partition(decimal_mark)[0])
    if len(digits.lstrip("0")) + exponent(currency) >= len(str(LARGEST_MINOR)):
        what = f"{shown(cell)} is beyond the largest amount of {LARGEST_MINOR} minor units"
        return Fault(what, "look whether two columns ran together")
    fraction = plain.rstrip(")-").partition(decimal_mark)[2]
    if fraction.isdigit() and len(fraction) > exponent(currency):
        what = f"{shown(cell)} has more decimals than {currency}, which has {exponent(currency)}"
        return Fault(what, "round it in the accounts, or map the right currency")
    other = "," if decimal_mark == "." else "."
    what = f"{shown(cell)} is not an amount with {decimal_mark!r} as decimal mark"
    return Fault(what, f"write it as in 1234{decimal_mark}50, or set decimal_mark to {other!r} for the whole file")


class MarkUnclear(NamedTuple):
    """Amounts of a file that contradict each other or could be read both ways."""

    point: str | None  # a cell that takes "." as decimal mark, or None
    comma: str | None  # one that takes ","
    either: str | None  # one that could be 1000 times more


def detect_mark(cells: Iterable[str]) -> Literal[".", ","] | MarkUnclear:
    """Tell the decimal mark from all amounts of a file.

    >>> detect_mark(["1.234,56", "7"]), detect_mark(["1,234", "0.5"]), detect_mark(["5"])
    (',', '.', '.')
    >>> detect_mark(["1.234"]).either, detect_mark(["1.5", "1,5"]).comma
    ('1.234', '1,5')
    """
    votes: dict[str, str] = {}
    either = None
    for cell in cells:
        if "." not in cell and "," not in cell:
            continue
        mark = _mark_of(cell)
        if mark is None:
            either = either or cell
        elif mark not in votes:
            votes[mark] = cell
            if len(votes) == 2:
                break
    if len(votes) == 2 or (either is not None and not votes):
        return MarkUnclear(votes.get("."), votes.get(","), either)
    return "," if "," in votes else "."


def _mark_of(cell: str) -> str | None:
    """The decimal mark one amount must have, or None when it could be either."""
    point, comma = cell.rfind("."), cell.rfind(",")
    if point >= 0 and comma >= 0:
        return "." if point > comma else ","
    mark, other = (".", ",") if point >= 0 else (",", ".")
    if cell.count(mark) > 1:
        return other
    found = ONE_MARK.fullmatch(cell.strip())
    if found is not None and len(found[3]) == 3 and 1 <= len(found[1]) <= 3 and found[1] != "0":
        return None
    return mark


def count(cell: str, low: int = -COUNT_MAX, high: int = COUNT_MAX) -> int | Fault:
    """A whole number; ``13.0``, as spreadsheets write it, is one."""
    if COUNT.fullmatch(cell) is None:
        return Fault(f"{shown(cell)} is not a whole number", "write digits only")
    found = int(re.split("[.,]", cell)[0])
    if not low <= found <= high:
        return Fault(f"{found} is not from {low} to {high}", "map the right column")
    return found


def whole(cell: str) -> int | Fault:
    """A number of people or points, 0 or more, with or without marks between thousands.

    >>> whole("1 250"), whole("13.0")
    (1250, 13)
    """
    plain = GROUP_SPACE.sub("", cell.strip())
    if WHOLE.fullmatch(plain) is None:
        return Fault(f"{shown(cell)} is not a whole number of at most 8 digits", "write digits only")
    return int(re.split("[.,]", plain)[0])


def yes_or_no(cell: str) -> int | Fault:
    """1 for yes, 0 for no.

    >>> yes_or_no("Yes"), yes_or_no("nein")
    (1, 0)
    """
    found = cell.strip().casefold()
    if found not in YES and found not in NO:
        return Fault(f"{shown(cell)} is neither yes nor no", "write yes or no")
    return int(found in YES)


def percent(cell: str) -> int | Fault:
    """A share of 0 to 100 per cent in basis points, half up; comma and point are both decimal marks.

    >>> percent("0,345 %"), percent("100")
    (35, 10000)
    """
    plain = cell.strip().removesuffix("%").strip()
    if RATE.fullmatch(plain) is None:
        return Fault(f"{shown(cell)} is not a percentage", "write it as in 0.35, of 100")
    whole_part, _, fraction = plain.replace(",", ".").partition(".")
    found = half_up(int(whole_part + fraction) * 100, 10 ** len(fraction))
    if found > WHOLE_BP:
        return Fault(f"{shown(cell)} is above 100 per cent", "give a share of 100")
    return found


def rate(cell: str) -> int | Fault:
    """An exchange rate, times ``RATE_SCALE``; comma and point are both decimal marks.

    >>> rate("1.0843"), rate("0,92")
    (1084300000000, 920000000000)
    """
    if RATE.fullmatch(cell) is None:
        return Fault(f"{shown(cell)} is not an exchange rate", f"write it as in 1.0843, at most {RATE_DIGITS} decimals")
    whole, _, fraction = cell.replace(",", ".").partition(".")
    found: int = int(whole) * RATE_SCALE + int(fraction.ljust(RATE_DIGITS, "0"))
    if not 0 < found <= RATE_MAX * RATE_SCALE:
        return Fault(
            f"{shown(cell)} is not a rate above 0 and up to {RATE_MAX}", "give units of base per unit of currency"
        )
    return found


def currency(cell: str) -> str | Fault:
    """An ISO 4217 code."""
    found = cell.upper()
    if CURRENCY.fullmatch(found) is None:
        return Fault(f"{shown(cell)} is not a currency", "write the ISO code of three letters, as in EUR")
    return found


def country(cell: str) -> str | Fault:
    """An ISO 3166 code of two letters."""
    if COUNTRY.fullmatch(cell) is None:
        return Fault(f"{shown(cell)} is not a country", "write the ISO code of two letters, as in DE")
    return cell.upper()


def language(cell: str) -> str | Fault:
    """A language code; ``de-AT`` is kept as ``de``."""
    found = LANGUAGE.fullmatch(cell)
    if found is None:
        return Fault(f"{shown(cell)} is not a language", "write the ISO code of two letters, as in de")
    return found[1].lower()


def email(cell: str) -> str | Fault:
    """An e-mail address, its domain in small letters."""
    if len(cell) > EMAIL_CHARACTERS or EMAIL.fullmatch(cell) is None or ".." in cell or cell.startswith("."):
        return Fault(f"{shown(cell)} is not an e-mail address", "write one address, as in accounts@company.example")
    local, _, domain = cell.rpartition("@")
    return f"{local}@{domain.lower()}"
