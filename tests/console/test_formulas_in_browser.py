"""A derived fact and a parameter written in a browser: by labels only, with the keyboard, on a phone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.tables import Document, Entity

pytestmark = pytest.mark.browser


def test_a_formula_is_written_with_the_keyboard_and_answered_at_once(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """From the menu to a saved fact: names are offered and taken by keys, the answer names real customers."""
    watched = page_as(people.manager)
    page = watched.page
    page.get_by_role("link", name="Derived facts").click()
    page.get_by_role("heading", name="Derived facts", exact=True).wait_for()
    watched.check()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("link", name="Add a derived fact").first.click()
    page.get_by_label("Name", exact=True).fill("Overdue share")
    field = page.get_by_label("Formula", exact=False).first
    field.focus()
    page.keyboard.type("Net over")
    page.keyboard.press("Control+A")
    page.keyboard.type("overdue_n")
    page.get_by_role("option", name="Net overdue").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("/ credit_l")
    page.get_by_role("option", name="Credit limit").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value("overdue_net / credit_limit ")
    page.get_by_text("Net overdue / Credit limit, rounded down", exact=False).wait_for()
    page.get_by_role("rowheader").first.wait_for()
    page.keyboard.type("+ tenure")
    page.get_by_text("cannot be taken together").wait_for()
    field.fill("overdue_net / credit_limit")
    page.get_by_label("Meaning").fill("Net overdue as a share of the limit in force.")
    page.get_by_role("rowheader").first.wait_for()
    watched.check()
    page.get_by_role("button", name="Save").press("Enter")
    page.get_by_text("Nothing is wrong with it.").wait_for()
    page.get_by_label("At most").fill("1000")
    page.get_by_role("button", name="Save").press("Enter")
    page.get_by_text("at most 1,000 %", exact=False).first.wait_for()
    watched.check()
    page.get_by_role("link", name="Read and propose").click()
    page.wait_for_url("**/derived-facts/*")
    watched.check()


@pytest.mark.slow
def test_a_parameter_is_edited_on_a_phone(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A value from a day on, added and seen, on a narrow screen and by labels only."""
    watched = page_as(people.manager, width=390, height=844)
    page = watched.page
    watched.goto("/parameters/")
    page.get_by_role("button", name="Edit all").click()
    page.get_by_role("link", name="Edit: Dunning minimum").click()
    page.get_by_label("Value to add: from").wait_for()
    watched.check()
    page.get_by_label("Value to add: from").fill("2099-01-01")
    page.get_by_label("Value to add", exact=True).fill("30.00")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Dunning minimum changed").first.wait_for()
    watched.check()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    draft = Document.get(Document.status == "draft", Document.kind == "parameters")
    assert '"value":3000' in draft.body
