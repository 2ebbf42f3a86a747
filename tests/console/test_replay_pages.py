"""Replay in the console: an auditor asks for a day, a worker answers, the page shows it; one decision at once."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.replays import work_off
from engine.runtime import Runtime
from engine.tables import Decision, Entity, Run


@pytest.fixture
def run(decided: Entity) -> Run:
    """The second day's run."""
    found: Run = Run.select().where(Run.kind == "nightly").order_by(Run.id.desc()).first()
    return found


def change(runtime: Runtime, decision: Decision, level: int) -> None:
    """Change what a decision says behind the program's back."""
    changes = json.loads(decision.changes)
    changes["escalation"]["after"]["level"] = level
    runtime.database.execute_sql("drop trigger if exists decision_no_update")
    Decision.update(changes=json.dumps(changes)).where(Decision.id == decision.id).execute()


def test_only_who_may_replay_is_offered_it(run: Run, people: SimpleNamespace, signed_in: Callable[..., Any]) -> None:
    """Auditors and managers; a collector neither sees the way nor gets there by its address."""
    decision = Decision.select().first()
    for who, open_ in ((people.auditor, True), (people.manager, True), (people.collector, False)):
        browser = signed_in(who)
        assert ("/commands/ReplayDay" in browser.get(f"/runs/{run.id}").text) == open_
        assert (f"/decisions/{decision.id}/replay" in browser.get(f"/decisions/{decision.id}").text) == open_
        assert (browser.get(f"/decisions/{decision.id}/replay").status_code == 200) == open_


def test_a_changed_day_is_named_by_customer_and_stage(
    runtime: Runtime, run: Run, people: SimpleNamespace, signed_in: Callable[..., Any]
) -> None:
    """The difference stands on the run's page with the customer, and on the decision's own replay."""
    decision = Decision.select().where(Decision.run == run, Decision.changes.contains('"escalation":')).first()
    change(runtime, decision, 9)
    browser = signed_in(people.auditor)
    assert browser.post("/commands/ReplayDay", {"run": run.id, "reason": "a sample"}).status_code == 303
    assert work_off(runtime) == 1
    text = browser.get(f"/runs/{run.id}").text
    assert '<span class="num">1</span> difference' in text
    assert f'<a href="/customers/{decision.customer_id}">{decision.customer.name}</a>' in text
    assert "level was 9, replay gives" in text
    own = browser.get(f"/decisions/{decision.id}/replay").text
    assert "Not the same" in own
    assert "level was 9, replay gives" in own


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1440, 900), pytest.param(390, 844, marks=pytest.mark.slow)])
def test_an_auditor_replays_a_day_and_a_decision_by_labels(
    runtime: Runtime, page_as: Callable[..., Any], people: SimpleNamespace, run: Run, width: int, height: int
) -> None:
    """Ask, wait while the page looks again by itself, read that nothing differs; then one decision."""
    watched = page_as(people.auditor, width=width, height=height)
    watched.goto(f"/runs/{run.id}")
    page = watched.page
    page.get_by_role("link", name="Replay this day").click()
    page.get_by_label("Reason").fill("the auditors ask")
    page.get_by_role("button", name="Replay", exact=True).click()
    page.get_by_text("A worker decides the day again").wait_for()
    watched.check()
    assert work_off(runtime) == 1
    page.get_by_text("No difference").wait_for()
    decision = Decision.select().where(Decision.run == run).order_by(Decision.id).first()
    watched.goto(f"/decisions/{decision.id}")
    page.get_by_role("link", name="Replay", exact=True).click()
    page.get_by_text("The same, byte for byte").wait_for()
    page.get_by_text(decision.edition).wait_for()
    watched.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
