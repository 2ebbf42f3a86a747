"""Importing: choose a file, see what it says, post exactly that."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import formatting, gate
from admin.views import whole_entities
from engine import uploads
from engine.commands import Invalid
from engine.importing import FILE_NAME_CHARACTERS, ImportFile, import_file, preview_for
from engine.tables import CommandRecord, Entity, Import
from ledger.days import day_of
from ledger.dialect import LIMITS, WHOLE
from ledger.mapping import parse

blueprint = Blueprint("importing", __name__, url_prefix="/import")

SAMPLES = Path(__file__).parents[1] / "samples" / "mappings"  # not there in an installed package: then one's own
USUAL = ("customers", "invoices", "payments", "contacts", "rates")  # in the order a house begins with
ROWS_SHOWN = 10  # of each kind of record
REMEMBERED = 100  # imports looked at for mappings used before
OFFERED = 8  # of them, for each entity
MAPPING_CHARACTERS_MAX = 200_000
OWN = "own"
RATE_SCALE = 12  # a rate of a file is units of base times 10 ** 12

KINDS = {
    "customer": _l("Customers"),
    "contact": _l("Contacts"),
    "invoice": _l("Invoices"),
    "payment": _l("Payments"),
    "credit_note": _l("Credit notes"),
    "write_off": _l("Write-offs"),
    "exchange_rate": _l("Exchange rates"),
    "credit_limit": _l("Credit limits"),
}
FIELDS = {
    "number": _l("Number"),
    "ordinal": _l("Instalment"),
    "part": _l("Part"),
    "customer": _l("Customer"),
    "customer_name": _l("Name"),
    "name": _l("Name"),
    "invoiced_on": _l("Invoiced"),
    "due_on": _l("Due"),
    "booked_on": _l("Booked"),
    "day": _l("Day"),
    "from_on": _l("From"),
    "until_on": _l("Until"),
    "amount": _l("Amount"),
    "currency": _l("Currency"),
    "base": _l("Base currency"),
    "rate": _l("Rate"),
    "source": _l("Source"),
    "reference": _l("For the invoice"),
    "text": _l("Text"),
    "reason": _l("Reason"),
    "email": _l("E-mail address"),
    "phone": _l("Telephone"),
    "mobile": _l("Mobile number"),
    "chat": _l("Chat name"),
    "address": _l("Postal address"),
    "postcode": _l("Postcode"),
    "city": _l("Town"),
    "role": _l("Role"),
    "country": _l("Country"),
    "language": _l("Language"),
    "portfolio": _l("Portfolio"),
    "terms_days": _l("Terms (days)"),
    "opened_on": _l("Customer since"),
    "group": _l("Group"),
}
# What an import writes, as the engine counts it.
ENTRIES = {
    "customers": _l("Customers opened"),
    "customers changed": _l("Customers changed"),
    "groups": _l("Groups of customers"),
    "contacts": _l("Contacts"),
    "contacts changed": _l("Contacts changed"),
    "due lines": _l("Due lines"),
    "credits": _l("Payments and credit notes"),
    "allocations": _l("Allocations"),
    "reversals": _l("Reversals"),
    "credit limits": _l("Credit limits"),
    "exchange rates": _l("Exchange rates"),
}


@dataclass(frozen=True)
class Table:
    """The first records of one kind, as they were read."""

    label: str
    columns: tuple[tuple[str, str], ...]  # heading and whether it is a figure
    rows: tuple[tuple[Any, ...], ...]


@cache
def samples() -> dict[str, dict[str, Any]]:
    """The mappings shipped beside the sources, by file name."""
    found = {}
    for path in sorted(SAMPLES.glob("*.json")) if SAMPLES.is_dir() else ():
        found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    order = {key: place for place, key in enumerate(USUAL)}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def used_before(entities: Sequence[Entity]) -> dict[int, list[tuple[str, str]]]:
    """Mappings of the last imports into some entities, newest first: (value, name) by entity."""
    ids = [entity.id for entity in entities]
    rows = Import.select(Import.id, Import.entity, Import.mapping).where(Import.entity.in_(ids))
    found: dict[int, dict[str, str]] = {}
    seen: set[tuple[int, str]] = set()
    for row in rows.order_by(Import.id.desc()).limit(REMEMBERED):
        name = str(json.loads(row.mapping).get("name") or json.loads(row.mapping).get("key") or "")
        offered = found.setdefault(row.entity_id, {})
        if (row.entity_id, name) not in seen and len(offered) < OFFERED:
            seen.add((row.entity_id, name))
            offered[f"import-{row.id}"] = name
    return {entity: list(offered.items()) for entity, offered in found.items()}


def open_entities() -> list[Entity]:
    """Entities the person signed in may import into: those they see whole."""
    return list(Entity.select().where(Entity.id.in_(whole_entities())).order_by(Entity.code))


def _form(given: Mapping[str, str], wrong: Mapping[str, str], status: int = 200) -> ResponseReturnValue:
    entities = open_entities()
    remembered = used_before(entities)
    codes = [entity.code for entity in entities]
    chosen = given.get("entity", "")
    last = Import.select().where(Import.entity.in_([e.id for e in entities])).order_by(Import.id.desc()).first()
    if chosen not in codes:
        chosen = last.entity.code if last else next(iter(codes), "")
    of_chosen = next((remembered.get(e.id, []) for e in entities if e.code == chosen), [])
    page = render_template(
        "console/import.html",
        entities=entities,
        chosen=chosen,
        remembered=[(e.name, remembered[e.id]) for e in entities if e.id in remembered],
        samples=[(f"sample-{key}", str(body["name"])) for key, body in samples().items()],
        mapping=given.get("mapping") or (of_chosen[0][0] if of_chosen else ""),
        own=given.get("own", ""),
        history_until=given.get("history_until", ""),
        wrong=wrong,
        limits=LIMITS,
        mebibytes=LIMITS.file_bytes // 2**20,
    )
    return page, status


@blueprint.get("/")
@gate.needs("import.run")
def form() -> ResponseReturnValue:
    """What to import, and how to read it."""
    return _form(request.args, {})


@blueprint.post("/")
@gate.needs("import.run")
def look() -> ResponseReturnValue:
    """Read the file and keep it for an hour; nothing is posted."""
    command, wrong = _read()
    if command is None:
        return _form(request.form, wrong, 422)
    entity = Entity.get(Entity.code == command.entity)
    found = preview_for(gate.runtime(), entity, command.content, command.mapping, command.history_until)
    waiting = uploads.keep(gate.runtime(), command, found)
    return redirect(url_for("importing.preview", ticket=waiting.ticket), 303)


def _read() -> tuple[ImportFile | None, dict[str, str]]:
    """The import as asked for, or what is wrong with the form, by field."""
    wrong: dict[str, str] = {}
    entity = next((e for e in open_entities() if e.code == request.form.get("entity", "")), None)
    if entity is None:
        wrong["entity"] = _("Choose an entity of which you see everything.")
    file = request.files.get("file")
    content = file.read() if file and file.filename else b""
    if not file or not file.filename:
        wrong["file"] = _("Choose a file.")
    elif not content:
        wrong["file"] = _("The file is empty.")
    mapping, wrong["mapping"] = _mapping()
    until, text = None, request.form.get("history_until", "").strip()
    try:
        until = day_of(date.fromisoformat(text)) if text else None
    except (ValueError, OverflowError):
        wrong["history_until"] = _("Give a date.")
    wrong = {name: words for name, words in wrong.items() if words}
    if wrong or mapping is None or entity is None or file is None:
        return None, wrong
    name = str(file.filename).replace("\\", "/").rsplit("/", 1)[-1][:FILE_NAME_CHARACTERS]
    command = ImportFile(
        actor=current_user.id,
        reason=f"imported {name}",
        entity=entity.code,
        mapping=mapping,
        content=content,
        file_name=name,
        history_until=until,
    )
    return command, {}


def _mapping() -> tuple[dict[str, Any] | None, str]:
    """The mapping chosen, uploaded or pasted, and what is wrong with it."""
    upload = request.files.get("own_file")
    text = request.form.get("own", "").strip()
    if upload and upload.filename:
        text = upload.read(4 * MAPPING_CHARACTERS_MAX).decode("utf-8-sig", errors="replace")
    chosen = request.form.get("mapping", "")
    if text and chosen in {"", OWN}:
        return _own(text)
    if chosen.startswith("sample-") and chosen.removeprefix("sample-") in samples():
        return dict(samples()[chosen.removeprefix("sample-")]), ""
    if chosen.startswith("import-") and chosen.removeprefix("import-").isdigit():
        asked = Import.entity.in_(whole_entities()) & (Import.id == int(chosen.removeprefix("import-")))
        row = Import.get_or_none(asked)
        if row is not None:
            return dict(json.loads(row.mapping)), ""
    return None, _("Choose a mapping, or give one of your own.")


def _own(text: str) -> tuple[dict[str, Any] | None, str]:
    if len(text) > MAPPING_CHARACTERS_MAX:
        words = _("The mapping is longer than %(n)s characters.", n=MAPPING_CHARACTERS_MAX)
        return None, words
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "lineno", 1)
        return None, _("This is not JSON: line %(n)s cannot be read.", n=at)
    _mapping_read, problems = parse(document)
    if problems:
        return None, "; ".join(str(problem) for problem in problems[:5])
    return document, ""


def _waiting(ticket: str) -> uploads.Waiting:
    """The previewed file of the person signed in; 404 when its hour is over."""
    waiting = uploads.find(gate.runtime(), ticket, current_user.id)
    if waiting is None:
        abort(404)
    return waiting


@blueprint.get("/<ticket>")
@gate.needs("import.run")
def preview(ticket: str) -> ResponseReturnValue:
    """What the file says, before anything is posted."""
    return _preview(_waiting(ticket))


def _preview(waiting: uploads.Waiting, problems: Sequence[Mapping[str, Any]] = (), status: int = 200) -> Any:
    entity = Entity.get_or_none(Entity.code == waiting.entity)
    if entity is None:
        abort(404)
    found = waiting.preview
    shown = [*problems, *found["problems"]]
    errors = sum(problem["severity"] == "error" for problem in shown)
    page = render_template(
        "console/import_preview.html",
        waiting=waiting,
        entity=entity,
        found=found,
        kinds=kinds_of(found),
        problems=shown,
        errors=errors,
        tables=tables_of(found["first"]),
        read_as=read_as(found["detected"]),
        mapping=json.dumps(waiting.mapping, ensure_ascii=False, indent=2),
        whole=WHOLE,
        done=_answer_of(waiting),
    )
    return page, status


@blueprint.post("/<ticket>/post")
@gate.needs("import.run")
def post(ticket: str) -> ResponseReturnValue:
    """Post exactly what was previewed; a second click finds what the first one did."""
    waiting = _waiting(ticket)
    if waiting.preview["refused"]:
        return redirect(url_for("importing.preview", ticket=ticket), 303)
    content = uploads.content_of(gate.runtime(), waiting)
    if content is None:
        answer = _answer_of(waiting)
        if answer is None:
            abort(404)
        return redirect(url_for("imports.import_page", import_id=answer["import_id"]), 303)
    command = ImportFile(
        actor=current_user.id,
        reason=f"imported {waiting.file_name}",
        key=waiting.key,
        entity=waiting.entity,
        mapping=waiting.mapping,
        content=content,
        file_name=waiting.file_name,
        history_until=waiting.history_until,
    )
    try:
        answer = import_file(gate.runtime(), command)
    except Invalid as error:
        problems = [
            {"line": p.line, "column": p.column, "what": p.what, "cure": p.cure, "severity": p.severity}
            for p in error.problems
        ]
        return _preview(waiting, problems, 422)
    uploads.forget_content(gate.runtime(), waiting)
    flash(_("%(file)s is taken in.", file=waiting.file_name), "success")
    return redirect(url_for("imports.import_page", import_id=answer["import_id"]), 303)


def _answer_of(waiting: uploads.Waiting) -> dict[str, Any] | None:
    record = CommandRecord.get_or_none(CommandRecord.key == waiting.key)
    return None if record is None else dict(json.loads(record.answer))


def kinds_of(found: Mapping[str, Any]) -> list[tuple[str, int, list[tuple[int, str]]]]:
    """Label, number and sums of each kind of record."""
    return [
        (
            str(KINDS.get(kind, formatting.title(kind))),
            number,
            [(amount, currency) for currency, amount in found["sums"].get(kind, {}).items()],
        )
        for kind, number in found["records"].items()
    ]


def read_as(detected: Mapping[str, str]) -> list[tuple[str, str]]:
    """How the file was read, in words."""
    named = {"encoding": _("Encoding"), "delimiter": _("Delimiter"), "decimal mark": _("Decimal mark")}
    marks = {",": _("comma"), ";": _("semicolon"), "\t": _("tab"), "|": _("bar"), ".": _("point")}
    found = []
    for name, value in detected.items():
        column = name.removeprefix("date format of ")
        label = named.get(name) or _("Dates in “%(column)s”", column=column)
        found.append((label, marks.get(value, value)))
    return found


def tables_of(first: Sequence[Mapping[str, Any]]) -> list[Table]:
    """The first records, one table for each kind, without columns that are blank throughout."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for record in first:
        for one in (record, *record.get("settlements", ())):
            by_kind.setdefault(str(one["kind"]), []).append(one)
    made = []
    for kind, records in by_kind.items():
        names = [n for n in FIELDS if any(r.get(n) not in {None, ""} for r in records)]
        if any(r.get("amount") is not None for r in records):
            names = [n for n in names if n != "currency"]
        columns = tuple((str(FIELDS[n]), "right" if n in {"amount", "rate", "terms_days"} else "") for n in names)
        rows = tuple((r["line"], *(_cell(r, name) for name in names)) for r in records[:ROWS_SHOWN])
        made.append(Table(str(KINDS.get(kind, formatting.title(kind))), columns, rows))
    return made


def _cell(record: Mapping[str, Any], name: str) -> Any:
    value = record.get(name)
    if value is None or value == "":
        return formatting.NOTHING
    if name == "amount":
        return formatting.money(value, record.get("currency"))
    if name == "rate":
        text = f"{value:0{RATE_SCALE + 1}d}"
        return f"{text[:-RATE_SCALE]}.{text[-RATE_SCALE:].rstrip('0') or '0'}"
    if name.endswith("_on") or name == "day":
        return formatting.day(day_of(date.fromisoformat(value)))
    return value
