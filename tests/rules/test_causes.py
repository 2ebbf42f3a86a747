"""Causes: the facts named turn the earlier outcome into the later one, and fewer do not."""

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.book import Book
from rules.causes import EXACT_SIZE, causes_of, differing
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY, empty_row
from rules.reference import decide
from rules.stages import OUTCOMES, STAGE, STAGE_NAMES

DAY = 20_000


def outcome(stage, row, book):
    decided = decide(row, book).outcomes
    return {column.name: decided.get(column.name) for column in STAGE[stage].outcomes}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), moved=st.integers(1, 7))
def test_the_facts_named_make_the_difference_and_fewer_do_not(seed, moved, maker, parsed, generated_parameters):
    """For random policies of all stages, and rows that differ in a few facts or in the rules."""
    make = maker(seed)
    books = [
        Book.build([parsed(make.policy(name)) for name in STAGE_NAMES], generated_parameters, DAY) for _ in range(2)
    ]
    before, other = make.row(), make.row()
    changed = make.random.sample(sorted(before), moved)
    after = {**before, **{name: other[name] for name in changed}}
    old, new = books[0], books[seed % 2]
    names = differing(before, after, DICTIONARY)
    for stage in STAGE_NAMES:
        first, last = outcome(stage, before, old), outcome(stage, after, new)
        found = causes_of(stage, before, after, old, new, DICTIONARY)
        if found is None:
            assert first == last
            continue
        assert (found.before, found.after) == (first, last)
        assert set(found.facts) <= set(names)

        def given_with(facts, rules):
            row = {**before, **{name: after.get(name) for name in facts}}
            return outcome(stage, row, new if rules else old)  # noqa: B023

        assert given_with(found.facts, found.rules) == last
        size = len(found.facts) + found.rules
        assert found.exact == (size <= EXACT_SIZE)
        parts = [*names, *([None] if old is not new else [])]
        for fewer in range(1, min(size, EXACT_SIZE + 1)):
            for chosen in combinations(parts, fewer):
                assert given_with([one for one in chosen if one is not None], None in chosen) != last
        for left_out in found.facts:  # of a larger set at least none is too many
            rest = [name for name in found.facts if name != left_out]
            assert given_with(rest, found.rules) != last


def shipped_book(**parameters):
    documents = shipped()
    changed = documents[0]
    for parameter in changed["parameters"]:
        if parameter["name"] in parameters:
            parameter["values"] = [{"from": "2020-01-01", "value": parameters[parameter["name"]]}]
    read, problems = parse_parameters(changed)
    assert problems == []
    return Book.build([parse(document)[0] for document in documents[1:]], read, DAY)


def customer(**facts):
    empty = {name: value for name, value in empty_row(DICTIONARY).items() if name not in OUTCOMES}
    return {**empty, "overdue_net_minor": 50_000, "leader_open_minor": 50_000, **facts}


def test_one_fact_of_several_that_changed():
    """Tenure and the last contact moved as well; the leader's days past due alone put the orders on hold."""
    before = customer(leader_days_past_due=20, tenure_days=700, days_since_contact=3)
    after = customer(leader_days_past_due=40, tenure_days=720, days_since_contact=23)
    found = causes_of("hold", before, after, shipped_book(), shipped_book(), DICTIONARY)
    assert (found.facts, found.rules, found.exact) == (("leader_days_past_due",), False, True)


def test_the_rules_alone():
    """The same facts under a lower threshold."""
    row = customer(leader_days_past_due=20)
    found = causes_of("hold", row, row, shipped_book(), shipped_book(hold_set_days=10), DICTIONARY)
    assert (found.facts, found.rules, found.exact) == ((), True, True)
    assert (found.before["hold"], found.after["hold"]) == (False, True)


def test_an_override_is_a_cause():
    """A person held the orders."""
    before, after = customer(leader_days_past_due=0), customer(leader_days_past_due=0, override_hold=True)
    book = shipped_book()
    found = causes_of("hold", before, after, book, book, DICTIONARY)
    assert found.facts == ("override_hold",)


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_the_same_outcome_has_no_cause(stage):
    """Whatever else changed."""
    book = shipped_book()
    row = customer(leader_days_past_due=20)
    assert causes_of(stage, row, row, book, book, DICTIONARY) is None
