"""Looking ahead in the console: the coming weeks, in force and with a change, while they are computed."""

import json
from typing import Any

import pytest

from engine.forward import look_ahead
from engine.outlook import outlook_of
from engine.runtime import Runtime
from engine.tables import Document, Entity
from ledger.canonical import canonical, sha256_of
from rules.thresholds import thresholds_of, with_threshold

AHEAD = "/simulations/forward"


@pytest.fixture
def draft(decided: Entity) -> Document:
    """A draft of the escalation whose first reminder comes two days after the due date."""
    before = Document.get(Document.key == "escalation", Document.status.in_(("approved", "live")))
    body = json.loads(before.body)
    place = next(one.place for one in thresholds_of(body) if one.owner == "standard-p4")
    changed = with_threshold(body, place, 2, "2026-04-02")
    return Document.create(
        kind="policy",
        key="escalation",
        stage="escalation",
        subject="customer",
        sha256=sha256_of(changed),
        body=canonical(changed),
        status="draft",
        replaces=before.sha256,
    )


def test_the_page_says_what_was_computed(runtime: Runtime, decided: Entity, people: Any, signed_in: Any) -> None:
    """Sums of the page are those of the engine; each week was told before the answer came."""
    found = outlook_of(list(look_ahead(runtime, decided)), 0)
    steps = sum(count.steps for count in found.live.counts().values())
    assert steps > 0
    text = signed_in(people.manager).get(AHEAD).text
    told = [text.index(f"Week {week} of 4 is decided") for week in (1, 2, 3, 4)]
    assert told == sorted(told)
    assert told[-1] < text.index("Steps by week</h2>")
    assert f'<div class="value"><span class="num">{steps}</span></div>' in text
    assert "With the change" not in text
