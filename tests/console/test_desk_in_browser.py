"""A collector works ten items of the day, by labels and keys, at a desk and on a phone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.desk_work import AssignCollector, PlanWork
from engine.runtime import Runtime
from engine.tables import Action, Customer, Entity, Note, Promise

ITEMS = 10


@pytest.fixture
def ten(runtime: Runtime, people: SimpleNamespace, decided: Entity) -> int:
    """Ten calls are due today, of ten customers with something open."""
    found = [action.customer_id for action in Action.select(Action.customer).distinct()]
    found += [one.id for one in Customer.select().where(Customer.id.not_in(found))]
    Action.update(state="skipped").where(Action.state == "open").execute()
    runtime.execute(
        AssignCollector(
            actor=people.manager.id, reason="portfolio", customers=tuple(found[:ITEMS]), collector=people.collector.id
        )
    )
    for number in found[:ITEMS]:
        runtime.execute(
            PlanWork(actor=people.collector.id, reason="planned", customer=number, due_day=runtime.today(decided))
        )
    return ITEMS


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)], ids=["desktop", "phone"])
def test_a_collector_works_ten_items_of_the_day(
    page_as: Callable[..., Any], people: SimpleNamespace, ten: int, width: int, height: int
) -> None:
    """A promise, a dispute with a wrong turn, calls nobody answers: each leads on to the next."""
    watched = page_as(people.collector, width=width, height=height)
    page = watched.page
    watched.goto("/day/")
    page.get_by_role("link", name="Begin with the first").click()
    page.get_by_text(f"1 of {ten}", exact=True).wait_for()
    page.get_by_label("Promised to pay").check()
    page.get_by_label("Amount in EUR").fill("10.00")
    page.get_by_label("Paid by, or paused until").fill("2026-04-09")
    page.get_by_label("Note").fill("Pays with the next run.")
    watched.check()
    page.get_by_role("button", name="Done, next").click()
    for number in range(2, ten + 1):
        page.get_by_text(f"1 of {ten - number + 1}", exact=True).wait_for()
        if number == 2:
            page.get_by_label("Disputes the invoice").check()
            page.get_by_label("Invoice", exact=True).wait_for()
        if width > 860:
            page.locator("body").press("6")
            page.locator("body").press("Control+Enter")
        else:
            page.get_by_label("No answer").check()
            page.get_by_role("button", name="Done, next").click()
    page.get_by_role("heading", name="My day").wait_for()
    done = Action.select().where(Action.policy_key == "manual", Action.state == "done")
    assert sorted(action.result for action in done) == ["no_answer"] * (ten - 1) + ["promised"]
    assert Promise.select().where(Promise.amount_minor == 1_000).count() == 1
    assert Note.select().count() == 1
