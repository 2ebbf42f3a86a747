"""Imports: a file of the accounts becomes ledger entries, whole or not at all."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine import tables
from engine.commands import Change, Command, Context, Invalid, register
from engine.known import customer_ids, known_of
from engine.taking_in import Posted, post_contacts, post_customers, post_plan
from ledger import mapping as mappings
from ledger.canonical import canonical, sha256_of
from ledger.days import date_of
from ledger.entries import Plan
from ledger.external import EXTERNAL, of_strangers
from ledger.posting import post
from ledger.problems import Problem, has_errors
from ledger.reading import Reading, read
from ledger.records import Record, SaidOfCustomer, customers_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

FILE_NAME_CHARACTERS = 255
PREVIEW_ROWS = 20
READ_AHEAD = "import read ahead"


@dataclass(frozen=True, kw_only=True)
class ImportFile(Command):
    """Take in a file.

    Args:
        entity: id or code.
        mapping: a mapping document (see ``ledger.mapping``).
        content: the bytes of the file.
        file_name: as the person knows it.
        history_until: entries booked until this day count as recorded when booked.
    """

    entity: int | str
    mapping: Mapping[str, Any]
    content: bytes
    file_name: str
    history_until: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file holds, before anything is posted.

    Args:
        rows: below the heading.
        records: how many of each kind.
        first: the first records as plain values.
        problems: errors and warnings.
        detected: delimiter, encoding, decimal mark and date formats.
        refused: whether an error would stop the import.
        sums: kind -> currency -> minor units.
        new: entries the ledger does not know yet; None when they were not compared.
        known: entries it knows already.
        new_customers: customers it would open.
    """

    rows: int
    records: Mapping[str, int]
    first: Sequence[Mapping[str, Any]]
    problems: Sequence[Problem]
    detected: Mapping[str, str]
    refused: bool
    sums: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    new: int | None = None
    known: int | None = None
    new_customers: int | None = None


def preview(content: bytes, document: Mapping[str, Any]) -> Preview:
    """Read a file without posting it."""
    return _preview_of(_read(content, document))


def _preview_of(reading: Reading) -> Preview:
    return Preview(
        rows=reading.rows,
        records=_counts(reading.records),
        first=[_plain(record) for record in reading.records[:PREVIEW_ROWS]],
        problems=reading.problems,
        detected=reading.detected,
        refused=reading.refused,
        sums=_sums(reading.records),
    )


def preview_for(
    runtime: "Runtime", entity: tables.Entity, content: bytes, document: Mapping[str, Any], history_until: int | None
) -> Preview:
    """Read a file and compare it with what the entity's ledger knows, without posting it."""
    reading = _read(content, document)
    found = _preview_of(reading)
    if reading.refused:
        return found
    plan, said, numbers, problems = _compared(entity, reading, runtime.today(entity), history_until)
    return replace(
        found,
        problems=problems,
        refused=has_errors(problems),
        new=plan.posted,
        known=plan.known,
        new_customers=len(said.keys() - numbers.keys()),
    )


def import_file(runtime: "Runtime", command: ImportFile) -> dict[str, Any]:
    """Carry out an import, reading the file before the write lock is taken.

    ``runtime.execute`` gives the same answer, but a large file then keeps others waiting.
    """
    name = f"{READ_AHEAD} {command.key}"  # of this import alone: threads of the console import side by side
    runtime.cache[name] = (_read_key(command), _read(command.content, command.mapping))
    try:
        return runtime.execute(command)
    finally:
        runtime.cache.pop(name, None)


@register(ImportFile, permission="import.run")
def take_in(context: Context, command: ImportFile) -> Change:
    """Read, compare with what is known, post what is new."""
    entity = context.entity(command.entity)
    if not 0 < len(command.file_name) <= FILE_NAME_CHARACTERS:
        raise Invalid.because("file_name", f"has not 1 to {FILE_NAME_CHARACTERS} characters", "give the file's name")
    reading = _reading(context, command)
    if reading.refused:
        raise Invalid(reading.problems)
    plan, said, numbers, problems = _compared(entity, reading, context.today(entity), command.history_until)
    if has_errors(problems):
        raise Invalid(problems)
    warnings = [asdict(problem) for problem in problems]
    imported = _note(context, command, entity, reading, plan.posted, plan.known, warnings)
    posted = Posted(entity=entity, import_id=imported.id, at=context.at, day=context.today(entity), customers=numbers)
    post_customers(posted, said)
    post_plan(posted, plan)
    post_contacts(posted, context.runtime.vault, [one for one in reading.records if one.kind == "contact"])
    answer = {
        "import_id": imported.id,
        "rows": reading.rows,
        "records": _counts(reading.records),
        "posted": plan.posted,
        "known": plan.known,
        "entries": {name: count for name, count in posted.counts.items() if count},
        "history_until": None if command.history_until is None else date_of(command.history_until).isoformat(),
        "problems": warnings,
    }
    return Change(
        subject_kind="import",
        subject_id=imported.id,
        after={name: answer[name] for name in ("rows", "posted", "known", "entries", "history_until")}
        | {"file": imported.file_sha256, "mapping": sha256_of(command.mapping)},
        answer=answer,
        dirty=posted.dirty,
        entity_id=entity.id,
    )


def _compared(
    entity: tables.Entity, reading: Reading, today: int, history_until: int | None
) -> tuple[Plan, dict[str, SaidOfCustomer], dict[str, int], list[Problem]]:
    """What a file would post, what it says of customers, the ids of those known, and every problem."""
    said, problems = customers_of(reading.records)
    external = [record for record in reading.records if record.kind in EXTERNAL]
    numbers = customer_ids(entity.id, {*said, *(record.values["customer"] for record in external)})
    strangers = [one for one in external if one.values["customer"] not in said.keys() | numbers.keys()]
    if strangers:
        problems.append(of_strangers(strangers))
    left_out = {id(record) for record in strangers}
    currencies = {record.values["currency"] for record in reading.records if record.kind == "exchange_rate"}
    plan, found = post(
        [record for record in reading.records if id(record) not in left_out] if strangers else reading.records,
        known_of(numbers, currencies, external=bool(external)),
        currency=entity.currency,
        posting_day=today,
        history_until=history_until,
    )
    return plan, said, numbers, [*reading.problems, *problems, *found]


def _note(
    context: Context,
    command: ImportFile,
    entity: tables.Entity,
    reading: Reading,
    posted: int,
    known: int,
    warnings: Sequence[Mapping[str, Any]],
) -> tables.Import:
    note: tables.Import = tables.Import.create(
        entity=entity,
        mapping=canonical(command.mapping),
        file_name=command.file_name,
        file_sha256=hashlib.sha256(command.content).hexdigest(),
        history_until_day=command.history_until,
        rows_read=reading.rows,
        entries_posted=posted,
        entries_known=known,
        warnings=json.dumps(warnings, ensure_ascii=False),
        recorded_at=context.at,
        by=command.actor,
    )
    return note


def _read_key(command: ImportFile) -> tuple[str, str]:
    return (hashlib.sha256(command.content).hexdigest(), sha256_of(command.mapping))


def _reading(context: Context, command: ImportFile) -> Reading:
    ahead = context.runtime.cache.get(f"{READ_AHEAD} {command.key}")
    if ahead is not None and ahead[0] == _read_key(command):
        found: Reading = ahead[1]
        return found
    return _read(command.content, command.mapping)


def _read(content: bytes, document: Mapping[str, Any]) -> Reading:
    mapping, problems = mappings.parse(document)
    return Reading([], problems, 0) if mapping is None else read(content, mapping)


def _counts(records: Iterable[Record]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for record in records:
        counts[record.kind] += 1
        counts.update(settlement.kind for settlement in record.settlements)
    return dict(sorted(counts.items()))


def _sums(records: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Amounts of each kind by currency, settlements of a row among their own kind."""
    sums: dict[str, dict[str, int]] = {}
    for record in records:
        for one in (record, *record.settlements):
            amount, currency = one.values.get("amount"), one.values.get("currency")
            if isinstance(amount, int) and currency is not None:
                by_currency = sums.setdefault(one.kind, {})
                by_currency[currency] = by_currency.get(currency, 0) + amount
    return {kind: dict(sorted(by_currency.items())) for kind, by_currency in sorted(sums.items())}


def _plain(record: Record) -> dict[str, Any]:
    """A record as the preview shows it: days as dates."""
    shown = {name: _shown(name, value) for name, value in record.values.items()}
    settled = [_plain(one) for one in record.settlements]
    return {"kind": record.kind, "line": record.line, **shown} | ({"settlements": settled} if settled else {})


def _shown(name: str, value: Any) -> Any:
    return date_of(value).isoformat() if name.endswith("_on") or name == "day" else value
