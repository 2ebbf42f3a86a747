"""The workbench: a draft as rules in words, edited in place, saved without overwriting anybody."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask_login import login_user

from admin.signing_in import Account
from admin.workbench.asked import Asked
from admin.workbench.asking import asked_of
from admin.workbench.showing import desk_of
from admin.workbench.world import world_of
from engine.editions import documents_in_force
from engine.tables import AuditEntry, Document, Entity


def live(key: str) -> Document:
    """The version in force of a document."""
    return next(d for d in documents_in_force(None, 10**5) if d.key == key)


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def fields_of(page: str) -> dict[str, str]:
    """The fields of the open editor with what stands in them, as a browser would send them."""
    form = page[page.index('id="editor"') :]
    form = form[: form.index("</form>")]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        named = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if named and ('type="checkbox"' not in tag or " checked" in tag):
            found[named[1]] = unescape(value[1]) if value else ""
    for name, inner in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]* selected', inner) or re.search(r'value="([^"]*)"', inner)
        found[name] = unescape(chosen[1]) if chosen else ""
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = unescape(inner)
    return found


class Bench:
    """A person at the draft of one policy."""

    def __init__(self, browser: Any, draft: Document) -> None:
        self.browser, self.id = browser, draft.id
        self.address = f"/workbench/{draft.id}"

    @property
    def row(self) -> Document:
        """The draft as it is now."""
        found: Document = Document.get_by_id(self.id)
        return found

    @property
    def body(self) -> dict[str, Any]:
        """Its document."""
        found: dict[str, Any] = json.loads(self.row.body)
        return found

    def page(self, place: str = "") -> str:
        """The page, one part open."""
        answer = self.browser.get(self.address + (f"?open={place}" if place else ""))
        assert answer.status_code == 200, words_of(answer.text)
        return str(answer.text)

    def send(self, values: dict[str, str], **more: str) -> Any:
        """Send a form as htmx does."""
        return self.browser.post(f"{self.address}/edit", {**values, **more}, headers={"HX-Request": "true"})

    def save(self, place: str, **more: str) -> Any:
        """Open a part, change fields, save."""
        return self.send({**fields_of(self.page(place)), **{n.replace("__", ":"): v for n, v in more.items()}})


@pytest.fixture
def bench(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Callable[..., Bench]:
    """``bench("hold")``: the manager at a draft of the policy in force; ``bench("hold", people.second)``: another."""

    def open_draft(key: str, user: Any = None) -> Bench:
        browser = signed_in(user or people.manager)
        answer = browser.post(f"/policies/{live(key).id}/edit")
        assert answer.status_code == 303, words_of(answer.text)
        draft = int(re.search(r"/workbench/(\d+)", answer.location)[1])  # type: ignore[index]
        return Bench(browser, Document.get_by_id(draft))

    return open_draft


# --- opening ------------------------------------------------------------------------------


def test_a_draft_is_made_from_the_version_in_force_once(bench: Callable[..., Bench], people: SimpleNamespace) -> None:
    """It says from which; whoever comes next finds the same draft."""
    mine, hers = bench("hold"), bench("hold", people.second)
    assert mine.id == hers.id
    assert (mine.row.status, mine.row.replaces, mine.row.sha256) == ("draft", live("hold").sha256, live("hold").sha256)
    page = words_of(mine.page())
    assert "Overdue, not yet released" in page
    assert "Nothing is wrong with the rules." in page


def parts_of(body: dict[str, Any]) -> list[str]:
    """Every place of a document that opens into an editor."""
    found = ["/policy"]
    if "escalation" in body:
        scenarios = body["escalation"]["scenarios"].items()
        found += [
            "/escalation",
            *(f"/escalation/scenarios/{n}/{i}" for n, steps in scenarios for i in range(len(steps))),
        ]
    else:
        found += ["/otherwise", *(f"/rules/{index}" for index in range(len(body["rules"])))]
    found += ["/bands"] if "bands" in body else []
    return found + [f"/cases/{index}" for index in range(len(body.get("cases", ())))]


@pytest.mark.parametrize(
    "key", ["scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert"]
)
def test_a_part_saved_as_it_was_opened_is_the_same_part(
    bench: Callable[..., Bench], app: Flask, people: SimpleNamespace, key: str
) -> None:
    """The editors show everything the shipped documents say and lose nothing of it."""
    row = bench(key).row
    body = json.loads(row.body)
    with app.test_request_context("/"):
        login_user(Account.get_by_id(people.manager.id))
        world = world_of(row)
        for place in parts_of(body):
            page = desk_of(row, Asked(None, place=place))[0]
            asked = asked_of(body, fields_of(page), world)
            assert (asked.wrong, asked.problems) == ({}, []), place
            assert asked.document == body, place


# --- one value ----------------------------------------------------------------------------


def test_a_value_is_written_in_human_units_and_only_it_changes(bench: Callable[..., Bench]) -> None:
    """The audit trail says which rule; the draft's version rises."""
    at = bench("segmentation")
    before = at.body
    answer = at.save("/rules/3", **{"when/all/1__0__value": "5"})
    assert answer.status_code == 200
    expected = json.loads(json.dumps(before))
    expected["rules"][3]["when"]["all"][1][2] = 5
    assert (at.body, at.row.version) == (expected, 2)
    entry = AuditEntry.select().where(AuditEntry.command == "SaveDraft").order_by(AuditEntry.id.desc()).get()
    assert entry.reason == "Rule “New customer” changed"


def test_what_cannot_be_read_stays_in_its_field(bench: Callable[..., Bench]) -> None:
    """Nothing is saved; the message stands beside the field."""
    at = bench("segmentation")
    answer = at.save("/rules/3", **{"when/all/1__0__value": "a few"})
    assert (answer.status_code, at.row.version) == (422, 1)
    assert 'value="a few"' in answer.text
    assert "This cannot be read: write a number such as 14." in words_of(answer.text)


# --- two people ---------------------------------------------------------------------------


def test_two_people_do_not_overwrite_each_other(bench: Callable[..., Bench], people: SimpleNamespace) -> None:
    """The second one is shown both sides, and nothing is saved until they decide."""
    mine, hers = bench("segmentation"), bench("segmentation", people.second)
    form = fields_of(hers.page("/rules/3"))
    assert mine.save("/rules/3", **{"when/all/1__0__value": "5"}).status_code == 200
    saved = mine.body
    answer = hers.send({**form, "when/all/1:0:value": "7"})
    words = words_of(answer.text)
    assert (answer.status_code, hers.body) == (409, saved)
    assert "Manager saved this draft while you were editing it." in words
    assert re.search(r"less than 5.*less than 7", words), words
    again = {**form, "when/all/1:0:value": "7", "version": "2"}
    assert hers.send(again).status_code == 200
    assert hers.body["rules"][3]["when"]["all"][1][2] == 7
