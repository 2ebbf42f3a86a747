"""Cash week by week: chances that stand in order, and bands that let things come together."""

import numpy as np
import pytest

from scoring.cash import backtest_cash, came_in, forecast
from scoring.cash_habits import OpenInvoices, open_invoices, week_chances
from scoring.cash_hazard import Hazards
from scoring.invoice_training import Ledger

DAY = 18_400


@pytest.fixture(scope="module")
def ledger(made_up_entries: dict) -> Ledger:
    return Ledger.of(made_up_entries)


def test_chances_of_an_invoice_are_chances(ledger: Ledger) -> None:
    """None below 0, together at most 1, and the longer one looks the more comes."""
    asked = open_invoices(ledger, DAY)
    chances = week_chances(ledger, asked, DAY, 13)
    assert len(asked.place) > 10
    assert (chances >= 0).all()
    assert (chances.sum(axis=1) <= 1).all()
    assert week_chances(ledger, asked, DAY, 26)[:, :13] == pytest.approx(chances)


def test_later_payments_change_no_forecast(ledger: Ledger, made_up_entries: dict) -> None:
    """Asked on a day, what came in on it or after it is not known."""
    known = made_up_entries["payments"]["seen_day"] < DAY
    payments = {name: column[known] for name, column in made_up_entries["payments"].items()}
    blind = Ledger.of(made_up_entries | {"payments": payments})
    ours, theirs = (week_chances(one, open_invoices(one, DAY), DAY, 13) for one in (ledger, blind))
    assert np.array_equal(ours, theirs)
    assert came_in(blind, open_invoices(blind, DAY), DAY, 13).sum() == 0
    assert came_in(ledger, open_invoices(ledger, DAY), DAY, 13).sum() > 0


def test_a_band_of_one_customer_is_wider_than_of_many() -> None:
    """Twenty invoices of one customer due in one week come together; of twenty customers they even out."""
    chances = np.full((20, 2), 0.5)
    amount, due = np.full(20, 100.0), np.full(20, 7.0)
    one = forecast(OpenInvoices(np.arange(20), np.zeros(20, dtype=int), due, amount), chances, 1)
    many = forecast(OpenInvoices(np.arange(20), np.arange(20), due, amount), chances, 1)
    assert one.expected.tolist() == many.expected.tolist() == [1_000, 1_000]
    assert (one.low[0], one.high[0]) == (0, 2_000)
    assert many.high[0] - many.low[0] < 800


def test_a_backtest_errs_less_than_due_dates(ledger: Ledger) -> None:
    """Two days eight weeks apart; the rivals stand beside it and the band holds about what it claims."""
    found = backtest_cash([ledger], range(DAY, DAY + 112, 56), 6, None, 1)
    assert found["wape"]["expected"] < found["wape"]["due_date"]
    assert found["wape_interval"]["typical"][0] <= found["wape"]["typical"] <= found["wape_interval"]["typical"][1]
    assert 0.4 < found["band"]["held"] <= 1
    assert found["band"]["n"] == 12


def test_too_little_history_is_left_to_habits(ledger: Ledger) -> None:
    """Where few payments are known nothing is learned, and nobody is told a chance."""
    assert Hazards(ledger).chances(open_invoices(ledger, 18_060), 18_060, 4) is None


def test_a_hazard_is_learned_from_what_was_known(ledger: Ledger, made_up_entries: dict) -> None:
    """What is booked on the day or later changes no chance, and the same ledger gives the same ones."""
    known = made_up_entries["payments"]["seen_day"] < DAY
    payments = {name: column[known] for name, column in made_up_entries["payments"].items()}
    blind = Ledger.of(made_up_entries | {"payments": payments})
    ours, theirs = (Hazards(one).chances(open_invoices(one, DAY), DAY, 4) for one in (ledger, blind))
    assert ours is not None
    assert theirs is not None
    assert np.array_equal(ours, theirs)
    assert (ours >= 0).all()
    assert (ours.sum(axis=1) <= 1).all()


def test_nothing_open_gives_nothing(ledger: Ledger) -> None:
    """Before the first invoice there is nothing to forecast."""
    asked = open_invoices(ledger, 17_000)
    assert forecast(asked, week_chances(ledger, asked, 17_000, 4), 1).expected.tolist() == [0, 0, 0, 0]
    assert backtest_cash([ledger], [17_000], 4, None, 1) == {"days": 1, "weeks": 4, "invoices": 0}
