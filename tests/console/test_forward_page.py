"""Looking ahead in the console: the coming weeks, in force and with a change, while they are computed."""

import io
import json
import re
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from admin import forward_page
from engine.forward import Pair, look_ahead
from engine.frames import rows_of
from engine.outlook import Outlook, outlook_of
from engine.runtime import Runtime
from engine.stopping import StopPolicy
from engine.tables import Customer, Document, Entity, User, UserScope
from ledger.canonical import canonical, sha256_of
from rules.thresholds import thresholds_of, with_threshold

AHEAD = "/simulations/forward"


@pytest.fixture
def draft(decided: Entity) -> Document:
    """A draft of the escalation whose first reminder comes two days after the due date."""
    before = Document.get(Document.key == "escalation")
    body = json.loads(before.body)
    place = next(one.place for one in thresholds_of(body) if one.owner == "standard-p4")
    changed = with_threshold(body, place, 2, "2026-04-02")
    return Document.create(
        kind="policy",
        key="escalation",
        stage="escalation",
        subject="customer",
        sha256=sha256_of(changed),
        body=canonical(changed),
        status="draft",
        replaces=before.sha256,
    )


def ahead(runtime: Runtime, entity: Entity, *changed: Document, weeks: int = 2) -> Outlook:
    """What the engine foretells."""
    bodies = [json.loads(document.body) for document in changed]
    return outlook_of(list(look_ahead(runtime, entity, bodies, days=7 * weeks)), 0)


def steps_of(outlook: Outlook, side: str = "live") -> int:
    """How many steps begin in all."""
    return sum(count.steps for count in outlook.sides[side].counts().values())


def test_the_page_says_what_was_computed(runtime: Runtime, decided: Entity, people: Any, signed_in: Any) -> None:
    """The sum is the engine's; each week was told, in order, before the answer came."""
    steps = steps_of(ahead(runtime, decided))
    assert steps > 0
    text = signed_in(people.manager).get(f"{AHEAD}?weeks=2").text
    told = [text.index(f"Week {week} of 2:") for week in (1, 2)]
    assert told == sorted(told)
    assert told[-1] < text.index("Steps by week</h2>")
    assert f'<div class="value"><span class="num">{steps}</span></div>' in text
    assert "With the change" not in text


def test_it_is_sent_while_it_is_computed(
    runtime: Runtime, decided: Entity, people: Any, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form and the days decided so far have left before the next day is begun."""
    begun: list[int] = []

    def slowly(*given: Any, **named: Any) -> Any:
        for pair in look_ahead(*given, **named):
            begun.append(pair.live.day)
            yield pair

    monkeypatch.setattr(forward_page, "look_ahead", slowly)
    answer = signed_in(people.manager).get(f"{AHEAD}?weeks=2", buffered=False)
    pieces = iter(answer.response)
    assert "Deciding the coming days" in next(pieces).decode()
    assert begun == []
    assert "Week 1 of 2:" in next(pieces).decode()
    for day in range(2, 8):
        assert "Week" not in next(pieces).decode()
        assert len(begun) == day
    assert "Week 2 of 2:" in next(pieces).decode()
    assert "Steps by week" in b"".join(pieces).decode()


def test_a_draft_stands_beside_what_is_in_force(
    runtime: Runtime, decided: Entity, draft: Document, people: Any, signed_in: Any
) -> None:
    """Both numbers, the difference, and the draft by its name."""
    found = ahead(runtime, decided, draft)
    live, then = (found.sides[side].counts() for side in ("live", "then"))
    assert live != then
    text = signed_in(people.manager).get(f"{AHEAD}?document={draft.id}&weeks=2").text
    assert "With the change" in text
    assert f'href="/policies/{draft.id}"' in text
    step, channel, week = next(key for key in live if then.get(key) not in (None, live[key]))
    cell = rf"side=live&amp;week={week}&amp;step={step}&amp;channel={channel}\">{live[step, channel, week].steps}</a>"
    assert re.search(cell, text)
    cell = rf"side=then&amp;week={week}&amp;step={step}&amp;channel={channel}\">{then[step, channel, week].steps}</a>"
    assert re.search(cell, text)


def test_behind_a_number_stand_its_customers(
    runtime: Runtime, decided: Entity, people: Any, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps as the engine's, from the answer that is kept; a process without it computes again."""
    found = ahead(runtime, decided)
    (step, channel, week), count = max(found.live.counts().items(), key=lambda item: item[1].steps)
    names = {Customer.get_by_id(row["customer_id"]).name for row in rows_of(found.live.rows(week=week, step=step))}
    browser = signed_in(people.manager)
    where = f"{AHEAD}/customers?entity={decided.code}&weeks=2&side=live&week={week}&step={step}&channel={channel}"
    anew = browser.get(where).text
    assert "Deciding the coming days" in anew
    monkeypatch.setattr(forward_page, "look_ahead", None)
    kept = browser.get(where).text
    assert "Deciding the coming days" not in kept
    for text in (anew, kept):
        assert f"<h2>{count.steps} step" in text
        assert all(name in text for name in names)


def test_a_new_night_makes_the_kept_answer_old(
    runtime: Runtime, decided: Entity, people: Any, signed_in: Any, trade: Any, clock: Any
) -> None:
    """What is kept belongs to the day it started from."""
    signed_in(people.manager).get(f"{AHEAD}?weeks=1")
    clock.advance(days=1)
    trade.decide(runtime, Entity.get_by_id(decided.id), runtime.today(decided))
    assert (
        "Deciding the coming days"
        in signed_in(people.manager).get(f"{AHEAD}/customers?entity={decided.code}&weeks=1").text
    )


def test_the_workbook_has_every_step(
    runtime: Runtime, decided: Entity, draft: Document, people: Any, signed_in: Any
) -> None:
    """One row per step and side, sums as on the page."""
    found = ahead(runtime, decided, draft)
    answer = signed_in(people.manager).get(f"{AHEAD}/xlsx?document={draft.id}&entity={decided.code}&weeks=2")
    book = load_workbook(io.BytesIO(answer.data))
    rows = list(book["Steps"].iter_rows(min_row=2, values_only=True))
    assert len(rows) == steps_of(found, "live") + steps_of(found, "then")
    assert {row[1] for row in rows} == {"In force", "With the change"}
    weekly = list(book["By week"].iter_rows(min_row=2, values_only=True))
    assert sum(row[-2] for row in weekly if row[2] == "In force") == steps_of(found, "live")


def test_only_who_sees_an_entity_whole_sees_its_counts(
    decided: Entity, people: Any, signed_in: Any, make_user: Any, password_hash: str
) -> None:
    """Of an entity seen in part there is neither count nor list nor workbook."""
    UserScope.update(portfolio="north").where(UserScope.user == people.collector).execute()
    browser = signed_in(people.collector)
    assert "No entity is open to you as a whole" in browser.get(AHEAD).text
    for path in (
        f"{AHEAD}?entity={decided.code}",
        f"{AHEAD}/customers",
        f"{AHEAD}/xlsx",
        f"{AHEAD}/customers?entity=other",
    ):
        assert browser.get(path).status_code == 404
    assert signed_in(people.manager).get(f"{AHEAD}?document=99999").status_code == 404


def test_an_entity_that_does_not_send_says_so(decided: Entity, people: Any, signed_in: Any) -> None:
    """No step begins; what is held is shown all the same."""
    Entity.update(sending=False).where(Entity.id == decided.id).execute()
    text = signed_in(people.manager).get(AHEAD).text
    assert "Nothing would be sent" in text
    assert "No step begins" in text
    assert "Orders held at the end" in text
    asked = f"{AHEAD}?weeks=1&as_if_live=yes"
    assert f"{AHEAD}?weeks=4&amp;entity={decided.code}&amp;as_if_live=yes" in text
    Entity.update(live_from_day=None, live_after_run=None).where(Entity.id == decided.id).execute()
    text = signed_in(people.manager).get(asked).text
    assert "As if" in text
    assert "Nothing would be sent" not in text
    assert "No step begins" not in text


def test_a_stopped_policy_is_named(runtime: Runtime, decided: Entity, people: Any, signed_in: Any) -> None:
    """Whoever reads that nothing begins reads why."""
    runtime.execute(StopPolicy(actor=people.manager.id, reason="does harm", policy="escalation"))
    text = signed_in(people.manager).get(f"{AHEAD}?weeks=1").text
    assert "Stopped: " in text
    assert "No step begins" in text


def test_what_cannot_be_computed_is_said_on_the_page(
    decided: Entity, people: Any, signed_in: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entity that is behind names its cure; a fault of ours names no internals; both leave a whole page."""
    browser = signed_in(people.manager)
    assert "This is not a date" not in browser.get(f"{AHEAD}?weeks=1").text
    escalation = Document.get(Document.key == "escalation").id
    broken = browser.get(f"{AHEAD}?document={escalation}&from_on=soon&weeks=1").text
    assert "This is not a date" in broken

    def fails(*_given: Any, **_named: Any) -> list[Pair]:
        raise RuntimeError("the very inside")

    with monkeypatch.context() as patch:
        patch.setattr(forward_page, "look_ahead", fails)
        text = browser.get(AHEAD).text
    assert "Something went wrong" in text
    assert "the very inside" not in text
    assert text.rstrip().endswith("</html>")
    clock.advance(days=2)
    text = signed_in(people.manager).get(AHEAD).text
    assert "2 days behind" in text
    assert "let the workers decide" in text


def test_a_policy_leads_here(decided: Entity, draft: Document, people: Any, signed_in: Any) -> None:
    """From the draft with the draft; from the sidebar without."""
    browser = signed_in(people.manager)
    assert f'href="/simulations/forward?document={draft.id}"' in browser.get(f"/policies/{draft.id}").text
    assert 'href="/simulations/forward"' in browser.get("/policies/").text


@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_in_a_browser_by_the_keyboard(
    decided: Entity, draft: Document, people: Any, page_as: Any, width: int, height: int
) -> None:
    """Asked by labels and Enter, read, followed to the customers and back; axe finds nothing serious."""
    watched = page_as(people.manager, width=width, height=height)
    page = watched.page
    watched.goto(f"{AHEAD}?document={draft.id}&weeks=1")
    page.get_by_label("Weeks").select_option("2")
    page.get_by_role("button", name="Look ahead").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Work by collector").wait_for()
    page.get_by_text("Deciding the coming days").wait_for(state="hidden")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("[data-chart=ahead] canvas")).to_have_count(1)
    watched.check()
    page.locator("table.weeks tbody a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Steps that begin").wait_for()
    watched.check()
    page.get_by_role("navigation", name="Way back").get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Steps by week").wait_for()


def test_users_of_other_entities_choose_among_theirs(
    runtime: Runtime, decided: Entity, people: Any, signed_in: Any
) -> None:
    """A document of one entity is looked at for that entity only."""
    other = Entity.create(code="other", name="Other Ltd", currency="EUR", zone="UTC", country="DE")
    UserScope.create(user=User.get(User.email == people.manager.email), entity=other)
    text = signed_in(people.manager).get(f"{AHEAD}?entity=other").text
    assert "was not decided yet" in text
    assert "run it once" in text
