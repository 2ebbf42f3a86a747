"""The main job in a browser: a manager changes a parameter, a second one approves, the running worker uses it."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.tables import Customer, Entity, Outcome, User

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery staple"
OLD, NEW = 30, 12
WHY = "Old invoices cost us too much this winter."


def text_of(page: Any) -> str:
    """What the page says, in one line."""
    return re.sub(r"\s+", " ", page.locator("main").inner_text())


def enter(watched: Any, user: User) -> Any:
    """Begin at the first page, as somebody who is not signed in yet, and sign in there."""
    page = watched.page
    page.goto(watched.address + "/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Parameters").wait_for()
    # The door answers 401 with the form; browsers note that.
    assert [line for line in watched.complaints if "401" not in line] == []
    watched.complaints.clear()
    return page


def propose(watched: Any, user: User) -> list[str]:
    """The first manager tries a stricter hold, sees whom it touches, and proposes it; the names they saw."""
    page = enter(watched, user)
    page.get_by_role("link", name="Parameters").click()
    page.get_by_role("heading", name="Parameters", exact=True).wait_for()
    assert f"orders are held. Used by Overdue {OLD} days" in text_of(page)
    watched.check()
    page.get_by_role("link", name="Change Hold from days past due").click()
    page.get_by_label("New value").fill(str(NEW))
    page.get_by_role("button", name="See whom it touches").click()
    page.get_by_role("heading", name="Whom it touches").wait_for()
    names: list[str] = movers(page)
    assert f"Customers touched {len(names)} of 30" in text_of(page)
    assert "Nobody changes in: Scorecard, Segmentation, Credit limit, Escalation, Alert." in text_of(page)
    watched.check()
    page.get_by_label("Reason").fill(WHY)
    page.get_by_role("button", name="Propose").click()
    page.get_by_text("Proposed. A second person must approve it.").wait_for()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert "You had a hand in this, so somebody else must approve it." in text_of(page)
    watched.check()
    return names


def movers(page: Any) -> list[str]:
    """The customers that a page says would be held."""
    names: list[str] = (
        page.get_by_role("region", name="Customers that change: Hold").get_by_role("link").all_inner_texts()
    )
    return names


def approve(watched: Any, user: User, first: User, names: list[str]) -> None:
    """The second manager reads the difference and the same figures, and approves."""
    page = enter(watched, user)
    page.get_by_role("link", name="Policies").click()
    page.get_by_role("link", name="a change waits for approval").click()
    page.get_by_role("heading", name=f"{first.name} proposes").wait_for()
    words = text_of(page)
    assert f"Hold from days past due {OLD} days {NEW} days from 2 Apr 2026" in words
    assert WHY in words
    assert movers(page) == names
    watched.check()
    page.get_by_label("Note").fill("Agreed with sales.")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved: it holds from 2 Apr 2026.").wait_for()
    watched.check()


def read_customer(watched: Any, user: User, name: str) -> None:
    """The next morning the customer's page says so, with the value, and the parameter has its new day."""
    page = enter(watched, user)
    page.get_by_label("Find a customer").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    words = text_of(page)
    assert "Orders held: overdue" in words
    page.get_by_role("heading", name="Why: the rules today").scroll_into_view_if_needed()
    page.get_by_text(f"Days past due of the leader is at least {NEW} days").first.wait_for()
    watched.check()
    page.get_by_role("link", name="Parameters").click()
    page.get_by_role("heading", name="Parameters", exact=True).wait_for()
    assert f"Used by Overdue {NEW} days since 2 Apr 2026" in text_of(page)
    watched.check()


def read_audit(watched: Any, people: SimpleNamespace) -> None:
    """The audit trail says who did what, and why; the system only let its day come."""
    page = watched.page
    page.get_by_role("link", name="Audit trail").click()
    page.get_by_role("heading", name="Audit trail").wait_for()
    words = text_of(page)
    assert re.search(rf"{people.manager.name} Propose document .* {WHY}", words)
    assert re.search(rf"{people.second.name} Approve document .* Agreed with sales\.", words)
    assert re.search(r"the system Activate .* its day has come", words)
    watched.check()


def held() -> set[int]:
    """Customers whose orders are stopped."""
    return {row.customer_id for row in Outcome.select().where(Outcome.hold == True)}  # noqa: E712


def test_a_parameter_is_changed_by_two_people_and_the_running_worker_uses_it(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity, night: Any
) -> None:
    """From the first page and by visible labels only, from the change to the customer it touches."""
    before = held()
    names = propose(page_as(), people.manager)
    approve(page_as(), people.second, people.manager, names)
    run = night.falls(decided)
    assert night.process.poll() is None  # the one that was started before the approval
    foretold = {Customer.get(Customer.name == name).id for name in names}
    assert foretold
    assert foretold <= held()
    assert not foretold & before
    assert run.disagreed == 0
    morning = page_as()
    read_customer(morning, people.second, names[0])
    read_audit(morning, people)
