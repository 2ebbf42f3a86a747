"""Mapping: a version that drops or renames a step in use says where its customers stand from now on."""

import json

import pytest

from engine import outbox
from engine.commands import Invalid, mark_dirty
from engine.events import drain_dirty
from engine.findings import findings
from engine.governance import ProposeDocument, SaveDraft
from engine.overrides import SetOverride
from engine.replaying import replay_day
from engine.runs import run_entity
from engine.tables import Action, Contact, Customer, Decision, Entity, Outcome, Standing
from engine.verify import verify
from rules.differences import document_differences
from rules.words import Voice

from .conftest import escalation, in_force, step

pytestmark = pytest.mark.long

DAY = 20_543


def document(*steps, **mapping):
    """An escalation of (key, days, level), with a mapping of steps and one of levels."""
    made = [step(key, days, level=level, template="reminder_1") for key, days, level in steps]
    return escalation(made, **({"mapping": mapping} if mapping else {}))


OLD = (("p4", 4, 1), ("p14", 14, 2), ("p33", 33, 3))
RENAMED = document(("p4", 4, 1), ("first", 14, 2), ("p33", 33, 3), steps={"p14": "first"})
DROPPED = document(("p4", 4, 1), ("p33", 33, 2), ("p60", 60, 3), steps={"p14": "p4"})


@pytest.fixture
def say(users):
    """Keyword arguments that every command needs: ``say("manager")``."""
    return lambda who: {"actor": getattr(users, who).id, "reason": "because"}


@pytest.fixture
def world(runtime, entity, books, policies, go_live, clock):
    """One customer whose second mail is due today; adopted, live, decided; the first one is out."""
    clock.advance(days=DAY - 12 - runtime.today(entity))
    in_force(document(*OLD))
    person = runtime.vault.create_person({"name": "Accounts", "email": "payables@customer.example"})
    customer = books.customer("1")
    Contact.create(customer=customer, person=person, language="en")
    books.invoice(customer, 50_000, DAY - 60, DAY - 14)
    run_entity(runtime, entity, DAY - 12)
    go_live(DAY - 12)
    clock.advance(days=2)
    run_entity(runtime, Entity.get(), DAY - 10)
    outbox.deliver(runtime)
    clock.advance(days=10)
    run_entity(runtime, Entity.get(), DAY)
    assert (stands(), sent()) == ((2, "p14"), ["p4"])
    return books


def stands():
    row = Standing.get()
    return row.level, row.step_key


def sent():
    return [action.step_key for action in Action.select().where(Action.state == "sent").order_by(Action.id)]


def run_day(runtime, clock, day):
    clock.advance(days=day - runtime.today(Entity.get()))
    run = run_entity(runtime, Entity.get(), day)
    assert (run.state, run.disagreed) == ("done", 0)
    return run


def test_a_step_that_was_sent_is_not_sent_again_under_its_new_name(runtime, world, clock):
    """The standing moves by an event of its own; the next step comes on its day; everything is rebuilt alike."""
    outbox.deliver(runtime)
    since = Standing.get().since_day
    in_force(RENAMED, DAY + 1)
    run_day(runtime, clock, DAY + 1)
    outbox.deliver(runtime)
    assert (stands(), sent(), Standing.get().since_day) == ((2, "first"), ["p4", "p14"], since)
    assert Standing.get().repeat_no == 0
    kept = json.loads(Decision.select().order_by(Decision.id.desc()).get().changes)
    assert kept["standing"]["mapped"] == [2, "first"]
    for day in (DAY + 2, DAY + 19):
        run_day(runtime, clock, day)
        outbox.deliver(runtime)
    assert (stands(), sent()) == ((3, "p33"), ["p4", "p14", "p33"])
    assert verify(runtime).found == 0
    assert [replay_day(runtime, Entity.get(), day).found for day in (DAY, DAY + 1, DAY + 19)] == [0, 0, 0]


def test_a_step_that_was_not_sent_yet_is_sent_once_under_its_new_name(runtime, world, clock):
    """Between midnight and the run the old message waits; the run puts the new one in its place."""
    in_force(RENAMED, DAY + 1)
    clock.advance(days=1)
    outbox.deliver(runtime)
    assert [(a.step_key, a.state, a.waiting_for) for a in Action][1:] == [("p14", "due", "renamed")]
    run_day(runtime, clock, DAY + 1)
    outbox.deliver(runtime)
    assert [(a.step_key, a.state) for a in Action.select().order_by(Action.id)] == [
        ("p4", "sent"),
        ("p14", "cancelled"),
        ("first", "sent"),
    ]
    assert stands() == (2, "first")
    assert verify(runtime).found == 0


def test_who_falls_back_by_a_mapping_gets_no_letter_a_second_time(runtime, world, clock):
    """The dropped step's customers stand at the first one again, which was sent, and rise from there."""
    outbox.deliver(runtime)
    in_force(DROPPED, DAY + 1)
    run_day(runtime, clock, DAY + 1)
    assert (stands(), Standing.get().repeat_no, Outcome.get().level) == ((1, "p4"), 0, 1)
    outbox.deliver(runtime)
    assert sent() == ["p4", "p14"]
    run_day(runtime, clock, DAY + 19)
    outbox.deliver(runtime)
    assert (stands(), sent()) == ((2, "p33"), ["p4", "p14", "p33"])
    assert verify(runtime).found == 0


def test_an_event_maps_as_a_run_does(runtime, world, clock):
    """A customer whose state changed on the day itself, decided by the reference evaluator before the run."""
    outbox.deliver(runtime)
    run_day(runtime, clock, DAY + 1)
    in_force(RENAMED, DAY + 1)
    mark_dirty([Customer.get().id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert stands() == (2, "first")
    assert verify(runtime).found == 0
    assert replay_day(runtime, Entity.get(), DAY + 1).found == 0


def test_a_missed_day_maps_too(runtime, world, clock):
    """The version began while nothing ran: the message that was not sent is sent once."""
    in_force(RENAMED, DAY + 1)
    run_day(runtime, clock, DAY + 3)
    outbox.deliver(runtime)
    assert (stands(), sent()) == ((2, "first"), ["p4", "first"])
    assert verify(runtime).found == 0


DROPS = {
    "dropped": (document(("p4", 4, 1), ("p33", 33, 2)), "/escalation/mapping/steps", "p14 is in use"),
    "renamed": (document(("p4", 4, 1), ("x", 14, 2), ("p33", 33, 3)), "/escalation/mapping/steps", "p14 is in use"),
    "at another level": (
        document(("p4", 4, 1), ("p9", 9, 2), ("p14", 14, 3), ("p33", 33, 4)),
        "/escalation/scenarios/standard/2",
        "in use at level 2 and would be at 3",
    ),
    "mapped to nothing": (
        document(("p4", 4, 1), steps={"p14": "p9"}),
        "/escalation/mapping/steps/p14",
        "p9 is no step",
    ),
    "mapped and kept": (document(*OLD, steps={"p14": "p4"}), "/escalation/mapping/steps/p14", "is a step of this"),
    "a level that is there": (document(*OLD, levels={"2": 1}), "/escalation/mapping/levels/2", "2 is a level of this"),
    "to no level": (document(*OLD, levels={"9": 8}), "/escalation/mapping/levels/9", "8 is no level"),
}


@pytest.mark.parametrize("name", DROPS)
def test_what_leaves_customers_nowhere_is_found_with_its_place(runtime, world, say, name):
    """It is kept as a draft and not proposed."""
    body, place, what = DROPS[name]
    draft = runtime.execute(SaveDraft(**say("analyst"), document=body))
    errors = [p for p in draft["problems"] if p["severity"] == "error"]
    assert [(p["place"], what in p["what"]) for p in errors] == [(place, True)]
    with pytest.raises(Invalid, match=what):
        runtime.execute(ProposeDocument(**say("analyst"), document=draft["document"], from_day=DAY + 1))


@pytest.mark.parametrize("body", [RENAMED, DROPPED, document(*OLD, ("p60", 60, 4))])
def test_what_says_where_they_stand_is_proposed(runtime, world, say, body):
    """A step that nobody stands at may go without a word."""
    assert [p.what for p in findings(body) if p.severity == "error"] == []
    runtime.execute(ProposeDocument(**say("analyst"), document=body, from_day=DAY + 1))


def test_a_level_without_a_step_is_mapped_by_its_number(runtime, world, clock, say):
    """Somebody put a customer at a level by hand, and the version has no such level any more."""
    Standing.update(level=4, step_key=None).execute()
    body = document(("p4", 4, 1), ("p14", 14, 2))
    with pytest.raises(Invalid, match="level 4 is in use"):
        runtime.execute(ProposeDocument(**say("analyst"), document=body, from_day=DAY + 1))
    mapped = document(("p4", 4, 1), ("p14", 14, 2), levels={"4": 2})
    assert [p.what for p in findings(mapped) if p.severity == "error"] == []
    in_force(mapped, DAY + 1)
    run_day(runtime, clock, DAY + 1)
    assert stands()[0] == 2


def test_a_scenario_that_customers_are_tied_to_is_kept_only_where_it_was(runtime, world, say):
    """A version without it is refused; a policy beside, which never had it, is not."""
    with_it = document(*OLD)
    with_it["escalation"]["scenarios"]["key"] = []
    in_force(with_it, DAY)
    tie = {"customer": Customer.get().id, "target": "scenario", "value": "key", "until_day": DAY + 30}
    runtime.execute(SetOverride(**say("manager"), **tie))
    assert [p.what for p in findings(document(*OLD)) if p.severity == "error"] == [
        "the scenario key is in use: a person tied customers to it"
    ]
    assert [p.what for p in findings(document(*OLD) | {"key": "beside"}) if p.severity == "error"] == []


def test_the_difference_in_words_says_where_customers_go():
    """Whoever approves reads it: nothing about a mapping is left to the JSON."""
    before, after = document(*OLD), document(("p4", 4, 1), ("p33", 33, 2), steps={"p14": "p4"}, levels={"3": 2})
    said = [str(one) for one in document_differences(before, after, Voice())]
    assert "Who stands at a step that is gone, p14: — → p4" in said
    assert "Who stands at a level that is gone, 3: — → 2" in said
