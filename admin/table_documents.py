"""Decision tables of kept documents: which version a file was made from, and how its cells are said."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from admin.table_export import workbook_of
from admin.table_import import document_from, opened
from admin.tongues import tongue_of
from engine.tables import Document, Entity
from ledger.problems import Problem
from rules.cell_words import Tongue
from rules.documents import parse, parse_parameters
from rules.policies import Parameter
from rules.tables import no_table

Find = Callable[[str], Document | None]


def newest_parameters(entity: Entity | None) -> dict[str, Parameter]:
    """The parameters approved for all and for an entity, by name; its own ones count."""
    mine = Document.entity.is_null() if entity is None else Document.entity.is_null() | (Document.entity == entity.id)
    query = Document.select().where(Document.kind == "parameters", Document.status.in_(("approved", "live")), mine)
    found: dict[str, Parameter] = {}
    for row in query.order_by(Document.entity.is_null(False), Document.from_day, Document.id):
        parsed, _problems = parse_parameters(json.loads(row.body))
        found |= {parameter.name: parameter for parameter in parsed.parameters} if parsed else {}
    return found


def currency_of(entity: Entity | None) -> str:
    """The currency amounts are written in: the entity's, else that of the first one."""
    one = entity or Entity.select().order_by(Entity.code).first()
    return "EUR" if one is None else str(one.currency)


def spoken_for(row: Document, language: str, currency: str | None = None) -> Tongue:
    """How the cells of a document are said in a language."""
    found = newest_parameters(row.entity)
    return tongue_of(language, currency or currency_of(row.entity), found, str(row.subject or "customer"))


def why_no_table(body: Mapping[str, Any], tongue: Tongue) -> list[Problem]:
    """What keeps a document from being a decision table: its shape, or a rule that no row can say."""
    if body.get("kind") != "policy":
        return [Problem("/kind", "parameters are a list of values, not rules", "edit them as parameters")]
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


def document_of_file(content: bytes, name: str, find: Find) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The policy that an Excel file says.

    Args:
        name: of the file.
        find: the version of a sha256, or None where there is none or the reader may not see it.

    Returns:
        The document, or None and every problem by sheet, row and column.
    """
    file, problems = opened(content, name)
    if file is None:
        return None, problems
    fields = file.head.fields
    row = find(fields["sha256"])
    if row is None or row.kind != "policy":
        place = f"sheet {file.head.title}, row {file.head.rows['sha256']}, column B"
        what = f"the version {fields['sha256'][:12]} this file was made from is not kept here"
        return None, [Problem(place, what, "export the policy here, and make the changes in that file")]
    tongue = spoken_for(row, fields.get("language", "en"), fields.get("currency"))
    body = json.loads(row.body)
    problems = why_no_table(body, tongue)
    return (None, problems) if problems else document_from(file, body, row.sha256, tongue)
