"""Documents of invoices in the console: kept by whoever imports, seen by whoever sees the customer."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pypdf import PdfWriter

from engine import outbox
from engine.runtime import Runtime
from engine.tables import Action, Customer, DueLine, Entity, InvoiceDocument, Message
from engine.writing import Attachment, files_of


def blank_page() -> bytes:
    """A PDF of one page."""
    made, writer = io.BytesIO(), PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(made)
    return made.getvalue()


CONTENT = blank_page()


def test_a_document_is_kept_shown_and_taken_away(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, make_user: Any
) -> None:
    """Byte for byte, with its name; what is no PDF is refused in words; strangers find nothing."""
    line = DueLine.select().join(Customer).where(Customer.entity == decided).first()
    page = f"/customers/{line.customer_id}"
    browser = signed_in(people.analyst)

    def send(content: bytes) -> str:
        sent = {"number": line.number, "file": (io.BytesIO(content), "Rechnung März.pdf")}
        return str(browser.post(f"{page}/documents", sent).text)

    assert "is no PDF" in browser.get(page).text + send(b"PK") + browser.get(page).text
    send(CONTENT)
    kept = InvoiceDocument.get()
    shown = browser.get(page).text
    assert f"{page}/documents/{kept.id}" in shown
    answer = signed_in(people.sales).get(f"{page}/documents/{kept.id}")
    assert answer.data == CONTENT
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    stranger = make_user("stranger@dunwell.example", "sales")
    assert signed_in(stranger).get(f"{page}/documents/{kept.id}").status_code in (401, 404)
    other = Customer.select().where(Customer.id != line.customer_id).first()
    assert browser.get(f"/customers/{other.id}/documents/{kept.id}").status_code == 404
    browser.post("/commands/RemoveInvoiceDocument", {"invoice_document": kept.id, "reason": "wrong file"})
    assert browser.get(f"{page}/documents/{kept.id}").status_code == 404


def test_what_went_along_can_be_had_again(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """The words and the files of a message, byte for byte, for who may see people."""
    action = Action.select().where(Action.state == "due", Action.channel == "email").first()
    outbox.deliver(runtime)
    message = Message.get(Message.action == action.id)
    kept = runtime.vault.open(message.person, message.sealed)
    file = {"name": "Statement.pdf", "media_type": "application/pdf", "sha256": "", "content": "JVBERi0xLjcK"}
    Message.update(sealed=runtime.vault.seal(message.person, kept | {"attachments": [file]})).execute()
    browser = signed_in(people.collector)
    shown = browser.get(f"/messages/{action.id}").text
    for place in ("files/1", "text"):
        assert f"/messages/{action.id}/{place}" in shown
    assert browser.get(f"/messages/{action.id}/text").data == kept["text"].encode()
    (attached,) = files_of(runtime, {"attachments": [file]})
    assert attached == Attachment("Statement.pdf", "application/pdf", b"%PDF-1.7\n")
    assert browser.get(f"/messages/{action.id}/files/1").data == attached.content
    assert browser.get(f"/messages/{action.id}/files/2").status_code == 404
    assert signed_in(people.sales).get(f"/messages/{action.id}/files/1").status_code == 403
