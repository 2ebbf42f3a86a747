"""Claim accounts, laws of late payment and hand-overs in the console."""

import io
import re
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from engine.runtime import Runtime
from engine.setting_up import install_drafts
from engine.tables import Customer, Document, DueLine, Entity, HandOver
from rules.regimes import RATE_TABLE, REGIME


def command(browser: Any, name: str, **values: Any) -> Any:
    """Send the form of a command."""
    return browser.post(f"/commands/{name}", {"key": str(uuid4()), **values})


@pytest.fixture
def late(decided: Entity, runtime: Runtime) -> Customer:
    """A customer with an overdue invoice, under the shipped laws."""
    install_drafts()
    Document.update(status="approved", from_day=0, approved_at=1).where(
        Document.kind.in_((REGIME, RATE_TABLE)), Document.status == "draft"
    ).execute()
    today = runtime.today(decided)
    line = DueLine.select().where(DueLine.due_day < today - 20).order_by(DueLine.amount_minor.desc()).first()
    customer: Customer = line.customer
    return customer


def test_the_claim_account_shows_the_rows_behind_its_figures(
    signed_in: Callable[..., Any], people: SimpleNamespace, late: Customer
) -> None:
    """Charged, waived by two, and printed as it is; a law in force is read on its own page."""
    browser = signed_in(people.manager)
    path = f"/customers/{late.id}/claims"
    assert "Nothing is charged" in browser.get(path).text
    command(browser, "ChargeClaims", **{"customer": late.id, "reason": "asked by phone", "next": path})
    page = browser.get(path).text
    assert re.search(r"\d+ days, \d+\.\d\d %", page)
    assert "BGB" in page
    assert "Fixed sum" in page
    browser.post(
        "/commands/RecordCost",
        {
            "key": str(uuid4()),
            **{"customer": late.id, "reason": "court", "amount_minor": "500.00", "currency": "EUR", "next": path},
        },
    )
    said = browser.post(
        "/commands/WaiveClaim",
        {
            "key": str(uuid4()),
            **{"customer": late.id, "reason": "a friend", "part": "cost", "amount_minor": "400", "currency": "EUR"},
        },
    )
    assert said.status_code in (200, 303)
    assert "Waivers that wait" in browser.get(path).text
    laws = browser.get("/late-interest").text
    for expected in ("BGB § 288 (2)", "Germany", "4.50 %", "Known until"):
        assert expected in laws, expected
    for row in Document.select().where(Document.kind.in_((REGIME, RATE_TABLE))):
        assert browser.get(f"/policies/{row.id}").status_code == 200


def test_rates_are_imported_on_the_page(signed_in: Callable[..., Any], people: SimpleNamespace, late: Customer) -> None:
    """A wrong file says where; a right one becomes a draft."""
    browser = signed_in(people.analyst)

    def give(content: bytes) -> str:
        asked = {"table": "basiszinssatz", "known_until": "2026-12-31", "csrf_token": browser.token}
        files = {"file": (io.BytesIO(content), "rates.csv")}
        answer = browser.client.post("/late-interest/rates", data={**asked, **files}, follow_redirects=True)
        return str(answer.text)

    assert "line 2, column rate" in give(b"from,rate\n2026-07-01,high\n")
    assert "The draft is kept" in give(b"from,rate\n2026-07-01,1.52\n")
    assert Document.select().where(Document.kind == RATE_TABLE, Document.status == "draft").count() == 1


def test_a_hand_over_is_proposed_approved_and_its_file_adds_up(
    signed_in: Callable[..., Any], people: SimpleNamespace, late: Customer
) -> None:
    """Two people; the collector who proposed it downloads the ZIP; sales do not."""
    collector = signed_in(people.collector)
    command(
        collector,
        "ProposeHandOver",
        **{"customer": late.id, "target": "agency", "recipient": "Collect & Co", "reason": "no answer"},
    )
    row = HandOver.get()
    assert row.state == "proposed"
    assert collector.get(f"/hand-overs/{row.id}/file").status_code == 404
    manager = signed_in(people.manager)
    command(manager, "ApproveHandOver", **{"hand_over": row.id, "reason": "agreed", "next": "/hand-overs"})
    assert "Collect &amp; Co" in manager.get("/hand-overs").text
    assert "Handed over" in manager.get(f"/customers/{late.id}").text
    collector = signed_in(people.collector)
    answer = collector.get(f"/hand-overs/{row.id}/file")
    assert "register.xlsx" in zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert signed_in(people.sales).get(f"/hand-overs/{row.id}/file").status_code == 403
