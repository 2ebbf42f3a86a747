"""A server that is off now and then, and random policies (promises A6, A8): what each customer gets in the end.

Customers are invoiced and pay while nobody looks. Runs, claims and their decisions are real; the
receiver keeps what arrived and when. A red test prints the line that runs it again.
"""

import random
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from engine import outbox
from engine.runs import run_due_days, run_entity
from engine.tables import Action, Contact, Entity, Run
from notifiers.gateways import Receipt

from .conftest import DAY, escalation, in_force, parameters, step

pytestmark = pytest.mark.sqlite
DAY_MINUTES = 24 * 60
OFF_MINUTES_MAX = 10 * DAY_MINUTES
CUSTOMERS = 6


class Street:
    """Customers who get an invoice now and then and pay it, late or never; and what they were sent.

    Args:
        chance: decides all of it.
    """

    name, idempotent = "street", True

    def __init__(self, runtime, books, chance):
        self.runtime, self.books, self.chance = runtime, books, chance
        self.open, self.arrived, self.wrong = defaultdict(list), [], []
        person = runtime.vault.create_person(
            {"name": "Accounts", "email": "payables@customer.example", "mobile": "+4915112345678"}
        )
        for number in range(CUSTOMERS):
            customer = books.customer(str(number), terms_days=10, country="GB")
            Contact.create(customer=customer, person=person, language="en")
            self.open[customer] = []

    @property
    def today(self):
        return self.runtime.today(self.books.entity)

    def live(self, moments):
        """So many things happen, all today."""
        for _ in range(moments):
            customer = self.chance.choice(list(self.open))
            lines = self.open[customer]
            if lines and self.chance.random() < 0.35:
                line = lines.pop(self.chance.randrange(len(lines)))
                self.books.payment(customer, line, line.amount_minor, self.today)
            else:
                due_day = self.today + self.chance.randint(-3, 10)
                lines.append(self.books.invoice(customer, self.chance.randint(5_000, 90_000), self.today, due_day))

    def deliver(self, message, about_to_send):
        """Whoever has nothing open that is due by now, or soon where the step comes before, must get nothing."""
        action = Action.get(Action.key == message.key)
        horizon = self.today - 1 if action.level else self.today + 10
        if not any(line.due_day <= horizon for line in self.open[action.customer]):
            self.wrong.append(message.key)
        self.arrived.append((action.customer_id, self.today, action.channel, message.key))
        return Receipt(self.name, "taken")

    def find(self, key):
        return Receipt(self.name, "taken") if any(key == one for *_, one in self.arrived) else None


def works(runtime, street):
    """What a sweep does: decide what is due to be decided, then send."""
    run_due_days(runtime)
    outbox.sweep(runtime, gateway=street)
    outbox.deliver(runtime, gateway=street)


def day_of(run):
    """The day on which a run was made."""
    return run.started_at // 86_400_000_000


def adopt(runtime, street, go_live):
    run_entity(runtime, street.books.entity, street.today)
    Entity.update(adopted_day=street.today).execute()
    go_live(street.today)


@pytest.mark.promise("A6")
@pytest.mark.seeds(1, 5)
def test_a_server_that_was_off_decides_each_day_once_and_sends_what_is_still_true(
    runtime, entity, books, policies, go_live, clock, replay, seed
):
    """Off for a minute to ten days, again and again: no day is left out or decided twice, only the last one acts."""
    chance = random.Random(seed)
    street = Street(runtime, books, chance)
    clock.advance(days=DAY - street.today)
    street.live(12)
    adopt(runtime, street, go_live)
    missed = 0
    for _ in range(5 if seed == 0 else 50):
        minutes = round(OFF_MINUTES_MAX ** chance.choice((chance.random(), chance.uniform(0.8, 1))))
        while minutes > 0:
            away = min(minutes, chance.randint(1, DAY_MINUTES))
            clock.advance(minutes=away)
            street.live(chance.randint(0, 2))
            minutes -= away
        before = len(Run.select().where(Run.kind == "nightly"))
        works(runtime, street)
        missed = max(missed, len(Run.select().where(Run.kind == "nightly")) - before)
        for _ in range(chance.randint(0, 3)):
            clock.advance(minutes=chance.randint(1, DAY_MINUTES // 3))
            street.live(chance.randint(0, 1))
            works(runtime, street)
    clock.advance(days=1)
    works(runtime, street)
    runs = list(Run.select().where(Run.kind != "event").order_by(Run.id))
    assert all(later.as_of_day == earlier.as_of_day + 1 for earlier, later in pairwise(runs))
    assert runs[-1].as_of_day == street.today
    assert {run.state for run in runs} == {"done"}
    assert all(run.acts == (run.as_of_day == day_of(run)) for run in runs[1:])
    acting = {run.as_of_day for run in runs if run.acts}
    assert {action.due_day for action in Action.select()} <= acting
    assert missed > 1
    assert street.wrong == []
    assert len(street.arrived) > 2
    assert max(Counter(key for *_, key in street.arrived).values()) == 1


@pytest.mark.promise("H3")
@pytest.mark.parametrize("ahead_days", [1, 3])
def test_a_clock_that_was_days_ahead_decides_no_day_twice(runtime, entity, books, policies, go_live, clock, ahead_days):
    """What it decided early stands; nothing is decided until the day after it has come, and then in order."""
    street = Street(runtime, books, random.Random(1))
    clock.advance(days=DAY - street.today)
    street.live(10)
    adopt(runtime, street, go_live)
    clock.advance(days=ahead_days)
    works(runtime, street)
    clock.advance(days=-ahead_days)
    sent = list(street.arrived)
    for _ in range(ahead_days):
        works(runtime, street)
        assert (last_day(), street.arrived) == (DAY + ahead_days, sent)
        clock.advance(days=1)
    clock.advance(days=1)
    works(runtime, street)
    assert last_day() == street.today == DAY + ahead_days + 1
    days = [run.as_of_day for run in Run.select().where(Run.kind != "event").order_by(Run.id)]
    assert days == list(range(DAY, street.today + 1))
    assert max(Counter(key for *_, key in street.arrived).values(), default=1) == 1


def last_day():
    """The last day that was decided as a whole."""
    return Run.select(Run.as_of_day).where(Run.kind != "event").order_by(Run.id.desc()).limit(1).scalar()


def scenario(chance, channels):
    """One to four steps, in any rhythm, by any of some channels."""
    days = sorted(chance.sample(range(1, 25), chance.randint(1, 4)))
    return [
        step(f"p{day}", day, level=level, channel=chance.choice(channels), template=f"reminder_{min(level, 2)}")
        for level, day in enumerate(days, 1)
    ]


@pytest.mark.promise("A8")
@pytest.mark.seeds(1, 40)
def test_no_policies_together_write_more_often_than_the_cap(
    runtime, entity, books, policies, go_live, clock, replay, seed
):
    """Random scenarios of customers and of invoices, calls people made, any cap: held on each day of a month."""
    chance = random.Random(seed)
    contacts, days = chance.randint(1, 3), chance.randint(2, 9)
    policies.parameters.delete_instance()
    policies.escalation.delete_instance()
    terms = {"contact_cap": contacts, "contact_cap_days": days, "minimum_contact_days": chance.choice((0, 2))}
    in_force(parameters(**terms))
    in_force(escalation(scenario(chance, ("email", "sms")), catch_up=chance.random() < 0.5))
    of_lines = escalation(scenario(chance, ("email", "sms")), catch_up=chance.random() < 0.5)
    in_force({**of_lines, "key": "lines", "name": "lines", "subject": "invoice"})
    street = Street(runtime, books, chance)
    clock.advance(days=DAY - street.today)
    street.live(8)
    adopt(runtime, street, go_live)
    reached = []
    for _ in range(10 if seed == 0 else 30):
        clock.advance(days=1)
        street.live(chance.randint(0, 4))
        if chance.random() < 0.3:
            reached.append(call(street))
        works(runtime, street)
    assert street.wrong == []
    assert len(street.arrived) > 3
    by_customer = defaultdict(list)
    for customer, day, channel, _key in street.arrived:
        by_customer[customer].append(day)
        assert sum((customer, day, channel) == one[:3] for one in street.arrived) == 1
    for customer, written in by_customer.items():
        for day in written:  # calls are made whenever people wish; each message keeps to what was before it
            called = [when for who, when in reached if who == customer and when <= day]
            assert sum(day - days < one <= day for one in (*written, *called)) <= max(contacts, 1 + len(called))


def call(street):
    """Somebody reaches a customer by telephone: customer and day."""
    customer = street.chance.choice(list(street.open))
    Action.create(
        key=f"call/{customer.id}/{street.today}",
        entity_id=customer.entity_id,
        customer=customer,
        policy_key="by hand",
        episode=1,
        step_key="call",
        channel="call",
        state="done",
        result="promised",
        due_day=street.today,
        created_at=street.runtime.now_at(),
        settled_at=street.runtime.now_at(),
    )
    return customer.id, street.today
