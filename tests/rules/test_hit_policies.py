"""Hit policies and effects: from matched rules to outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.conditions import Const, FactRef
from rules.documents import parse_parameters
from rules.effects import Greatest, Least, PercentOf, RoundDown, evaluate, percent, round_down
from rules.reference import decide

DAY = 20_000
NOTHING = {"format": 1, "kind": "parameters", "key": "p", "source": "s", "parameters": []}


def policy(stage, hit, rules, otherwise, **more):
    return {
        "format": 1, "kind": "policy", "key": stage, "name": stage, "stage": stage, "hit": hit,
        "effective": {"from": "2020-01-01"}, "source": "s", "because": "b",
        "rules": [{"key": f"r{i}", "when": when, "then": then, **extra} for i, (when, then, extra) in enumerate(rules)],
        "otherwise": {"then": otherwise}, **more,
    }  # fmt: skip


@pytest.fixture
def decided(parsed):
    def run(document, row, **overrides):
        parameters, _ = parse_parameters(NOTHING)
        book = Book.build([parsed(document)], parameters, DAY)
        return decide({**row, **{f"override_{name}": value for name, value in overrides.items()}}, book)

    return run


YES, NO, UNKNOWN = ["open_count", ">=", 0], ["open_count", "<", 0], ["tenure_days", "<", 9]
ROW = {"open_count": 1}


def test_first_takes_the_lowest_priority_and_then_the_key(decided):
    """The order is total: priority, then key, never the place in the document."""
    rules = [(YES, {"segment": "late"}, {"priority": 5}), (YES, {"segment": "b"}, {}), (YES, {"segment": "c"}, {})]
    found = decided(policy("segmentation", "first", rules, {"segment": "none"}), ROW)
    assert (found.outcomes["segment"], found.winner["segmentation"]) == ("b", "r1")


def test_otherwise_holds_when_no_rule_matches(decided):
    """Unknown is no match."""
    found = decided(policy("segmentation", "first", [(UNKNOWN, {"segment": "a"}, {})], {"segment": "none"}), ROW)
    assert (found.outcomes["segment"], found.undecided) == ("none", {})


def test_unique_refuses_two_matches(decided):
    """Two matches are a contradiction: the previous outcome stays and both rules are named."""
    rules = [(YES, {"segment": "a"}, {}), (YES, {"segment": "b"}, {})]
    found = decided(policy("segmentation", "unique", rules, {"segment": "n"}), {**ROW, "previous_segment": "old"})
    assert (found.outcomes["segment"], found.conflicts) == ("old", {"segmentation": ("r0", "r1")})


def test_any_accepts_equal_and_refuses_unequal_outcomes(decided):
    """`any` lets rules agree."""
    same = [(YES, {"segment": "a"}, {}), (YES, {"segment": "a"}, {})]
    assert decided(policy("segmentation", "any", same, {"segment": "n"}), ROW).outcomes["segment"] == "a"
    other = [(YES, {"segment": "a"}, {}), (YES, {"segment": "b"}, {})]
    assert "segmentation" in decided(policy("segmentation", "any", other, {"segment": "n"}), ROW).undecided


@pytest.mark.parametrize(("hit", "points"), [("sum", 12), ("min", -3), ("max", 15), ("count", 2), ("first", 15)])
def test_numbers_of_several_rules_are_joined(decided, hit, points):
    """Sum, smallest, largest and number of the rules that match."""
    rules = [(YES, {"points": 15}, {}), (NO, {"points": 100}, {}), (YES, {"points": -3}, {})]
    bands = [{"risk_class": "A", "up_to": 11}, {"risk_class": "B", "up_to": 12}, {"risk_class": "C"}]
    found = decided(policy("scorecard", hit, rules, {"points": 0}, bands=bands), ROW)
    assert found.outcomes["points"] == points


@pytest.mark.parametrize(("points", "risk_class"), [(11, "A"), (12, "B"), (13, "B"), (14, "C")])
def test_points_fall_into_bands_whose_end_is_included(decided, points, risk_class):
    """A band's end belongs to it."""
    bands = [{"risk_class": "A", "up_to": 11}, {"risk_class": "B", "up_to": 13}, {"risk_class": "C"}]
    found = decided(policy("scorecard", "sum", [], {"points": points}, bands=bands), ROW)
    assert found.outcomes["risk_class"] == risk_class


def test_collect_joins_the_codes_in_order(decided):
    """Every match counts, in the order of priority and key."""
    rules = [(YES, {"alert": "b"}, {"priority": 2}), (YES, {"alert": "a"}, {"priority": 1}), (NO, {"alert": "c"}, {})]
    assert decided(policy("alert", "collect", rules, {"alert": None}), ROW).outcomes["alert"] == "a,b"


def test_an_exclusion_outranks_a_block(decided):
    """Most severe: exclusions, then holds, then the rest; the reason says which."""
    rules = [
        (YES, {"hold": True, "hold_reason": "overdue"}, {"priority": -9}),
        (YES, {"hold": False, "hold_reason": "key_account", "exclusion": True}, {"priority": 9}),
    ]
    found = decided(policy("hold", "most_severe", rules, {"hold": False}), ROW)
    assert (found.outcomes["hold"], found.outcomes["hold_reason"]) == (False, "key_account")


def test_a_doubtful_rule_refers_only_when_it_could_decide(decided):
    """A rule that comes after the winner may be unknown; one before may not."""
    refer = {"on_unknown": "refer"}
    before = [(UNKNOWN, {"segment": "a"}, refer), (YES, {"segment": "b"}, {"priority": 1})]
    found = decided(policy("segmentation", "first", before, {"segment": "n"}), {**ROW, "previous_segment": "old"})
    assert (found.outcomes["segment"], found.undecided) == ("old", {"segmentation": ["tenure_days"]})
    after = [(YES, {"segment": "b"}, {}), (UNKNOWN, {"segment": "a"}, {**refer, "priority": 1})]
    assert decided(policy("segmentation", "first", after, {"segment": "n"}), ROW).outcomes["segment"] == "b"


@pytest.mark.parametrize(("amount", "hold"), [(99, False), (100, True), (None, True)])
def test_an_unknown_amount_keeps_the_previous_hold(decided, amount, hold):
    """A null in money facts makes hold refer, never `otherwise`."""
    rules = [(["overdue_minor", ">=", 100], {"hold": True, "hold_reason": "overdue"}, {})]
    row = {"overdue_minor": amount, "previous_hold": True, "previous_hold_reason": "old"}
    found = decided(policy("hold", "most_severe", rules, {"hold": False}), row)
    assert (found.outcomes["hold"], "hold" in found.undecided) == (hold, amount is None)


def test_an_override_wins_but_not_over_a_final_rule(decided):
    """A person's value holds, the rules' own value is kept, and `final` beats it."""
    rules = [(YES, {"hold": True, "hold_reason": "insolvent"}, {})]
    found = decided(policy("hold", "most_severe", rules, {"hold": False}), ROW, hold=False)
    assert (found.outcomes["hold"], found.outcomes["hold_reason"], found.by_rules["hold"]) == (False, "override", True)
    final = [(YES, {"hold": True, "hold_reason": "insolvent", "final": True}, {})]
    found = decided(policy("hold", "most_severe", final, {"hold": False}), ROW, hold=False)
    assert (found.outcomes["hold"], found.outcomes["hold_reason"]) == (True, "insolvent")


def test_later_stages_read_the_outcome_in_force(parsed):
    """An override applies before the next stage reads."""
    parameters, _ = parse_parameters(NOTHING)
    segments = policy("segmentation", "first", [], {"segment": "standard"})
    limits = policy(
        "credit_limit", "first", [(["segment", "==", "risky"], {"proposed_limit_minor": 1}, {})],
        {"proposed_limit_minor": 2},
    )  # fmt: skip
    book = Book.build([parsed(segments), parsed(limits)], parameters, DAY)
    assert decide({}, book).outcomes["proposed_limit_minor"] == 2
    assert decide({"override_segment": "risky"}, book).outcomes["proposed_limit_minor"] == 1


@pytest.mark.parametrize(
    ("value", "bp", "expected"),
    [(49, 100, 0), (50, 100, 1), (-49, 100, 0), (-50, 100, -1), (10**15, 10_000, 10**15), (3, -5_000, -2)],
)
def test_percent_rounds_half_up_on_the_magnitude(value, bp, expected):
    """Half a unit goes away from zero, so that a credit mirrors its invoice."""
    assert percent(value, bp) == expected


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**9))
def test_rounding_down_ends_at_a_multiple_not_above(value, step):
    """The result is a multiple of the step, at most the value, and less than a step away."""
    found = round_down(value, step)
    assert found % step == 0
    assert 0 <= value - found < step


def test_unknown_parts_make_the_whole_unknown():
    """min of a known and an unknown amount is unknown: unknown is never 0 and never ignored."""
    row = {"exposure_minor": 5, "credit_limit_minor": None}
    limit, exposure = FactRef("credit_limit_minor"), FactRef("exposure_minor")
    for effect in (Least((exposure, limit)), Greatest((limit, exposure)), PercentOf(limit, Const(1)), limit):
        assert evaluate(effect, row) is None
    assert evaluate(RoundDown(Least((exposure, Const(9))), Const(2)), row) == 4


def test_the_more_specific_document_wins_whole(parsed):
    """Of two policies for a stage the entity's own decides; of parameters, value by value."""
    general = policy("segmentation", "first", [], {"segment": "general"})
    own = {**policy("segmentation", "first", [], {"segment": "own"}), "entity": "NORTH"}
    later = {**general, "effective": {"from": "2090-01-01"}, "otherwise": {"then": {"segment": "later"}}}
    parameters, _ = parse_parameters(NOTHING)
    policies = [parsed(own), parsed(general), parsed(later)]
    assert decide({}, Book.build(policies, parameters, DAY, entity="NORTH")).outcomes["segment"] == "own"
    assert decide({}, Book.build(policies, parameters, DAY, entity="SOUTH")).outcomes["segment"] == "general"


@pytest.mark.parametrize(("segment", "hold"), [("risky", True), ("standard", False), (None, False)])
def test_a_parameter_may_differ_by_segment(parsed, generated_parameters, segment, hold):
    """The value for all holds where the segment is another, or unknown."""
    rules = [(["tenure_days", "<", {"param": "limit"}], {"hold": True}, {})]
    document = policy("hold", "most_severe", rules, {"hold": False})
    values = [{"from": "2020-01-01", "value": 1}, {"from": "2020-01-01", "value": 9, "segment": "risky"}]
    parameter = {"name": "limit", "kind": "days", "label": "l", "meaning": "m", "values": values}
    parameters, problems = parse_parameters({**NOTHING, "parameters": [parameter]})
    assert problems == []
    book = Book.build([parsed(document)], parameters, DAY)
    assert decide({"tenure_days": 5, "override_segment": segment}, book).outcomes["hold"] is hold


@pytest.mark.parametrize(("day", "value"), [(18261, None), (18262, 1), (18627, 1), (18628, 2)])
def test_a_parameter_has_the_value_of_the_day(day, value):
    """A value holds from its day on; before the first there is none."""
    values = [{"from": "2020-01-01", "value": 1}, {"from": "2021-01-01", "value": 2}]
    parameter = {"name": "limit", "kind": "days", "label": "l", "meaning": "m", "values": values}
    parameters, _ = parse_parameters({**NOTHING, "parameters": [parameter]})
    found = parameters.parameters[0].at(day)
    assert (found and found.value) == value


@pytest.mark.parametrize(("country", "level"), [("FR", 1), (None, 1), ("XK", 0)])
def test_an_exception_from_dunning_must_be_known_to_apply(parsed, country, level):
    """`unless` leaves out whom it holds for; a customer whose country is unknown is dunned."""
    document = {
        "format": 1, "kind": "policy", "key": "e", "name": "e", "stage": "escalation", "hit": "most_severe",
        "effective": {"from": "2020-01-01"}, "source": "s", "because": "b", "otherwise": {"then": {"level": 0}},
        "escalation": {
            "tolerance": 0, "minimum": 0, "minimum_days": 0, "unless": ["country", "==", "XK"],
            "scenarios": {"standard": [{"key": "k", "days": 4, "channel": "email", "template": "t"}]},
        },
    }  # fmt: skip
    parameters, _ = parse_parameters(NOTHING)
    row = {"leader_days_past_due": 4, "overdue_net_minor": 9, "leader_open_minor": 9, "country": country}
    assert decide(row, Book.build([parsed(document)], parameters, DAY)).outcomes["level"] == level
