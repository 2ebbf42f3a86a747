"""Parts of a portfolio by which a model's errors are told: country, segment, portfolio, sector, legal form.

Sector and legal form are the customer's custom fields of those names, where a ledger brings them.
"""

import json
from collections.abc import Sequence

from engine.tables import Customer, Entity, Outcome
from scoring.curves import About

CUSTOM = ("sector", "legal_form")
VALUE_LENGTH_MAX = 60


def about_of(entities: Sequence[Entity]) -> About:
    """Say of the customers of some entities what part each is of, as known today."""
    keys = [entity.id for entity in entities]
    found: dict[str, dict[int, str]] = {name: {} for name in ("segment", "country", "portfolio", *CUSTOM)}
    currency = {entity.id: str(entity.currency) for entity in entities}
    currencies = {}
    columns = (Customer.id, Customer.entity, Customer.country, Customer.portfolio, Customer.custom)
    for customer, entity, country, portfolio, custom in (
        Customer.select(*columns).where(Customer.entity.in_(keys)).tuples()
    ):
        currencies[customer] = currency[entity]
        values = {"country": country, "portfolio": portfolio}
        if custom != "{}":
            own = {name.lower().replace(" ", "_"): value for name, value in json.loads(custom).items()}
            values |= {name: own[name] for name in CUSTOM if isinstance(own.get(name), str)}
        for name, value in values.items():
            if value:
                found[name][customer] = str(value)[:VALUE_LENGTH_MAX]
    segments = Outcome.select(Outcome.customer, Outcome.segment)
    known = segments.where(Outcome.entity_id.in_(keys), Outcome.segment.is_null(False))
    found["segment"] = {customer: segment for customer, segment in known.tuples() if segment}
    return About(currencies, found)
