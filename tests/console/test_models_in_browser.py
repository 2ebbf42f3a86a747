"""A risk analyst compares, proposes and goes back; a second person approves; the next run scores with it."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from engine.promotion import PromoteModel
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Edition, Entity, ScoreModel, Training
from engine.training import RegisterModel
from engine.trainings import work_off
from ledger.canonical import canonical, sha256_of
from scoring.curves import About, Sample, curves_of, parts_of
from scoring.features import FEATURES
from scoring.labels import TASK
from scoring.model import FEATURES_SHA256, FORMAT, MICRO, built, score_row

FACTS = {"paid_count_12m": 6, "late_share_12m_bp": 1_000}


def body_of(trained_day: int, auc: float) -> dict[str, Any]:
    """A small model by hand: one step of one feature, with the card a training writes."""
    one = {"auc": auc, "auc_interval": [auc - 0.04, auc + 0.04], "brier": 0.1, "ece": 0.02, "n": 200, "bad": 40}
    rival = {"auc": 0.7, "auc_interval": [0.66, 0.74], "brier": 0.2, "ece": 0.2, "n": 200, "bad": 40}
    labels = np.tile([0, 1, 0, 0, 1], 40).astype(np.int64)
    sample = Sample(labels, np.arange(200) % 80, np.arange(200) + 20_000, np.full(200, 5_000.0))
    said = {"champion": labels * auc + 0.1, "own_late_share": labels * 0.3}
    about = About(dict.fromkeys(range(80), "EUR"))
    part = {"from_day": 20_000, "until_day": 20_363, "rows": 200, "customers": 80, "bad": 40}
    body: dict[str, Any] = {
        "format": FORMAT,
        "kind": "score_model",
        "task": TASK,
        "features_sha256": FEATURES_SHA256,
        "prior": {"share_bp": 2_000, "strength": 3},
        "base": -MICRO,
        "features": [{"name": f.name, "edges": [], "steps": [0], "unknown": 0, "usual": None} for f in FEATURES],
        "card": {
            "question": "some invoice goes 30 or more days past due within 90 days",
            "trained_day": trained_day,
            "slices": dict.fromkeys(("fit", "calibrate", "test"), part),
            "measures": {
                "score": one,
                "own_late_share": rival,
                "lead": {"auc": auc - 0.7, "auc_interval": [auc - 0.74, auc - 0.66]},
            },
            "curves": curves_of(sample, said, {}, about, 1),
            "parts": parts_of(sample, said["champion"], said["own_late_share"], about, labels == 1),
            "leak_alarm": False,
        },
    }
    from scoring.features import FACTS_READ

    facts = dict.fromkeys(FACTS_READ) | FACTS
    answer = score_row(facts, built(body, ""))
    row = {"facts": facts, "raw": answer.raw, "score_bp": answer.score_bp, "rival_bp": answer.rival_bp}
    return json.loads(canonical(body | {"golden": [row]}))


def registered(runtime: Runtime, people: SimpleNamespace, body: dict[str, Any]) -> str:
    """Keep a model as a challenger; its name."""
    name = sha256_of(body)
    runtime.execute(RegisterModel(actor=people.analyst.id, reason="new year", body=canonical(body), sha256=name))
    return name


def scored_with(runtime: Runtime, entity: Entity, days: int) -> str:
    """The model that the run of so many days ahead scores with."""
    run = run_entity(runtime, Entity.get_by_id(entity.id), runtime.today(entity) + days)
    return str(json.loads(Edition.get_by_id(run.edition).body)["model"])


def give(page: Any, way: str, button: str, reason: str, override: str = "") -> None:
    """Follow a way to the form of a command, say why and send it."""
    page.get_by_role("link", name=way).first.click()
    page.get_by_label("Reason").fill(reason)
    if override:
        page.get_by_label("Why all the same").fill(override)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()


@pytest.mark.browser
def test_a_challenger_becomes_champion_by_two_people_and_the_way_back_is_the_same(
    page_as: Callable[..., Any], runtime: Runtime, people: SimpleNamespace, decided: Entity
) -> None:
    """Compared with its naive rival, proposed, approved by another, used by the next run; then gone back to."""
    first, second = (registered(runtime, people, body_of(day, auc)) for day, auc in ((20_500, 0.76), (20_530, 0.81)))
    row = ScoreModel.get(ScoreModel.sha256 == first)
    runtime.execute(PromoteModel(actor=people.manager.id, reason="the first", model=row.id, sha256=first))
    analyst, manager = page_as(people.analyst), page_as(people.second)
    analyst.goto("/models/")
    side = analyst.page.get_by_role("region", name="Side by side").first
    for text in ("0.760 (0.720 to 0.800)", "0.810 (0.770 to 0.850)", "Own late share (naive)"):
        expect(side.get_by_text(text).first).to_be_visible()
    analyst.page.get_by_role("link", name="Train a challenger").click()
    analyst.page.get_by_label("Reason").fill("a new year")
    analyst.page.get_by_role("button", name="Train", exact=True).click()
    work = analyst.page.get_by_role("region", name="Work on models").first
    expect(work.get_by_text("waits for a worker")).to_be_visible()
    Training.update(started_at=1, step="features", done=2, parts=52).execute()
    expect(work.get_by_text("computes features, 3 of 52")).to_be_visible()  # the page asks again by itself
    work_off(runtime)  # another worker: the one that began was killed
    expect(work.get_by_text("Broken off: its worker was stopped.")).to_be_visible()
    steps = (("Propose as champion", second, first, "the same tables"), ("Go back to this one", first, second, ""))
    for number, (way, champion, before, override) in enumerate(steps):
        analyst.goto("/models/")
        give(analyst.page, way, "Propose", "ranks better on the same days")
        expect(analyst.page.get_by_text("Another person decides.").first).to_be_visible()
        assert scored_with(runtime, decided, number) == before
        work_off(runtime)
        manager.goto("/models/")
        if override:
            expect(manager.page.get_by_text("It does not meet the conditions yet")).to_be_visible()
            expect(manager.page.get_by_text("Too few outcomes").first).to_be_visible()
        give(manager.page, "Approve", "Approve", "read its card", override)
        expect(manager.page.get_by_role("link", name="Approve")).to_have_count(0)
        assert scored_with(runtime, decided, number + 1) == champion
        if override:
            manager.goto(f"/models/{ScoreModel.get(ScoreModel.sha256 == champion).id}")
            expect(manager.page.get_by_text("The reason: the same tables")).to_be_visible()
    pages = ("", "/curves", "/parts")
    for path in (
        "/models/",
        *(f"/models/{row.id}{page}" for page in pages),
        "/scores/",
        "/scores/drift",
        "/overrides/",
    ):
        manager.goto(path)
        manager.check()
