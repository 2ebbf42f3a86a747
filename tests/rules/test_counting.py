"""Live counts: every part of a policy, finished or not, counts what the reference evaluator counts."""

import copy

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.live_facts import COLUMNS_KEPT, Counted, LiveFacts
from rules import columns, reference
from rules.book import Book
from rules.closures import holds_of
from rules.conditions import Const, Op, Test, map_tests, nnf
from rules.counting import WINNERS, countable
from rules.documents import condition_of, parse
from rules.facts import DICTIONARY
from rules.resolving import resolve_test
from rules.stages import OUTCOMES, STAGES

DAY = 20_000
ROWS = 60
BLOCKS = [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 6))]
TYPES = {nw.Int64: pl.Int64, nw.String: pl.String, nw.Boolean: pl.Boolean}


def frame_of(rows):
    schema = {name: TYPES[columns.dtype_of(DICTIONARY[name])] for name in rows[0] if name != "customer_id"}
    table = pl.DataFrame(rows, schema={"customer_id": pl.Int64, **schema}, orient="row")
    return nw.from_native(table.lazy())


def at(body, place):
    """What stands at a place of a document."""
    found = body
    for part in place.split("/")[1:]:
        found = found[int(part) if isinstance(found, list) else part]
    return found


@pytest.fixture
def world(maker, generated_parameters):
    """Sixty rows, a book of all stages, and one of its policies as a document."""

    def make_world(seed, stage=None):
        make = maker(seed)
        documents = {one.name: make.policy(one.name) for one in STAGES}
        rows = [{"customer_id": number, **make.row()} for number in range(ROWS)]
        book = Book.build([parse(one)[0] for one in documents.values()], generated_parameters, DAY)
        chosen = stage or make.random.choice([one.name for one in STAGES])
        frame = frame_of(rows)
        live = LiveFacts(frame, lambda: columns.decide(frame, book), book)
        seen = [{**row, **reference.decide(row, book).outcomes} for row in rows]
        return documents[chosen], live, seen, book

    return make_world


def counted_by_hand(rows, holds):
    matched = [row for row in rows if holds(row)]
    return Counted(len(matched), sum(row["exposure_minor"] or 0 for row in matched))


def found_in(body, book, generated_parameters):
    return countable(body, [generated_parameters], book.parameters, DICTIONARY)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_part_counts_what_the_reference_evaluator_counts(block, world, generated_parameters):
    """Tests, groups and rules of random policies; parameters by segment, outcomes of earlier stages."""
    counted = 0
    for seed in range(block * 10, block * 10 + 10):
        body, live, rows, book = world(seed)
        found = found_in(body, book, generated_parameters)
        for place, condition in found.places.items():
            if place.startswith("/escalation/scenarios"):
                asked = next(rule.when for rule in parse(body)[0].rules if rule.place == place)
            else:
                written = at(body, place)
                asked = condition_of(written["when"] if place.count("/") == 2 and "when" in written else written)
            resolved = map_tests(nnf(asked), lambda test, book=book: resolve_test(test, book.parameters))
            assert live.count(condition) == counted_by_hand(rows, holds_of(resolved)), (seed, place)
            counted += 1
    assert counted > 60


@pytest.mark.parametrize("block", BLOCKS)
def test_who_decides_is_who_decides_in_a_run(block, world, generated_parameters):
    """Under `first`, `most_severe` and `unique`; with rules that refer, and money that is unknown."""
    settled_rules = 0
    for seed in range(1000 + block * 20, 1020 + block * 20):
        stage = ("segmentation", "credit_limit", "hold")[seed % 3]
        body, live, rows, book = world(seed, stage)
        found = found_in(body, book, generated_parameters)
        if found.stage is None:
            continue
        decided = [reference.decide(row, book) for row in rows]
        settled = live.settle(found.stage)
        for rule in found.stage.rules:
            own = [one.winner[stage] == rule.key and stage not in one.undecided for one in decided]
            assert settled.decided[rule.key].customers == sum(own), (seed, rule.key)
            settled_rules += 1
        assert settled.undecided.customers == sum(stage in one.undecided for one in decided)
        total = [*settled.decided.values(), settled.otherwise, settled.undecided]
        assert sum(one.customers for one in total) == ROWS
        assert sum(one.money_minor for one in total) == sum(row["exposure_minor"] or 0 for row in rows)
    assert settled_rules > 5


def test_any_of_the_rules_and_none_of_them_are_all(world, generated_parameters):
    """Whom some rule matches and whom none does add up to everybody."""
    for seed in range(20):
        body, live, rows, book = world(seed)
        found = found_in(body, book, generated_parameters)
        conditions = [found.places[place] for place in found.rules if place in found.places]
        matched, rest = live.count_any(conditions)
        assert matched == counted_by_hand(rows, lambda row, c=conditions: any(holds_of(one)(row) for one in c))
        assert matched.customers + rest.customers == ROWS


def segmentation(*conditions):
    rules = [{"key": f"r{n}", "when": when, "then": {"segment": "key"}} for n, when in enumerate(conditions)]
    return {
        "format": 1,
        "kind": "policy",
        "key": "segmentation",
        "name": "segmentation",
        "stage": "segmentation",
        "effective": {"from": "2020-01-01"},
        "source": "test",
        "because": "test",
        "hit": "first",
        "rules": rules,
        "otherwise": {"then": {"segment": "standard"}},
    }


SOUND = ["overdue_minor", ">", 0]
BROKEN = [
    ["no_such_fact", ">", 0],
    ["overdue_minor", ">", "much"],
    ["overdue_minor", ">"],
    ["overdue_minor", "is about", 3],
    ["overdue_minor", ">", {"param": "missing"}],
    ["segment", "==", "key"],
    {"any": []},
    {"one": [SOUND]},
    {"all": [SOUND], "any": [SOUND]},
    "overdue",
    None,
    7,
    [],
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_what_is_wrong_hides_only_what_contains_it(broken, generated_parameters):
    """The test beside it and the other rule are counted; its group, its rule and who decides are not."""
    body = segmentation({"all": [SOUND, broken]}, {"any": [SOUND, ["country", "==", "DE"]]})
    found = found_in(body, Book.build([], generated_parameters, DAY), generated_parameters)
    group = ["/rules/1/when/any/0", "/rules/1/when/any/1", "/rules/1/when", "/rules/1"]
    assert list(found.places) == ["/rules/0/when/all/0", *group]
    assert not found.is_whole
    assert found.stage is None


def test_a_whole_policy_says_who_decides(generated_parameters):
    """And one under a sum does not: there every rule that holds counts."""
    body = segmentation({"all": [SOUND]})
    book = Book.build([], generated_parameters, DAY)
    assert found_in(body, book, generated_parameters).stage is not None
    assert found_in({**body, "hit": "any"}, book, generated_parameters).stage is None
    assert sorted(WINNERS) == ["first", "most_severe", "unique"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(DICTIONARY)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["all", "any", "not", "when", "rules", "x"]), inner, max_size=3)
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON, JSON)
def test_nothing_that_can_be_written_stops_it(rules, when, escalation):
    """Whatever stands where rules, conditions or an escalation should stand."""
    body = segmentation({"all": [SOUND]})
    for document in (
        {**body, "rules": rules},
        {**body, "rules": [{"when": when}, {"when": {"all": [when, SOUND]}}, rules]},
        {**body, "stage": "escalation", "escalation": escalation},
        {**body, "stage": rules},
    ):
        found = countable(document, [], {}, DICTIONARY)
        assert set(found.places) >= {place for place in found.rules if f"{place}/when" in found.places}


def test_a_column_that_the_run_did_not_store_is_unknown():
    """As it is for a run: nothing matches it but `is_null`."""
    frame = nw.from_native(pl.LazyFrame({"customer_id": [1, 2], "exposure_minor": [5, None]}))
    live = LiveFacts(frame, lambda: frame, Book.build([], [], DAY))
    assert live.count(Test("score_bp", Op.GT, Const(0))) == Counted(0, 0)
    assert live.count(Test("score_bp", Op.IS_NULL)) == Counted(2, 5)


def test_memory_is_bounded_whatever_is_asked(maker):
    """Columns that were not used for the longest time are read again when they are needed."""
    make = maker(5)
    rows = [{"customer_id": number, **make.row()} for number in range(ROWS)]
    frame = frame_of(rows)
    live = LiveFacts(frame, lambda: frame, Book.build([], [], DAY))
    names = [name for name in rows[0] if name not in OUTCOMES and name != "customer_id"]
    assert len(names) > COLUMNS_KEPT
    for name in [*names, *names]:
        known = [row for row in rows if row[name] is not None]
        assert live.count(Test(name, Op.IS_NOT_NULL)).customers == len(known)
        assert live.column(name).to_list() == [row[name] for row in rows]
    assert len(live._columns) == COLUMNS_KEPT


def test_the_largest_come_first(maker):
    """By exposure, equal ones by their number; at most as many as asked for."""
    rows = [{"customer_id": n, "exposure_minor": m, "country": c} for n, m, c in
            [(1, 5, "DE"), (2, None, "DE"), (3, 9, "FR"), (4, 7, "DE"), (5, 7, "DE")]]  # fmt: skip
    live = LiveFacts(frame_of(rows), lambda: frame_of(rows), Book.build([], [], DAY))
    german = Test("country", Op.EQ, Const("DE"))
    assert live.largest(german, 3) == [4, 5, 1]
    assert live.largest(german, 9) == [4, 5, 1, 2]
    assert live.largest(Test("country", Op.EQ, Const("PL")), 3) == []


def test_the_document_is_left_as_it_is(world, generated_parameters):
    """Counting reads."""
    body, _live, _rows, book = world(3)
    before = copy.deepcopy(body)
    found_in(body, book, generated_parameters)
    assert body == before
