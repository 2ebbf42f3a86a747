"""Disputes in the console, and the page behind a mail link, which stands outside it."""

import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from openpyxl import load_workbook

from engine import outbox
from engine.answers import AskColleague
from engine.disputes import RecordDispute
from engine.events import drain_dirty
from engine.runtime import Runtime
from engine.tables import (
    Action,
    AnswerLink,
    Dispute,
    DisputeClosing,
    DueLine,
    Entity,
    Message,
    Standing,
)

SIZES = [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)]
FORM = re.compile(r'name="form_token" value="([^"]+)"')


@pytest.fixture
def late(runtime: Runtime, dunned: Callable[..., DueLine]) -> DueLine:
    """A customer with one invoice, 20 days late, that was dunned once."""
    object.__setattr__(runtime.settings, "url", "https://dunwell.example")
    return dunned("77001", "Falcon Optics", 100_000)


def mailed_link(runtime: Runtime) -> str:
    """The path in the mail that left last."""
    outbox.deliver(runtime)
    for message in Message.select().order_by(Message.id.desc()):
        found = re.search(
            r"https://dunwell\.example(/answer/\S+)", runtime.vault.open(message.person, message.sealed)["text"]
        )
        if found is not None:
            return found[1]
    raise AssertionError("no mail holds a link")


@pytest.fixture
def asked(runtime: Runtime, late: DueLine, people: SimpleNamespace) -> str:
    """The path of a link about a dispute over 300.00 of it."""
    by = {"actor": people.collector.id, "reason": "three boxes are missing"}
    dispute = runtime.execute(RecordDispute(**by, due_line=late.id, amount_minor=30_000, cause="quantity"))["dispute"]
    runtime.execute(AskColleague(**{**by, "reason": "Were they sent?"}, dispute=dispute, email="rep@dunwell.example"))
    return mailed_link(runtime)


def test_the_page_of_a_link_shows_its_dispute_and_knows_no_session(app: Flask, asked: str) -> None:
    """No cookie, no way into the console, no other invoice; looking at it twice uses nothing up."""
    client = app.test_client()
    for _time in range(2):
        page = client.get(asked)
        assert page.status_code == 200
    assert "Set-Cookie" not in page.headers
    assert "three boxes are missing" in page.text
    assert "Were they sent?" in page.text
    assert "77001-1" in page.text
    assert 'href="/' not in page.text.replace('href="/static', "")
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert AnswerLink.get().answered_at is None


def test_an_answer_needs_the_form_of_its_own_link_and_is_given_once(app: Flask, asked: str, signed_in: Any) -> None:
    """Without it, or with another link's, 403; a changed link is not there; afterwards the link is shut."""
    client = app.test_client()
    token = FORM.search(client.get(asked).text)[1]
    told = {"verdict": "rejected", "text": "they were signed for"}
    assert client.post(asked, data=told).status_code == 403
    assert client.post(asked, data={**told, "form_token": token[:-2] + "AA"}).status_code == 403
    assert client.post(asked[:-1] + "_", data={**told, "form_token": token}).status_code == 403
    assert (
        client.post(asked, data={**told, "form_token": token}, headers={"Origin": "https://x.example"}).status_code
        == 403
    )
    assert client.get(asked[:-1] + "_").status_code == 404
    empty = client.post(asked, data={"form_token": token, "verdict": "accepted", "accepted_minor": "lots"})
    assert empty.status_code == 422
    assert DisputeClosing.select().count() == 0
    assert client.post(asked, data={**told, "form_token": token}).status_code == 200
    assert DisputeClosing.get().outcome == "rejected"
    assert client.post(asked, data={**told, "form_token": token}).status_code == 404
    assert client.get(asked).status_code == 404


def test_guessing_links_is_slowed_down(app: Flask) -> None:
    """Thirty tries a minute from an address, and no more."""
    app.extensions["dunwell_limiter"].enabled = True
    client = app.test_client()
    answers = [client.get(f"/answer/guess-{n}").status_code for n in range(31)]
    assert (set(answers[:30]), answers[30]) == ({404}, 429)


def test_a_collector_finds_the_dispute_its_thread_and_who_was_asked(
    signed_in: Callable[..., Any], people: SimpleNamespace, asked: str
) -> None:
    """In the list by cause and owner, on its page, on the customer's; sales see no address, and nobody the link."""
    browser = signed_in(people.collector)
    dispute = Dispute.select().order_by(Dispute.id.desc()).get()
    assert "Falcon Optics" in browser.get("/disputes/?cause=quantity&owner=customer_care").text
    assert "Falcon Optics" not in browser.get("/disputes/?owner=sales").text
    page = browser.get(f"/disputes/{dispute.id}").text
    assert "Were they sent?" in page
    assert "rep@dunwell.example" in page
    assert "rep@dunwell.example" not in signed_in(people.sales).get(f"/disputes/{dispute.id}").text
    assert f"/disputes/{dispute.id}" in browser.get(f"/customers/{dispute.customer_id}").text
    item = Action.get(Action.key == f"dispute-{dispute.id}/solve_dispute")
    assert f"/disputes/{dispute.id}" in browser.get(f"/diary/{item.id}").text
    mail = AnswerLink.get()
    message = Message.select().where(Message.person == mail.person_id).get()
    shown = browser.get(f"/messages/{message.action_id}").text
    assert asked not in shown
    assert browser.get(f"/messages/{message.action_id}/text").text.count("/answer/…") == 1


def test_the_measures_stand_on_a_page_and_in_a_workbook(
    signed_in: Callable[..., Any], people: SimpleNamespace, asked: str
) -> None:
    """Open ones by age; the same figures in each."""
    browser = signed_in(people.manager)
    assert "Quantity" in browser.get("/disputes/measures").text
    book = load_workbook(io.BytesIO(browser.get("/disputes/measures/xlsx").data))
    assert book.sheetnames == ["All", "By cause", "By owner", "By segment"]
    rows = {row[0]: row[4] for row in book["By cause"].iter_rows(min_row=2, values_only=True)}
    assert rows["Quantity"] == 1


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_sales_person_answers_by_the_mail_link_and_dunning_goes_on(
    page_as: Callable[..., Any],
    runtime: Runtime,
    decided: Entity,
    late: DueLine,
    people: SimpleNamespace,
    trade: Any,
    clock: Any,
    width: int,
    height: int,
) -> None:
    """The link is answered without signing in; the collector reads it; the line leads again at its step."""
    where = Standing.customer == late.customer_id
    stood = Standing.get(where)
    by = {"actor": people.collector.id, "reason": "A discount of 10 % was agreed"}
    dispute = runtime.execute(RecordDispute(**by, due_line=late.id, cause="price"))["dispute"]
    drain_dirty(runtime)
    assert Standing.get(where).waiting_for == '["dispute"]'
    desk = page_as(people.collector, width, height)
    desk.goto(f"/disputes/{dispute}")
    desk.page.get_by_role("link", name="Ask a colleague").click()
    desk.page.get_by_label("E-mail address").fill("rep@dunwell.example")
    desk.page.get_by_label("Question").fill("Did you agree to it?")
    desk.page.get_by_role("button", name="Send the question").click()
    desk.page.get_by_text("Did you agree to it?").wait_for()
    rep = page_as(None, width, height)
    rep.goto(mailed_link(runtime))
    rep.page.get_by_label("The customer is not right").check()
    rep.page.get_by_label("What you know").fill("No discount was agreed")
    rep.check()
    rep.page.get_by_role("button", name="Send the answer").click()
    rep.page.get_by_role("heading", name="Thank you").wait_for()
    desk.page.reload()
    desk.page.get_by_text("No discount was agreed").wait_for()
    desk.check()
    drain_dirty(runtime)
    back = Standing.get(where)
    assert (back.level, back.step_key, back.leader_line_id) == (stood.level, stood.step_key, late.id)
    assert "dispute" not in back.waiting_for
    outbox.deliver(runtime)
    clock.advance(days=4)
    trade.decide(runtime, late.customer.entity, runtime.today(decided))
    assert Standing.get(where).level > stood.level
