"""Policies of the subject invoice: each due line has its own episode, level, step and messages."""

from typing import Any

import pytest

from engine import finishing, outbox
from engine.commands import mark_dirty
from engine.first_messages import counted, first_messages
from engine.going_live import go_live
from engine.replaying import replay_day
from engine.runs import drain_dirty, run_entity
from engine.simulation import simulate
from engine.tables import (
    Action,
    Contact,
    Decision,
    Dispute,
    DueLine,
    Entity,
    Outcome,
    Promise,
    Reversal,
    Run,
    Standing,
)
from engine.verify import verify

from .conftest import escalation, in_force, step

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

DAY = 20_543  # 2026-03-31
STEPS = [
    step("p4", 4, level=1, template="reminder_1"),
    step("p14", 14, level=2, template="reminder_2"),
    step("p33", 33, level=3, template="formal_notice"),
]


def of_lines(steps: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """The escalation of the other stories, invoice by invoice."""
    return {**escalation(steps, **more), "key": "lines", "name": "lines", "subject": "invoice"}


@pytest.fixture
def line_policy(policies, clock, runtime, entity):
    """Only invoices are dunned: 4, 14 and 33 days after they are due. Today is the DAY."""
    clock.advance(days=DAY - runtime.today(entity))
    policies.escalation.delete_instance()
    return in_force(of_lines(STEPS))


@pytest.fixture
def customer(runtime, books):
    """A customer with an address."""
    person = runtime.vault.create_person({"name": "Accounts", "email": "payables@customer.example"})
    made = books.customer("1")
    Contact.create(customer=made, person=person, language="en")
    return made


@pytest.fixture
def adopted(runtime, entity, go_live):
    """The first run, and the go-live after it."""

    def adopt() -> None:
        run_entity(runtime, entity, DAY)
        go_live(DAY)

    return adopt


@pytest.fixture
def next_day(runtime, clock):
    """A night and a morning: the run of the next day, and what is due then leaves."""

    def live(send: bool = True) -> Run:
        clock.advance(days=1)
        entity = Entity.get()
        run = run_entity(runtime, entity, runtime.today(entity))
        assert (run.state, run.disagreed) == ("done", 0)
        if send:
            outbox.deliver(runtime)
        return run

    return live


def stands(line: Any) -> tuple[Any, ...]:
    """Where a due line stands."""
    found = Standing.get(Standing.line_id == line.id)
    return found.episode, found.open, found.level, found.step_key


def messages() -> list[tuple[Any, ...]]:
    """What became of every message, in the order they were made."""
    return [(action.line_id, action.step_key, action.state) for action in Action.select().order_by(Action.id)]


def unsound(runtime: Any) -> list[Any]:
    """What is not the fold of its history, or is not decided again alike; after any of these stories nothing."""
    found: list[Any] = [finding for check in verify(runtime).checks for finding in check.findings]
    for day in sorted({run.as_of_day for run in Run.select()}):
        found += replay_day(runtime, Entity.get(), day).differences
    return found


def test_the_first_run_adopts_every_due_line_without_contacting_anybody(runtime, entity, books, line_policy):
    """Each line has a standing at level 0; its customer has none, and outcomes as without the policy."""
    customer = books.customer("1")
    late = books.invoice(customer, 50_000, DAY - 60, DAY - 40)
    coming = books.invoice(customer, 30_000, DAY - 20, DAY + 10)
    run = run_entity(runtime, entity, DAY)
    assert (run.state, run.customers, run.lines, run.line_policy_key) == ("done", 1, 2, "lines")
    assert (stands(late), stands(coming)) == ((1, True, 0, None), (1, True, 0, None))
    assert Action.select().count() == 0
    assert (Standing.select().count(), Outcome.get().level) == (2, 0)
    assert {(d.line_id, d.confirmed_by) for d in Decision} == {
        (0, "durable"), (late.id, "durable"), (coming.id, "durable")
    }  # fmt: skip


def test_each_line_climbs_by_itself_and_ends_with_its_payment(
    runtime, books, line_policy, customer, adopted, next_day, clock
):
    """One is mailed for the second time while another gets its first; a payment ends one episode and not the other."""
    old = books.invoice(customer, 50_000, DAY - 60, DAY - 13)
    new = books.invoice(customer, 30_000, DAY - 60, DAY - 2)
    adopted()
    next_day()
    next_day()
    assert messages() == [(old.id, "p4", "sent"), (old.id, "p14", "sent"), (new.id, "p4", "sent")]
    assert (stands(old)[2:], stands(new)[2:]) == ((2, "p14"), (1, "p4"))
    assert Action.get(Action.step_key == "p14").key == f"line-{old.id}/lines/1/p14/0/email"
    clock.advance(days=9)
    next_day(send=False)
    assert messages()[3:] == [(new.id, "p14", "due")]
    clock.advance(days=1)
    books.payment(customer, new, 30_000, DAY + 13)
    assert [outbox.deliver(runtime)["cancel"], messages()[3]] == [1, (new.id, "p14", "cancelled")]
    mark_dirty([customer.id], runtime.now_at())
    assert drain_dirty(runtime) == 1
    assert (stands(old), stands(new)) == ((1, True, 2, "p14"), (1, False, 0, None))
    assert unsound(runtime) == []


def test_a_run_that_dies_between_customers_and_lines_goes_on_from_its_stored_lines(
    runtime, entity, books, line_policy, customer, adopted, clock, monkeypatch
):
    """Whatever happened to the ledger meanwhile; each line is decided once."""
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 3)
    adopted()
    clock.advance(days=1)
    with monkeypatch.context() as broken:
        broken.setattr(finishing.after_run, "complete_lines", die)
        with pytest.raises(Died):
            run_entity(runtime, Entity.get(), DAY + 1)
    assert (Run.select().order_by(Run.id.desc()).get().state, stands(line)[2:]) == ("confirming", (1, "p4"))
    with monkeypatch.context() as broken:
        broken.setattr(finishing, "_finish_lines", die)
        with pytest.raises(Died):
            run_entity(runtime, Entity.get(), DAY + 1)
    run = run_entity(runtime, Entity.get(), DAY + 1)
    assert (run.state, run.lines, run.lines_changed) == ("done", 1, 1)
    assert messages() == [(line.id, "p4", "due")]
    assert unsound(runtime) == []


def die(*_arguments: Any) -> None:
    """The process is gone."""
    raise Died


class Died(Exception):
    """What a killed process leaves behind is the same."""


def test_missed_days_are_decided_in_order_and_the_last_one_sends(
    runtime, entity, books, line_policy, customer, adopted, clock
):
    """A step that was reached on a missed day leaves once, on the day the run is made up for."""
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 2)
    adopted()
    clock.advance(days=5)
    run_entity(runtime, Entity.get(), DAY + 5)
    outbox.deliver(runtime)
    assert (messages(), stands(line)[2:]) == ([(line.id, "p4", "sent")], (1, "p4"))
    assert unsound(runtime) == []


def test_a_corrected_line_keeps_its_standing_and_gets_no_message_twice(
    runtime, books, line_policy, customer, adopted, next_day
):
    """The ledger has another row for it by then; its amount is the new one."""
    line = books.invoice(customer, 50_000, DAY - 60, DAY - 3)
    adopted()
    next_day()
    values = {name: line.__data__[name] for name in ("entity_id", "customer", "identity", "number", "currency")}
    days = {"booked_day": DAY + 2, "recorded_day": DAY + 2, "recorded_at": (DAY + 2) * 86_400_000_000}
    common = {name: values[name] for name in ("entity_id", "customer")}
    Reversal.create(**common, **days, target="due_line", target_id=line.id, reason="corrected")
    DueLine.create(**values, **days, revision=1, invoice_day=DAY - 60, due_day=DAY - 3, amount_minor=40_000)
    next_day()
    assert stands(line) == (1, True, 1, "p4")
    assert messages() == [(line.id, "p4", "sent")]
    assert Standing.select().count() == 1
    assert unsound(runtime) == []


def test_a_promise_holds_one_line_back_and_a_dispute_of_a_part_leaves_the_rest(
    runtime, books, line_policy, customer, adopted, next_day
):
    """The promised line waits and says so, the other one goes on; a block of the customer holds both."""
    promised = books.invoice(customer, 50_000, DAY - 60, DAY - 13)
    disputed = books.invoice(customer, 50_000, DAY - 60, DAY - 13)
    adopted()
    next_day()
    entry = {"entity_id": customer.entity_id, "customer": customer, "booked_day": DAY + 2, "recorded_day": DAY + 2}
    entry["recorded_at"] = (DAY + 2) * 86_400_000_000
    Promise.create(
        **entry, due_line=promised, amount_minor=50_000, currency="EUR", promised_day=DAY + 9, after_credit_id=0
    )
    Dispute.create(**entry, due_line=disputed, amount_minor=20_000, reason="damaged")
    next_day()
    assert (stands(promised)[2:], stands(disputed)[2:]) == ((1, "p4"), (2, "p14"))
    assert Standing.get(Standing.line_id == promised.id).waiting_for == '["promise"]'
    assert unsound(runtime) == []


def test_going_live_counts_invoices_and_may_start_them_by_their_age(
    runtime, entity, books, line_policy, customer, users, next_day
):
    """The preview says what would leave; started by ageing, only what is not late yet gets a message."""
    old = books.invoice(customer, 50_000, DAY - 60, DAY - 20)
    new = books.invoice(customer, 50_000, DAY - 60, DAY - 5)
    run_entity(runtime, entity, DAY)
    proposed = go_live(runtime, Entity.get(), actor=users.manager.id, start_level="ageing")
    assert proposed["would_send"] == {}
    assert counted(first_messages(runtime, Entity.get())) == {"p4": 2}
    go_live(runtime, Entity.get(), actor=users.second.id)
    assert (stands(old), stands(new)) == ((1, True, 2, "p14"), (1, True, 1, "p4"))
    next_day()
    assert messages() == []


def test_a_changed_policy_of_invoices_is_decided_and_counted_for_the_day(
    runtime, books, line_policy, customer, adopted, next_day
):
    """The version in force begins a step for one line, the tried one for both; a new key says that it adopts first."""
    books.invoice(customer, 50_000, DAY - 60, DAY - 5)
    books.invoice(customer, 50_000, DAY - 60, DAY - 2)
    adopted()
    tried = of_lines([step("p2", 2, level=1, template="reminder_1")], mapping={"steps": {"p4": "p2"}})
    found = simulate(runtime, Entity.get(), [tried]).lines
    assert (found.lines, found.changed, found.adopts) == (2, 1, False)
    assert [(one.step, one.before, one.after) for one in found.steps] == [("p2", 0, 2), ("p4", 1, 0)]
    other = simulate(runtime, Entity.get(), [{**tried, "key": "other"}]).lines
    assert (other.lines, other.adopts) == (2, True)
    assert simulate(runtime, Entity.get(), [escalation()]).lines is None
