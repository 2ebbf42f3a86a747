"""Signing in: who gets a session, for how long, and how often one may try."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask

from admin.app import create_app
from engine.runtime import Runtime
from engine.tables import User, UserRole

PASSWORD = "correct horse battery staple"  # of everybody in these tests
WRONG = "This address and password do not belong together."


def test_a_right_password_opens_the_console(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """After signing in the first page answers 200 and names the person."""
    answer = signed_in(people.manager).get("/")
    assert answer.status_code == 200
    assert people.manager.email in answer.text


def test_a_hash_of_weaker_settings_is_made_anew_at_the_first_sign_in(runtime: Runtime, people: SimpleNamespace) -> None:
    """With the settings of today, from the password just typed; the next sign-in leaves it as it is."""
    app = create_app(runtime)
    app.testing = True
    hashes = [User.get_by_id(people.manager.id).password]
    for _ in range(2):
        client = app.test_client()
        token = re.search(r'csrf_token" value="([^"]+)', client.get("/login").text)
        assert token is not None
        values = {"email": people.manager.email, "password": PASSWORD, "csrf_token": token.group(1)}
        assert client.post("/login", data=values).status_code == 302
        hashes.append(User.get_by_id(people.manager.id).password)
    weak, first, second = hashes
    assert "$m=8,t=1,p=1$" in weak
    assert not PasswordHasher().check_needs_rehash(first)
    assert second == first


@pytest.mark.parametrize("email", ["credit.manager@dunwell.example", "nobody@dunwell.example"])
def test_a_wrong_password_and_an_unknown_address_look_alike(app: Flask, email: str) -> None:
    """The same words for both: nobody learns which addresses exist."""
    client = app.test_client()

    token = re.search(r'csrf_token" value="([^"]+)', client.get("/login").text)
    assert token is not None
    answer = client.post("/login", data={"email": email, "password": "wrong", "csrf_token": token.group(1)})
    assert WRONG in answer.text
    assert client.get("/").status_code == 401


def test_the_sixth_try_within_a_minute_is_refused(app: Flask, people: SimpleNamespace) -> None:
    """Five tries a minute per account and address, whatever the password."""
    app.extensions["dunwell_limiter"].enabled = True
    client = app.test_client()

    token = re.search(r'csrf_token" value="([^"]+)', client.get("/login").text)
    assert token is not None
    values = {"email": people.sales.email, "password": "wrong", "csrf_token": token.group(1)}
    assert [client.post("/login", data=values).status_code for _ in range(6)] == [200] * 5 + [429]


def test_a_session_ends_after_twelve_hours(signed_in: Callable[..., Any], people: SimpleNamespace, clock: Any) -> None:
    """Eleven hours and fifty-nine minutes go on, twelve hours and a second do not."""
    browser = signed_in(people.manager)
    clock.advance(hours=11, minutes=59)
    assert browser.get("/").status_code == 200
    clock.advance(minutes=1, seconds=1)
    assert browser.get("/").status_code == 401


def test_a_withdrawn_role_counts_at_once(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """Permissions are read at each request, not kept in the session."""
    browser = signed_in(people.manager)
    assert browser.get("/customers/").status_code == 200
    UserRole.delete().where(UserRole.user == people.manager).execute()
    assert browser.get("/customers/").status_code == 403


def test_an_account_switched_off_is_out_at_once(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """The session of an inactive account is worth nothing."""
    browser = signed_in(people.manager)
    User.update(active=False).where(User.id == people.manager.id).execute()
    assert browser.get("/").status_code == 401


def test_signing_out_takes_a_post_with_a_token(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """A link on another site cannot sign anybody out."""
    browser = signed_in(people.manager)
    assert browser.get("/logout").status_code == 405
    assert browser.client.post("/logout").status_code == 403
    assert browser.post("/logout").status_code == 302
    assert browser.get("/").status_code == 401
