"""Simulation: what a change would do to the whole portfolio. It writes nothing and is never wrong."""

import json
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.baseline import SIDES_KEPT, side_of, side_of_run
from engine.commands import Invalid
from engine.comparison import DECISIVE, compare
from engine.editions import edition_of
from engine.frames import column_sha256s, from_rows, read_table, scan_frame
from engine.governance import ApproveDocument, ProposeDocument
from engine.narrowing import reached
from engine.pairing import paired
from engine.queries import people_table
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.simulation import rule_hits, simulate, trial_book
from engine.tables import CreditLimit, Document, Entity, Outcome, Promise, Run
from ledger.canonical import canonical, sha256_of
from rules.condition_columns import dtype_of
from rules.documents import shipped
from rules.stages import STAGE_NAMES, STAGES
from rules.thresholds import threshold_at, thresholds_of, with_threshold

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at
COLUMNS = {column.name: column for stage in STAGES if stage.name in DECISIVE for column in stage.outcomes}


def put_in_force(document: dict[str, Any], **more: Any) -> Document:
    """A document as if two people had approved it long ago."""
    return Document.create(
        kind=document["kind"],
        key=document["key"],
        stage=document.get("stage"),
        subject=document.get("subject"),
        sha256=sha256_of(document),
        body=canonical(document),
        status="live",
        from_day=0,
        approved_at=1,
        **more,
    )


@pytest.fixture
def portfolio(runtime: Runtime, entity: Entity, books: Any, go_live: Callable[[int], Entity]) -> SimpleNamespace:
    """Forty customers and one more of all habits under the shipped documents, adopted, live and decided."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    documents = {document["key"]: put_in_force(document) for document in shipped()}
    draw = random.Random(11)
    with runtime.database.atomic():
        for n in range(40):
            customer = books.customer(f"{1000 + n}", terms_days=30, opened_day=DAY - draw.randrange(50, 3000))
            if draw.random() < 0.7:
                amount = draw.choice((100_000, 400_000, 1_000_000))
                CreditLimit.create(
                    entity_id=entity.id,
                    customer=customer,
                    booked_day=DAY - 300,
                    recorded_day=DAY - 300,
                    recorded_at=0,
                    amount_minor=amount,
                    from_day=DAY - 300,
                )
            habit = draw.choice((-5, 0, 10, 29, 31, 62))
            for invoice in range(8):
                booked = DAY - 240 + invoice * 30 + draw.randrange(5)
                line = books.invoice(customer, draw.randrange(2_000, 300_000), booked, booked + 30)
                if booked + 30 + habit < DAY:
                    books.payment(customer, line, line.amount_minor, max(booked, booked + 30 + habit))
        books.invoice(books.customer("2000"), 50_000, DAY - 32, DAY - 2)  # three days late tomorrow
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY)
    run = run_entity(runtime, Entity.get_by_id(entity.id), DAY)
    return SimpleNamespace(entity=Entity.get_by_id(entity.id), documents=documents, run=run)


def changed(documents: dict[str, Document], key: str, owner: str, value: int, from_on: str = "2026-04-01") -> Any:
    """A document in force with one number changed, found by the rule, step, band or parameter it belongs to."""
    body = json.loads(documents[key].body)
    place = next(t.place for t in thresholds_of(body) if t.owner == owner)
    return with_threshold(body, place, value, from_on)


def stage_of(found: Any, name: str) -> Any:
    """The part of a simulation about one stage."""
    return next(stage for stage in found.stages if stage.stage == name)


def in_force(entity: Entity) -> str:
    """A hash over the outcomes that hold now, as a simulation makes it."""
    rows = list(Outcome.select().where(Outcome.entity_id == entity.id).order_by(Outcome.customer).dicts())
    frame = from_rows(rows, {name: dtype_of(column) for name, column in COLUMNS.items()})
    return sha256_of({"customers": len(rows), "outcomes": column_sha256s(frame, list(COLUMNS))})


def test_it_writes_nothing(runtime: Runtime, portfolio: SimpleNamespace, dump: Callable[[], list[str]]) -> None:
    """Every row before and after is the same, and no frame is stored."""
    before, files = dump(), sorted(runtime.settings.var.rglob("*.parquet"))
    simulate(runtime, portfolio.entity, [changed(portfolio.documents, "parameters", "hold_set_days", 20)])
    simulate(
        runtime, portfolio.entity, [changed(portfolio.documents, "scorecard", "late-often", 40)], as_of_day=DAY + 1
    )
    rule_hits(runtime, portfolio.run)
    assert dump() == before
    assert sorted(runtime.settings.var.rglob("*.parquet")) == files


@pytest.mark.parametrize(
    ("key", "owner", "value"),
    [
        ("parameters", "hold_set_days", 20),
        ("parameters", "dunning_tolerance", 100_000),
        ("parameters", "promise_tolerance_days", 0),
        ("scorecard", "A", 5),
        ("escalation", "standard-p4", 2),
    ],
)
def test_it_predicts_the_run_that_follows_the_approval_exactly(
    runtime: Runtime,
    clock: Any,
    portfolio: SimpleNamespace,
    users: SimpleNamespace,
    key: str,
    owner: str,
    value: int,
) -> None:
    """On the same facts every outcome of every customer is the one that was foretold."""
    _promises(portfolio.entity)
    clock.advance(days=1)
    document = changed(portfolio.documents, key, owner, value)
    if key != "parameters":
        document["cases"] = []
    as_it_was = simulate(runtime, portfolio.entity, [], as_of_day=DAY + 1)
    told = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1, as_of_day=DAY + 1)
    proposal = runtime.execute(
        ProposeDocument(actor=users.manager.id, reason="try", document=document, from_day=DAY + 1)
    )
    runtime.execute(
        ApproveDocument(
            actor=users.second.id, reason="seen", document_id=proposal["document"], sha256=proposal["sha256"]
        )
    )
    run = run_entity(runtime, portfolio.entity, DAY + 1)
    assert run.state == "done"
    assert told.outcomes_sha256 == in_force(portfolio.entity)
    assert told.outcomes_sha256 != as_it_was.outcomes_sha256


def people(runtime: Runtime, entity: Entity) -> Any:
    """Collectors and portfolios of an entity's customers."""
    return read_table(runtime, people_table(entity.id, runtime.database))


def _promises(entity: Entity) -> None:
    """One promise that is one day over: kept within the tolerance, broken without one."""
    from engine.tables import DueLine

    customer = Outcome.select().where(Outcome.entity_id == entity.id, Outcome.hold == True).first().customer  # noqa: E712
    for line in DueLine.select().where(DueLine.customer == customer):
        Promise.create(
            entity_id=entity.id,
            customer=customer,
            booked_day=DAY - 20,
            recorded_day=DAY - 20,
            recorded_at=0,
            due_line=line,
            amount_minor=line.amount_minor,
            currency=entity.currency,
            promised_day=DAY,
        )


def test_one_try_after_another_shares_what_holds_now(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """The side in force is decided once per run and edition; every try is told as if it were the first."""
    tries = [changed(portfolio.documents, "parameters", "hold_set_days", days) for days in (5, 60, 5)]
    first, other, again = (simulate(runtime, portfolio.entity, [document], from_day=DAY + 1) for document in tries)
    assert first == again != other
    assert len(runtime.cache["sides"]) == 1
    runtime.cache.pop("sides")
    assert simulate(runtime, portfolio.entity, [tries[1]], from_day=DAY + 1) == other


def test_without_a_change_nobody_moves(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """The same value again touches nobody, and foretells what the run decided."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 30)
    found = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    assert (found.changed, found.changed_minor, found.customers) == (0, 0, 41)
    assert all(move.before == move.after or move.after == "unchanged" for s in found.stages for move in s.moves)
    assert found.run_id == portfolio.run.id
    assert found.outcomes_sha256 == in_force(portfolio.entity)


def test_the_counts_of_a_stage_are_those_of_its_customers(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Moves add up to the portfolio, changed ones to the movers, hits to what each rule matched."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    found = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    hold = stage_of(found, "hold")
    assert sum(move.customers for move in hold.moves) == found.customers
    assert hold.changed == sum(m.customers for m in hold.moves if m.before != m.after) == len(hold.movers) > 0
    assert hold.changed_minor == sum(mover.exposure_minor for mover in hold.movers)
    assert [m.exposure_minor for m in hold.movers] == sorted((m.exposure_minor for m in hold.movers), reverse=True)
    assert {m.before for m in hold.movers} == {False}
    overdue = next(hits for hits in hold.hits if hits.key == "overdue")
    assert overdue.before < overdue.after
    assert rule_hits(runtime, portfolio.run)["hold"]["overdue"] == overdue.before
    assert {s.stage for s in found.stages if s.changed} == {"hold", "worklist"}  # a held order gives points


def test_a_value_counts_from_its_day_even_when_the_facts_are_older(
    runtime: Runtime, portfolio: SimpleNamespace
) -> None:
    """Tried for a day three months ahead, the change is shown as of that day, on today's facts."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10, "2026-07-01")
    assert simulate(runtime, portfolio.entity, [document]).changed == 0
    assert simulate(runtime, portfolio.entity, [document], from_day=DAY + 92).changed > 0


def test_other_changes_that_are_coming_are_not_counted_as_its_own(
    runtime: Runtime, portfolio: SimpleNamespace, users: SimpleNamespace
) -> None:
    """An approved value of the coming month stands on both sides."""
    coming = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    put_in_force(coming)
    same = with_threshold(coming, _place(coming, "hold_set_days"), 10, "2026-05-01")
    assert simulate(runtime, portfolio.entity, [same], from_day=DAY + 31).changed == 0


def _place(document: dict[str, Any], owner: str) -> str:
    return next(t.place for t in thresholds_of(document) if t.owner == owner)


def test_a_document_that_cannot_be_read_is_refused_with_its_place(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """The problem names where; nothing is decided with half a book."""
    document = changed(portfolio.documents, "scorecard", "A", 12)
    document["bands"][0]["up_to"] = "many"
    with pytest.raises(Invalid) as refused:
        simulate(runtime, portfolio.entity, [document])
    assert "bands" in refused.value.problems[0].place


def test_facts_that_are_no_longer_kept_are_computed_again(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Without the stored frame the day's facts come from the ledger."""
    Run.update(facts_file="frames/gone.parquet").execute()
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    found = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    assert found.run_id is None
    assert stage_of(found, "hold").changed > 0
    assert rule_hits(runtime, Run.get_by_id(portfolio.run.id)) == {}


REACHES = [  # the parameter, band or step changed, its new value, and the first stage it may reach
    ("parameters", "hold_set_days", 3, "hold"),
    ("scorecard", "A", 2, "scorecard"),
    ("escalation", "standard-p4", 2, "escalation"),
]


@pytest.mark.parametrize(("key", "owner", "value", "first"), REACHES)
def test_only_what_a_change_reaches_is_decided_and_all_of_it(
    runtime: Runtime, portfolio: SimpleNamespace, key: str, owner: str, value: int, first: str
) -> None:
    """The answer is that of deciding every stage on both sides, whichever stages were left out."""
    document = changed(portfolio.documents, key, owner, value)
    book = edition_of(runtime, portfolio.entity, portfolio.run.edition, DAY).book
    trial = trial_book(portfolio.entity, DAY + 1, [document])
    touched = reached(book, trial)
    assert min(touched, key=STAGE_NAMES.index) == first
    facts = scan_frame(runtime, portfolio.run.facts_file)
    both = paired(side_of(facts, book), side_of(facts, trial))
    whole = compare(both, DAY, portfolio.run.id, people(runtime, portfolio.entity))
    assert whole.changed > 0
    assert simulate(runtime, portfolio.entity, [document], from_day=DAY + 1).values() == whole.values()


def test_a_side_makes_room_for_the_sides_of_other_runs(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Each holds a portfolio in memory."""
    for number in range(3):
        run = Run(id=90 + number, facts_sha256=str(number))
        facts = scan_frame(runtime, portfolio.run.facts_file)
        side_of_run(runtime, run, facts, "edition", trial_book(portfolio.entity, DAY, []))
    assert len(runtime.cache["sides"]) == SIDES_KEPT


def test_values_are_plain(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """What a proposal keeps is JSON: ids instead of names, no tuple, no float."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    found = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1).values()
    assert json.loads(canonical(found)) == found
    assert "." not in canonical(found).replace("0.", "")
    assert threshold_at(document, _place(document, "hold_set_days")).value == 10
