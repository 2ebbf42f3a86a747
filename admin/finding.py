"""Finding customers: by the words of their number and name, by entity, whoever may see them."""

from collections.abc import Iterable
from typing import Any

from flask import g
from flask_login import current_user
from peewee import ModelSelect, Value, fn

from engine import access
from engine.tables import Customer, CustomerWord, Entity

FEW = 2_000  # customers; up to here a search puts in order what it found, read as ids,
SOME = 50_000  # words; and up to here what it found within the database
WORDS_MAX = 5  # of a search; further ones are left out


def entities() -> list[tuple[str, str]]:
    """Entities the person signed in sees a part of, to choose from."""
    visible = access.visible_entities(current_user.id)
    return [(e.code, e.name) for e in Entity.select().where(Entity.id.in_(visible)).order_by(Entity.code)]


def with_entities(customers: Iterable[Customer]) -> None:
    """Give customers their entities, read once: joined, the few entities would lead a long list's order."""
    rows = list(customers)
    found = {entity.id: entity for entity in Entity.select().where(Entity.id.in_({row.entity_id for row in rows}))}
    for row in rows:
        row.entity = found[row.entity_id]


def of_entity(query: ModelSelect, code: str) -> ModelSelect:
    """Customers of one entity."""
    return query.where(Customer.entity + 0 == Entity.select(Entity.id).where(Entity.code == code))


def matching(query: ModelSelect, words: str) -> ModelSelect:
    """Customers of whose number and name each word typed begins a word.

    Few of them are found by their words and then put in order; of many the list's own order finds
    the first ones sooner, asking each customer for the words.
    """
    few = few_matching(words)
    if few is not None:
        return query.where(Customer.id.in_(few))
    for part in _parts(words):
        query = query.where(_has_word(Customer.id, part))
    return query


def few_matching(words: str) -> list[int] | None:
    """The customers that words find, whoever may see them; None when they are many. Read once per request."""
    kept: dict[str, list[int]] = g.setdefault("customers_matching", {})
    if words not in kept:
        parts = sorted(_parts(words), key=len, reverse=True)
        some = CustomerWord.select(CustomerWord.customer).where(_begins(CustomerWord, parts[0]) if parts else False)
        for part in parts[1:]:
            some = some.where(_has_word(CustomerWord.customer, part))
        kept[words] = [key for (key,) in some.distinct().limit(FEW + 1).tuples()]
    return kept[words] if len(kept[words]) <= FEW else None


def some_matching(words: str) -> ModelSelect | None:
    """The ids that words find, where gathering and ordering them beats meeting them in the list's order; else None.

    The list's order meets frequent words soon, but rarer ones may all stand at its end.
    """
    parts = sorted(_parts(words), key=len, reverse=True)
    if not parts:
        return None
    found = CustomerWord.select(CustomerWord.customer).where(_begins(CustomerWord, parts[0]))
    for part in parts[1:]:
        found = found.where(_has_word(CustomerWord.customer, part))
    at_most = CustomerWord.select(Value(1).alias("one")).where(_begins(CustomerWord, parts[0])).limit(SOME + 1)
    counted = at_most.select_from(fn.COUNT(at_most.c.one)).scalar()
    return found if counted <= SOME else None


def _parts(words: str) -> list[bytes]:
    return [part.encode() for part in dict.fromkeys(words.lower().split())][:WORDS_MAX]


def _begins(model: Any, part: bytes) -> Any:
    """Words that begin with some bytes: no byte of UTF-8 is 255."""
    return (model.word >= part) & (model.word < part + b"\xff")


def _has_word(customer: Any, part: bytes) -> Any:
    other = CustomerWord.alias()
    return fn.EXISTS(other.select(Value(1)).where(other.customer == customer, _begins(other, part)))
