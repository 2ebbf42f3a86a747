"""What goes along with a message: the statement of open items, and the documents of the invoices it asks for."""

import base64
import io
import mailbox
from hashlib import sha256
from types import SimpleNamespace

import pytest
from pypdf import PdfReader, PdfWriter

from engine import outbox
from engine.commands import Invalid, NotFound, Refused
from engine.invoice_documents import (
    DOCUMENT_BYTES_MAX,
    TEXT_BYTES,
    AttachInvoiceDocument,
    RemoveInvoiceDocument,
    content_of,
    documents_of,
    enclosed_in,
    fault_of,
    invoices_named,
    travelling_bytes,
)
from engine.runs import run_entity
from engine.setting_up import shipped_documents
from engine.tables import (
    Action,
    AuditEntry,
    Contact,
    Credit,
    Customer,
    Document,
    DocumentContent,
    DueLine,
    Entity,
    InvoiceDocument,
    Message,
)
from engine.vault import WrongSecret
from engine.writing import files_of
from ledger.canonical import canonical, sha256_of
from notifiers.gateways import MESSAGE_BYTES_MAX

pytestmark = pytest.mark.long

KNOWN = {"name": "", "email": "ap@customer.example", "address": "Industrieweg 7", "postcode": "90402", "city": "Ulm"}


def a_pdf(words=b"an invoice", pages=1, password=None):
    """Blank pages with a title."""
    made, writer = io.BytesIO(), PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    writer.add_metadata({"/Title": words.decode()})
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(made)
    return made.getvalue()


def like_a_pdf(words):
    """What looks like one from outside."""
    return b"%PDF-1.7\n" + words + b"\nstartxref\n9\n%%EOF\n"


@pytest.fixture
def books(runtime, entity):
    """The shipped policies; the first reminder carries the statement and the invoices, by the channel a test says."""

    def put(channel="email"):
        changes = {"portfolio_share_bp": 10_000, "daily_cap": 10_000, "iban": "DE02120300000000202051"}
        Entity.update(**changes).where(Entity.id == entity.id).execute()
        for document in shipped_documents():
            for steps in document.get("escalation", {}).get("scenarios", {}).values():
                for step in steps:
                    if step["key"] == "standard-p4":
                        step |= {"attach": ["statement", "invoices"], "channel": channel}
            kept = {"kind": document["kind"], "key": document["key"], "stage": document.get("stage")}
            Document.create(
                **kept, subject=document.get("subject"), sha256=sha256_of(document), body=canonical(document),
                status="approved", from_day=0, approved_at=1,
            )  # fmt: skip

    return put


@pytest.fixture
def owes(runtime, entity):
    """A customer with two invoices six and five days late, one not due yet, and a credit."""
    today = runtime.today(entity)
    customer = Customer.create(entity=entity, number="1001", name="Alderbach", country="DE", opened_day=today - 900)
    Contact.create(customer=customer, person=runtime.vault.create_person(KNOWN), language="de")
    entry = {"entity_id": entity.id, "customer": customer, "recorded_day": today - 36, "recorded_at": 0}
    for number, days_late in (("R-1", 6), ("R-2", 5), ("R-3", -20)):
        DueLine.create(
            **entry, booked_day=today - 36, number=number, identity=sha256(number.encode()).hexdigest(),
            invoice_day=today - 36, due_day=today - days_late, amount_minor=423_450, currency="EUR",
        )  # fmt: skip
    Credit.create(
        **entry, booked_day=today - 36, kind="credit_note", number="G-1", identity="g", amount_minor=1_000,
        currency="EUR",
    )  # fmt: skip
    return customer


@pytest.fixture
def attached(runtime, users, owes):
    """Keep a document of an invoice: ``attached("R-1")``."""

    def attach(number, content=None, name="", who=users.analyst, customer=owes):
        command = AttachInvoiceDocument(
            actor=who.id, reason="for the file", customer=customer.id, number=number,
            name=name or f"{number}.pdf", content=a_pdf(number.encode()) if content is None else content,
        )  # fmt: skip
        return runtime.execute(command)

    return attach


@pytest.fixture
def sent(runtime, books, owes, clock, entity):
    """Adopt, go live, decide the next day, deliver; the action and the mails that left."""

    def send(channel="email"):
        books(channel)
        clock.advance(days=-1)
        run_entity(runtime, Entity.get_by_id(entity.id), runtime.today(entity))
        Entity.update(live_from_day=runtime.today(entity), sending=True).execute()
        clock.advance(days=1)
        run_entity(runtime, Entity.get_by_id(entity.id), runtime.today(entity))
        outbox.deliver(runtime)
        folder = runtime.settings.var / "mailbox"
        mails = list(mailbox.Maildir(folder, create=False)) if folder.is_dir() else []
        return SimpleNamespace(action=Action.get(Action.customer == owes, Action.channel == channel), mails=mails)

    return send


def text_of(content):
    """All text of a PDF."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def test_a_reminder_carries_the_statement_and_the_invoices(runtime, attached, sent):
    """All open items in the statement, the kept document byte for byte; what is lacking stops nothing and is noted."""
    attached("R-1", name="Rechnung für März.pdf")
    attached("R-3")  # not asked for
    found = sent()
    (mail,) = found.mails
    statement, invoice = [part for part in mail.walk() if part.get_content_disposition() == "attachment"]
    assert statement.get_filename() == "Kontoauszug 1001.pdf"
    text = text_of(statement.get_payload(decode=True))
    for expected in ("Kontoauszug", "R-1", "R-2", "R-3", "G-1", "4.234,50", "DE02 1203"):
        assert expected in text
    assert "Sehr geehrte" not in text
    assert invoice.get_payload(decode=True) == a_pdf(b"R-1")
    body = next(part for part in mail.walk() if part.get_content_type() == "text/plain").get_payload(decode=True)
    assert "Beigefügt: Kontoauszug 1001.pdf, Rechnung für März.pdf." in " ".join(body.decode().split())
    assert (found.action.state, found.action.result) == ("sent", "no document of R-2")
    message = Message.get(Message.action == found.action)
    kept = runtime.vault.open(message.person, message.sealed)
    assert "content" not in kept["attachments"][1]  # it lies among the documents already
    assert [file.content for file in files_of(runtime, kept)] == [
        part.get_payload(decode=True) for part in (statement, invoice)
    ]


def test_a_letter_on_paper_is_a_statement_itself(runtime, attached, sent):
    """The pages of the invoice come behind it, for the same envelope; what is kept has them too."""
    attached("R-2", a_pdf(b"R-2", pages=2))
    found = sent("letter")
    (file,) = (runtime.settings.var / "letters-on-trial").glob("*.pdf")
    assert found.action.state == "sent"
    assert "Beigefügt: R-2.pdf" in text_of(file.read_bytes())
    pages = PdfReader(io.BytesIO(file.read_bytes())).pages
    assert [round(page.mediabox.width) for page in pages][-2:] == [200, 200]
    assert round(pages[0].mediabox.width) == 595
    message = Message.get(Message.action == found.action)
    assert base64.b64decode(runtime.vault.open(message.person, message.sealed)["pdf"]) == file.read_bytes()


def test_a_document_taken_away_stays_with_the_letter_it_went_out_with(runtime, users, attached, sent):
    """It is shown and sent no more; what was sent can still be read."""
    answer = attached("R-1")
    found = sent()
    runtime.execute(RemoveInvoiceDocument(actor=users.analyst.id, reason="wrong", invoice_document=answer["document"]))
    assert list(documents_of(found.action.customer)) == []
    message = Message.get(Message.action == found.action)
    assert files_of(runtime, runtime.vault.open(message.person, message.sealed))[1].content == a_pdf(b"R-1")
    assert attached("R-1")["new"]


# --- keeping them ------------------------------------------------------------------------


def test_a_document_is_kept_sealed_and_once(runtime, users, attached, owes):
    """Nothing of it is readable in the database; the same file again is the same document; the audit names it."""
    first = attached("R-1")
    assert first["new"]
    assert not attached("R-1")["new"]
    attached("R-2", a_pdf(b"R-1"))
    assert (InvoiceDocument.select().count(), DocumentContent.select().count()) == (2, 1)
    assert b"R-1" not in bytes(DocumentContent.get().sealed)
    assert content_of(runtime, first["sha256"]) == a_pdf(b"R-1")
    assert [entry.command for entry in AuditEntry.select()] == ["AttachInvoiceDocument"] * 3


def test_a_kept_file_that_is_another_one_does_not_open(runtime, attached):
    """Swapped or changed bytes are noticed before anybody gets them."""
    sha = attached("R-1")["sha256"]
    other = runtime.vault.seal_file(a_pdf(b"something else"))
    DocumentContent.update(sealed=other).execute()
    with pytest.raises(WrongSecret):
        content_of(runtime, sha)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no PDF"),
        (b"PK\x03\x04", "no PDF"),
        (b"<html>%PDF-1.7", "no PDF"),
        (b"%PDF-1.7\nstartxref\n9\n", "end is missing"),
        (like_a_pdf(b"x" * DOCUMENT_BYTES_MAX), "at most"),
        (like_a_pdf(b"an invoice"), "cannot be read"),
        (a_pdf()[:200] + a_pdf()[-60:], "cannot be read"),
        (a_pdf(pages=201), "201 pages"),
        (a_pdf(password="secret"), "locked"),
    ],
)
def test_what_is_no_pdf_is_refused(attached, content, what):
    """With place and cure; nothing is kept."""
    with pytest.raises(Invalid, match=what):
        attached("R-1", content)
    assert not DocumentContent.select().exists()


@pytest.mark.parametrize(("beyond", "fits"), [(-1, True), (0, True), (1, False)])
def test_a_document_has_a_largest_size(beyond, fits):
    """DOCUMENT_BYTES_MAX is inclusive."""
    whole = like_a_pdf(b"x" * (DOCUMENT_BYTES_MAX + beyond - len(like_a_pdf(b""))))
    assert (fault_of(whole) is None) == fits


def test_only_an_invoice_there_is_gets_a_document(runtime, users, attached, make_user):
    """Nor does anybody attach to a customer they do not see, or without the permission."""
    with pytest.raises(Invalid, match="no invoice"):
        attached("R-9")
    with pytest.raises(NotFound):
        attached("R-1", who=make_user("stranger@dunwell.example", "risk_analyst"))
    with pytest.raises(Refused):
        attached("R-1", who=users.collector)


# --- what fits ---------------------------------------------------------------------------


def document(number, size):
    return InvoiceDocument(number=number, name=f"{number}.pdf", sha256=number, size=size)


def test_the_oldest_debt_comes_first_until_the_mail_is_full():
    """What does not fit is named, also where something smaller after it still goes along."""
    size = 2_500_000  # two of them travel in 6.9 MB; 8 MB are for documents
    kept = [document(number, size) for number in ("a", "b", "c")] + [document("d", 1_000)]
    taken, too_large, missing = enclosed_in(["c", "a", "b", "x", "d"], kept)
    assert ([one.number for one in taken], too_large, missing) == (["c", "a", "d"], ["b"], ["x"])


@pytest.mark.parametrize(("beyond", "fits"), [(-1, True), (0, True), (1, False)])
def test_the_room_for_documents_is_used_to_its_last_byte(beyond, fits):
    """Below, at and above it."""
    room = MESSAGE_BYTES_MAX - TEXT_BYTES
    lines = (room - 500) // 78
    assert travelling_bytes(lines * 57) <= room
    taken, _, _ = enclosed_in(["a"], [document("a", lines * 57 + beyond)])
    assert bool(taken) == fits


@pytest.mark.parametrize(
    ("stem", "number"),
    [("R-1", "R-1"), ("Rechnung_R-2", "R-2"), ("R-3 Kopie", "R-3"), ("R-4", None), ("S_7", "S/7")],
)
def test_the_name_of_a_file_says_its_invoice(entity, owes, stem, number):
    """Whole, at its end or its beginning; a slash in a number is written otherwise in a name."""
    first = DueLine.select().first()
    first.id, first.number, first.identity = None, "S/7", "s"
    first.save(force_insert=True)
    assert invoices_named(entity, [stem]) == ({stem: (number, (owes.id,))} if number else {})
