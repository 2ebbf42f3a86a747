"""What is compared is the same: every engine of the peers' benchmark decides every row alike."""

import pytest

from benchmarks.peers.base import ANSWER
from benchmarks.peers.engines import ENGINES, ByHand, Columns, Reference
from benchmarks.peers.measuring import Measured, hold_equal
from benchmarks.peers.policies import BLOCK_ROWS, FACTS, book_of, rows_of
from rules.facts import DICTIONARY

ROWS = 400


@pytest.fixture(scope="module", params=[30, 100])
def asked(request):
    """A book, rows, and what the reference evaluator says."""
    book, rows = book_of(request.param), rows_of(ROWS)
    engine = Reference(book, rows)
    return book, rows, engine.answers(engine.run())


@pytest.mark.parametrize("kind", [kind for kind in ENGINES if kind is not Reference], ids=lambda kind: kind.name)
def test_an_engine_decides_as_the_reference_evaluator(kind, asked):
    """Outcomes of three stages, and the rules that decided."""
    book, rows, expected = asked
    engine = kind(book, rows)
    try:
        assert engine.answers(engine.run()) == expected
    finally:
        engine.close()


def test_columns_and_polars_by_hand_agree_on_many_rows():
    """More rows than row-by-row engines could be asked."""
    book, rows = book_of(100), rows_of(50_000)
    ours, by_hand = Columns(book, rows), ByHand(book, rows)
    assert ours.answers(ours.run()) == by_hand.answers(by_hand.run())


def test_the_policies_are_what_they_promise(asked):
    """Every stage has its share of the rules, and the rows reach most of them and every class."""
    book, _, expected = asked
    counts = [len(book.stages[name].rules) for name in ("scorecard", "credit_limit", "hold")]
    assert sum(counts) in (30, 100)
    assert counts[0] > counts[1] > counts[2]
    found = dict(zip(ANSWER, zip(*expected)))
    assert len(set(found["risk_class"])) == 5
    assert len(set(found["winner_credit_limit"])) > counts[1] // 2
    assert len(set(found["winner_hold"])) > counts[2] // 2
    assert None in found["proposed_limit_minor"]
    assert set(found["hold"]) == {True, False}


def test_a_tenth_to_a_seventh_of_the_facts_is_unknown():
    """Null where the dictionary allows it, and nowhere else."""
    rows = rows_of(BLOCK_ROWS)
    assert 0.10 <= sum(rows.null_count().row(0)) / rows.height / rows.width <= 0.15
    assert all(rows[name].null_count() == 0 for name in FACTS if not DICTIONARY[name].nullable)


def test_fewer_rows_are_the_beginning_of_more():
    """Otherwise a sample could not be held against the whole."""
    assert rows_of(BLOCK_ROWS + 5).head(7).equals(rows_of(7))
    assert rows_of(7, first_block=1).equals(rows_of(BLOCK_ROWS + 7).tail(7))


def test_an_engine_that_says_otherwise_stops_the_benchmark():
    """One different answer, and frames that differ beyond the rows compared one by one."""
    with pytest.raises(ValueError, match="row 1: zen-engine says"):
        hold_equal({"reference evaluator": ([(1,), (2,)], None), "zen-engine": ([(1,), (3,)], None)}, 30)
    with pytest.raises(ValueError, match="the frames differ"):
        hold_equal({"reference evaluator": ([], None), "a": ([], "1"), "b": ([], "2")}, 30)


def test_the_rate_counts_the_median_round():
    """Ten rows in two seconds are five a second."""
    assert Measured(30, "columns", 1, 10, [1.0, 2.0, 9.0], [1.0, 2.0, 9.0]).rate == 5
