"""Accounts: users and entities created in the console; everybody's own password and language."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from engine.tables import AuditEntry, Entity, User, UserRole, UserScope

PASSWORD = "correct horse battery staple"
ANOTHER = "another horse battery staple"
NEW = {"name": "Ada Field", "email": "Ada.Field@dunwell.example", "roles": ["risk_analyst", "sales"], "language": "de"}


def changed(old: str = PASSWORD, new: str = ANOTHER, again: str | None = None) -> dict[str, str]:
    """The form of a new password."""
    return {"old": old, "new": new, "again": new if again is None else again}


# --- creating a user ----------------------------------------------------------------------


def test_a_user_is_created_and_signs_in_with_the_password_shown(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity
) -> None:
    """Roles, scope and language as chosen; the password is in the answer and in no table."""
    browser = signed_in(people.administrator)
    answer = browser.post("/account/new", {**NEW, "entities": ["main"], "reason": "stands in"})
    found = re.search(r'id="password">([^<]+)<', answer.text)
    assert found is not None
    user = User.get(User.email == "ada.field@dunwell.example")
    assert (user.name, user.language) == ("Ada Field", "de")
    assert {row.role for row in UserRole.select().where(UserRole.user == user)} == {"risk_analyst", "sales"}
    assert [scope.entity_id for scope in UserScope.select().where(UserScope.user == user)] == [entity.id]
    entry = AuditEntry.get(AuditEntry.command == "CreateUser")
    assert (entry.actor_id, entry.reason) == (people.administrator.id, "stands in")
    assert found.group(1) not in f"{entry.before}{entry.after}{user.password}"
    opened = browser.client.application.test_client()
    assert opened.get("/").status_code == 401
    assert signed_in_with(signed_in, user.email, found.group(1)).get("/").status_code == 200


def signed_in_with(signed_in: Callable[..., Any], email: str, password: str) -> Any:
    """A client signed in with this very password."""
    browser = signed_in(email)
    browser.sign_in(email, password)
    return browser


def test_creating_a_user_twice_creates_one(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """The form carries a key: the second click is told so; another form with the address is a conflict."""
    browser = signed_in(people.administrator)
    key = re.search(r'name="key" value="([^"]+)"', browser.get("/account/new").text)
    assert key is not None
    values = {**NEW, "key": key.group(1)}
    assert browser.post("/account/new", values).status_code == 200
    again = browser.post("/account/new", values)
    assert again.status_code == 303
    assert "created already" in browser.get(again.headers["Location"]).text
    assert browser.post("/account/new", NEW).status_code == 409
    assert User.select().where(User.email == "ada.field@dunwell.example").count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "n" * 201},
        {"email": "nobody"},
        {"email": "two words@dunwell.example extra"},
        {"email": "@dunwell.example"},
        {"roles": []},
        {"roles": ["owner"]},
        {"language": "xx"},
    ],
)
def test_a_user_who_is_described_wrongly_is_not_created(
    signed_in: Callable[..., Any], people: SimpleNamespace, wrong: dict[str, Any]
) -> None:
    """422, and the form again with what was filled in."""
    before = User.select().count()
    answer = signed_in(people.administrator).post("/account/new", {**NEW, **wrong})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert User.select().count() == before


def test_an_entity_that_is_not_there_cannot_be_given(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """404, and no user either: the whole command or nothing."""
    before = User.select().count()
    answer = signed_in(people.administrator).post("/account/new", {**NEW, "entities": ["nowhere"]})
    assert answer.status_code == 404
    assert User.select().count() == before


def test_a_role_that_can_approve_is_marked_and_waits(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """The form says which roles take a second person; the answer says which wait."""
    browser = signed_in(people.administrator)
    assert "takes a second person" in browser.get("/account/new").text
    text = browser.post("/account/new", {**NEW, "roles": ["sales", "credit_manager"]}).text
    assert "Waiting for a second person" in text
    made = User.get(User.email == "ada.field@dunwell.example")
    assert [row.role for row in UserRole.select().where(UserRole.user == made)] == ["sales"]


# --- one's own password and language ------------------------------------------------------


def test_a_changed_password_ends_the_other_sessions_and_not_this_one(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """The old one opens nothing any more; the trail names the change and holds no hash."""
    here, elsewhere = signed_in(people.collector), signed_in(people.collector)
    assert here.post("/account/password", changed()).status_code == 303
    assert here.get("/account/").status_code == 200
    assert elsewhere.get("/").status_code == 401
    user = User.get_by_id(people.collector.id)
    assert user.password.startswith("$argon2")
    entry = AuditEntry.get(AuditEntry.command == "ChangePassword")
    assert (entry.actor_id, entry.subject_id) == (user.id, str(user.id))
    assert "argon2" not in f"{entry.before}{entry.after}"
    assert signed_in_with(signed_in, user.email, ANOTHER).get("/").status_code == 200


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (changed(old="not it"), "This is not your password."),
        (changed(old=""), "This is not your password."),
        (changed(new="x" * 11), "It has 11 characters; give 12 to 256."),
        (changed(new="x" * 257), "It has 257 characters; give 12 to 256."),
        (changed(new=PASSWORD), "It is the old one."),
        (changed(new="Sales@dunwell.example"), "It is your name or address."),
        (changed(again=ANOTHER + "x"), "The two are not the same."),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace, form: dict[str, str], words: str
) -> None:
    """Said beside its field; account and sessions stay as they are."""
    browser = signed_in(people.sales)
    before = User.get_by_id(people.sales.id)
    answer = browser.post("/account/password", form)
    assert answer.status_code == 422
    assert words in answer.text
    after = User.get_by_id(people.sales.id)
    assert (after.password, after.fs_uniquifier) == (before.password, before.fs_uniquifier)


@pytest.mark.parametrize("length", [12, 256])
def test_the_shortest_and_the_longest_password_will_do(
    signed_in: Callable[..., Any], people: SimpleNamespace, length: int
) -> None:
    """Twelve and 256 characters as they are typed, letters of every alphabet."""
    browser = signed_in(people.sales)
    assert browser.post("/account/password", changed(new="ü" * length)).status_code == 303
    assert signed_in_with(signed_in, people.sales.email, "ü" * length).get("/").status_code == 200


def test_guessing_the_old_password_is_slowed_down(
    app: Flask, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Five tries a minute."""
    browser = signed_in(people.auditor)
    app.extensions["dunwell_limiter"].enabled = True
    tries = [browser.post("/account/password", changed(old="guess")).status_code for _ in range(6)]
    assert tries == [422] * 5 + [429]


def test_the_language_is_ones_own(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """It counts at the next page, is in the trail, and only the three languages are spoken."""
    browser = signed_in(people.administrator)
    assert browser.post("/account/language", {"language": "de"}).status_code == 303
    assert '<html lang="de">' in browser.get("/account/").text
    assert AuditEntry.get(AuditEntry.command == "SetLanguage").actor_id == people.administrator.id
    assert browser.post("/account/language", {"language": "xx"}).status_code == 422
    assert User.get_by_id(people.administrator.id).language == "de"


# --- entities -----------------------------------------------------------------------------


def test_an_administrator_opens_an_entity_from_the_users_page(
    signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """Currency, zone, country and share are chosen; nothing of it is live."""
    browser = signed_in(people.administrator)
    assert "/commands/CreateEntity" in browser.get("/users/").text
    values = {
        "code": "north",
        "name": "North Ltd",
        "currency": "SEK",
        "zone": "Europe/Stockholm",
        "country": "SE",
        "portfolio_share_bp": "1000",
        "reason": "a new company of ours",
    }
    text = browser.get("/commands/CreateEntity").text
    for value in ("SEK", "Europe/Stockholm", "SE", "1000"):
        assert f'<option value="{value}"' in text
    assert browser.post("/commands/CreateEntity", values).status_code == 303
    made = Entity.get(Entity.code == "north")
    assert (made.currency, made.zone, made.country, made.portfolio_share_bp) == ("SEK", "Europe/Stockholm", "SE", 1000)
    assert made.sending is False
    for wrong in ({"code": "north"}, {"code": "a b"}, {"currency": "XXX1"}, {"zone": "Mars/North"}, {"country": "ZZ"}):
        assert browser.post("/commands/CreateEntity", {**values, "code": "south", **wrong}).status_code == 422
    assert not Entity.select().where(Entity.code == "south").exists()


def test_others_see_no_way_to_create_users_or_entities(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """An auditor reads the list and nothing more."""
    text = signed_in(people.auditor).get("/users/").text
    assert "/account/new" not in text
    assert "/commands/CreateEntity" not in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_the_pages_of_accounts_are_clean(
    page_as: Callable[..., Any], people: SimpleNamespace, width: int, height: int
) -> None:
    """Under their policy, nothing serious for axe, no sideways scrolling; the password is changed by visible labels."""
    watched = page_as(people.administrator, width=width, height=height)
    page = watched.page
    for path in ("/users/", "/account/new", "/commands/CreateEntity", "/account/"):
        watched.goto(path)
        watched.check()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(ANOTHER)
    page.get_by_label("New password once more").fill(ANOTHER)
    page.get_by_role("button", name="Change the password").click()
    page.get_by_text("Other sessions have ended.").wait_for()
    watched.check()
