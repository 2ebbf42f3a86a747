"""Lists of a million rows: what the console asks the database for, so that no page depends on how many there are.

How long it takes is measured by ``python -m benchmarks.lists``; here is why it can be short.
"""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from admin.console import PAGE_ROWS, ConsoleView, cursor
from engine.runtime import Runtime
from engine.tables import Customer, CustomerWord, Decision, Entity, Outcome, Run

LARGE = ("customer", "outcome", "action", "decision", "alert")
COUNTED = re.compile(r"\bcount\s*\(", re.IGNORECASE)
SKIPPED = re.compile(r"\boffset (\?|%s)$", re.IGNORECASE)
PAGE = re.compile(r"ORDER BY .* LIMIT (\?|%s)$", re.DOTALL)


def views_of(app: Flask) -> dict[str, ConsoleView]:
    """The lists of the console by endpoint."""
    found = {}
    for endpoint, function in app.view_functions.items():
        view = getattr(function, "__self__", None)
        if isinstance(view, ConsoleView) and endpoint.endswith(".index_view"):
            found[view.endpoint] = view
    return found


def orders(app: Flask) -> list[str]:
    """Every list in every order, from its beginning, from a position far down, and from its end."""
    paths = []
    for view in views_of(app).values():
        for sort, field in view.sorts.items():
            value = "m" if field is not None and field.field_type in ("TEXT", "VARCHAR") else 5
            for direction in ("", "&desc=1"):
                for place in ("", f"&after={cursor(value, 7)}", f"&before={cursor(value, 7)}", "&end=1"):
                    paths.append(f"{view.url}/?sort={sort}{direction}{place}")
    return paths


@pytest.fixture
def asked(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Every statement that reaches the database, with its values."""
    kept: list[tuple[str, Any]] = []
    execute = type(runtime.database).execute_sql

    def note(self: Any, sql: str, params: Any = None) -> Any:
        kept.append((sql, params))
        return execute(self, sql, params)

    monkeypatch.setattr(type(runtime.database), "execute_sql", note)
    return kept


@pytest.mark.promise("I1")
def test_no_list_counts_or_skips_rows(
    app: Flask, signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, asked: list[tuple[str, Any]]
) -> None:
    """Neither count nor offset: each tab, order, filter, search and position of each list."""
    browser = signed_in(people.manager)
    paths = orders(app)
    for view in views_of(app).values():
        paths += [f"{view.url}/", *(f"{view.url}/?view={tab.key}" for tab in view.tabs)]
        paths += [f"{view.url}/?search=Oak"] if view.searched else []
    asked.clear()
    for path in paths:
        assert browser.get(path).status_code in {200, 403}, path
    assert len(asked) > len(paths)
    assert [sql for sql, values in asked if COUNTED.search(sql) or (SKIPPED.search(sql) and values[-1])] == []


@pytest.fixture
def some(entity: Entity) -> None:
    """A few customers with outcomes and decisions: what is planned for them is planned for a million."""
    run = Run.create(entity=entity, as_of_day=1, kind="nightly", state="done", started_at=1)
    for number in range(5):
        customer = Customer.create(entity=entity, number=f"{number:03d}", name=f"Firm {number:03d}")
        known = {"customer": customer, "entity_id": entity.id, "as_of_day": 1}
        Outcome.create(**known, run_id=run.id, segment="standard", risk_class="A", worklist_points=number)
        Decision.create(**known, run=run, edition="", changes="{}", facts="{}", confirmed_by="durable", created_at=1)


def plan_of(runtime: Runtime, sql: str, values: Any) -> str:
    """How the database would carry a statement out, with nothing but indexes to choose from."""
    if runtime.database.driver == "sqlite":
        return "\n".join(row[3] for row in runtime.database.execute_sql(f"explain query plan {sql}", values).fetchall())
    with runtime.database.atomic() as attempt:
        for way in ("seqscan", "sort", "hashjoin", "mergejoin", "bitmapscan"):
            runtime.database.execute_sql(f"set local enable_{way} = off")
        plan = "\n".join(row[0] for row in runtime.database.execute_sql(f"explain {sql}", values).fetchall())
        attempt.rollback()
    return plan


@pytest.mark.promise("I1")
@pytest.mark.both
def test_an_index_orders_every_list(
    app: Flask,
    runtime: Runtime,
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
    some: None,
    asked: list[tuple[str, Any]],
) -> None:
    """A page of a large table is read in its order, wherever it begins: nothing is sorted."""
    browser = signed_in(people.manager)
    paths = [path for path in orders(app) if path.startswith(("/customers/", "/decisions/", "/worklist/"))]
    asked.clear()
    for path in paths:
        assert browser.get(path).status_code == 200, path
    pages = {
        sql: values
        for sql, values in list(asked)
        if PAGE.search(sql) and values[-1] == PAGE_ROWS + 1 and re.search(rf'FROM "({"|".join(LARGE)})"', sql)
    }
    assert len(pages) > 10
    for sql, values in pages.items():
        plan = plan_of(runtime, sql, values)
        assert "TEMP B-TREE FOR ORDER BY" not in plan, f"{sql}\n{plan}"
        assert not re.search(r"^\W*Sort\b", plan, re.MULTILINE), f"{sql}\n{plan}"


@pytest.mark.both
def test_words_are_kept_as_customers_come_and_are_renamed(entity: Entity) -> None:
    """In small letters, each once, of number and name; marks and quotes are ordinary letters."""
    customer = Customer.create(entity=entity, number="C-7", name='Oak "The" Oak  \\ 100%')

    def words() -> list[str]:
        rows = CustomerWord.select().where(CustomerWord.customer == customer)
        return sorted(bytes(row.word).decode() for row in rows)

    assert words() == ['"the"', "100%", "\\", "c-7", "oak"]
    Customer.update(name="Elm").where(Customer.id == customer.id).execute()
    assert words() == ["c-7", "elm"]
    Customer.update(portfolio="north").where(Customer.id == customer.id).execute()
    assert words() == ["c-7", "elm"]


@pytest.mark.both
def test_a_search_of_many_finds_the_same_as_a_search_of_few(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the words or the list's order lead, and whether a figure ranks it."""
    from admin import finding

    for number in range(40):
        customer = Customer.create(entity=entity, number=f"{number:03d}", name=f"Firm {number} {'Oak' * (number % 2)}")
        Outcome.create(customer=customer, entity_id=entity.id, run_id=1, as_of_day=1, hold=number % 3 == 0)
    browser = signed_in(people.manager)
    paths = ["/customers/?search=firm", "/customers/?search=oak firm&end=1", "/customers/?view=held&sort=name"]
    few = [re.findall(r">(Firm [^<]+)</a>", browser.get(path).text) for path in paths]
    monkeypatch.setattr(finding, "FEW", 3)
    some = [re.findall(r">(Firm [^<]+)</a>", browser.get(path).text) for path in paths]
    monkeypatch.setattr(finding, "SOME", 3)
    many = [re.findall(r">(Firm [^<]+)</a>", browser.get(path).text) for path in paths]
    assert few == some == many
    assert [len(names) for names in few] == [25, 20, 14]


def test_the_last_page_is_one_step_away(signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity) -> None:
    """And leads back to the page before it."""
    for number in range(60):
        Customer.create(entity=entity, number=f"{number:03d}", name=f"Firm {number:03d}")
    browser = signed_in(people.manager)
    last = browser.get("/customers/?sort=name&end=1").text
    names = re.findall(r">(Firm \d+)</a>", last)
    assert names == [f"Firm {number:03d}" for number in range(35, 60)]
    assert 'rel="next"' not in last
    assert 'rel="prev"' in last
    assert "end=1" in browser.get("/customers/?sort=name").text
