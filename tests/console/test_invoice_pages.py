"""Invoices that a policy duns one by one: their pages name the invoice, and say what one message covers."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine import outbox
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Action, Decision, Document, DueLine, Entity, Standing
from engine.verify import verify
from ledger.canonical import canonical, sha256_of
from rules.documents import shipped


def put_line_policy_in_force() -> None:
    """A reminder for each invoice, four days after it is due, beside what customers get."""
    body = next(one for one in shipped() if one.get("stage") == "escalation")
    first = {"key": "invoice-p4", "level": 1, "days": 4, "channel": "email", "template": "reminder_1"}
    terms = {**body["escalation"], "scenarios": {"standard": [{**first, "label": "Invoice reminder", "because": "x"}]}}
    document = {**body, "key": "invoices", "name": "Invoices", "subject": "invoice", "cases": [], "escalation": terms}
    Document.create(
        kind="policy",
        key="invoices",
        stage="escalation",
        subject="invoice",
        sha256=sha256_of(document),
        body=canonical(document),
        status="approved",
        from_day=0,
        approved_at=1,
    )


def test_pages_name_the_invoice_and_what_covers_its_message(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime, clock: Any
) -> None:
    """From the customer to the covered message, to the one that carries it, and to the decision about the invoice."""
    Entity.update(portfolio_share_bp=10_000, daily_cap=1_000).execute()
    put_line_policy_in_force()
    for _night in range(2):
        clock.advance(days=1)
        assert run_entity(runtime, Entity.get(), runtime.today(decided)).state == "done"
    outbox.deliver(runtime)
    covered = Action.get(Action.covered_by.is_null(False))
    carrier, line = covered.covered_by, Action.get(Action.line_id != 0, Action.state == "sent")
    assert (covered.state, carrier.state, covered.settled_at) == ("sent", "sent", carrier.settled_at)
    sent = [(row.customer_id, row.channel) for row in Action if row.state == "sent" and row.covered_by_id is None]
    assert len(sent) == len(set(sent))
    assert verify(runtime).sound

    browser = signed_in(people.manager)
    number = DueLine.get_by_id(line.line_id).number
    page = browser.get(f"/customers/{line.customer_id}").text
    assert number in page[page.index(">Actions<") :]
    assert "Invoice reminder" in page
    assert "covered by another message" in browser.get(f"/customers/{covered.customer_id}").text
    assert f"/messages/{carrier.id}" in browser.get(f"/messages/{covered.id}").text
    assert f"/messages/{covered.id}" in browser.get(f"/messages/{carrier.id}").text
    listed = browser.get("/messages/?tab=sent").text
    assert number in listed
    assert "covered by another message" in listed
    decision = Decision.get(Decision.line_id == line.line_id)
    for path in (f"/decisions/{decision.id}", f"/decisions/{decision.id}/replay"):
        assert browser.get(path).status_code == 200
    assert number in browser.get(f"/decisions/{decision.id}").text
    assert Standing.select().where(Standing.line_id != 0, Standing.level == 1).exists()
