"""The claim decides again: what happened between decision and claim decides whether a letter leaves, and what it says.

The shipped policies are in force; decisions are real runs; mail goes to the mailbox folder.
"""

import mailbox
import random
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import count
from types import SimpleNamespace

import pytest

from engine import contact_times, doors, outbox
from engine.corrections import last_credit_id
from engine.pipeline import asking
from engine.runs import run_entity
from engine.setting_up import shipped_documents
from engine.tables import (
    Action,
    ActionWait,
    Alarm,
    Allocation,
    Block,
    Contact,
    Credit,
    Customer,
    Dispute,
    Document,
    DueLine,
    Entity,
    Promise,
)
from ledger.canonical import canonical, sha256_of
from ledger.days import day_of

NUMBERS = count(1)


class Ledger:
    """Posts entries of today: what a file or a command would post between decision and claim."""

    def __init__(self, runtime, entity):
        self.runtime, self.entity = runtime, entity

    def common(self, customer, day=None):
        day = self.runtime.today(self.entity) if day is None else day
        return {
            "entity_id": self.entity.id,
            "customer": customer,
            "booked_day": day,
            "recorded_day": day,
            "recorded_at": day * 86_400_000_000,
        }

    def customer(self, number, email="payables@customer.example", **changes):
        made = Customer.create(
            entity=self.entity,
            number=number,
            name=f"Customer {number}",
            country=changes.pop("country", "GB"),
            terms_days=30,
            opened_day=self.runtime.today(self.entity) - 900,
            **changes,
        )
        if email is not None:
            person = self.runtime.vault.create_person({"name": "Accounts Payable", "email": email})
            Contact.create(customer=made, person=person, language="en")
        return made

    def invoice(self, customer, amount, days_late, currency="EUR"):
        today = self.runtime.today(self.entity)
        number = f"INV-{next(NUMBERS):05}"
        return DueLine.create(
            **self.common(customer, today - days_late - 30),
            number=number,
            identity=sha256(number.encode()).hexdigest(),
            invoice_day=today - days_late - 30,
            due_day=today - days_late,
            amount_minor=amount,
            currency=currency,
        )

    def pay(self, line, amount=None, kind="payment", allocated=True):
        amount = line.amount_minor if amount is None else amount
        number = f"{kind}-{next(NUMBERS)}"
        credit = Credit.create(
            **self.common(line.customer_id),
            kind=kind,
            number=number,
            identity=sha256(number.encode()).hexdigest(),
            amount_minor=amount,
            currency=line.currency,
        )
        if allocated:
            Allocation.create(**self.common(line.customer_id), credit=credit, due_line=line, amount_minor=amount)

    def dispute(self, line, amount=None):
        Dispute.create(**self.common(line.customer_id), due_line=line, amount_minor=amount, reason="goods damaged")

    def promise(self, line, amount=None):
        today = self.runtime.today(self.entity)
        Promise.create(
            **self.common(line.customer_id),
            due_line=line,
            amount_minor=line.amount_minor if amount is None else amount,
            currency=line.currency,
            promised_day=today + 5,
            after_credit_id=last_credit_id(),
        )

    def pay_a_part_and_promise_the_rest(self, line):
        self.pay(line, 20_000)
        self.promise(line, line.amount_minor - 20_000)

    def promise_a_part_and_pay_of_it(self, line):
        self.promise(line, 30_000)
        self.pay(line, 20_000)

    def block(self, line, kind, whole=True):
        today = self.runtime.today(self.entity)
        Block.create(
            **self.common(line.customer_id),
            kind=kind,
            due_line=None if whole else line,
            from_day=today,
            until_day=today + 10,
            reason="asked to",
        )


@pytest.fixture
def books(runtime, entity):
    """The shipped policies in force, and an empty ledger."""
    Entity.update(portfolio_share_bp=10_000, daily_cap=10_000).where(Entity.id == entity.id).execute()
    for document in shipped_documents():
        Document.create(
            kind=document["kind"],
            key=document["key"],
            stage=document.get("stage"),
            subject=document.get("subject"),
            sha256=sha256_of(document),
            body=canonical(document),
            status="approved",
            from_day=0,
            approved_at=1,
        )
    return Ledger(runtime, Entity.get_by_id(entity.id))


@pytest.fixture
def decided(runtime, books, clock):
    """Adopt, go live, and decide the next day: ``decided()`` makes the actions of everybody at a step."""

    def decide():
        clock.advance(days=-1)
        run_entity(runtime, books.entity, runtime.today(books.entity))
        Entity.update(live_from_day=runtime.today(books.entity), sending=True).execute()
        clock.advance(days=1)
        run = run_entity(runtime, Entity.get_by_id(books.entity.id), runtime.today(books.entity))
        assert run.state == "done"
        return {action.customer.number: action for action in Action.select()}

    return decide


def mails(runtime):
    folder = runtime.settings.var / "mailbox"
    return list(mailbox.Maildir(folder, create=False)) if folder.is_dir() else []


# What happens between the decision and the claim, and what becomes of the message.
EVENTS = {
    "nothing": (lambda books, line: None, ("sent", None)),
    "paid": (lambda books, line: books.pay(line), ("cancelled", "nothing is overdue any more")),
    "paid without reference": (
        lambda books, line: books.pay(line, allocated=False),
        ("cancelled", "nothing is overdue any more"),
    ),
    "credit note": (
        lambda books, line: books.pay(line, kind="credit_note"),
        ("cancelled", "nothing is overdue any more"),
    ),
    "paid but the tolerance": (
        lambda books, line: books.pay(line, line.amount_minor - 500),
        ("cancelled", "nothing is overdue any more"),
    ),
    "paid but a cent more": (lambda books, line: books.pay(line, line.amount_minor - 501), ("sent", None)),
    "disputed": (lambda books, line: books.dispute(line), ("cancelled", "what is overdue is disputed")),
    "disputed in part": (lambda books, line: books.dispute(line, 10_000), ("sent", None)),
    "promised": (lambda books, line: books.promise(line), ("cancelled", "what is overdue is promised")),
    "paid in part, then promised the rest": (
        lambda books, line: books.pay_a_part_and_promise_the_rest(line),
        ("cancelled", "what is overdue is promised"),
    ),
    "promised in part, then paid of it": (lambda books, line: books.promise_a_part_and_pay_of_it(line), ("sent", None)),
    "paused": (lambda books, line: books.block(line, "pause"), ("due", "pause")),
    "blocked": (lambda books, line: books.block(line, "dunning_block"), ("due", "pause")),
    "line paused": (lambda books, line: books.block(line, "pause", whole=False), ("due", "pause")),
    "insolvent": (lambda books, line: books.block(line, "insolvent"), ("cancelled", "the customer is insolvent")),
    "handed over": (lambda books, line: books.block(line, "handed_over"), ("cancelled", "the debt is handed over")),
}


@pytest.mark.promise("A4")
def test_what_happened_before_the_claim_decides(runtime, books, decided):
    """Paid, disputed, promised, insolvent, handed over: cancelled, and why. Paused: it waits. Else it is sent."""
    lines = {name: books.invoice(books.customer(name), 50_000, 5) for name in EVENTS}
    actions = decided()
    assert {name: (action.state, action.template) for name, action in actions.items()} == dict.fromkeys(
        EVENTS, ("due", "reminder_1")
    )
    for name, (happens, _) in EVENTS.items():
        happens(books, lines[name])
    outbox.deliver(runtime)
    found = {}
    for name in EVENTS:
        action = Action.get_by_id(actions[name].id)
        found[name] = (action.state, action.waiting_for if action.state == "due" else action.result)
    assert found == {name: expected for name, (_, expected) in EVENTS.items()}
    assert len(mails(runtime)) == sum(expected[0] == "sent" for _, expected in EVENTS.values())
    sent = Action.get_by_id(actions["nothing"].id)
    assert sent.edition_sent == sent.edition_planned


@pytest.mark.long
@pytest.mark.promise("A4")
@pytest.mark.seeds(1, 84)
def test_who_paid_before_the_claim_gets_no_reminder(runtime, books, decided, replay, seed):
    """120 customers, 10,080 in the slow tier, payments and claims in random order: no letter too many, none missing."""
    lines = {}
    for number in range(120):
        customer = books.customer(f"{number:03}")
        lines[customer.id] = books.invoice(customer, 50_000, 5)
    decided()
    chance = random.Random(20260331 + seed)
    payers = chance.sample(sorted(lines), 90)
    paid, late = set(), set()
    while True:
        if payers and chance.random() < 0.6:
            customer = payers.pop()
            taken = Action.get(Action.customer == customer).state != "due"
            (late if taken else paid).add(customer)
            books.pay(lines[customer])
            continue
        claims, looked_at = outbox.claim(
            runtime, runtime.now_at(), way=outbox.whole(doors.gateway_of(runtime)), batch=chance.randint(1, 5)
        )
        outbox.send(runtime, doors.gateway_of(runtime), claims)
        if not looked_at.total and not payers:
            break
    sent = {action.customer_id for action in Action.select().where(Action.state == "sent")}
    cancelled = {action.customer_id for action in Action.select().where(Action.state == "cancelled")}
    assert len(paid) > 5
    assert len(late) > 5
    assert cancelled == paid
    assert sent == set(lines) - paid
    assert len(mails(runtime)) == len(sent)


def body_of(runtime, number):
    (found,) = [
        mail for mail in mails(runtime) if f"customer number {number}" in " ".join(str(mail["Subject"]).split())
    ]
    return found.get_payload(0).get_payload(decode=True).decode()


def test_the_letter_shows_what_is_open_now(runtime, books, decided):
    """Part paid, part disputed, another line not due yet, a credit: each in its place, and the sum follows."""
    customer = books.customer("77")
    late, later = books.invoice(customer, 50_000, 5), books.invoice(customer, 30_000, -20)
    other = books.invoice(customer, 20_000, 6)
    decided()
    books.pay(late, 10_000)
    books.dispute(late, 5_000)
    books.pay(other, 2_500, kind="credit_note", allocated=False)
    outbox.deliver(runtime)
    text = body_of(runtime, "77").replace("\u00a0", " ")
    assert f"{late.number}\n" in text
    assert "Original amount 500.00 EUR · Open amount 350.00 EUR" in text
    assert "Original amount 500.00 EUR · Open amount 50.00 EUR" in text.split("DISPUTED OR PROMISED")[1]
    assert later.number in text.split("NOT DUE YET")[1]
    assert "Overdue: 550.00 EUR\nLess credits in your favour: -25.00 EUR\nPlease pay: 525.00 EUR" in text


def test_a_notice_before_the_due_date_asks_for_what_falls_due(runtime, books, decided):
    """Its date is the due date; on the due date it would have lapsed."""
    books.invoice(books.customer("88"), 50_000, -9)
    (action,) = decided().values()
    assert (action.template, action.level) == ("before_due", 0)
    outbox.deliver(runtime)
    assert "Due soon: 500.00 EUR" in body_of(runtime, "88").replace("\u00a0", " ")


def test_a_step_before_the_due_date_lapses_on_it(runtime, books, decided, clock):
    """Nobody is told of a payment that falls due when it already has."""
    books.invoice(books.customer("88"), 50_000, -9)
    (action,) = decided().values()
    clock.advance(days=9)
    outbox.deliver(runtime)
    assert Action.get_by_id(action.id).state == "cancelled"
    assert mails(runtime) == []


@pytest.mark.promise("A8")
@pytest.mark.parametrize(("days", "sent"), [(2, 1), (3, 2), (4, 2)])
def test_nobody_is_contacted_twice_within_the_minimum_days(runtime, books, decided, clock, days, sent):
    """The parameter says 3: a second message waits, whatever it is for, and leaves by itself."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, 5)
    (action,) = decided().values()
    outbox.deliver(runtime)
    Action.update(state="sent").execute()
    second = {name: getattr(action, name) for name in ("entity_id", "policy_key", "episode", "step_key", "level")}
    clock.advance(days=days)
    Action.create(
        key=f"{action.key}/second",
        customer=customer,
        channel="email",
        template="reminder_1",
        state="due",
        due_day=runtime.today(),
        created_at=runtime.now_at(),
        **second,
    )
    outbox.deliver(runtime)
    assert len(mails(runtime)) == sent
    waiting = Action.get(Action.key == f"{action.key}/second")
    assert waiting.waiting_for == (None if sent == 2 else "min_days")
    clock.advance(days=1)
    outbox.deliver(runtime)
    assert len(mails(runtime)) == 2


DAY_US = 86_400_000_000


@pytest.mark.sqlite
@pytest.mark.promise("A8")
def test_the_contact_cap_counts_every_policy_and_channel(runtime, books, decided, clock):
    """Three contacts in seven days: a fourth of another policy waits until the first is seven days ago."""
    books.invoice(books.customer("1"), 50_000, 5)
    (action,) = decided().values()
    for number, (days_ago, channel, state, result) in enumerate(
        (
            *((6, "letter", "sent", None), (5, "call", "done", "promised"), (4, "sms", "uncertain", None)),
            *((5, "call", "done", "no_answer"), (3, "internal", "sent", None), (7, "email", "sent", None)),
        )
    ):
        at = runtime.now_at() - days_ago * DAY_US
        Action.create(
            key=f"other/{number}",
            entity_id=action.entity_id,
            customer=action.customer_id,
            policy_key="other",
            episode=1,
            step_key="s",
            channel=channel,
            state=state,
            result=result,
            due_day=runtime.today() - days_ago,
            created_at=at,
            settled_at=at,
        )
    clock.advance(hours=1)
    claimed = Action.get_by_id(action.id)
    book = asking(runtime, books.entity, runtime.today()).edition.book
    assert contact_times.wait_of(claimed, books.entity, book, runtime.now_at()).why == "cap_days"
    assert contact_times.capped_until(claimed, books.entity, book, runtime.today()) == runtime.today() + 1
    clock.advance(days=1)
    assert contact_times.wait_of(claimed, books.entity, book, runtime.now_at()) is None


@pytest.mark.sqlite
def test_a_message_waits_for_a_day_on_which_it_may_leave(runtime, books, decided, clock):
    """Before Good Friday it would have left; now it leaves on the Tuesday after Easter, and each wait is kept."""
    Entity.update(contact_times="{}").where(Entity.id == books.entity.id).execute()
    books.invoice(books.customer("1", country="DE"), 50_000, 5)
    (action,) = decided().values()
    clock.set(datetime(2026, 4, 3, 9, 0, tzinfo=UTC))
    outbox.deliver(runtime)
    waiting = Action.get_by_id(action.id)
    assert (waiting.state, waiting.waiting_for) == ("due", "holiday")
    assert datetime.fromtimestamp(waiting.not_before_at // 1_000_000, UTC) == datetime(2026, 4, 6, 22, 0, tzinfo=UTC)
    clock.set(datetime(2026, 4, 5, 9, 0, tzinfo=UTC))
    outbox.deliver(runtime)
    assert mails(runtime) == []
    clock.set(datetime(2026, 4, 6, 22, 0, tzinfo=UTC))
    outbox.deliver(runtime)
    assert Action.get_by_id(action.id).state == "sent"
    assert [(wait.why, wait.day) for wait in ActionWait.select()] == [("holiday", day_of(date(2026, 4, 3)))]


@pytest.mark.sqlite
def test_a_past_run_keeps_its_calendar(runtime, books, decided, clock):
    """A letter of a Friday a year ago leaves on a Saturday of today, one of a Saturday then does not."""
    Entity.update(contact_times="{}").where(Entity.id == books.entity.id).execute()
    books.invoice(books.customer("1", country="DE"), 50_000, 5)
    (action,) = decided().values()
    book = asking(runtime, books.entity, runtime.today()).edition.book
    clock.set(datetime(2026, 4, 4, 9, 0, tzinfo=UTC))  # a Saturday
    for behind, why in ((400, None), (399, "quiet_day"), (398, "quiet_day"), (397, None)):  # from a Friday on
        day = runtime.today() - behind
        past = Action(
            customer=action.customer_id, channel="email", due_day=day, created_at=runtime.now_at(), id=action.id
        )
        found = contact_times.wait_of(past, Entity.get_by_id(books.entity.id), book, runtime.now_at())
        assert (None if found is None else found.why) == why


def test_while_the_executors_disagree_the_message_waits(runtime, books, decided, clock):
    """Until a person has looked at the alarm."""
    books.invoice(books.customer("1"), 50_000, 5)
    (action,) = decided().values()
    alarm = Alarm.create(customer=action.customer_id, kind="disagreement", text="hold differs", raised_at=1)
    outbox.deliver(runtime)
    assert Action.get_by_id(action.id).waiting_for == "disagreement"
    Alarm.update(acknowledged_at=runtime.now_at()).where(Alarm.id == alarm.id).execute()
    clock.advance(days=1)
    outbox.deliver(runtime)
    assert Action.get_by_id(action.id).state == "sent"


def test_a_missing_rate_makes_the_message_wait(runtime, books, decided):
    """What is owed is unknown then: nothing is asked for."""
    customer = books.customer("1")
    books.invoice(customer, 50_000, 5)
    (action,) = decided().values()
    books.invoice(customer, 50_000, 3, currency="USD")
    outbox.deliver(runtime)
    assert (Action.get_by_id(action.id).state, Action.get_by_id(action.id).waiting_for) == ("due", "unknown")


def test_without_rules_nothing_is_sent_and_nothing_is_lost(runtime, books, decided, clock, drop_trigger):
    """A document that is not what was approved: every message waits, one alarm says so; mended, they leave."""
    for number in range(3):
        books.invoice(books.customer(str(number)), 50_000, 5)
    decided()
    document = Document.get(Document.key == "escalation")
    runtime.cache.clear()
    drop_trigger("document_is_fixed", "document")
    Document.update(body=document.body.replace("reminder_1", "reminder_2")).where(Document.id == document.id).execute()
    assert outbox.deliver(runtime).counts == {"wait": 3}
    assert [alarm.kind for alarm in Alarm.select()] == ["undecidable"]
    Document.update(body=document.body).where(Document.id == document.id).execute()
    clock.advance(minutes=15)
    assert outbox.deliver(runtime)["sent"] == 3


def test_a_run_of_a_past_day_keeps_to_its_calendar(runtime, books, decided, clock):
    """A ledger of years ago, run today: decided again as of its own day, not of today."""
    line = books.invoice(books.customer("1"), 50_000, 5)
    decided()
    past = runtime.today() - 1
    years = 13 * 365
    clock.advance(days=years)
    Action.update(created_at=Action.created_at + years * 86_400_000_000).execute()
    books.runtime = SimpleNamespace(today=lambda entity: past + 1)
    outbox.deliver(runtime)
    assert "INV" in line.number
    assert len(mails(runtime)) == 1
