"""Restating: the examples a changed threshold overturns, and the document that goes on with new ones."""

import json
from typing import Any

import pytest

from rules.checks import check
from rules.documents import parse, parse_parameters, shipped
from rules.facts import dictionary_of
from rules.restating import restated, with_restated
from rules.thresholds import thresholds_of, with_threshold

DOCUMENTS = {document["key"]: document for document in shipped()}
PARAMETERS, _problems = parse_parameters(DOCUMENTS["parameters"])


def overturned(document: dict[str, Any]) -> list[Any]:
    """The cases of a document that give something else."""
    policy, problems = parse(document)
    assert policy is not None, problems
    assert PARAMETERS is not None
    return restated(policy, [PARAMETERS], dictionary_of(policy.subject))


@pytest.mark.parametrize("key", ["scorecard", "segmentation", "credit_limit", "hold", "escalation"])
def test_the_shipped_documents_keep_their_cases(key: str) -> None:
    """Nothing is overturned where nothing was changed."""
    assert overturned(DOCUMENTS[key]) == []


def test_a_changed_number_overturns_exactly_the_cases_that_tell_of_it() -> None:
    """35 points become 3: the case says what it expected and what it gives; the others are left alone."""
    document = with_threshold(DOCUMENTS["scorecard"], "rules/0/then/points", 3, "2026-04-01")
    found = {one.name: one for one in overturned(document)}
    one = found["score at 60 %"]
    assert (one.expected, one.given) == ({"points": 35, "risk_class": "C"}, {"points": 3, "risk_class": "A"})
    assert "score just below 20 %" not in found


def test_a_case_that_another_rule_decides_now_names_that_rule() -> None:
    """The outcome may stay; who decides is part of the example."""
    document = json.loads(json.dumps(DOCUMENTS["hold"]))
    document["rules"][5]["priority"] = 1  # over the limit, before all others
    case = {"name": "both", "facts": {"utilisation_bp": 12_000, "insolvent": True}, "expect": {}, "rule": "insolvent"}
    document["cases"].append(case)
    names = {one.name: one.rule for one in overturned(document)}
    assert names["both"] == "over-limit"


@pytest.mark.parametrize("key", ["scorecard", "escalation"])
def test_restated_cases_hold(key: str) -> None:
    """Whatever number moves by one, the restated document gives no finding about its cases."""
    dictionary = dictionary_of("customer")
    for threshold in thresholds_of(DOCUMENTS[key])[::18]:
        changed = with_threshold(DOCUMENTS[key], threshold.place, threshold.value + 1, "2026-04-01")
        again = with_restated(changed, overturned(changed))
        assert overturned(again) == []
        policy, problems = parse(again)
        if policy is not None and PARAMETERS is not None:
            found = check(policy, [PARAMETERS], dictionary)
            assert not [p for p in found if p.place.startswith("/cases") and p.severity == "error"], problems
