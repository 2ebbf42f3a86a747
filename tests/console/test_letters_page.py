"""Letters in the console: the page as it was sent, a preview, and the letterhead form."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pypdf import PdfReader

from engine import outbox
from engine.runtime import Runtime
from engine.tables import Action, Contact, Entity, Message, Outcome, Person

IBAN = "DE02120300000000202051"


def with_addresses(runtime: Runtime) -> None:
    """Give every contact a postal address."""
    for contact in Contact.select(Contact, Person).join(Person):
        known = runtime.vault.open_person(contact.person) or {}
        address = {"address": "Industrieweg 7", "postcode": "90402", "city": "Nürnberg"}
        runtime.vault.reseal_person(contact.person, {**known, **address})


def text_of(content: bytes) -> str:
    """All text of a PDF."""
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_a_sent_letter_shows_as_it_was_sent(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """The message's page leads to the very PDF; who may not see people gets neither; an e-mail has none."""
    with_addresses(runtime)
    by_post, by_mail = list(Action.select().where(Action.state == "due").limit(2))
    Action.update(channel="letter").where(Action.id == by_post.id).execute()
    outbox.deliver(runtime)
    browser = signed_in(people.collector)
    text = browser.get(f"/messages/{by_post.id}").text
    assert f"/messages/{by_post.id}/pdf" in text
    assert "Industrieweg 7" in text
    answer = browser.get(f"/messages/{by_post.id}/pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    message = Message.get(Message.action == by_post.id)
    assert message.gateway == "trial_letters"
    (path,) = (runtime.settings.var / "letters-on-trial").glob("*.pdf")
    assert answer.data == path.read_bytes()
    assert browser.get(f"/messages/{by_mail.id}/pdf").status_code == 404
    assert signed_in(people.sales).get(f"/messages/{by_post.id}/pdf").status_code == 403


def test_a_preview_is_neither_kept_nor_sent(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """A customer's page leads to what a letter would say today."""
    with_addresses(runtime)
    customer = Outcome.get(Outcome.level > 0).customer
    browser = signed_in(people.collector)
    address = f"/messages/preview/{customer.id}"
    assert address in browser.get(f"/customers/{customer.id}").text
    answer = browser.get(address)
    assert customer.number in text_of(answer.data)
    assert Message.select().count() == 0
    assert not (runtime.settings.var / "letters-on-trial").exists()


def test_the_letterhead_is_set_in_the_console(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The form shows what is printed now, says what is wrong beside its field, and keeps what is right."""
    browser = signed_in(people.manager)
    assert "/commands/SetLetterhead?entity=main" in browser.get("/go-live/").text
    path = "/commands/SetLetterhead"
    values = {"entity": "main", "address": "Speicherstraße 12\r\n20457 Hamburg", "iban": IBAN, "reason": "new paper"}
    values |= {"key": "1", "next": "/go-live/", "version": str(Entity.get_by_id(decided.id).version)}
    wrong = browser.post(path, {**values, "iban": IBAN[:-1] + "2"})
    assert wrong.status_code == 422
    assert "check digits" in wrong.text
    assert browser.post(path, values).status_code == 303
    kept = Entity.get_by_id(decided.id)
    assert (kept.iban, kept.address) == (IBAN, "Speicherstraße 12\n20457 Hamburg")
    assert IBAN in browser.get(f"{path}?entity=main").text
