"""Lists: paging by key, ranking by figures, searching, and files no spreadsheet runs."""

import csv
import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.console import cursor, position
from admin.sheet import harmless
from engine.tables import Customer, Entity, Outcome

pytestmark = pytest.mark.both  # lists and commands are what a database does otherwise

HOSTILE = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "＝1", "  =1", "|x", "%x", "\0=1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_becomes_a_formula(text: str) -> None:
    """It is led by an apostrophe, which a spreadsheet shows nothing of."""
    assert harmless(text).startswith("'")


@pytest.mark.parametrize(("value", "cell"), [(-5, -5), (0, 0), (None, ""), ("Oak & Co", "Oak & Co"), (True, "yes")])
def test_numbers_stay_numbers_and_names_names(value: Any, cell: Any) -> None:
    """Only text that could be a formula is touched."""
    assert harmless(value) == cell


@given(st.text())
def test_whatever_the_text_no_cell_begins_like_a_formula(text: str) -> None:
    """A law over all strings."""
    assert str(harmless(text)).lstrip()[:1] not in set("=+-@\t\r")


@given(st.one_of(st.none(), st.integers(), st.text(max_size=50)), st.integers())
def test_a_position_survives_its_word(value: Any, key: int) -> None:
    """What a cursor names is what it was made of."""
    assert position(cursor(value, key)) == (value, key)


@given(st.text(max_size=60))
def test_a_made_up_position_is_none_or_plain(word: str) -> None:
    """A cursor from an address cannot be anything but a plain value and a key."""
    found = position(word)
    assert found is None or isinstance(found[1], str | int)


@pytest.fixture
def many(entity: Entity) -> list[Customer]:
    """Sixty customers in a known order, some with the same segment, some with none."""
    rows = [Customer.create(entity=entity, number=f"{n:03d}", name=f"Firm {n:03d}") for n in range(60)]
    for n, row in enumerate(rows):
        if n % 3:
            segment = ("standard", "risky")[n % 2]
            Outcome.create(customer=row, entity_id=entity.id, segment=segment, run_id=1, as_of_day=1)
    return rows


def names(text: str) -> list[str]:
    """The customers of a page, in order."""
    return re.findall(r">(Firm \d{3})</a>", text)


def walk(browser: Any, path: str, relation: str) -> list[list[str]]:
    """Follow next (or prev) links to the end."""
    pages = []
    while path:
        text = browser.get(path).text
        pages.append(names(text))
        link = re.search(rf'href="([^"]+)" rel="{relation}"', text)
        path = link.group(1).replace("&amp;", "&") if link else ""
        assert len(pages) < 10
    return pages


@pytest.mark.parametrize(
    "order", ["sort=name", "sort=name&desc=1", "sort=segment", "sort=segment&desc=1", "sort=level"]
)
def test_pages_together_are_the_whole_list_once(
    signed_in: Callable[..., Any], people: SimpleNamespace, many: list[Customer], order: str
) -> None:
    """Forward to the end, then back: nothing twice, nothing lost, ties and unknown values included."""
    browser = signed_in(people.manager)
    pages = walk(browser, f"/customers/?{order}", "next")
    assert [len(page) for page in pages] == [25, 25, 10]
    shown = [name for page in pages for name in page]
    assert sorted(shown) == sorted(row.name for row in many)
    last = browser.get(f"/customers/?{order}")
    for _ in range(2):
        link = re.search(r'href="([^"]+)" rel="next"', last.text)
        assert link is not None
        last = browser.get(link.group(1).replace("&amp;", "&"))
    link = re.search(r'href="([^"]+)" rel="prev"', last.text)
    assert link is not None
    back = walk(browser, link.group(1).replace("&amp;", "&"), "prev")
    assert back == [pages[1], pages[0]]


def test_a_search_finds_by_number_and_by_a_word_of_the_name(
    signed_in: Callable[..., Any], people: SimpleNamespace, many: list[Customer]
) -> None:
    """Beginnings only, so that an index can serve it."""
    browser = signed_in(people.manager)
    assert names(browser.get("/customers/?search=05").text) == [f"Firm {n:03d}" for n in range(50, 60)]
    assert names(browser.get("/customers/?search=Firm 007").text) == ["Firm 007"]
    assert "Nothing to show" in browser.get("/customers/?search=nobody").text


def test_a_mark_of_a_pattern_is_an_ordinary_letter(
    signed_in: Callable[..., Any], people: SimpleNamespace, many: list[Customer]
) -> None:
    """% and _ find nothing but themselves."""
    browser = signed_in(people.manager)
    assert names(browser.get("/customers/?search=%25").text) == []
    assert names(browser.get("/customers/?search=___").text) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "?sort=password",
        "?sort=0",
        "?after=x",
        "?after=eyJ9",
        "?view=x&level=99",
        "?figure=entity_id",
        "?page=-1&desc=x",
    ],
)
def test_a_strange_address_is_answered_as_if_it_were_not_there(
    signed_in: Callable[..., Any], people: SimpleNamespace, many: list[Customer], arguments: str
) -> None:
    """Never a fault."""
    assert signed_in(people.manager).get(f"/customers/{arguments}").status_code == 200


def test_an_export_holds_what_the_list_shows_and_runs_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace, many: list[Customer]
) -> None:
    """All rows of the search, headed, with a hostile name made harmless."""
    Customer.update(name='=HYPERLINK("http://elsewhere.example")').where(Customer.id == many[0].id).execute()
    text = signed_in(people.manager).get("/customers/export/csv/?sort=name").text
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][:3] == ["Number", "Customer", "Entity"]
    assert len(rows) == 61
    cells = [cell for row in rows[1:] for cell in row]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert not any(cell[:1] in "=+-@" for cell in cells if cell)


def test_a_figure_leads_to_the_rows_behind_it(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The dashboard's bucket of 1 to 30 days links to exactly the customers that have it, greatest first."""
    browser = signed_in(people.manager)
    assert "figure=d1_30" in browser.get("/").text
    text = browser.get("/customers/export/csv/?figure=d1_30&entity=main").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert 0 < len(rows) < 30
    assert all(row["Overdue"] not in {"", "0.00"} for row in rows)


def test_ranked_pages_are_the_whole_list_once(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Ranking by a figure pages by key as well."""
    browser = signed_in(people.manager)
    pages, path = [], "/customers/?sort=exposure&desc=1"
    while path:
        text = browser.get(path).text
        pages += re.findall(r'class="sub">(\d+)<', text)
        link = re.search(r'href="([^"]+)" rel="next"', text)
        path = link.group(1).replace("&amp;", "&") if link else ""
    assert len(pages) == len(set(pages)) == 30
