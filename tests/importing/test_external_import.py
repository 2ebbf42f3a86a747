"""Ratings and financial statements come in by the one door: known customers only, corrections as new entries."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from engine.commands import Invalid
from engine.ledger_hash import ledger_hash
from engine.tables import Customer, Entity, FinancialStatement, Import, Rating, Reversal
from ledger.days import day_of

Take = Callable[..., dict[str, Any]]


def mapping(kind: str, **fields: Any) -> dict[str, Any]:
    sources = {name: one if isinstance(one, dict) else {"column": one} for name, one in fields.items()}
    return {
        "format": 1,
        "kind": "mapping",
        "key": kind,
        "name": kind,
        "decimal_mark": ".",
        "date_formats": ["yyyy-mm-dd"],
        "records": [{"kind": kind, "fields": sources}],
    }


RATINGS = mapping(
    "rating",
    customer="Customer",
    agency={"constant": "Bureau"},
    from_on="From",
    received_on="Got",
    grade="Grade",
    default_probability={"column": "Grade", "grades": {"A": "0.05", "B": "1.255"}},
    recommended_limit="Limit",
    currency="Currency",
)
HEAD = "Customer,From,Got,Grade,Limit,Currency\n"
STATEMENTS = mapping(
    "financial_statement",
    customer="Customer",
    period_end_on="End",
    filed_on="Filed",
    currency={"constant": "EUR"},
    revenue={"column": "Revenue", "transform": ["thousands"]},
    equity={"column": "Equity", "transform": ["thousands"]},
)


def day_of_text(text: str) -> int:
    return day_of(date.fromisoformat(text))


STATED = "Customer,End,Filed,Revenue,Equity\n"


@pytest.fixture
def known(entity: Entity) -> Customer:
    """One customer, number 1001."""
    return Customer.create(entity=entity, number="1001", name="Hollow Oak")


@pytest.fixture
def day(runtime: Any, entity: Entity) -> int:
    """Today, at the entity."""
    return runtime.today(entity)


def test_a_rating_is_kept_as_printed_and_as_its_scale_says(take_text: Take, entity: Entity, known: Customer) -> None:
    """Grade, chance by the table of the scale (half up), limit in minor units; recorded today."""
    answer = take_text(RATINGS, HEAD + "1001,2025-01-02,,b,1500.5,USD\n", entity)
    row = Rating.get()
    assert (row.grade, row.pd_bp, row.limit_minor, row.currency, row.agency) == ("b", 126, 150_050, "USD", "Bureau")
    assert (row.booked_day, row.customer_id, answer["entries"]) == (day_of_text("2025-01-02"), known.id, {"ratings": 1})


def test_the_same_file_again_posts_nothing(take_text: Take, entity: Entity, known: Customer) -> None:
    """Nor does the same row in another file; what it says differently is a correction, and the old entry stays."""
    take_text(RATINGS, HEAD + "1001,2025-01-02,,A,,\n", entity)
    before = ledger_hash(entity)
    again = take_text(RATINGS, HEAD + "1001,2025-01-02,,A,,\n", entity)
    assert (again["posted"], again["known"], ledger_hash(entity)) == (0, 1, before)
    take_text(RATINGS, HEAD + "1001,2025-01-02,,B,,\n", entity)
    assert [(row.grade, row.revision) for row in Rating.select().order_by(Rating.id)] == [("A", 0), ("B", 1)]
    assert Reversal.get().target == "rating"
    assert ledger_hash(entity) != before


def test_customers_that_are_not_known_are_left_out_and_named(take_text: Take, entity: Entity, known: Customer) -> None:
    """No customer is opened for a rating; the import keeps what it left out."""
    rows = "1001,2025-01-02,,A,,\n9,2025-01-02,,A,,\n8,2025-01-02,,B,,\n"
    answer = take_text(RATINGS, HEAD + rows, entity)
    (problem,) = answer["problems"]
    assert "2 rows name customers that are not known and were left out: 9 (line 3), 8 (line 4)" in problem["what"]
    assert (answer["posted"], Customer.select().count()) == (1, 1)
    assert "9 (line 3)" in Import.get().warnings


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1001,2025-01-02,,C,,\n", "'C' is no grade of the scale"),
        ("1001,2025-01-02,,,,\n", "grade is missing"),
        ("1001,2025-01-02,,A,100,\n", "the amount has no currency"),
        ("1001,2025-01-02,,A,-1,EUR\n", "limit_minor is below zero"),
        ("1001,,,A,,\n", "the cell is empty"),
        ("1001,2025-01-02,,A,,\n1001,2025-01-02,,B,,\n", "stands in line 2 already"),
    ],
)
def test_what_cannot_be_refuses_the_file(take_text: Take, entity: Entity, known: Customer, row: str, said: str) -> None:
    """Whole or nothing, with the line and what to do."""
    with pytest.raises(Invalid) as caught:
        take_text(RATINGS, HEAD + row, entity)
    assert any(said in problem.what and problem.cure and problem.line for problem in caught.value.problems)
    assert Rating.select().count() == 0


def test_history_counts_from_when_it_could_be_known(take_text: Take, entity: Entity, known: Customer, day: int) -> None:
    """A rating from when it was received, a statement from when it was filed, never from the end of its period."""
    take_text(RATINGS, HEAD + "1001,2024-01-02,2024-02-01,A,,\n1001,2024-03-01,,B,,\n", entity, day)
    answer = take_text(STATEMENTS, STATED + "1001,2023-12-31,2024-11-02,10,-2\n1001,2022-12-31,,9,1\n", entity, day)
    ratings = [row.recorded_day for row in Rating.select().order_by(Rating.id)]
    assert ratings == [day_of_text("2024-02-01"), day_of_text("2024-03-01")]
    filed, unfiled = FinancialStatement.select().order_by(FinancialStatement.id)
    assert (filed.booked_day, filed.recorded_day) == (day_of_text("2024-11-02"),) * 2
    assert (unfiled.booked_day, unfiled.recorded_day) == (day, day)
    assert (filed.revenue_minor, filed.equity_minor, filed.net_result_minor) == (1_000_000, -200_000, None)
    assert "do not say when they were filed" in answer["problems"][0]["what"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1001,2023-12-31,2023-12-30,1,1\n", "after the day it was filed"),
        ("1001,2023-12-31,2024-06-01,,\n", "every other amount are missing"),
        ("1001,2023-12-31,2024-06-01,-1,1\n", "revenue is below zero"),
        ("1001,2023-12-31,2024-06-01,9999999999999,1\n", "beyond the largest amount"),
    ],
)
def test_a_statement_that_cannot_be(take_text: Take, entity: Entity, known: Customer, row: str, said: str) -> None:
    """Is refused with its line."""
    with pytest.raises(Invalid) as caught:
        take_text(STATEMENTS, STATED + row, entity)
    assert any(said in problem.what for problem in caught.value.problems)
