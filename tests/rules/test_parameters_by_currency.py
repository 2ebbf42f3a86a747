"""Amounts by base currency: one policy for all entities says 5.00 EUR, 5.00 GBP and 500 JPY."""

from copy import deepcopy

import pytest

from rules.book import Book
from rules.differences import document_differences
from rules.documents import parse, parse_parameters, shipped
from rules.policies import iso_day
from rules.thresholds import thresholds_of, with_threshold
from rules.words import Voice, parameter_words

SHIPPED = {document["key"]: document for document in shipped()}
DAY = iso_day("2026-03-31")
TOLERANCE = [
    {"from": "2010-01-01", "value": 500, "segment": None},
    {"from": "2010-01-01", "value": 100, "segment": "risky"},
    {"from": "2010-01-01", "value": 600, "segment": None, "currency": "JPY"},
    {"from": "2026-03-31", "value": 500, "segment": None, "currency": "JPY"},
    {"from": "2026-03-31", "value": 450, "segment": None, "currency": "GBP"},
    {"from": "2026-03-31", "value": 90, "segment": "risky", "currency": "GBP"},
]


def document(*values):
    """The shipped parameters with another history of the dunning tolerance."""
    found = deepcopy(SHIPPED["parameters"])
    next(one for one in found["parameters"] if one["name"] == "dunning_tolerance")["values"] = list(values)
    return found


def refusals(*values):
    """What is wrong with a history."""
    return [problem.what for problem in parse_parameters(document(*values))[1]]


@pytest.mark.parametrize(
    ("currency", "day", "value", "risky"),
    [
        ("EUR", DAY, 500, 100),
        (None, DAY, 500, 100),
        ("JPY", DAY - 1, 600, 600),  # an amount in yen knows no euros: the segment's is not taken over
        ("JPY", DAY, 500, 500),
        ("GBP", DAY - 1, 500, 100),  # none of its own yet
        ("GBP", DAY, 450, 90),
    ],
)
def test_an_entity_has_the_amounts_of_its_base_currency(currency, day, value, risky):
    """Its own from their day on, else those without a currency; what settles an escalation has them too."""
    parameters, problems = parse_parameters(document(*TOLERANCE))
    assert problems == []
    policy, _ = parse(SHIPPED["escalation"])
    book = Book.build([policy], [parameters], day, currency=currency)
    found = book.parameters["dunning_tolerance"]
    assert (found.value, found.for_segment("risky")) == (value, risky)
    assert book.stages["escalation"].plan.tolerance.of("risky") == risky


def test_what_a_currency_may_not_be():
    """Each currency needs a value for all segments, only amounts have one, and a value is said once."""
    plain = TOLERANCE[0]
    assert refusals(plain, {**plain, "currency": "yen"}) != []
    assert "no value for all segments" in refusals({**plain, "currency": "JPY"})[0]
    assert refusals(plain, {**plain, "segment": "risky", "currency": "JPY"}) == ["no value for all segments in JPY"]
    assert "occurs twice" in refusals(plain, {**plain, "currency": "JPY"}, {**plain, "currency": "JPY"})[0]
    days = deepcopy(SHIPPED["parameters"])
    part = next(one for one in days["parameters"] if one["kind"] == "days")
    part["values"].append({"from": "2010-01-01", "value": 3, "currency": "JPY"})
    assert [problem.what for problem in parse_parameters(days)[1]] == ["days has no currency"]


def test_amounts_are_said_in_their_currency():
    """In words, in a difference, and where a rule names the parameter."""
    parameters, _ = parse_parameters(document(*TOLERANCE))
    words = parameter_words(parameters.named("dunning_tolerance"), Voice())
    assert "5.00 EUR from 2010-01-01; 1.00 EUR from 2010-01-01 (risky); 600 JPY" in words
    (changed,) = document_differences(document(*TOLERANCE[:4]), document(*TOLERANCE), Voice())
    assert "4.50 GBP" in str(changed)


def test_turning_the_general_amount_leaves_those_of_currencies():
    """The number a manager turns is the one without a currency."""
    body = document(*TOLERANCE)
    place = next(one.place for one in thresholds_of(body) if one.owner == "dunning_tolerance")
    turned, _ = parse_parameters(with_threshold(body, place, 700, "2026-03-31"))
    found = turned.named("dunning_tolerance")
    assert [found.at(DAY, currency).value for currency in ("EUR", "JPY", "GBP")] == [700, 500, 450]
