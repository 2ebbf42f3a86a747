"""Currencies, time zones and countries to choose from, named in the reader's language."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

import holidays
from babel import Locale
from babel.numbers import is_currency

from admin import formatting

REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
SHARES_BP = (100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def currencies(_subject: Any) -> list[tuple[str, str]]:
    """Code and name of every currency in use."""
    return _currencies(formatting.locale())


def countries(_subject: Any) -> list[tuple[str, str]]:
    """Code and name of every country with a holiday calendar."""
    return _countries(formatting.locale())


def zones(_subject: Any) -> list[tuple[str, str]]:
    """Time zones named after a place, and UTC."""
    return _zones()


def shares(_subject: Any) -> list[tuple[str, str]]:
    """Shares of a portfolio, in basis points."""
    return [(str(bp), formatting.percent_text(bp, places=0)) for bp in SHARES_BP]


@cache
def _zones() -> list[tuple[str, str]]:
    named = sorted(zone for zone in available_timezones() if zone.split("/")[0] in REGIONS and "/" in zone)
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in named)]


@cache
def _currencies(locale: Locale) -> list[tuple[str, str]]:
    # CLDR keeps the names of currencies that are gone; those carry their years in brackets.
    in_use = ((code, str(name)) for code, name in locale.currencies.items() if is_currency(code))
    named = [(code, f"{code} · {name}") for code, name in in_use if not any(c.isdigit() for c in name)]
    return sorted(named)


@cache
def _countries(locale: Locale) -> list[tuple[str, str]]:
    codes = {code for code in holidays.list_supported_countries() if len(code) == 2}
    named = [(code, str(locale.territories.get(code, code))) for code in codes]
    return sorted(named, key=lambda pair: pair[1])
