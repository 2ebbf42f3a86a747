"""The collector's day as laws: whatever is booked, agreed, contested and given up, in any order, day by day.

After every step the money is what a ledger of a few lines says, and every letter that left went to somebody
who might be asked for something; in the end ``verify`` finds nothing, so that standings are the fold of
their history.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import outbox
from engine.charging import ChargeClaims, RecordCost
from engine.claim_account import claim_account_of
from engine.commands import mark_dirty
from engine.corrections import RecordPromise, SetBlock
from engine.disputes import CloseDispute, RecordDispute
from engine.events import drain_dirty
from engine.open_amounts import open_of_lines
from engine.payment_plans import AgreePlan, CancelPlan, plans_of
from engine.pipeline import asking, facts_of
from engine.runs import run_entity
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import (
    Action,
    Allocation,
    Contact,
    Credit,
    Customer,
    Document,
    DueLine,
    Entity,
    Reversal,
    User,
    UserRole,
    UserScope,
)
from engine.verify.decided import standings
from engine.write_offs import ReverseWriteOff, WriteOff
from notifiers.gateways import OutgoingMessage, Receipt
from notifiers.letter_templates import shipped_templates
from rules.regimes import shipped_regimes

from .conftest import Books, escalation, in_force, parameters

DAY = 20_543
TOLERANCE = 3
STEPS, EXAMPLES = (int(os.environ.get("DUNWELL_LAW_STEPS", "14")), int(os.environ.get("DUNWELL_LAWS_OF", "4")))
BUCKETS = ("not_due_minor", "d1_30_minor", "d31_60_minor", "d61_90_minor", "d90_over_minor", "no_due_date_minor")


@dataclass
class Owed:
    """A line as the law keeps it: what came in when, and what shields it from being asked for."""

    row: DueLine
    received: list[list[int]] = field(default_factory=list)  # [day, amount, credit, is payment]; amount 0: taken back
    disputed: int | None = None  # the part under an open dispute
    dispute: int = 0
    contested_day: int = 0
    accepted: int = 0  # that waits for a credit note
    promised_day: int | None = None
    promised: int = 0
    promised_after: int = 0  # so many entries were there before
    plan: int | None = None
    planned: tuple[tuple[int, int], ...] = ()

    @property
    def open(self) -> int:
        """What is left."""
        return int(self.row.amount_minor) - sum(amount for _day, amount, *_more in self.received)

    def left_by(self, day: int) -> int:
        """What was left at the end of a day."""
        return int(self.row.amount_minor) - sum(one[1] for one in self.received if one[0] <= day)

    def in_plan(self, today: int) -> bool:
        """Whether its plan is in good order."""
        total = sum(amount for _due, amount in self.planned)
        so_far = 0
        for due, amount in self.planned:
            so_far += amount
            deadline = due + TOLERANCE
            if deadline < today and self.left_by(deadline) > total - so_far:
                return False
        return self.plan is not None

    def askable(self, today: int) -> int:
        """How much of it a letter may ask for."""
        if self.in_plan(today):
            return 0
        credited = sum(one[1] for one in self.received if not one[3] and one[0] >= self.contested_day)
        shielded = (self.disputed or 0) + max(self.accepted - credited, 0)
        if self.promised_day is not None and today <= self.promised_day + TOLERANCE:
            shielded += max(self.promised - sum(one[1] for one in self.received[self.promised_after :]), 0)
        return max(self.open - shielded, 0)


class Receiver:
    """Takes every letter, once, and remembers whose it was."""

    name, idempotent = "receiver", True

    def __init__(self) -> None:
        self.keys: list[str] = []

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Take it."""
        if message.key not in self.keys:
            self.keys.append(message.key)
        return Receipt(self.name, "taken")

    def find(self, key: str) -> Receipt | None:
        """Whether it was taken."""
        return Receipt(self.name, "taken") if key in self.keys else None


class Collecting(RuleBasedStateMachine):
    """One entity with two customers, worked on by one collector."""

    opened: Callable[[], tuple[Any, Runtime]]
    letters = 0  # that left, in all runs

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.runtime = type(self).opened()
        self.owed: list[Owed] = []
        self.paused: dict[int, int] = {}
        self.costs: dict[int, int] = {}
        self.receiver, self.looked_at = Receiver(), 0

    @initialize()
    def begin(self) -> None:
        """Two customers with an old and a young line each; adopted and live."""
        made = Entity.create(
            code="main", name="Main Ltd", currency="EUR", zone="UTC", country="AT", portfolio_share_bp=10_000,
            daily_cap=10_000,
            contact_times='{"holidays":false,"weekdays":[]}',
        )  # fmt: skip
        self.collector = User.create(email="c@main.example", name="C", fs_uniquifier="c").id
        UserRole.create(user=self.collector, role="collector")
        UserScope.create(user=self.collector, entity=made)
        bounds = {"plan_alone": 10**9, "plan_alone_days": 365, "write_off_alone": 10**9, "contact_cap_days": 0}
        in_force(parameters(promise_tolerance_days=TOLERANCE, **bounds))
        in_force(escalation())
        for law in shipped_regimes():
            in_force(law)
        self.books = Books(made)
        for number in ("1", "2"):
            customer = self.books.customer(number)
            person = self.runtime.vault.create_person({"name": "", "email": f"p{number}@customer.example"})
            Contact.create(customer=customer, person=person)
            for amount, late in ((90_000, 20), (50_000, 2)):
                self.owed.append(Owed(self.books.invoice(customer, amount, DAY - late - 30, DAY - late)))
        run_entity(self.runtime, made, DAY - 1)
        Entity.update(sending=True, live_from_day=DAY, live_after_run=1).where(Entity.id == made.id).execute()
        self.entity = Entity.get_by_id(made.id)
        self.decide()

    @property
    def today(self) -> int:
        """The day it is."""
        return self.runtime.today(self.entity)

    def say(self, command: Any, **values: Any) -> Any:
        """Give a command as the collector; what follows is decided and sent at once."""
        answer = self.runtime.execute(command(actor=self.collector, reason="because", **values))
        self.send()
        return answer

    def send(self) -> None:
        """Decide whoever changed, and let go what is due."""
        drain_dirty(self.runtime)
        outbox.deliver(self.runtime, gateway=self.receiver)

    def decide(self) -> None:
        """The night's run."""
        run_entity(self.runtime, self.entity, self.today)
        self.send()

    def one(self, place: int, wanted: Callable[[Owed], bool] = lambda one: one.open > 0) -> Owed | None:
        """Some line of a kind."""
        fit = [one for one in self.owed if wanted(one)]
        return fit[place % len(fit)] if fit else None

    # --- what may happen ------------------------------------------------------------------

    @rule(days=st.integers(1, 4))
    def nights(self, days: int) -> None:
        """Days pass; each is decided."""
        for _day in range(days):
            self.clock.advance(days=1)
            self.decide()

    @rule(customer=st.integers(0, 1), amount=st.integers(1, 900), late=st.integers(-3, 12))
    def invoice(self, customer: int, amount: int, late: int) -> None:
        """A further line."""
        if len(self.owed) < 9:
            owner = self.owed[2 * customer].row.customer
            row = self.books.invoice(owner, amount * 100, self.today - late - 30, self.today - late)
            self.owed.append(Owed(row))
            self.changed(owner)

    @rule(place=st.integers(0, 8), share=st.integers(1, 4), kind=st.sampled_from(["payment", "payment", "credit_note"]))
    def credit(self, place: int, share: int, kind: str) -> None:
        """A payment or credit note for a part, or for all."""
        one = self.one(place)
        if one is not None:
            amount = max(one.open * share // 4, 1)
            entry = self.books._entry(one.row.customer, self.today, kind, "")
            row = Credit.create(**entry, kind=kind, amount_minor=amount)
            common = {k: entry[k] for k in ("entity_id", "customer", "booked_day", "recorded_day", "recorded_at")}
            Allocation.create(**common, credit=row, due_line=one.row, amount_minor=amount)
            one.received.append([self.today, amount, row.id, kind == "payment"])
            self.changed(one.row.customer)

    @rule(place=st.integers(0, 8), part=st.booleans())
    def dispute(self, place: int, part: bool) -> None:
        """All of a line, or half of what is open."""
        one = self.one(place, lambda one: one.open > 1 and one.disputed is None and not one.accepted)
        if one is not None:
            amount = one.open // 2 if part else None
            one.dispute = self.say(RecordDispute, due_line=one.row.id, amount_minor=amount)["dispute"]
            one.disputed, one.contested_day = amount or int(one.row.amount_minor), self.today

    @rule(place=st.integers(0, 8), outcome=st.sampled_from(["accepted", "rejected", "withdrawn"]))
    def close_dispute(self, place: int, outcome: str) -> None:
        """It ends; what was accepted waits for its credit note."""
        one = self.one(place, lambda one: one.disputed is not None)
        if one is not None:
            disputed, one.disputed = one.disputed or 0, None
            if outcome == "accepted":
                one.accepted = disputed
            self.say(CloseDispute, dispute=one.dispute, outcome=outcome)

    @rule(place=st.integers(0, 8), days=st.integers(0, 5))
    def promise(self, place: int, days: int) -> None:
        """All that is open of a line, by a day."""
        one = self.one(place, lambda one: one.open > 0 and one.promised_day is None)
        if one is not None:
            one.promised_day, one.promised, one.promised_after = self.today + days, one.open, len(one.received)
            line = {"customer": one.row.customer_id, "due_line": one.row.id, "currency": "EUR"}
            self.say(RecordPromise, **line, amount_minor=one.open, promised_day=one.promised_day)

    @rule(place=st.integers(0, 8), first=st.integers(0, 4), parts=st.integers(1, 3))
    def plan(self, place: int, first: int, parts: int) -> None:
        """What is open of a line, in parts three days apart."""
        one = self.one(place, lambda one: one.open >= 3 and not (one.in_plan(self.today) and one.open))
        if one is not None:
            each = one.open // parts
            amounts = [one.open - each * (parts - 1)] + [each] * (parts - 1)
            one.planned = tuple((self.today + first + 3 * n, amount) for n, amount in enumerate(amounts))
            terms = {"due_lines": (one.row.id,), "instalments": one.planned}
            one.plan = 1
            one.plan = self.say(AgreePlan, customer=one.row.customer_id, **terms)["payment_plan"]

    @rule(place=st.integers(0, 8))
    def cancel_plan(self, place: int) -> None:
        """A person ends it."""
        one = self.one(place, lambda one: one.plan is not None and one.in_plan(self.today))
        if one is not None:
            plan, one.plan = one.plan, None
            self.say(CancelPlan, payment_plan=plan)

    @rule(place=st.integers(0, 8), share=st.integers(1, 4))
    def write_off(self, place: int, share: int) -> None:
        """A part is given up, or all."""
        one = self.one(place)
        if one is not None:
            amount = max(one.open * share // 4, 1)
            one.received.append([self.today, amount, 0, False])
            one.received[-1][2] = self.say(WriteOff, due_line=one.row.id, amount_minor=amount)["write_off"]

    @rule(place=st.integers(0, 8))
    def take_back(self, place: int) -> None:
        """A payment bounces, or a write-off is taken back."""
        one = self.one(place, lambda one: any(entry[1] for entry in one.received))
        if one is not None:
            entry = next(entry for entry in reversed(one.received) if entry[1])
            entry[1] = 0
            credit = Credit.get_by_id(entry[2])
            if credit.kind == "write_off":
                self.say(ReverseWriteOff, write_off=credit.id)
            else:
                common = {name: credit.__data__[name] for name in ("entity_id", "customer", "recorded_at")}
                days = {"booked_day": self.today, "recorded_day": self.today}
                Reversal.create(**common, **days, target="credit", target_id=credit.id, reason="bounced")
                self.changed(one.row.customer)

    @rule(customer=st.integers(0, 1), days=st.integers(1, 6))
    def pause(self, customer: int, days: int) -> None:
        """Nothing to a customer until a day."""
        owner = self.owed[2 * customer].row.customer_id
        until = self.today + days
        self.paused[owner] = max(self.paused.get(owner, 0), until)
        self.say(SetBlock, customer=owner, kind="pause", from_day=self.today, until_day=until)

    @rule(customer=st.integers(0, 1), cost=st.integers(0, 3))
    def claim(self, customer: int, cost: int) -> None:
        """Interest, fixed sums and perhaps a cost are booked beside the ledger; twice on a day charges once."""
        owner = self.owed[2 * customer].row.customer_id
        if cost:
            self.say(RecordCost, customer=owner, amount_minor=cost * 100, currency="EUR")
            self.costs[owner] = self.costs.get(owner, 0) + cost * 100
        self.say(ChargeClaims, customer=owner)
        assert self.say(ChargeClaims, customer=owner)["entries"] == 0

    def changed(self, customer: Customer) -> None:
        """As an import leaves it."""
        with self.runtime.database.atomic():
            mark_dirty([customer.id], self.runtime.now_at())
        self.send()

    # --- what always holds ----------------------------------------------------------------

    @invariant()
    @precondition(lambda self: bool(self.owed))
    def money_is_conserved(self) -> None:
        """Line by line, and as the facts sum it: open amounts are lines less what stands against them."""
        assert open_of_lines([one.row for one in self.owed]) == {one.row.id: one.open for one in self.owed}
        ask = asking(self.runtime, self.entity, self.today)
        owners = sorted({one.row.customer_id for one in self.owed})
        for row in facts_of(self.runtime, ask, owners):
            owed = sum(one.open for one in self.owed if one.row.customer_id == row["customer_id"])
            assert row["open_minor"] == owed
            assert sum(row[bucket] for bucket in BUCKETS) == owed
            assert (row["credits_minor"], row["unapplied_minor"]) == (0, 0)
            self.the_right_line_leads(row)

    def the_right_line_leads(self, row: dict[str, Any]) -> None:
        """The oldest of which something may be asked, with just that much."""
        askable = [
            (one.row.due_day, one.row.number, one.row.id, one.askable(self.today))
            for one in self.owed
            if one.row.customer_id == row["customer_id"] and one.askable(self.today)
        ]
        leader = min(askable, default=(None, None, None, None))
        assert (row["leader_line_id"], row["leader_open_minor"]) == leader[2:]

    @invariant()
    @precondition(lambda self: bool(self.costs))
    def the_claim_account_holds_what_was_booked(self) -> None:
        """Costs to the unit; the open amounts above never know of them."""
        for owner, minor in self.costs.items():
            account = claim_account_of(self.runtime, Customer.get_by_id(owner), self.today)
            assert sum(row.amount_minor for row in account.rows if row.kind == "cost") == minor
            assert all(one.open_minor >= minor for one in account.balances)

    @invariant()
    @precondition(lambda self: bool(self.owed))
    def plans_stand_as_their_entries_say(self) -> None:
        """In the console as in the facts and here."""
        for owner in {one.row.customer_id for one in self.owed}:
            told = plans_of(self.runtime, Customer.get_by_id(owner))
            active = {line for plan in told if plan.state == "active" for line in plan.lines}
            own = [one for one in self.owed if one.row.customer_id == owner]
            assert active == {one.row.id for one in own if one.in_plan(self.today) and one.open > 0}

    @invariant()
    def nobody_was_asked_who_should_not_be(self) -> None:
        """Every letter since the last look went to somebody with something to ask for, and no pause."""
        for key in self.receiver.keys[self.looked_at :]:
            owner = Action.get(Action.key == key).customer_id
            own = [one for one in self.owed if one.row.customer_id == owner]
            assert self.paused.get(owner, 0) <= self.today, f"{key} left although dunning is paused"
            assert any(one.askable(self.today) for one in own), f"{key} asks for what is shielded"
        self.looked_at = len(self.receiver.keys)

    def teardown(self) -> None:
        """Standings are the fold of their history."""
        if self.owed:
            assert [seen for seen in standings(self.runtime) if not isinstance(seen, int)] == []
        type(self).letters += len(self.receiver.keys)
        self.runtime.close()


@pytest.fixture
def machine(ready_file: Path, tmp_path: Path, prepared: dict[str, Any], clock: Any) -> type[Collecting]:
    """The machine, on a database of its own each time."""
    numbers = count()

    def opened() -> tuple[Any, Runtime]:
        var = tmp_path / f"{next(numbers)}"
        var.mkdir()
        shutil.copyfile(ready_file, var / "dunwell.db")
        now = type(clock)()
        url = f"sqlite:///{var / 'dunwell.db'}"
        made = build(Settings(database=url, var=var, secret_key="a secret only for these laws, long enough"), now=now)
        made.cache.update(prepared["sqlite"])
        for document in shipped_templates():
            Document.update(status="live").where(Document.id == in_force(document).id).execute()
        return now, made

    return type("Run", (Collecting,), {"opened": staticmethod(opened)})


def _run(machine: type[Collecting], examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=checks)
    )
    assert machine.letters > examples, "a law about letters that never left says nothing"


@pytest.mark.sqlite
def test_money_is_conserved_and_nobody_is_asked_who_should_not_be(machine: type[Collecting]) -> None:
    """A few short days' work at every commit."""
    _run(machine, EXAMPLES, STEPS)


@pytest.mark.slow
@pytest.mark.sqlite
def test_the_same_holds_for_longer(machine: type[Collecting]) -> None:
    """Many longer ones in the slow tier."""
    _run(machine, 10 * EXAMPLES, 3 * STEPS)
