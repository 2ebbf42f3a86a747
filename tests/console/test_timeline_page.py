"""The timeline of scenarios: steps on a line of days, moved and changed by the same door as any part of a draft."""

import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import expect

from engine.editions import documents_in_force
from engine.tables import AuditEntry, Document, Entity, Standing

FIRST = "/escalation/scenarios/standard/1"
SPOKEN = {"HX-Request": "true"}


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


class Bench:
    """A person at the timeline of one draft."""

    def __init__(self, browser: Any, document_id: int) -> None:
        self.browser, self.id = browser, document_id
        self.address = f"/workbench/{document_id}/timeline"

    @property
    def row(self) -> Document:
        """The draft as it is now."""
        found: Document = Document.get_by_id(self.id)
        return found

    def steps(self, scenario: str = "standard") -> list[dict[str, Any]]:
        """The steps of a scenario as they are saved."""
        found: list[dict[str, Any]] = json.loads(self.row.body)["escalation"]["scenarios"][scenario]
        return found

    def scenarios(self) -> list[str]:
        """Their names."""
        return list(json.loads(self.row.body)["escalation"]["scenarios"])

    def do(self, do: str, place: str = "", of: str = "", **fields: str) -> Any:
        """Send one edit as the page does."""
        values = {"version": str(self.row.version), "do": do, "place": place, "of": of, **fields}
        return self.browser.post(f"/workbench/{self.id}/edit", values, headers=SPOKEN)

    def page(self, **asked: str) -> str:
        """The page."""
        text: str = self.browser.get(self.address, query_string=asked).text
        return text


@pytest.fixture
def bench(signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity) -> Callable[..., Bench]:
    """``bench()``: the manager at a draft of the escalation in force."""

    def open_draft(key: str = "escalation", user: Any = None) -> Bench:
        browser = signed_in(user or people.manager)
        live = next(d for d in documents_in_force(None, 10**5) if d.key == key)
        answer = browser.post(f"/policies/{live.id}/edit")
        return Bench(browser, int(re.search(r"/workbench/(\d+)", answer.location)[1]))  # type: ignore[index]

    return open_draft


def form_of(page: str) -> dict[str, str]:
    """The fields of the open step, as a browser would send them."""
    form = re.search(r'<form class="form wide editor".*?</form>', page, re.S)
    assert form is not None
    text = unescape(form[0])
    fields = dict(re.findall(r'<input (?:type="hidden" |id="[^"]*" )?name="([^"]+)" value="([^"]*)"', text))
    for name, options in re.findall(r'<select id="[^"]*" name="([^"]+)">(.*?)</select>', text, re.S):
        fields[name] = re.search(r'value="([^"]*)" selected', options)[1]  # type: ignore[index]
    fields |= dict(re.findall(r'<textarea id="[^"]*" name="([^"]+)"[^>]*>(.*?)</textarea>', text, re.S))
    return {name: value for name, value in fields.items() if name != "csrf_token"}


def test_the_draft_of_an_escalation_opens_as_a_line_of_days(bench: Callable[..., Bench]) -> None:
    """Every step a card that says when, what, how and by whom, without a sign; the due date between them."""
    at = bench()
    assert at.browser.get(f"/workbench/{at.id}").location.endswith(f"/workbench/{at.id}/timeline")
    page = at.page()
    words = words_of(page)
    assert re.search(r"10 days before the due date Note before .*Due date .*4 days after the due date First rem", words)
    assert "confirmed first by the collector" in words
    assert not re.search(r">\s*[-−]\d+\s*<", page)
    assert len(re.findall(r'class="step[ "]', page)) == len(at.steps())
    assert f'data-count="{FIRST}"' in page
    assert "For customers whose “Segment” is “Risky”." in words_of(at.page(at="risky"))
    assert bench("hold").browser.get(bench("hold").address).status_code == 404


def test_a_step_is_moved_by_days_and_taken_back(bench: Callable[..., Bench]) -> None:
    """It goes on standing for the same customers: its key stays; the audit trail says where it stands now."""
    at = bench()
    before = at.steps()
    answer = at.do("shift", FIRST, "standard-p4", by="4")
    assert answer.status_code == 200
    assert [step["key"] for step in at.steps()][1:3] == ["standard-p7", "standard-p4"]
    assert at.steps()[2]["days"] == 8
    assert 'data-focus="step-standard-p4"' in answer.text
    entry = AuditEntry.select().where(AuditEntry.command == "SaveDraft").order_by(AuditEntry.id.desc()).get()
    assert entry.reason == "Step “First reminder” moved: 8 days after the due date"
    undo = at.browser.post(f"/workbench/{at.id}/undo", {"version": str(at.row.version)}, headers=SPOKEN)
    assert undo.status_code == 200
    assert at.steps() == before
    assert at.do("shift", FIRST, "standard-p4", by="x").status_code == 422
    assert at.do("shift", FIRST, "nobody", by="1").status_code == 422
    assert at.steps() == before


def test_a_step_is_added_where_one_points(bench: Callable[..., Bench]) -> None:
    """It opens at once; a day that is taken, or none, is refused in words."""
    at = bench()
    answer = at.do("add-step:standard", days="17", timing="after")
    assert answer.status_code == 200
    assert [step["days"] for step in at.steps()][3:6] == [14, 17, 21]
    assert 'name="key" value="standard-p17"' in answer.text
    assert "There is a step on this day already." in words_of(
        at.do("add-step:standard", days="17", timing="after").text
    )
    early = at.do("add-step:standard", days="3", timing="before")
    assert early.status_code == 200
    assert [step["days"] for step in at.steps()][:3] == [-10, -3, 4]
    refused = at.do("add-step:standard", days="0", timing="before")
    assert refused.status_code == 422
    assert "The number of days is at least 1" in words_of(refused.text)


def test_the_day_of_an_open_step_is_typed(bench: Callable[..., Bench]) -> None:
    """Saved with another day it stands elsewhere, still open; before or after is chosen, never signed."""
    at = bench()
    fields = form_of(at.page(open=FIRST))
    assert (fields["days"], fields["timing"], fields["at"]) == ("4", "after", "standard")
    answer = at.do(**{**fields, "do": "save", "days": "9"})
    assert answer.status_code == 200, words_of(answer.text)
    assert [step["key"] for step in at.steps()][1:3] == ["standard-p7", "standard-p4"]
    assert re.search(r'id="step-standard-p4"[^>]*aria-current="true"', answer.text)
    fields = form_of(answer.text)
    assert (fields["place"], fields["of"]) == ("/escalation/scenarios/standard/2", "standard-p4")
    taken = at.do(**{**fields, "do": "save", "days": "14"})
    assert taken.status_code == 422
    assert "already stands at this day" in words_of(taken.text)
    assert at.do(**{**fields, "do": "save", "days": "-9"}).status_code == 422


def test_scenarios_are_copied_renamed_and_removed(bench: Callable[..., Bench]) -> None:
    """Each edit shows the scenario it made; the standard one stays."""
    at = bench()
    assert "Scenario: Export" in words_of(at.do("add-scenario", scenario="export", copy_of="risky", at="standard").text)
    assert [step["days"] for step in at.steps("export")] == [step["days"] for step in at.steps("risky")]
    assert at.do("add-scenario", scenario="export", copy_of="").status_code == 422
    assert "Scenario: State" in words_of(at.do("rename-scenario:export", scenario="state").text)
    assert "Scenario: Standard" in words_of(at.do("remove-scenario:state", at="state").text)
    assert "state" not in at.scenarios()


def test_two_people_do_not_overwrite_each_other(bench: Callable[..., Bench], people: SimpleNamespace) -> None:
    """The second is shown both sides in words, and may put theirs again."""
    mine, hers = bench(), bench(user=people.second)
    assert mine.do("shift", FIRST, "standard-p4", by="1").status_code == 200
    saved = mine.steps()
    answer = hers.do("shift", FIRST, "standard-p4", by="2", version="1")
    assert (answer.status_code, hers.steps()) == (409, saved)
    assert re.search("5 days after the due date.*6 days after the due date", words_of(answer.text))
    again = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
    assert hers.do(**{name: again[name] for name in ("do", "place", "of", "by", "version")}).status_code == 200
    assert hers.steps()[1]["days"] == saved[2]["days"] or hers.steps()[1]["days"] == 8


def test_findings_stand_at_their_step(bench: Callable[..., Bench]) -> None:
    """A step customers stand at cannot quietly get another level: its card says so, and one click leads them along."""
    at = bench()
    key = Standing.select().where(Standing.open, Standing.level > 0).get().step_key
    scenario, index = next(
        (name, number) for name in at.scenarios() for number, step in enumerate(at.steps(name)) if step["key"] == key
    )
    place = f"/escalation/scenarios/{scenario}/{index}"
    days = at.steps(scenario)[index]["days"]
    answer = at.do("shift", place, key, by=str(-days - 1))
    assert answer.status_code == 200
    assert re.search(rf'class="step error" id="step-{key}"', answer.text)
    assert "is in use at" in words_of(answer.text)
    index = [step["key"] for step in at.steps(scenario)].index(key)
    answer = at.do("renew-key", f"/escalation/scenarios/{scenario}/{index}", key)
    assert answer.status_code == 200
    assert "is in use at" not in words_of(answer.text)
    new = at.steps(scenario)[index]["key"]
    assert json.loads(at.row.body)["escalation"]["mapping"]["steps"] == {key: new}


def test_each_card_says_for_how_many_it_is_due_and_how_many_stand_there(bench: Callable[..., Bench]) -> None:
    """On the facts of the last run: the steps due are as many customers as any step is due for."""
    at = bench()
    places = at.browser.get(f"/policies/{at.id}/counts").json["places"]
    steps = {place: one for place, one in places.items() if place.count("/") == 4}
    total = sum(len(at.steps(name)) for name in at.scenarios())
    assert len(steps) == total
    standing = Standing.select().where(Standing.open, Standing.step_key.is_null(False)).count()
    assert standing > 0
    here = [re.search(r", (\d+) here$", one["words"]) for one in steps.values()]
    assert sum(int(found[1]) for found in here if found) == standing
    assert all(re.match(r"\d+ customers? due", one["words"]) for one in steps.values())
    assert sum(one["customers"] for one in steps.values()) == places["/rules"]["customers"]


@pytest.mark.browser
def test_steps_are_moved_with_the_keyboard_and_with_the_mouse(
    page_as: Callable[..., Any], people: SimpleNamespace, bench: Callable[..., Bench]
) -> None:
    """Arrow keys move the focused card by days, past a day that is taken, and the focus stays; so does the mouse."""
    at, watched = bench(), page_as(people.manager)
    watched.goto(at.address)
    page = watched.page
    card = page.locator(".track").get_by_role("link", name="First reminder")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Shift+ArrowRight"):
        card.press(key)
    page.get_by_text("Step “First reminder” moved: 13 days after the due date").first.wait_for()
    assert {step["key"]: step["days"] for step in at.steps()}["standard-p4"] == 13
    expect(page.locator("#step-standard-p4")).to_be_focused()
    watched.check()
    box, days = card.bounding_box(), page.locator(".track").evaluate("one => Number(one.dataset.high)")
    assert days >= 55
    page.mouse.move(box["x"] + 30, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 24, steps=3)
    page.mouse.move(10, box["y"] + 24, steps=3)
    page.mouse.up()
    page.get_by_text(re.compile("Step “First reminder” moved: .* before the due date")).first.wait_for()
    assert [step["key"] for step in at.steps()].index("standard-p4") == 0
    page.get_by_role("button", name="Undo").click()
    card.get_by_text("13 days after the due date").wait_for()
    assert {step["key"]: step["days"] for step in at.steps()}["standard-p4"] == 13
    watched.check()
