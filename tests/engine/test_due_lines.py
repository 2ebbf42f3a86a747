"""Policies of the subject invoice: each due line has its own episode, level, step and messages."""

from typing import Any

import pytest

from engine import outbox
from engine.commands import mark_dirty
from engine.replaying import replay_day
from engine.runs import drain_dirty, run_entity
from engine.tables import Action, Contact, Decision, Entity, Outcome, Run, Standing
from engine.verify import verify

from .conftest import escalation, in_force, step

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
