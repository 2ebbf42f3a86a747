"""Wherever a score is shown, why it is what it is can be read there; letters never tell it."""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from admin.invoice_whys import reason_words
from engine.runtime import Runtime
from engine.tables import Customer, Entity, Outcome
from notifiers.letter_fields import FIELDS, LABELS
from scoring.invoice_reasons import InvoiceReason


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


@pytest.mark.parametrize(
    ("paid", "told"),
    [
        (2, "share of the last 5 payments that were late: 60.0 %, usual 40.0 %"),
        (3, "2 of the last 3 payments late, usual 1 of 3"),
        (9, "3 of the last 5 payments late, usual 2 of 5"),
    ],
)
def test_an_invoice_s_reason_counts_what_one_can_count(app: Flask, paid: int, told: str) -> None:
    """Below three payments there is nothing to count, above five the last five are."""
    reason = InvoiceReason("habit", "late_share_last5_bp", 1, 6_000, 4_000)
    with app.test_request_context():
        assert reason_words(reason, paid) == told
        weekday = InvoiceReason("calendar", "due_weekday", -1, 5, 0)
        assert reason_words(weekday, paid) == "weekday of the due date: Saturday, usual Monday"


def test_before_a_payment_model_is_champion_the_page_says_so(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """What to do, not an empty table."""
    page = signed_in(people.manager).get(f"/customers/{Customer.get().id}/chances")
    assert page.status_code == 200
    assert "once a payment model is the champion" in page.text
