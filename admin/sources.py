"""Where the rules of an explanation come from: each stage's version, who approved it and when, and its parameters."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext as _
from peewee import JOIN

from admin import formatting, measures
from admin.versions import address, body_of
from engine.editions import Edition
from engine.tables import Document, User
from ledger.columns import Kind
from rules.derived import parse_derived
from rules.documents import parse_parameters
from rules.formula_words import derived_words
from rules.formulas import DerivedFact
from rules.policies import Parameter, Resolved


@dataclass(frozen=True)
class ParameterSeen:
    """A parameter as it stood on the day.

    Args:
        value: in human units, with the segments that have values of their own.
        since_day: from when on that value holds.
        url: the document it stands in.
    """

    label: str
    value: str
    since_day: int
    url: str


@dataclass(frozen=True)
class Source:
    """The version of a policy that decided a stage.

    Args:
        title: the policy's name.
        url: the version's page; empty when it is stored no more.
        because: where the policy comes from, as its document says.
    """

    title: str
    sha256: str
    url: str = ""
    from_day: int | None = None
    proposed_by: str = ""
    approved_by: str = ""
    approved_at: int | None = None
    because: str = ""
    parameters: tuple[ParameterSeen, ...] = ()


def sources_of(edition: Edition, day: int, currency: str) -> dict[str, Source]:
    """Per stage of an edition the version that decides it, and the parameters it reads.

    Args:
        day: the day decided: a content approved more than once counts as approved last before it.
        currency: of amounts.
    """
    policies: Mapping[str, str] = edition.body["policies"]
    formulas: list[str] = edition.body.get("derived_documents", [])
    versions = _versions([*policies.values(), *edition.body["parameters_documents"], *formulas], day)
    declared = _declared([versions[sha] for sha in edition.body["parameters_documents"] if sha in versions])
    derived = _derived([versions[sha] for sha in formulas if sha in versions])
    found = {}
    for name, stage in edition.book.stages.items():
        facts = [derived[one.name] for one in stage.derived if one.name in derived]
        read = dict.fromkeys([*_named(stage.policy.document), *_named([fact.document for fact, _row in facts])])
        seen = tuple(
            _seen(edition.book.parameters[one], *declared[one], day, currency)
            for one in read
            if one in edition.book.parameters and one in declared
        )
        seen += tuple(_formula(fact, row, edition, day, currency) for fact, row in facts)
        found[name] = _source(stage.policy.name, stage.policy.source, policies[name], versions, seen)
    return found


def _versions(shas: Iterable[str], day: int) -> dict[str, Document]:
    """The row of each content: of several the one that was in force on a day."""
    approver = User.alias()
    rows = (
        Document.select(Document, User, approver)
        .join(User, JOIN.LEFT_OUTER, on=(Document.proposed_by == User.id), attr="proposed_by")
        .switch(Document)
        .join(approver, JOIN.LEFT_OUTER, on=(Document.approved_by == approver.id), attr="approved_by")
        .where(Document.sha256.in_(list(shas)), Document.approved_at.is_null(False))
    )
    return {row.sha256: row for row in sorted(rows, key=lambda row: ((row.from_day or 0) <= day, row.id))}


def _source(
    title: str, because: str, sha256: str, versions: Mapping[str, Document], seen: tuple[ParameterSeen, ...]
) -> Source:
    row = versions.get(sha256)
    if row is None:
        return Source(_(title), sha256, because=because, parameters=seen)
    return Source(
        title=_(title),
        sha256=sha256,
        url=address(row),
        from_day=row.from_day,
        proposed_by=row.proposed_by.name if row.proposed_by_id else "",
        approved_by=row.approved_by.name if row.approved_by_id else "",
        approved_at=row.approved_at,
        because=because,
        parameters=seen,
    )


def _declared(documents: Iterable[Document]) -> dict[str, tuple[Parameter, Document]]:
    """Each parameter with the document it stands in; an entity's own beat those for all."""
    found: dict[str, tuple[Parameter, Document]] = {}
    for document in sorted(documents, key=lambda one: one.entity_id is not None):
        parsed, _problems = parse_parameters(body_of(document))
        for parameter in parsed.parameters if parsed else ():
            found[parameter.name] = (parameter, document)
    return found


def _derived(documents: Iterable[Document]) -> dict[str, tuple[DerivedFact, Document]]:
    """Each derived fact with the document it stands in; an entity's own beat those for all."""
    found: dict[str, tuple[DerivedFact, Document]] = {}
    for document in sorted(documents, key=lambda one: one.entity_id is not None):
        parsed, _problems = parse_derived(body_of(document))
        for fact in parsed.facts if parsed else ():
            found[fact.name] = (fact, document)
    return found


def _formula(fact: DerivedFact, document: Document, edition: Edition, day: int, currency: str) -> ParameterSeen:
    """A derived fact beside the parameters: its formula, and from when on its version holds."""
    voice = replace(measures.voice(currency), dictionary=edition.book.dictionary)
    words = measures.trimmed(derived_words(fact, voice))
    return ParameterSeen(
        _(fact.label), words, day if document.from_day is None else document.from_day, address(document)
    )


def _named(part: Any) -> Iterator[str]:
    """Names of the parameters that a document reads, its examples left out."""
    if isinstance(part, Mapping):
        if isinstance(part.get("param"), str):
            yield part["param"]
        for name, below in part.items():
            if name != "cases":
                yield from _named(below)
    elif isinstance(part, list):
        for below in part:
            yield from _named(below)


def _seen(resolved: Resolved, parameter: Parameter, document: Document, day: int, currency: str) -> ParameterSeen:
    begun = [value.from_day for value in parameter.values if value.from_day <= day]
    value = _value(resolved.value, parameter.kind, currency)
    own = [f"{formatting.title(name)}: {_value(one, parameter.kind, currency)}" for name, one in resolved.by_segment]
    return ParameterSeen(
        label=_(parameter.label),
        value=f"{value} ({', '.join(own)})" if own else value,
        since_day=max(begun, default=day),
        url=address(document),
    )


def _value(value: Any, kind: Kind, currency: str) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return measures.number_words(value, kind, currency) if isinstance(value, int) else str(value)
