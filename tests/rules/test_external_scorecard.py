"""The scorecard rules that docs/external-data.md shows: what a weak rating costs, and what is seen of it."""

import json
import re
from pathlib import Path

import pytest

from rules.book import Book
from rules.checks import check
from rules.documents import parse, parse_parameters, shipped
from rules.explanation import explain
from rules.facts import DICTIONARY, empty_row
from rules.reference import decide
from rules.stages import OUTCOMES

PAGE = (Path(__file__).parents[2] / "docs" / "external-data.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"```json\n(\[.*?)```", PAGE, re.DOTALL)
PARAMETERS = parse_parameters(shipped()[0])[0]
CARD = next(document for document in shipped() if document.get("stage") == "scorecard")
WITH = {**CARD, "rules": [*CARD["rules"], *json.loads(BLOCK)]}
RATED = {"rating_agency": "North Credit Bureau", "rating_grade": "IV", "rating_age_days": 730}


def book_of(document):
    """The stage alone."""
    policy, problems = parse(document)
    assert problems == []
    return Book.build([policy], PARAMETERS, 20_000)


def row(**facts):
    """A customer without debts and without history, of whom something is known."""
    return {**{name: value for name, value in empty_row(DICTIONARY).items() if name not in OUTCOMES}, **facts}


def test_the_example_may_be_proposed():
    """Nothing is wrong with it; cases at its bounds are what the checker asks for."""
    policy, _ = parse(WITH)
    found = check(policy, PARAMETERS, DICTIONARY)
    assert {one.severity for one in found} == {"warning"}
    assert all("no case shows" in one.what for one in found)


@pytest.mark.parametrize(
    ("facts", "points"),
    [
        (RATED, 40),
        ({**RATED, "rating_grade": "III"}, 0),
        ({**RATED, "rating_grade": "V"}, 40),
        ({**RATED, "rating_agency": "Harbour Ratings"}, 0),
        ({**RATED, "rating_age_days": 731}, 0),
        ({"equity_ratio_bp": 0, "statement_age_days": 9}, 0),
        ({"equity_ratio_bp": -1, "statement_age_days": 9}, 30),
        ({**RATED, "equity_ratio_bp": -1, "statement_age_days": 730}, 70),
        ({}, 0),
    ],
)
def test_points_of_a_rating_and_of_lost_equity(facts, points):
    """Above what the card gives without them; unknown gives nothing, good or bad."""
    given = decide(row(**facts), book_of(WITH)).outcomes["points"]
    assert given - decide(row(**facts), book_of(CARD)).outcomes["points"] == points


def test_the_explanation_says_who_rated_and_how_long_ago():
    """The values seen stand with the rule that gave the points."""
    (stage,) = (one for one in explain(row(**RATED), book_of(WITH)).stages if one.stage == "scorecard")
    (weak,) = (rule for rule in stage.rules if rule.key == "rating-weak")
    assert weak.verdict is True
    assert {test.test.fact: test.seen for test in weak.condition.parts} == RATED
