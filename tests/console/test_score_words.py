"""Wherever a score is shown, why it is what it is can be read there; letters never tell it."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from engine.runtime import Runtime
from engine.tables import Customer, Entity, Outcome
from notifiers.letter_fields import FIELDS, LABELS


@pytest.fixture
def scored(runtime: Runtime, decided: Entity, people: SimpleNamespace, trade: ModuleType, clock: Any) -> Customer:
    """The customer who is to be called first, scored by a model in force."""
    today = runtime.today(decided)
    trade.model_in_force(runtime, people.analyst, people.second, today)
    clock.advance(days=1)
    trade.decide(runtime, decided, today + 1)
    first = Outcome.select().where(Outcome.worklist_points > 0).order_by(Outcome.worklist_points.desc()).get()
    Customer.update(collector=people.collector).where(Customer.id == first.customer_id).execute()
    found: Customer = Customer.get_by_id(first.customer_id)
    return found


def test_the_page_of_a_customer_the_worklist_and_the_day_say_why(
    signed_in: Callable[..., Any], people: SimpleNamespace, scored: Customer
) -> None:
    """Value and usual value of each reason, points, and what became of those alike."""
    page = signed_in(people.manager).get(f"/customers/{scored.id}").text
    assert "days past due of the oldest open item: " in page
    assert "usual -10 days" in page
    assert "Of 100 customers scored like this " in page
    assert "600 points: 50 such customers pay" in page
    assert 'href="#score"' in page
    listed = signed_in(people.manager).get("/worklist/").text
    assert "Chance of paying late: " in listed
    assert "days past due of the oldest open item: " in listed
    collector = signed_in(people.collector)
    for path in ("/day/", f"/day/customer/{scored.id}"):
        text = collector.get(path).text
        assert "days past due of the oldest open item: " in text, path
        assert "at risk: " in text, path


def test_letters_never_tell_a_score() -> None:
    """No field of a letter and no word of its layout has to do with scores."""
    named = {*FIELDS, *LABELS}
    assert not [name for name in named if any(part in name for part in ("score", "chance", "risk", "points"))]
