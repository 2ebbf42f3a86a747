"""A made-up portfolio whose late payers differ from the others, and a model trained on it."""

import json
from typing import Any

import numpy as np
import pytest

from ledger.canonical import sha256_of
from scoring.learning import train
from scoring.model import Model, canonical, load

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
