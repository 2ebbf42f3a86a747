"""Laws of late payment in force, and the import of rates into a new version of their table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.commands import Change, Command, Context, Invalid, NotFound, carry_out, register
from engine.editions import documents_in_force
from engine.governance import SaveDraft
from engine.tables import Document, Entity
from ledger.days import date_of
from ledger.interest import Regime
from ledger.problems import Problem, has_errors
from rules.regimes import RATE_TABLE, REGIME, rates_from_file, regimes_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

KINDS = (REGIME, RATE_TABLE)
FILE_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Laws:
    """The laws of late payment that hold for an entity on a day.

    Args:
        regimes: by key.
        problems: why one in force cannot be used: its rate table is not in force.
        shas: of every document they are made of, by kind and key.
    """

    regimes: tuple[Regime, ...]
    problems: tuple[Problem, ...]
    shas: dict[str, str]


def laws_of(runtime: "Runtime", entity: Entity, day: int) -> Laws:
    """The laws in force; read once for the same documents."""
    documents = documents_in_force(entity, day, KINDS)
    shas = {f"{one.kind}/{one.key}": str(one.sha256) for one in documents}
    return laws_by(runtime, documents, shas)


def laws_by(runtime: "Runtime", documents: Sequence[Document], shas: dict[str, str]) -> Laws:
    """The laws that documents make together."""
    kept = runtime.cache.setdefault("laws", {})
    key = tuple(sorted(shas.items()))
    if key not in kept:
        regimes, problems = regimes_of([json.loads(one.body) for one in documents])
        kept[key] = Laws(regimes, tuple(problems), shas)
    found: Laws = kept[key]
    return found


@dataclass(frozen=True, kw_only=True)
class ImportRates(Command):
    """Take the rates of a CSV file (columns from, rate) into a draft of the next version of a rate table.

    Args:
        table: key of the table.
        content: bytes of the file.
        known_until_day: the last day for which the table is complete then.
        entity: code, where the table is one entity's own.
    """

    table: str
    content: bytes
    known_until_day: int
    entity: str | None = None


@register(ImportRates, permission="documents.draft")
def import_rates(context: Context, command: ImportRates) -> Change:
    """Write the draft: rates of the file beside those there are; it is proposed and approved like any document."""
    if len(command.content) > FILE_BYTES_MAX:
        raise Invalid.because("content", f"is larger than {FILE_BYTES_MAX} bytes", "leave out what is no rate")
    entity = None if command.entity is None else context.any_entity(command.entity)
    scope = Document.entity.is_null() if entity is None else Document.entity == entity
    known = (
        Document.select()
        .where(Document.kind == RATE_TABLE, Document.key == command.table, scope, Document.status != "rejected")
        .order_by(Document.approved_at.is_null(), Document.from_day.desc(), Document.id.desc())
        .first()
    )
    if known is None:
        raise NotFound(f"no rate table {command.table}")
    rates, problems = rates_from_file(command.content)
    if has_errors(problems):
        raise Invalid(problems)
    body = json.loads(known.body)
    merged = {one["from"]: one["rate"] for one in (*body["rates"], *rates)}
    body["rates"] = [{"from": on, "rate": merged[on]} for on in sorted(merged)]
    body["known_until"] = date_of(command.known_until_day).isoformat()
    saved = carry_out(context, SaveDraft(actor=command.actor, reason=command.reason, document=body))
    return Change(
        subject_kind="document",
        subject_id=saved.subject_id,
        after={"table": command.table, "rates": len(rates), "known_until": body["known_until"]},
        answer={**saved.answer, "rates": len(rates)},
        entity_id=None if entity is None else entity.id,
    )
