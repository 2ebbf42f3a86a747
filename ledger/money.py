"""Money: whole minor units of a currency, read, shown and converted without a float."""

import re
import unicodedata
from typing import Literal

RATE_SCALE = 10**9  # a rate is base minor units per foreign minor unit, times this
LARGEST_MINOR = 10**15  # of one amount that is read
LARGEST_CONVERTED = 4 * 10**18  # beyond it a converted amount is unknown: it never wraps

# ISO 4217 minor units where they are not 2.
WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
WITH_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = {
    **dict.fromkeys(WITHOUT_DECIMALS.split(), 0),
    **dict.fromkeys(WITH_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
SYMBOLS = re.compile(r"[€$£¥₹]|\b[A-Z]{3}\b")
SPACES = re.compile(r"[\s'’_]")


def exponent(currency: str) -> int:
    """Digits after the decimal mark of a currency.

    >>> exponent("EUR"), exponent("JPY"), exponent("KWD")
    (2, 0, 3)
    """
    return EXPONENTS.get(currency, 2)


def half_up(numerator: int, denominator: int) -> int:
    """Divide and round halves away from zero, so that a credit mirrors its invoice.

    >>> half_up(5, 2), half_up(-5, 2), half_up(7, 3)
    (3, -3, 2)
    """
    if denominator <= 0:
        raise ValueError(f"the denominator must be positive, got {denominator}")
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def convert(amount_minor: int, rate_e9: int) -> int:
    """Convert one amount at a rate, half up.

    >>> convert(10_000, 920_000_000)
    9200
    """
    return half_up(amount_minor * rate_e9, RATE_SCALE)


def parse_amount(text: str, currency: str, decimal_mark: Literal[".", ","] = ".") -> int | None:
    """Read an amount as people write it, into minor units.

    Thousands marks, spaces, a currency sign, a trailing minus and accountants' brackets
    are understood. More digits than the currency has are accepted only when they are
    zeros: an amount is never rounded on the way in.

    Returns:
        Minor units, or None when the text is no amount or is beyond ``LARGEST_MINOR``.

    >>> parse_amount("1,234.50", "USD"), parse_amount("1.234,5", "EUR", ","), parse_amount("(12.00)", "USD")
    (123450, 123450, -1200)
    """
    text = SPACES.sub("", SYMBOLS.sub("", unicodedata.normalize("NFKC", text).strip()))
    negative = False
    if text.startswith("(") and text.endswith(")"):
        negative, text = True, text[1:-1]
    elif text.endswith("-"):
        negative, text = True, text[:-1]
    elif text[:1] in {"-", "+", "−"}:
        negative, text = text[0] != "+", text[1:]
    grouping = "," if decimal_mark == "." else "."
    whole, mark, fraction = text.partition(decimal_mark)
    if not _is_grouped(whole, grouping) or (mark and not _are_digits(fraction)):
        return None
    digits = exponent(currency)
    if fraction[digits:].strip("0"):
        return None
    size = int(whole.replace(grouping, "") + fraction[:digits].ljust(digits, "0"))
    if size > LARGEST_MINOR:
        return None
    return -size if negative else size


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_grouped(whole: str, grouping: str) -> bool:
    """Digits, or groups of two or three after the first (Indian and Western thousands)."""
    groups = whole.split(grouping)
    if not all(_are_digits(group) for group in groups):
        return False
    return len(groups) == 1 or (
        1 <= len(groups[0]) <= 3 and len(groups[-1]) == 3 and all(len(group) in {2, 3} for group in groups[1:-1])
    )


def format_minor(amount_minor: int, currency: str, language: str = "en") -> str:
    """Show an amount in the reader's language.

    >>> format_minor(-123450, "EUR"), format_minor(123450, "EUR", "de"), format_minor(1200, "JPY")
    ('-1,234.50 EUR', '1.234,50 EUR', '1,200 JPY')
    """
    grouping, mark = {"de": (".", ","), "fr": ("\u202f", ",")}.get(language[:2], (",", "."))
    digits = exponent(currency)
    whole, fraction = divmod(abs(amount_minor), 10**digits)
    text = f"{whole:,}".replace(",", grouping) + (f"{mark}{fraction:0{digits}d}" if digits else "")
    return f"{'-' if amount_minor < 0 else ''}{text} {currency}"
