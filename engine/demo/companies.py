"""The demo's companies: our two entities, and made-up customers with their size, terms and habit.

Pure, as ``engine.demo.year`` is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import Any

from engine.demo.names import LANGUAGES, company_names

TOP_SHARE = 0.43  # of an entity's sales with its ten largest customers; of all sales a little less
TERMS = ((7, 4), (14, 7), (30, 29), (45, 28), (60, 32))  # days and their weight
HABITS = (("prompt", 47), ("relaxed", 24), ("slow", 9), ("erratic", 8), ("worsening", 6), ("improving", 6))
FOREIGN = 0.05  # of an entity's customers abroad are billed in another currency
GROUP_MEMBERS = 3
INSOLVENT_RANK = 16  # by size, within the larger entity
INSOLVENT_BEFORE_END_DAYS = 75
NO_LIMIT = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One of our entities in the demo."""

    code: str
    name: str
    currency: str
    foreign: str  # what some of its customers are billed in
    rate_ppm: int  # base per unit of foreign currency, in millionths
    zone: str
    country: str
    address: str
    iban: str  # with right check digits, at banks that do not exist
    bic: str
    share: int  # of the demo's customers, in percent
    sales_minor: int  # a year, with the full number of customers
    countries: tuple[tuple[str, int], ...]


BOOKS = (
    Books(
        code="EU",
        name="Hollow Oak Supplies GmbH",
        currency="EUR",
        foreign="CHF",
        rate_ppm=1_048_000,
        zone="Europe/Berlin",
        country="DE",
        address="Speicherstraße 12\n20457 Hamburg",
        iban="DE02120300000000202051",
        bic="BYLADEM1001",
        share=80,
        sales_minor=52_000_000_00,
        countries=(("DE", 58), ("FR", 12), ("AT", 8), ("NL", 8), ("CH", 6), ("IT", 5), ("BE", 3)),
    ),
    Books(
        code="UK",
        name="Hollow Oak Supplies Ltd",
        currency="GBP",
        foreign="EUR",
        rate_ppm=861_000,
        zone="Europe/London",
        country="GB",
        address="12 Quay Street\nBristol BS1 4XX",
        iban="GB33BUKB20201555555555",
        bic="BUKBGB22XXX",
        share=20,
        sales_minor=7_500_000_00,
        countries=(("GB", 85), ("IE", 15)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A customer: what it is, buys and how it pays. Amounts in the entity's base currency."""

    number: str
    entity: str
    name: str
    country: str
    language: str
    email: str
    terms_days: int
    habit: str
    currency: str
    yearly_minor: int
    gap_days: int  # mean days between invoices
    limit_minor: int | None
    group: str | None
    opened_day: int
    insolvent_day: int | None
    large: bool  # one of the tenth with the largest sales; those lose no invoice


def _dealt(random: Random, choices: tuple[tuple[Any, int], ...], weights: list[float]) -> list[Any]:
    """Deal values to customers so that each gets its share of sales, not only of customers.

    Drawn at random, what the ten largest happen to get would decide the whole portfolio.
    """
    total = sum(weight for _, weight in choices)
    missing = {value: weight / total * random.uniform(0.0, 0.02) for value, weight in choices}
    dealt = []
    for size in weights:
        for value, weight in choices:
            missing[value] += size * weight / total
        chosen = max(missing, key=lambda value: missing[value])
        missing[chosen] -= size
        dealt.append(chosen)
    return dealt


def _weights(count: int) -> list[float]:
    """Return sizes, largest first: lognormal quantiles, as spread as gives the ten largest their share."""
    places = [NormalDist().inv_cdf((count - rank - 0.5) / count) for rank in range(count)]
    top = min(10, max(1, count // 4))
    low, high = 0.0, 4.0
    for _ in range(40):
        sigma = (low + high) / 2
        sizes = [2.718281828 ** (sigma * place) for place in places]
        if sum(sizes[:top]) < TOP_SHARE * sum(sizes):
            low = sigma
        else:
            high = sigma
    return [size / sum(sizes) for size in sizes]


def companies_of(seed: int, books: Books, customers: int, first_day: int, span_days: int) -> Iterator[Company]:
    """Draw the customers of an entity, the largest first."""
    random = Random(f"{seed}/{books.code}")  # noqa: S311 - a demo, not a secret
    count = max(customers * books.share // 100, 5)
    weights = _weights(count)
    countries: list[str] = _dealt(random, books.countries, weights)
    terms_of: list[int] = _dealt(random, TERMS, weights)
    habits: list[str] = _dealt(random, HABITS, weights)
    names = list(company_names(random, countries))
    start = 10_000 if books.code == "EU" else 70_000
    numbers = random.sample(range(start, start + 20 * count), count)
    group_ranks = range(GROUP_MEMBERS) if books is BOOKS[0] else range(0)
    insolvent_rank = min(INSOLVENT_RANK, count - 1) if books is BOOKS[0] else -1
    for rank in range(count):
        yearly = int(books.sales_minor * customers / 340 * weights[rank])
        terms = terms_of[rank]
        abroad = countries[rank] != books.country
        limit = yearly * (terms + 25) // 365 * random.randint(95, 260) // 100
        name, stem = names[rank]
        yield Company(
            number=str(numbers[rank]),
            entity=books.code,
            name=name,
            country=countries[rank],
            language=LANGUAGES.get(countries[rank], "en"),
            email=f"accounts.payable@{stem}.example",
            terms_days=terms,
            habit=habits[rank],
            currency=books.foreign if abroad and random.random() < 3 * FOREIGN else books.currency,
            yearly_minor=yearly,
            gap_days=random.randint(6, 11) if rank < count // 10 else random.randint(11, 34),
            limit_minor=None if random.random() < NO_LIMIT else max(limit // 100_000 * 100_000, 100_000),
            group="HALDGATE" if rank in group_ranks else None,
            opened_day=first_day - random.randint(30, 3_000),
            insolvent_day=first_day + span_days - INSOLVENT_BEFORE_END_DAYS if rank == insolvent_rank else None,
            large=rank < count // 10,
        )
