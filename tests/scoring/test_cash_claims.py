"""What is said of open invoices: promises put their voice on a day, disputes make wait."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.cash_claims import Claims, kept_shares, mean_days, with_claims

DAY = 18_400
CHANCES = np.array([[0.4, 0.3, 0.2]])


def claims(promised: float = np.nan, share: float = 1.0, kept: float = 0.8, disputed: float = 0.0, waits: int = 0):
    """What is said of one invoice."""
    return Claims(*(np.array([float(value)]) for value in (promised, share, kept, disputed, waits)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (claims(), [0.4, 0.3, 0.2]),
        (claims(DAY + 7), [0.08, 0.86, 0.04]),
        (claims(DAY + 6, kept=1.0), [1.0, 0.0, 0.0]),
        (claims(DAY - 2, kept=1.0), [1.0, 0.0, 0.0]),
        (claims(DAY + 21, kept=0.5), [0.2, 0.15, 0.1]),
        (claims(DAY, share=0.5, kept=1.0), [0.7, 0.15, 0.1]),
        (claims(disputed=1.0, waits=7), [0.0, 0.4, 0.3]),
        (claims(disputed=1.0, waits=8), [0.0, 0.0, 0.4]),
        (claims(disputed=0.5, waits=7), [0.2, 0.35, 0.25]),
    ],
    ids=[
        "nothing said",
        "a promise for next week",
        "the last day of this week",
        "a promise that ran out lately",
        "a promise beyond the last week",
        "a part promised",
        "wholly disputed for a week",
        "for eight days",
        "half disputed",
    ],
)
def test_what_is_said_moves_the_weeks(said: Claims, expected: list[float]) -> None:
    """A promise counts as far as the customer keeps them; what is contested comes later."""
    assert with_claims(CHANCES, said, DAY)[0] == pytest.approx(expected)


@given(
    promised=st.one_of(st.just(float("nan")), st.integers(DAY - 10, DAY + 60)),
    shares=st.tuples(*(st.floats(0, 1) for _ in range(3))),
    waits=st.integers(0, 90),
)
def test_chances_stay_chances(promised: float, shares: tuple[float, float, float], waits: int) -> None:
    """Whatever is said: none below 0, together at most 1."""
    found = with_claims(CHANCES, claims(promised, shares[0], shares[1], shares[2], waits), DAY)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-9


def test_who_keeps_more_promises_is_believed_more() -> None:
    """Nobody's word counts nothing or everything; one who never promised is like everybody."""
    found = kept_shares(np.array([1, 2, 3]), {1: 8}, {2: 8})
    assert found[2] == pytest.approx(0.5)
    assert 1 > found[0] > 0.5 > found[1] > 0


def test_spans_are_rounded_half_up() -> None:
    """3 and 4 days: 4; without any the usual."""
    assert (mean_days([3, 4], 30), mean_days([], 30)) == (4, 30)
