"""Promise G4: the headers of every answer, errors too; one shape of errors."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from admin.gate import SIGNED_IN, needs

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def break_down() -> str:
    """A view with a fault."""
    raise RuntimeError("secret of the house: 4711")


@pytest.fixture
def faulty(app: Flask) -> Flask:
    """The console with one route that raises."""
    app.add_url_rule("/broken", "broken", needs(SIGNED_IN)(break_down))
    return app


def check(answer: Any) -> None:
    """Every header, and a policy without a hole."""
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["object-src"] == "'none'"
    assert policy["base-uri"] == "'none'"
    for directive in ("script-src", "style-src"):
        assert "unsafe" not in policy[directive]
        assert policy[directive].startswith("'self' 'nonce-")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/customers/", 200),
        ("/customers/export/csv/", 200),
        ("/customers/999999", 404),
        ("/nowhere", 404),
        ("/account/new", 403),
        ("/logout", 405),
        ("/broken", 500),
        ("/static/console.css", 200),
        ("/healthz", 200),
    ],
)
def test_every_answer_carries_them(
    faulty: Flask, signed_in: Callable[..., Any], people: SimpleNamespace, path: str, status: int
) -> None:
    """Pages, files, exports and each kind of error."""
    answer = signed_in(people.manager).get(path, buffered=True)
    assert answer.status_code == status
    check(answer)
    cached = "static" in path
    assert (answer.headers["Cache-Control"] == "no-store") is not cached


def test_an_answer_to_nobody_carries_them(app: Flask) -> None:
    """The sign-in page and a refusal."""
    for path in ("/login", "/", "/customers/"):
        check(app.test_client().get(path))


def test_a_nonce_is_used_once(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """Two answers, two nonces."""
    browser = signed_in(people.manager)
    first, second = (browser.get("/").headers["Content-Security-Policy"] for _ in range(2))
    assert first != second


def test_a_fault_says_nothing_of_itself(faulty: Flask, signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """The exception's text goes to the log, not to the page."""
    answer = signed_in(people.manager).get("/broken")
    assert answer.status_code == 500
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/account/new", 403), ("/broken", 500)])
def test_a_program_gets_every_error_in_one_shape(
    faulty: Flask, signed_in: Callable[..., Any], people: SimpleNamespace, path: str, status: int
) -> None:
    """ok, error, errors with place, what and cure, status."""
    answer = signed_in(people.manager).get(path, headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert set(answer.json) == {"ok", "error", "errors", "status"}
    assert answer.json["ok"] is False
    assert answer.json["status"] == status
    assert all(set(error) == {"place", "what", "cure"} for error in answer.json["errors"])


def test_nobody_gets_the_same_shape(app: Flask) -> None:
    """401 for a program is JSON too."""
    answer = app.test_client().get("/customers/", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["status"]) == (401, 401)


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(app: Flask) -> None:
    """HttpOnly and SameSite."""
    cookie = app.test_client().get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_health_says_little_and_readiness_names_its_checks(app: Flask) -> None:
    """Both are open to a load balancer."""
    client = app.test_client()
    assert client.get("/healthz").json == {"ok": True}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json == {"ok": True, "checks": {"durable": True, "guarded": True, "outbox": True}}


@pytest.mark.parametrize(("wanted", "word"), [("de", 'lang="de"'), ("fr", 'lang="fr"'), ("xx", 'lang="en"')])
def test_a_page_names_its_language(app: Flask, wanted: str, word: str) -> None:
    """The browser's language where it is one of ours, else English."""
    assert word in app.test_client().get("/login", headers={"Accept-Language": wanted}).text
