"""Letter templates in the console: written, checked, shown while typed; proposed by one, approved by another."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from admin.letter_differences import marked
from admin.letter_forms import asked_body, plain
from engine.runtime import Runtime
from engine.statements import letter_now
from engine.tables import Customer, Document, DueLine, Entity
from engine.wordings import wording_for
from notifiers.letter_templates import shipped_templates
from rules.differences import document_differences
from rules.words import Voice

NONCE = "abcdefghijklmnop"
DOCUMENTS = {document["key"]: document for document in shipped_templates()}


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


class Desk:
    """A person at the draft of a template."""

    def __init__(self, browser: Any, draft: int) -> None:
        self.browser, self.id, self.address = browser, draft, f"/templates/{draft}"

    @property
    def row(self) -> Document:
        """The draft as it is now."""
        found: Document = Document.get_by_id(self.id)
        return found

    def texts(self, language: str = "en") -> dict[str, str]:
        """Its texts in a language."""
        found: dict[str, str] = json.loads(self.row.body)["languages"][language]
        return found

    def send(self, door: str = "write", **values: str) -> Any:
        """Send the form with some texts changed."""
        named = {name.replace("__", ":"): value for name, value in values.items()}
        given = {"version": self.row.version, "language": "en", "nonce": NONCE, "do": "save", **named}
        return self.browser.post(f"{self.address}/{door}", given)


@pytest.fixture
def owing(runtime: Runtime, entity: Entity, customer: Customer) -> Customer:
    """A customer with one line 40 days late."""
    day = runtime.today(entity)
    DueLine.create(
        entity_id=entity.id, customer=customer, booked_day=day - 70, recorded_day=day - 70, recorded_at=0,
        number="R-77", identity="7" * 64, invoice_day=day - 70, due_day=day - 40, amount_minor=123_450, currency="EUR",
    )  # fmt: skip
    return customer


@pytest.fixture
def desk(signed_in: Callable[..., Any], people: SimpleNamespace, letter_templates: None) -> Desk:
    """A manager at a draft of the first reminder."""
    browser = signed_in(people.manager)
    live = Document.get(Document.key == "reminder_1")
    opened = browser.post(f"/policies/{live.id}/edit")
    draft = Document.get(Document.key == "reminder_1", Document.status == "draft")
    assert browser.get(opened.location).location == f"/templates/{draft.id}/write"
    return Desk(browser, draft.id)


def test_a_text_is_written_checked_shown_and_kept(desk: Desk, owing: Customer) -> None:
    """While it is typed nothing is saved; a fault is told with its place; the letter is shown to a real customer."""
    assert "A friendly reminder" in desk.browser.get(f"{desk.address}/write").text
    before = desk.row.body
    seen = desk.send("look", t__opening="Dear all,\nplease look at {payabel}.")
    assert "line 2, column 16" in words_of(seen.text)
    seen = desk.send("look", t__opening="Hello {customer}, {payable} is late.", customer=owing.number)
    assert "Hello Hollow Oak Trading, 1.234,50\u00a0EUR is late." in unescape(unescape(seen.text))
    assert f"nonce=&#34;{NONCE}&#34;" in seen.text
    assert desk.row.body == before
    assert desk.send(t__opening="Hello {customer}.\r\n\r\nPlease pay. ").status_code == 303
    assert desk.texts()["opening"] == "Hello {customer}.\n\nPlease pay."
    assert desk.texts("de") == DOCUMENTS["reminder_1"]["languages"]["de"]
    desk.send(do="undo")
    assert json.loads(desk.row.body) == json.loads(before)


def test_the_letter_is_shown_as_mail_page_and_short_message(desk: Desk, owing: Customer) -> None:
    """On a made-up customer and on a real one, in each language."""
    assert "Made-up Customer Ltd" in desk.send("look").text
    assert "data:image/png;base64," in desk.send("look", way="page", customer=owing.number).text
    assert "1.234,50\u00a0EUR is overdue" in desk.send("look", way="short", customer=owing.number).text
    assert "Zahlungserinnerung: 1.234,50" in desk.send("look", language="de", customer=owing.number).text


def test_nobody_previews_on_a_customer_they_do_not_see(
    desk: Desk, owing: Customer, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Another entity's customer is as unknown as one that does not exist; who may not read letters sees none."""
    other = Entity.create(code="OTHER", name="Other Ltd", currency="EUR")
    stranger = Customer.create(entity=other, number="9009", name="Secret Stranger")
    Document.update(entity=owing.entity).where(Document.id == desk.id).execute()  # for all takes who sees all
    for number in (stranger.number, "none"):
        seen = desk.send("look", customer=number)
        assert "You see no customer with this number." in seen.text
        assert "Secret" not in seen.text
    assert owing.name in desk.send("look", customer=owing.number).text
    analyst = Desk(signed_in(people.analyst), desk.id)
    assert "You see no customer with this number." in analyst.send("look", customer=owing.number).text


def test_two_people_at_one_draft_lose_nothing(desk: Desk) -> None:
    """The second to save keeps the text in the form and sees what differs."""
    version = desk.row.version
    desk.send(t__closing="Mine.")
    answer = desk.send(t__closing="Theirs.", version=str(version))
    assert answer.status_code == 409
    assert "Somebody else saved this draft meanwhile." in answer.text
    assert "Theirs." in answer.text
    assert desk.texts()["closing"] == "Mine."


def test_languages_and_blocks_come_and_go(desk: Desk) -> None:
    """A new language begins with the English text; a block of law needs its source."""
    desk.send(do="add_language", new_language="nl")
    assert desk.texts("nl") == desk.texts()
    assert desk.send(do="add_language", new_language="xx").status_code == 422
    desk.send(do="drop_language", language="nl")
    assert set(json.loads(desk.row.body)["languages"]) == {"en", "de", "fr"}
    desk.send(do="add_block")
    desk.send(b0__kind="legal", b0__countries="de, at", b0__text="The law.", b0__source="", b0__from="2026-12-24")
    (block,) = json.loads(desk.row.body)["blocks"]
    assert (block["countries"], block["from"], block["texts"]["en"]) == (["DE", "AT"], "2026-12-24", "The law.")
    assert "is missing" in words_of(desk.browser.get(f"{desk.address}/write").text)
    desk.send(do="drop_block:0")
    assert json.loads(desk.row.body)["blocks"] == []


def test_a_change_is_proposed_read_word_by_word_and_approved_by_another_person(
    runtime: Runtime,
    desk: Desk,
    entity: Entity,
    owing: Customer,
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
) -> None:
    """The difference shows the words; what is in force changes on its day, and the letter with it."""
    today = runtime.today(entity)
    desk.send(t__subject="Friendly reminder: {payable} overdue")
    given = {"from_on": "2026-03-31", "reason": "A warmer word", "do": "propose", "sha256": desk.row.sha256}
    proposed = desk.browser.post(f"{desk.address}/propose", given)
    assert proposed.status_code == 303, words_of(proposed.text)
    assert desk.browser.post(f"{desk.address}/approve", {"sha256": desk.row.sha256}).status_code == 403
    second = signed_in(people.second)
    page = second.get(proposed.location).text
    assert "<del>Payment</del>" in page
    assert "<ins>Friendly</ins>" in page
    assert second.post(f"{desk.address}/approve", {"sha256": desk.row.sha256, "reason": ""}).status_code == 303
    wording = wording_for(runtime, entity, "reminder_1", today)
    assert wording is not None
    assert wording.template.sha256 == desk.row.sha256
    assert letter_now(runtime, owing, wording.template).letter.demanded[0].number == "R-77"


def test_the_list_says_what_each_template_is_for(
    signed_in: Callable[..., Any], people: SimpleNamespace, letter_templates: None
) -> None:
    """Everybody who sees policies reads it."""
    page = words_of(signed_in(people.collector).get("/templates/").text)
    for name in ("First reminder", "Formal notice", "Mail to sales", "Words all letters share", "German"):
        assert name in page


def test_words_that_went_and_came_are_marked() -> None:
    """The rest is shortened, and nothing of it becomes markup."""
    was, becomes = marked("Please <pay> now", "Please <pay> soon")
    assert (was, becomes) == ("Please &lt;pay&gt; <del>now</del>", "Please &lt;pay&gt; <ins>soon</ins>")
    many = " ".join(f"w{n}" for n in range(100))
    assert len(marked(f"{many} a", f"{many} b")[0]) < 60


def test_versions_differ_text_by_text_and_block_by_block() -> None:
    """As the command line says it: a place, and how it read and reads; equal ones do not differ."""
    before = DOCUMENTS["reminder_1"]
    block = {"key": "feast", "kind": "message", "countries": ["DE"], "texts": {"en": "Merry Christmas"}}
    english = {**before["languages"]["en"], "subject": "New"}
    after = {**before, "tone": "firm", "languages": {**before["languages"], "en": english}, "blocks": [block]}
    assert document_differences(before, before, Voice()) == []
    assert [str(one) for one in document_differences(before, after, Voice())] == [
        "/tone: calm → firm",
        "/languages/en/subject: Payment reminder: {payable} overdue → New",
        "/blocks/feast: — → message, DE",
        "/blocks/feast/en: — → Merry Christmas",
    ]


def test_typed_text_is_kept_plain() -> None:
    """Line ends and blanks of any editor, letters in one piece."""
    assert plain("  a \r\nb\r\r\n\u0061\u0308  ") == "a\nb\n\n\u00e4"
    assert asked_body(DOCUMENTS["reminder_1"], {}, "de") == DOCUMENTS["reminder_1"]
