"""Checks: each planted fault is found where it is, and good policies have no finding."""

import copy

import pytest

from rules.boundary_checks import proposed_cases
from rules.checks import check
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY

DOCUMENTS = {document["key"]: document for document in shipped()}


def findings(document):
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    policy, problems = parse(document)
    assert problems == []
    return check(policy, parameters, DICTIONARY)


def with_cases(document):
    """The document with the cases that are proposed for it."""
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    policy, _ = parse(document)
    return {**document, "cases": [*document["cases"], *proposed_cases(policy, [parameters], DICTIONARY)]}


def document(stage, rules, hit="first", otherwise=None, cases=()):
    nothing = {"segmentation": {"segment": "n"}, "hold": {"hold": False}, "credit_limit": {"proposed_limit_minor": 0}}
    return {
        "format": 1, "kind": "policy", "key": stage, "name": stage, "stage": stage, "hit": hit,
        "effective": {"from": "2020-01-01"}, "source": "s", "because": "b",
        "rules": rules, "otherwise": {"then": nothing[stage] if otherwise is None else otherwise},
        "cases": list(cases) or [{"name": "nothing", "facts": {}}],
    }  # fmt: skip


def rule(when, key="r", then=None, **more):
    return {"key": key, "when": when, "then": {"segment": "a"} if then is None else then, **more}


def one(when, **more):
    return document("segmentation", [rule(when, **more)])


HOLD, LIMIT = {"hold": True}, {"proposed_limit_minor": 1}
PLANTED = {
    "unknown fact": (one(["overdue", "<", 1]), "/rules/0/when", "no fact 'overdue'"),
    "own outcome": (one(["segment", "==", "a"]), "/rules/0/when", "its own outcome"),
    "later outcome": (one(["hold", "==", True]), "/rules/0/when", "later stage hold"),
    "text for a number": (one(["tenure_days", "<", "9"]), "/rules/0/when", "is not"),
    "bool for a number": (one(["tenure_days", "==", True]), "/rules/0/when", "is not"),
    "number for a bool": (one(["insolvent", "==", 1]), "/rules/0/when", "is not"),
    "number for a code": (one(["country", "==", 1]), "/rules/0/when", "is not"),
    "order of a code": (one(["country", "<", "DE"]), "/rules/0/when", "has no order"),
    "order of a bool": (one(["insolvent", ">", False]), "/rules/0/when", "has no order"),
    "list for a bool": (one(["insolvent", "in", [True]]), "/rules/0/when", "true or false"),
    "range of a code": (one(["country", "between", [1, 2]]), "/rules/0/when", "has no order"),
    "wrong type in a list": (one(["country", "in", ["DE", 1]]), "/rules/0/when", "is not"),
    "unit of facts": (one(["overdue_minor", ">", {"fact": "tenure_days"}]), "/rules/0/when", "number of days"),
    "type of facts": (one(["country", "==", {"fact": "insolvent"}]), "/rules/0/when", "true or false"),
    "unknown other fact": (one(["overdue_minor", ">", {"fact": "nothing"}]), "/rules/0/when", "no fact"),
    "unknown parameter": (one(["overdue_minor", ">", {"param": "nothing"}]), "/rules/0/when", "no parameter"),
    "kind of a parameter": (
        one(["tenure_days", ">", {"param": "small_balance"}]), "/rules/0/when", "the parameter small_balance is money",
    ),
    "beyond the range": (one(["score_bp", ">", 20_000]), "/rules/0/when", "outside the range"),
    "empty between": (one(["tenure_days", "between", [9, 1]]), "/rules/0/when", "9 to 1 is empty"),
    "null test of a known fact": (one(["insolvent", "is_null"]), "/rules/0/when", "always known"),
    "contradicting range": (
        one({"all": [["tenure_days", "<", 5], ["tenure_days", ">", 4]]}), "/rules/0/when", "contradict",
    ),
    "contradicting codes": (
        one({"all": [["country", "in", ["DE", "FR"]], ["country", "==", "IT"]]}), "/rules/0/when", "contradict",
    ),
    "contradicting nulls": (
        one({"all": [["tenure_days", "is_null"], ["tenure_days", ">=", 0]]}), "/rules/0/when", "contradict",
    ),
    "contradicting facts": (
        one({"all": [["overdue_minor", ">", {"fact": "open_minor"}], ["open_minor", ">", {"fact": "overdue_minor"}]]}),
        "/rules/0/when", "contradict",
    ),
    "a fact beyond itself": (one(["open_minor", ">", {"fact": "open_minor"}]), "/rules/0/when", "contradict"),
    "a bool both ways": (
        one({"all": [["insolvent", "==", True], {"not": ["insolvent", "==", True]}]}), "/rules/0/when", "contradict",
    ),
    "beyond the bound": (one(["tenure_days", "<", 0]), "/rules/0/when", "contradict"),
    "covered by an earlier rule": (
        document("segmentation", [rule(["tenure_days", "<", 9], "a"), rule(["tenure_days", "<", 5], "b")]),
        "/rules/1/when", "never reached",
    ),
    "covered by priority": (
        document(
            "segmentation",
            [rule(["tenure_days", "<", 5], "a", priority=2), rule(["tenure_days", "<", 9], "b", priority=1)],
        ),
        "/rules/0/when", "never reached",
    ),
    "covered path by path": (
        document("segmentation", [
            rule({"any": [["country", "==", "DE"], ["country", "==", "FR"]]}, "a"), rule(["country", "==", "FR"], "b"),
        ]),
        "/rules/1/when", "never reached",
    ),
    "the same rule twice": (
        document("segmentation", [rule(["insolvent", "==", True], "a"), rule(["insolvent", "==", True], "b")]),
        "/rules/1/when", "never reached",
    ),
    "overlap under unique": (
        document("segmentation", [rule(["tenure_days", "<", 9], "a"), rule(["tenure_days", ">", 7], "b")], "unique"),
        "/rules/1/when", "can both match",
    ),
    "covered by two together": (
        document("segmentation", [
            rule(["overdue_count", "<", 9], "a"), rule(["overdue_count", ">=", 9], "b"),
            rule(["insolvent", "==", True], "c"),
        ]),
        "/rules/2/when", "cover it together",
    ),
    "gap of a day": (
        document("segmentation", [rule(["tenure_days", "<", 30], "a"), rule(["tenure_days", ">", 30], "b")]),
        "/rules/1/when", "no rule covers tenure_days 30",
    ),
    "gap of less than one euro": (
        document("segmentation", [
            rule({"all": [["overdue_minor", "<=", 4_900], ["insolvent", "==", False]]}, "a"),
            rule(["overdue_minor", ">=", 5_000], "b"),
        ]),
        "/rules/1/when", "no rule covers overdue_minor 4901 to 4999",
    ),
    "otherwise without outcome": (
        document("hold", [rule(["insolvent", "==", True], then=HOLD)], otherwise={"hold_reason": "x"}),
        "/otherwise/then", "not set",
    ),
    "outcome of another stage": (one(["insolvent", "==", True], then=HOLD), "/rules/0/then/hold", "of the stage hold"),
    "unknown outcome": (one(["insolvent", "==", True], then={"colour": 1}), "/rules/0/then/colour", "no outcome"),
    "type of an outcome": (one(["insolvent", "==", True], then={"segment": 1}), "/rules/0/then/segment", "no value"),
    "null where none may be": (
        document("hold", [rule(["insolvent", "==", True], then={"hold": None})]), "/rules/0/then/hold", "unknown",
    ),
    "unit of an effect": (
        document("credit_limit", [
            rule(["insolvent", "==", True], then={"proposed_limit_minor": {"fact": "score_bp"}}),
        ]),
        "/rules/0/then/proposed_limit_minor", "kind ratio",
    ),
    "step of zero": (
        document("credit_limit", [
            rule(["insolvent", "==", True],
                 then={"proposed_limit_minor": {"round_down": [{"fact": "turnover_12m_minor"}, 0]}}),
        ]),
        "/rules/0/then/proposed_limit_minor", "from 1",
    ),
    "overflow": (
        document("credit_limit", [
            rule(["insolvent", "==", True],
                 then={"proposed_limit_minor": {"percent_of": [
                     {"percent_of": [{"fact": "turnover_12m_minor"}, 1_000_000]}, 1_000_000]}}),
        ]),
        "/rules/0/then/proposed_limit_minor", "64 bits",
    ),
    "too deep an effect": (
        document("credit_limit", [
            rule(["insolvent", "==", True],
                 then={"proposed_limit_minor": {"min": [{"min": [{"min": [{"min": [{"min": [1]}]}]}]}]}}),
        ]),
        "/rules/0/then/proposed_limit_minor", "effect_depth",
    ),
    "limit by score alone": (
        document("credit_limit", [rule(["score_bp", ">", 5000], then=LIMIT)]), "/rules/0/when", "only the score",
    ),
    "hold by score alone": (
        document("hold", [rule({"all": [["score_bp", ">", 5000], ["thin_history", "==", False]]}, then=HOLD)]),
        "/rules/0/when", "only the score",
    ),
    "hit policy of another stage": (
        document("segmentation", [rule(["insolvent", "==", True])], "sum"), "/hit", "does not fit",
    ),
    "exclusion that holds": (
        document("hold", [rule(["insolvent", "==", True], then={"hold": True, "exclusion": True})], "most_severe"),
        "/rules/0/then/hold", "lets orders pass",
    ),
    "exclusion outside hold": (
        one(["insolvent", "==", True], then={"segment": "a", "exclusion": True}),
        "/rules/0/then/exclusion", "only a hold",
    ),
    "severity that is computed": (
        document("hold", [rule(["insolvent", "==", True], then={"hold": {"fact": "dunning_block"}})], "most_severe"),
        "/rules/0/then/hold", "plain true or false",
    ),
    "too many paths": (
        one({"all": [{"any": [["tenure_days", "==", i], ["open_count", "==", i]]} for i in range(6)]}),
        "/rules/0/when", "paths_per_rule",
    ),
    "failing case": (
        document("segmentation", [rule(["insolvent", "==", True])],
                 cases=[{"name": "c", "facts": {"insolvent": True}, "expect": {"segment": "b"}}]),
        "/cases/0/expect/segment", "gives segment 'a', not 'b'",
    ),
    "case decided by another rule": (
        document("segmentation", [rule(["insolvent", "==", True])],
                 cases=[{"name": "c", "facts": {}, "rule": "r"}]),
        "/cases/0/rule", "'otherwise'",
    ),
    "case with a fact it cannot have": (
        document("segmentation", [rule(["insolvent", "==", True])], cases=[{"name": "c", "facts": {"hold": True}}]),
        "/cases/0/facts/hold", "cannot read",
    ),
    "case with a wrong type": (
        document("segmentation", [rule(["insolvent", "==", True])], cases=[{"name": "c", "facts": {"insolvent": 1}}]),
        "/cases/0/facts/insolvent", "not a bool",
    ),
    "case undecided unawares": (
        document("hold", [rule(["overdue_minor", ">", 5], then=HOLD)], "most_severe",
                 cases=[{"name": "c", "facts": {"overdue_minor": None}}]),
        "/cases/0/undecided", "unknown are overdue_minor",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_at_its_place(fault):
    """Every finding has a place, words and a cure, and keeps the document from being proposed."""
    planted, place, word = PLANTED[fault]
    found = findings(planted)
    assert any(p.place.startswith(place) and word in p.what and p.severity == "error" for p in found), found
    assert all(problem.cure for problem in found)


def test_a_parameter_without_a_value_on_the_first_day_is_found():
    """A policy that begins before its parameters cannot be live."""
    early = one(["overdue_minor", ">", {"param": "small_balance"}]) | {"effective": {"from": "1999-01-01"}}
    assert any("no value on this day" in problem.what for problem in findings(early))


def test_escalation_terms_are_checked():
    """Tolerance, minimum and the scenario's fact have types as well."""
    for word, value in (("tolerance", {"param": "hold_set_bp"}), ("minimum_days", {"param": "small_balance"}),
                        ("scenario_by", "tenure_days"), ("scenario_by", "nothing"), ("minimum", -1),
                        ("unless", ["nothing", "==", True])):  # fmt: skip
        wrong = copy.deepcopy(DOCUMENTS["escalation"])
        wrong["escalation"][word] = value
        assert any(problem.place.startswith(("/escalation", "/rules")) or "escalation" in problem.place
                   or "no fact" in problem.what for problem in findings(wrong)), word  # fmt: skip


GOOD = [
    one({"any": [["tenure_days", "is_null"], ["tenure_days", "<", 9]]}),
    one({"all": [["overdue_minor", ">", {"fact": "credit_limit_minor"}], ["country", "not_in", ["DE"]]]}),
    document("segmentation", [rule(["tenure_days", "<", 5], "a"), rule(["tenure_days", "<", 9], "b")]),
    document("segmentation", [rule(["tenure_days", "<", 9], "a"), rule(["tenure_days", ">=", 9], "b")], "unique"),
    document("hold", [rule({"all": [["score_bp", ">", 5000], ["overdue_minor", ">", 0]]}, then=HOLD)], "most_severe"),
]


@pytest.mark.parametrize("good", GOOD)
def test_good_policies_have_no_finding(good):
    """Boundaries that meet are neither gap nor overlap, once each has its cases."""
    assert findings(with_cases(good)) == []


def test_a_space_as_wide_as_a_unit_is_left_to_otherwise():
    """99 cents between two rules are a slip, a euro is meant; and a rule in between closes it."""
    for start, found in ((5_000, 1), (5_001, 0)):
        rules = [rule(["overdue_minor", "<=", 4_900], "a"), rule(["overdue_minor", ">=", start], "b")]
        assert sum("no rule covers" in problem.what for problem in findings(document("segmentation", rules))) == found
    closed = [*rules, rule(["overdue_minor", "between", [4_901, 5_000]], "c")]
    assert not any("no rule covers" in problem.what for problem in findings(document("segmentation", closed)))


def test_the_example_of_a_gap_is_met_by_no_rule():
    """Other tests of the two rules stand in it: there alone the gap is open."""
    rules = [
        rule({"all": [["tenure_days", "<", 30], ["country", "==", "DE"]]}, "a"),
        rule({"all": [["tenure_days", ">", 30], ["insolvent", "==", False]]}, "b"),
        rule({"all": [["tenure_days", "==", 30], ["country", "!=", "DE"]]}, "c"),
    ]
    [gap] = [p for p in findings(document("segmentation", rules)) if "no rule covers" in p.what]
    assert "country 'DE'" in gap.what
    assert "insolvent False" in gap.what
    assert "tenure_days 30" in gap.what
    other = [*rules, rule({"all": [["tenure_days", "==", 30], ["country", "==", "DE"]]}, "d")]
    assert not any("no rule covers" in problem.what for problem in findings(document("segmentation", other)))


BOUNDARIES = [  # a test, and the values of which each wants a case
    (["tenure_days", "<", 9], [8, 9]),
    (["tenure_days", ">=", 9], [8, 9]),
    (["tenure_days", "<=", 9], [9, 10]),
    (["tenure_days", ">", 9], [9, 10]),
    (["tenure_days", "between", [5, 9]], [4, 5, 9, 10]),
    (["tenure_days", ">=", 0], [0]),
    (["country", "==", "DE"], []),
]


@pytest.mark.parametrize(("test", "values"), BOUNDARIES)
def test_each_side_of_a_threshold_wants_a_case(test, values):
    """The value that still holds and the first that does not; none beyond the range of the fact."""
    policy, _ = parse(document("segmentation", [rule(test)]))
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    proposed = proposed_cases(policy, [parameters], DICTIONARY)
    assert sorted(case["facts"]["tenure_days"] for case in proposed) == values
    for case in proposed:
        holds = case["expect"]["segment"] == "a"
        assert holds is (case["rule"] == "r")
    missing = [p for p in findings(document("segmentation", [rule(test)])) if "no case shows" in p.what]
    assert len(missing) == len(values)
    assert all(problem.severity == "warning" and problem.place == "/rules/0/when" for problem in missing)


def test_a_case_shows_a_boundary_only_where_nothing_else_decides():
    """The value alone proves nothing while another test of the rule fails."""
    asked = rule({"all": [["tenure_days", "<", 9], ["insolvent", "==", True]]})
    for insolvent, left in ((False, 2), (True, 1)):
        case = {"name": "c", "facts": {"tenure_days": 8, "insolvent": insolvent}}
        found = findings(document("segmentation", [asked], cases=[case]))
        assert sum("no case shows" in problem.what for problem in found) == left


def test_a_boundary_behind_a_parameter_stays_shown_when_the_parameter_moves():
    """A case holds the parameter it was made with fixed."""
    policy = with_cases(one(["overdue_minor", ">", {"param": "small_balance"}]))
    assert findings(policy) == []
    moved = copy.deepcopy(DOCUMENTS["parameters"])
    next(p for p in moved["parameters"] if p["name"] == "small_balance")["values"][0]["value"] += 100
    parameters, _ = parse_parameters(moved)
    parsed, _ = parse(policy)
    assert check(parsed, parameters, DICTIONARY) == []


def test_the_proposed_case_of_a_later_rule_avoids_the_earlier_ones():
    """A boundary that an earlier rule hides is shown where that rule does not hold."""
    rules = [rule(["insolvent", "==", False], "early"), rule(["tenure_days", "<", 9], "late", {"segment": "b"})]
    policy, _ = parse(document("segmentation", rules))
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    proposed = {case["facts"]["tenure_days"]: case for case in proposed_cases(policy, [parameters], DICTIONARY)}
    assert proposed[8]["rule"] == "late"
    assert proposed[9]["rule"] == "otherwise"


def test_shipped_policies_have_no_finding():
    """Each threshold of theirs has its cases, and no two rules leave a gap."""
    for key, shipped_document in DOCUMENTS.items():
        if key != "parameters":
            assert findings(shipped_document) == [], key


def test_a_large_policy_is_checked_in_bounded_time():
    """500 rules: pairs are compared, and missing cases looked for, up to a limit."""
    rules = [rule(["tenure_days", "between", [i, i + 1]], f"r{i}") for i in range(500)]
    found = findings(document("segmentation", rules))
    assert {problem.severity for problem in found} == {"warning"}
    assert len(found) == 100
