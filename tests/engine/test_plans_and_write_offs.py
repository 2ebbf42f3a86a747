"""Payment plans and write-offs as commands: one person up to a bound, two above it; a default; taking back."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.commands import Conflict, Invalid, Refused
from engine.corrections import SetBlock
from engine.events import drain_dirty
from engine.open_amounts import open_of
from engine.outbox import deliver
from engine.payment_plans import AGREED, AgreePlan, CancelPlan, plans_of
from engine.proposals import ApproveEntry, DeclineEntry, waiting_for
from engine.runs import run_entity
from engine.tables import Action, Contact, Credit, Entity, Message, PaymentPlan, Standing
from engine.write_offs import ReverseWriteOff, WriteOff, write_offs_of

from .conftest import escalation, in_force, parameters

DAY = 20_543
pytestmark = pytest.mark.sqlite


@pytest.fixture
def say(runtime: Any, users: Any) -> Callable[..., dict[str, Any]]:
    """Give a command as somebody."""

    def do(command: Any, who: str = "collector", **values: Any) -> Any:
        return runtime.execute(command(actor=getattr(users, who).id, reason="agreed on the phone", **values))

    return do


@pytest.fixture
def late(runtime: Any, entity: Any, books: Any) -> Any:
    """A policy and its parameters, live; a customer with 1,000.00 twenty days late who was dunned once."""
    in_force(parameters(plan_alone=200_000, plan_alone_days=60, write_off_alone=5_000))
    in_force(escalation())
    line = books.invoice(books.customer("1"), 100_000, DAY - 50, DAY - 20)
    run_entity(runtime, entity, DAY - 1)
    Entity.update(sending=True, live_from_day=DAY, live_after_run=1, portfolio_share_bp=10_000).where(
        Entity.id == entity.id
    ).execute()
    run_entity(runtime, Entity.get_by_id(entity.id), DAY)
    Action.update(state="sent", settled_at=runtime.now_at()).execute()
    return line


def agree(say: Any, line: Any, *instalments: tuple[int, int], who: str = "collector") -> Any:
    """Agree a plan over one line."""
    return say(AgreePlan, who, customer=line.customer_id, due_lines=(line.id,), instalments=instalments)


def test_a_plan_in_good_order_keeps_its_lines_out_of_dunning_and_a_default_ends_it(
    runtime, entity, late, say, clock, users
):
    """Silence has the code of a promise; after the default the same step comes again, and the diary says so."""
    where = Standing.customer == late.customer_id
    stood = Standing.get(where)
    agree(say, late, (DAY + 5, 40_000), (DAY + 35, 60_000))
    drain_dirty(runtime)
    assert Standing.get(where).waiting_for == '["promise"]'
    entity = Entity.get_by_id(entity.id)
    clock.advance(days=8)  # the end of the tolerance
    run_entity(runtime, entity, DAY + 8)
    assert plans_of(runtime, late.customer)[0].state == "active"
    assert Standing.get(where).waiting_for == '["promise"]'
    clock.advance(days=1)
    run_entity(runtime, entity, DAY + 9)
    told = plans_of(runtime, late.customer)[0]
    assert (told.state, [one.state for one in told.instalments]) == ("defaulted", ["missed", "void"])
    back = Standing.get(where)
    assert (back.leader_line_id, back.episode) == (late.id, stood.episode)
    assert back.level >= stood.level
    assert "promise" not in back.waiting_for
    item = Action.get(Action.template == "payment_plan")
    assert (item.step_key, item.state, item.due_day) == ("plan_defaulted", "open", DAY + 9)
    run_entity(runtime, entity, DAY + 10)
    assert Action.select().where(Action.template == "payment_plan").count() == 1


@pytest.mark.parametrize(
    "instalments",
    [
        (),
        ((DAY - 1, 100_000),),
        ((DAY + 5, 50_000), (DAY + 5, 50_000)),
        ((DAY + 9, 50_000), (DAY + 5, 50_000)),
        ((DAY + 5, 99_999),),
        ((DAY + 5, 100_001),),
        ((DAY + 5, 100_001), (DAY + 6, -1)),
    ],
)
def test_a_plan_comes_to_what_is_open_on_rising_days(late, say, instalments):
    """From today on, each amount above 0."""
    with pytest.raises(Invalid):
        agree(say, late, *instalments)


def test_a_line_is_in_one_plan_at_a_time(runtime, late, say):
    """Until that is cancelled; the first stays on record."""
    plan = agree(say, late, (DAY + 5, 100_000))["payment_plan"]
    with pytest.raises(Conflict):
        agree(say, late, (DAY + 6, 100_000))
    say(CancelPlan, payment_plan=plan)
    agree(say, late, (DAY + 6, 100_000))
    assert [one.state for one in plans_of(runtime, late.customer)] == ["active", "cancelled"]
    with pytest.raises(Conflict):
        say(CancelPlan, payment_plan=plan)


@pytest.mark.parametrize(("days", "state"), [(60, None), (61, "proposed")])
def test_a_long_plan_takes_two_people(late, say, days, state):
    """At the bound one is enough."""
    assert agree(say, late, (DAY + days, 100_000)).get("state") == state


def test_what_was_proposed_is_checked_again_when_it_is_approved(runtime, late, say, users, books):
    """Money came in meanwhile: the plan does not fit any more and nothing is entered; declined, it is over."""
    proposal = agree(say, late, (DAY + 100, 100_000))["proposal"]
    with pytest.raises(Refused):
        say(ApproveEntry, proposal=proposal)
    books.payment(late.customer, late, 1_000, DAY)
    with pytest.raises(Invalid):
        say(ApproveEntry, "manager", proposal=proposal)
    assert PaymentPlan.select().count() == 0
    assert [one.id for one in waiting_for(users.manager.id)] == [proposal]
    say(DeclineEntry, proposal=proposal)
    with pytest.raises(Conflict):
        say(ApproveEntry, "manager", proposal=proposal)


@pytest.mark.parametrize(("amount", "left", "state"), [(5_000, 95_000, None), (5_001, 100_000, "proposed")])
def test_a_large_write_off_takes_two_people(late, say, amount, left, state):
    """At the bound it is entered at once."""
    assert say(WriteOff, due_line=late.id, amount_minor=amount).get("state") == state
    assert open_of(late) == left


def test_a_write_off_ends_the_debt_and_its_reversal_brings_it_back(runtime, late, say):
    """All that is open unless an amount is given; approved by the second person; taken back once."""
    proposal = say(WriteOff, due_line=late.id)["proposal"]
    say(ApproveEntry, "manager", proposal=proposal)
    assert open_of(late) == 0
    drain_dirty(runtime)
    assert not Standing.get(Standing.customer == late.customer_id).open
    ((credit, line),) = write_offs_of(late.customer)
    assert (credit.amount_minor, line.id) == (100_000, late.id)
    say(ReverseWriteOff, write_off=credit.id)
    assert open_of(late) == 100_000
    assert write_offs_of(late.customer) == []
    with pytest.raises(Conflict):
        say(ReverseWriteOff, write_off=credit.id)


@pytest.mark.parametrize("amount", [0, 100_001])
def test_a_write_off_is_within_what_is_open(late, say, amount):
    """Not nothing, and not more."""
    with pytest.raises(Invalid):
        say(WriteOff, due_line=late.id, amount_minor=amount)
    assert Credit.select().count() == 0


def with_contact(runtime: Any, line: Any, **known: str) -> None:
    """Somebody to write to."""
    person = runtime.vault.create_person({"name": "Accounts Payable", **known})
    Contact.create(customer=line.customer, person=person, language="de")


def test_a_plan_in_force_is_confirmed_once_to_the_customer(runtime, late, say, users, letter_templates):
    """A pause and a letter of the same day do not hold it back; while it waits for a second person nothing is said."""
    with_contact(runtime, late, email="payables@customer.example")
    say(SetBlock, "manager", customer=late.customer_id, kind="pause", from_day=DAY, until_day=DAY + 20)
    made = agree(say, late, (DAY + 5, 40_000), (DAY + 95, 60_000))
    assert not Action.select().where(Action.step_key == AGREED).exists()
    say(ApproveEntry, "manager", proposal=made["proposal"])
    deliver(runtime)
    deliver(runtime)
    (sent,) = Action.select().where(Action.step_key == AGREED)
    assert (sent.state, sent.channel, sent.covered_by_id) == ("sent", "email", None)
    message = Message.get(Message.action == sent)
    text = runtime.vault.open(message.person, message.sealed)["text"]
    assert "Rate 1 von 2" in text
    assert "400,00\u00a0EUR" in text.partition("Rate 1 von 2")[2][:60]
    assert "1.000,00\u00a0EUR" in text


def test_without_an_address_it_goes_by_letter_and_a_cancelled_plan_is_not_confirmed(
    runtime, late, say, users, letter_templates
):
    """The same outbox as every message, the same way from mail to paper; what is not true any more is not said."""
    with_contact(runtime, late, address="Oak Lane 1", postcode="20457", city="Hamburg")
    first = agree(say, late, (DAY + 5, 100_000))
    say(CancelPlan, payment_plan=first["payment_plan"])
    agree(say, late, (DAY + 6, 100_000))
    deliver(runtime)
    gone, sent = Action.select().where(Action.step_key == AGREED).order_by(Action.id)
    assert (gone.state, gone.result) == ("cancelled", "the payment plan is not in force any more")
    assert (sent.state, sent.sends_by) == ("sent", "letter")
