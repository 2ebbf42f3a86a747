"""Building the demo: history taken in, policies approved, adopted, gone live, then day by day.

A build that was interrupted goes on where it stood; one that is there is left as it is.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.commands import Command, Invalid
from engine.demo import agreements, bureau, desk
from engine.demo.companies import BOOKS
from engine.demo.days import Demo, answer, book, live_day, spans
from engine.demo.files import CUSTOMERS_MAPPING, customers_file
from engine.demo.place import DemoClock, Login, Standing, keep, kept, logins, on_clock, people
from engine.demo.year import generate
from engine.going_live import ApproveGoLive, ProposeGoLive
from engine.governance import ApproveDocument, ProposeDocument
from engine.importing import ImportFile, import_file
from engine.letterhead import SetLetterhead
from engine.payment_models import train_payment
from engine.promotion import PromoteModel
from engine.setting_up import CreateEntity, install_drafts
from engine.tables import Document, Entity
from engine.training import train

if TYPE_CHECKING:
    from engine.runtime import Runtime

log = logging.getLogger(__name__)

SEED = 11
CUSTOMERS = 340
HISTORY_DAYS = 700  # before the first decided day, so that the score learns from full twelve-month facts
DECIDED_DAYS = 180  # a day costs half a second to a second
SPAN_DAYS = 7  # history is taken in by the week, with what customers said,
EARLY_SPAN_DAYS = 28  # and what no fact of the first decided day reaches any more by four weeks, without
REACH_DAYS = 370
TRAINING_DAYS = 26
START_LEVEL = "zero"
DAILY_CAP = 50
SHARE_BP = 2_500  # a fourth of so few customers; 5 % of them would be a handful
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    Args:
        new: whether anything was built now.
        until_day: the last day of the demo.
        logins: who may sign in.
    """

    new: bool
    until_day: int
    logins: tuple[Login, ...]


def build(
    runtime: "Runtime",
    today: int,
    customers: int = CUSTOMERS,
    *,
    decided_days: int = DECIDED_DAYS,
    history_days: int = HISTORY_DAYS,
    seed: int = SEED,
    tell: Progress = log.info,
) -> Built:
    """Build the demo year that ends yesterday, or leave the one that is there.

    Args:
        today: the day after the last day of the demo.
        customers: over both entities.
        decided_days: how many of its last days are decided one by one.
        history_days: how many lie before them, taken in as history.
        seed: of the made-up ledger.
        tell: gets a line of progress now and then.
    """
    standing = kept(runtime)
    if standing is None:
        span = history_days + decided_days
        standing = Standing(
            seed=seed,
            first_day=today - span,
            customers=customers,
            span_days=span,
            decided_from_day=today - decided_days,
            until_day=today - 1 - decided_days,
        )
        demo = _demo(runtime, standing, standing.last_planned_day)
        _begin(demo, tell)
        keep(runtime, standing)
    if standing.until_day >= standing.last_planned_day:
        return Built(False, standing.until_day, tuple(logins(runtime)))
    demo = _demo(runtime, standing, standing.last_planned_day)
    try:
        for day in range(standing.until_day + 1, standing.last_planned_day + 1):
            _pass(demo, day)
            if (day - standing.decided_from_day) % 30 == 29:
                tell(f"{day - standing.decided_from_day + 1} days of the demo are decided")
        desk.last_touches(demo, standing.last_planned_day)
    finally:
        demo.runtime.forget()
    return Built(True, standing.last_planned_day, tuple(logins(runtime)))


def next_day(runtime: "Runtime") -> int | None:
    """Let one more day pass in the demo.

    Returns:
        That day, or None where there is no demo.
    """
    standing = kept(runtime)
    if standing is None:
        return None
    day = standing.until_day + 1
    demo = _demo(runtime, standing, max(day, standing.last_planned_day))
    try:
        _pass(demo, day)
    finally:
        demo.runtime.forget()
    return day


def _demo(runtime: "Runtime", standing: Standing, last_day: int) -> Demo:
    clock = DemoClock(standing.first_day)
    year = generate(standing.seed, standing.first_day, last_day, standing.customers, standing.span_days)
    placed = on_clock(runtime, clock)
    for books in BOOKS:
        if not Entity.select().where(Entity.code == books.code).exists():
            placed.execute(
                CreateEntity(
                    actor=None,
                    reason="the demo's company",
                    code=books.code,
                    name=books.name,
                    currency=books.currency,
                    zone=books.zone,
                    country=books.country,
                    portfolio_share_bp=SHARE_BP,
                )
            )
            placed.execute(
                SetLetterhead(
                    actor=None,
                    reason="the demo's company",
                    entity=books.code,
                    address=books.address,
                    mail_from=f"accounts.receivable@{books.code.lower()}.example",
                    iban=books.iban,
                    bic=books.bic,
                )
            )
    entities = {books.code: Entity.get(Entity.code == books.code) for books in BOOKS}
    parts = agreements.cast(year, standing.last_planned_day)
    agreements.pay_instalments(year, parts, standing.last_planned_day)
    return Demo(placed, clock, standing, year, people(placed), entities, parts)


def _pass(demo: Demo, day: int) -> None:
    """Let a day pass; only then is it kept as whole."""
    if day == demo.standing.decided_from_day + 1:
        _go_live(demo, day)
    live_day(demo, day)
    demo.standing = replace(demo.standing, until_day=day)
    keep(demo.runtime, demo.standing)


def _begin(demo: Demo, tell: Progress) -> None:
    """Everything before the first decided day, and that day's policies and model."""
    _customers(demo)
    desk.give_out(demo)
    standing = demo.standing
    reach = max(standing.first_day, standing.decided_from_day - REACH_DAYS)
    for start, end in spans(standing.first_day, reach, EARLY_SPAN_DAYS):
        book(demo, start, end, history=True)
    for start, end in spans(reach, standing.decided_from_day, SPAN_DAYS):
        book(demo, start, end, history=True)
        answer(demo, start, end, hour=18)
    bureau.take_in(demo)
    tell(f"history of {standing.decided_from_day - standing.first_day} days is taken in")
    _policies(demo)
    _models(demo, tell)


def _customers(demo: Demo) -> None:
    first_day = demo.standing.first_day
    demo.clock.set(first_day, 8)
    for books in BOOKS:
        own = [company for company in demo.year.companies if company.entity == books.code]
        import_file(
            demo.runtime,
            ImportFile(
                actor=demo.users["analyst"],
                reason="customers of the accounts",
                key=f"demo/{books.code}/customers",
                entity=books.code,
                mapping=CUSTOMERS_MAPPING,
                content=customers_file(books, own, first_day),
                file_name=f"{books.code.lower()}-customers.csv",
                history_until=first_day,
            ),
        )


def _policies(demo: Demo) -> None:
    """Propose and approve the shipped documents, as two people."""
    day = demo.standing.decided_from_day
    demo.clock.set(day - 1, 20)
    install_drafts()
    for document in list(Document.select().where(Document.status.in_(("draft", "proposed"))).order_by(Document.id)):
        if document.status == "draft":
            _do(demo, "analyst", ProposeDocument, f"propose/{document.key}", document=document.id, from_day=day)
        _do(
            demo,
            "credit.manager",
            ApproveDocument,
            f"approve/{document.key}",
            document_id=document.id,
            sha256=document.sha256,
        )


def _models(demo: Demo, tell: Progress) -> None:
    """Train on what is known before the first decided day, of customers and of invoices; another person approves."""
    day = demo.standing.decided_from_day - 1
    demo.clock.set(day, 21)
    entities, analyst = list(demo.entities.values()), demo.users["analyst"]
    for trained in (
        train(demo.runtime, entities, day, actor=analyst, days_max=TRAINING_DAYS),
        train_payment(demo.runtime, entities, day, actor=analyst),
    ):
        if trained.model_id is None or trained.sha256 is None:
            tell("no score model: " + "; ".join(problem.what for problem in trained.problems))
            continue
        try:
            _do(
                demo,
                "credit.manager",
                PromoteModel,
                f"promote/{trained.sha256}",
                model=trained.model_id,
                sha256=trained.sha256,
            )
        except Invalid as refused:  # no better than what needs no learning: it stays a challenger to be looked at
            tell(f"a model stays a challenger: {refused}")


def _go_live(demo: Demo, day: int) -> None:
    """The day after the adoption two people start the sending of each entity."""
    demo.clock.set(day, 1)
    for code in demo.entities:
        _do(
            demo,
            "credit.manager",
            ProposeGoLive,
            f"propose-live/{code}",
            entity=code,
            start_level=START_LEVEL,
            daily_cap=DAILY_CAP,
        )
        _do(demo, "second.manager", ApproveGoLive, f"approve-live/{code}", entity=code)


def _do(demo: Demo, place: str, command: type[Command], key: str, **values: Any) -> None:
    demo.runtime.execute(command(actor=demo.users[place], reason="set up for the demo", key=f"demo/{key}", **values))
