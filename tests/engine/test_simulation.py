"""Simulation: what a change would do to the whole portfolio. It writes nothing and is never wrong."""

import json
import random
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import narwhals as nw
import pytest

from engine.baseline import SIDES_KEPT, in_sample, side_of, side_of_run
from engine.commands import Invalid
from engine.comparison import DECISIVE, compare
from engine.editions import BASIS_PARAMETERS, edition_of
from engine.frames import from_rows, read_table, rows_of
from engine.governance import ApproveDocument, ProposeDocument
from engine.kept_frames import column_sha256s, scan_frame
from engine.moved import Cell, customers_in, page_of
from engine.narrowing import reached
from engine.pairing import paired
from engine.queries import people_table
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.simulation import Whom, estimate, rule_hits, simulate, trial_book, try_changes
from engine.tables import Action, Customer, Document, Entity, Outcome, Promise, Run
from ledger.canonical import canonical, sha256_of
from rules.condition_columns import dtype_of
from rules.documents import shipped
from rules.stages import STAGE_NAMES, STAGES
from rules.thresholds import threshold_at, thresholds_of, with_threshold

from .conftest import in_force

pytestmark = pytest.mark.long

DAY = 20_543  # 2026-03-31, the day the tests' clock stands at
COLUMNS = {column.name: column for stage in STAGES if stage.name in DECISIVE for column in stage.outcomes}


@pytest.fixture
def portfolio(
    runtime: Runtime,
    entity: Entity,
    books: Any,
    forty_customers: Callable[[int], None],
    go_live: Callable[[int], Entity],
    letter_templates: None,
) -> SimpleNamespace:
    """Forty customers and one more of all habits under the shipped documents, adopted, live and decided."""
    Entity.update(portfolio_share_bp=10_000).where(Entity.id == entity.id).execute()
    documents = {document["key"]: in_force(document) for document in shipped()}
    forty_customers(DAY)
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


def decided_now(entity: Entity) -> str:
    """A hash over the outcomes that hold now, as a simulation makes it."""
    rows = list(Outcome.select().where(Outcome.entity_id == entity.id).order_by(Outcome.customer).dicts())
    frame = from_rows(rows, {name: dtype_of(column) for name, column in COLUMNS.items()})
    return sha256_of({"customers": len(rows), "outcomes": column_sha256s(frame, list(COLUMNS))})


def test_it_writes_nothing(
    runtime: Runtime, portfolio: SimpleNamespace, dump: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every row before and after is the same, and no frame is stored."""
    before, files = dump(), sorted(runtime.settings.var.rglob("*.parquet"))
    simulate(runtime, portfolio.entity, [changed(portfolio.documents, "parameters", "hold_set_days", 20)])
    simulate(
        runtime, portfolio.entity, [changed(portfolio.documents, "scorecard", "late-often", 40)], as_of_day=DAY + 1
    )
    rule_hits(runtime, portfolio.run)
    monkeypatch.setattr("engine.simulation.SAMPLE", 20)
    estimate(runtime, portfolio.entity, [changed(portfolio.documents, "scorecard", "late-often", 40)])
    tried = try_changes(
        runtime, portfolio.entity, [changed(portfolio.documents, "scorecard", "A", 5)], whom=Whom("new")
    )
    page_of(customers_in(tried.pair, Cell()), 10)
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
    assert told.outcomes_sha256 == decided_now(portfolio.entity)
    assert told.outcomes_sha256 != as_it_was.outcomes_sha256


def test_it_predicts_a_run_after_several_changes_exactly(
    runtime: Runtime, clock: Any, portfolio: SimpleNamespace, users: SimpleNamespace
) -> None:
    """Policies and parameters together, each approved by itself; of one document tried twice the later version."""
    clock.advance(days=1)
    first = changed(portfolio.documents, "parameters", "hold_set_days", 90)
    changes = [
        first,
        changed(portfolio.documents, "scorecard", "A", 5) | {"cases": []},
        changed(portfolio.documents, "escalation", "standard-p4", 2) | {"cases": []},
        changed(portfolio.documents, "parameters", "hold_set_days", 10),
    ]
    told = simulate(runtime, portfolio.entity, changes, from_day=DAY + 1, as_of_day=DAY + 1)
    for document in changes[1:]:
        proposal = runtime.execute(
            ProposeDocument(actor=users.manager.id, reason="try", document=document, from_day=DAY + 1)
        )
        runtime.execute(
            ApproveDocument(
                actor=users.second.id, reason="seen", document_id=proposal["document"], sha256=proposal["sha256"]
            )
        )
    assert run_entity(runtime, portfolio.entity, DAY + 1).state == "done"
    assert told.outcomes_sha256 == decided_now(portfolio.entity)


def test_a_stored_day_is_told_as_it_was_decided(runtime: Runtime, clock: Any, portfolio: SimpleNamespace) -> None:
    """On the facts of an earlier run, long after it, without a change: the outcomes it had."""
    decided = decided_now(portfolio.entity)
    clock.advance(days=1)
    run_entity(runtime, portfolio.entity, DAY + 1)
    found = simulate(runtime, portfolio.entity, [], run=Run.get_by_id(portfolio.run.id))
    assert (found.as_of_day, found.run_id) == (DAY, portfolio.run.id)
    assert found.outcomes_sha256 == decided != simulate(runtime, portfolio.entity, []).outcomes_sha256


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
            after_credit_id=0,
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
    assert found.outcomes_sha256 == decided_now(portfolio.entity)


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
    in_force(coming)
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


def mangled(documents: dict[str, Document], dice: random.Random) -> list[dict[str, Any]]:
    """One to three documents with something drawn about each: numbers, rules, points, priorities, hit policies."""
    found = []
    for key in dice.sample(sorted(documents), dice.randint(1, 3)):
        body = json.loads(documents[key].body)
        places = [one for one in thresholds_of(body) if one.low is None or one.high is None or one.low < one.high]
        for one in dice.sample(places, min(len(places), dice.randint(0, 3))):
            value = max(one.low or -50, min(one.high or 10**7, one.value + dice.choice((-7, -1, 1, 9, one.value))))
            body = with_threshold(body, one.place, value, "2026-04-01")
        rules = body.get("rules", [])
        if len(rules) > 2 and dice.random() < 0.5:
            rules.pop(dice.randrange(len(rules)))
        if len(rules) > 2 and dice.random() < 0.5:
            one, other = dice.sample(rules, 2)
            one["then"], other["then"] = other["then"], one["then"]
        if len(rules) > 2 and dice.random() < 0.4:
            dice.choice(rules)["priority"] = dice.randrange(-5, 95)
        if rules and dice.random() < 0.3:
            dice.choice(rules)["on_unknown"] = "refer"
        if rules and dice.random() < 0.3:
            rules.append({**dice.choice(rules), "key": "one-more", "when": ["exposure_minor", ">", 300_000]})
        dice.shuffle(rules)
        found.append(body | ({"cases": []} if key != "parameters" else {}))
    return found


def test_whatever_is_changed_nobody_whom_it_reaches_is_left_out(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Drawn changes of drawn documents: the answer is that of deciding every stage of every customer on both sides."""
    dice, moved = random.Random(5), 0
    facts = scan_frame(runtime, portfolio.run.facts_file)
    book = edition_of(runtime, portfolio.entity, portfolio.run.edition, DAY).book
    left = side_of(facts, book)
    for _ in range(20):
        changes = mangled(portfolio.documents, dice)
        try:
            trial = trial_book(portfolio.entity, DAY + 1, changes)
        except Invalid:
            continue
        if any(book.parameters.get(name) != trial.parameters.get(name) for name in BASIS_PARAMETERS):
            continue
        both = paired(left, side_of(facts, trial))
        whole = compare(both, DAY, portfolio.run.id, people(runtime, portfolio.entity))
        found = simulate(runtime, portfolio.entity, changes, from_day=DAY + 1)
        assert found.values() == whole.values(), [canonical(body) for body in changes]
        moved += found.changed > 0
    assert moved > 5


def test_the_parts_of_a_portfolio_add_up_to_it(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Segment by segment, class by class, portfolio by portfolio: the same customers and amounts once each."""
    north = [customer.id for customer in Customer.select().order_by(Customer.id)][::2]
    Customer.update(portfolio="south").execute()
    Customer.update(portfolio="north").where(Customer.id.in_(north)).execute()
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    whole = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    values = {
        "portfolio": ("north", "south"),
        "risk_class": {row.risk_class for row in Outcome.select()},
        "segment": {row.segment for row in Outcome.select()},
    }
    for name, own in values.items():
        parts = [
            simulate(runtime, portfolio.entity, [document], from_day=DAY + 1, whom=Whom(**{name: value}))
            for value in own
        ]
        assert len(parts) > 1
        assert sum(part.customers for part in parts) == whole.customers
        assert sum(part.changed for part in parts) == whole.changed > 0
        assert sum(part.changed_minor for part in parts) == whole.changed_minor
        for number, figure in enumerate(whole.figures):
            assert sum(part.figures[number].before for part in parts) == figure.before
            assert sum(part.figures[number].after for part in parts) == figure.after
        hits = [stage_of(part, "hold").hits for part in parts]
        for number, hit in enumerate(stage_of(whole, "hold").hits):
            assert sum(one[number].after for one in hits) == hit.after


def test_the_figures_are_those_of_the_customers(runtime: Runtime, portfolio: SimpleNamespace) -> None:
    """Held customers and exposure, limits and headroom, counted once more from each customer's row."""
    changes = [
        changed(portfolio.documents, "parameters", "hold_set_days", 10),
        changed(portfolio.documents, "scorecard", "A", 2) | {"cases": []},
    ]
    tried = try_changes(runtime, portfolio.entity, changes, from_day=DAY + 1)
    found = {one.name: one for one in simulate(runtime, portfolio.entity, changes, from_day=DAY + 1).figures}
    facts = scan_frame(runtime, portfolio.run.facts_file)
    for book, side in ((tried.pair.whole.book, "before"), (tried.pair.book, "after")):
        rows = rows_of(side_of(facts, book).frame)
        assert getattr(found["held"], side) == sum(row["hold"] for row in rows) > 0
        assert getattr(found["held_minor"], side) == sum(row["exposure_minor"] for row in rows if row["hold"])
        limited = [row for row in rows if row["proposed_limit_minor"] is not None]
        rooms = [row["proposed_limit_minor"] - row["exposure_minor"] for row in limited]
        assert getattr(found["proposed_limits_minor"], side) == sum(row["proposed_limit_minor"] for row in limited)
        assert getattr(found["headroom_minor"], side) == sum(room for room in rooms if room > 0)
        assert getattr(found["over_limit_minor"], side) == -sum(room for room in rooms if room < 0)
        assert getattr(found["over_limit"], side) == sum(room < 0 for room in rooms)
        assert getattr(found["dunned"], side) == sum(row["level"] > 0 for row in rows)
    assert found["held"].before < found["held"].after
    assert found["proposed_limits_minor"].before != found["proposed_limits_minor"].after
    assert found["exposure_minor"].before == sum(row["exposure_minor"] for row in rows) == found["exposure_minor"].after


def test_the_steps_that_begin_are_the_actions_of_the_run(
    runtime: Runtime, clock: Any, portfolio: SimpleNamespace, users: SimpleNamespace
) -> None:
    """Step by step as many customers as the run then writes actions for, and the work of each collector."""
    clock.advance(days=1)
    Customer.update(collector=users.collector).execute()
    document = changed(portfolio.documents, "escalation", "standard-p4", 3) | {"cases": []}
    told = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1, as_of_day=DAY + 1)
    proposal = runtime.execute(
        ProposeDocument(actor=users.manager.id, reason="try", document=document, from_day=DAY + 1)
    )
    runtime.execute(
        ApproveDocument(
            actor=users.second.id, reason="seen", document_id=proposal["document"], sha256=proposal["sha256"]
        )
    )
    known = {action.id for action in Action.select()}
    run_entity(runtime, portfolio.entity, DAY + 1)
    begun: dict[str, set[int]] = {}
    for action in Action.select():
        if action.id not in known:
            begun.setdefault(action.step_key, set()).add(action.customer_id)
    assert {one.step: one.after for one in told.steps if one.after} == {step: len(who) for step, who in begun.items()}
    assert any(one.before != one.after for one in told.steps)
    (load,) = told.work
    assert load.collector_id == users.collector.id
    listed = Outcome.select().where(Outcome.worklist_points > 0).count()
    assert load.worklist[1] == listed > 0
    assert load.work[1] == len(
        {a.customer_id for a in Action.select() if a.id not in known and a.channel in ("call", "task")}
    )


def test_who_works_on_whom_is_read_at_each_question(
    runtime: Runtime, portfolio: SimpleNamespace, users: SimpleNamespace
) -> None:
    """An answer that is kept does not keep the collectors and portfolios of the time it was made."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)

    def asked(**whom: str) -> Any:
        return simulate(runtime, portfolio.entity, [document], from_day=DAY + 1, whom=Whom(**whom))

    assert {load.collector_id for load in asked().work} == {None}
    assert asked(portfolio="north").customers == 0
    north = [customer.id for customer in Customer.select().order_by(Customer.id)][::2]
    Customer.update(collector=users.collector, portfolio="north").where(Customer.id.in_(north)).execute()
    assert {load.collector_id for load in asked().work} == {None, users.collector.id}
    assert asked(portfolio="north").customers == len(north)


def test_a_sample_is_always_the_same_and_says_how_far_off_it_may_be(
    runtime: Runtime, portfolio: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaled to the portfolio, without names; a portfolio no larger than a sample needs none."""
    document = changed(portfolio.documents, "parameters", "hold_set_days", 10)
    assert estimate(runtime, portfolio.entity, [document], from_day=DAY + 1) is None
    monkeypatch.setattr("engine.simulation.SAMPLE", 20)
    found = estimate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    assert found == estimate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    whole = simulate(runtime, portfolio.entity, [document], from_day=DAY + 1)
    assert found.customers == whole.customers
    assert 10 < found.sampled < 30
    assert abs(found.changed - whole.changed) <= found.margin < whole.customers
    assert found.outcomes_sha256 == ""
    assert not any(stage.movers for stage in found.stages)


def test_a_sample_is_spread_evenly() -> None:
    """Its size is what was asked for, and neighbours are as likely in it as anybody."""
    frame = from_rows([{"customer_id": n} for n in range(1, 100_001)], {"customer_id": nw.Int64})
    chosen = [row["customer_id"] for row in rows_of(frame.filter(in_sample(20_000, 100_000)))]
    assert 19_400 < len(chosen) < 20_600
    for start in range(0, 100_000, 10_000):
        assert 1_800 < sum(start < one <= start + 10_000 for one in chosen) < 2_200
    beside = sum(other - one == 1 for one, other in pairwise(chosen))
    assert 3_700 < beside < 4_300  # a fifth of a fifth


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
