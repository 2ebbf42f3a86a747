"""Plans, write-offs and promises in the console, and a promise that breaks."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine import outbox
from engine.corrections import RecordPromise
from engine.events import drain_dirty
from engine.runtime import Runtime
from engine.tables import (
    Action,
    DueLine,
    Entity,
    Instalment,
    Outcome,
    PaymentPlan,
    Proposal,
    Standing,
)
from ledger.days import date_of

SIZES = [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)]


@pytest.fixture
def late(dunned: Callable[..., DueLine]) -> DueLine:
    """A customer with one invoice of 9,000.00, 20 days late, that was dunned once."""
    return dunned("77002", "Juniper Foods", 900_000)


def test_a_large_plan_is_worked_out_proposed_and_approved_by_another(
    runtime: Runtime, late: DueLine, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Equal instalments to be changed; a sum that is wrong is said; what was approved shows each instalment."""
    desk, path = signed_in(people.collector), f"/plans/new/{late.customer_id}"
    first = date_of(runtime.today(late.customer.entity) + 10).isoformat()
    chosen = {"line": late.id, "many": 3, "first": first, "every": "month"}
    assert desk.get(path).text.count("checked") == 1
    assert desk.get(path, query_string=chosen).text.count('value="3,000.00"') == 3
    days = [first, date_of(runtime.today(late.customer.entity) + 40).isoformat()]
    wrong = {**chosen, "day": days, "amount": ["3,000.00", "5,999.00"], "reason": "asked for time"}
    assert "come to 899900 minor units where 900000 are open" in desk.post(path, wrong).text
    assert desk.post(path, {**wrong, "amount": ["3,000.00", "6,000.00"]}).status_code == 303
    proposal = Proposal.get()
    assert "9,000.00" in desk.get("/plans/").text
    form = {"proposal": proposal.id, "sha256": proposal.sha256, "reason": "seen", "key": "k"}
    assert desk.post("/commands/ApproveEntry", form).status_code == 403
    assert signed_in(people.manager).post("/commands/ApproveEntry", form).status_code == 303
    assert [one.amount_minor for one in Instalment.select().order_by(Instalment.id)] == [300_000, 600_000]
    for page in ("/plans/", f"/customers/{late.customer_id}"):
        assert "in good order" in desk.get(page).text
    assert "Nothing is open that could be paid" in desk.get(path).text
    cancel = {"payment_plan": PaymentPlan.get().id, "reason": "they pay at once", "key": "c"}
    assert desk.post("/commands/CancelPlan", cancel).status_code == 303


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_promise_breaks_and_the_customer_returns_at_the_right_step_and_rank(
    page_as: Callable[..., Any],
    runtime: Runtime,
    decided: Entity,
    late: DueLine,
    people: SimpleNamespace,
    trade: Any,
    clock: Any,
    width: int,
    height: int,
) -> None:
    """The next step is due by then and begins, in the same episode; the rank rises; the page says broken."""
    customer, entity = late.customer_id, late.customer.entity
    where = Standing.customer == customer
    outbox.deliver(runtime)
    stood, rank = Standing.get(where), Outcome.get(Outcome.customer == customer).worklist_points
    today = runtime.today(entity)
    promise = {"customer": customer, "due_line": late.id, "amount_minor": 900_000, "currency": "EUR"}
    runtime.execute(RecordPromise(actor=people.collector.id, reason="on the phone", **promise, promised_day=today + 1))
    drain_dirty(runtime)
    assert Standing.get(where).waiting_for == '["promise"]'
    clock.advance(days=5)  # a day past the tolerance of three
    trade.decide(runtime, entity, today + 5)
    back = Standing.get(where)
    assert (stood.level, stood.step_key) == (1, "standard-p4")
    assert (back.episode, back.level, back.step_key) == (stood.episode, 2, "standard-p7")
    assert Action.get(Action.customer == customer, Action.step_key == "standard-p7").state == "open"
    assert Outcome.get(Outcome.customer == customer).worklist_points > rank
    desk = page_as(people.collector, width, height)
    desk.goto(f"/customers/{customer}")
    desk.page.get_by_text("broken", exact=True).wait_for()
    desk.check()
