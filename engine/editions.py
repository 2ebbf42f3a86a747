"""Editions: everything a decision depends on besides the facts, named by one hash.

{policies, parameters resolved for the day, derived facts, templates, model, calendars, rates, engine version}
as canonical JSON. A run uses one edition from start to end; each decision stores its hash; a replay takes it.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from engine import audit
from engine.tables import Document, Entity, ExchangeRate, PolicyStop, ScoreModel
from engine.tables import Edition as EditionRow
from ledger.canonical import canonical, sha256_of
from ledger.problems import Hindrance, Problem
from ledger.state import Basis
from rules.book import Book
from rules.derived import parse_derived
from rules.documents import Parameters, Policy, parse, parse_parameters
from rules.formulas import DerivedFacts
from scoring.labels import TASK as SCORE_TASK
from scoring.model import Model, load

if TYPE_CHECKING:
    from engine.runtime import Runtime

T = TypeVar("T")
IN_FORCE = ("approved", "live", "retired")  # which of them holds on a day follows from their days
DECIDING = ("policy", "parameters", "derived_facts")  # kinds of documents that decide; templates only say it
FORMAT = 1
VERSION = version("dunwell")
HOLIDAYS = version("holidays")
BASIS_PARAMETERS = ("exposure_less_credits", "exposure_less_unapplied", "promise_tolerance_days")


class Unusable(Hindrance):
    """A document or model that was in force cannot be used; nothing is decided with half an edition."""


@dataclass(frozen=True)
class Edition:
    """One edition, ready to decide with.

    Args:
        sha256: of its canonical JSON.
        body: what the hash is over.
        book: the policies, compiled.
        model: the champion, or None when there is none.
        policy_key: key of the escalation policy; empty without one.
        lines: the policies that decide due lines; None without any.
    """

    sha256: str
    body: dict[str, Any]
    book: Book
    model: Model | None
    policy_key: str
    lines: Book | None = None

    def for_lines(self) -> "Edition":
        """The same edition with the book that decides due lines in place of the customers'.

        Raises:
            ValueError: no policy decides them.
        """
        if self.lines is None:
            raise ValueError("no policy of this edition decides due lines")
        return replace(self, book=self.lines, policy_key=escalation_key(self.lines), lines=None)

    @property
    def line_policy_key(self) -> str:
        """Key of the escalation policy of due lines; empty without one."""
        return "" if self.lines is None else escalation_key(self.lines)

    def basis(self, entity: Entity, as_of_day: int) -> Basis:
        """The question the facts answer on a day under this edition."""
        parts: dict[str, Any] = {}
        for name in BASIS_PARAMETERS:
            if name in self.book.parameters:
                value = self.book.parameters[name].value
                parts[name] = value if name == "promise_tolerance_days" else bool(value)
        rates = self.body["rates"]
        return Basis(as_of_day=as_of_day, entity=entity.code, currency=entity.currency, rates_e9=rates, **parts)


def escalation_key(book: Book) -> str:
    """Key of a book's escalation policy; empty without one."""
    stage = book.stages.get("escalation")
    return "" if stage is None else stage.policy.key


def documents_in_force(entity: Entity | None, day: int, kinds: Sequence[str] = DECIDING) -> list[Document]:
    """The documents that hold for an entity on a day: of each kind, stage and subject the most specific.

    A document holds from its ``from_day`` until a later one of the same scope begins; one for the
    entity beats one for all, whole.
    """
    return _holding(entity, day, kinds, Document.select())


def template_shas(entity: Entity | None, day: int) -> dict[str, str]:
    """The templates that hold for an entity on a day: sha256 by key, without reading what they say."""
    columns = [field for field in Document._meta.sorted_fields if field.name not in UNREAD]
    return {found.key: found.sha256 for found in _holding(entity, day, ("template",), Document.select(*columns))}


UNREAD = frozenset({"body", "impact", "undo"})


def _holding(entity: Entity | None, day: int, kinds: Sequence[str], query: Any) -> list[Document]:
    scope = Document.entity.is_null()
    if entity is not None:
        scope = scope | (Document.entity == entity)
    found = query.where(
        Document.kind.in_(kinds),
        Document.status.in_(IN_FORCE),
        Document.from_day <= day,
        scope,
        Document.approved_at.is_null(False),
    )
    best: dict[tuple[Any, ...], Document] = {}
    for document in sorted(found, key=_precedence):
        if document.until_day is None or day < document.until_day:
            best[scope_of(document)] = document
    return [best[key] for key in sorted(best, key=str)]


def parameters_for(runtime: "Runtime", entity: Entity | None, day: int) -> list[Parameters]:
    """The sets of parameters that hold for an entity on a day.

    Raises:
        Unusable: one cannot be read.
    """
    return [
        read_document(runtime, one, parse_parameters)
        for one in documents_in_force(entity, day)
        if one.kind == "parameters"
    ]


def scope_of(document: Document) -> tuple[Any, ...]:
    """What of which only one may be in force: parameters or derived facts of a key, the policy of a stage."""
    if document.kind != "policy":
        return (document.kind, document.key)
    return ("policy", document.stage, document.subject)


def _precedence(document: Document) -> tuple[Any, ...]:
    return (document.entity_id is not None, document.from_day, document.approved_at, document.id)


def activate(runtime: "Runtime", day: int) -> list[int]:
    """Move approved documents whose day has come to live; those they replace, and those whose end has come, to retired.

    Returns:
        Ids of the documents that are live now and were not before.
    """
    coming = list(
        Document.select()
        .where(Document.status == "approved", Document.from_day <= day)
        .order_by(Document.from_day, Document.approved_at, Document.id)
    )
    over = Document.select().where(Document.status == "live", Document.until_day <= day).order_by(Document.id)
    if not coming and not over.exists():
        return []
    with runtime.database.atomic():
        for document in coming:
            for older in Document.select().where(Document.status == "live", Document.kind == document.kind):
                if scope_of(older) == scope_of(document) and older.entity_id == document.entity_id:
                    _move(runtime, older, "retired", min(document.from_day, older.until_day or document.from_day))
            _move(runtime, document, "live", document.until_day)
        for document in over:
            _move(runtime, document, "retired", document.until_day, "its end has come")
    return [document.id for document in coming]


def _move(
    runtime: "Runtime", document: Document, status: str, until_day: int | None, why: str = "a newer version is live"
) -> None:
    before = {"status": document.status, "until_day": document.until_day}
    Document.update(status=status, until_day=until_day, version=Document.version + 1).where(
        Document.id == document.id
    ).execute()
    audit.append(
        at=runtime.now_at(),
        actor=None,
        command="Activate",
        subject_kind="document",
        subject_id=document.id,
        entity_id=document.entity_id,
        before=before,
        after={"status": status, "until_day": until_day},
        reason="its day has come" if status == "live" else why,
    )


def edition_for(runtime: "Runtime", entity: Entity, day: int) -> Edition:
    """The edition in force for an entity on a day; what is stopped now is stopped in it.

    Raises:
        Unusable: a document or the model in force cannot be read.
    """
    found = documents_in_force(entity, day)
    policies = [read_document(runtime, document, parse) for document in found if document.kind == "policy"]
    parameters = [
        read_document(runtime, document, parse_parameters) for document in found if document.kind == "parameters"
    ]
    derived = [
        read_document(runtime, document, parse_derived) for document in found if document.kind == "derived_facts"
    ]
    champion = ScoreModel.get_or_none(ScoreModel.task == SCORE_TASK, ScoreModel.status == "champion")
    shas: dict[str, Any] = {"parameters_documents": [d.sha256 for d in found if d.kind == "parameters"]}
    if derived:
        shas["derived_documents"] = [d.sha256 for d in found if d.kind == "derived_facts"]
    templates = template_shas(entity, day)
    if templates:
        shas["templates"] = templates
    stopped = stopped_policies(entity)
    key = (tuple(d.sha256 for d in found), entity.code, day, stopped)
    books = runtime.cache.setdefault("books", {})
    if key not in books:
        if len(books) > BOOKS_KEPT:
            books.pop(next(iter(books)))
        books[key] = _books(policies, parameters, day, derived, entity, stopped, list(books.values()))
    return _edition(runtime, entity, books[key], shas, None if champion is None else champion, rates_on(entity, day))


Books = tuple[Book, Book | None]  # what decides customers, and what decides due lines


def _books(
    policies: list[Policy],
    parameters: list[Parameters],
    day: int,
    derived: list[DerivedFacts],
    entity: Entity,
    stopped: Iterable[str],
    known: list[Books],
) -> Books:
    """The books of a day; one that says the same as a known one is that one."""
    stopped = tuple(stopped)

    def built(subject: str, policies: list[Policy]) -> Book:
        return Book.build(
            policies,
            parameters,
            day,
            derived=derived,
            entity=entity.code,
            currency=entity.currency,
            subject=subject,
            stopped=stopped,
        )

    books = [book for pair in known for book in pair if book is not None]
    customers = _same_or(built("customer", policies), books)
    of_lines = [policy for policy in policies if policy.subject == "invoice" and policy.stage == "escalation"]
    return customers, _same_or(built("invoice", of_lines), books) if of_lines else None


def stopped_policies(entity: Entity | None) -> tuple[str, ...]:
    """Keys of the policies that are stopped now for an entity, or (None) for all of them."""
    scope = PolicyStop.entity.is_null()
    if entity is not None:
        scope = scope | (PolicyStop.entity == entity)
    rows = PolicyStop.select(PolicyStop.policy_key).where(PolicyStop.over_at.is_null(), scope)
    return tuple(sorted({key for (key,) in rows.tuples()}))


BOOKS_KEPT = 64


def _same_or(book: Book, known: list[Book]) -> Book:
    """A known book that says the same, with all that is prepared for it; else this one."""
    said = (book.entity, book.subject, book.edition())
    return next((one for one in reversed(known) if (one.entity, one.subject, one.edition()) == said), book)


def _body_of(books: Books) -> dict[str, Any]:
    """What of an edition the books say; policies of due lines only where there are any."""
    customers, lines = books
    body = customers.edition()
    if lines is not None:
        own = lines.edition()
        body["line_policies"] = own["policies"]
        if "stopped" in own:
            body["stopped"] = sorted({*body.get("stopped", ()), *own["stopped"]})
    return body


def _edition(
    runtime: "Runtime",
    entity: Entity,
    books: Books,
    shas: dict[str, Any],
    champion: ScoreModel | None,
    rates: dict[str, int],
) -> Edition:
    body = {
        "format": FORMAT,
        "engine": VERSION,
        "entity": entity.code,
        "currency": entity.currency,
        **_body_of(books),
        **shas,
        "model": None if champion is None else champion.sha256,
        "calendars": {"country": entity.country, "region": entity.region, "holidays": HOLIDAYS},
        "rates": rates,
    }
    book, lines = books
    return Edition(
        sha256=sha256_of(body),
        body=body,
        book=book,
        model=None if champion is None else _model(runtime, champion),
        policy_key=escalation_key(book),
        lines=lines,
    )


def rates_on(entity: Entity, day: int) -> dict[str, int]:
    """Per foreign currency the latest rate at or before a day, in the entity's base currency."""
    rows = (
        ExchangeRate.select(ExchangeRate.currency, ExchangeRate.rate_e9)
        .where(ExchangeRate.base == entity.currency, ExchangeRate.day <= day)
        .order_by(ExchangeRate.day)
        .tuples()
    )
    return dict(rows)


def keep(edition: Edition) -> None:
    """Store an edition; the same one twice is one row."""
    EditionRow.insert(sha256=edition.sha256, body=canonical(edition.body)).on_conflict_ignore().execute()


def edition_of(runtime: "Runtime", entity: Entity, sha256: str, day: int) -> Edition:
    """Rebuild a stored edition from the documents it names.

    Args:
        day: a day it held on; its parameters are resolved for it.

    Raises:
        Unusable: it is not there, or what it names does not give the same edition again.
    """
    kept = runtime.cache.setdefault("editions", {})
    if sha256 in kept:
        found: Edition = kept[sha256]
        return found
    row = EditionRow.get_or_none(EditionRow.sha256 == sha256)
    if row is None:
        raise Unusable(f"the edition {sha256[:12]} is not stored")
    body = json.loads(row.body)
    policies = [
        read_document(runtime, document_named(name), parse)
        for name in (*body["policies"].values(), *body.get("line_policies", {}).values())
    ]
    parameters = [
        read_document(runtime, document_named(name), parse_parameters) for name in body["parameters_documents"]
    ]
    derived = [
        read_document(runtime, document_named(name), parse_derived) for name in body.get("derived_documents", ())
    ]
    champion = None if body["model"] is None else ScoreModel.get(ScoreModel.sha256 == body["model"])
    stopped = body.get("stopped", ())
    known = list(runtime.cache.get("books", {}).values())
    books = _books(policies, parameters, day, derived, entity, stopped, known)
    rebuilt = {**body, **_body_of(books)}
    if sha256_of(rebuilt) != sha256:
        raise Unusable(f"the edition {sha256[:12]} cannot be rebuilt: its documents give {sha256_of(rebuilt)[:12]}")
    kept[sha256] = Edition(
        sha256=sha256,
        body=body,
        book=books[0],
        model=None if champion is None else _model(runtime, champion),
        policy_key=escalation_key(books[0]),
        lines=books[1],
    )
    return edition_of(runtime, entity, sha256, day)


def document_named(sha256: str) -> Document:
    """The stored document with a sha256.

    Raises:
        Unusable: there is none.
    """
    found: Document | None = Document.get_or_none(Document.sha256 == sha256)
    if found is None:
        raise Unusable(f"the document {sha256[:12]} is not stored")
    return found


def read_document(
    runtime: "Runtime", document: Document, parsed: Callable[[dict[str, Any]], tuple[T | None, list[Problem]]]
) -> T:
    """A stored document, read once; it must still be what was approved.

    Raises:
        Unusable: it is not, or cannot be read.
    """
    kept = runtime.cache.setdefault("documents", {})
    if document.sha256 not in kept:
        read, problems = parsed(_checked_body(document))
        if read is None:
            raise Unusable(_said(document, problems))
        kept[document.sha256] = read
    found: T = kept[document.sha256]
    return found


def _checked_body(document: Document) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(document.body)
    if sha256_of(body) != document.sha256:
        raise Unusable(f"the document {document.key} is not what was approved: its content gives another sha256")
    return body


def _said(document: Document, problems: Iterable[Problem]) -> str:
    return f"the document {document.key} cannot be read: " + "; ".join(str(problem) for problem in problems)


def model_named(runtime: "Runtime", sha256: str) -> Model:
    """The registered model with a sha256, checked and replayed once a process.

    Raises:
        Unusable: it is not there, or refused.
    """
    row = ScoreModel.get_or_none(ScoreModel.sha256 == sha256)
    if row is None:
        raise Unusable(f"the score model {sha256[:12]} is not registered")
    return _model(runtime, row)


def _model(runtime: "Runtime", champion: ScoreModel) -> Model:
    kept = runtime.cache.setdefault("models", {})
    if champion.sha256 not in kept:
        model, problems = load(champion.body, champion.sha256)
        if model is None:
            raise Unusable("; ".join(problems))
        kept[champion.sha256] = model
    found: Model = kept[champion.sha256]
    return found
