"""Facts from ratings and financial statements: the latest that was known before the day."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.external import RATIOS, ratio_of
from ledger.external_facts import RATING_FACTS, STATEMENT_FACTS, latest_rating, latest_statement

NAMES = [fact.column.name for fact in (*RATING_FACTS, *STATEMENT_FACTS)]
RATED = {"grade": "BB", "score": 250, "pd_bp": 110, "limit_minor": 5_000, "currency": "EUR"}
SHEET = {
    "revenue": 1_000,
    "operating_result": 300,
    "net_result": -50,
    "total_assets": 1_000,
    "current_assets": 300,
    "equity": 250,
    "current_liabilities": 200,
    "total_debt": 500,
    "interest_cost": 100,
}


def said(facts):
    """Only what others say."""
    return {name: facts[name] for name in NAMES}


def test_nothing_is_known_of_a_customer_nobody_speaks_of(book):
    """Every fact is unknown, never 0."""
    assert set(said(book().facts()).values()) == {None}


def test_facts_of_a_rating_and_a_statement(book):
    """As worked by hand; money is in the base currency."""
    ledger = book()
    ledger.rating("Bureau", day=-40, **RATED)
    ledger.statement(-200, day=-30, **SHEET)
    assert said(ledger.facts()) == {
        "rating_agency": "Bureau",
        "rating_grade": "BB",
        "rating_score": 250,
        "rating_pd_bp": 110,
        "rating_age_days": 40,
        "rating_limit_minor": 5_000,
        "statement_age_days": 200,
        "statement_revenue_minor": 1_000,
        "equity_ratio_bp": 2_500,
        "current_ratio_bp": 15_000,
        "net_margin_bp": -500,
        "debt_to_equity_bp": 20_000,
        "interest_cover_bp": 30_000,
    }


@pytest.mark.parametrize(
    ("day", "recorded", "known"), [(-1, -1, True), (0, -1, False), (-1, 0, False), (1, -5, False), (-9, -1, True)]
)
def test_what_is_dated_or_recorded_today_counts_from_tomorrow(book, day, recorded, known):
    """Both before the day asked for, ratings and statements alike."""
    ledger = book()
    ledger.rating(day=day, recorded=recorded, pd_bp=7)
    ledger.statement(-300, day=day, recorded=recorded, revenue=9)
    facts = ledger.facts()
    assert (facts["rating_pd_bp"] == 7, facts["statement_revenue_minor"] == 9) == (known, known)


def test_of_several_the_latest_counts(book):
    """The rating that holds from the latest day; the statement whose period ended last, its own before its group's."""
    ledger = book()
    ledger.rating("Old", day=-90, recorded=-2, pd_bp=1)
    ledger.rating("New", day=-30, recorded=-5, pd_bp=2)
    ledger.statement(-500, day=-2, equity=1, total_assets=10)
    ledger.statement(-135, day=-9, equity=3, total_assets=10)
    ledger.statement(-135, day=-3, group=1, equity=9, total_assets=10)
    facts = ledger.facts()
    assert (facts["rating_agency"], facts["rating_pd_bp"], facts["equity_ratio_bp"]) == ("New", 2, 3_000)


def test_a_correction_counts_from_the_day_after_it(book):
    """Until then, and asked for an earlier day, the facts are as they were seen."""
    ledger = book()
    wrong = ledger.rating("Bureau", day=-40, recorded=-39, pd_bp=10)
    ledger.reverse("rating", wrong, day=-5)
    ledger.rating("Bureau", day=-40, recorded=-5, pd_bp=900)
    assert [ledger.facts(day)["rating_pd_bp"] for day in (-39, -38, -5, -4, 0)] == [None, 10, 10, 900, 900]


@pytest.mark.parametrize(("months", "year"), [(6, 2_000), (12, 1_000), (18, 666)])
def test_revenue_is_of_a_year(book, months, year):
    """Whatever the statement covers, rounded down."""
    ledger = book()
    ledger.statement(months=months, revenue=1_000)
    assert ledger.facts()["statement_revenue_minor"] == year


def test_ratios_without_a_base_are_unknown(book):
    """No division by nothing: lost equity, no interest, no revenue, no liabilities."""
    ledger = book()
    ledger.statement(**{**SHEET, "equity": -100, "interest_cost": 0, "revenue": None, "current_liabilities": None})
    facts = ledger.facts()
    unknown = ("debt_to_equity_bp", "interest_cover_bp", "net_margin_bp", "current_ratio_bp")
    assert (facts["equity_ratio_bp"], *(facts[name] for name in unknown)) == (-1_000, None, None, None, None)


def test_foreign_amounts_take_the_rate_of_the_day(book):
    """And are unknown without one; ratios need none."""
    ledger = book()
    ledger.rating(limit_minor=200, currency="USD")
    ledger.statement(**SHEET, currency="USD")
    names = ("rating_limit_minor", "statement_revenue_minor", "equity_ratio_bp")
    facts = ledger.facts(rates_e9={"USD": 500_000_000})
    assert [facts[name] for name in names] == [100, 500, 2_500]
    assert [ledger.facts()[name] for name in names] == [None, None, 2_500]


@settings(max_examples=25)
@given(upper=st.integers(-(10**15), 10**15), lower=st.integers(-(10**15), 10**15), day=st.integers(0, 3))
@example(upper=9 * 10**14 - 1, lower=1, day=0)
@example(upper=9 * 10**14, lower=1, day=0)
@example(upper=1 - 9 * 10**14, lower=1, day=0)
@example(upper=5, lower=0, day=0)
def test_ratios_stay_in_their_bounds_and_the_future_moves_nothing(book, upper, lower, day):
    """Whatever a statement says; one filed or recorded from the day on changes no fact of it."""

    def facts():
        frames = ledger.frames()
        parts = (latest_rating(frames, ledger.basis()), latest_statement(frames, ledger.basis()))
        return [row for part in parts for row in part.to_native().collect().to_dicts()]

    ledger = book()
    ledger.statement(-300, net_result=upper, revenue=lower, equity=upper, total_assets=lower)
    before = facts()
    for name in ("net_margin_bp", "equity_ratio_bp"):
        assert (before[0][name] is None) == (lower <= 0 or abs(upper) >= 9 * 10**14)
        assert before[0][name] is None or abs(before[0][name]) <= 10**9
        assert before[0][name] == ratio_of(dict(zip(RATIOS[name], (upper, lower), strict=True)), name)
    ledger.statement(-100, day=day, equity=1, total_assets=1)
    ledger.rating("Late", day=-50, recorded=day, pd_bp=1)
    assert facts() == before
