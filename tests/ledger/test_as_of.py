"""Every figure can be asked as of a past day: what was booked, and what was recorded by then."""

import pytest


@pytest.mark.parametrize(("as_of", "owed"), [(-6, 0), (-5, 100), (-2, 100), (-1, 40), (0, 40)])
def test_a_figure_of_each_day(book, as_of, owed):
    """A line counts from its day, a payment from its."""
    ledger = book()
    ledger.pay(ledger.line(100, 30, day=-5), 60, day=-1)
    assert ledger.facts(as_of)["open_minor"] == owed


@pytest.mark.parametrize(("booked", "recorded", "counts_from"), [(-5, -5, -5), (-5, -2, -2), (-2, -5, -2), (-5, 0, 0)])
def test_the_later_of_booked_and_recorded_day_decides(book, booked, recorded, counts_from):
    """A payment booked last week and recorded today was not known last week."""
    ledger = book()
    ledger.pay(ledger.line(100, -10), 100, day=booked, recorded=recorded)
    assert ledger.facts(counts_from - 1)["open_minor"] == 100
    assert ledger.facts(counts_from)["open_minor"] == 0


@pytest.mark.parametrize(("as_of", "owed"), [(-4, 100), (-3, 0), (-2, 0), (-1, 100), (0, 100)])
def test_a_reversed_allocation_counts_until_it_was_reversed(book, as_of, owed):
    """The past stays as it was seen."""
    ledger = book()
    allocation = ledger.pay(ledger.line(100, -10), 100, day=-3)
    ledger.reverse("allocation", allocation, day=-1)
    assert ledger.facts(as_of)["open_minor"] == owed


def test_a_reversed_allocation_leaves_its_payment_unapplied(book):
    """The money is still there; it only no longer belongs to the line."""
    ledger = book()
    ledger.reverse("allocation", ledger.pay(ledger.line(100, -10), 100, day=-3))
    facts = ledger.facts()
    assert (facts["unapplied_minor"], facts["overdue_minor"], facts["overdue_net_minor"]) == (100, 100, 0)


def test_a_reversed_payment_takes_its_allocations_with_it(book):
    """A bounced direct debit opens the line again and leaves no cash."""
    ledger = book()
    ledger.pay(ledger.line(100, -10), 100, day=-3)
    ledger.reverse("credit", 1)
    facts = ledger.facts()
    assert (facts["unapplied_minor"], facts["overdue_minor"], facts["days_since_payment"]) == (0, 100, None)


def test_a_reversed_line_frees_what_was_set_against_it(book):
    """A cancelled invoice is not owed; what was paid for it is unapplied."""
    ledger = book()
    ledger.pay(ledger.line(100, -10), 60, day=-3)
    ledger.dispute(1, day=-3)
    ledger.promise(10, -9, line=1, day=-20)
    ledger.reverse("due_line", 1)
    facts = ledger.facts()
    assert (facts["open_minor"], facts["unapplied_minor"], facts["open_count"]) == (0, 60, 0)
    assert (facts["disputes_open"], facts["promises_broken_12m"], facts["turnover_12m_minor"]) == (0, 0, 0)


def test_a_reversal_counts_for_features_only_from_the_next_day(book):
    """A payment taken back today was a payment to whoever predicts today."""
    ledger = book()
    ledger.pay(ledger.line(100, -10), 100, day=-3)
    ledger.reverse("credit", 1, day=0)
    today, tomorrow = ledger.facts(), ledger.facts(1)
    assert (today["open_minor"], today["paid_count_12m"], today["days_since_payment"]) == (100, 1, 3)
    assert (tomorrow["open_minor"], tomorrow["paid_count_12m"], tomorrow["days_since_payment"]) == (100, 0, None)


@pytest.mark.parametrize("table", ["dispute", "promise", "credit_limit", "block"])
def test_what_people_recorded_can_be_taken_back(book, table):
    """Each kind of entry counts until its reversal and not after."""
    ledger = book()
    ledger.line(100, -10)
    ledger.dispute(1, 20, day=-3)
    ledger.promise(30, 5, line=1, day=-3)
    ledger.limit(900, day=-3, since=-3)
    ledger.block("dunning_block", -3, day=-3)
    names = {
        "dispute": ("disputes_open", 1, 0),
        "promise": ("promises_open", 1, 0),
        "credit_limit": ("credit_limit_minor", 900, None),
        "block": ("dunning_block", True, False),
    }
    name, before, after = names[table]
    ledger.reverse(table, 1, day=-1)
    assert (ledger.facts(-2)[name], ledger.facts(-1)[name]) == (before, after)


def test_a_limit_recorded_later_was_not_in_force_before(book):
    """Back-dated to the first, recorded on the third: on the second nobody knew."""
    ledger = book()
    ledger.limit(900, -9, day=-9, recorded=-3)
    assert ledger.facts(-4)["credit_limit_minor"] is None
    assert ledger.facts(-3)["credit_limit_minor"] == 900
