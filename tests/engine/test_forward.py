"""Looking ahead: what the coming days would send if nobody paid, and then the days themselves."""

import json
import random
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.after_run import BAND
from engine.commands import Invalid
from engine.diary import feed_standing
from engine.forward import Day, look_ahead
from engine.frames import rows_of
from engine.going_live import ApproveRun
from engine.governance import ApproveDocument, ProposeDocument
from engine.runs import resume, run_entity
from engine.runtime import Runtime
from engine.tables import (
    Action,
    Block,
    CreditLimit,
    Customer,
    Dispute,
    Document,
    DueLine,
    Entity,
    Outcome,
    Override,
    Promise,
    Run,
)
from ledger.canonical import canonical, sha256_of
from rules.documents import shipped
from rules.thresholds import thresholds_of, with_threshold

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at
Begun = set[tuple[int, int, str, str]]


def approved(document: dict[str, Any], from_day: int = 0) -> Document:
    """A document as if two people had approved it long ago."""
    return Document.create(
        kind=document["kind"],
        key=document["key"],
        stage=document.get("stage"),
        subject=document.get("subject"),
        sha256=sha256_of(document),
        body=canonical(document),
        status="live",
        from_day=from_day,
        approved_at=1,
    )


def with_band(document: dict[str, Any]) -> dict[str, Any]:
    """The parameters, by which low limits come into force without a person."""
    if document["kind"] != "parameters":
        return document
    known = next(one for one in document["parameters"] if one["name"] == "limit_automatic_band")
    band = {**known, "name": BAND, "values": [{**known["values"][0], "value": 500_000}]}
    return {**document, "parameters": [*document["parameters"], band]}


def entry(entity: Entity, customer: Customer, day: int) -> dict[str, Any]:
    """What every entry of the ledger says."""
    return {
        "entity_id": entity.id,
        "customer": customer,
        "booked_day": day,
        "recorded_day": day,
        "recorded_at": 0,
    }


@pytest.fixture
def world(
    runtime: Runtime, entity: Entity, books: Any, users: SimpleNamespace, go_live: Callable[[int], Entity]
) -> SimpleNamespace:
    """Sixty customers of all habits under the shipped documents, with all that a person may do to them."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    documents = {document["key"]: approved(with_band(document)) for document in shipped()}
    draw = random.Random(7)
    with runtime.database.atomic():
        for number in range(60):
            _customer(entity, books, users, draw, number)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY)
    run_entity(runtime, Entity.get_by_id(entity.id), DAY)
    return SimpleNamespace(entity=Entity.get_by_id(entity.id), documents=documents, users=users)


def _customer(entity: Entity, books: Any, users: SimpleNamespace, draw: random.Random, number: int) -> None:
    """One customer: invoices, payments, and of some a limit, a promise, a dispute, a block or an override."""
    customer = books.customer(
        f"{1000 + number}",
        terms_days=30,
        opened_day=DAY - draw.randrange(50, 3000),
        collector=draw.choice((None, users.collector, users.manager)),
    )
    habit, lines = draw.choice((-5, 0, 10, 29, 31, 62)), []
    for invoice in range(8):
        booked = DAY - 220 + invoice * 30 + draw.randrange(12)
        lines.append(books.invoice(customer, draw.randrange(2_000, 300_000), booked, booked + 30))
        if booked + 30 + habit < DAY:
            books.payment(customer, lines[-1], lines[-1].amount_minor, max(booked, booked + 30 + habit))
    if draw.random() < 0.7:
        amount = draw.choice((100_000, 400_000, 1_000_000))
        CreditLimit.create(**entry(entity, customer, DAY - 300), amount_minor=amount, from_day=DAY - 300)
    kind, turn = number % 6, number // 6
    if kind == 1:
        Promise.create(
            **entry(entity, customer, DAY - 3),
            due_line=lines[-2 - turn % 2],
            amount_minor=lines[-2 - turn % 2].amount_minor,
            currency=entity.currency,
            promised_day=DAY + turn,
        )
    elif kind == 2:
        kinds, ends = ("pause", "dunning_block", "insolvent"), DAY + 2 + turn
        whose = lines[-1] if turn % 2 else None
        Block.create(
            **entry(entity, customer, DAY - 2),
            kind=kinds[turn % 3],
            due_line=whose,
            from_day=DAY - 2,
            until_day=ends,
            reason="asked for",
        )
    elif kind == 3:
        target, value = [("level", 2), ("hold", True), ("segment", "key"), ("collector", users.second.id)][turn % 4]
        Override.create(
            customer=customer,
            target=target,
            value=json.dumps(value),
            from_day=DAY + turn % 3,
            until_day=DAY + 4 + turn,
            reason="by hand",
            by=users.manager,
            created_at=0,
        )
    elif kind == 4:
        Dispute.create(
            **entry(entity, customer, DAY - 1),
            due_line=lines[-2],
            amount_minor=lines[-2].amount_minor,
            reason="damaged",
        )


def foretold(days: Iterable[Day]) -> Begun:
    """The steps that were foretold: day, customer, step, channel."""
    return {(row["day"], row["customer_id"], row["step"], row["channel"]) for day in days for row in rows_of(day.begun)}


def carried_out(runtime: Runtime) -> None:
    """Every message is sent, every call reaches the customer and every task is done, today."""
    now_at = runtime.now_at()
    states = ("waiting", "due", "failed", "uncertain", "open")
    for action in list(Action.select().where(Action.state.in_(states), Action.decision.is_null(False))):
        work = action.channel in ("call", "task")
        Action.update(
            state="done" if work else "sent", result="reached" if work else None, settled_at=now_at, waiting_for=None
        ).where(Action.id == action.id).execute()
        if action.channel != "task":
            feed_standing(Action.get_by_id(action.id), "sent", now_at)


def lived(runtime: Runtime, clock: Any, entity: Entity, days: int, manager: int) -> tuple[Begun, list[Run]]:
    """Let the days come: each is decided in its night, and all it asks for is carried out."""
    found: Begun = set()
    runs = []
    for _ in range(days):
        carried_out(runtime)
        clock.advance(days=1)
        day = runtime.today(entity)
        run = run_entity(runtime, Entity.get_by_id(entity.id), day)
        if run.state == "gated":
            runtime.execute(ApproveRun(actor=manager, reason="seen", key=f"gate-{run.id}", run=run.id))
            run = resume(runtime, Run.get_by_id(run.id))
        assert run.state == "done"
        assert not run.disagreed
        runs.append(run)
        made = Action.select().where(
            Action.entity_id == entity.id, Action.due_day == day, Action.decision.is_null(False)
        )
        found |= {(day, action.customer_id, action.step_key, action.channel) for action in made}
    return found, runs


def compared(days: list[Day], runs: list[Run], told: Begun, real: Begun) -> None:
    """Day by day and customer by customer: not one more, not one less."""
    assert sorted(told - real) == []
    assert sorted(real - told) == []
    assert [day.changed for day in days] == [run.changed for run in runs]


def test_the_days_that_come_do_exactly_what_was_foretold(
    runtime: Runtime, clock: Any, world: SimpleNamespace, dump: Callable[[], list[str]]
) -> None:
    """Four weeks without a payment, lived through, begin the steps that were foretold; and telling wrote nothing."""
    before = dump()
    days = [pair.live for pair in look_ahead(runtime, world.entity)]
    assert dump() == before
    assert [day.day for day in days] == list(range(DAY + 1, DAY + 29))
    told = foretold(days)
    real, runs = lived(runtime, clock, world.entity, 28, world.users.manager.id)
    compared(days, runs, told, real)
    assert len(told) > 60
    assert {channel for _, _, _, channel in told} >= {"email", "letter", "call", "task"}
    held = Outcome.select().where(Outcome.entity_id == world.entity.id, Outcome.hold == True).count()  # noqa: E712
    assert days[-1].held == held > 0
    assert CreditLimit.select().where(CreditLimit.booked_day > DAY).count() == sum(day.taken for day in days) > 0
