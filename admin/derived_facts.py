"""Derived facts: what the house computes from other facts, in words, with the rules that read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate, measures
from admin.dictionaries import dictionary_in_force, known_facts
from admin.versions import (
    body_of,
    currency_shown,
    governed,
    in_force,
    newest_of,
    sees_all_of,
    sees_whole,
    visible_entities,
    waiting,
)
from engine.distributions import Distribution, distribution
from engine.editions import Unusable
from engine.findings import dictionary_beside
from engine.governance import SaveDraft
from engine.tables import Document, Entity
from ledger.columns import Column
from rules.derived import parse_derived
from rules.facts import DerivedColumn
from rules.formula_words import derived_words, kind_words
from rules.formulas import DerivedFact
from rules.stages import STAGE
from rules.words import value_words

blueprint = Blueprint("derived_facts", __name__, url_prefix="/derived-facts")


@dataclass(frozen=True)
class DerivedLine:
    """One derived fact of a version.

    Args:
        words: its formula.
        stage: from which on rules may read it; empty when it is not sound.
        uses: documents and rules that read it.
        spread: lowest, median and highest value of today's customers, and how many have none.
    """

    document: Document
    newest: Document
    name: str
    label: str
    meaning: str
    measures: str
    words: str
    stage: str
    uses: Sequence[tuple[Document, str]]
    spread: tuple[tuple[str, str], ...]


def derived_lines(documents: Iterable[Document]) -> list[DerivedLine]:
    """The derived facts of documents, as a page lists them."""
    uses = fact_uses([*in_force("policy"), *in_force("derived_facts")])
    lines = []
    for document in documents:
        parsed, _problems = parse_derived(body_of(document))
        dictionary = _dictionary_with(document)
        for fact in parsed.facts if parsed else ():
            column = dictionary.get(fact.name)
            ready = column if isinstance(column, DerivedColumn) and column.fact == fact else None
            lines.append(
                DerivedLine(
                    document=document,
                    newest=newest_of(document),
                    name=fact.name,
                    label=_(fact.label),
                    meaning=_(fact.meaning),
                    measures=kind_words(fact.kind, measures.voice(currency_shown(document))),
                    words=formula_shown(fact, currency_shown(document)),
                    stage=_(STAGE[ready.ready].label) if ready else "",
                    uses=tuple(uses.get(fact.name, ())),
                    spread=_spread(document, ready) if ready else (),
                )
            )
    return lines


def _dictionary_with(document: Document) -> Mapping[str, Column]:
    """What would be known if a version held; of one that does, what is."""
    if document.id in {one.id for one in in_force("derived_facts")}:
        return dictionary_in_force(document.entity)
    parameters = [body_of(one) for one in in_force("parameters") if one.entity_id in {None, document.entity_id}]
    code = None if document.entity is None else str(document.entity.code)
    return dictionary_beside("customer", [*parameters, body_of(document)], code)


def formula_shown(fact: DerivedFact, currency: str) -> str:
    """A formula in the reader's words."""
    return measures.trimmed(derived_words(fact, measures.voice(currency)))


def _spread(document: Document, column: DerivedColumn) -> tuple[tuple[str, str], ...]:
    """How the values lie over today's customers of the entities the reader sees whole."""
    entities = [entity for entity in governed(document) if sees_whole(entity)]
    try:
        found = distribution(gate.runtime(), entities, column.name)
    except (KeyError, Unusable):  # of a version that no entity decides by
        return ()
    return () if found is None or not found.customers else _spread_words(found)


def _spread_words(found: Distribution) -> tuple[tuple[str, str], ...]:
    voice = measures.voice(found.currency)
    named = [(_("Lowest"), found.lowest), (_("Median"), found.median), (_("Highest"), found.highest)]
    words = [(label, measures.trimmed(value_words(value, found.fact.kind, voice))) for label, value in named]
    return (*(one for one, (_label, value) in zip(words, named, strict=True) if value is not None),
            (_("Unknown"), f"{found.unknown} / {found.customers}"))  # fmt: skip


def fact_uses(documents: Iterable[Document]) -> dict[str, list[tuple[Document, str]]]:
    """Which rules, and which derived facts, read a derived fact."""
    names = frozenset(name for name, column in known_facts().items() if isinstance(column, DerivedColumn))
    names |= {fact["name"] for one in documents if one.kind == "derived_facts" for fact in body_of(one)["facts"]}
    found: dict[str, list[tuple[Document, str]]] = {}

    def note(name: Any, document: Document, label: str) -> None:
        if isinstance(name, str) and name in names and (document, label) not in found.setdefault(name, []):
            found[name].append((document, label))

    def walk(node: Any, document: Document, label: str) -> None:
        if isinstance(node, Mapping):
            note(node.get("fact"), document, label)
            for below in node.values():
                walk(below, document, label)
        elif isinstance(node, list):
            note(node[0] if len(node) > 1 else None, document, label)
            for below in node:
                walk(below, document, label)

    for document in documents:
        for label, part in readers_in(body_of(document)):
            walk(part, document, label)
    return found


def readers_in(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The parts of a document that read facts and parameters, with what each is called."""
    parts = [(_(str(rule.get("label") or rule["key"])), rule) for rule in body.get("rules", ())]
    parts += [
        (_(str(body.get("name") or body["key"])), body[word]) for word in ("escalation", "otherwise") if word in body
    ]
    return parts + [(_(str(fact["label"])), fact["formula"]) for fact in body.get("facts", ())]


@blueprint.get("/")
@gate.needs("policies.view")
def index() -> ResponseReturnValue:
    """Every derived fact in force, and what waits."""
    documents = in_force("derived_facts")
    drafts = list(Document.select().where(Document.status == "draft", Document.kind == "derived_facts"))
    seen = {None, *(entity.id for entity in visible_entities())}
    scopes = {document.entity_id for document in [*documents, *drafts]}
    free = [one for one in [None, *visible_entities()] if (one.id if one else None) not in scopes]
    return render_template(
        "console/derived_facts.html",
        lines=derived_lines(documents),
        documents=documents,
        drafts=[draft for draft in drafts if draft.entity_id in seen],
        waiting=waiting("derived_facts"),
        several=len(visible_entities()) > 1,
        free=[one for one in free if gate.may("documents.draft") and may_begin(one)],
    )


def may_begin(entity: Entity | None) -> bool:
    """Whether the reader may write documents of an entity, or (None) of all."""
    return all(sees_whole(one) for one in ([entity] if entity is not None else Entity.select()))


@blueprint.post("/new")
@gate.needs("documents.draft")
def begin() -> ResponseReturnValue:
    """Begin an empty document of derived facts for all entities or for one."""
    return begun("derived_facts", {"key": "derived", "name": "Derived facts", "facts": []})


def begun(kind: str, content: Mapping[str, Any]) -> ResponseReturnValue:
    """Begin a draft of a kind for the entity the form names, and open it; an older draft is opened instead."""
    code = request.form.get("entity", "") or None
    entity = None if code is None else next((one for one in visible_entities() if one.code == code), None)
    if (code is not None and entity is None) or not may_begin(entity):
        abort(403)
    # A key of its own: under the same one it would take the place of what holds for all, whole.
    key = str(content["key"]) if code is None else f"{content['key']}-{code}"
    same = (Document.kind == kind) & (Document.key == key) & (Document.status == "draft")
    scope = Document.entity.is_null() if entity is None else Document.entity == entity
    draft = Document.get_or_none(same, scope)
    if draft is None:
        head = {"format": 1, "kind": kind, "entity": code, "source": _("Written in the workbench")}
        command = SaveDraft(actor=current_user.id, reason=_("Draft begun"), document={**head, **content, "key": key})
        draft = Document.get_by_id(gate.runtime().execute(command)["document"])
    if not sees_all_of(draft):
        abort(403)
    return redirect(url_for("workbench.desk", document_id=draft.id), 303)
