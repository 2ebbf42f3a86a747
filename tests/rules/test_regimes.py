"""Regimes of late payment are documents: read, checked, and added without code."""

import copy
from datetime import date

import pytest

from ledger.days import day_of
from ledger.interest import Debt, interest_of, regime_for
from rules.regimes import parse_rate_table, rates_from_file, regime_findings, regimes_of, shipped_regimes

SHIPPED = {document["key"]: document for document in shipped_regimes()}
LAWS = {regime.key: regime for regime in regimes_of(SHIPPED.values())[0]}


def day(text):
    """Days since 1970-01-01."""
    return day_of(date.fromisoformat(text))


def changed(shipped, **changes):
    """A shipped document with changes."""
    return {**copy.deepcopy(SHIPPED[shipped]), **changes}


def test_every_shipped_document_is_sound_beside_the_others():
    """Each names its source, and for a regime every provision with what it says."""
    for document in SHIPPED.values():
        assert regime_findings(document, list(SHIPPED.values())) == []
        assert document["source"]
        assert all(one["provision"] and one["says"] for one in document.get("law", [{"provision": "-", "says": "-"}]))


@pytest.mark.parametrize(
    ("law", "principal", "due", "paid_on", "interest", "fixed"),
    [
        ("uk", 100_000, "2016-09-01", "2016-10-21", 1_164, 7_000),
        ("uk", 99_999, "2016-09-01", "2016-10-21", 1_164, 4_000),
        ("ireland", 500_000, "2026-02-10", "2026-05-21", 13_904, 7_000),
        ("ireland", 100_000, "2026-02-10", "2026-02-11", 28, 4_000),
        ("ireland", 100_001, "2026-02-10", "2026-02-11", 28, 7_000),
        ("eu_minimum", 1_000_000, "2024-05-31", "2024-09-30", 41_151, 4_000),
        ("germany_b2b", 1_000_000, "2024-05-31", "2024-09-30", 41_552, 4_000),
        ("france", 1_000_000, "2024-05-31", "2024-09-30", 47_836, 4_000),
    ],
)
def test_shipped_regimes_give_the_figures_worked_by_hand(law, principal, due, paid_on, interest, fixed):
    """The examples of the law itself, through the documents as shipped."""
    debt = Debt(principal, day(due), ((day(paid_on), principal),))
    assert interest_of(debt, LAWS[law], day(paid_on)).amount_minor == interest
    assert LAWS[law].fixed_sum_of(principal) == fixed


def test_who_is_owed_chooses_the_law():
    """A state's own regime comes before the minimum of the union."""
    laws = LAWS.values()
    found = [regime_for(laws, creditor, "FR") for creditor in ("DE", "FR", "IE", "GB", "IT", "US")]
    assert [one and one.key for one in found] == ["germany_b2b", "france", "ireland", "uk", "eu_minimum", None]


POLAND = {
    "rate_table": {
        "format": 1,
        "kind": "rate_table",
        "key": "nbp_reference",
        "name": "Reference rate of the central bank",
        "source": "announcements of the minister",
        "known_until": "2024-12-31",
        "rates": [{"from": "2024-01-01", "rate": "5.75"}],
    },
    "regime": {
        "format": 1,
        "kind": "regime",
        "key": "poland",
        "name": "Poland",
        "source": "Act of 8 March 2013",
        "law": [{"provision": "art. 4", "says": "Reference rate and ten percentage points."}],
        "creditor": ["PL"],
        "debtor": [],
        "priority": 10,
        "rate": {"table": "nbp_reference", "margin": "10.00", "fixing": "by_period", "day_basis": 365},
        "fixed_sum": {
            "currency": "EUR",
            "per": "invoice",
            "bands": [
                {"up_to": "5000.00", "amount": "40.00"},
                {"below": "50000.00", "amount": "70.00"},
                {"amount": "100.00"},
            ],
        },
        "consumers": None,
    },
}
CONTRACT = {  # a rate that the house has agreed upon, on a year of 360 days, one fixed sum for the account
    **POLAND["regime"],
    "key": "contract",
    "name": "Our terms",
    "source": "general terms, § 7",
    "entity": "DE01",
    "creditor": [],
    "priority": 50,
    "rate": {
        **{"table": "ecb_main_refinancing", "margin": "6.00", "day_basis": 360},
        **{"fixing": "at_default", "fixed_on": "due_day"},
    },
    "fixed_sum": {"currency": "EUR", "per": "account", "bands": [{"amount": "25.00"}]},
    "consumers": {"margin": "4.00", "fixed_sum": False},
}


def test_two_further_regimes_are_data_and_no_code():
    """A country of its own with its own table, and a house's own terms that come before every law."""
    documents = [*SHIPPED.values(), *POLAND.values(), CONTRACT]
    laws, problems = regimes_of(documents)
    assert problems == []
    assert regime_findings(POLAND["regime"], documents) == regime_findings(CONTRACT, documents) == []
    without_terms = [one for one in laws if one.key != "contract"]
    polish = regime_for(without_terms, "PL", "DE")
    debt = Debt(1_000_000, day("2024-03-01"))
    assert interest_of(debt, polish, day("2024-03-31")).amount_minor == 12_945  # 10,000 x 15.75 % x 30 / 365
    assert [polish.fixed_sum_of(one) for one in (500_000, 500_001, 4_999_999, 5_000_000)] == [
        4_000,
        7_000,
        7_000,
        10_000,
    ]
    terms = regime_for(laws, "DE", "DE")
    assert terms.key == "contract"
    assert interest_of(debt, terms, day("2024-03-31")).amount_minor == 8_750  # 10.5 % x 30 / 360
    assert interest_of(debt, terms, day("2024-03-31"), consumer=True).amount_minor == 7_083


@pytest.mark.parametrize(
    ("place", "document"),
    [
        ("/rate/table", changed("uk", rate={**SHIPPED["uk"]["rate"], "table": "none"})),
        ("/rate/fixed_on", changed("france", rate={**SHIPPED["france"]["rate"], "fixed_on": "due_day"})),
        ("/rate/margin", changed("uk", rate={**SHIPPED["uk"]["rate"], "margin": "8"})),
        ("/fixed_sum/bands/0", changed("uk", fixed_sum={**SHIPPED["uk"]["fixed_sum"], "bands": [{"amount": "1"}] * 2})),
        (
            "/fixed_sum/bands/1",
            changed(
                "uk",
                fixed_sum={
                    **SHIPPED["uk"]["fixed_sum"],
                    "bands": [*({"below": "9", "amount": "1"},) * 2, {"amount": "1"}],
                },
            ),
        ),
        ("/priority", changed("uk", key="uk_2")),
        ("/rates/1/from", changed("boe_base_rate", rates=[{"from": "2024-01-01", "rate": "1.00"}] * 2)),
        ("/known_until", changed("boe_base_rate", known_until="2020-01-01")),
    ],
)
def test_a_document_that_is_wrong_says_where(place, document):
    """By JSON pointer, with a cure."""
    found = regime_findings(document, list(SHIPPED.values()))
    assert [problem.place for problem in found] == [place]
    assert all(problem.cure for problem in found)


def test_a_changed_past_rate_is_pointed_out():
    """It may be a correction; interest since that day changes."""
    rates = [
        {**one, "rate": "4.75"} if one["from"] == "2024-01-01" else one for one in SHIPPED["boe_base_rate"]["rates"]
    ]
    found = regime_findings(changed("boe_base_rate", rates=rates), list(SHIPPED.values()))
    assert [(one.place, one.severity) for one in found] == [("/rates/9", "warning")]


def test_rates_come_from_a_file():
    """Dates and decimals as spreadsheets write them; a new table of them is sound."""
    rates, problems = rates_from_file(b"From;Rate\n01.07.2024;4,25\n1.1.2024;4,5 %\n31.12.2025;2\n")
    assert (rates, problems) == (
        [
            {"from": "2024-01-01", "rate": "4.50"},
            {"from": "2024-07-01", "rate": "4.25"},
            {"from": "2025-12-31", "rate": "2.00"},
        ],
        [],
    )
    table, faults = parse_rate_table(changed("boe_base_rate", rates=rates, known_until="2026-06-30"))
    assert table.on(day("2024-12-31")) == 425
    assert faults == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", ["line 1"]),
        ("day,rate\n2024-01-01,4.50\n", ["line 1, column from"]),
        ("from,rate\n", ["line 1, column rate"]),
        ("from,rate\n2024-01-01,4.50\n2024-01-01,4.25\n", ["line 3, column from"]),
        ("from,rate\n2024-01-01,high\n2024-02-30,4.255\n", ["line 3, column from"]),
        ("from,rate\n2024-01-01,high\n2024-02-20,4.255\n", ["line 2, column rate", "line 3, column rate"]),
        ("from,rate\n03/01/2024,4.50\n", ["line 2, column from"]),
        ("from,rate\n2024-01-01,120.00\n", ["line 2, column rate"]),
    ],
)
def test_a_wrong_file_names_line_and_column(text, places):
    """And nothing of it is used by the command."""
    _, problems = rates_from_file(text.encode())
    assert [problem.place for problem in problems] == places
