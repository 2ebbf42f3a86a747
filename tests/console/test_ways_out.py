"""Ways out and letter batches in the console: what a manager sees and does there."""

import io
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pypdf import PdfReader

from engine import outbox
from engine.received import Fetched, take_in
from engine.runtime import Runtime
from engine.tables import (
    Action,
    Contact,
    Door,
    Entity,
    GatewayAddress,
    LetterBatch,
    Mailbox,
    Message,
    Person,
    ReceivedMail,
)
from notifiers.incoming import read_mail


def test_a_resting_way_and_a_proposed_address_are_seen_by_those_they_concern(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """The proposer may not approve, and the address is no link."""
    Door.create(
        name="mailbox",
        failures=4,
        last_failure_at=runtime.now_at(),
        rests_until_at=runtime.now_at() + 60_000_000,
        last_error="no route to it",
    )
    browser = signed_in(people.manager)
    form = {"entity": decided.code, "url": "https://hooks.seller.example/in", "reason": "our ERP", "key": "k1"}
    assert browser.post("/commands/ProposeGatewayAddress", {**form, "url": "https://10.0.0.1/"}).status_code == 422
    assert browser.post("/commands/ProposeGatewayAddress", {**form, "key": "k2"}).status_code == 303
    text = browser.get("/ways-out/").text
    assert "no route to it" in text
    assert "https://hooks.seller.example/in" in text
    assert "ApproveGatewayAddress" not in text
    assert GatewayAddress.get().state == "proposed"
    assert "hooks.seller.example" not in signed_in(people.collector).get("/ways-out/").text


def test_letters_are_closed_into_a_batch_printed_and_listed(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """One PDF, a list whose cells are no formula, and the single letters; sales sees none of it."""
    for contact in Contact.select(Contact, Person).join(Person):
        known = runtime.vault.open_person(contact.person) or {}
        address = {"address": "=Industrieweg 7", "postcode": "90402", "city": "Nürnberg"}
        runtime.vault.reseal_person(contact.person, {**known, **address})
    ids = [action.id for action in Action.select().where(Action.state == "due").limit(2)]
    Action.update(channel="letter").where(Action.id.in_(ids)).execute()
    outbox.deliver(runtime)
    browser = signed_in(people.collector)
    assert "CloseBatch" in browser.get("/letter-batches/").text
    form = {"entity": decided.code, "sorted_by": "customer", "reason": "today's post", "key": "k1"}
    assert browser.post("/commands/CloseBatch", form).status_code == 303
    batch = LetterBatch.get()
    address = f"/letter-batches/{batch.id}"
    assert "PostBatch" not in browser.get(address).text  # it was written on trial
    assert len(PdfReader(io.BytesIO(browser.get(f"{address}/letters.pdf").data)).pages) >= 2
    listed = browser.get(f"{address}/list.csv").data.decode("utf-8-sig").splitlines()
    assert len(listed) == 3
    with zipfile.ZipFile(io.BytesIO(browser.get(f"{address}/letters.zip").data)) as files:
        assert len(files.namelist()) == 3
    assert signed_in(people.sales).get(f"{address}/letters.pdf").status_code == 403


def test_mail_that_came_back_is_read_where_it_belongs(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """At the message, the customer and the diary item, as text; assigned by who sees everything, hidden from sales."""
    outbox.deliver(runtime)
    sent = Message.select().join(Action).where(Action.state == "sent").first()
    box = Mailbox.create(name="answers@imap.example/INBOX", uid_validity=1, last_error="said no", last_failure_at=1)
    for uid, head in enumerate((f"In-Reply-To: {sent.message_id}\n", ""), 1):
        content = f"From: <b>x@y.example\n{head}Subject: <i>Re\n\nWe paid <script>on Friday</script>".encode()
        take_in(runtime, box, Fetched(1, uid, content), read_mail(content))
    answered, stray = ReceivedMail.select().order_by(ReceivedMail.id)
    assert (answered.state, stray.state) == ("diary", "unassigned")
    browser = signed_in(people.manager)
    listed = browser.get("/mail-received/").text
    assert "AssignMail" in listed
    assert "&lt;i&gt;Re" in listed
    for page in (
        f"/messages/{answered.action_id}",
        f"/diary/{answered.task_id}",
        f"/mail-received/{answered.id}",
        f"/mail-received/{stray.id}",
    ):
        text = browser.get(page).text
        assert "We paid &lt;script&gt;on Friday" in text
        assert "<script>on" not in text
    assert f"/mail-received/{answered.id}" in browser.get(f"/customers/{answered.customer_id}").text
    form = {"mail": stray.id, "version": 1, "entity": decided.code, "reason": "theirs", "key": "k1"}
    assert browser.post("/commands/AssignMail", {**form, "number": "none"}).status_code == 422
    number = answered.customer.number
    assert browser.post("/commands/AssignMail", {**form, "number": number}).status_code == 303
    assert ReceivedMail.get_by_id(stray.id).customer_id == answered.customer_id
    assert "Friday" not in signed_in(people.sales).get(f"/diary/{answered.task_id}").text
    assert signed_in(people.sales).get(f"/mail-received/{answered.id}").status_code == 403
