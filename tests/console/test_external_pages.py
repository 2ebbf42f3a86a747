"""Ratings and statements in the console: what they add to a model, and what is known of a customer."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.runtime import Runtime
from engine.tables import AuditEntry, Customer, Entity, FinancialStatement, Rating, ScoreModel
from ledger.canonical import canonical
from ledger.days import date_of
from scoring.labels import TASK

EFFECT = {
    "coverage": {"customers": 80, "with_rating": 53, "with_statement": 20},
    "n": 400,
    "measures": {
        "with_external": {"auc": 0.812, "auc_interval": [0.78, 0.84]},
        "without_external": {"auc": 0.751, "auc_interval": [0.71, 0.79]},
    },
    "lead": {"without_external": {"auc": 0.061, "auc_interval": [0.03, 0.09]}},
    "where_known": {"n": 0, "bad": 0},
}


def test_the_card_of_a_model_says_what_they_add(
    signed_in: Callable[..., Any], people: SimpleNamespace, entity: Entity
) -> None:
    """With and without on the same rows, the difference with its interval, and for how many customers."""
    told = {"trained_day": 20_500, "measures": {}, "leak_alarm": False, "external": EFFECT}
    row = ScoreModel.create(
        task=TASK,
        sha256="a" * 64,
        body="{}",
        card=canonical(told),
        status="challenger",
        trained_day=20_500,
        created_at=1,
    )
    page = signed_in(people.analyst).get(f"/models/{row.id}").text
    for text in ("Customers with a rating", "of 80", "0.812 (0.780 to 0.840)", "0.751", "+0.061 (+0.030 to +0.090)"):
        assert text in page


@pytest.fixture
def customer(entity: Entity) -> Customer:
    """Somebody nobody has rated."""
    return Customer.create(entity=entity, number="1001", name="Hollow Oak")


def test_a_rating_and_statements_are_entered_and_stand_on_the_page(
    signed_in: Callable[..., Any], people: SimpleNamespace, runtime: Runtime, customer: Customer
) -> None:
    """Empty says how to import; afterwards grade, chance, ratios and what changed; the audit names them."""
    browser, today = signed_in(people.manager), runtime.today(customer.entity)
    assert "Nothing is known from agencies or registers" in browser.get(f"/customers/{customer.id}").text
    rating = {"agency": "Bureau", "grade": "BB", "pd_bp": "1.25", "limit_minor": "5,000", "currency": "JPY"}
    rating |= {"from_day": date_of(today - 9).isoformat(), "customer": customer.id, "reason": "their mail"}
    assert browser.post("/commands/RecordRating", rating).status_code == 303
    for year, revenue in ((2023, "1000"), (2024, "900")):
        said = {"period_end_day": f"{year}-12-31", "filed_day": f"{year + 1}-06-01", "currency": "EUR", "months": "12"}
        said |= {"revenue_minor": revenue, "equity_minor": "-10.5", "total_assets_minor": "100", "audited": "yes"}
        said |= {"consolidated": "no", "customer": customer.id, "reason": "the register"}
        assert browser.post("/commands/RecordStatement", said).status_code == 303
    kept = Rating.get()
    assert (kept.pd_bp, kept.limit_minor, kept.currency, kept.by) == (125, 5_000, "JPY", people.manager.id)
    page = browser.get(f"/customers/{customer.id}").text
    for text in ("BB", "counts from tomorrow", "-10.0\u202f%", "-10.5", "History: 1 rating"):
        assert text in page
    assert {"RecordRating", "RecordStatement"} <= {entry.command for entry in AuditEntry.select()}


def test_the_same_again_is_refused_and_another_grade_corrects(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """What was entered stays in the history, taken back; a rating that was wrong is taken back alone."""
    browser = signed_in(people.analyst)
    said = {"agency": "Bureau", "grade": "A", "from_day": "2024-01-02", "customer": customer.id, "reason": "mail"}
    assert browser.post("/commands/RecordRating", said).status_code == 303
    assert browser.post("/commands/RecordRating", said).status_code == 409
    assert browser.post("/commands/RecordRating", {**said, "grade": "B"}).status_code == 303
    newest = Rating.select().order_by(Rating.id.desc()).get()
    assert (newest.grade, newest.revision) == ("B", 1)
    assert browser.get(f"/customers/{customer.id}").text.count("taken back") == 1
    wrong = {"rating": newest.id, "reason": "another company"}
    assert browser.post("/commands/TakeBackRating", wrong).status_code == 303
    assert browser.get(f"/customers/{customer.id}").text.count("taken back") == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pd_bp": "101"}, "give a share of 100"),
        ({"grade": ""}, "is missing"),
        ({"limit_minor": "5", "currency": "EURO"}, "ISO code"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer, change: dict[str, str], said: str
) -> None:
    """And nothing is entered."""
    given = {"agency": "Bureau", "grade": "A", "from_day": "2024-01-02", "customer": customer.id, "reason": "mail"}
    answer = signed_in(people.analyst).post("/commands/RecordRating", {**given, **change})
    assert (answer.status_code, Rating.select().count(), FinancialStatement.select().count()) == (422, 0, 0)
    assert said in answer.text


def test_a_collector_reads_it_and_enters_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace, customer: Customer
) -> None:
    """The section is there, its forms are not."""
    browser = signed_in(people.collector)
    page = browser.get(f"/customers/{customer.id}").text
    assert 'id="external"' in page
    assert "RecordRating" not in page
    assert browser.get(f"/commands/RecordRating?customer={customer.id}").status_code == 403
