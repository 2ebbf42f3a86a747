"""Formulas as text: typed, read, written back the same; every fault names its column and a cure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents import parse_parameters
from rules.facts import DICTIONARY
from rules.formula_text import Tongue, read_formula
from rules.formula_words import formula_words
from rules.formula_writing import write_formula
from rules.formulas import formula_of
from rules.words import Voice

LISTED = [("limit_maximum", "money"), ("cut_days", "days")]
PARAMETERS, _PROBLEMS = parse_parameters(
    {
        "format": 1,
        "kind": "parameters",
        "key": "parameters",
        "source": "a test",
        "parameters": [
            {
                "name": name,
                "kind": kind,
                "label": name.replace("_", " "),
                "meaning": "m",
                "values": [{"from": "2020-01-01", "value": 3}],
            }
            for name, kind in LISTED
        ],
    }
)
NAMED = {one.name: one for one in PARAMETERS.parameters}


def label(name):
    """What the reader calls a fact or a parameter."""
    return (NAMED.get(name) or DICTIONARY[name]).label


ENGLISH = Tongue(DICTIONARY, NAMED, label)
GERMAN = Tongue(DICTIONARY, NAMED, label, decimal=",")
FACTS = {"fact": "overdue_net_minor"}, {"fact": "credit_limit_minor"}


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("overdue_net / credit_limit", {"divide": [*FACTS]}),
        ("overdue_net_minor ÷ credit_limit_minor", {"divide": [*FACTS]}),
        ('"Net overdue" / "credit limit"', {"divide": [*FACTS]}),
        ("overdue_net - credit_limit - 5", {"subtract": [{"subtract": [*FACTS]}, 5]}),
        ("overdue_net + credit_limit * 2", {"add": [FACTS[0], {"multiply": [FACTS[1], 2]}]}),
        ("(overdue_net + credit_limit) * 2", {"multiply": [{"add": [*FACTS]}, 2]}),
        ("overdue_net + 1 + 2", {"add": [FACTS[0], 1, 2]}),
        ("max(overdue_net - credit_limit, 0)", {"max": [{"subtract": [*FACTS]}, 0]}),
        ("clip(overdue_net, 0, 12.5 EUR)", {"clip": [FACTS[0], 0, {"money": 1_250}]}),
        ("overdue_net * 12.5 %", {"multiply": [FACTS[0], {"ratio": 1_250}]}),
        ("days_between(tenure, 30 days)", {"days_between": [{"fact": "tenure_days"}, {"days": 30}]}),
        ("min(overdue_net, @limit_maximum)", {"min": [FACTS[0], {"param": "limit_maximum"}]}),
        ('@"cut days" + tenure', {"add": [{"param": "cut_days"}, {"fact": "tenure_days"}]}),
        ("coalesce(score, -5 %)", {"coalesce": [{"fact": "score_bp"}, {"ratio": -500}]}),
        (
            'if insolvent = true and not country in ("DE", "AT") then 0 else overdue_net',
            {
                "if": {"all": [["insolvent", "==", True], {"not": ["country", "in", ["DE", "AT"]]}]},
                "then": 0,
                "else": FACTS[0],
            },
        ),
        (
            "if score is unknown or overdue_net between 5 EUR and @limit_maximum then 1 else 2",
            {
                "if": {
                    "any": [
                        ["score_bp", "is_null"],
                        ["overdue_net_minor", "between", [500, {"param": "limit_maximum"}]],
                    ]
                },
                "then": 1,
                "else": 2,
            },
        ),
        (
            "if overdue_net > credit_limit then 1 else 0",
            {"if": ["overdue_net_minor", ">", {"fact": "credit_limit_minor"}], "then": 1, "else": 0},
        ),
    ],
)
def test_what_is_typed_is_read(text, formula):
    """Names with and without what they measure, labels in quotes, units behind numbers."""
    assert read_formula(text, ENGLISH) == (formula, [])


@pytest.mark.parametrize(
    ("text", "column", "cure"),
    [
        ("", 1, "overdue_net / credit_limit"),
        ("overdue_nett / credit_limit", 1, "did you mean"),
        ("overdue_net / ", 15, "write a fact"),
        ("overdue_net credit_limit", 13, "or / between two values"),
        ("(overdue_net", 13, "close the bracket"),
        ("abs(overdue_net, 1)", 1, "correct the list"),
        ("overdue_net + 5 USD", 17, "write EUR"),
        ("overdue_net + 5.123 EUR", 15, "at most 2 decimals"),
        ("overdue_net + 5.5", 15, "whole number"),
        ("if overdue_net > 5 then 1 else 0", 18, "write the unit: EUR"),
        ("if insolvent = 1 then 1 else 0", 16, "true"),
        ("if country = DE then 1 else 0", 14, "quotes"),
        ("if overdue_net > 5 EUR then 1", 30, "else value"),
        ("overdue_net ; exec", 13, "or / between two values"),
        ("__import__('os')", 12, "take it out"),
        ('"Net overdue', 1, 'write "'),
        ('"No such label" + 1', 1, "choose it from the list"),
        ("@nothing", 2, "parameter"),
        ("overdue_net + 1,000 EUR", 16, "without groups"),
    ],
)
def test_a_fault_names_its_column_and_a_cure(text, column, cure):
    """Whoever typed it sees where, and what to do."""
    found, (problem,) = read_formula(text, ENGLISH)
    assert found is None
    assert problem.column == str(column)
    assert cure in problem.cure or cure in problem.what


def test_a_german_reader_writes_a_comma_in_numbers_and_a_semicolon_in_lists():
    """As in a spreadsheet."""
    wanted = {"min": [FACTS[0], {"money": 1_250}]}
    assert read_formula("min(overdue_net; 12,5 EUR)", GERMAN) == (wanted, [])
    assert write_formula(formula_of(wanted), GERMAN) == "min(overdue_net; 12,5 EUR)"


NUMBERS = ["overdue_net_minor", "score_bp", "tenure_days", "overdue_count", "previous_level", "credit_limit_minor"]
LEAVES = st.one_of(
    st.sampled_from([{"fact": name} for name in NUMBERS]),
    st.sampled_from([{"param": name} for name in NAMED]),
    st.integers(-(10**6), 10**6),
    st.builds(
        lambda unit, value: {unit: value}, st.sampled_from(["money", "ratio", "days"]), st.integers(-(10**6), 10**6)
    ),
)
TESTS = st.sampled_from(
    [
        ["overdue_net_minor", ">", 1_234],
        ["overdue_net_minor", "<=", {"fact": "credit_limit_minor"}],
        ["score_bp", "between", [1, 2_050]],
        ["country", "not_in", ["DE", "Å b"]],
        ["tenure_days", "in", [1, {"param": "cut_days"}]],
        ["insolvent", "!=", False],
        ["score_bp", "is_not_null"],
        ["points", "==", -3],
    ]
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(lambda part: {"not": part}, inner),
        st.builds(
            lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=2, max_size=3)
        ),
    ),
    max_leaves=4,
)
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda word, parts: {word: parts},
            st.sampled_from(["add", "min", "max", "coalesce"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
        st.builds(
            lambda word, one, other: {word: [one, other]},
            st.sampled_from(["subtract", "multiply", "divide", "days_between"]),
            inner,
            inner,
        ),
        st.builds(lambda part: {"abs": part}, inner),
        st.builds(lambda *parts: {"clip": list(parts)}, inner, inner, inner),
        st.builds(lambda asked, one, other: {"if": asked, "then": one, "else": other}, CONDITIONS, inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(FORMULAS, st.sampled_from([ENGLISH, GERMAN]))
def test_what_is_written_is_read_back_the_same(formula, tongue):
    """For every formula of the grammar, in both ways of writing numbers."""
    tree = formula_of(formula)
    found, problems = read_formula(write_formula(tree, tongue), tongue)
    assert problems == []
    assert formula_of(found) == tree
    assert formula_words(tree, Voice())


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="ovrdue_ntcim ()+-*/,.;@\"'%<>=!0123456789\nEUR漢", max_size=60))
def test_no_text_makes_the_reader_fail(text):
    """Whatever is typed is a formula or a problem."""
    found, problems = read_formula(text, ENGLISH)
    assert (found is None) == bool(problems)


def test_brackets_without_end_are_refused():
    """A thousand brackets are a problem, not a crash."""
    found, (problem,) = read_formula("(" * 900 + "1" + ")" * 900, ENGLISH)
    assert found is None
    assert "brackets" in problem.what
