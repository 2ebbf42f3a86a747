"""Derived facts in the pipeline: a night and an event decide by them, a replay and a simulation agree."""

import json
from typing import Any

import pytest

from engine.commands import Invalid, mark_dirty
from engine.editions import edition_for, edition_of
from engine.events import drain_dirty
from engine.findings import findings
from engine.governance import ApproveDocument, ProposeDocument
from engine.replaying import replay_day
from engine.runs import run_entity
from engine.simulation import simulate
from engine.tables import Alarm, Decision, DueLine, Entity, Outcome, Run
from engine.verify import verify

from .conftest import in_force, policy, rule

pytestmark = pytest.mark.long

DAY = 20_543
OVER = {"max": [{"subtract": [{"fact": "overdue_minor"}, {"param": "small_cut"}]}, 0]}
LATE = {"if": ["segment", "==", "key"], "then": {"fact": "leader_days_past_due"}, "else": 0}


def derived(over: Any = None) -> dict[str, Any]:
    """Two derived facts: one of facts alone, one that reads the segment."""
    facts = [
        {"name": "derived_over_minor", "kind": "money", "formula": over or OVER},
        {"name": "derived_late_days", "kind": "days", "formula": LATE},
    ]
    said = {"label": "A fact", "meaning": "For a test.", "rounding": "down"}
    head = {"format": 1, "kind": "derived_facts", "key": "derived", "source": "a test", "entity": None}
    return {**head, "facts": [{**said, **one} for one in facts]}


def figures() -> dict[str, Any]:
    """The parameter a formula names."""
    values = [{"from": "2010-01-01", "value": 30_000, "segment": None}]
    cut = {"name": "small_cut", "kind": "money", "label": "Cut", "meaning": "m", "values": values, "low": 0}
    head = {"format": 1, "kind": "parameters", "key": "cuts", "source": "a test", "entity": None}
    return {**head, "parameters": [{**cut, "high": 10**9}]}


def hold() -> dict[str, Any]:
    """Orders stop by what is derived."""
    return policy(
        "hold",
        "hold",
        "most_severe",
        [
            rule("over", ["derived_over_minor", ">", 0], {"hold": True, "hold_reason": "over"}),
            rule("late", ["derived_late_days", ">=", 10], {"hold": True, "hold_reason": "late"}),
        ],
        otherwise={"then": {"hold": False, "hold_reason": None}, "because": "nothing"},
    )


@pytest.fixture
def day(runtime, entity, books, policies, go_live):
    """Nine customers decided by derived facts on two days, the second one live."""
    in_force(figures())
    in_force(derived())
    in_force(hold(), from_day=DAY - 300)
    for late in (-10, -3, 0, 3, 4, 13, 14, 33, 90):
        amount = 50_000 if late > 10 else 20_000 if late > 3 else 2_000_000
        books.invoice(books.customer(f"{late}"), amount, DAY - 200, DAY - late)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    run_entity(runtime, Entity.get(), DAY)
    return DAY


def held() -> dict[str, str | None]:
    """By number, why each customer is held."""
    found = Outcome.select().where(Outcome.hold)
    return {one.customer.number: one.hold_reason for one in found}


def test_a_night_decides_by_derived_facts_and_replays(runtime, entity, day):
    """Confirmed by durable-rules without a disagreement; the decision keeps what its rules saw."""
    assert held() == {"13": "over", "14": "over", "33": "over", "90": "over", "3": "over"}
    assert Alarm.select().count() == 0
    facts = [json.loads(one.facts) for one in Decision.select().where(Decision.as_of_day == day - 1)]
    assert {one["derived_over_minor"] for one in facts} >= {0, 20_000, 1_970_000}
    assert replay_day(runtime, entity, day).found == 0
    assert replay_day(runtime, entity, day - 1).found == 0
    assert verify(runtime).sound
    run = Run.get(Run.as_of_day == day)
    edition = edition_of(runtime, entity, run.edition, day)
    assert sorted(edition.body["derived_facts"]) == ["derived_late_days", "derived_over_minor"]


def test_an_event_decides_by_derived_facts_and_replays(runtime, entity, day, books):
    """A payment brings the amount below the cut: the hold goes, all executors agree, and it replays."""
    customer = Outcome.get(Outcome.hold & (Outcome.hold_reason == "over")).customer
    line = DueLine.get(DueLine.customer == customer)
    books.payment(customer, line, 40_000 if line.amount_minor < 10**6 else 1_990_000, day)
    mark_dirty([customer.id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert customer.number not in held()
    assert Alarm.select().count() == 0
    latest = Decision.select().where(Decision.customer == customer).order_by(Decision.id.desc()).first()
    assert json.loads(latest.facts)["derived_over_minor"] == 0
    assert replay_day(runtime, entity, day).found == 0


def test_another_formula_is_another_edition_and_the_old_one_is_rebuilt(runtime, entity, day):
    """Decisions of yesterday stay what they were."""
    before = edition_for(runtime, entity, day)
    in_force(derived({"fact": "overdue_minor"}), from_day=day + 1)
    after = edition_for(runtime, entity, day + 1)
    assert before.body["derived_facts"] != after.body["derived_facts"]
    runtime.cache.clear()
    assert edition_of(runtime, entity, before.sha256, day).sha256 == before.sha256
    assert replay_day(runtime, entity, day).found == 0


@pytest.mark.parametrize("stored", [True, False], ids=["on stored facts", "on the facts of the day"])
def test_a_changed_formula_is_foretold_exactly(runtime, clock, day, users, stored):
    """The trial of the derived facts gives the outcomes that the run after the approval gives."""
    Entity.update(portfolio_share_bp=10_000).execute()
    clock.advance(days=1)
    changed = derived({"max": [{"subtract": [{"fact": "overdue_minor"}, {"money": 49_999}]}, 0]})
    entity = Entity.get()
    as_of = None if stored else day + 1
    told = simulate(runtime, entity, [changed], from_day=day + 1, as_of_day=as_of)
    (impact,) = (one for one in told.stages if one.stage == "hold")
    assert told.changed == impact.changed == 0
    changed = derived({"max": [{"subtract": [{"fact": "overdue_minor"}, {"money": 50_000}]}, 0]})
    told = simulate(runtime, entity, [changed], from_day=day + 1, as_of_day=as_of)
    (impact,) = (one for one in told.stages if one.stage == "hold")
    assert impact.changed == 4
    proposal = runtime.execute(
        ProposeDocument(actor=users.manager.id, reason="try", document=changed, from_day=day + 1)
    )
    runtime.execute(
        ApproveDocument(
            actor=users.second.id, reason="seen", document_id=proposal["document"], sha256=proposal["sha256"]
        )
    )
    assert run_entity(runtime, entity, day + 1).state == "done"
    assert set(held().values()) == {"over"}
    foretold = next(one.after for one in impact.hits if one.key == "over")
    assert foretold == (1 if stored else len(held()))  # one more is late on the next day


def test_a_formula_in_use_cannot_go_or_change_what_it_measures(runtime, day, users):
    """Dropped, or of another kind, it would leave the hold without sense: the checker says where."""
    gone = {**derived(), "facts": derived()["facts"][1:]}
    assert "in the policy hold: there is no fact 'derived_over_minor'" in [one.what for one in findings(gone)]
    with pytest.raises(Invalid):
        runtime.execute(ProposeDocument(actor=users.manager.id, reason="try", document=gone, from_day=day + 1))
    without = {**figures(), "parameters": []}
    assert "there is no parameter 'small_cut'" in [one.what for one in findings(without)]
