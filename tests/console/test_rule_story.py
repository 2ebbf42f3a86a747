"""The workbench in a browser: a manager changes rules and mends a gap, a second one approves, the worker decides by it.

Told twice: with the mouse, and with the keyboard alone. Both go by visible labels, from the first page.
"""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.tables import Customer, Document, Entity, Outcome, User

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery staple"
WHY = "Two months late is common among our customers."
TABS_MAX = 400
PAUSE_MS = 200
SOONER, LATER = "31 to 60 days past due now", "More than 60 days past due now"
NAME_OF_FOCUS = """() => {
  const one = document.activeElement;
  const labelled = one.labels && one.labels.length ? one.labels[0].innerText : "";
  return (one.getAttribute("aria-label") || labelled || one.innerText || "").replace(/\\s+/g, " ").trim();
}"""


class Mouse:
    """Points at what is called so, and types."""

    def __init__(self, watched: Any) -> None:
        self.watched, self.page = watched, watched.page

    def press(self, name: str, exact: bool = True) -> None:
        """Press a button or follow a link."""
        button = self.page.get_by_role("button", name=name, exact=exact)
        link = self.page.get_by_role("link", name=name, exact=exact)
        button.or_(link).first.click()

    def check(self) -> None:
        """Nothing was blocked, nothing left the machine; axe reads these pages when the keyboard is at them."""
        self.watched.check(accessible=False)

    def write(self, label: str, text: str) -> None:
        """Write into a field, in place of what stands there."""
        self.page.get_by_label(label, exact=True).fill(text)


class Keyboard(Mouse):
    """Tab, Enter and typing: no pointer, and no field that Tab does not reach."""

    def reach(self, name: str, exact: bool = True) -> None:
        """Press Tab until what is called so has the focus."""
        from playwright.sync_api import Error

        for _ in range(TABS_MAX):
            self.page.keyboard.press("Tab")
            try:
                found = self.page.evaluate(NAME_OF_FOCUS)
            except Error:  # the page of the key before has only now come
                self.watched.settle()
                continue
            if found == name or (not exact and name in found):
                return
        raise AssertionError(f"Tab does not reach {name!r}")

    def check(self) -> None:
        """And nothing serious for axe."""
        self.watched.check()

    def press(self, name: str, exact: bool = True) -> None:
        """Reach it, and Enter."""
        self.reach(name, exact)
        self.page.keyboard.press("Enter")
        self.settle()

    def settle(self) -> None:
        """Wait until what Enter began has come: a person looks before they go on."""
        self.page.wait_for_timeout(PAUSE_MS)
        self.watched.settle()

    def write(self, label: str, text: str) -> None:
        """Reach the field, and type over what stands there."""
        self.reach(label)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)


def text_of(page: Any, where: str = "main") -> str:
    """What a part of the page says, in one line."""
    return re.sub(r"\s+", " ", page.locator(where).first.inner_text())


def enter(hands: Mouse, user: User) -> Any:
    """Begin at the first page, as somebody who is not signed in yet."""
    page = hands.page
    page.goto(hands.watched.address + "/")
    hands.write("E-mail address", user.email)
    hands.write("Password", PASSWORD)
    hands.press("Sign in")
    page.get_by_role("link", name="Policies").first.wait_for()
    assert [line for line in hands.watched.complaints if "401" not in line] == []  # the door answers 401
    hands.watched.complaints.clear()
    return page


def save(hands: Mouse, words: str) -> None:
    """Save the open rule."""
    hands.press("Save the rule")
    hands.page.get_by_text(f"Saved: {words}").wait_for()


def edit(hands: Mouse, rule: str) -> None:
    """Open a rule in place."""
    hands.press(f"Edit: {rule}")
    hands.page.get_by_role("form", name=f"Rule “{rule}”").wait_for()


def close(hands: Mouse) -> None:
    """Close the open rule."""
    hands.press("Close")
    hands.page.locator("#editor").wait_for(state="detached")


def change_rules(hands: Mouse) -> None:
    """Points begin at 44 days instead of 31, and double after 61: the gap at 61 is reported, found and mended."""
    page, days = hands.page, "Days past due of the leader"
    hands.press("Policies", exact=False)
    hands.press("Scorecard")
    hands.press("Edit rules")
    edit(hands, SOONER)
    beside = page.locator(".editor [data-count]").first
    beside.get_by_text("customer").wait_for()
    before = beside.inner_text()
    hands.write(f"{days}: value: fixed value", "44")
    beside.locator(".delta").wait_for()  # the counts follow the typing
    expect(beside).not_to_have_text(before)
    save(hands, f"Rule “{SOONER}” changed")
    close(hands)
    edit(hands, LATER)
    hands.write(f"{days}: value: fixed value", "61 days")
    save(hands, f"Rule “{LATER}” changed")
    assert f"no rule covers “{days}” 61 days" in text_of(page, "section[aria-label=Findings]")
    expect(page.get_by_role("link", name="Propose …")).to_have_count(0)
    hands.check()
    close(hands)
    hands.press(f"Rule “{LATER}”")  # the finding leads to its rule
    page.get_by_role("form", name=f"Rule “{LATER}”").wait_for()
    close(hands)
    edit(hands, SOONER)
    hands.write(f"{days}: value 2: fixed value", "61")
    save(hands, f"Rule “{SOONER}” changed")
    assert "no rule covers" not in text_of(page)


def mend_cases(hands: Mouse) -> None:
    """The examples at the old thresholds fail; they take over what they give, and the new boundaries are added."""
    page = hands.page
    hands.press("Expect what they give now")
    page.get_by_text("Cases take over what they give now").first.wait_for()
    if page.get_by_role("button", name="Add the missing boundary cases").count():
        hands.press("Add the missing boundary cases")
    page.get_by_text(re.compile(r"all \d+ cases pass")).wait_for()
    hands.check()


def simulate_and_propose(hands: Mouse) -> list[str]:
    """Whom it would touch, then the proposal; the names of those who change class."""
    page = hands.page
    hands.press("Simulate")
    page.get_by_role("heading", name="Simulation", exact=True).wait_for()
    page.get_by_text("customers were decided").wait_for()
    hands.check()
    for name in ("Policies", "Scorecard", "Edit rules"):  # the draft is still there
        hands.press(name, exact=name != "Policies")
    page.get_by_role("link", name="Propose …").wait_for()
    hands.press("Propose …")
    page.get_by_role("heading", name="Propose this draft").wait_for()
    hands.write("Reason", WHY)
    hands.press("Propose")
    page.get_by_text("Proposed. A second person must approve it.").wait_for()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    hands.check()
    return movers(page)


def movers(page: Any) -> list[str]:
    """The customers that a page says would change class."""
    table = page.get_by_role("region", name="Customers that change: Scorecard")
    names: list[str] = table.get_by_role("link").all_inner_texts()
    return names


def approve(hands: Mouse, user: User, first: User, names: list[str]) -> None:
    """The second manager reads difference and impact, and approves."""
    page = enter(hands, user)
    hands.press("Policies", exact=False)
    hands.press("a change waits for approval", exact=False)
    page.get_by_role("heading", name=f"{first.name} proposes").wait_for()
    words = text_of(page)
    assert "44 days" in words
    assert WHY in words
    assert movers(page) == names
    hands.check()
    hands.write("Note", "Agreed with sales.")
    hands.press("Approve")
    page.get_by_text(re.compile("Approved: it holds from")).wait_for()


def read_decision(hands: Mouse, user: User, name: str, before: str | None, after: str | None) -> None:
    """The next morning: the customer's new class, the rule that gave its points, and who changed it."""
    page = enter(hands, user)
    hands.write("Find a customer", name)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=name).first.wait_for()
    hands.press(name)
    page.get_by_role("heading", name=name, exact=True).wait_for()
    words = re.sub(r"\s+", " ", page.locator("main").text_content())
    assert re.search(rf"Class {before}( to)? {after}\b", words), words
    page.get_by_role("heading", name="Why: the rules today").scroll_into_view_if_needed()
    page.locator("#why").get_by_text(SOONER).first.wait_for(state="attached")
    hands.check()
    hands.press("Audit trail")
    page.get_by_role("heading", name="Audit trail").wait_for()
    hands.check()


def classes() -> dict[int, str | None]:
    """Each customer's class."""
    return {row.customer_id: row.risk_class for row in Outcome.select()}


HANDS = [pytest.param(Keyboard, id="keyboard"), pytest.param(Mouse, id="mouse", marks=pytest.mark.slow)]


@pytest.mark.parametrize("hand", HANDS)
def test_rules_are_changed_by_two_people_and_the_running_worker_uses_them(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity, night: Any, hand: type[Mouse]
) -> None:
    """From the first page, from the change to the customer it touches and the trail it leaves."""
    night.falls(decided)  # limits that the first run proposed within the automatic band are in force from now on
    before = classes()
    hands = hand(page_as())
    enter(hands, people.manager)
    change_rules(hands)
    mend_cases(hands)
    names = simulate_and_propose(hands)
    assert names
    approve(hand(page_as()), people.second, people.manager, names)
    approved = Document.select().where(Document.status == "approved").order_by(Document.id.desc()).get()
    assert json.loads(approved.authors) == [people.manager.id]
    run = night.falls(decided)
    assert night.process.poll() is None  # the one that was started before the approval
    after = classes()
    foretold = {Customer.get(Customer.name == name).id for name in names}
    assert all(before[customer] != after[customer] for customer in foretold)
    assert run.disagreed == 0
    customer = Customer.get(Customer.name == names[0])
    read_decision(hand(page_as()), people.second, names[0], before[customer.id], after[customer.id])
    trail = page_as(people.second)
    trail.goto("/audit/")
    words = text_of(trail.page)
    assert re.search(rf"{people.manager.name} Save draft .*Rule “{LATER}” changed", words)
    assert re.search(rf"{people.manager.name} Propose document .*{WHY}", words)
    assert re.search(rf"{people.second.name} Approve document .*Agreed with sales\.", words)
