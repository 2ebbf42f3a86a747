"""Dictionaries: every fact there is, those that the house derives among them, as a reader may name them."""

from collections.abc import Mapping
from typing import Any

from flask import g, has_app_context

from admin import gate
from admin.versions import body_of, in_force, visible_entities
from engine.findings import dictionary_beside
from engine.tables import Document, Entity
from ledger.columns import Column
from rules.facts import dictionary_of

KEPT_MAX = 64  # dictionaries, each under the documents it was made of


def dictionary_in_force(entity: Entity | None, subject: str = "customer") -> Mapping[str, Column]:
    """What a policy of an entity (None: of all) may read today; made once for the documents it rests on."""
    kept: dict[tuple[Any, ...], Mapping[str, Column]] = gate.runtime().cache.setdefault("dictionaries", {})
    code = None if entity is None else str(entity.code)
    documents = [one for one in _documents() if one.entity_id in {None, None if entity is None else entity.id}]
    key = (code, subject, *(one.sha256 for one in documents))
    found = kept.get(key)
    if found is None:
        if len(kept) >= KEPT_MAX:
            kept.clear()
        found = kept[key] = dictionary_beside(subject, [body_of(one) for one in documents], code)
    return found


def _documents() -> list[Document]:
    """Parameters and derived facts in force, read once per request."""
    if "dictionary_documents" not in g:
        g.dictionary_documents = [one for kind in ("parameters", "derived_facts") for one in in_force(kind)]
    documents: list[Document] = g.dictionary_documents
    return documents


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
