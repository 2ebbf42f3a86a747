"""Simulations in the console: choose changes, see what they would do, follow every number to its customers."""

import re
from collections.abc import Callable
from html import unescape
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import load_workbook

from admin import simulation_file
from admin.sheet import XLSX
from engine.tables import Action, Customer, Document, Entity, Outcome, Run, User, UserScope
from ledger.canonical import canonical, sha256_of
from rules.documents import shipped
from rules.thresholds import thresholds_of, with_threshold

CELL = re.compile(r'<td class="right(?: moved| stays)+"><a href="([^"]+)"[^>]*><span class="num">(\d+)</span>')
NEXT = re.compile(r'href="([^"]+)" rel="next"')
CUSTOMER = re.compile(r'href="/customers/(\d+)"')


def draft(key: str, owner: str, value: int, **more: Any) -> Document:
    """A draft of a shipped document with one number changed."""
    body = next(one for one in shipped() if one["key"] == key)
    place = next(t.place for t in thresholds_of(body) if t.owner == owner)
    body = with_threshold(body, place, value, "2020-01-01")
    return Document.create(
        kind=body["kind"],
        key=body["key"],
        stage=body.get("stage"),
        subject=body.get("subject"),
        sha256=sha256_of(body),
        body=canonical(body),
        status="draft",
        **more,
    )


@pytest.fixture
def stricter(decided: Entity) -> Document:
    """A draft that holds orders two days after the due date."""
    return draft("parameters", "hold_set_days", 2)


@pytest.fixture
def manager(people: SimpleNamespace, signed_in: Callable[[User], Any]) -> Any:
    """A credit manager who sees the entity whole."""
    return signed_in(people.manager)


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def sheet(book: Any, name: str) -> list[tuple[Any, ...]]:
    """The rows of a sheet."""
    return list(book[name].iter_rows(values_only=True))


def test_every_number_leads_to_its_customers(stricter: Document, manager: Any, monkeypatch: Any) -> None:
    """A cell of a matrix counts as many customers as its list names, page after page, each once."""
    monkeypatch.setattr("admin.simulations.PAGE_ROWS", 4)
    answer = manager.get(f"/simulations/answer?document={stricter.id}")
    assert answer.status_code == 200
    cells = CELL.findall(answer.text)
    assert len(cells) == 5  # three of the hold, two of the worklist's points
    for url, count in cells:
        named: list[str] = []
        page = manager.get(unescape(url)).text
        while True:
            named += CUSTOMER.findall(page)
            following = NEXT.search(page)
            if following is None:
                break
            page = manager.get(unescape(following[1])).text
        assert len(named) == len({*named}) == int(count), url


def test_the_pages_of_a_cell_are_read_back_as_they_were_read(
    stricter: Document, manager: Any, monkeypatch: Any
) -> None:
    """The page before the second one is the first one."""
    monkeypatch.setattr("admin.simulations.PAGE_ROWS", 3)
    first = manager.get(f"/simulations/customers?document={stricter.id}&stage=hold").text
    second = manager.get(unescape(NEXT.search(first)[1])).text  # type: ignore[index]
    back = re.search(r'href="([^"]+)" rel="prev"', second)
    assert back is not None
    again = manager.get(unescape(back[1])).text
    assert CUSTOMER.findall(again) == CUSTOMER.findall(first) != CUSTOMER.findall(second)


def test_the_work_of_a_collector_stands_beside_what_is_open_already(
    stricter: Document, manager: Any, people: SimpleNamespace
) -> None:
    """Customers on the worklist, calls and tasks that begin, and those of the diary."""
    Customer.update(collector=people.collector).execute()
    held = manager.get(f"/simulations/answer?document={stricter.id}").text
    row = words_of(held.partition("Work of each collector</h2>")[2].partition("</table>")[0])
    listed = Outcome.select().where(Outcome.worklist_points > 0).count()
    still_open = Action.select().where(Action.state == "open").count()
    assert still_open > 0
    change = r"([+−] \d+|as before)"
    found = re.search(rf"{people.collector.name} (\d+) {change} (\d+) {change} (\d+)", row)
    assert found is not None, row
    assert int(found[1]) >= listed
    assert int(found[5]) == still_open


def test_why_shows_both_explanations_side_by_side(stricter: Document, manager: Any) -> None:
    """What decides now stands beside what would decide then."""
    rows = manager.get(f"/simulations/customers?document={stricter.id}&stage=hold").text
    url = re.search(r'href="([^"]+)" aria-label="Both explanations', rows)
    assert url is not None
    page = manager.get(unescape(url[1]))
    moving = page.text.partition("What stays as it is")[0]
    assert "Released" in moving
    assert "Held" in moving
    assert "Overdue" in words_of(moving)
    assert manager.get(f"/simulations/why/999999?document={stricter.id}").status_code == 404


def test_several_changes_are_tried_in_the_order_of_the_address(
    stricter: Document, decided: Entity, manager: Any
) -> None:
    """Of two changes of the same document the later one counts, and the page can turn them round."""
    never = draft("parameters", "hold_set_days", 365)
    url = "/simulations/answer?document={}&document={}"
    held, free = (
        words_of(manager.get(url.format(*order)).text) for order in ((never.id, stricter.id), (stricter.id, never.id))
    )
    assert held == words_of(manager.get(f"/simulations/answer?document={stricter.id}").text)
    assert held != free
    page = manager.get(f"/simulations/?document={never.id}&document={stricter.id}").text
    earlier = re.search(r'href="([^"]+)"[^>]*>(?:(?!</a>).)*Earlier: Parameters', page)
    assert earlier is not None
    assert f"document={stricter.id}&document={never.id}" in unescape(earlier[1])


def test_only_a_segment_is_counted_when_it_is_asked_for(stricter: Document, manager: Any) -> None:
    """The numbers of the class add up to the whole."""
    counted = 0
    for name in "ABCDE":
        found = manager.get(f"/simulations/answer?document={stricter.id}&risk_class={name}").text
        counted += int(re.search(r"All <?[^\d]*(\d+)", words_of(found))[1])  # type: ignore[index]
    assert counted == Customer.select().count()


def test_a_stored_day_is_tried_on_its_own_facts(stricter: Document, decided: Entity, manager: Any) -> None:
    """Every day whose facts are kept can be chosen."""
    first = Run.select().order_by(Run.id).first()
    page = manager.get(f"/simulations/?document={stricter.id}").text
    assert f'<option value="{first.id}">' in page
    found = words_of(manager.get(f"/simulations/answer?document={stricter.id}&run={first.id}").text)
    assert "on the facts of 31 Mar 2026" in found


def test_the_excel_file_holds_the_whole_answer(stricter: Document, manager: Any, monkeypatch: Any) -> None:
    """Figures, matrices, movers, rules and every customer that changes; a limit is said."""
    answer = manager.get(f"/simulations/export.xlsx?document={stricter.id}")
    assert answer.mimetype == XLSX
    book = load_workbook(BytesIO(answer.data))
    assert book.sheetnames == ["Summary", "Matrices", "Movers", "Rules", "Customers"]
    summary = {row[0]: row[1:] for row in sheet(book, "Summary")}
    touched = summary["Customers touched"][1]
    assert touched == len(sheet(book, "Customers")) - 1 > 0
    before, after = summary["Customers with orders held"][:2]
    assert after - before == touched
    assert summary["Change 1"][2] == stricter.sha256
    matrix = [row for row in sheet(book, "Matrices") if row[0] == "Hold"]
    assert sum(row[3] for row in matrix) == Customer.select().count()
    rules = {(row[0], row[1]): row[2:] for row in sheet(book, "Rules")}
    assert rules["Hold", "Overdue"][0] < rules["Hold", "Overdue"][1]
    assert rules["Hold", "Insolvent"][1:] == (0, "never")
    monkeypatch.setattr(simulation_file, "CUSTOMERS_MAX", 2)
    book = load_workbook(BytesIO(manager.get(f"/simulations/export.xlsx?document={stricter.id}").data))
    assert sheet(book, "Customers")[-1][0] == f"The 2 with the largest exposure of {touched}."


def test_what_cannot_be_tried_says_where_and_what_to_do(decided: Entity, manager: Any) -> None:
    """The problem stands in the place of the answer."""
    broken = draft("scorecard", "A", 12)
    body = canonical({**next(one for one in shipped() if one["key"] == "scorecard"), "bands": [{"risk_class": 1}]})
    Document.update(body=body).where(Document.id == broken.id).execute()
    for part in ("sample", "answer"):
        found = manager.get(f"/simulations/{part}?document={broken.id}")
        assert found.status_code == 422
        assert "/bands/0" in found.text
    assert manager.get(f"/simulations/?document={broken.id}&now=1").status_code == 422


def test_who_does_not_see_the_whole_entity_sees_no_number(
    stricter: Document, people: SimpleNamespace, signed_in: Callable[[User], Any]
) -> None:
    """Neither a count nor a customer of others."""
    UserScope.update(portfolio="north").where(UserScope.user == people.analyst).execute()
    page = signed_in(people.analyst)
    found = page.get(f"/simulations/?document={stricter.id}")
    assert "shown to people who see the whole of one" in words_of(found.text)
    for part in ("sample", "answer", "customers", "export.xlsx", "why/1"):
        assert page.get(f"/simulations/{part}?document={stricter.id}").status_code == 404


def test_an_address_that_makes_no_sense_is_no_error(stricter: Document, manager: Any) -> None:
    """Unknown values are left out or not found."""
    words = "entity=xx&run=99999999999999&from_on=tomorrow&document=abc&document=-1"
    assert manager.get(f"/simulations/?{words}").status_code == 200
    one = f"document={stricter.id}"
    assert manager.get(f"/simulations/customers?{one}&stage=nonsense").status_code == 404
    assert manager.get(f"/simulations/customers?{one}&stage=hold&before=%7B").status_code == 404
    assert manager.get(f"/simulations/customers?{one}&stage=hold&before=%5B%5D&after=1").status_code == 404
    assert manager.get(f"/simulations/customers?{one}&stage=hold&at=nonsense").status_code == 200
    assert manager.get("/simulations/answer").status_code == 404
    assert manager.get("/simulations/answer?document=987654").status_code == 404


@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_a_change_is_chosen_tried_and_followed_with_the_keyboard_alone(
    stricter: Document, people: SimpleNamespace, page_as: Callable[..., Any], width: int, height: int
) -> None:
    """From the empty page to a customer's two explanations; the answer comes by itself."""
    watched = page_as(people.manager, width=width, height=height)
    watched.goto("/simulations/")
    watched.check()
    page = watched.page
    page.get_by_label("Change", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Simulate").focus()
    page.keyboard.press("Enter")
    page.get_by_text("customers were decided").wait_for()
    page.get_by_role("heading", name="Rules that nobody matches").wait_for()
    watched.check()
    page.get_by_role("link", name="Both explanations").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="What comes out otherwise").wait_for()
    watched.check()


def test_a_large_portfolio_is_estimated_first(
    stricter: Document,
    people: SimpleNamespace,
    page_as: Callable[..., Any],
    signed_in: Callable[[User], Any],
    monkeypatch: Any,
) -> None:
    """The sample's answer says its size and its margin; the full one takes its place."""
    monkeypatch.setattr("engine.simulation.SAMPLE", 10)
    monkeypatch.setattr("admin.simulations.SAMPLE", 10)
    found = signed_in(people.manager).get(f"/simulations/sample?document={stricter.id}")
    said = words_of(found.text)
    assert re.search(r"Estimated from a sample of \d+ customers", said)
    assert re.search(r"give or take \d+", said)
    assert "Both explanations" not in found.text  # nobody is named
    watched = page_as(people.manager)
    watched.goto(f"/simulations/?document={stricter.id}")
    watched.page.get_by_text("customers were decided").wait_for()
    watched.page.get_by_text("Estimated").wait_for(state="detached")
    watched.check()


def test_an_answer_that_fails_says_so(stricter: Document, people: SimpleNamespace, page_as: Callable[..., Any]) -> None:
    """The page keeps its form, and offers to try again."""
    watched = page_as(people.manager)
    watched.page.route("**/simulations/answer**", lambda route: route.fulfill(status=500, body="no"))
    watched.goto(f"/simulations/?document={stricter.id}")
    watched.page.get_by_text("The answer did not come.").wait_for()
    watched.page.get_by_role("link", name="Try again").wait_for()
