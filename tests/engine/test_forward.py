"""Looking ahead: what the coming days would send if nobody paid, and then the days themselves."""

import json
import random
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from engine import forward, frames, pipeline
from engine.after_run import BAND
from engine.commands import Invalid
from engine.contact_times import quiet_code
from engine.diary import feed_standing
from engine.forward import Day, look_ahead
from engine.frames import rows_of
from engine.going_live import ApproveRun
from engine.governance import ApproveDocument, ProposeDocument
from engine.runs import resume, run_entity
from engine.runtime import Runtime
from engine.stopping import StopPolicy
from engine.tables import (
    Action,
    Block,
    CreditLimit,
    Customer,
    Dispute,
    Document,
    Entity,
    Outcome,
    Override,
    Promise,
    Run,
)
from rules.documents import shipped
from rules.thresholds import thresholds_of, with_threshold

from .conftest import in_force

pytestmark = pytest.mark.long

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at
Begun = set[tuple[int, int, str, str]]


def with_band(document: dict[str, Any]) -> dict[str, Any]:
    """The parameters, by which low limits come into force without a person."""
    if document["kind"] != "parameters":
        return document
    values = [
        {**one, "values": [{**one["values"][0], "value": 500_000}]} if one["name"] == BAND else one
        for one in document["parameters"]
    ]
    return {**document, "parameters": values}


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
    runtime: Runtime,
    entity: Entity,
    books: Any,
    users: SimpleNamespace,
    go_live: Callable[[int], Entity],
    letter_templates: None,
) -> SimpleNamespace:
    """Sixty customers of all habits under the shipped documents, with all that a person may do to them."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    documents = {document["key"]: in_force(with_band(document)) for document in shipped()}
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
        country=draw.choice(("DE", "DE", "GB", "SA", None)),
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
            after_credit_id=0,
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
    """Every message is sent that may leave today, every call reaches the customer and every task is done."""
    now_at = runtime.now_at()
    states = ("waiting", "due", "failed", "uncertain", "open")
    for action in list(Action.select().where(Action.state.in_(states), Action.decision.is_null(False))):
        work = action.channel in ("call", "task")
        if quiet_code(action.customer, action.channel, runtime.today(action.customer.entity)) is not None:
            continue
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
    """Sixteen days without a payment, Easter among them, begin the steps that were foretold; telling wrote nothing."""
    Entity.update(contact_times="{}").where(Entity.id == world.entity.id).execute()  # weekends and holidays as shipped
    world.entity = Entity.get_by_id(world.entity.id)
    before = dump()
    days = [pair.live for pair in look_ahead(runtime, world.entity, days=16)]
    assert dump() == before
    assert [day.day for day in days] == list(range(DAY + 1, DAY + 17))
    told = foretold(days)
    real, runs = lived(runtime, clock, world.entity, 16, world.users.manager.id)
    compared(days, runs, told, real)
    assert len(told) > 30
    assert {channel for _, _, _, channel in told} >= {"email", "letter", "call", "task"}
    held = Outcome.select().where(Outcome.entity_id == world.entity.id, Outcome.hold == True).count()  # noqa: E712
    assert days[-1].held == held > 0
    assert CreditLimit.select().where(CreditLimit.booked_day > DAY).count() == sum(day.taken for day in days) > 0


def test_a_change_does_exactly_what_was_foretold_once_it_is_approved(
    runtime: Runtime, clock: Any, world: SimpleNamespace
) -> None:
    """An earlier reminder and a longer pause between contacts, in this order: approved, they begin the same steps."""
    reminder = thresholds(world.documents["escalation"], "standard-p4", 2)
    reminder["cases"] = []
    pause = thresholds(world.documents["parameters"], "minimum_contact_days", 6, "2026-04-08")
    pairs = list(look_ahead(runtime, world.entity, [reminder, pause], days=14, from_day=DAY + 5))
    told, as_it_was = foretold(pair.changed for pair in pairs), foretold(pair.live for pair in pairs)
    assert {one for one in told if one[0] < DAY + 5} == {one for one in as_it_was if one[0] < DAY + 5}
    assert told != as_it_was
    propose(runtime, world, [reminder, pause], DAY + 5)
    real, runs = lived(runtime, clock, world.entity, 14, world.users.manager.id)
    compared([pair.changed for pair in pairs], runs, told, real)


def test_a_policy_under_a_new_name_begins_nothing_on_its_first_day(
    runtime: Runtime, clock: Any, world: SimpleNamespace
) -> None:
    """Its first run sets standings; whoever is late climbs from the next day on, and the old standings rest."""
    other = json.loads(world.documents["escalation"].body)
    other |= {"key": "firm-reminders", "name": "Firm reminders", "cases": []}
    pairs = list(look_ahead(runtime, world.entity, [other], days=6, from_day=DAY + 2))
    assert [pair.changed.begins for pair in pairs] == [True, False, True, True, True, True]
    told = foretold(pair.changed for pair in pairs)
    propose(runtime, world, [other], DAY + 2)
    real, runs = lived(runtime, clock, world.entity, 6, world.users.manager.id)
    compared([pair.changed for pair in pairs], runs, told, real)


@pytest.mark.sqlite
def test_a_version_that_renames_its_steps_sends_none_of_them_twice(
    runtime: Runtime, clock: Any, world: SimpleNamespace
) -> None:
    """Whoever stands at the old step stands at the new one; the next step comes as if nothing had happened."""
    body = world.documents["escalation"].body
    renamed = {"standard-p4": "standard-first", "standard-p14": "standard-second"}
    for old, new in renamed.items():
        body = body.replace(f'"{old}"', f'"{new}"')
    other = json.loads(body)
    other["escalation"]["mapping"] = {"steps": renamed}
    other["cases"] = []
    pairs = list(look_ahead(runtime, world.entity, [other], days=10, from_day=DAY + 3))
    told = foretold(pair.changed for pair in pairs)
    assert {"standard-first", "standard-second"} & {step for _, _, step, _ in told}
    propose(runtime, world, [other], DAY + 3)
    real, runs = lived(runtime, clock, world.entity, 10, world.users.manager.id)
    compared([pair.changed for pair in pairs], runs, told, real)


@pytest.mark.sqlite
@pytest.mark.parametrize("key", ["escalation", "credit_limit"])
def test_a_policy_that_is_stopped_stays_stopped(runtime: Runtime, clock: Any, world: SimpleNamespace, key: str) -> None:
    """What a person stopped decides nothing in the coming days either, until two people say so."""
    runtime.execute(StopPolicy(actor=world.users.manager.id, reason="does harm", policy=key))
    days = [pair.live for pair in look_ahead(runtime, world.entity, days=5)]
    told = foretold(days)
    assert bool(told) == (key != "escalation")
    assert sum(day.taken for day in days) == 0 or key == "escalation"
    real, runs = lived(runtime, clock, world.entity, 5, world.users.manager.id)
    compared(days, runs, told, real)


def thresholds(document: Document, owner: str, value: int, from_on: str = "2026-04-01") -> dict[str, Any]:
    """A document in force with one number changed."""
    body = json.loads(document.body)
    place = next(t.place for t in thresholds_of(body) if t.owner == owner)
    found: dict[str, Any] = with_threshold(body, place, value, from_on)
    return found


@pytest.mark.parametrize("held", [-1, 10**9])
def test_a_large_portfolio_is_told_the_same(
    runtime: Runtime, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """Read by a child, from files or held in memory, in plans that stream: the same days to the last step."""
    reminder = thresholds(world.documents["escalation"], "standard-p4", 2)
    small = list(look_ahead(runtime, world.entity, [reminder], days=5))
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", -1)
    monkeypatch.setattr(forward, "HELD_ENTRIES", held)
    monkeypatch.setattr(pipeline, "STREAM", 1)
    large = list(look_ahead(runtime, world.entity, [reminder], days=5))
    assert large == small
    for one, other in zip(large, small, strict=True):
        for side in ("live", "changed"):
            assert foretold([getattr(one, side)]) == foretold([getattr(other, side)])
    assert not list(runtime.settings.var.glob("reading-*")), "no file is left"


def propose(runtime: Runtime, world: SimpleNamespace, documents: list[dict[str, Any]], from_day: int) -> None:
    """Two people put documents in force from a day on."""
    for document in documents:
        asked = ProposeDocument(actor=world.users.manager.id, reason="try", document=document, from_day=from_day)
        answer = runtime.execute(asked)
        approval = ApproveDocument(
            actor=world.users.second.id, reason="seen", document_id=answer["document"], sha256=answer["sha256"]
        )
        runtime.execute(approval)


def test_a_broken_promise_brings_its_step_again(
    runtime: Runtime, clock: Any, entity: Entity, books: Any, policies: Any, go_live: Callable[[int], Entity]
) -> None:
    """Promised for the day after tomorrow: nothing until it is broken, then the same step once more, then the next."""
    customer = books.customer("1001")
    line = books.invoice(customer, 50_000, DAY - 40, DAY - 3)
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    clock.advance(days=1)
    run_entity(runtime, Entity.get_by_id(entity.id), DAY + 1)
    carried_out(runtime)
    Promise.create(
        **entry(entity, customer, DAY + 1),
        due_line=line,
        amount_minor=50_000,
        currency="EUR",
        promised_day=DAY + 3,
        after_credit_id=0,
    )
    found = [pair.live for pair in look_ahead(runtime, Entity.get_by_id(entity.id), days=14)]
    assert sorted((day, step) for day, _, step, _ in foretold(found)) == [(DAY + 7, "p4"), (DAY + 11, "p14")]


@pytest.mark.sqlite
@pytest.mark.parametrize("stopped", ["sending", "live_from_day"])
def test_nothing_is_sent_where_nothing_may_be(runtime: Runtime, world: SimpleNamespace, stopped: str) -> None:
    """Not before go-live, and not while sending is stopped; what is held is foretold all the same."""
    after = {"sending": {"sending": False}, "live_from_day": {"live_from_day": DAY + 4}}[stopped]
    Entity.update(**after).where(Entity.id == world.entity.id).execute()
    days = [pair.live for pair in look_ahead(runtime, Entity.get_by_id(world.entity.id), days=6)]
    assert [day.begins for day in days] == [False] * 6 if stopped == "sending" else [False] * 3 + [True] * 3
    assert {day for day, *_ in foretold(days)} <= {day.day for day in days if day.begins}
    assert all(day.held for day in days)


@pytest.mark.sqlite
def test_each_customer_has_the_collector_of_that_day(runtime: Runtime, world: SimpleNamespace) -> None:
    """One who collects by hand for some days only, then the customer's own again."""
    given = Override.get(Override.target == "collector")
    owners = {
        pair.live.day: dict(columns(pair.live.begun, "customer_id", "collector"))
        for pair in look_ahead(runtime, world.entity)
    }
    seen = {day: found[given.customer_id] for day, found in owners.items() if given.customer_id in found}
    own = given.customer.collector_id
    assert seen
    for day, collector in seen.items():
        assert collector == (int(given.value) if given.from_day <= day < given.until_day else own)


def columns(frame: Any, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of a frame, row by row."""
    return [tuple(row[name] for name in names) for row in rows_of(frame)]


@pytest.mark.parametrize("days", [0, -1, 61])
def test_it_looks_one_day_ahead_at_least_and_sixty_at_most(runtime: Runtime, entity: Entity, days: int) -> None:
    """Beyond, what nobody pays says little."""
    with pytest.raises(Invalid, match=f"days: is {days}"):
        next(look_ahead(runtime, entity, days=days))


@pytest.mark.sqlite
def test_it_begins_at_a_decided_day(runtime: Runtime, clock: Any, world: SimpleNamespace, entity: Entity) -> None:
    """An entity that was never decided, or is days behind, says so; one night behind is the day itself."""
    clock.advance(days=1)
    assert next(look_ahead(runtime, world.entity)).live.day == DAY + 1
    clock.advance(days=1)
    with pytest.raises(Invalid, match="2 days behind"):
        next(look_ahead(runtime, world.entity))
    other = Entity.create(code="new", name="New Ltd", currency="EUR", zone="UTC", country="DE")
    with pytest.raises(Invalid, match="was not decided yet"):
        next(look_ahead(runtime, other))


@pytest.mark.sqlite
def test_a_document_that_cannot_be_read_is_refused_before_anything_is_computed(
    runtime: Runtime, world: SimpleNamespace
) -> None:
    """With its place, as a simulation does."""
    broken = json.loads(world.documents["escalation"].body)
    broken["escalation"]["scenarios"]["standard"][0]["days"] = "soon"
    with pytest.raises(Invalid) as refused:
        next(look_ahead(runtime, world.entity, [broken]))
    assert "scenarios" in refused.value.problems[0].place


@pytest.mark.sqlite
def test_so_many_changes_that_the_run_would_wait_are_told(runtime: Runtime, world: SimpleNamespace) -> None:
    """At a share of nothing every day with a change would stop for a person; it counts as approved."""
    Entity.update(portfolio_share_bp=0).where(Entity.id == world.entity.id).execute()
    days = [pair.live for pair in look_ahead(runtime, Entity.get_by_id(world.entity.id), days=7)]
    assert any(day.gated for day in days)
    assert [day.gated for day in days] == [day.changed > 0 for day in days]
    last = Run.select().order_by(Run.id.desc()).first()
    Entity.update(live_after_run=last.id).where(Entity.id == world.entity.id).execute()
    first = next(look_ahead(runtime, Entity.get_by_id(world.entity.id))).live
    assert first.changed
    assert not first.gated, "two people have just approved what the first run sends"
