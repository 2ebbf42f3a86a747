"""Scenarios in a browser: built on the line of days, tried, approved, live; what was sent, and why not.

Told by visible labels only, with a worker in a process of its own on which the nights fall.
"""

import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from engine.runtime import Runtime
from engine.tables import Action, Customer, Entity, User

pytestmark = pytest.mark.browser
PATIENCE_SECONDS = 120
WORD = "A friendly word"
WHY = "Most of our customers only forgot: they are told on the second day."


class Hands:
    """Somebody at the console who goes by what is written on it."""

    def __init__(self, watched: Any) -> None:
        self.watched, self.page = watched, watched.page

    def press(self, name: str | re.Pattern[str], exact: bool = True, within: str = "body") -> None:
        """Press a button or follow a link."""
        where = self.page.locator(within)
        found = where.get_by_role("button", name=name, exact=exact).or_(
            where.get_by_role("link", name=name, exact=exact)
        )
        found.first.click()

    def write(self, label: str, text: str) -> None:
        """Write into a field, in place of what stands there."""
        self.page.get_by_label(label, exact=True).fill(text)

    def sees(self, words: str | re.Pattern[str]) -> None:
        """Wait until the page says so."""
        self.page.get_by_text(words).first.wait_for()

    def says(self) -> str:
        """What the page says, in one line."""
        return re.sub(r"\s+", " ", self.page.locator("main").inner_text())

    def comes_in_the_morning(self, user: User) -> None:
        """Sign in anew: nobody stays signed in over night."""
        self.watched.sign_in(user.email)
        self.watched.complaints.clear()

    def check(self) -> None:
        """The browser has nothing to complain about, nor has axe."""
        self.watched.check()


@pytest.fixture
def adopted(runtime: Runtime, entity: Entity, people: SimpleNamespace, trade: ModuleType, clock: Any) -> Entity:
    """Thirty customers, adopted by a first run; nobody was ever written to."""
    today = runtime.today(entity)
    clock.advance(days=1)
    trade.put_policies_in_force(people.manager, people.second, today - 400)
    trade.trade(runtime, entity, 30, today=today)
    trade.decide(runtime, entity, today)
    found: Entity = Entity.get_by_id(entity.id)
    return found


def open_draft(hands: Hands) -> None:
    """From whatever page to the draft of the escalation."""
    hands.press("Policies", exact=False)
    hands.press("Escalation", within="main")
    hands.press("Edit rules")
    hands.page.get_by_role("heading", name="Scenario: Standard").wait_for()


def build(hands: Hands) -> None:
    """A scenario of its own for new customers, and an earlier word for everybody else, on the line of days."""
    page = hands.page
    open_draft(hands)
    page.locator("summary", has_text="New scenario").click()
    hands.write("For customers who are", "new")
    page.get_by_label("Begin with").select_option(label="a copy of “Standard”")
    hands.press("Add the scenario")
    page.get_by_role("heading", name="Scenario: New").wait_for()
    card = page.locator(".track").get_by_role("link", name="First reminder")
    card.press("ArrowRight")
    card.press("ArrowRight")
    hands.sees("Step “First reminder” moved: 6 days after the due date")
    hands.press(re.compile("^Standard"), within="nav[aria-label=Scenarios]")
    page.get_by_role("heading", name="Scenario: Standard").wait_for()
    hands.write("New step: number of days", "2")
    hands.press("Add a step")
    page.get_by_role("form", name="Step “New step”").wait_for()
    hands.write("Name of the step", WORD)
    hands.press("Save")
    hands.sees(f"Saved: Step “{WORD}” changed")
    hands.check()


def mend(hands: Hands) -> None:
    """The examples at the old days take over what they give; the new days get theirs."""
    page = hands.page
    if page.get_by_role("button", name="Expect what they give now").count():
        hands.press("Expect what they give now")
        hands.sees("Cases take over what they give now")
    if page.get_by_role("button", name="Add the missing boundary cases").count():
        hands.press("Add the missing boundary cases")
    hands.sees(re.compile(r"all \d+ cases pass"))


def simulate(hands: Hands) -> None:
    """A month ahead: the new step stands among those that begin."""
    page = hands.page
    open_draft(hands)
    hands.press("Simulate")
    hands.sees("customers were decided")
    hands.press("Looking ahead", within="main")
    hands.sees("everybody beginning with the first step")
    page.get_by_role("row", name=re.compile(f"^{WORD}")).first.wait_for()
    hands.check()


def propose_and_approve(hands: Hands, other: Hands) -> None:
    """One asks, with a reason; another reads what changes and approves."""
    open_draft(hands)
    hands.press("Propose …")
    hands.write("Reason", WHY)
    hands.press("Propose")
    hands.sees("Proposed. A second person must approve it.")
    other.press("Policies", exact=False)
    other.press("a change waits for approval", exact=False)
    other.sees(WHY)
    assert "2 days after the due date" in other.says()
    other.press("Approve")
    other.sees(re.compile("Approved: it holds from"))


def go_live(hands: Hands, other: Hands) -> None:
    """Two people let it send; the second sees what the first run would send."""
    hands.press("Go-live")
    hands.press("Propose", within="main")
    hands.write("Reason", "The scenarios are agreed.")
    hands.press("Propose", within="main")
    hands.sees("You proposed it: somebody else must approve.")
    other.press("Go-live")
    other.sees("What the first run would send")
    other.check()
    other.press("Approve and start")
    other.write("Reason", "Read and agreed.")
    other.press(re.compile("Approve|Start"), within="main form")
    other.sees(re.compile("Live from"))


def letters_in(folder: Path, at_least: int) -> list[Any]:
    """The mails in the folder that stands for the mail server, once there are as many."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = sorted(folder.iterdir()) if folder.exists() else []
        if len(found) >= at_least:
            return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in found]
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} letters, not {at_least}")


def preview(hands: Hands, customer: Customer) -> None:
    """How a letter to a real customer would look: a PDF beside their contacts."""
    page = hands.page
    find(hands, customer)
    with page.context.expect_event("response", lambda answer: "/messages/preview/" in answer.url) as letter:
        hands.press("Letter preview (PDF)")
    assert letter.value.headers["content-type"] == "application/pdf"
    for opened in page.context.pages[1:]:  # a tab of its own, where the browser shows it and does not save it
        opened.close()


def find(hands: Hands, customer: Customer) -> None:
    """From whatever page to a customer's."""
    hands.write("Find a customer", customer.name)
    hands.page.keyboard.press("Enter")
    hands.press(customer.name, within="main")
    hands.page.get_by_role("heading", name=customer.name, exact=True).wait_for()


def read_letter(hands: Hands, action: Action, subject: str) -> None:
    """What was sent stands under the messages, as it was sent."""
    hands.press(re.compile("^Messages"), within="nav")
    row = hands.page.get_by_role("row", name=re.compile(action.customer.name))
    row.get_by_role("link", name=re.compile(re.escape(subject))).click()
    hands.page.get_by_role("heading", name=subject).wait_for()
    assert "the mailbox folder" in hands.says()
    hands.check()


def pause(hands: Hands, customer: Customer, until: str) -> None:
    """From the customer's page, with its end and its reason."""
    find(hands, customer)
    hands.press("Pause")
    hands.page.get_by_label("Kind").select_option(label="Pause, until a day")
    hands.page.get_by_label(re.compile("^Until")).fill(until)
    hands.write("Reason", "Talks about a delivery are under way.")
    hands.press("Set the block")
    hands.page.get_by_role("heading", name=customer.name, exact=True).wait_for()


def read_silence(hands: Hands, customer: Customer) -> None:
    """The day after, the page of the customer says in words why nothing went out."""
    find(hands, customer)
    hands.press("Why was nothing sent?")
    hands.page.get_by_role("heading", name="Why was nothing sent?").wait_for()
    assert re.search("pause", hands.says(), re.IGNORECASE)
    hands.check()


def test_a_scenario_is_built_tried_approved_and_live_and_its_silence_has_a_reason(
    page_as: Callable[..., Any],
    people: SimpleNamespace,
    runtime: Runtime,
    adopted: Entity,
    night_of: Callable[..., Any],
) -> None:
    """From the line of days to the letters of the first night, and to the pause that kept one from leaving."""
    hands, other = Hands(page_as(people.manager)), Hands(page_as(people.second))
    night = night_of(adopted)
    reminded = Customer.get(Customer.number == "10003")  # eight days late
    build(hands)
    mend(hands)
    preview(hands, reminded)
    simulate(hands)
    propose_and_approve(hands, other)
    go_live(hands, other)
    assert Action.select().count() == 0
    night.falls(adopted)
    sent = list(Action.select().where(Action.channel == "email", Action.state != "waiting"))
    letters = letters_in(runtime.settings.var / "mailbox" / "new", len(sent))
    worded = [one for one in sent if one.step_key == "standard-p2"]
    assert len(letters) == len(sent)
    assert worded
    assert reminded in [one.customer for one in worded]
    other.comes_in_the_morning(people.second)
    mail = next(one for one in letters if f"payables@{reminded.number}.example" in one["To"])
    read_letter(other, next(one for one in worded if one.customer == reminded), mail["Subject"])
    pause(other, reminded, "2026-05-15")
    night.falls(adopted)
    assert Action.select().where(Action.customer == reminded).count() == 1
    other.comes_in_the_morning(people.second)
    read_silence(other, reminded)
