"""The decision log in the console: auditors and managers take out what they may see, nobody else anything."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine.decision_log import decisions_between, log_lines
from engine.runtime import Runtime
from engine.tables import Customer, Decision, Entity

PAGE, FILE = "/decisions/log/", "/decisions/log/decisions.jsonl"


def days(runtime: Runtime, entity: Entity) -> dict[str, str]:
    """Arguments that cover every decided day."""
    return {"from": "2020-01-01", "to": "2030-01-01", "entity": entity.code}


def test_an_auditor_takes_out_every_line(
    runtime: Runtime, decided: Entity, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """The file of the console is that of the command line, and the list of decisions leads to it."""
    browser = signed_in(people.auditor)
    assert PAGE in browser.get("/decisions/").text
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert decided.name in page.text
    answer = browser.get(FILE, query_string=days(runtime, decided))
    assert answer.headers["Content-Type"].startswith("application/jsonl")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.text == "".join(log_lines(runtime, decisions_between(0, 10**6)))
    assert len(answer.text.splitlines()) == Decision.select().count() > 30


def test_who_sees_one_portfolio_takes_out_its_lines_only(
    runtime: Runtime,
    decided: Entity,
    people: SimpleNamespace,
    make_user: Callable[..., Any],
    password_hash: str,
    signed_in: Callable[..., Any],
) -> None:
    """No line of a customer whom the reader may not see, and no entity of which they see nothing."""
    mine = Customer.select().order_by(Customer.id).first()
    Customer.update(portfolio="north").where(Customer.id == mine.id).execute()
    one = make_user("north@main.example", "auditor", decided, portfolio="north")
    type(one).update(password=password_hash).where(type(one).id == one.id).execute()
    browser = signed_in(one)
    found = [json.loads(line) for line in browser.get(FILE, query_string=days(runtime, decided)).text.splitlines()]
    assert {line["customer"] for line in found} == {mine.number}
    Entity.create(code="other", name="Other", currency="EUR")
    assert browser.get(FILE, query_string={**days(runtime, decided), "entity": "other"}).status_code == 404


def test_days_that_make_no_sense_are_refused(
    runtime: Runtime, decided: Entity, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """With the cure; not an empty file that looks like an answer."""
    browser = signed_in(people.manager)
    for wrong in ({"from": "2026-02-31"}, {"to": ""}, {"from": "2030-01-02", "to": "2030-01-01"}):
        answer = browser.get(FILE, query_string={**days(runtime, decided), **wrong})
        assert answer.status_code == 422
        assert "day" in answer.text
