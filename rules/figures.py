"""Figures: integers in human units without their unit, as a cell of a sheet shows and takes them.

What ``figure_text`` writes ``read_figure`` reads, for every integer a document may hold.
"""

import re

from ledger.columns import Kind
from ledger.money import exponent, format_minor
from rules.limits import INTEGER
from rules.words import Voice

RATIO_PLACES = 2  # a basis point is a hundredth of a per cent
SPACES = re.compile("[\\s\u00a0\u202f']")
DECIMAL_MARK = {"de": ",", "fr": ","}
GROUP_MARK = {"de": ".", "fr": " "}
DIGITS = re.compile(r"[0-9]+")
GROUPED = re.compile(r"[0-9]{1,3}(?:g[0-9]{3})+")


def places_of(kind: Kind, currency: str) -> int:
    """Digits after the decimal mark of a kind.

    >>> places_of(Kind.MONEY, "JPY"), places_of(Kind.RATIO, "EUR"), places_of(Kind.DAYS, "EUR")
    (0, 2, 0)
    """
    if kind is Kind.MONEY:
        return exponent(currency)
    return RATIO_PLACES if kind is Kind.RATIO else 0


def unit_words(kind: Kind, voice: Voice) -> str:
    """What stands at the head of a column of such figures; empty for counts and texts."""
    units = {Kind.MONEY: voice.currency, Kind.RATIO: "%", Kind.DAYS: voice.say("days")}
    return units.get(kind, "")


def figure_text(value: int, kind: Kind, voice: Voice) -> str:
    """An integer of a document in human units.

    >>> figure_text(500_000, Kind.MONEY, Voice()), figure_text(1250, Kind.RATIO, Voice())
    ('5,000.00', '12.5')
    >>> figure_text(-30, Kind.DAYS, Voice()), figure_text(6000, Kind.RATIO, Voice())
    ('-30', '60')
    """
    if kind is Kind.MONEY:
        return format_minor(value, voice.currency, voice.language).removesuffix(f" {voice.currency}")
    if kind is Kind.RATIO:
        mark = DECIMAL_MARK.get(voice.language[:2], ".")
        whole, _mark, fraction = format_minor(value, "%", voice.language).removesuffix(" %").partition(mark)
        fraction = fraction.rstrip("0")
        return f"{whole}{mark}{fraction}" if fraction else whole
    return str(value)


def read_figure(text: str, kind: Kind, voice: Voice) -> int | None:
    """An integer of a document from what a person wrote, with or without its unit.

    Returns:
        None when it cannot be read, has more digits after the mark than its kind, or is
        beyond what a document holds: nothing is rounded.

    >>> read_figure("5,000 EUR", Kind.MONEY, Voice()), read_figure("12.5 %", Kind.RATIO, Voice())
    (500000, 1250)
    >>> read_figure("1.5", Kind.DAYS, Voice()) is None
    True
    """
    text = text.strip()
    for unit in (unit_words(kind, voice), voice.say("day") if kind is Kind.DAYS else ""):
        if unit and text.casefold().endswith(unit.casefold()):
            text = text[: -len(unit)].strip()
            break
    sign = -1 if text[:1] in {"-", "−"} else 1
    text = text[1:].strip() if text[:1] in {"-", "−", "+"} else text
    mark = DECIMAL_MARK.get(voice.language[:2], ".")
    whole, point, fraction = text.partition(mark)
    digits = _ungrouped(whole, GROUP_MARK.get(voice.language[:2], ","))
    places = places_of(kind, voice.currency)
    if digits is None or (point and not DIGITS.fullmatch(fraction)) or fraction[places:].strip("0"):
        return None
    if len(digits) + places > 40:  # beyond every bound; longer digits would cost time
        return None
    size = int(digits + fraction[:places].ljust(places, "0"))
    return sign * size if size <= INTEGER else None


def _ungrouped(whole: str, group: str) -> str | None:
    """The digits of a whole number, its groups of three joined; None when it is none."""
    plain = SPACES.sub(" ", whole)
    if DIGITS.fullmatch(plain):
        return plain
    for one in (group, " "):
        if GROUPED.fullmatch(plain.replace(one, "g")):
            return plain.replace(one, "")
    return None
