"""Postal addresses: the lines of a customer's address as its country writes them."""

from collections.abc import Mapping
from typing import Any

from babel import Locale

from engine.tables import Customer, Entity

ADDRESS_FIELDS = ("address", "postcode", "city", "country")
POSTCODE_LAST = frozenset({"GB", "IE"})  # below the town, on a line of its own
POSTCODE_AFTER = frozenset({"US", "CA", "AU", "NZ", "IN", "SG", "TH"})  # behind the town
# The country's name, where the letter leaves ours, is for the post office it starts from.
POST_OFFICE = {"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "BE": "fr", "LU": "fr"}


def is_postal(known: Mapping[str, Any]) -> bool:
    """Whether a letter can reach what is known of a contact: it takes an address and a town.

    >>> is_postal({"address": "Industrieweg 7", "city": "Nürnberg"}), is_postal({"email": "a@b.example"})
    (True, False)
    """
    return bool(_said(known, "address")) and bool(_said(known, "city"))


def postal_lines(known: Mapping[str, Any], customer: Customer, entity: Entity) -> tuple[str, ...]:
    """The address as it stands in the window: company, person, street, town, country where it is abroad."""
    country = _said(known, "country") or customer.country or entity.country
    company, person = " ".join(str(customer.name).split()), _said(known, "name")
    lines = [company, person if person != company else "", *_said(known, "address").splitlines()]
    return tuple(" ".join(line.split()) for line in (*lines, *_town(known, country), *_abroad(country, entity)) if line)


def _town(known: Mapping[str, Any], country: str) -> list[str]:
    postcode, city = _said(known, "postcode"), _said(known, "city")
    if country in POSTCODE_LAST:
        return [city, postcode]
    return [f"{city} {postcode}" if country in POSTCODE_AFTER else f"{postcode} {city}"]


def _abroad(country: str, entity: Entity) -> list[str]:
    if country == entity.country:
        return []
    names = Locale(POST_OFFICE.get(entity.country, "en")).territories
    return [str(names.get(country, country)).upper()]


def _said(known: Mapping[str, Any], name: str) -> str:
    return str(known.get(name) or "").strip()
