"""My day: the list, one stop after the other, results that open what they need, notes, many at once."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.desk_work import AssignCollector, PlanWork
from engine.runtime import Runtime
from engine.tables import (
    Action,
    AuditEntry,
    Customer,
    EditedText,
    Entity,
    Mention,
    Note,
    Outcome,
    Promise,
    SavedView,
)

Enter = Callable[[Any], Any]


@pytest.fixture
def desk(runtime: Runtime, people: SimpleNamespace, decided: Entity) -> list[int]:
    """All customers are the collector's; two of them have a call for today."""
    everybody = [customer.id for customer in Customer.select().order_by(Customer.id)]
    runtime.execute(
        AssignCollector(
            actor=people.manager.id, reason="portfolio", customers=tuple(everybody), collector=people.collector.id
        )
    )
    for number in everybody[:2]:
        runtime.execute(
            PlanWork(actor=people.collector.id, reason="as agreed", customer=number, due_day=runtime.today(decided))
        )
    return everybody


def hidden(page: str, form: str = "/day/report") -> dict[str, str]:
    """The hidden inputs of a form."""
    part = page.split(f'action="{form}"', 1)[1].split("</form>", 1)[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', part))


def test_the_day_leads_through_every_stop_and_back_to_the_list(
    signed_in: Enter, people: SimpleNamespace, desk: list[int]
) -> None:
    """Dated work first, then customers by rank; each page names the next, and a result leads to it."""
    browser = signed_in(people.collector)
    page = browser.get("/day/").text
    stops = re.findall(r'class="strong" href="(/day/[^"]+)"', page)
    dated = [stop for stop in stops if stop.startswith("/day/work/")]
    assert stops[: len(dated)] == dated
    assert len(dated) >= 2
    first = browser.get(stops[0]).text
    assert f"1 of {len(stops)}" in first
    assert f'data-key="j" href="{stops[1]}"' in first
    answer = browser.post("/day/report", {**hidden(first), "result": "reached", "note": "Pays on Thursdays."})
    assert (answer.status_code, answer.headers["Location"]) == (303, stops[1])
    again = browser.get("/day/").text
    assert stops[0] not in again
    assert len(re.findall(r'class="strong" href="(/day/[^"]+)"', again)) == len(stops) - 1
    note = Note.get()
    assert note.action.result == "reached"
    assert "Pays on Thursdays." in browser.get(f"/customers/{note.customer_id}").text


def test_a_call_by_rank_records_its_promise_in_one_go(
    signed_in: Enter, people: SimpleNamespace, desk: list[int], runtime: Runtime
) -> None:
    """The result opens amount and day; without them nothing is recorded, with them all of it."""
    browser = signed_in(people.collector)
    customer = Outcome.select().where(Outcome.worklist_points > 0, Outcome.customer.not_in(desk[:2])).first().customer
    page = browser.get(f"/day/customer/{customer.id}").text
    assert 'data-opens="due_line amount_minor agreed_day"' in page
    given = {**hidden(page), "result": "promised"}
    refused = browser.post("/day/report", given)
    assert refused.status_code == 422
    assert refused.text.count("“Promised to pay” needs it") >= 2
    assert not Action.select().where(Action.policy_key == "manual", Action.customer == customer).exists()
    day = runtime.now().date().replace(day=1).replace(month=4, day=9).isoformat()
    assert browser.post("/day/report", {**given, "amount_minor": "120.50", "agreed_day": day}).status_code == 303
    assert Promise.get(Promise.customer == customer, Promise.amount_minor == 12_050)
    done = Action.get(Action.policy_key == "manual", Action.customer == customer)
    assert (done.result, done.settled_by_id) == ("promised", people.collector.id)


def test_what_a_note_says_is_nowhere_but_sealed(signed_in: Enter, people: SimpleNamespace, desk: list[int]) -> None:
    """Whom it names finds it; the audit trail holds ids."""
    browser = signed_in(people.sales)
    answer = browser.post(f"/customers/{desk[5]}/notes", {"text": "Mr Quince is ill. @collector please wait."})
    assert answer.status_code == 303
    assert not any("Quince" in f"{entry.after}{entry.reason}" for entry in AuditEntry.select())
    assert b"Quince" not in bytes(Note.get().sealed)
    theirs = signed_in(people.collector)
    page = theirs.get("/day/").text
    assert "Mr Quince is ill." in page
    mention = Mention.get()
    assert theirs.post("/day/seen", {"mention": str(mention.id), "next": "/day/"}).status_code == 303
    assert "Mr Quince is ill." not in theirs.get("/day/").text
    assert "@nobody-here is nobody" in browser.post(f"/customers/{desk[5]}/notes", {"text": "@nobody-here?"}).text


def test_sales_writes_about_its_own_customers_only(
    signed_in: Enter, make_user: Callable[..., Any], decided: Entity, password_hash: str, desk: list[int]
) -> None:
    """Another portfolio's thread does not exist for them."""
    own, other = desk[:2]
    Customer.update(portfolio="north").where(Customer.id == own).execute()
    stranger = make_user("north@dunwell.example", "sales", decided, portfolio="north")
    type(stranger).update(password=password_hash).where(type(stranger).id == stranger.id).execute()
    browser = signed_in(stranger)
    assert browser.post(f"/customers/{own}/notes", {"text": "Visit on Monday."}).status_code == 303
    assert browser.post(f"/customers/{other}/notes", {"text": "Visit on Monday."}).status_code == 404
    assert [note.customer_id for note in Note.select()] == [own]


def test_letters_are_read_edited_and_let_go(signed_in: Enter, people: SimpleNamespace, desk: list[int]) -> None:
    """The words that are free can be changed; a field that is none is refused with its cure; many go at once."""
    waiting = Action.select().where(Action.channel == "email").order_by(Action.id)
    Action.update(state="waiting", waiting_for="unconfirmed").where(Action.channel == "email").execute()
    first, second = list(waiting)[:2]
    browser = signed_in(people.collector)
    page = browser.get(f"/messages/{first.id}/edit").text
    assert 'name="t:opening"' in page
    given = {**dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)), "do": "send"}
    wrong = browser.post(f"/messages/{first.id}/edit", {**given, "t:opening": "Pay {everything}."})
    assert wrong.status_code == 422
    assert "{everything} is no field" in wrong.text
    words = {"t:opening": "As we said on the telephone: {payable} is open."}
    assert browser.post(f"/messages/{first.id}/edit", {**given, **words}).status_code == 303
    assert Action.get_by_id(first.id).state == "due"
    assert EditedText.get().action_id == first.id
    ticked = {"chosen": f"{second.id}:{second.version}", "key": "many"}
    assert browser.post("/desk/confirm", ticked).status_code == 303
    assert Action.get_by_id(second.id).state == "due"


def test_views_are_kept_shared_and_removed(signed_in: Enter, people: SimpleNamespace, decided: Entity) -> None:
    """A view of one's own is found under its name; others find it once it is shared, and cannot remove it."""
    browser, other = signed_in(people.collector), signed_in(people.second)
    given = {"page": "diary", "name": "Late calls", "arguments": "view=due&channel=call&after=abc"}
    assert browser.post("/desk/views", given).status_code == 303
    view = SavedView.get()
    assert view.arguments == "view=due&channel=call"
    assert "Late calls" in browser.get("/diary/").text
    assert "Late calls" not in other.get("/diary/").text
    browser.post("/desk/views", {**given, "shared": "yes"})
    assert "Late calls" in other.get("/diary/").text
    assert other.post(f"/desk/views/{view.id}/remove").status_code == 404
    assert browser.post(f"/desk/views/{view.id}/remove").status_code == 303
    assert SavedView.select().count() == 0


def test_work_of_nobody_is_counted_listed_and_given_out(
    signed_in: Enter, people: SimpleNamespace, decided: Entity
) -> None:
    """No customer has a collector: the list says so, and the manager gives them out with their work."""
    Action.update(owner=None).execute()
    work = Action.select().where(Action.state == "open", Action.owner_role == "collector").first()
    work = work or Action.create(
        key="by-hand", entity_id=decided.id, customer=Customer.get(), policy_key="manual", episode=0,
        step_key="call", channel="call", owner_role="collector", state="open", due_day=0, created_at=0,
    )  # fmt: skip
    manager = signed_in(people.manager)
    assert "no collector" in manager.get("/").text
    assert f"{work.id}:{work.version}" in manager.get("/diary/?view=unassigned").text
    given = {"chosen": f"{work.id}:{work.version}", "of": "actions", "owner": str(people.collector.id)}
    assert signed_in(people.collector).post("/desk/assign", given).status_code == 403
    assert manager.post("/desk/assign", given).status_code == 303
    assert Action.get_by_id(work.id).owner_id == people.collector.id
    assert Customer.get_by_id(work.customer_id).collector_id == people.collector.id
