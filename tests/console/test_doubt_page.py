"""The tab of messages in doubt: several ticked, settled once, by who may."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine.tables import Action, Entity


def in_doubt(many: int) -> list[Action]:
    """Make messages doubtful."""
    ids = [action.id for action in Action.select().where(Action.state == "due").order_by(Action.id).limit(many)]
    Action.update(state="uncertain").where(Action.id.in_(ids)).execute()
    return list(Action.select().where(Action.id.in_(ids)).order_by(Action.id))


def test_those_ticked_are_settled_and_one_that_changed_is_named(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Each has a box with its name; evidence is asked for; a page that is old settles nothing."""
    rows = in_doubt(3)
    browser = signed_in(people.manager)
    text = browser.get("/messages/?view=doubt").text
    for row in rows:
        assert f'value="{row.id}:{row.version}"' in text
        assert f"Choose the message to {row.customer.name}" in text
    assert 'name="message"' not in browser.get("/messages/").text
    form = {"message": [f"{row.id}:{row.version}" for row in rows[:2]], "arrived": "yes", "reason": "looked it up"}
    assert browser.post("/messages-in-doubt/", {**form, "evidence": ""}).status_code == 422
    assert browser.post("/messages-in-doubt/", {"arrived": "yes", "evidence": "log"}).status_code == 422
    Action.update(version=Action.version + 1).where(Action.id == rows[1].id).execute()
    late = browser.post("/messages-in-doubt/", {**form, "evidence": "provider.csv"})
    assert late.status_code == 409
    assert f"Message {rows[1].id}" in late.text
    assert f"Message {rows[0].id}" not in late.text
    form["message"] = [f"{row.id}:{Action.get_by_id(row.id).version}" for row in rows[:2]]
    assert browser.post("/messages-in-doubt/", {**form, "evidence": "provider.csv"}).status_code == 303
    assert [Action.get_by_id(row.id).state for row in rows] == ["sent", "sent", "uncertain"]
    assert "2 messages are settled." in browser.get("/messages/?view=doubt").text


def test_who_may_not_settle_sees_no_boxes(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A collector reads the tab, and cannot settle by a form of their own."""
    (row,) = in_doubt(1)
    browser = signed_in(people.collector)
    text = browser.get("/messages/?view=doubt").text
    assert row.customer.name in text
    assert 'name="message"' not in text
    form = {"message": [f"{row.id}:{row.version}"], "arrived": "yes", "reason": "r", "evidence": "e"}
    assert browser.post("/messages-in-doubt/", form).status_code == 403
