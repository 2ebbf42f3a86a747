"""Drift over time: read from what each run kept, for people who see the whole entity."""

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from openpyxl import load_workbook

from engine.runtime import Runtime
from engine.tables import Entity, Run, User, WatchedRun
from ledger.canonical import canonical


def watched(entity: Entity, day: int, index: float, outcome: dict[str, Any] | None = None, open_items: int = 9) -> None:
    """A run whose figures were kept; its facts are gone."""
    run = Run.create(entity=entity, as_of_day=day, kind="nightly", state="done", started_at=1)
    figures = {
        **{"customers": 500, "scored": 480, "thin": 25, "open_items": open_items, "sold": True, "since": day - 1},
        "drift": {"score": [index, 0.01], "terms_days": [0.05, 0.01], "open_count": [0.3, 0.01]},
        "unknown": {"terms_days": 0.2, "open_count": 0.0},
    }
    WatchedRun.create(
        run=run,
        entity_id=entity.id,
        as_of_day=day,
        model="a" * 64,
        figures=canonical(figures),
        outcome=None if outcome is None else canonical(outcome),
    )


def test_a_year_of_runs_is_drawn_with_its_lines_and_its_file(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity, runtime: Runtime
) -> None:
    """Scores, features, coverage, unknown values, and what became of them; older runs are left out."""
    today = runtime.today(entity)
    told = {"n": 400, "bad": 40, "expected": 0.12, "brier": 0.08, "ece": 0.02, "auc": 0.81, "rival_auc": 0.74}
    for ago, index, outcome in ((500, 0.9, None), (120, 0.05, told), (1, 0.12, None), (0, 0.31, None)):
        watched(entity, today - ago, index, outcome)
    browser = signed_in(people.analyst)
    page = browser.get("/scores/drift").text
    assert page.count('<svg class="plot"') == page.count("As a table") == 6
    assert "act: find out why, or train anew" in page
    book = load_workbook(BytesIO(browser.get("/scores/drift.xlsx").data))
    assert [row[3].value for row in list(book["Stability of the score"])[1:]] == [0.05, 0.12, 0.31]
    assert [row[1].value for row in list(book["Coverage"])[1:]] == [96, 96, 96]
    ranking = list(book["Ranking, once labels were known"[:31]])[1]
    assert [cell.value for cell in ranking][2:6] == [400, 40, 0.81, 0.74]
    one = load_workbook(BytesIO(browser.get("/scores/drift.xlsx?chart=coverage").data))
    assert one.sheetnames == ["Coverage"]


def test_a_ledger_cut_off_is_told_above_all(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity, runtime: Runtime
) -> None:
    """And before the first run with a score the page says what to do."""
    browser = signed_in(people.analyst)
    assert "Train a model" in browser.get("/scores/drift").text
    watched(entity, runtime.today(entity), 0.0, open_items=0)
    assert "No invoice is open across the day of the last run." in browser.get("/scores/drift").text


def test_who_sees_one_portfolio_sees_no_counts_of_all(
    signed_in: Callable[..., Any], entity: Entity, runtime: Runtime, make_user: Any, password_hash: str
) -> None:
    """Neither the page nor the file."""
    reader = make_user("north@dunwell.example", "risk_analyst", entity, portfolio="north")
    User.update(password=password_hash).where(User.id == reader.id).execute()
    watched(entity, runtime.today(entity), 0.31)
    browser = signed_in(reader)
    for path in ("/scores/drift", "/scores/drift.xlsx"):
        answer = browser.get(path)
        assert '<svg class="plot"' not in answer.text
        assert "No entity is open to you as a whole" in answer.text
