"""A disk that is full, failing or read-only, a database that is busy: the page says so, and nothing is lost (E2)."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.runtime import Runtime
from engine.tables import AuditEntry, User

LANGUAGE = "/account/language"
POSTS_MAX = 200


@contextmanager
def full(runtime: Runtime) -> Iterator[None]:
    """The database may not grow."""
    (pages,) = runtime.database.execute_sql("pragma page_count").fetchone()
    runtime.database.execute_sql(f"pragma max_page_count = {pages}")
    yield
    runtime.database.execute_sql("pragma max_page_count = 1073741823")


@contextmanager
def read_only(runtime: Runtime) -> Iterator[None]:
    """The connection may not write."""
    runtime.database.execute_sql("pragma query_only = 1")
    yield
    runtime.database.execute_sql("pragma query_only = 0")


@contextmanager
def busy(runtime: Runtime) -> Iterator[None]:
    """Somebody else holds the write lock for longer than anybody waits."""
    other = sqlite3.connect(runtime.settings.database_path, isolation_level=None)
    other.execute("begin immediate")
    runtime.database.execute_sql("pragma busy_timeout = 1")
    yield
    runtime.database.execute_sql("pragma busy_timeout = 30000")
    other.execute("rollback")
    other.close()


@contextmanager
def failing(runtime: Runtime) -> Iterator[None]:
    """The write-ahead log may not grow."""
    size = runtime.settings.database_path.with_name("dunwell.db-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


SAYS = {
    full: "The disk is full.",
    read_only: "The disk or the database is read-only.",
    busy: "The database is busy.",
    failing: "The disk or the database does not answer.",
}


def choose(browser: Any, number: int, **more: Any) -> Any:
    """Change something: each change leaves an audit entry."""
    return browser.post(LANGUAGE, {"language": ("de", "en")[number % 2]}, **more)


def until_it_fails(browser: Any, **more: Any) -> Any:
    """Change something again and again, until there is no room."""
    for number in range(POSTS_MAX):
        answer = choose(browser, number, **more)
        if answer.status_code >= 400:
            return answer
    raise AssertionError("it never failed")


@pytest.mark.promise("E2")
@pytest.mark.parametrize("outage", SAYS, ids=lambda outage: outage.__name__)
def test_an_outage_is_503_with_its_cure_and_over_when_it_is_over(
    runtime: Runtime, signed_in: Callable[..., Any], people: Any, outage: Any
) -> None:
    """As a page and as JSON; nothing was changed; the same process goes on afterwards, without a restart."""
    browser = signed_in(people.manager)
    with outage(runtime):
        page = until_it_fails(browser, headers={"Accept-Language": "en"})
        before = AuditEntry.select().count(), User.get_by_id(people.manager.id).language
        told = until_it_fails(browser, headers={"Accept": "application/json", "Accept-Language": "en"})
        after = AuditEntry.select().count(), User.get_by_id(people.manager.id).language
        reading = browser.get("/")
    assert (page.status_code, told.status_code) == (503, 503)
    assert before == after
    assert page.headers["Retry-After"] == "60"
    assert "Content-Security-Policy" in page.headers
    assert told.json["ok"] is False
    assert told.json["status"] == 503
    assert told.json["errors"][0]["what"] == SAYS[outage] or before[1] == "de"
    assert told.json["errors"][0]["cure"]
    assert reading.status_code == 200  # who only reads does not notice
    assert choose(browser, 1).status_code in {302, 303}
    assert AuditEntry.select().count() == before[0] + 1


def test_the_page_of_an_outage_needs_no_database(runtime: Runtime, signed_in: Callable[..., Any], people: Any) -> None:
    """Not even who reads can be asked: it speaks the browser's language."""
    browser = signed_in(people.manager)
    runtime.database.close()
    path = runtime.settings.database_path
    path.rename(path.with_name("away.db"))
    path.mkdir()  # what cannot be opened
    try:
        answer = browser.get("/", headers={"Accept-Language": "de"})
    finally:
        path.rmdir()
        path.with_name("away.db").rename(path)
    assert answer.status_code == 503
    assert "Der Speicher oder die Datenbank antwortet nicht." in answer.text
    assert browser.get("/").status_code == 200
