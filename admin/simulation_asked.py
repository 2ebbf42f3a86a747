"""What a simulation's address asks: which changes in which order, whose customers, facts of which day."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from flask import abort, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from peewee import fn

from admin import formatting, gate
from admin.versions import body_of, first_day, title_of, visible_document, visible_entities
from engine import access
from engine.pipeline import last_portfolio_run
from engine.simulation import Whom
from engine.tables import Customer, Document, Entity, Outcome, Run
from ledger.days import day_of

CHANGES_MAX = 12
OPEN = ("draft", "proposed", "approved")
RUNS_OFFERED, VALUES_OFFERED = 60, 200


@dataclass(frozen=True)
class Change:
    """One of the changes, with the ways to move it and to leave it out."""

    document: Document
    title: str
    earlier: str
    later: str
    without: str


@dataclass(frozen=True)
class Asked:
    """What is asked, read from the address.

    Args:
        documents: the changes in order.
        whole: the entities the reader sees whole.
        entity: whose customers; the first of ``whole`` by default.
        run: whose stored facts; the last closed run by default, None before the first.
        from_day: the day the changes would hold from.
        whom: the customers.
    """

    documents: tuple[Document, ...]
    whole: tuple[Entity, ...]
    entity: Entity
    run: Run | None
    from_day: int
    whom: Whom

    @property
    def ready(self) -> bool:
        """Whether there is something to try, and somebody who may see what comes of it."""
        return bool(self.documents) and self.entity in self.whole

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The documents themselves."""
        return [body_of(document) for document in self.documents]

    @property
    def terms(self) -> dict[str, Any]:
        """What ``engine.simulation`` takes beside the changes."""
        return {"from_day": self.from_day, "run": self.run, "whom": self.whom}

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Of an address that asks the same."""
        asked = {
            "document": [document.id for document in self.documents],
            "entity": self.entity.code if self.entity in self.whole else "",
            "run": self.run.id if self.run is not None and request.args.get("run") else "",
            "from_on": formatting.iso(self.from_day) if request.args.get("from_on") else "",
            "segment": self.whom.segment,
            "risk_class": self.whom.risk_class,
            "portfolio": self.whom.portfolio,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def from_on(self) -> str:
        """The day the changes would hold from, as a date field takes it."""
        return formatting.iso(self.from_day)

    def changes(self) -> list[Change]:
        """The changes with their places in the order."""
        ids = [document.id for document in self.documents]

        def url(order: list[int]) -> str:
            return url_for(".index", **{**self.arguments, "document": order})

        found = []
        for place, document in enumerate(self.documents):
            rest = [*ids[:place], *ids[place + 1 :]]
            earlier = url([*rest[: place - 1], ids[place], *rest[place - 1 :]]) if place else ""
            later = url([*rest[: place + 1], ids[place], *rest[place + 1 :]]) if place < len(rest) else ""
            found.append(Change(document, title_of(document), earlier, later, url(rest)))
        return found

    def offered(self) -> list[tuple[int, str]]:
        """Changes that can be added: drafts, proposals and what is approved for a later day."""
        seen = access.visible_entities(current_user.id)
        today = gate.runtime().today(self.entity)
        query = Document.select().where(
            Document.status.in_(OPEN), Document.entity.is_null() | Document.entity.in_(seen)
        )
        waits = query.where((Document.status != "approved") | (Document.from_day > today))
        chosen = {document.id for document in self.documents}
        return [
            (one.id, f"{title_of(one)} · {formatting.title(one.status)} · {one.sha256[:8]}")
            for one in waits.order_by(Document.id.desc()).limit(VALUES_OFFERED)
            if one.id not in chosen
        ]

    def days(self) -> list[tuple[int, str]]:
        """The runs whose facts are still kept, the latest first."""
        runs = _runs(self.entity).limit(RUNS_OFFERED)
        kept = [run for run in runs if (gate.runtime().settings.var / str(run.facts_file)).is_file()]
        last = last_portfolio_run(self.entity)
        return [
            (run.id, _("%(day)s, the last run", day=text) if last is not None and run.id == last.id else text)
            for run in kept
            for text in [formatting.day_text(run.as_of_day)]
        ]

    def values(self, name: str) -> list[tuple[str, str]]:
        """Segments, classes or portfolios to choose from."""
        if name == "portfolio":
            field, query = Customer.portfolio, Customer.select(Customer.portfolio)
            query = query.where(Customer.entity == self.entity, Customer.portfolio.is_null(False))
            rows = query.distinct().order_by(field).limit(VALUES_OFFERED).tuples()
            return [(value, value) for (value,) in rows]
        field, found = getattr(Outcome, name), []
        last = Outcome.select(fn.MIN(field)).where(Outcome.entity_id == self.entity.id).scalar()
        while last is not None and len(found) < VALUES_OFFERED:  # from one value to the next, by the index
            found.append((str(last), formatting.title(str(last))))
            last = Outcome.select(fn.MIN(field)).where(Outcome.entity_id == self.entity.id, field > last).scalar()
        return found


def asked_now() -> Asked:
    """Read the address; what makes no sense is left out.

    A change the reader may not see answers 404, as its own page does.
    """
    arguments = request.args
    documents = _documents(arguments.getlist("document"))
    entities = visible_entities()
    if not entities:
        abort(404)
    whole = tuple(one for one in entities if access.sees_whole_entity(current_user.id, one.id))
    own = {document.entity_id for document in documents if document.entity_id is not None}
    fitting = [one for one in entities if not own or one.id in own] or entities
    offered = [one for one in fitting if one in whole] or fitting
    wanted = arguments.get("entity", "")
    entity = next((one for one in whole if one.code == wanted), offered[0])
    return Asked(documents, whole, entity, _run(entity), _from_day(entity, documents), _whom())


def _documents(asked: list[str]) -> tuple[Document, ...]:
    ids = dict.fromkeys(int(word) for word in asked if word.isdigit() and len(word) < 12)
    return tuple(visible_document(key) for key in [*ids][:CHANGES_MAX])


def _run(entity: Entity) -> Run | None:
    wanted = request.args.get("run", "")
    chosen = _runs(entity).where(Run.id == int(wanted)).first() if wanted.isdigit() and len(wanted) < 12 else None
    return chosen or last_portfolio_run(entity)


def _runs(entity: Entity) -> Any:
    return (
        Run.select()
        .where(Run.entity == entity, Run.kind != "event", Run.state == "done", Run.facts_file.is_null(False))
        .order_by(Run.as_of_day.desc(), Run.id.desc())
    )


def _from_day(entity: Entity, documents: tuple[Document, ...]) -> int:
    """The day asked for; by default the first on which all the changes can hold."""
    try:
        return day_of(date.fromisoformat(request.args.get("from_on", "")))
    except ValueError:
        begun = [document.from_day for document in documents if document.from_day is not None]
        return max([gate.runtime().today(entity), *(first_day(document) for document in documents), *begun])


def _whom() -> Whom:
    chosen = {name: request.args.get(name, "")[:200] or None for name in ("segment", "risk_class", "portfolio")}
    return Whom(**chosen)
