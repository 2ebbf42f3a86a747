"""A letter to write, for whichever gateway."""

from datetime import date

import pytest

from ledger.days import day_of
from notifiers.letters import Letter, LetterLine


@pytest.fixture
def a_letter():
    """Two late invoices of one customer."""
    today = day_of(date(2026, 5, 20))
    lines = tuple(
        LetterLine(
            number=number,
            invoice_day=today - 60,
            due_day=today - days,
            days_past_due=days,
            original_minor=500_000,
            open_minor=300_000,
            currency="EUR",
        )
        for number, days in (("RE-1", 33), ("RE-2", 12))
    )
    return Letter(
        creditor="Main Ltd",
        payment_details="IBAN DE02 1203 0000 0000 2020 51",
        customer="Hollow Oak Trading",
        customer_number="1001",
        contact="",
        reference="1001",
        as_of_day=today,
        pay_by_day=today + 10,
        demanded=lines,
    )
