"""Made-up companies: names put together from syllables, addresses that can belong to nobody.

RFC 2606 keeps ``.example`` free for ever; contacts are roles, never people.
"""

from collections.abc import Iterator
from random import Random

FIRST = [
    "Alder",
    "Brann",
    "Corv",
    "Dorn",
    "Elsk",
    "Fenn",
    "Grav",
    "Hask",
    "Ister",
    "Jorv",
    "Kell",
    "Lund",
    "Mard",
    "Norr",
    "Oster",
    "Pell",
    "Quarn",
    "Rusk",
    "Sund",
    "Tarn",
    "Ulsk",
    "Vess",
    "Wend",
    "Yarr",
    "Zell",
    "Thorn",
    "Marl",
    "Birk",
    "Hald",
    "Stav",
]
LAST = [
    "bach",
    "combe",
    "dale",
    "feld",
    "gate",
    "ham",
    "ick",
    "low",
    "mere",
    "nor",
    "ock",
    "rup",
    "stead",
    "tor",
    "wick",
    "worth",
]
TRADES = [
    "Fittings",
    "Timber",
    "Packaging",
    "Bearings",
    "Textiles",
    "Glass",
    "Pumps",
    "Cables",
    "Coatings",
    "Tooling",
    "Foods",
    "Lighting",
    "Paper",
    "Valves",
    "Ceramics",
    "Plastics",
    "Furniture",
    "Instruments",
    "Seeds",
    "Castings",
]
FORMS = {
    "DE": ("GmbH", "AG", "GmbH & Co. KG"),
    "AT": ("GmbH",),
    "CH": ("AG", "GmbH"),
    "FR": ("SAS", "SARL"),
    "NL": ("B.V.",),
    "BE": ("NV",),
    "IT": ("S.r.l.",),
    "GB": ("Ltd", "Ltd", "plc"),
    "IE": ("Ltd",),
}
LANGUAGES = {"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "BE": "fr"}  # the others read English


STREETS = {
    "de": ("Industriestraße", "Am Güterbahnhof", "Werkstraße", "Hafenstraße", "Gewerbering"),
    "fr": ("Rue de l'Usine", "Avenue de la Gare", "Quai du Port", "Rue des Ateliers"),
    "en": ("Mill Lane", "Station Road", "Dock Street", "Foundry Row", "Canal Walk"),
}
TOWNS = {
    "DE": (("90402", "Nürnberg"), ("28195", "Bremen"), ("44135", "Dortmund"), ("04109", "Leipzig")),
    "AT": (("4020", "Linz"), ("8010", "Graz")),
    "CH": (("4051", "Basel"), ("8400", "Winterthur")),
    "FR": (("69002", "Lyon"), ("59000", "Lille"), ("44000", "Nantes")),
    "NL": (("3011 AA", "Rotterdam"), ("5611 AB", "Eindhoven")),
    "BE": (("4000", "Liège"), ("5000", "Namur")),
    "IT": (("10121", "Torino"), ("40121", "Bologna")),
    "GB": (("LS1 4DY", "Leeds"), ("M1 2JQ", "Manchester"), ("NE1 4XE", "Newcastle upon Tyne")),
    "IE": (("D02 X285", "Dublin"), ("T12 W8KP", "Cork")),
}


def address_of(number: str, country: str) -> tuple[str, str, str]:
    """A made-up postal address: street, postcode and town, the same each time for a customer's number."""
    random = Random(f"address/{number}")  # noqa: S311 - a demo, not a secret
    language = LANGUAGES.get(country, "en")
    house, street = random.randint(1, 140), random.choice(STREETS[language])
    return f"{street} {house}" if language == "de" else f"{house} {street}", *random.choice(TOWNS[country])


def company_names(random: Random, countries: list[str]) -> Iterator[tuple[str, str]]:
    """Name one company per country of the list; no two share their first word.

    Yields:
        The name, and the first word in lower case for its address.
    """
    stems = [first + last for first in FIRST for last in LAST]
    random.shuffle(stems)
    if len(countries) > len(stems):
        raise ValueError(f"at most {len(stems)} companies can be named, asked for {len(countries)}")
    for stem, country in zip(stems, countries):
        yield f"{stem} {random.choice(TRADES)} {random.choice(FORMS[country])}", stem.lower()
