"""A hand-over in a browser, by labels, on a desk and on a phone: proposed, approved, downloaded, and it adds up."""

import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from engine.setting_up import install_drafts
from engine.tables import Customer, Document, Entity, Outcome
from rules.regimes import RATE_TABLE, REGIME

pytestmark = pytest.mark.browser


def test_a_debt_is_handed_over_and_its_file_adds_up(
    page_as: Callable[..., Any],
    people: SimpleNamespace,
    decided: Entity,
    serious: Callable[[Any], list[str]],
) -> None:
    """The collector charges and proposes at the desk; the manager approves and downloads on a phone."""
    install_drafts()
    laws = Document.kind.in_((REGIME, RATE_TABLE))
    Document.update(status="approved", from_day=0, approved_at=1).where(laws, Document.status == "draft").execute()
    late = Outcome.select().where(Outcome.level > 0).order_by(Outcome.customer).first()
    customer = Customer.get_by_id(late.customer_id)

    desk = page_as(people.collector)
    desk.goto(f"/customers/{customer.id}/claims")
    page = desk.page
    page.get_by_role("link", name="Charge until today").click()
    page.get_by_label("Reason").fill("before the hand-over")
    page.get_by_role("button", name="Charge").click()
    expect(page.get_by_role("heading", name="Claim account")).to_be_visible()
    expect(page.get_by_text("Fixed sum").first).to_be_visible()
    assert serious(page) == []
    page.get_by_role("link", name="Hand over").click()
    page.get_by_label("To", exact=True).select_option(label="Agency")
    page.get_by_label("Its name").fill("Collect & Co")
    page.get_by_label("Reason").fill("no answer to five letters")
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_role("cell", name="Proposed")).to_be_visible()

    phone = page_as(people.manager, width=390, height=844)
    phone.goto("/hand-overs")
    page = phone.page
    page.get_by_role("link", name="Approve").click()
    page.get_by_label("Reason").fill("agreed")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("cell", name="Handed over", exact=True)).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    with page.expect_download() as given:
        page.get_by_role("link", name=f"File {customer.name}").click()
    archive = zipfile.ZipFile(given.value.path())
    rows = load_workbook(archive.open("register.xlsx"))["Total"].iter_rows(min_row=2, values_only=True)
    total = {what: round(amount * 100) for _currency, what, amount in rows}
    assert total["total"] == sum(amount for what, amount in total.items() if what != "total") > 0
    assert {"index.txt", "statement.pdf"} <= set(archive.namelist())
