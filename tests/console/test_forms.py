"""Forms of commands: what they ask, what they refuse, and what happens when somebody else was faster."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from admin.commands_page import way_back
from admin.shapes import SHAPES
from engine.commands import COMMANDS
from engine.tables import Action, AuditEntry, Customer, Entity, Override, Promise, UserRole

pytestmark = pytest.mark.both  # lists and commands are what a database does otherwise

PROMISE = {"amount_minor": "1,250.50", "currency": "EUR", "promised_day": "2026-04-20", "reason": "by telephone"}


def test_every_form_is_of_a_registered_command(app: Any) -> None:
    """A renamed command would leave a form that leads nowhere."""
    assert set(SHAPES) <= set(COMMANDS)


def test_a_promise_is_recorded_in_minor_units_with_its_reason(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """The amount as people write it, the day as a date; afterwards the page it came from."""
    browser = signed_in(people.collector)
    here = f"/customers/{customer.id}"
    answer = browser.post("/commands/RecordPromise", {**PROMISE, "customer": customer.id, "next": here})
    assert (answer.status_code, answer.headers["Location"]) == (303, here)
    promise = Promise.get()
    assert (promise.amount_minor, promise.customer_id) == (125_050, customer.id)
    entry = AuditEntry.select().order_by(AuditEntry.id.desc()).first()
    assert (entry.command, entry.reason, entry.actor_id) == ("RecordPromise", "by telephone", people.collector.id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_minor", "many"),
        ("amount_minor", "0"),
        ("promised_day", "soon"),
        ("promised_day", "2020-01-01"),
        ("reason", ""),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer, field: str, value: str
) -> None:
    """422, nothing written, and the form again with what was filled in."""
    browser = signed_in(people.collector)
    answer = browser.post("/commands/RecordPromise", {**PROMISE, "customer": customer.id, field: value})
    assert answer.status_code == 422
    assert 'class="wrong"' in answer.text
    assert 'value="EUR"' in answer.text
    assert Promise.select().count() == 0


def test_sending_a_form_twice_does_it_once(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """The form carries a key of its own."""
    browser = signed_in(people.collector)
    text = browser.get(f"/commands/RecordPromise?customer={customer.id}").text
    key = re.search(r'name="key" value="([^"]+)"', text)
    assert key is not None
    for _ in range(2):
        answer = browser.post("/commands/RecordPromise", {**PROMISE, "customer": customer.id, "key": key.group(1)})
        assert answer.status_code == 303
    assert Promise.select().count() == 1


def test_a_row_changed_by_another_is_a_conflict_with_both_values(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """409, both sides in one table, nothing changed."""
    action = Action.create(
        key="k",
        entity_id=customer.entity_id,
        customer=customer,
        policy_key="escalation",
        episode=1,
        step_key="standard-p7",
        channel="call",
        state="open",
        due_day=1,
        created_at=1,
    )
    browser = signed_in(people.collector)
    seen = {"action": action.id, "version": action.version, "result": "promised", "reason": "spoke to them"}
    other = {**seen, "result": "no_answer"}
    assert signed_in(people.manager).post("/commands/CompleteAction", other).status_code == 303
    answer = browser.post("/commands/CompleteAction", seen)
    assert answer.status_code == 409
    assert "What you saw or wanted" in answer.text
    assert "promised" in answer.text
    assert "no_answer" in answer.text
    assert Action.get_by_id(action.id).result == "no_answer"


@pytest.mark.parametrize("agreed", [{"amount_minor": "12.50", "agreed_day": "2026-04-20"}, {}])
def test_a_call_is_reported_together_with_what_was_agreed(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer, agreed: dict[str, str]
) -> None:
    """The promise is recorded with the result; only where nothing was said is it offered afterwards."""
    action = Action.create(
        key="call", entity_id=customer.entity_id, customer=customer, policy_key="escalation", episode=1,
        step_key="standard-p7", channel="call", state="open", due_day=1, created_at=1,
    )  # fmt: skip
    browser = signed_in(people.collector)
    form = browser.get(f"/commands/CompleteAction?action={action.id}").text
    assert all(label in form for label in ("Paid by", "Amount", "Invoice"))
    said = {"action": action.id, "result": "promised", "reason": "spoke to them", "due_line": "", **agreed}
    assert browser.post("/commands/CompleteAction", said).status_code == 303
    assert [promise.amount_minor for promise in Promise] == ([1_250] if agreed else [])
    page = browser.get(f"/diary/{action.id}").text
    assert ("/commands/RecordPromise" in page) is not bool(agreed)


def test_an_override_that_gives_more_waits_for_another_person(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """The author sees no way to approve it, the second manager does, and it takes effect by theirs."""
    manager, second = signed_in(people.manager), signed_in(people.second)
    values = {
        "customer": customer.id,
        "target": "limit",
        "value": "20,000.00",
        "until_day": "2026-05-01",
        "reason": "insured",
    }
    assert manager.post("/commands/SetOverride", values).status_code == 303
    override = Override.get()
    assert (override.value, override.needs_approval) == ("2000000", True)
    link = f"/commands/ApproveOverride?override={override.id}"
    page = f"/customers/{customer.id}"
    assert link not in manager.get(page).text
    assert link in second.get(page).text
    asked = {"override": override.id, "reason": "agreed"}
    assert manager.post("/commands/ApproveOverride", asked).status_code == 403
    assert second.post("/commands/ApproveOverride", asked).status_code == 303
    assert Override.get_by_id(override.id).approved_by_id == people.second.id


def test_roles_are_given_by_commands_and_never_to_oneself(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """An administrator gives a role to another person, not to themselves."""
    browser = signed_in(people.administrator)
    give = {"user": people.sales.id, "role": "collector", "reason": "stands in"}
    assert browser.post("/commands/GrantRole", give).status_code == 303
    assert UserRole.select().where(UserRole.user == people.sales, UserRole.role == "collector").exists()
    own = {**give, "user": people.administrator.id, "role": "credit_manager"}
    assert browser.post("/commands/GrantRole", own).status_code == 403


def test_a_role_that_can_approve_waits_on_the_page_of_its_user_for_a_second_person(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """The administrator sees that it waits, a credit manager approves it."""
    give = {"user": people.sales.id, "role": "credit_manager", "reason": "promoted"}
    first, second = signed_in(people.administrator), signed_in(people.manager)
    assert first.post("/commands/GrantRole", give).status_code == 303
    page, link = f"/users/{people.sales.id}", "/commands/ApproveRole?"
    held = UserRole.select().where(UserRole.user == people.sales, UserRole.role == "credit_manager")
    assert not held.exists()
    assert "Waiting for a second person" in first.get(page).text
    assert link not in first.get(page).text
    assert link in second.get(page).text
    assert first.post("/commands/ApproveRole", give).status_code == 403
    assert second.post("/commands/ApproveRole", give).status_code == 303
    assert held.exists()
    assert "Waiting for a second person" not in first.get(page).text


def test_going_live_takes_two_people_and_stopping_one(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity, trade: Any, runtime: Any
) -> None:
    """Proposed by one, refused to the same, approved by another, stopped by a collector."""
    today = runtime.today(entity)
    trade.put_policies_in_force(people.manager, people.second, today - 400)
    trade.trade(runtime, entity, 4)
    trade.decide(runtime, entity, today)
    first, second = signed_in(people.manager), signed_in(people.second)
    asked = {"entity": "main", "start_level": "zero", "daily_cap": "20", "reason": "adopted a week ago"}
    assert first.post("/commands/ProposeGoLive", asked).status_code == 303
    agreed = {"entity": "main", "reason": "agreed"}
    assert first.post("/commands/ApproveGoLive", agreed).status_code == 403
    assert "somebody else must approve" in first.get("/go-live/").text
    assert second.post("/commands/ApproveGoLive", agreed).status_code == 303
    assert Entity.get().sending is True
    assert signed_in(people.collector).post("/commands/StopSending", agreed).status_code == 303
    assert Entity.get().sending is False


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", ""]
)
def test_a_form_leads_back_into_the_console_only(app: Any, wanted: str) -> None:
    """No other site, whatever the address says."""
    with app.test_request_context():
        assert way_back({"next": wanted}) == "/"
        assert way_back({"next": "/customers/5?view=held"}) == "/customers/5?view=held"
