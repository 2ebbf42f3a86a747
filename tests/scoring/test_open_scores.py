"""Scores of open invoices: a part of the ledger gives the numbers of the whole."""

import numpy as np
import pytest

from scoring.cash_habits import open_places
from scoring.invoice_features import invoice_features
from scoring.invoice_model import scores_of
from scoring.invoice_training import Ledger
from scoring.open_scores import COLUMNS, open_scores
from scoring.past import usual_on

pytestmark = pytest.mark.xdist_group("scoring")

DAY = 18_500


def test_customers_apart_are_scored_as_all_together(made_up_entries, trained):
    """Line by line the same whole numbers, in one go or customer by customer."""
    whole = Ledger.of(made_up_entries)
    usual = usual_on(made_up_entries["lines"], DAY)
    together = open_scores(whole, usual, trained.model, DAY)
    apart = []
    for customer in (1, 2, 3):
        own = {
            name: {column: values[table["customer_id"] == customer] for column, values in table.items()}
            for name, table in made_up_entries.items()
        }
        apart.append(open_scores(Ledger.of(own), usual, trained.model, DAY))
    few = together["customer_id"] <= 3
    assert few.sum() > 0
    for name in COLUMNS:
        assert (np.concatenate([part[name] for part in apart]) == together[name][few]).all()


def test_the_usual_amount_of_a_day_is_that_of_all_days_on_it(made_up_entries, trained):
    """One step in place of all of them changes no score."""
    ledger = Ledger.of(made_up_entries)
    places = np.flatnonzero(open_places(ledger, DAY))
    asked = {name: ledger.lines[name][places] for name in ("customer_id", "invoice_day", "due_day", "amount")}
    features = invoice_features(ledger.past, asked | {"day": np.full(len(places), DAY)}, trained.model.shrinkage)
    said = scores_of(trained.model, features)
    kept = open_scores(ledger, usual_on(made_up_entries["lines"], DAY), trained.model, DAY)
    assert (kept["p_late_bp"] == np.floor(said.p_late * 10_000 + 0.5)).all()
    assert (kept["days_low"] <= kept["days_late"]).all()
    assert (kept["days_late"] <= kept["days_high"]).all()
    assert (kept["p_late30_bp"] <= kept["p_late_bp"]).all()


def test_a_ledger_without_open_lines_has_no_scores(made_up_entries, trained):
    """Years later everything is paid."""
    kept = open_scores(Ledger.of(made_up_entries), usual_on(made_up_entries["lines"], 30_000), trained.model, 30_000)
    assert {len(column) for column in kept.values()} == {0}
