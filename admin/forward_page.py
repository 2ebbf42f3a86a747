"""Looking ahead, as a page: what the coming weeks would send, in force and with a change, side by side.

The page is sent as it is computed: a mark after each day, then the tables. Nothing is kept but the last
few answers of this process, for the lists behind a cell and the workbook; another process computes again.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from flask import Blueprint, Flask, Response, abort, get_flashed_messages, request, stream_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf

from admin import forward_shown, forward_xlsx, gate
from admin.sheet import sent
from admin.versions import body_of, governed, sees_whole, title_of, visible_document, visible_entities
from engine.commands import Invalid
from engine.editions import Unusable, documents_in_force, stopped_policies
from engine.forward import look_ahead
from engine.outlook import WEEK_DAYS, Outlook, outlook_of
from engine.pipeline import last_portfolio_run
from engine.runtime import Runtime
from engine.tables import Document, Entity
from ledger.days import date_of, day_of
from ledger.problems import Problem

blueprint = Blueprint("forward", __name__, url_prefix="/simulations")
log = logging.getLogger(__name__)

WEEKS = (1, 2, 4, 6, 8)
WEEKS_USUAL = 4
DOCUMENTS_MAX = 20
ANSWERS_KEPT = 4
SO_FAR = "<!-- so far -->"  # stands in a page where it waits for what is computed


@dataclass(frozen=True)
class Asked:
    """What the page is asked for.

    Args:
        entity: None where the reader sees none whole.
        documents: the changes, in their order.
        from_day: the day they begin to hold; None: as soon as they can.
        wrong: by field what cannot be read.
        as_if_live: whether an entity that does not send is looked at as if it did.
    """

    entity: Entity | None
    entities: tuple[Entity, ...]
    documents: tuple[Document, ...]
    weeks: int
    from_day: int | None
    wrong: dict[str, str]
    as_if_live: bool = False

    def arguments(self, **more: Any) -> dict[str, Any]:
        """The same question in an address."""
        found: dict[str, Any] = {"document": [document.id for document in self.documents], "weeks": self.weeks}
        if self.entity is not None:
            found["entity"] = self.entity.code
        if self.from_day is not None:
            found["from_on"] = date_of(self.from_day).isoformat()
        if self.as_if_live:
            found["as_if_live"] = "yes"
        return {**found, **more}

    @property
    def simulated(self) -> dict[str, Any]:
        """The same changes in the address of their simulation."""
        of = {} if self.entity is None else {"entity": self.entity.code}
        return {"document": [document.id for document in self.documents], **of}

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Names the question and the decided day it starts from."""
        last = None if self.entity is None else last_portfolio_run(self.entity)
        shas = tuple(document.sha256 for document in self.documents)
        return (self.entity and self.entity.id, last and last.id, shas, self.weeks, self.from_day, self.as_if_live)

    @property
    def stopped(self) -> list[str]:
        """What the policies are called that a person stopped: they decide nothing in the coming days either."""
        keys = stopped_policies(self.entity)
        found = Document.select().where(Document.key.in_(keys), Document.status.in_(("live", "approved")))
        names = {document.key: title_of(document) for document in found.order_by(Document.id)}
        return [names.get(key, key) for key in keys]

    @property
    def of_invoices(self) -> list[str]:
        """What the policies in force or tried are called that decide invoices: their steps are not foretold."""
        tried = [document for document in self.documents if document.subject == "invoice"]
        in_force = documents_in_force(self.entity, gate.runtime().today(self.entity))
        found = {document.key: document for document in (*in_force, *tried) if document.subject == "invoice"}
        return [title_of(document) for document in found.values()]

    @property
    def titles(self) -> list[str]:
        """What the changes are called."""
        return [title_of(document) for document in self.documents]


@dataclass
class Work:
    """One answer in the making.

    Args:
        problems: why there is none.
        answer: once it is there.
    """

    runtime: Runtime
    asked: Asked
    problems: list[Problem] = field(default_factory=list)
    answer: Outlook | None = None
    failed: bool = False
    seconds: float = 0.0

    def progress(self) -> Iterator[dict[str, int]]:
        """Compute day by day; after each, which it was. One answer at a time in this process."""
        kept = answers(self.runtime)
        if self.asked.entity is None or self.answer is not None:
            return
        lock: threading.Lock = self.runtime.cache.setdefault("forward lock", threading.Lock())
        start, pairs = time.monotonic(), []
        try:
            with lock:
                ahead = look_ahead(
                    self.runtime,
                    self.asked.entity,
                    [body_of(document) for document in self.asked.documents],
                    days=self.asked.weeks * WEEK_DAYS,
                    from_day=self.asked.from_day,
                    as_if_live=self.asked.as_if_live,
                )
                for pair in ahead:
                    week, number = divmod(len(pairs), WEEK_DAYS)
                    pairs.append(pair)
                    yield {"day": pair.live.day, "week": week + 1, "number": number}
        except Invalid as error:
            self.problems += error.problems
        except Unusable as error:
            self.problems.append(Problem("documents", str(error), _("See what the policies page says.")))
        except Exception:
            log.exception("looking ahead failed")
            self.failed = True
        else:
            self.answer = outlook_of(pairs, self.runtime.now_at())
            kept[self.asked.key] = self.answer
            while len(kept) > ANSWERS_KEPT:
                kept.popitem(last=False)
        self.seconds = time.monotonic() - start

    @cached_property
    def shown(self) -> forward_shown.Shown:
        """The answer in the reader's words."""
        if self.answer is None or self.asked.entity is None:
            raise ValueError("there is no answer")
        return forward_shown.shown(self.answer, self.asked.entity)


def answers(runtime: Runtime) -> "OrderedDict[tuple[Any, ...], Outlook]":
    """The last answers of this process."""
    kept: OrderedDict[tuple[Any, ...], Outlook] = runtime.cache.setdefault("forward answers", OrderedDict())
    return kept


@blueprint.get("/forward")
@gate.needs("policies.view")
def page() -> ResponseReturnValue:
    """The coming weeks: steps, orders held, limits and work."""
    asked = read_asked()
    return streamed("console/forward.html", Work(gate.runtime(), asked))


@blueprint.get("/forward/customers")
@gate.needs("customers.view")
def customers() -> ResponseReturnValue:
    """The customers behind one number."""
    asked = _asked_whole()
    cell = forward_shown.read_cell(request.args)
    work = Work(gate.runtime(), asked, answer=answers(gate.runtime()).get(asked.key))
    return streamed("console/forward_customers.html", work, cell=cell)


@blueprint.get("/forward/xlsx")
@gate.needs("customers.view")
def workbook() -> ResponseReturnValue:
    """Everything as a workbook."""
    asked = _asked_whole()
    work = Work(gate.runtime(), asked, answer=answers(gate.runtime()).get(asked.key))
    for _day in work.progress():
        pass
    if work.answer is None:
        abort(422)
    content = forward_xlsx.workbook(work.shown, asked.titles)
    name = f"dunwell-forward-{asked.entity.code if asked.entity else ''}-{date_of(work.answer.live.days[0].day)}.xlsx"
    return sent(content, name)


def _asked_whole() -> Asked:
    """The question, of an entity the reader sees whole; else there is nothing here."""
    asked = read_asked()
    if asked.entity is None:
        abort(404)
    return asked


def read_asked() -> Asked:
    """What the address asks for; what is not the reader's to see is a 404."""
    numbers = list(dict.fromkeys(request.args.getlist("document", type=int)))[:DOCUMENTS_MAX]
    documents = tuple(visible_document(number) for number in numbers)
    whole = [entity for entity in visible_entities() if sees_whole(entity)]
    for document in documents:
        decided = {entity.id for entity in governed(document)}
        whole = [entity for entity in whole if entity.id in decided]
    code = request.args.get("entity")
    entity = next((one for one in whole if one.code == code), None)
    if code and entity is None:
        abort(404)
    weeks = request.args.get("weeks", WEEKS_USUAL, type=int)
    from_day, wrong = None, {}
    if request.args.get("from_on"):
        try:
            from_day = day_of(date.fromisoformat(request.args["from_on"]))
        except ValueError:
            wrong["from_on"] = _("This is not a date: choose a day.")
    entity = entity or (whole[0] if whole else None)
    return Asked(
        entity=entity,
        entities=tuple(whole),
        documents=documents,
        weeks=weeks if weeks in WEEKS else WEEKS_USUAL,
        from_day=from_day,
        wrong=wrong,
        as_if_live=entity is not None and not entity.sending and request.args.get("as_if_live") == "yes",
    )


def streamed(template: str, work: Work, **more: Any) -> Response:
    """A page that is sent while it is made, as far as it has come each time it waits."""
    get_flashed_messages(with_categories=True)  # both touch the session, whose cookie leaves with the first line
    generate_csrf()
    first = None if work.asked.entity is None else last_portfolio_run(work.asked.entity)
    pieces = stream_template(
        template,
        work=work,
        asked=work.asked,
        choices=WEEKS,
        first_day=None if first is None else first.as_of_day + 1,
        **more,
    )
    # A proxy that gathers the whole page before it passes it on would hide the progress.
    return Response(_joined(pieces), mimetype="text/html", headers={"X-Accel-Buffering": "no"})


def _joined(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces of a page, joined up to each place where it waits."""
    kept: list[str] = []
    with closing(pieces):  # type: ignore[type-var]
        for piece in pieces:
            kept.append(piece)
            if SO_FAR in piece:
                yield "".join(kept)
                kept = []
    yield "".join(kept)


def register_words(app: Flask) -> None:
    """Filters of these pages."""
    app.jinja_env.filters["short_day"] = forward_shown.short_day
    app.jinja_env.filters["zipped"] = lambda one, other: zip(one, other, strict=True)
