"""Steps timed by the end of a month and by the step before them, and customers tied to a scenario, day by day."""

import json
from types import SimpleNamespace

import pytest

from engine import outbox
from engine.commands import Invalid
from engine.events import drain_dirty
from engine.forward import look_ahead
from engine.frames import rows_of
from engine.overrides import SetOverride
from engine.runs import run_entity
from engine.tables import Action, Contact, Entity, Standing
from ledger.days import date_of

from .conftest import escalation, in_force

pytestmark = pytest.mark.long

DUE = 20_493  # 2026-02-09
TIMED = [
    {"key": "first", "days": 4, "channel": "email", "template": "reminder_1"},
    {"key": "call", "after_previous": 5, "channel": "call", "template": "call_first"},
    {"key": "month", "end_of_month": 20, "channel": "email", "template": "reminder_2"},
    {"key": "last", "after_previous": 3, "channel": "letter", "template": "formal_notice"},
]


@pytest.fixture
def world(runtime, entity, books, policies, go_live, clock):
    """One customer with an invoice due on 9 February; adopted and live on the day before."""
    clock.advance(days=DUE - 1 - runtime.today(entity))
    in_force(escalation(TIMED))
    person = runtime.vault.create_person({"name": "Accounts", "email": "payables@customer.example"})
    customer = books.customer("1")
    Contact.create(customer=customer, person=person, language="en")
    line = books.invoice(customer, 50_000, DUE - 30, DUE)
    run_entity(runtime, entity, DUE - 1)
    go_live(DUE - 1)
    return SimpleNamespace(books=books, customer=customer, line=line)


def on(runtime, clock, *days, deliver=True):
    """Run some days, messages leaving on each; on those between nothing would change."""
    for day in days:
        clock.advance(days=DUE + day - runtime.today(Entity.get()))
        run = run_entity(runtime, Entity.get(), DUE + day)
        assert (run.state, run.disagreed) == ("done", 0)
        if deliver:
            outbox.deliver(runtime)


def stands():
    row = Standing.get()
    return row.step_key, None if row.since_day is None else row.since_day - DUE


def test_a_step_after_the_one_before_waits_for_it_to_be_done(runtime, world, clock):
    """Mail on day 4 leaves on day 6: the call is due on day 11, not on day 9."""
    on(runtime, clock, 4, deliver=False)
    assert stands() == ("first", 4)
    on(runtime, clock, 6, 10)
    assert stands() == ("first", 4)
    assert (Standing.get().next_step, Standing.get().next_day) == ("call", DUE + 11)
    on(runtime, clock, 11)
    assert stands() == ("call", 11)


def test_the_end_of_a_month_comes_on_its_day_and_is_known_beforehand(runtime, world, clock):
    """Due on 9 February: 20 days later is 1 March, so the mail goes out on 31 March; looking ahead says so."""
    on(runtime, clock, 4, 9)
    assert stands() == ("call", 9)
    assert date_of(Standing.get().next_day).isoformat() == "2026-03-31"
    on(runtime, clock, 49)
    assert stands() == ("call", 9)
    ahead = [step for pair in look_ahead(runtime, Entity.get(), days=4) for step in steps_of(pair.live)]
    assert ahead == [("month", "2026-03-31"), ("last", "2026-04-03")]
    on(runtime, clock, 50)
    assert (stands(), date_of(DUE + 50).isoformat()) == (("month", 50), "2026-03-31")
    on(runtime, clock, 53)
    assert stands() == ("last", 53)


def test_who_is_tied_to_no_scenario_gets_nothing_until_the_override_ends(runtime, world, clock, users):
    """What was due is called off, the silence has a code of its own; afterwards the steps go on where they stood."""
    on(runtime, clock, 4, deliver=False)
    tie = {"customer": world.customer.id, "target": "scenario", "until_day": DUE + 12, "reason": "key customer"}
    common = {**tie, "actor": users.manager.id}
    with pytest.raises(Invalid) as refused:
        runtime.execute(SetOverride(value="gold", **common))
    assert "choose from standard, none" in refused.value.problems[0].cure
    assert runtime.execute(SetOverride(value="none", **common))["needs_approval"] is False
    assert drain_dirty(runtime) == 1
    outbox.deliver(runtime)
    action = Action.get()
    assert (action.state, action.result) == ("cancelled", "a person tied the customer to no scenario")
    on(runtime, clock, 10)
    assert (stands(), json.loads(Standing.get().waiting_for)) == (("first", 4), ["left_alone"])
    on(runtime, clock, 12)
    assert stands() == ("call", 12)


def steps_of(day):
    """Step and date of what begins on a day that is looked at ahead."""
    return [(row["step"], date_of(row["day"]).isoformat()) for row in rows_of(day.begun)]
