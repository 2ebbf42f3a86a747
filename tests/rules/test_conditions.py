"""Conditions: what every operator means below, at and above its bound, and the laws of NNF."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import conditions
from rules.closures import holds_of, verdict_of
from rules.conditions import All, Any, Const, FactRef, Not, Op, Test, depth_of, nnf, path_count, paths

FACTS = ("a", "b", "c")
VALUES = st.none() | st.integers(-2, 2)


def leaves():
    compare = st.sampled_from([Op.LT, Op.LE, Op.GT, Op.GE, Op.EQ, Op.NE])
    constant = st.integers(-2, 2).map(Const)
    fact = st.sampled_from(FACTS)
    return st.one_of(
        st.builds(Test, fact, compare, constant | fact.map(FactRef)),
        st.builds(Test, fact, st.sampled_from([Op.IN, Op.NOT_IN]), st.lists(constant, min_size=1).map(tuple)),
        st.builds(Test, fact, st.just(Op.BETWEEN), st.tuples(constant, constant)),
        st.builds(Test, fact, st.sampled_from([Op.IS_NULL, Op.IS_NOT_NULL])),
    )


def trees():
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda parts: Any(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=8,
    )


def rows():
    return st.fixed_dictionaries(dict.fromkeys(FACTS, VALUES))


def has_not(condition):
    match condition:
        case Not():
            return True
        case All(parts) | Any(parts):
            return any(has_not(part) for part in parts)
    return False


@pytest.mark.parametrize(
    ("op", "value", "below", "at", "above"),
    [
        (Op.LT, Const(5), True, False, False),
        (Op.LE, Const(5), True, True, False),
        (Op.GT, Const(5), False, False, True),
        (Op.GE, Const(5), False, True, True),
        (Op.EQ, Const(5), False, True, False),
        (Op.NE, Const(5), True, False, True),
        (Op.IN, (Const(5),), False, True, False),
        (Op.NOT_IN, (Const(5),), True, False, True),
        (Op.BETWEEN, (Const(5), Const(5)), False, True, False),
        (Op.BETWEEN, (Const(5), Const(6)), False, True, True),
        (Op.LT, FactRef("five"), True, False, False),
        (Op.GE, FactRef("five"), False, True, True),
        (Op.IS_NOT_NULL, None, True, True, True),
        (Op.IS_NULL, None, False, False, False),
    ],
)
def test_an_operator_below_at_and_above_its_bound(op, value, below, at, above):
    """Each operator is told by three values; unknown matches none but is_null."""
    verdict = verdict_of(Test("days", op, value))
    assert [verdict({"days": days, "five": 5}) for days in (4, 5, 6)] == [below, at, above]
    unknown = {Op.IS_NULL: True, Op.IS_NOT_NULL: False}.get(op)
    assert verdict({"days": None, "five": 5}) is unknown
    assert verdict({"five": 5}) is unknown
    assert holds_of(Test("days", op, value))({"five": 5}) is (op is Op.IS_NULL)


def test_a_comparison_with_an_unknown_fact_is_unknown():
    """Unknown on either side is unknown."""
    verdict = verdict_of(Test("a", Op.EQ, FactRef("b")))
    assert (verdict({"a": 1, "b": None}), verdict({"a": None, "b": 1}), verdict({"a": 1, "b": 1})) == (None, None, True)


@given(trees(), rows())
def test_nnf_keeps_the_truth_of_three_values(condition, row):
    """De Morgan holds for true, false and unknown."""
    assert verdict_of(nnf(condition))(row) is verdict_of(condition)(row)


@given(trees())
def test_nnf_leaves_no_negation_and_is_final(condition):
    """No `not` is left, and a second time changes nothing."""
    once = nnf(condition)
    assert not has_not(once)
    assert nnf(once) == once


@given(trees(), rows())
def test_in_nnf_an_unknown_leaf_may_count_as_false(condition, row):
    """The two-valued closures say true exactly where three values do."""
    assert holds_of(nnf(condition))(row) is (verdict_of(condition)(row) is True)


@given(trees(), rows())
def test_paths_say_the_same_as_the_tree(condition, row):
    """A condition holds when all tests of one of its paths do."""
    plain = nnf(condition)
    if path_count(plain) > 500:
        return
    found = paths(plain)
    assert len(found) == path_count(plain)
    holds = any(all(holds_of(test)(row) for test in path) for path in found)
    assert holds is holds_of(plain)(row)


def test_negation_that_matches_everybody_else_leaves_out_the_unknown():
    """`not country == DE` says nothing about a customer whose country is unknown."""
    holds = holds_of(nnf(Not(Test("country", Op.EQ, Const("DE")))))
    assert [holds({"country": country}) for country in ("FR", "DE", None)] == [True, False, False]


def test_closures_refuse_what_is_not_in_nnf():
    """Two-valued evaluation of a negation would be wrong, so it is a caller's mistake."""
    with pytest.raises(ValueError, match="negation normal form"):
        holds_of(Not(Test("a", Op.IS_NULL)))


def test_depth_and_tests_are_counted():
    """A test has depth one; every group and negation adds one."""
    leaf = Test("a", Op.IS_NULL)
    assert (depth_of(leaf), depth_of(Not(All((leaf, Any((leaf,))))))) == (1, 4)
    assert len(list(conditions.tests_of(All((leaf, Any((leaf, Not(leaf)))))))) == 3
