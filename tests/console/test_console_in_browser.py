"""The console in a browser: every page under its own policy, alone on the machine, open to everybody's reader."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine import outbox
from engine.runtime import Runtime
from engine.tables import Action, Customer, Decision, Entity, Outcome

pytestmark = pytest.mark.browser
PAYLOAD = "<script>window.__hit=1</script><img src=x onerror=window.__hit=1>"


@pytest.fixture
def pages(decided: Entity, runtime: Runtime) -> list[str]:
    """One address of every kind of page, with a hostile name among the customers."""
    outbox.deliver(runtime)
    one = Outcome.select().where(Outcome.level > 0).first().customer_id
    Customer.update(name=PAYLOAD).where(Customer.id == one).execute()
    decision = Decision.select().where(Decision.customer == one).order_by(Decision.id.desc()).first()
    sent = Action.get(Action.state == "sent")
    call = Action.get(Action.channel == "call")
    return [
        "/",
        "/customers/",
        "/customers/?figure=d1_30",
        f"/customers/{one}",
        "/decisions/",
        f"/decisions/{decision.id}",
        f"/decisions/{decision.id}/compare",
        "/decisions/log/",
        f"/customers/{one}/timeline",
        f"/customers/{one}/explanation?why_not=hold/overdue",
        "/diary/?view=done",
        f"/diary/{call.id}",
        "/messages/",
        f"/messages/{sent.id}",
        "/alarms/",
        "/runs/",
        "/runs/1",
        "/imports/",
        "/documents/",
        "/policies/",
        "/policies/5",
        "/parameters/",
        "/go-live/",
        "/audit/?check=1",
        f"/commands/SetOverride?customer={one}",
    ]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_every_page_is_clean(
    page_as: Callable[..., Any],
    people: SimpleNamespace,
    pages: list[str],
    serious: Callable[[Any], list[str]],
    width: int,
    height: int,
) -> None:
    """No policy violation, no request elsewhere, nothing serious for axe, one heading, no sideways scrolling."""
    watched = page_as(people.manager, width=width, height=height)
    barriers = {}
    for path in pages:
        watched.goto(path)
        watched.check(accessible=False)
        page = watched.page
        if width > 1_000 or path in pages[:4]:  # the same markup: on the narrow screen a few will do
            barriers[path] = serious(page)
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("window.__hit") is None, path
    assert {path: found for path, found in barriers.items() if found} == {}


def test_the_dashboard_draws_its_charts_and_leads_to_the_rows(
    page_as: Callable[..., Any], people: SimpleNamespace, pages: list[str]
) -> None:
    """A chart stands beside its table, and a click on a figure opens the customers behind it."""
    watched = page_as(people.manager)
    page = watched.page
    expect(page.locator("[data-chart] canvas")).to_have_count(2)
    page.get_by_role("link", name="1–30 days").click()
    page.get_by_role("heading", name="Customers").wait_for()
    page.wait_for_url("**/customers/?*")
    page.locator("tbody tr a").first.click()
    page.get_by_role("heading", name="Open items").wait_for()
    watched.check()


def test_the_menu_opens_on_a_narrow_screen_and_by_keyboard(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A button with a name opens it, the first line has the focus, escape closes it."""
    watched = page_as(people.collector, width=390, height=844)
    page = watched.page
    page.get_by_role("link", name="Diary").wait_for(state="hidden")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Diary").wait_for(state="visible")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Diary").wait_for(state="hidden")
    watched.check()


def test_a_promise_is_recorded_by_visible_labels_only(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """From the first page: find the customer, fill in the form, see it in the file."""
    one = Customer.get()
    watched = page_as(people.collector)
    page = watched.page
    page.get_by_label("Find a customer").fill(one.number)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=one.name).click()
    page.get_by_role("link", name="Promise", exact=True).click()
    page.get_by_label("Amount promised").fill("1,000.00")
    page.get_by_label("Paid by").fill("2026-04-20")
    page.get_by_label("Reason").fill("promised by telephone")
    page.get_by_role("button", name="Record the promise").click()
    page.get_by_text("Done: Record a promise to pay").wait_for()
    page.get_by_text("by 20 Apr 2026").wait_for()
    watched.check()


def test_the_sign_in_page_is_clean_and_signs_in(page_as: Callable[..., Any], people: SimpleNamespace) -> None:
    """The door itself, before anybody is known."""
    watched = page_as()
    watched.goto("/login")
    watched.check()
    watched.sign_in(people.sales.email)
    watched.page.get_by_text(people.sales.name).first.wait_for()
    watched.check()
