"""Decision tables of kept documents: which version a file was made from, and how its cells are said."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from admin.table_export import workbook_of
from admin.table_import import cell_words, document_from, opened
from admin.tongues import tongue_of
from engine import drafts
from engine.findings import dictionary_beside
from engine.tables import Document, Entity
from ledger.canonical import sha256_of
from ledger.problems import Problem
from rules.cell_words import Say, Tongue
from rules.documents import parse, parse_parameters
from rules.policies import Parameter
from rules.tables import no_table
from rules.words import english


def approved_bodies(entity: Entity | None) -> list[dict[str, Any]]:
    """The newest approved version of each document for all and for an entity, those for all first."""
    mine = Document.entity.is_null() if entity is None else Document.entity.is_null() | (Document.entity == entity.id)
    query = Document.select().where(Document.status.in_(("approved", "live")), Document.kind != "policy", mine)
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in query.order_by(Document.entity.is_null(False), Document.from_day, Document.id):
        newest[(row.kind, row.key, row.entity_id)] = json.loads(row.body)
    return list(newest.values())


def parameters_in(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Parameter]:
    """The parameters of documents by name; a later document's stand before an earlier one's."""
    found: dict[str, Parameter] = {}
    for body in bodies:
        parsed = parse_parameters(body)[0] if body["kind"] == "parameters" else None
        found |= {parameter.name: parameter for parameter in parsed.parameters} if parsed else {}
    return found


def currency_of(entity: Entity | None) -> str:
    """The currency amounts are written in: the entity's, else that of the first one."""
    one = entity or Entity.select().order_by(Entity.code).first()
    return "EUR" if one is None else str(one.currency)


def spoken_for(row: Document, language: str, currency: str | None = None) -> Tongue:
    """How the cells of a document are said in a language."""
    bodies = approved_bodies(row.entity)
    code = None if row.entity is None else str(row.entity.code)
    dictionary = dictionary_beside(str(row.subject or "customer"), bodies, code)
    return tongue_of(language, currency or currency_of(row.entity), parameters_in(bodies), dictionary)


def why_no_table(body: Mapping[str, Any], tongue: Tongue) -> list[Problem]:
    """What keeps a document from being a decision table: its shape, or a rule that no row can say."""
    if body.get("kind") != "policy":
        say = tongue.voice.say
        return [Problem("/kind", say("this is a list of values, not of rules"), say("choose a policy"))]
    _policy, problems = parse(body)
    return problems or no_table(body, tongue)


def file_of(row: Document, tongue: Tongue) -> tuple[bytes | None, list[Problem]]:
    """A document as an Excel file, or why it cannot be one."""
    body = json.loads(row.body)
    problems = why_no_table(body, tongue)
    if problems:
        return None, problems
    try:
        return workbook_of(body, row.sha256, tongue), []
    except ValueError as error:
        return None, [Problem("/rules", str(error), "use the JSON export")]


def kept_body(sha256: str, key: str) -> tuple[Document, dict[str, Any]] | None:
    """The policy of a sha256: a version, or what a draft of that key was a few edits ago."""
    row = Document.select().where(Document.sha256 == sha256).order_by(Document.id.desc()).first()
    if row is not None:
        return row, json.loads(row.body)
    for draft in Document.select().where(Document.key == key, Document.status == "draft"):
        for step in reversed(drafts.steps_of(draft)):
            body = drafts.body_at(draft, step["from"])
            if body is not None and sha256_of(body) == sha256:
                return draft, body
    return None


def document_of_file(
    content: bytes, name: str, visible: Callable[[Document], bool], say: Say = english
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The policy that an Excel file says.

    Args:
        name: of the file.
        visible: whether the reader may see a version.
        say: gives messages in the reader's language.

    Returns:
        The document, or None and every problem by sheet, row and column.
    """
    file, problems = opened(content, name, say)
    if file is None:
        return None, problems
    fields = file.head.fields
    found = kept_body(fields["sha256"], fields.get("key", ""))
    if found is None or found[0].kind != "policy" or not visible(found[0]):
        place = cell_words(say, file.head.title, file.head.rows["sha256"], "B")
        what = say("the version %(version)s this file was made from is not kept here") % {
            "version": fields["sha256"][:12]
        }
        return None, [Problem(place, what, say("export the policy here, and make the changes in that file"))]
    row, body = found
    tongue = spoken_for(row, fields.get("language", "en"), fields.get("currency"))
    problems = why_no_table(body, tongue)
    return (None, problems) if problems else document_from(file, body, fields["sha256"], tongue)
