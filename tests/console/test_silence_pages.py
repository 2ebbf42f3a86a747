"""Why nothing was sent, pauses, and the stop: as pages."""

from engine.corrections import SetBlock
from engine.tables import Action, Block, Customer, Entity, TermsProposal
from ledger.days import date_of


def test_the_page_answers_for_today_a_past_day_and_a_day_to_come(signed_in, decided, runtime):
    """With what it rests on and where it leads; a day that is none is today."""
    action = Action.select().where(Action.channel == "email").first()
    browser, today = signed_in("credit.manager@dunwell.example"), runtime.today(decided)
    address = f"/customers/{action.customer_id}/silence"
    page = browser.get(address).text
    assert "is due and leaves with the next round" in page
    assert f"/messages/{action.id}" in page
    assert "What comes if nothing is paid" in page
    past = browser.get(f"{address}?day={date_of(today - 1).isoformat()}").text
    assert "adopted the portfolio" in past
    assert "What comes if nothing is paid" not in past
    assert "has not come yet" in browser.get(f"{address}?day={date_of(today + 3).isoformat()}").text
    assert browser.get(f"{address}?day=never").status_code == 200
    assert browser.get("/customers/999999/silence").status_code == 404
    assert "Why was nothing sent?" in browser.get(f"/customers/{action.customer_id}").text


def test_pauses_keep_their_history(signed_in, decided, runtime, people):
    """Who set it and why, until when; who ended it early and why."""
    customer = Customer.select().first()
    today = runtime.today(decided)
    values = {"customer": customer.id, "kind": "pause", "from_day": today, "until_day": today + 9}
    runtime.execute(SetBlock(actor=people.collector.id, reason="pays on Friday", **values))
    browser = signed_in("credit.manager@dunwell.example")
    page = browser.get(f"/customers/{customer.id}/pauses").text
    assert "pays on Friday" in page
    assert people.collector.name in page
    block = Block.get(Block.reason == "pays on Friday")
    browser.post("/commands/EndBlock", {"block": block.id, "reason": "it was not paid"})
    page = browser.get(f"/customers/{customer.id}/pauses").text
    assert "ended early" in page
    assert "it was not paid" in page
    assert f"/commands/EndBlock?block={block.id}" not in page


def test_stopping_is_one_click_and_every_page_says_so(signed_in, decided):
    """The button posts at once; the sign stands on a page that has nothing to do with it."""
    browser = signed_in("collector@dunwell.example")
    page = browser.get("/go-live/").text
    assert 'action="/commands/StopSending"' in page
    answer = browser.post("/commands/StopSending", {"entity": decided.code, "reason": "stopped at once"})
    assert answer.status_code == 303
    assert not Entity.get_by_id(decided.id).sending
    assert "sends nothing: all sending was stopped" in browser.get("/customers/").text


def test_terms_that_permit_more_wait_on_the_page_for_a_second_person(signed_in, decided):
    """Who proposed them sees no button, another manager does."""
    first, second = signed_in("credit.manager@dunwell.example"), signed_in("second.manager@dunwell.example")
    said = {"email_hours": "0-24", "letter_hours": "0-24", "sms_hours": "8-20", "chat_hours": "9-18"}
    terms = {"entity": decided.code, "daily_cap": "50", "quiet_weekdays": "none", "holidays": "no", **said}
    terms["reason"] = "the shop is open longer"
    answer = first.post("/commands/SetSendingTerms", terms, follow_redirects=True)
    assert "a second person decides" in answer.text
    assert TermsProposal.get().state == "proposed"
    assert "/commands/ApproveSendingTerms" not in first.get("/go-live/").text
    assert "from 08:00 to 20:00" in second.get("/go-live/").text
    assert "/commands/ApproveSendingTerms" in second.get("/go-live/").text
