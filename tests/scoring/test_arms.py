"""The comparison with the hold-out: shares, intervals, and what is too few to tell."""

from hypothesis import given
from hypothesis import strategies as st

from scoring.arms import FEWEST, Member, compared


def members(many, share, start=0):
    """Customers of their own cluster, each with 100 overdue, that share of which came in."""
    return [Member(f"c{start + n}", 100, int(100 * share)) for n in range(many)]


def test_the_share_is_of_the_amounts_not_of_the_customers():
    """Ten of a large debtor weigh more than all of a small one."""
    found = compared([Member("a", 900, 90), Member("b", 100, 100)], [], 1)
    assert found.first.share == 0.19


def test_an_interval_takes_so_many_clusters_in_each_arm():
    """One below none is given, at the bound it is; members of one group count once."""
    enough = members(FEWEST, 0.5)
    assert compared(enough, members(FEWEST - 1, 0.5), 1).low is None
    assert compared(enough, members(FEWEST, 0.5), 1).low == 0.0
    one_group = [Member("g1", 100, 50)] * (3 * FEWEST)
    assert compared(enough, one_group, 1).low is None


def test_a_difference_that_is_there_is_found_and_the_seed_makes_it_the_same_again():
    """Arms that differ throughout: the interval leaves 0 out; the same seed gives the same bounds."""
    mixed = [*members(40, 0.9), *members(10, 0.5, 40)]
    found = compared(mixed, members(50, 0.2), 7)
    assert found.low is not None
    assert found.low > 0.5
    assert found == compared(mixed, members(50, 0.2), 7)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 10**9)), min_size=FEWEST, max_size=60))
def test_shares_and_their_intervals_lie_between_nothing_and_all(amounts):
    """Whatever is owed: what came in never exceeds it."""
    arm = [Member(f"c{n}", owed, min(owed, came)) for n, (owed, came) in enumerate(amounts)]
    first = compared(arm, arm, 3).first
    assert 0 <= first.low <= first.high <= 1
    assert first.came_minor <= first.overdue_minor
