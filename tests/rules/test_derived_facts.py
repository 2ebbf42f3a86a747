"""Derived facts: formulas over facts, proved, put in order, and computed alike by columns and reference."""

import json

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.columns import MONEY_BOUND, Kind
from rules import columns, reference
from rules.book import Book
from rules.checks import check
from rules.columns import decide
from rules.derived import parse_derived, with_derived
from rules.derived_checks import check_derived
from rules.documents import parse, parse_parameters
from rules.facts import DICTIONARY, DerivedColumn, readable
from rules.formula_proofs import WITHIN
from rules.formula_values import divided
from rules.formulas import SHARE_BOUND
from rules.stages import STAGE

DAY = 20_000
START = "2020-01-01"
SHARE = {"divide": [{"fact": "overdue_net_minor"}, {"fact": "credit_limit_minor"}]}


def fact(formula, name="derived_share_bp", kind="ratio", rounding="down", **more):
    """One derived fact, as documents write it."""
    said = {"name": name, "kind": kind, "label": name, "meaning": "For a test.", "rounding": rounding}
    return {**said, "formula": formula, **more}


def document(*facts, **more):
    """A document of derived facts."""
    return {"format": 1, "kind": "derived_facts", "key": "derived", "source": "a test", "facts": list(facts), **more}


def parsed(*facts, **more):
    """The same, read."""
    found, problems = parse_derived(document(*facts, **more))
    assert problems == []
    return found


def parameters(*named):
    """Parameters of a name, kind and values."""
    listed = [
        {"name": name, "kind": kind, "label": name, "meaning": name, "values": values} for name, kind, values in named
    ]
    body = {"format": 1, "kind": "parameters", "key": "parameters", "source": "a test", "parameters": listed}
    found, problems = parse_parameters(body)
    assert problems == []
    return found


def column(*facts, sets=(), name="derived_share_bp"):
    """What the dictionary says of a derived fact."""
    named = {one.name: one for part in sets for one in part.parameters}
    found, problems = with_derived(DICTIONARY, parsed(*facts).facts, named)
    assert problems == []
    return found[name]


def problems_of(*facts, sets=()):
    """What the checker finds: place and words."""
    return [(problem.place, problem.what) for problem in check_derived(parsed(*facts), [], sets)]


def policy(when, stage="hold", then=None):
    """A policy with one rule."""
    first = STAGE[stage].settable[0]
    body = {
        "format": 1,
        "kind": "policy",
        "key": stage,
        "name": stage,
        "stage": stage,
        "effective": {"from": START},
        "source": "a test",
        "because": "a test",
        "hit": STAGE[stage].hits[0] if stage != "hold" else "first",
        "rules": [{"key": "one", "when": when, "then": then or {first: True}}],
        "otherwise": {"then": {first: False if stage == "hold" else None}},
    }
    found, problems = parse(body)
    assert problems == []
    return found


def values(book, row, name="derived_share_bp"):
    """A derived fact of one row by the reference evaluator and by columns."""
    one = reference.decide(row, book).derived.get(name)
    types = {name: columns.dtype_of(DICTIONARY[name]) for name in row}
    native = {nw.Int64: pl.Int64, nw.Boolean: pl.Boolean, nw.String: pl.String}
    frame = pl.LazyFrame({key: pl.Series([value], dtype=native[types[key]]) for key, value in row.items()})
    (other,) = decide(nw.from_native(frame), book).select(name).collect()[name].to_list()
    return one, other


def book_reading(*facts, sets=(), name="derived_share_bp"):
    """A book whose only rule asks whether a derived fact is known."""
    return Book.build([policy([name, "is_not_null"])], list(sets), DAY, derived=[parsed(*facts)])


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "kind", "name"),
    [
        (SHARE, "ratio", "derived_share_bp"),
        ({"add": [{"fact": "overdue_minor"}, {"money": 100}]}, "money", "derived_sum_minor"),
        ({"subtract": [{"fact": "tenure_days"}, {"days": 3}]}, "days", "derived_left_days"),
        ({"multiply": [{"fact": "overdue_minor"}, {"fact": "score_bp"}]}, "money", "derived_risk_minor"),
        ({"divide": [{"fact": "overdue_minor"}, {"fact": "overdue_count"}]}, "money", "derived_mean_minor"),
        ({"divide": [{"fact": "overdue_minor"}, {"ratio": 2_500}]}, "money", "derived_whole_minor"),
        ({"max": [{"fact": "overdue_count"}, 3]}, "count", "derived_most"),
        ({"abs": {"fact": "headroom_minor"}}, "money", "derived_size_minor"),
        ({"clip": [{"fact": "overdue_minor"}, 0, {"money": 500}]}, "money", "derived_clipped_minor"),
        ({"coalesce": [{"fact": "score_bp"}, {"ratio": 5_000}]}, "ratio", "derived_score_bp"),
        ({"days_between": [{"fact": "tenure_days"}, {"fact": "days_since_contact"}]}, "days", "derived_gap_days"),
        (
            {"if": ["insolvent", "==", True], "then": {"fact": "overdue_minor"}, "else": 0},
            "money",
            "derived_lost_minor",
        ),
    ],
)
def test_each_operation_has_its_unit(formula, kind, name):
    """Every operation of the grammar is read, and gives what the fact declares."""
    found = column(fact(formula, name=name, kind=kind), name=name)
    assert isinstance(found, DerivedColumn)
    assert found.kind.value == kind


def test_a_bad_shape_is_said_with_its_place():
    """What is no formula is refused at its place, in words."""
    cases = [
        ({"divide": [{"fact": "overdue_minor"}]}, "/facts/0/formula/divide"),
        ({"power": [1, 2]}, "/facts/0/formula"),
        (1.5, "/facts/0/formula"),
        ({"if": ["insolvent", "==", True], "then": 1}, "/facts/0/formula"),
        ({"fact": "overdue_minor", "param": "x"}, "/facts/0/formula"),
    ]
    for formula, place in cases:
        found, problems = parse_derived(document(fact(formula)))
        assert found is None
        assert problems[0].place.startswith(place), formula
        assert problems[0].cure


def test_a_name_says_that_it_is_derived_and_what_it_measures():
    """A name begins with derived_ and ends with the suffix of its kind."""
    for name, kind in [
        ("share_bp", "ratio"),
        ("derived_share", "ratio"),
        ("derived_share_bp", "count"),
        ("derived_x_minor", "days"),
    ]:
        found, problems = parse_derived(document(fact(SHARE, name=name, kind=kind)))
        assert found is None, name
        assert problems[0].place == "/facts/0/name", name


# --- proofs --------------------------------------------------------------------------------------


def test_units_that_do_not_go_together_are_refused():
    """Adding money and days, or multiplying money by money, has no unit."""
    money, days = {"fact": "overdue_minor"}, {"fact": "tenure_days"}
    for formula, place in [
        ({"add": [money, days]}, "/facts/0/formula"),
        ({"multiply": [money, money]}, "/facts/0/formula"),
        ({"divide": [days, money]}, "/facts/0/formula"),
        ({"add": [{"max": [money, 3]}, money]}, "/facts/0/formula/add/0"),
        ({"abs": {"fact": "country"}}, "/facts/0/formula/abs"),
        ({"divide": [money, 0]}, "/facts/0/formula/divide/1"),
        (money, "/facts/0/kind"),
    ]:
        found = problems_of(fact(formula))
        assert [where for where, _ in found] == [place], formula


def test_a_plain_zero_is_zero_of_anything():
    """Nobody writes a unit behind a nought."""
    formula = {"max": [{"subtract": [{"fact": "overdue_minor"}, {"fact": "credit_limit_minor"}]}, 0]}
    found = column(fact(formula, name="derived_over_minor", kind="money"), name="derived_over_minor")
    assert (found.low, found.high) == (0, MONEY_BOUND)


def test_what_may_leave_64_bits_is_refused_with_a_cure():
    """The bound is proved from declared ranges, at the operation that passes it."""
    product = {"multiply": [{"fact": "overdue_minor"}, {"fact": "overdue_count"}]}
    found = check_derived(parsed(fact(product, name="derived_x_minor", kind="money")), [], [])
    assert [(one.place, one.cure) for one in found] == [("/facts/0/formula", "bound it with clip")]
    bounded = {"multiply": [{"fact": "overdue_minor"}, {"clip": [{"fact": "overdue_count"}, 0, 50]}]}
    assert problems_of(fact(bounded, name="derived_x_minor", kind="money")) == []


def test_a_range_follows_from_the_inputs_and_from_what_is_declared():
    """The narrower of both is what the checker proves with."""
    free = column(fact(SHARE))
    assert (free.low, free.high, free.nullable) == (0, SHARE_BOUND, True)
    held = column(fact(SHARE, low=0, high=50_000))
    assert (held.low, held.high) == (0, 50_000)
    found = problems_of(fact(SHARE, low=-5, high=-1))
    assert [place for place, _ in found] == ["/facts/0/low"]


def test_unknown_follows_from_the_inputs():
    """A fact is nullable where an input or a division makes it so."""
    known = fact({"add": [{"fact": "overdue_count"}, 1]}, name="derived_n", kind="count")
    assert not column(known, name="derived_n").nullable
    either = fact({"coalesce": [{"fact": "score_bp"}, {"ratio": 1}]})
    assert not column(either).nullable
    average = fact({"divide": [{"fact": "overdue_count"}, {"fact": "overdue_count"}]})
    assert column(average).nullable


def test_facts_that_need_each_other_are_refused_with_the_way_round():
    """A circle is named from end to end; what only reads one is told so."""
    first = fact({"add": [{"fact": "derived_b"}, 1]}, name="derived_a", kind="count")
    second = fact({"add": [{"fact": "derived_a"}, 1]}, name="derived_b", kind="count")
    third = fact({"add": [{"fact": "derived_b"}, 1]}, name="derived_c", kind="count")
    found = problems_of(first, second, third)
    assert [place for place, _ in found] == [f"/facts/{index}/formula" for index in range(3)]
    assert "derived_a needs derived_b needs derived_a" in found[0][1]
    assert "which needs itself" in found[2][1]


def test_a_missing_fact_or_parameter_is_named_with_the_nearest():
    """The cure names what was probably meant."""
    found = check_derived(parsed(fact({"divide": [{"fact": "overdue_nett"}, {"param": "limit"}]})), [], [])
    assert [one.place for one in found] == ["/facts/0/formula/divide/0", "/facts/0/formula/divide/1"]
    assert "overdue" in found[0].cure


def test_a_condition_inside_a_formula_is_checked_as_in_a_rule():
    """An unknown fact or a wrong type inside an `if` is found."""
    formula = {"if": ["insolvent", ">", 3], "then": 1, "else": {"param": "x"}}
    named = parameters(("x", "count", [{"from": START, "value": 2}]))
    found = problems_of(fact(formula, name="derived_n", kind="count"), sets=[named])
    assert [place for place, _ in found] == ["/facts/0/formula/if"]


# --- stages --------------------------------------------------------------------------------------


def test_the_stage_a_fact_is_ready_at_follows_from_what_it_reads():
    """Facts: from the first stage; an outcome: after its stage; a value by segment: after segmentation."""
    plain, late = fact(SHARE), fact({"add": [{"fact": "points"}, 1]}, name="derived_n", kind="count")
    over = fact({"add": [{"fact": "derived_n"}, {"fact": "level"}]}, name="derived_m", kind="count")
    assert column(plain).ready == "scorecard"
    assert column(late, name="derived_n").ready == "segmentation"
    assert column(late, over, name="derived_m").ready == "worklist"
    split = parameters(("cut", "count", [{"from": START, "value": 1}, {"from": START, "value": 2, "segment": "risky"}]))
    assert column(fact({"param": "cut"}, name="derived_n", kind="count"), sets=[split], name="derived_n").ready == (
        "credit_limit"
    )
    last = fact({"if": ["alert", "is_null"], "then": 1, "else": 0}, name="derived_n", kind="count")
    assert [place for place, _ in problems_of(last)] == ["/facts/0/formula"]


def test_an_earlier_stage_cannot_read_it_and_is_told_when_it_can():
    """The dictionary of a stage lacks it, and the finding names the stage."""
    late = parsed(fact({"add": [{"fact": "level"}, 1]}, name="derived_n", kind="count"))
    dictionary, _ = with_derived(DICTIONARY, late.facts, {})
    assert "derived_n" not in readable("hold", dictionary)
    assert "derived_n" in readable("worklist", dictionary)
    (found,) = [
        problem
        for problem in check(policy(["derived_n", ">", 1]), parameters(), dictionary)
        if problem.severity == "error"
    ]
    assert found.place == "/rules/0/when"
    assert "known from the stage worklist on" in found.what


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "by", "down", "up", "even"),
    [(5, 2, 2, 3, 2), (7, 2, 3, 4, 4), (-5, 2, -3, -2, -2), (-7, 2, -4, -3, -4), (5, -2, -3, -2, -2), (6, 3, 2, 2, 2)],
)
def test_rounding_at_ties(value, by, down, up, even):
    """Down is towards minus infinity, up away from it, a tie goes to the even neighbour."""
    assert [divided(value, by, how) for how in ("down", "up", "half_even")] == [down, up, even]


@pytest.mark.parametrize(
    ("overdue", "limit", "share"),
    [
        (5_000, 10_000, 5_000),
        (1, 3, 3_333),
        (0, 10_000, 0),
        (5_000, 0, None),
        (None, 10_000, None),
        (5_000, None, None),
        (MONEY_BOUND, 1, SHARE_BOUND),
        (MONEY_BOUND, MONEY_BOUND - 1, 10_000),
    ],
)
def test_a_share_of_the_limit(overdue, limit, share):
    """Unknown parts and a division by zero are unknown; a share ends at its bound."""
    row = {"overdue_net_minor": overdue, "credit_limit_minor": limit}
    assert values(book_reading(fact(SHARE)), row) == (share, share)


def test_an_unknown_condition_takes_the_other_branch():
    """As everywhere, unknown never matches."""
    formula = {"if": ["score_bp", ">", 5_000], "then": 1, "else": 2}
    book = book_reading(fact(formula, name="derived_n", kind="count"), name="derived_n")
    for score, number in [(5_001, 1), (5_000, 2), (None, 2)]:
        assert values(book, {"score_bp": score}, "derived_n") == (number, number)


def test_a_parameter_takes_the_value_of_the_segment():
    """A value that differs by segment is the customer's own."""
    cut = parameters(("cut", "money", [{"from": START, "value": 5}, {"from": START, "value": 9, "segment": "risky"}]))
    formula = {"subtract": [{"fact": "overdue_minor"}, {"param": "cut"}]}
    named = fact(formula, name="derived_rest_minor", kind="money")
    segmenting = policy(["insolvent", "==", True], "segmentation", {"segment": "risky"})
    book = Book.build([segmenting, policy(["derived_rest_minor", "is_not_null"])], [cut], DAY, derived=[parsed(named)])
    for insolvent, rest in [(True, 91), (False, 95)]:
        row = {"overdue_minor": 100, "insolvent": insolvent}
        assert values(book, row, "derived_rest_minor") == (rest, rest)


def test_missing_money_behind_a_derived_fact_refers_to_a_person():
    """A hold that reads a share of an unknown amount is not decided by `otherwise`."""
    book = Book.build([policy(["derived_share_bp", ">", 100])], [], DAY, derived=[parsed(fact(SHARE))])
    row = {"overdue_net_minor": None, "credit_limit_minor": 5}
    assert reference.decide(row, book).undecided == {"hold": ["derived_share_bp", "overdue_net_minor"]}
    row = {"overdue_net_minor": 5, "credit_limit_minor": None}  # no limit: that is an answer
    assert reference.decide(row, book).undecided == {}


# --- books and cases -----------------------------------------------------------------------------


def test_the_entity_wins_by_name_and_the_edition_names_what_was_computed():
    """Two documents, one for all and one for an entity: its own fact replaces the one of that name."""
    general = parsed(fact(SHARE), fact({"add": [{"fact": "overdue_count"}, 1]}, name="derived_n", kind="count"))
    own = parsed(fact(SHARE, rounding="up"), entity="DE10")
    asks = policy(["derived_share_bp", ">", 1])
    books = [Book.build([asks], [], DAY, derived=[own, general], entity=code) for code in ("DE10", "FR20")]
    rounding = [book.dictionary["derived_share_bp"].fact.rounding for book in books]
    assert rounding == ["up", "down"]
    named = [book.edition()["derived_facts"] for book in books]
    assert named[0]["derived_n"] == named[1]["derived_n"]
    assert named[0]["derived_share_bp"] != named[1]["derived_share_bp"]
    assert "derived_facts" not in Book.build([asks], [], DAY).edition()


def test_a_case_gives_base_facts_or_the_derived_fact_itself():
    """Both ways of writing an example are computed rightly."""
    body = json.loads(json.dumps(policy(["derived_share_bp", ">=", 5_000]).document))
    body["cases"] = [
        {"name": "by amounts", "facts": {"overdue_net_minor": 50, "credit_limit_minor": 100}, "rule": "one"},
        {"name": "by share", "facts": {"derived_share_bp": 4_999}, "rule": "otherwise"},
    ]
    found, problems = parse(body)
    assert problems == []
    dictionary, _ = with_derived(DICTIONARY, parsed(fact(SHARE)).facts, {})
    assert check(found, parameters(), dictionary) == []
    body["cases"][0]["rule"] = "otherwise"
    found, _ = parse(body)
    assert [problem.place for problem in check(found, parameters(), dictionary)] == ["/cases/0/rule"]


# --- columns = reference -------------------------------------------------------------------------

MONEY = ["overdue_minor", "credit_limit_minor", "headroom_minor"]
LEAVES = {
    Kind.MONEY: [{"fact": name} for name in MONEY] + [{"money": 7}, {"money": -250}, 0],
    Kind.RATIO: [{"fact": "score_bp"}, {"ratio": 1_250}, {"ratio": -1}],
    Kind.COUNT: [{"fact": "overdue_count"}, 3, -2],
}
CONDITIONS = [["score_bp", ">", 5_000], {"not": ["headroom_minor", "<", 0]}, ["score_bp", "is_null"]]


@st.composite
def formulas(draw, kind, depth=3):
    """A formula of a kind, of any operation."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    inner = formulas(kind, depth - 1)
    word = draw(st.sampled_from(["list", "subtract", "abs", "clip", "if", "multiply", "divide"]))
    if word == "list":
        return {draw(st.sampled_from(["add", "min", "max", "coalesce"])): draw(st.lists(inner, min_size=1, max_size=3))}
    if word == "subtract":
        return {word: [draw(inner), draw(inner)]}
    if word == "abs":
        return {word: draw(inner)}
    if word == "clip":
        return {word: [draw(inner), draw(inner), draw(inner)]}
    if word == "if":
        return {word: draw(st.sampled_from(CONDITIONS)), "then": draw(inner), "else": draw(inner)}
    if word == "multiply":
        share = formulas(Kind.RATIO, 0) if kind is not Kind.COUNT else formulas(Kind.COUNT, 0)
        return {word: [draw(inner), draw(share)]}
    if kind is Kind.RATIO:
        other = draw(st.sampled_from([Kind.MONEY, Kind.COUNT]))
        return {word: [draw(formulas(other, depth - 1)), draw(formulas(other, depth - 1))]}
    by = Kind.RATIO if kind is Kind.COUNT else draw(st.sampled_from([Kind.COUNT, Kind.RATIO]))
    return {word: [draw(inner), draw(formulas(by, depth - 1))]}


def amounts(name):
    """Values of a fact: unknown, at its ends, at nought and anything between."""
    declared = DICTIONARY[name]
    ends = [end for end in (declared.low, declared.high, 0, 1, -1) if declared.low <= end <= declared.high]
    known = st.one_of(st.sampled_from(ends), st.integers(declared.low, declared.high))
    return st.one_of(st.none(), known) if declared.nullable else known


ROWS = st.lists(
    st.fixed_dictionaries({name: amounts(name) for name in [*MONEY, "score_bp", "overdue_count"]}),
    min_size=3,
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_columns_compute_what_the_reference_computes(data):
    """For every formula the checker lets pass: the same integers, within the range it proved."""
    kind = data.draw(st.sampled_from([Kind.MONEY, Kind.RATIO, Kind.COUNT]))
    name = {Kind.MONEY: "derived_x_minor", Kind.RATIO: "derived_x_bp", Kind.COUNT: "derived_x"}[kind]
    rounding = data.draw(st.sampled_from(["down", "up", "half_even"]))
    low = data.draw(st.sampled_from([None, -3, 0]))
    bounds = {} if low is None else {"low": low}
    derived = parsed(fact(data.draw(formulas(kind)), name=name, kind=kind.value, rounding=rounding, **bounds))
    dictionary, problems = with_derived(DICTIONARY, derived.facts, {})
    if problems:
        return
    declared = dictionary[name]
    assert max(abs(declared.low), abs(declared.high)) <= WITHIN
    rows = data.draw(ROWS)
    book = Book.build([policy([name, "is_not_null"])], [], DAY, derived=[derived])
    expected = [reference.decide(row, book).derived[name] for row in rows]
    frame = pl.LazyFrame({key: pl.Series([row[key] for row in rows], dtype=pl.Int64) for key in rows[0]})
    assert decide(nw.from_native(frame), book).select(name).collect()[name].to_list() == expected
    for value in expected:
        assert (value is None and declared.nullable) or declared.low <= value <= declared.high


# --- any document --------------------------------------------------------------------------------

WORDS = ["fact", "param", "add", "subtract", "multiply", "divide", "min", "abs", "clip", "if", "then", "else", "money"]
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.sampled_from(
            ["overdue_minor", "credit_limit_minor", "level", "derived_share_bp", "no_such", "__class__", ""]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
        st.builds(lambda word, one, other: {word: [one, other]}, st.sampled_from(WORDS), inner, inner),
        st.builds(lambda one, other: {"if": ["insolvent", "==", True], "then": one, "else": other}, inner, inner),
        st.builds(lambda name: {"fact": name}, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(ANYTHING, st.sampled_from(["ratio", "money", "count", "days", "bool"]))
def test_no_document_makes_the_checker_fail(formula, kind):
    """Whatever stands where a formula belongs is read or refused with places; what is sound can be computed."""
    suffix = {"ratio": "_bp", "money": "_minor", "days": "_days"}.get(kind, "")
    found, problems = parse_derived(document(fact(formula, name=f"derived_x{suffix}", kind=kind)))
    assert (found is None) == bool(problems)
    if found is None:
        return
    problems = check_derived(found, [], [])
    if not problems:
        book = Book.build(
            [policy([f"derived_x{suffix}", "is_not_null"], "alert", {"alert": "x"})], [], DAY, derived=[found]
        )
        reference.decide({"overdue_minor": 5, "credit_limit_minor": 0}, book)


def test_nesting_without_end_is_refused():
    """A thousand levels are a problem, not a crash."""
    formula = {"fact": "overdue_minor"}
    for _ in range(1_000):
        formula = {"abs": formula}
    found, problems = parse_derived(document(fact(formula, name="derived_x_minor", kind="money")))
    assert found is None
    assert problems
