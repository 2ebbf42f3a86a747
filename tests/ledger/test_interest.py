"""Late interest: the law of a debt, worked by hand, and what holds for every debt."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.days import day_of
from ledger.insurance import insurance_clock
from ledger.interest import (
    Band,
    Consumers,
    Contested,
    DatedRate,
    Debt,
    FixedSums,
    Owed,
    RateTable,
    Regime,
    first_bearing,
    in_legal_order,
    interest_of,
    paid,
    principal_after,
    regime_for,
)
from ledger.money import half_up


def day(text):
    """Days since 1970-01-01."""
    return day_of(date.fromisoformat(text))


def regime(rates, margin, **changes):
    """A regime of a rate table given as {day: hundredths of a percent}."""
    dated = tuple(DatedRate(day(on), rate) for on, rate in rates.items())
    values = {
        "key": "r",
        "name": "R",
        "law": "",
        "creditor": frozenset(),
        "debtor": frozenset(),
        "priority": 0,
        "table": RateTable("t", "T", dated, day("2030-12-31")),
        "margin_bp": margin,
        "fixing": "by_period",
        "fixed_on": "due_day",
        "day_basis": 365,
        "fixed_sums": None,
        "consumers": None,
    }
    return Regime(**{**values, **changes})


MRO = {"2024-01-01": 450, "2024-07-01": 425, "2025-01-01": 315, "2025-07-01": 215}
LOCKED = {"fixing": "at_default"}
POUNDS = FixedSums("GBP", "invoice", (Band(4_000, 100_000), Band(7_000, 1_000_000), Band(10_000)))


@pytest.mark.parametrize(
    ("name", "law", "principal", "due", "paid_on", "minor"),
    [
        ("UK-1", regime({"2016-07-01": 50}, 800, **LOCKED), 100_000, "2016-09-01", "2016-10-21", 1_164),
        ("IE-1", regime(MRO, 800, **LOCKED), 500_000, "2026-02-10", "2026-05-21", 13_904),
        ("EU-1 floating", regime(MRO, 800), 1_000_000, "2024-05-31", "2024-09-30", 41_151),
        ("EU-1 locked", regime(MRO, 800, **LOCKED), 1_000_000, "2024-05-31", "2024-09-30", 41_781),
        ("DE-1", regime({"2024-01-01": 362, "2024-07-01": 337}, 900), 1_000_000, "2024-05-31", "2024-09-30", 41_552),
    ],
)
def test_worked_examples(name, law, principal, due, paid_on, minor):
    """A debt due on one day and paid on another bears interest for the days between."""
    debt = Debt(principal, day(due), ((day(paid_on), principal),))
    for until in (day(paid_on), day(paid_on) + 400):  # it stays when the principal is paid
        found = interest_of(debt, law, until)
        assert found.amount_minor == minor, name
        assert sum(one.amount_minor for one in found.segments) == minor


@pytest.mark.parametrize(
    ("debt", "fixed"), [(0, 0), (99_999, 4_000), (100_000, 7_000), (999_999, 7_000), (1_000_000, 10_000)]
)
def test_fixed_sums_by_band(debt, fixed):
    """UK-3: 40 below 1,000, 70 below 10,000, 100 from there."""
    assert regime({}, 0, fixed_sums=POUNDS).fixed_sum_of(debt) == fixed


def test_money_goes_to_costs_then_interest_then_principal():
    """DE-3, as one step and as a calculation over days."""
    assert paid(Owed(500, 25, 10_000), 10_000) == (Owed(0, 0, 525), 0)
    law = regime({"2024-01-01": 13}, 900)  # 9.13 % for 10 days: 0.25
    debt = Debt(10_000, day("2024-02-01"), ((day("2024-02-11"), 10_000),))
    costs = [(day("2024-02-05"), 500)]
    assert in_legal_order(debt, law, day("2024-02-11"), costs=costs) == Owed(0, 0, 525)
    later = in_legal_order(debt, law, day("2024-12-31"), costs=costs)
    assert later == Owed(0, half_up(525 * 913 * 324, 3_650_000), 525)


def test_a_credit_note_lowers_the_principal_only():
    """It is no money: costs and interest stay."""
    law = regime({"2024-01-01": 0}, 3_650)
    debt = Debt(10_000, day("2024-02-01"))
    found = in_legal_order(
        debt, law, day("2024-02-21"), costs=[(day("2024-02-02"), 500)], credited=[(day("2024-02-11"), 4_000)]
    )
    assert found == Owed(500, 100 + 60, 6_000)


def test_what_is_disputed_bears_no_interest_while_it_is():
    """From the day after it was opened to the day it was closed, for the part that is contested."""
    law = regime({"2024-01-01": 0}, 3_650)  # a tenth of a percent a day
    due = day("2024-03-01")
    contested = (Contested(due + 10, 40_000, due + 20),)
    debt = Debt(100_000, due, (), contested)
    assert interest_of(debt, law, due + 10).amount_minor == 1_000
    assert interest_of(debt, law, due + 20).amount_minor == 1_600
    assert interest_of(debt, law, due + 30).amount_minor == 2_600
    whole = Debt(100_000, due, ((due + 12, 30_000),), (Contested(due - 5, None, due + 20),))
    assert interest_of(whole, law, due + 20).amount_minor == 0
    assert interest_of(whole, law, due + 21).amount_minor == 70
    assert first_bearing(whole, due + 20) == 0
    assert first_bearing(whole, due + 21) == 70_000
    assert in_legal_order(debt, law, due + 30) == Owed(0, 2_600, 100_000)


@pytest.mark.parametrize(("days_late", "minor"), [(-1, 0), (0, 0), (1, 100)])
def test_interest_begins_the_day_after_the_due_day(days_late, minor):
    """Before it, on it, after it."""
    debt = Debt(100_000, day("2024-03-01"))
    assert interest_of(debt, regime({"2024-01-01": 0}, 3_650), day("2024-03-01") + days_late).amount_minor == minor


def test_which_half_year_locks_the_rate():
    """A debt due on 30 June becomes late on 1 July: the law says which of the two days counts."""
    due = day("2024-06-30")
    first_late = regime(MRO, 800, fixing="at_default", fixed_on="first_late_day")
    assert first_late.rate_on(due + 400, due) == 1_225
    assert regime(MRO, 800, **LOCKED).rate_on(due + 400, due) == 1_250


def test_consumers_have_their_own_margin_or_owe_nothing():
    """The consumer exception is data."""
    debt, until = Debt(100_000, day("2024-03-01")), day("2024-03-11")
    sums = FixedSums("EUR", "invoice", (Band(4_000),))
    spared = regime({"2024-01-01": 0}, 3_650, fixed_sums=sums)
    lower = regime({"2024-01-01": 0}, 3_650, fixed_sums=sums, consumers=Consumers(1_825, False))
    assert interest_of(debt, spared, until, consumer=True).amount_minor == 0
    assert interest_of(debt, lower, until, consumer=True).amount_minor == 500
    assert (lower.fixed_sum_of(100_000, consumer=True), lower.fixed_sum_of(100_000)) == (0, 4_000)


def test_a_rate_that_is_not_known_is_not_taken_for_zero():
    """Before the table begins there is none; beyond its end its last rate counts, and the answer says so."""
    debt = Debt(100_000, day("2024-03-01"))
    assert interest_of(debt, regime({"2024-07-01": 100}, 800), day("2024-08-01")).amount_minor is None
    ended = regime({"2024-01-01": 100}, 800, table=RateTable("t", "T", (DatedRate(0, 100),), day("2024-06-30")))
    assert not interest_of(debt, ended, day("2024-06-30")).overtaken
    assert interest_of(debt, ended, day("2024-07-01")).overtaken


def test_a_rate_never_falls_below_zero():
    """A reference rate below the margin's opposite gives no interest, not a discount."""
    assert regime({"2024-01-01": -900}, 800).rate_on(day("2024-02-01"), 0) == 0


def test_the_highest_priority_that_fits_both_countries_counts():
    """And then the key, so that the choice is total."""
    union = regime({}, 0, key="eu", creditor=frozenset({"DE", "FR"}))
    german = regime({}, 0, key="de", creditor=frozenset({"DE"}), priority=10)
    swiss_debtors = regime({}, 0, key="ch", creditor=frozenset({"DE"}), debtor=frozenset({"CH"}), priority=20)
    laws = (union, german, swiss_debtors)
    assert regime_for(laws, "DE", "FR") is german
    assert regime_for(laws, "DE", "CH") is swiss_debtors
    assert regime_for(laws, "FR", None) is union
    assert regime_for(laws, "US", "DE") is None


def test_the_insurance_clock_does_not_move_with_a_deferral():
    """Due 2026-01-31, extension 60 days, hand-over within 30 days after."""
    for dues in (("2026-01-31",), ("2026-01-31", "2026-03-15")):
        clock = insurance_clock(tuple(day(one) for one in dues), 60, 30)
        assert (clock.stop_shipping_day, clock.hand_over_by_day) == (day("2026-04-01"), day("2026-05-01"))
    with pytest.raises(ValueError, match="due day"):
        insurance_clock((), 60, 30)


DUE = day("2024-06-01")
SPAN = st.integers(DUE - 20, DUE + 260)
AMOUNT = st.integers(1, 10**9)


@st.composite
def debts(draw):
    """A debt with payments and disputes around its due day."""
    contested = []
    for opened, length, amount in draw(st.lists(st.tuples(SPAN, st.integers(0, 90), st.none() | AMOUNT), max_size=3)):
        contested.append(Contested(opened, amount, draw(st.none() | st.just(opened + length))))
    return Debt(draw(AMOUNT), DUE, tuple(draw(st.lists(st.tuples(SPAN, AMOUNT), max_size=4))), tuple(contested))


LAWS = st.sampled_from([regime(MRO, 800), regime(MRO, 800, **LOCKED), regime(MRO, 900, day_basis=360)])


@given(debt=debts(), law=LAWS, late=st.integers(-5, 260))
def test_interest_is_the_sum_of_its_days(debt, law, late):
    """Every day bears the rate of that day on what bore interest that morning; one rounding, at the end."""
    until = DUE + late
    exact = sum(
        Fraction(principal_after(debt, on - 1) * law.rate_on(on, DUE), 10_000 * law.day_basis)
        for on in range(DUE + 1, until + 1)
    )
    found = interest_of(debt, law, until)
    assert found.amount_minor == half_up(exact.numerator, exact.denominator) if exact else found.amount_minor == 0
    assert sum(one.amount_minor for one in found.segments) == found.amount_minor
    assert all(one.principal_minor > 0 and one.days > 0 for one in found.segments)


@given(debt=debts(), law=LAWS, late=st.integers(0, 250), more=st.integers(0, 10))
def test_interest_never_shrinks(debt, law, late, more):
    """Time and payments end its growth; nothing takes it back."""
    assert interest_of(debt, law, DUE + late).amount_minor <= interest_of(debt, law, DUE + late + more).amount_minor


@given(debt=debts(), law=LAWS, late=st.integers(0, 260), costs=st.lists(st.tuples(SPAN, AMOUNT), max_size=2))
def test_the_legal_order_conserves_money(debt, law, late, costs):
    """What is owed is never negative, and without money it is all that arose."""
    until = DUE + late
    owed = in_legal_order(debt, law, until, costs=costs)
    assert min(owed.costs_minor, owed.interest_minor, owed.principal_minor) >= 0
    unpaid = Debt(debt.amount_minor, DUE, (), debt.contested)
    total = in_legal_order(unpaid, law, until, costs=costs)
    assert total.costs_minor == sum(amount for on, amount in costs if on <= until)
    assert total.interest_minor == interest_of(unpaid, law, until).amount_minor
    assert owed.total_minor <= total.total_minor
