"""Dictionaries: every fact there is, those that the house derives among them, as a reader may name them."""

from collections.abc import Mapping

from flask import g, has_app_context

from admin.versions import body_of, in_force, visible_entities
from engine.findings import dictionary_beside
from engine.tables import Entity
from ledger.columns import Column
from rules.facts import dictionary_of


def dictionary_in_force(entity: Entity | None, subject: str = "customer") -> Mapping[str, Column]:
    """What a policy of an entity (None: of all) may read today; kept for the time of a request."""
    kept: dict[tuple[str | None, str], Mapping[str, Column]] = g.setdefault("dictionaries", {})
    code = None if entity is None else str(entity.code)
    if (code, subject) not in kept:
        ids = {None, None if entity is None else entity.id}
        documents = [
            body_of(one) for kind in ("parameters", "derived_facts") for one in in_force(kind) if one.entity_id in ids
        ]
        kept[code, subject] = dictionary_beside(subject, documents, code)
    return kept[code, subject]


def known_facts(subject: str = "customer") -> Mapping[str, Column]:
    """Every fact of every entity the reader sees, to name it: of two with a name, that for all entities."""
    if not has_app_context():
        return dictionary_of(subject)
    kept: dict[str, Mapping[str, Column]] = g.setdefault("known_facts", {})
    if subject not in kept:
        found: dict[str, Column] = {}
        for entity in [*visible_entities(), None]:
            found |= dictionary_in_force(entity, subject)
        kept[subject] = found
    return kept[subject]
