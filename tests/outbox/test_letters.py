"""Letters by post: a step of a policy becomes one PDF in the print folder, and nothing of it lies about in plain."""

import base64
import io
import json
from hashlib import sha256

import pytest
from pypdf import PdfReader

from engine import doors, outbox
from engine.claim_account import claim_account_of
from engine.runs import run_entity
from engine.setting_up import shipped_documents
from engine.tables import Action, Alarm, Contact, Customer, Document, DueLine, Edition, Entity, Message, Person
from ledger.canonical import canonical, sha256_of
from notifiers.gateways import Unreachable
from notifiers.mailbox import name_of

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

POSTAL = {"name": "", "address": "Industrieweg 7", "postcode": "90402", "city": "Nürnberg"}
MAIL = {"name": "", "email": "payables@customer.example"}


@pytest.fixture
def books(runtime, entity):
    """The shipped policies, with the first reminder by post."""
    Entity.update(
        portfolio_share_bp=10_000,
        daily_cap=10_000,
        address="Speicherstraße 12\n20457 Hamburg",
        iban="DE02120300000000202051",
    ).where(Entity.id == entity.id).execute()
    for document in shipped_documents():
        for steps in document.get("escalation", {}).get("scenarios", {}).values():
            for step in steps:
                if step["key"] == "standard-p4":
                    step["channel"] = "letter"
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
    return Entity.get_by_id(entity.id)


@pytest.fixture
def owes(runtime, books):
    """Make a customer who is six days late with 4,234.50 EUR."""

    def make(number, *contacts, name="Alderbach Fittings GmbH"):
        today = runtime.today(books)
        customer = Customer.create(
            entity=books, number=number, name=name, country="DE", terms_days=30, opened_day=today - 900
        )
        for known in contacts:
            Contact.create(customer=customer, person=runtime.vault.create_person(known), language="de")
        DueLine.create(
            entity_id=books.id,
            customer=customer,
            booked_day=today - 36,
            recorded_day=today - 36,
            recorded_at=0,
            number=f"R-{number}",
            identity=sha256(number.encode()).hexdigest(),
            invoice_day=today - 36,
            due_day=today - 6,
            amount_minor=423_450,
            currency="EUR",
        )
        return customer

    return make


@pytest.fixture
def decided(runtime, books, clock):
    """Adopt, go live, and decide the next day."""

    def decide():
        clock.advance(days=-1)
        run_entity(runtime, books, runtime.today(books))
        Entity.update(live_from_day=runtime.today(books), sending=True).execute()
        clock.advance(days=1)
        run_entity(runtime, Entity.get_by_id(books.id), runtime.today(books))
        return {action.customer.number: action for action in Action.select()}

    return decide


def letters(runtime, folder="letters-on-trial"):
    """What lies in the print folder."""
    return sorted((runtime.settings.var / folder).glob("*.pdf"))


def text_of(content):
    """All text of a PDF."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def state_of(action):
    """Where an action stands now."""
    return Action.get_by_id(action.id).state


def test_a_step_by_post_leaves_one_letter(runtime, owes, decided):
    """Address, amount and reference are on the page; a second delivery adds none; the kept copy is the very page."""
    owes("1001", POSTAL)
    action = decided()["1001"]
    assert (action.channel, action.state) == ("letter", "due")
    assert outbox.deliver(runtime)["sent"] == 1
    assert outbox.deliver(runtime).total == 0
    (path,) = letters(runtime)
    text = text_of(path.read_bytes())
    for expected in (
        "Alderbach Fittings GmbH",
        "Industrieweg 7",
        "90402 Nürnberg",
        "4.234,50",
        "R-1001",
        "20457 Hamburg",
    ):
        assert expected in text
    assert f"main-1001-{action.id}" in text
    message = Message.get(Message.action == action.id)
    assert message.gateway == "trial_letters"
    kept = runtime.vault.open(message.person, message.sealed)
    assert base64.b64decode(kept["pdf"]) == path.read_bytes()
    assert b"Industrieweg" not in bytes(message.sealed)
    assert state_of(action) == "sent"


def test_a_letter_waits_for_its_template_and_names_the_version_it_was_written_by(runtime, owes, decided, clock):
    """Withdrawn, nothing is lost: one alarm, and the letter goes on by itself; edition and message name the version."""
    owes("1001", POSTAL)
    action = decided()["1001"]
    template = Document.get(Document.kind == "template", Document.key == "reminder_1")
    Document.update(from_day=template.from_day + 10**6).where(Document.id == template.id).execute()
    assert outbox.deliver(runtime)["sent"] == 0
    assert Action.get_by_id(action.id).waiting_for == "no_template"
    assert Alarm.select().where(Alarm.kind == "no_template").count() == 1
    Document.update(from_day=0).where(Document.id == template.id).execute()
    clock.advance(hours=1, minutes=1)
    assert outbox.deliver(runtime)["sent"] == 1
    assert Message.get(Message.action == action.id).template_sha256 == template.sha256
    edition = Edition.get(Edition.sha256 == action.edition_planned)
    assert json.loads(edition.body)["templates"]["reminder_1"] == template.sha256


def test_letters_go_to_the_printer_only_for_real(runtime, settings, owes, decided):
    """While sending for real is off, no printer finds a letter; the folders are not the same."""
    from dataclasses import replace

    owes("1001", POSTAL)
    decided()
    runtime.settings = replace(settings, send_for_real=True)
    outbox.deliver(runtime)
    assert letters(runtime) == []
    assert len(letters(runtime, "letters")) == 1


def test_without_an_address_somebody_looks_for_one(runtime, owes, decided, clock):
    """An e-mail address is none for a letter; the task asks, and the letter goes on once there is one."""
    customer = owes("1001", MAIL)
    action = decided()["1001"]
    outbox.deliver(runtime)
    assert (state_of(action), Action.get_by_id(action.id).waiting_for) == ("waiting", "no_address")
    task = Action.get(Action.template == "find_contact")
    outbox.sweep(runtime)
    assert state_of(action) == "waiting"
    Contact.create(customer=customer, person=runtime.vault.create_person(POSTAL))
    outbox.sweep(runtime)
    outbox.deliver(runtime)
    assert (state_of(action), state_of(task)) == ("sent", "cancelled")
    assert len(letters(runtime)) == 1


@pytest.mark.parametrize("printer_was_there", [False, True])
def test_a_worker_that_dies_prints_nothing_twice(runtime, owes, decided, clock, dying_after, printer_was_there):
    """Delivered, then dead before the settlement: the sweep finds the letter's note, also once the file is gone."""
    owes("1001", POSTAL)
    action = decided()["1001"]
    door = doors.doors_of(runtime)["letter"]
    (claimed,), _ = outbox.claim(runtime, runtime.now_at(), way=outbox.whole(door))
    with pytest.raises(SystemExit):
        outbox.send(runtime, dying_after(door), [claimed])
    if printer_was_there:
        (path,) = letters(runtime)
        path.unlink()
    clock.advance(minutes=10)
    assert outbox.sweep(runtime)["sent"] == 1
    outbox.deliver(runtime)
    assert len(letters(runtime)) == (0 if printer_was_there else 1)
    assert state_of(action) == "sent"


def test_a_broken_mail_server_holds_back_no_letter(runtime, owes, decided, monkeypatch):
    """Each channel has a door of its own."""

    class Closed:
        name, idempotent = "closed", True

        def deliver(self, message, about_to_send):
            raise Unreachable("no route", for_all=True)

        def find(self, key):
            return None

    owes("1001", POSTAL)
    mailed = owes("1002", MAIL)
    actions = decided()
    Action.update(channel="email").where(Action.customer == mailed).execute()
    runtime.cache["gateway"] = Closed()
    tally = outbox.deliver(runtime)
    assert (state_of(actions["1001"]), state_of(actions["1002"])) == ("sent", "due")
    assert tally["sent"] == 1


def test_a_name_that_cannot_be_printed_is_somebodys_work(runtime, owes, decided):
    """The letter fails with the reason, an alarm says so, and others go on."""
    owes("1001", POSTAL, name="漢字")
    owes("1002", POSTAL)
    actions = decided()
    outbox.deliver(runtime)
    assert state_of(actions["1001"]) == "failed"
    assert "cannot print" in Action.get_by_id(actions["1001"].id).result
    assert Alarm.get(Alarm.kind == "message_failed").customer.number == "1001"
    assert state_of(actions["1002"]) == "sent"


def test_erasing_a_person_takes_the_kept_letter_along(runtime, owes, decided, users):
    """Once nothing is owed the key goes, and with it the page."""
    from engine.vault import Erased

    customer = owes("1001", POSTAL)
    action = decided()["1001"]
    outbox.deliver(runtime)
    runtime.vault.erase(Person.get(), runtime.now_at())
    message = Message.get(Message.action == action.id)
    with pytest.raises(Erased):
        runtime.vault.open(Person.get_by_id(message.person_id), message.sealed)
    assert customer.name


def test_the_note_of_a_letter_says_nothing(runtime, owes, decided):
    """What stays in the folder after printing is a name made from the action's key."""
    owes("1001", POSTAL)
    action = decided()["1001"]
    outbox.deliver(runtime)
    (note,) = (runtime.settings.var / "letters-on-trial" / ".delivered").iterdir()
    assert (note.name, note.read_bytes()) == (name_of(action.key), b"")
    assert list((runtime.settings.var / "letters-on-trial" / ".drafts").iterdir()) == []


def test_a_step_with_penalties_asks_for_what_it_books(runtime, owes, decided):
    """Interest with its rate and days, and the fixed sum, by the law in force; letter and claim account agree."""
    policy = Document.get(Document.kind == "policy", Document.stage == "escalation")
    body = json.loads(policy.body)
    for step in body["escalation"]["scenarios"]["standard"]:
        step |= {"penalties": True} if step["key"] == "standard-p4" else {}
    newer = {"kind": "policy", "key": policy.key, "stage": "escalation", "subject": policy.subject}
    newer |= {"body": canonical(body), "sha256": sha256_of(body), "status": "approved", "from_day": 1, "approved_at": 2}
    Document.create(**newer)
    customer = owes("1001", POSTAL)
    decided()
    assert outbox.deliver(runtime)["sent"] == 1
    account = claim_account_of(runtime, customer, runtime.today(customer.entity))
    assert account.open_minor() == {"EUR": 715 + 4_000}  # 4,234.50 x 10.27 % x 6 / 365, and the fixed sum
    assert account.charging().charges == ()
    (path,) = letters(runtime)
    text = text_of(path.read_bytes())
    for expected in ("Zinsen 10,27 % auf R-1001", "7,15", "Pauschale, R-1001", "40,00", "4.281,65", "BGB §§ 247"):
        assert expected in text, expected
