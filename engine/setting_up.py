"""Setting up: a new entity, and the shipped policies as drafts that two people put in force."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

import holidays
from babel.numbers import is_currency

from engine.commands import Change, Command, Context, Invalid, register
from engine.tables import Document, Entity
from ledger.canonical import canonical, sha256_of
from ledger.problems import Problem
from notifiers.letter_templates import shipped_templates
from rules.documents import shipped, shipped_derived
from rules.regimes import shipped_regimes


@dataclass(frozen=True, kw_only=True)
class CreateEntity(Command):
    """Open the books of one of our legal entities.

    Args:
        code: short, unique, as in files and addresses.
        name: as its letters print it.
        currency: ISO 4217 code of its base currency.
        zone: IANA name of its time zone.
        country: ISO 3166 code, for its holidays.
        portfolio_share_bp: a run that would change a larger share of customers waits for a person.
    """

    code: str
    name: str
    currency: str
    zone: str = "UTC"
    country: str = "DE"
    portfolio_share_bp: int = 500


@register(CreateEntity, permission="users.manage")
def create_entity(_context: Context, command: CreateEntity) -> Change:
    """Create the entity with nothing live: adopted by its first run, it sends after go-live.

    With the first entity the shipped documents are there as drafts, for two people to put in force.
    """
    problems = _problems(command)
    if problems:
        raise Invalid(problems)
    entity = Entity.create(
        code=command.code,
        name=command.name,
        currency=command.currency,
        zone=command.zone,
        country=command.country,
        portfolio_share_bp=command.portfolio_share_bp,
    )
    drafts = install_drafts()
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        after={"code": command.code, "currency": command.currency, "zone": command.zone, "country": command.country},
        answer={"entity": entity.id, "code": entity.code, "drafts": drafts},
        entity_id=entity.id,
    )


def shipped_documents() -> list[dict[str, Any]]:
    """All documents that come with the product; what others name comes first."""
    return [*shipped_templates(), *shipped_regimes(), *shipped(), shipped_derived()]


def install_drafts() -> list[str]:
    """Keep each shipped document that has no version yet as a draft.

    Returns:
        The keys of the drafts that are new.
    """
    new = []
    for document in shipped_documents():
        if Document.select().where(Document.kind == document["kind"], Document.key == document["key"]).exists():
            continue
        Document.create(
            kind=document["kind"],
            key=document["key"],
            stage=document.get("stage"),
            subject=document.get("subject"),
            sha256=sha256_of(document),
            body=canonical(document),
            status="draft",
            reason="shipped with this release",
        )
        new.append(document["key"])
    return new


def _problems(command: CreateEntity) -> list[Problem]:
    problems = []
    if not command.code or len(command.code) > 20 or not command.code.isalnum():
        problems.append(Problem(place="code", what="must be 1 to 20 letters or digits", cure="give a short code"))
    elif Entity.select().where(Entity.code == command.code).exists():
        problems.append(Problem(place="code", what=f"{command.code} is taken", cure="give another code"))
    if not is_currency(command.currency):
        problems.append(Problem(place="currency", what=f"{command.currency} is not an ISO 4217 code", cure="give EUR"))
    if command.zone not in available_timezones():
        problems.append(Problem(place="zone", what=f"{command.zone} is not a time zone", cure="give Europe/Berlin"))
    if not 0 < command.portfolio_share_bp <= 10_000:
        problems.append(Problem(place="portfolio_share_bp", what="is not a share", cure="give 1 to 10,000 (100 %)"))
    if command.country not in holidays.list_supported_countries():
        problems.append(
            Problem(place="country", what=f"{command.country} has no holiday calendar", cure="give an ISO 3166 code")
        )
    return problems
