"""What is known of a customer before a day: later entries never move an earlier answer."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.invoice_features import INVOICE_FEATURE_NAMES, Shrinkage, invoice_features
from scoring.past import ENTRIES, NEVER, past_of

DAY = 20_000
USUAL = Shrinkage(late_bp=5_000, worse_bp=1_000, days_late=10, strength=3)
Row = dict[str, Any]


def columns_of(name: str, rows: list[Row]) -> dict[str, np.ndarray]:
    """A table of entries from rows."""
    return {column: np.array([row[column] for row in rows], dtype=np.float64) for column in ENTRIES[name]}


def entries_of(lines: list[Row], payments: list[Row], disputes: list[Row] | None = None) -> dict[str, Any]:
    """The columns that features read."""
    return {
        "lines": columns_of("lines", lines),
        "payments": columns_of("payments", payments),
        "disputes": columns_of("disputes", disputes or []),
    }


def line(number: int, due: float, customer: int = 1, amount: int = 100, gone: int = NEVER) -> Row:
    """A due line invoiced 30 days before it is due."""
    day = due - 30
    return {
        "line_id": number,
        "customer_id": customer,
        "invoice_day": day,
        "due_day": due,
        "amount_minor": amount,
        "amount": amount,
        "seen_day": day,
        "gone_day": gone,
    }


def payment(number: int, day: int, amount: int = 100, seen: int | None = None, **more: Any) -> Row:
    """A payment of a line of customer 1."""
    return {
        "line_id": number,
        "customer_id": 1,
        "booked_day": day,
        "amount_minor": amount,
        "amount": amount,
        "is_payment": 1,
        "seen_day": day if seen is None else seen,
        "gone_day": NEVER,
    } | more


def answer(entries: dict[str, Any], day: int = DAY, customer: int = 1) -> dict[str, float]:
    """What an invoice of 100 written on a day, due 30 days later, would be asked with."""
    asked = {"customer_id": customer, "day": day, "invoice_day": day, "due_day": day + 30, "amount": 100}
    columns = {name: np.array([value]) for name, value in asked.items()}
    found = invoice_features(past_of(entries), columns, USUAL)
    return {name: float(values[0]) for name, values in found.items()}


moments = st.integers(DAY - 120, DAY + 120)
histories = st.lists(st.tuples(moments, st.integers(-25, 90), st.integers(0, 60), st.booleans()), max_size=6)


def ledger_of(history: list[tuple[int, int, int, bool]], until: int) -> dict[str, Any]:
    """A ledger in which nothing is known that was recorded after a day."""
    lines, payments = [], []
    for number, (due, late, taken_back, back) in enumerate(history, start=1):
        paid = due + late
        gone = paid + taken_back if back else NEVER
        if due - 30 <= until:
            lines.append(line(number, due, amount=100 + number))
            if paid <= until:
                known_gone = gone if gone <= until else NEVER
                payments.append(payment(number, paid, 100 + number, gone_day=known_gone))
    return entries_of(lines, payments)


@settings(max_examples=60, deadline=None)
@given(history=histories)
def test_what_is_recorded_later_changes_no_earlier_feature(history: list[tuple[int, int, int, bool]]) -> None:
    """Payments, new lines and reversals from the day on: the answer of the day stays as it was."""
    whole, known = answer(ledger_of(history, 30_000)), answer(ledger_of(history, DAY - 1))
    assert {name: repr(value) for name, value in whole.items()} == {name: repr(value) for name, value in known.items()}


@pytest.mark.parametrize(("seen", "count"), [(DAY - 1, 1), (DAY, 0), (DAY + 1, 0)])
def test_only_what_was_recorded_before_the_day_counts(seen: int, count: int) -> None:
    """Booked in time but recorded on the day itself is not known."""
    found = answer(entries_of([line(1, DAY - 20)], [payment(1, DAY - 10, seen=seen)]))
    assert (found["paid_count"], found["overdue_count"]) == (count, 1 - count)


def test_a_customer_unknown_gets_the_usual_shares() -> None:
    """Nothing is known of them: shares are the portfolio's, days are unknown."""
    found = answer(entries_of([line(1, DAY - 20)], []), customer=9)
    assert (found["own_late_share_bp"], found["own_worse_share_bp"]) == (5_000, 1_000)
    assert np.isnan(found["median_days_late"])
    assert found["amount_to_usual_bp"] == 10_000


def test_shares_are_shrunk_by_three_usual_payments() -> None:
    """One late payment of one: (1 + 3 x 0.5) / 4."""
    found = answer(entries_of([line(1, DAY - 50)], [payment(1, DAY - 45)]))
    assert found["own_late_share_bp"] == 6_250
    assert (found["last_days_late"], found["median_days_late"], found["days_since_payment"]) == (5, 5, 45)


def test_lines_equal_in_customer_dates_and_amount_count_once() -> None:
    """The same row twice in a file is one invoice."""
    twice = entries_of([line(1, DAY - 5), line(2, DAY - 5)], [])
    assert answer(twice)["overdue_count"] == 1
    differ = entries_of([line(1, DAY - 5), line(2, DAY - 5, amount=101)], [])
    assert answer(differ)["overdue_count"] == 2


def test_a_payment_taken_back_counted_until_then() -> None:
    """Before and on the day it was taken back it counts, after it the line is overdue again."""
    entries = entries_of([line(1, DAY - 50)], [payment(1, DAY - 45, gone_day=DAY)])
    found = [answer(entries, day) for day in (DAY - 1, DAY, DAY + 1)]
    assert [(one["paid_count"], one["overdue_count"]) for one in found] == [(1, 0), (1, 0), (0, 1)]


def test_part_payments_leave_the_rest_open() -> None:
    """60 of 100 are paid: the line is open with 40 until the rest comes."""
    parts = [payment(1, DAY - 10, amount=60), payment(1, DAY + 5, amount=40)]
    found = answer(entries_of([line(1, DAY - 20)], parts))
    assert (found["open_count"], found["open_to_usual_bp"]) == (1, 4_000)
    assert answer(entries_of([line(1, DAY - 20)], parts), DAY + 6)["open_count"] == 0


def test_a_history_paid_for_other_terms_is_seen_on_these_terms() -> None:
    """35 days after the invoice was 5 days late on 30 days; on these 30 days it would be too."""
    found = answer(entries_of([line(1, DAY - 50)], [payment(1, DAY - 45)]))
    assert found["median_these_terms_days"] == 5


def test_lines_without_due_date_and_rate_are_asked_all_the_same() -> None:
    """Their own features are unknown, the customer's are not."""
    odd = line(2, DAY - 3) | {"due_day": np.nan, "amount": np.nan}
    found = answer(entries_of([line(1, DAY - 50), odd], [payment(1, DAY - 45)]))
    assert (found["paid_count"], found["open_count"], found["overdue_count"]) == (1, 1, 0)
    empty = answer(entries_of([], []))
    assert set(INVOICE_FEATURE_NAMES) < set(empty)
