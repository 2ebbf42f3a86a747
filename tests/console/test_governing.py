"""Versions in the console: commented, taken back, gone back to, read line by line, taken in and out; stopped."""

import json
import os
import re
from collections.abc import Callable
from html import unescape
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.comments import open_comments
from engine.editions import activate, documents_in_force
from engine.governance import ApproveDocument, ProposeDocument, SaveDraft
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.setting_up import install_drafts
from engine.stopping import stop_of
from engine.tables import Document, Entity
from rules.documents import shipped

SHOTS = os.environ.get("DUNWELL_SHOTS", "")


def document(key: str) -> Document:
    """The version in force of a document."""
    return next(one for one in documents_in_force(None, 10**5) if one.key == key)


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def second_version(runtime: Runtime, people: SimpleNamespace, key: str = "hold") -> Document:
    """Propose another version of a policy, from tomorrow on, as the analyst."""
    first = document(key)
    body = json.loads(first.body)
    body["because"] = "Losses rose."
    body["rules"][0]["label"] = "Changed label"
    day = runtime.today(Entity.get()) + 1
    answer = runtime.execute(
        ProposeDocument(actor=people.analyst.id, reason="losses rose", document=body, from_day=day)
    )
    return Document.get_by_id(answer["document"])


def approved(runtime: Runtime, people: SimpleNamespace, row: Document) -> Document:
    """The same, approved by a manager."""
    runtime.execute(ApproveDocument(actor=people.manager.id, reason="fine", document_id=row.id, sha256=row.sha256))
    return Document.get_by_id(row.id)


# --- comments ----------------------------------------------------------------------------


def test_a_comment_stands_with_its_rule_and_beside_approve_until_it_is_settled(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """Said by the collector, read by the manager who decides, settled by the analyst."""
    row = second_version(runtime, people)
    said = signed_in(people.collector).post(f"/policies/{row.id}/comment", {"text": "Since when?", "place": "/rules/0"})
    assert said.status_code == 303
    manager = signed_in(people.manager)
    page = words_of(manager.get(f"/policies/{row.id}").text)
    assert "1 comment is not settled Changed label : “Since when?”" in page
    assert page.index("1 comment is not settled") < page.index("Needed to reject")
    (remark,) = open_comments(row)
    assert manager.post(f"/policies/{row.id}/comment", {"text": " "}).status_code == 422
    settled = signed_in(people.analyst).post(f"/policies/{row.id}/comment", {"text": "June.", "settles": remark.id})
    assert settled.status_code == 303
    page = words_of(manager.get(f"/policies/{row.id}").text)
    assert "not settled" not in page
    assert "Since when?" in page
    assert "June." in page
    refused = signed_in(people.sales).post(f"/policies/{row.id}/comment", {"text": "Mine"})
    assert refused.status_code == 403


# --- taking back, going back, what comes --------------------------------------------------


def test_who_proposed_takes_it_back_and_nobody_else(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """The analyst sees the button although they may not approve; the manager's press is refused."""
    row = second_version(runtime, people)
    assert signed_in(people.manager).post(f"/policies/{row.id}/withdraw").status_code == 403
    analyst = signed_in(people.analyst)
    assert "Withdraw" in words_of(analyst.get(f"/policies/{row.id}").text)
    assert analyst.post(f"/policies/{row.id}/withdraw").status_code == 303
    assert "it never took effect" in words_of(analyst.get(f"/policies/{row.id}").text)
    assert Document.get_by_id(row.id).status == "withdrawn"


def test_an_older_version_is_tried_and_proposed_again_from_its_page(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity, clock: Any
) -> None:
    """The reason is filled in, the difference is against what holds, and a second person approves."""
    old = document("hold")
    row = approved(runtime, people, second_version(runtime, people))
    day = row.from_day
    page = words_of(signed_in(people.sales).get(f"/policies/{old.id}").text)
    assert "the next version holds from" in page
    assert "the next version holds from" in words_of(signed_in(people.sales).get("/policies/").text)
    clock.advance(days=1)
    run_entity(runtime, Entity.get(), day)
    manager = signed_in(people.manager)
    assert manager.get(f"/policies/{row.id}/back").status_code == 404
    page = words_of(manager.get(f"/policies/{old.id}").text)
    assert "Retired: it held until" in page
    assert "Go back to this version" in page
    form = manager.get(f"/policies/{old.id}/back").text
    assert "Back to the version of" in form
    assert "Changed label" in words_of(form)
    from_on = runtime.now().date().isoformat()
    tried = manager.post(f"/policies/{old.id}/back", {"from_on": from_on, "reason": "Back", "do": "try"})
    assert (tried.status_code, Document.select().where(Document.status == "proposed").count()) == (200, 0)
    assert (
        manager.post(f"/policies/{old.id}/back", {"from_on": from_on, "reason": " ", "do": "propose"}).status_code
        == 422
    )
    answer = manager.post(f"/policies/{old.id}/back", {"from_on": from_on, "reason": "Back to it", "do": "propose"})
    assert answer.status_code == 303
    again = Document.get(Document.status == "proposed")
    assert (again.body, again.replaces, again.reason) == (old.body, row.sha256, "Back to it")
    assert json.loads(again.impact)["entities"][0]["entity"] == decided.code
    assert "somebody else must approve" in words_of(manager.get(f"/policies/{again.id}").text)
    assert manager.post(f"/policies/{again.id}/approve", {"sha256": again.sha256}).status_code == 403
    assert signed_in(people.second).post(f"/policies/{again.id}/approve", {"sha256": again.sha256}).status_code == 303
    assert activate(runtime, again.from_day) == [again.id]


def test_an_approved_version_takes_effect_with_the_next_run_without_a_restart(
    people: SimpleNamespace, runtime: Runtime, decided: Entity, clock: Any
) -> None:
    """The same process decides by the old version today and by the new one tomorrow."""
    row = approved(runtime, people, second_version(runtime, people))
    found = []
    for _ in range(2):
        today = runtime.today(Entity.get())
        found.append(row.id in {one.id for one in documents_in_force(None, today)})
        run = run_entity(runtime, Entity.get(), today)
        found.append(row.sha256 in json.loads(run_edition(run))["policies"].values())
        clock.advance(days=1)
    assert found == [False, False, True, True]


def run_edition(run: Any) -> str:
    """The edition of a run as it is stored."""
    from engine.tables import Edition

    return str(Edition.get(Edition.sha256 == run.edition).body)


# --- files -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [one["key"] for one in shipped()])
def test_every_shipped_document_comes_back_from_a_file_byte_by_byte(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, entity: Entity, key: str
) -> None:
    """Downloaded, taken in as a draft, downloaded again: the same bytes, however the file was laid out."""
    install_drafts()
    first = Document.get(Document.key == key)
    analyst = signed_in(people.analyst)
    head = "parameters" if first.kind == "parameters" else "policies"
    answer = analyst.get(f"/{head}/{first.id}/export")
    assert answer.data == first.body.encode()
    assert first.sha256[:12] in answer.headers["Content-Disposition"]
    for content in (answer.data, json.dumps(json.loads(answer.data), indent=4).encode(), b"\xef\xbb\xbf" + answer.data):
        taken = analyst.post("/policies/upload", {"file": (BytesIO(content), "of-a-house.json")})
        assert taken.status_code == 303
        copy = Document.select().order_by(Document.id.desc()).get()
        assert copy.id != first.id
        assert (copy.status, copy.drafted_by_id) == ("draft", people.analyst.id)
        assert analyst.get(f"/{head}/{copy.id}/export").data == answer.data


FAULTS = {
    "nothing": (b"", "no file was chosen"),
    "no JSON": (b'{"kind": "policy",', "line 1, column 19"),
    "twice": (b'{"kind": "policy", "kind": "parameters"}', "kind stands twice"),
    "a list": (b"[1]", "is no document"),
    "not UTF-8": (b'{"key": "\xff"}', "is not JSON in UTF-8"),
    "half a character": (b'{"kind": "policy", "key": "\\ud800"}', "is not JSON in UTF-8"),
    "no number": (b'{"kind": "policy", "key": NaN}', "is not JSON in UTF-8"),
    "no kind": (b'{"key": "x"}', "kind"),
    "deep": (b"[" * 9_000, "is not JSON in UTF-8"),
    "large": (b" " * 10_001, "is larger than 10000 bytes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_is_no_document_is_refused_with_its_place(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is kept, and the page says what to do."""
    monkeypatch.setattr("admin.governing.BODY_BYTES_MAX", 10_000)
    content, what = FAULTS[name]
    answer = signed_in(people.analyst).post("/policies/upload", {"file": (BytesIO(content), "x.json")})
    assert answer.status_code == 422
    assert what in words_of(answer.text)
    assert Document.select().count() == 0


@pytest.mark.parametrize("kind", ["policy", "parameters", "derived_facts"])
def test_a_page_of_every_kind_of_document_leads_on(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity, kind: str
) -> None:
    """Its page, its difference and its file open, a comment is kept; a draft that is wrong says where."""
    bodies = {one["kind"]: one for one in shipped()} | {"policy": shipped()[1]}
    derived = {"name": "derived_open_minor", "kind": "money", "label": "Open", "meaning": "Open.", "rounding": "down"}
    body = bodies.get(kind) or {
        "format": 1, "kind": kind, "key": "derived", "entity": None, "source": "test",
        "facts": [{**derived, "formula": {"fact": "nowhere_minor"}}],
    }  # fmt: skip
    row = Document.get_by_id(
        runtime.execute(SaveDraft(actor=people.analyst.id, reason="new", document=body))["document"]
    )
    analyst = signed_in(people.analyst)
    head = {"policy": "policies", "parameters": "parameters", "derived_facts": "derived-facts"}[kind]
    found = [analyst.get(f"/{head}/{row.id}{part}").status_code for part in ("", "/document", "/export")]
    assert found == [200, 200, 200]
    assert ("/facts/0" in words_of(analyst.get(f"/{head}/{row.id}").text)) is (kind == "derived_facts")
    place = {"policy": "/rules/0", "parameters": "/parameters/0", "derived_facts": "/facts/0"}[kind]
    said = {"text": "Hm.", "place": place}
    assert analyst.post(f"/{head}/{row.id}/comment", said).status_code == 303


def test_the_difference_is_shown_line_by_line(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """Both sides with their numbers, what is alike left out, and the same as one text."""
    row = second_version(runtime, people)
    page = signed_in(people.sales).get(f"/policies/{row.id}/document").text
    assert 'class="changed"' in page
    assert "lines are alike" in words_of(page)
    assert "+  &#34;because&#34;: &#34;Losses rose.&#34;," in page
    assert words_of(page).count("Changed label") == 2  # once on each form of the page


# --- stopping ----------------------------------------------------------------------------


def test_a_policy_is_stopped_by_one_click_and_goes_on_by_two_people(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """The banner stands on the dashboard, the list of policies and the policy's page, for everybody who reads them."""
    row = document("escalation")
    analyst, manager, sales = (signed_in(p) for p in (people.analyst, people.manager, people.sales))
    assert "policy=escalation" in analyst.get(f"/policies/{row.id}").text
    assert "commands/StopPolicy" not in sales.get(f"/policies/{row.id}").text
    form = {"policy": "escalation", "entity": "", "reason": "wrong letters", "key": "k1"}
    assert sales.post("/commands/StopPolicy", form).status_code == 403
    assert analyst.post("/commands/StopPolicy", form).status_code == 303
    assert stop_of("escalation", None) is not None
    for path in ("/", "/policies/", f"/policies/{row.id}"):
        page = words_of(sales.get(path).text)
        assert "is stopped" in page
        assert "“wrong letters”" in page
    form = {"policy": "escalation", "entity": "", "reason": "repaired", "key": "k2"}
    assert "commands/ApproveResume" not in manager.get("/policies/").text
    assert manager.post("/commands/ProposeResume", form).status_code == 303
    assert "commands/ApproveResume" not in manager.get("/policies/").text
    assert manager.post("/commands/ApproveResume", form | {"key": "k3"}).status_code == 403
    second = signed_in(people.second)
    assert "commands/ApproveResume" in second.get("/policies/").text
    assert second.post("/commands/ApproveResume", form | {"key": "k4"}).status_code == 303
    assert "is stopped" not in words_of(sales.get("/").text)


# --- by every door of the console ---------------------------------------------------------


@pytest.mark.promise("F2")
def test_no_page_and_no_second_session_lets_an_author_approve(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, decided: Entity
) -> None:
    """Written in the workbench, from a file, by changing a number: two browsers of the author are refused alike."""
    live = document("hold")
    body = json.loads(live.body)
    first, again = signed_in(people.manager), signed_in(people.manager)
    opened = first.post(f"/policies/{live.id}/edit").headers["Location"]
    draft = Document.get_by_id(int(opened.rsplit("/", 1)[1]))
    body["because"] = "From a file."
    file = (BytesIO(json.dumps(body).encode()), "hold.json")
    uploaded = first.post("/policies/upload", {"file": file}).headers["Location"]
    taken = Document.get_by_id(int(uploaded.rsplit("/", 1)[1]))
    edit = {"document_id": draft.id, "version": draft.version, "document": {**body, "because": "Edited."}}
    runtime.execute(SaveDraft(actor=people.analyst.id, reason="edited", **edit))
    day = runtime.today(Entity.get()) + 1
    for row in (draft, taken):
        proposed = runtime.execute(
            ProposeDocument(actor=people.analyst.id, reason="as agreed", document=row.id, from_day=day)
        )
        rows = {"sha256": proposed["sha256"]}
        expected = 303 if row is draft else 403  # who only opened a draft wrote nothing in it
        for browser in (first, again):
            with runtime.database.atomic() as attempt:
                assert browser.post(f"/policies/{row.id}/approve", rows).status_code == expected
                attempt.rollback()
        assert Document.get_by_id(row.id).status == "proposed"
        for shown in (first, again):
            assert ("You had a hand in this" in words_of(shown.get(f"/policies/{row.id}").text)) is (expected == 403)


# --- in a browser ------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_stopping_commenting_and_going_back_by_labels(
    page_as: Callable[..., Any],
    people: SimpleNamespace,
    runtime: Runtime,
    decided: Entity,
    clock: Any,
    serious: Callable[[Any], list[str]],
    width: int,
    height: int,
) -> None:
    """What is written on the page leads through all of it; nothing serious for axe, no sideways scrolling."""
    old = document("hold")
    row = approved(runtime, people, second_version(runtime, people))
    clock.advance(days=1)
    run_entity(runtime, Entity.get(), row.from_day)
    watched = page_as(people.manager, width=width, height=height)
    page = watched.page

    def look(name: str) -> None:
        if width > 1_000 or name in ("stop-form", "back", "proposed"):  # the same markup: on a narrow screen a few
            assert serious(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)

    watched.goto(f"/policies/{row.id}")
    page.get_by_label("About").select_option(label="Changed label")
    page.get_by_role("textbox", name="Comment").fill("Whose idea was this?")
    page.get_by_role("button", name="Comment").click()
    page.get_by_text("Your comment stands beside the version.").wait_for()
    look("comment")
    page.get_by_role("link", name="Difference as document").click()
    page.wait_for_url("**/document*")
    look("document")
    watched.goto(f"/policies/{row.id}")
    page.get_by_role("link", name="Stop it now").click()
    page.get_by_label("Reason").fill("It holds the wrong customers.")
    look("stop-form")
    page.get_by_role("button", name="Stop the policy").click()
    page.get_by_text("is stopped").first.wait_for()
    look("stopped")
    watched.goto("/")
    look("dashboard")
    watched.goto("/policies/")
    look("policies")
    watched.goto(f"/policies/{old.id}")
    page.get_by_role("link", name="Go back to this version").click()
    page.get_by_role("button", name="See whom it touches").click()
    page.get_by_role("heading", name="Whom it touches").first.wait_for()
    look("back")
    page.get_by_role("button", name="Propose", exact=True).click()
    page.get_by_text("Proposed. A second person must approve it.").wait_for()
    look("proposed")
    other = page_as(people.second, width=width, height=height)
    other.goto("/policies/")
    other.page.get_by_role("link", name="a change waits for approval").click()
    other.page.get_by_role("button", name="Approve").click()
    other.page.get_by_text("Approved.").first.wait_for()
    other.goto("/policies/upload")
    assert serious(other.page) == []
