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
