"""Previews: what a derived fact of a draft would be for single customers today. Writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.live_counts import facts_today
from engine.pipeline import asking, facts_of
from engine.simulation import trial_book
from engine.tables import Customer, Entity
from rules import reference
from rules.closures import holds_of
from rules.conditions import All, Scalar
from rules.formula_values import value_of

if TYPE_CHECKING:
    from engine.runtime import Runtime


@dataclass(frozen=True)
class Preview:
    """One customer's value, and the row it was computed from (facts, outcomes, other derived facts)."""

    customer: Customer
    value: int | None
    row: Mapping[str, Scalar | None]


def largest_customers(runtime: "Runtime", entity: Entity, most: int) -> list[int]:
    """The customers of an entity with the largest exposure in its last run, at most so many."""
    today = facts_today(runtime, entity)
    return [] if today is None else today.live.largest(All(()), most)


def previews(
    runtime: "Runtime", entity: Entity, customers: Sequence[int], body: Mapping[str, Any], name: str
) -> list[Preview]:
    """Compute a derived fact of a document for some customers of an entity.

    Args:
        body: the document with the fact in it.

    Returns:
        In the order of the customers; nothing when the fact is not sound.

    Raises:
        engine.commands.Invalid: the document cannot be read, or lacks a parameter.
    """
    day = runtime.today(entity)
    book = trial_book(entity, day, [body])
    facts = book.derived([name])
    if not facts or not customers:
        return []
    rows = {int(row["customer_id"]): row for row in facts_of(runtime, asking(runtime, entity, day), customers)}
    named = {one.id: one for one in Customer.select().where(Customer.id.in_(list(customers)))}
    formulas = [(fact, value_of(fact.formula, holds_of)) for fact in facts]
    found = []
    for customer in customers:
        if customer not in rows or customer not in named:
            continue
        decided = reference.decide(rows[customer], book)
        seen = {**rows[customer], **decided.outcomes}
        for fact, value in formulas:
            seen[fact.name] = fact.within(value(seen))
        found.append(Preview(named[customer], seen[name], seen))
    return found
