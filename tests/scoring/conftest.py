"""A made-up portfolio whose late payers differ from the others, and a model trained on it."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ledger.canonical import sha256_of
from scoring.invoice_training import Ledger, Trained, train_invoices
from scoring.learning import train
from scoring.model import Model, canonical, load
from scoring.past import ENTRIES, NEVER

FIRST_DAY, TRAINED_DAY = 20_000, 20_560


def facts_of(generator: np.random.Generator, badness: float) -> dict[str, Any]:
    """One customer's facts on one day; the worse the payer, the later everything."""
    paid = int(generator.poisson(6))
    late = int(generator.binomial(paid, badness)) if paid else 0
    opened = int(generator.integers(1, 6))
    overdue = int(generator.binomial(opened, badness * 0.6))
    open_minor = int(generator.lognormal(11, 1))
    turnover = open_minor * int(generator.integers(2, 9))
    return {
        "overdue_minor": open_minor * overdue // opened,
        "open_minor": open_minor,
        "leader_days_past_due": int(generator.integers(1, 30)) if overdue else -int(generator.integers(0, 40)),
        "overdue_count": overdue,
        "open_count": opened,
        "turnover_12m_minor": turnover,
        "late_share_12m_bp": late * 10_000 // paid if paid else None,
        "paid_count_12m": paid,
        "late_share_3m_bp": late * 10_000 // paid if paid > 3 else None,
        "mean_days_late_12m": int(generator.normal(25 * badness - 4, 3)) if paid else None,
        "max_days_late_12m": int(generator.normal(50 * badness, 4)) if paid else None,
        "days_since_payment": int(generator.integers(1, 60)) if paid else None,
        "days_since_invoice": int(generator.integers(1, 90)),
        "utilisation_bp": int(generator.integers(0, 15_000)) if badness < 0.9 else None,
        "promises_broken_12m": int(generator.binomial(2, badness * 0.3)),
        "disputes_open": 0,
        "terms_days": int(generator.choice([14, 30, 45, 60])),
    }


@pytest.fixture(scope="session")
def training_rows() -> list[dict[str, Any]]:
    """80 customers asked every fortnight for eighteen months."""
    generator = np.random.default_rng(7)
    rows = []
    for customer in range(80):
        badness = float(generator.beta(1, 2.5))
        for day in range(FIRST_DAY, TRAINED_DAY - 90, 14):
            facts = facts_of(generator, badness)
            chance = 1 / (1 + np.exp(3.0 - 4.5 * badness - 0.04 * max(facts["leader_days_past_due"], 0)))
            label = int(generator.random() < chance)
            rows.append({"customer_id": customer, "as_of_day": day, "label": label} | facts)
    return rows


@pytest.fixture(scope="session")
def body(training_rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What training gives for that portfolio."""
    trained, problems = train(training_rows, TRAINED_DAY)
    assert problems == []
    assert trained is not None
    return trained


@pytest.fixture(scope="session")
def model(body: dict[str, Any]) -> Model:
    """That model, loaded as the engine loads it."""
    loaded, problems = load(canonical(json.loads(canonical(body))), sha256_of(body))
    assert problems == []
    assert loaded is not None
    return loaded


def invoices_made_up(disputes_at_issue: bool = False) -> dict[str, Any]:
    """40 customers, each with habits of its own, write 25 invoices in two years."""
    generator = np.random.default_rng(3)
    customer = np.repeat(np.arange(1, 41), 25)
    invoiced = 18_000 + generator.integers(0, 730, customer.size)
    due = invoiced + generator.choice([14, 30], customer.size)
    habit = generator.normal(8, 16, 41)[customer]
    paid = np.maximum(due + np.round(generator.normal(habit, 12)), invoiced)
    amount = generator.integers(1_000, 90_000, customer.size)
    ids = np.arange(1, customer.size + 1)
    late = paid > due
    shared = {"line_id": ids, "customer_id": customer, "amount_minor": amount, "amount": amount}
    never = np.full(customer.size, NEVER)
    lines = shared | {"invoice_day": invoiced, "due_day": due, "seen_day": invoiced, "gone_day": never}
    payments = shared | {"booked_day": paid, "is_payment": np.ones(customer.size), "seen_day": paid, "gone_day": never}
    told = late if disputes_at_issue else np.zeros(customer.size, dtype=bool)
    disputes = {"line_id": ids, "customer_id": customer, "seen_day": invoiced, "gone_day": never}
    tables = {"lines": lines, "payments": payments, "disputes": {k: v[told] for k, v in disputes.items()}}
    return {name: {column: tables[name][column] for column in columns} for name, columns in ENTRIES.items()}


@pytest.fixture(scope="session")
def make_entries() -> Callable[..., dict[str, Any]]:
    """``make_entries(disputes_at_issue=True)``: the columns of a made-up ledger of invoices."""
    return invoices_made_up


@pytest.fixture(scope="session")
def made_up_entries() -> dict[str, Any]:
    """The same, once."""
    return invoices_made_up()


@pytest.fixture(scope="session")
def trained(made_up_entries: dict[str, Any]) -> Trained:
    """The payment models of that ledger, trained on what was known before day 18,620."""
    return train_invoices([Ledger.of(made_up_entries)], 18_620)
