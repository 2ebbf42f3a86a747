"""Numbers in human units, both ways: as they are shown, and as the reader writes them."""

import re
from collections.abc import Mapping
from decimal import Decimal

from babel.numbers import get_decimal_symbol, get_group_symbol
from flask_babel import gettext as _

from admin import formatting
from admin.dictionaries import known_facts
from ledger.columns import Kind
from ledger.money import exponent, parse_amount
from rules.policies import Parameter
from rules.words import Voice, value_words

LARGEST = 10**15
BP_PLACES = 2
NEEDLESS = re.compile(r"(?<=\d)(?:[.,]00|([.,]\d)0)(?= ?%)")
GROUPS = re.compile(r"\d{1,3}(\D\d{3})*|\d+")


def voice(currency: str, parameters: Mapping[str, Parameter] | None = None, subject: str = "customer") -> Voice:
    """How things are said to this reader."""
    return Voice(
        say=_,
        currency=currency,
        language=str(formatting.locale().language),
        dictionary=known_facts(subject),
        parameters=parameters or {},
    )


def number_words(value: int | None, kind: Kind, currency: str) -> str:
    """A number with its unit: ``5,000.00 EUR``, ``12.5 %``, ``30 days``, ``3``; empty when there is none."""
    if value is None:
        return ""
    if kind is Kind.COUNT:
        return str(formatting.count(value).striptags())
    return trimmed(value_words(value, kind, voice(currency)))


def trimmed(words: str) -> str:
    """Per cents without needless zeros.

    >>> trimmed("110.00 % of 12,50 %, not 12.55 %")
    '110 % of 12,5 %, not 12.55 %'
    """
    return NEEDLESS.sub(lambda found: found.group(1) or "", words)


def range_words(low: int | None, high: int | None, kind: Kind, currency: str) -> str:
    """An inclusive range, its unit once: ``0 to 1,000 EUR``; empty when it has no ends."""

    def bare(value: int) -> str:
        whole = kind is Kind.MONEY and value % 10 ** exponent(currency) == 0
        return formatting.money_text(value, currency, decimals=False) if whole else number_text(value, kind, currency)

    unit = f" {unit_of(kind, currency)}".rstrip()
    if low is not None and high is not None:
        return _("%(low)s to %(high)s", low=bare(low), high=bare(high)) + unit
    if low is not None:
        return _("at least %(low)s", low=bare(low)) + unit
    return "" if high is None else _("at most %(high)s", high=bare(high)) + unit


def number_text(value: int, kind: Kind, currency: str) -> str:
    """A number as it stands in a field, without its unit: ``5,000.00``, ``12.5``, ``30``."""
    if kind is Kind.MONEY:
        return formatting.money_text(value, currency)
    mark = get_decimal_symbol(formatting.locale())
    if kind is Kind.RATIO:
        amount = Decimal(value).scaleb(-BP_PLACES)
        return format(amount.normalize() if amount else Decimal(0), "f").replace(".", mark)
    return str(value)


def read_number(text: str, kind: Kind, currency: str) -> int | None:
    """A number as the reader writes it, with or without its unit; None when it cannot be read."""
    mark = "," if get_decimal_symbol(formatting.locale()) == "," else "."
    text = text.replace("\u202f", " ").replace("\xa0", " ").strip()
    unit = unit_of(kind, currency)
    for word in (unit, "%"):
        if word and text.lower().endswith(word.lower()):
            text = text[: -len(word)].strip()
            break
    if kind is Kind.MONEY:
        return parse_amount(text, currency, "," if mark == "," else ".")
    places = BP_PLACES if kind is Kind.RATIO else 0
    return _read_decimal(text.replace(" ", ""), mark, places)


def _read_decimal(text: str, mark: str, places: int) -> int | None:
    sign = -1 if text[:1] in {"-", "−"} else 1
    whole, point, fraction = text.lstrip("+-−").partition(mark)
    group = get_group_symbol(formatting.locale())
    grouped = GROUPS.fullmatch(whole)
    separators = {character for character in whole if not character.isdigit()}
    if grouped is None or not whole.isascii() or (separators and separators != {group}) or (point and not fraction):
        return None
    if fraction[places:].strip("0") or (fraction and not (fraction.isascii() and fraction.isdigit())):
        return None
    digits = "".join(character for character in whole if character.isdigit())
    size = int(digits + fraction[:places].ljust(places, "0"))
    return None if size > LARGEST else sign * size


def unit_of(kind: Kind, currency: str) -> str:
    """The unit that stands beside a field."""
    units: dict[Kind, str] = {Kind.MONEY: currency, Kind.RATIO: "%", Kind.DAYS: _("days")}
    return units.get(kind, "")


def example_of(kind: Kind, currency: str) -> str:
    """A number of this kind as the reader would write it."""
    sample = {Kind.MONEY: 1_250 * 10 ** exponent(currency), Kind.RATIO: 1_250}.get(kind, 14)
    return number_text(sample, kind, currency)
