"""Promise G1, G3: every route, method and role is in docs/access.csv and behaves so."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from admin import gate
from admin.shapes import SHAPES
from engine.access import ROLES
from engine.commands import COMMANDS
from engine.tables import Customer

TABLE = Path(__file__).parents[2] / "docs" / "access.csv"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFUSED = {401, 403}
NOBODY = 999_999  # an id that names nothing: whoever is let in is told 404
PEOPLE = {
    "credit_manager": "manager",
    "risk_analyst": "analyst",
    "collector": "collector",
    "sales": "sales",
    "auditor": "auditor",
    "administrator": "administrator",
}
WRITING = ("new/", "edit/", "delete/", "action/", "ajax/update/", "ajax/lookup/")
SAMPLES = {"filename": "console.css", "export_type": "csv", "sha256": "0" * 64, "key": "none", "name": "none"}


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Every (path as declared, method); the one page of all commands once per command."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & set(METHODS)):
            if rule.endpoint.startswith("commands."):
                yield from ((f"/commands/{name}", method) for name in SHAPES)
            else:
                yield rule.rule, method


def filled(path: str) -> str:
    """A path with its variables filled in."""
    parts = []
    for part in path.split("/"):
        if part.startswith("<"):
            name = part.strip("<>").split(":")[-1]
            part = SAMPLES.get(name, str(NOBODY))
        parts.append(part)
    return "/".join(parts)


def table() -> dict[tuple[str, str], dict[str, str]]:
    """The rows of docs/access.csv by (route, method)."""
    with TABLE.open(newline="") as file:
        return {(row["route"], row["method"]): row for row in csv.DictReader(file)}


def declared(app: Flask, path: str) -> str:
    """The permission the code declares for a path, for the message that asks for a row."""
    if path.startswith("/commands/"):
        return COMMANDS[path.removeprefix("/commands/")].permission
    endpoint = next(rule.endpoint for rule in app.url_map.iter_rules() if rule.rule == path)
    return "public" if endpoint in gate.PUBLIC else gate.required(app, endpoint) or "closed"


def row_of(app: Flask, path: str, method: str) -> str:
    """The row the code would give; whoever adds it to the table answers for it."""
    permission = declared(app, path)
    everybody = permission in {"public", gate.SIGNED_IN}
    cells = ["open" if permission == "public" else "refused"]
    cells += ["open" if everybody or permission in ROLES[role] else "refused" for role in PEOPLE]
    return ",".join([path, method, permission, *cells])


def test_every_route_is_in_the_table_and_every_row_is_a_route(app: Flask) -> None:
    """An unlisted route fails the build; the message is the row to check and add."""
    listed, real = set(table()), set(routes(app))
    missing = sorted(real - listed)
    assert not missing, "check and add to docs/access.csv:\n" + "\n".join(row_of(app, *one) for one in missing)
    assert not sorted(listed - real), "rows of docs/access.csv without a route"


def test_a_route_without_a_permission_admits_nobody(app: Flask, signed_in: Callable[..., Any], people: Any) -> None:
    """Deny by default: a view somebody forgot to declare is refused, also to a manager."""
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert signed_in(people.manager).get("/forgotten").status_code == 403


def test_anonymous_gets_only_what_is_public(app: Flask) -> None:
    """Everything but the public routes answers 401, whatever the method."""
    listed = table()
    for path, method in routes(app):
        client = app.test_client()
        expected = listed[path, method]["anonymous"]
        status = client.open(filled(path), method=method, buffered=True).status_code
        if expected == "refused":
            assert status == 401, f"{method} {path}"
            assert client.options(filled(path)).status_code == 401, f"OPTIONS {path}"
        else:
            # A public form still wants its token.
            assert status in ({403} if method == "POST" else {200, 404, 503}), f"{method} {path}"


@pytest.mark.parametrize("role", PEOPLE)
def test_each_role_gets_what_the_table_says(
    app: Flask, signed_in: Callable[..., Any], people: SimpleNamespace, role: str
) -> None:
    """Refusal is 403, admission anything else; nobody is answered by a fault or led elsewhere to hide a refusal."""
    listed = table()
    browser = signed_in(getattr(people, PEOPLE[role]))
    for path, method in routes(app):
        if path == "/logout":
            continue  # it would end the session; test_sign_in has it
        answer = browser.get(filled(path), buffered=True) if method == "GET" else browser.post(filled(path))
        where = f"{method} {path} as {role}: {answer.status}"
        if listed[path, method][role] == "refused":
            assert answer.status_code == 403, where
        else:
            assert answer.status_code not in REFUSED, where
            assert answer.status_code < 500, where


def test_no_unsafe_request_goes_through_without_its_token(
    app: Flask, signed_in: Callable[..., Any], people: SimpleNamespace
) -> None:
    """A missing token, another session's token and another site are each refused."""
    browser, other = signed_in(people.manager), signed_in(people.second)
    for path, method in routes(app):
        if method == "GET":
            continue
        send = {"path": filled(path), "method": method}
        assert browser.client.open(**send).status_code == 403, path
        assert browser.client.open(**send, data={"csrf_token": other.token}).status_code == 403, path
        token = {"csrf_token": browser.token}
        strange = {"Origin": "https://elsewhere.example"}
        assert browser.client.open(**send, data=token, headers=strange).status_code == 403, path
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert browser.client.open(**send, data=token, headers=cross).status_code == 403, path
    assert browser.get("/").status_code == 200  # still signed in: /logout was refused as well


def test_the_routes_of_flask_admin_that_write_do_not_exist(
    app: Flask, signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """No creating, editing, deleting, inline editing or bulk action, for a manager either."""
    browser = signed_in(people.manager)
    lists = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.endswith(".index_view")}
    assert len(lists) >= 10
    for path in lists:
        for end in WRITING:
            values = {"list_form_pk": customer.id, "name": "Another", "id": customer.id, "rowid": customer.id}
            assert browser.post(path + end, values).status_code in {404, 405}, path + end
            assert browser.get(path + end).status_code in {404, 405}, path + end
    assert Customer.get_by_id(customer.id).name == "Hollow Oak Trading"


def test_a_list_exports_csv_and_nothing_else(signed_in: Callable[..., Any], people: SimpleNamespace) -> None:
    """Other kinds Flask-Admin knows are not there."""
    browser = signed_in(people.manager)
    assert browser.get("/customers/export/csv/").mimetype == "text/csv"
    for kind in ("json", "xlsx", "html", "yaml", "pickle"):
        assert browser.get(f"/customers/export/{kind}/").status_code == 404
