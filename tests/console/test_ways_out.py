"""Ways out and letter batches in the console: what a manager sees and does there."""

import io
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pypdf import PdfReader

from engine import outbox
from engine.runtime import Runtime
from engine.tables import Action, Contact, Door, Entity, GatewayAddress, LetterBatch, Person


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
