"""Documents: shipped ones are in order, wrong ones are refused with place and cure, none raises."""

import copy
import json
import pkgutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import limits
from rules.checks import check
from rules.documents import canonical, parse, parse_parameters, sha256_of, shipped
from rules.facts import DICTIONARY
from rules.schema import schema

DOCUMENTS = {document["key"]: document for document in shipped()}
POLICIES = [key for key in DOCUMENTS if key != "parameters"]


def problems_of(document):
    return parse(document)[1]


def changed(key, **values):
    return {**copy.deepcopy(DOCUMENTS[key]), **values}


def test_every_stage_that_decides_has_a_shipped_document():
    """Parameters come first, then the stages in their order."""
    wanted = ["parameters", "scorecard", "segmentation", "credit_limit", "hold", "escalation", "worklist", "alert"]
    assert list(DOCUMENTS) == wanted


@pytest.mark.parametrize("key", POLICIES)
def test_shipped_policies_have_no_finding(key):
    """Not even a warning; their cases run as part of the check."""
    parameters, problems = parse_parameters(DOCUMENTS["parameters"])
    assert problems == []
    policy, problems = parse(DOCUMENTS[key])
    assert problems == []
    assert check(policy, parameters, DICTIONARY) == []
    assert len(policy.cases) >= 10


@pytest.mark.parametrize("key", POLICIES)
def test_every_rule_of_a_shipped_policy_says_why(key):
    """A credit manager keeps no rule whose reason nobody knows."""
    policy, _ = parse(DOCUMENTS[key])
    assert all(rule.because and rule.label for rule in policy.rules)
    assert policy.source
    assert policy.because


def test_the_schema_file_is_the_schema():
    """Editors read the file; it is written from the operators and limits."""
    assert json.loads(pkgutil.get_data("rules", "documents/schema.json")) == schema()


def test_the_canonical_form_is_one():
    """Order of keys and spaces change nothing; every value does."""
    document = DOCUMENTS["hold"]
    shuffled = dict(reversed(list(json.loads(json.dumps(document, indent=3)).items())))
    assert canonical(document) == canonical(shuffled)
    assert sha256_of(document) == sha256_of(json.loads(canonical(document)))
    assert sha256_of(document) != sha256_of(changed("hold", name="Hold"))


@pytest.mark.parametrize(
    ("path", "value", "place", "word"),
    [
        ((), {"colour": 1}, "", "unknown key 'colour'"),
        (("rules", 0), {"colour": 1}, "/rules/0", "unknown key 'colour'"),
        ((), {"stage": "scoring"}, "/stage", "not allowed"),
        ((), {"hit": "best"}, "/hit", "not allowed"),
        ((), {"format": 2}, "/format", "not allowed"),
        ((), {"effective": {"from": "2020-02-30"}}, "/effective/from", "right form"),
        ((), {"effective": {"from": "2020-02-01", "until": "2020-02-01"}}, "/effective/until", "ends before"),
        (("rules", 0), {"when": ["insolvent", "=", True]}, "/rules/0/when/1", "not allowed"),
        (("rules", 0), {"when": ["tenure_days", "<"]}, "/rules/0/when", "less than 3"),
        (("rules", 0), {"when": ["tenure_days", "<", 1.5]}, "/rules/0/when/2", "not an integer"),
        (("rules", 0), {"when": ["tenure_days", "<", 1.0]}, "/rules/0/when/2", "not an integer"),
        (("rules", 0), {"when": ["tenure_days", "<", None]}, "/rules/0/when/2", "not of type"),
        (("rules", 0), {"when": ["country", "in", ["DE", None]]}, "/rules/0/when/2/1", "not of type"),
        (("rules", 0), {"when": ["country", "in", []]}, "/rules/0/when/2", "less than 1"),
        (("rules", 0), {"when": ["tenure_days", "between", [1]]}, "/rules/0/when/2", "less than 2"),
        (("rules", 0), {"when": ["tenure_days", "is_null", 1]}, "/rules/0/when", "more than 2"),
        (("rules", 0), {"when": {"all": []}}, "/rules/0/when/all", "less than 1"),
        (("rules", 0), {"when": {"all": [], "any": []}}, "/rules/0/when", "more than 1"),
        (("rules", 0), {"when": {"none": []}}, "/rules/0/when", "unknown key 'none'"),
        (("rules", 0), {"key": "no spaces"}, "/rules/0/key", "right form"),
        (("rules", 0), {"key": "risky"}, "/rules/1/key", "occurs twice"),
        (("rules", 0), {"label": " padded"}, "/rules/0/label", "begins or ends with a space"),
        (("rules", 0), {"label": "e\u0301"}, "/rules/0/label", "NFC"),
        (("rules", 0), {"label": "a\u0000b"}, "/rules/0/label", "control character"),
        (("rules", 0), {"label": "\ud800"}, "/rules/0/label", "control character"),
        (("rules", 0), {"label": "x" * 2001}, "/rules/0/label", "text_length"),
        (("rules", 0), {"priority": True}, "/rules/0/priority", "not of type"),
        ((), {"bands": [{"risk_class": "A"}]}, "/bands", "does not belong"),
        ((), {"rules": [{}] * (limits.RULES_PER_POLICY + 1)}, "/rules", "rules_per_policy"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_refused_with_its_place(path, value, place, word):
    """Unknown keys, operators, types and everything beyond a limit."""
    document = changed("segmentation")
    target = document
    for step in path:
        target = target[step]
    target.update(value)
    found = problems_of(document)
    assert any(problem.place == place and word in problem.what for problem in found), [str(p) for p in found]
    assert all(problem.cure for problem in found)


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([{"days": 5}, {"days": 4}], "do not rise"),
        ([{"days": 5}, {"days": 5}], "do not rise"),
        ([{"days": 0}], "not allowed"),
        ([{"days": -1, "level": 1}], "level 0"),
        ([{"days": 1, "level": 2}, {"days": 2, "level": 2}], "levels after"),
        ([{"days": 1, "channel": "pigeon"}], "not allowed"),
    ],
)
def test_steps_of_a_scenario_rise(steps, word):
    """Days and levels rise; nothing happens on the due date itself."""
    document = changed("escalation")
    common = {"channel": "email", "template": "t"}
    document["escalation"]["scenarios"]["standard"] = [
        {"key": f"k{index}", **common, **step} for index, step in enumerate(steps)
    ]
    document["cases"] = []
    assert any(word in problem.what for problem in problems_of(document))


def test_bands_rise_and_only_the_last_is_open():
    """Every number of points has one class."""
    for bands in (
        [{"risk_class": "A", "up_to": 5}],
        [{"risk_class": "A"}, {"risk_class": "B"}],
        [{"risk_class": "A", "up_to": 5}, {"risk_class": "B", "up_to": 5}, {"risk_class": "C"}],
    ):
        assert problems_of(changed("scorecard", bands=bands))


def test_endless_nesting_is_refused():
    """A document deeper than its limit is refused before anything walks it recursively."""
    condition = ["tenure_days", "is_null"]
    for _ in range(5_000):
        condition = {"not": condition}
    document = changed("segmentation")
    document["rules"][0]["when"] = condition
    assert "document_depth" in problems_of(document)[0].what


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"values": [{"from": "2020-01-01", "value": -1}]}, "below the lowest"),
        ({"values": [{"from": "2020-01-01", "value": 100_001}]}, "above the highest"),
        ({"values": [{"from": "2020-01-01", "value": True}]}, "not a value of kind money"),
        ({"values": [{"from": "2020-01-01", "value": "5"}]}, "not a value of kind money"),
        ({"values": [{"from": "2020-01-01", "value": 5, "segment": "risky"}]}, "no value for all"),
        ({"values": [{"from": "2020-01-01", "value": 5}, {"from": "2020-01-01", "value": 6}]}, "occurs twice"),
        ({"kind": "colour"}, "not allowed"),
    ],
)
def test_a_wrong_parameter_is_refused(value, word):
    """Kind, range, and one value for all segments."""
    document = changed("parameters")
    document["parameters"][0].update(value)
    problems = parse_parameters(document)[1]
    assert any(word in problem.what for problem in problems), [str(p) for p in problems]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


PLACES = {key: [path for path in places(document) if path] for key, document in DOCUMENTS.items()}
PARTS = ["all", "any", "not", "param", "fact", "min", "percent_of", 0, -1, 10**18, True, None, "", "x", [], {}]


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_fuzzed_documents_never_raise(data):
    """Whatever replaces a part of a document: a policy that can be checked, or problems."""
    key = data.draw(st.sampled_from(list(DOCUMENTS)))
    document = copy.deepcopy(DOCUMENTS[key])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(PLACES[key]))
        target = document
        for step in path[:-1]:
            try:
                target = target[step]
            except (KeyError, IndexError, TypeError):
                break
        else:
            last = path[-1]
            if isinstance(target, dict) or (isinstance(target, list) and isinstance(last, int) and len(target) > last):
                target[path[-1]] = data.draw(JSON | st.sampled_from(PARTS))
    if key == "parameters":
        found, problems = parse_parameters(document)
    else:
        found, problems = parse(document)
    assert (found is None) == bool(problems)
    if found is not None:
        canonical(document)
        parameters, _ = parse_parameters(DOCUMENTS["parameters"])
        if key != "parameters":
            check(found, parameters, DICTIONARY)


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_anything_at_all_is_refused_not_raised(value):
    """Random JSON is no policy."""
    assert parse(value)[0] is None
    assert parse_parameters(value)[0] is None


def many(count, **common):
    return [{"key": f"k{index}", **common} for index in range(count)]


def sized(name, count):
    """A document in which something is as large as asked."""
    when = ["tenure_days", "<", 9]
    document = changed("segmentation", cases=[])
    rule = {"key": "r", "when": when, "then": {"segment": "a"}}
    if name == "rules_per_policy":
        rules = many(count, then={"segment": "a"})
        document["rules"] = [{**one, "when": ["tenure_days", "==", index]} for index, one in enumerate(rules)]
    elif name == "tests_per_rule":
        document["rules"] = [{**rule, "when": {"all": [["tenure_days", "<", index] for index in range(1, count + 1)]}}]
    elif name == "condition_depth":
        for _ in range(count - 1):
            when = {"not": when}
        document["rules"] = [{**rule, "when": when}]
    elif name == "values_per_list":
        document["rules"] = [{**rule, "when": ["country", "in", [f"C{index}" for index in range(count)]]}]
    elif name == "paths_per_rule":
        tests = [["tenure_days", "==", index] for index in range(count)]
        document["rules"] = [{**rule, "when": {"any": tests}}]
    elif name == "text_length":
        document["name"] = "x" * count
    elif name == "code_length":
        document["rules"] = [{**rule, "when": ["country", "==", "x" * count]}]
    elif name == "cases_per_policy":
        document["cases"] = [{"name": f"c{index}", "facts": {}} for index in range(count)]
    elif name == "bands":
        bands = [{"risk_class": f"C{index}", "up_to": index} for index in range(count - 1)]
        document = changed("scorecard", cases=[], bands=[*bands, {"risk_class": "Z"}])
    elif name == "steps_per_scenario":
        document = changed("escalation", cases=[])
        steps = many(count, channel="email", template="t")
        document["escalation"]["scenarios"] = {"standard": [{**s, "days": i + 1} for i, s in enumerate(steps)]}
    elif name == "scenarios":
        document = changed("escalation", cases=[])
        document["escalation"]["scenarios"] = {"standard": [], **{f"s{index}": [] for index in range(count - 1)}}
    elif name == "effect_depth":
        effect = 1
        for _ in range(count - 1):
            effect = {"min": [effect]}
        document = changed("credit_limit", cases=[], rules=[{**rule, "then": {"proposed_limit_minor": effect}}])
    elif name == "priority":
        document["rules"] = [{**rule, "priority": count}]
    return document


SIZED = [
    *("rules_per_policy", "tests_per_rule", "condition_depth", "values_per_list", "paths_per_rule", "text_length"),
    *("code_length", "cases_per_policy", "bands", "steps_per_scenario", "scenarios", "effect_depth", "priority"),
]


@pytest.mark.parametrize("name", SIZED)
def test_a_limit_holds_at_its_value_and_refuses_one_more_by_name(name):
    """Everything has a limit with a name, and the refusal tells it."""
    parameters, _ = parse_parameters(DOCUMENTS["parameters"])
    bound = limits.LIMITS[name]

    def errors(count):
        policy, problems = parse(sized(name, count))
        found = problems or check(policy, parameters, DICTIONARY)
        return [problem.what for problem in found if problem.severity == "error"]

    assert errors(bound) == []
    assert any(name in what for what in errors(bound + 1))
