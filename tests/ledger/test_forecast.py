"""The deterministic cash forecast, by its worked example."""

from datetime import date

import pytest

from ledger.days import day_of
from ledger.forecast import Expectation, expected_day

AS_OF = day_of(date(2026, 3, 31))
DELAY, RESOLUTION = 12, 20


def day(month: int, of_month: int) -> int:
    """A day of 2026."""
    return day_of(date(2026, month, of_month))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(Expectation(due_day=day(4, 10)), day(4, 22), id="A due"),
        pytest.param(Expectation(due_day=day(3, 1), promised_day=day(4, 15)), day(4, 15), id="B promised"),
        pytest.param(Expectation(due_day=day(4, 10), resolution_days=RESOLUTION), day(5, 12), id="C disputed"),
        pytest.param(Expectation(due_day=day(4, 10), in_litigation=True), None, id="D litigation"),
        pytest.param(Expectation(due_day=day(3, 1), promised_day=day(3, 20)), None, id="E promise missed"),
    ],
)
def test_cf_1(item: Expectation, expected: int | None) -> None:
    """As of 2026-03-31 with a mean delay of 12 days and disputes resolved in 20."""
    assert expected_day(item, AS_OF, DELAY) == expected


@pytest.mark.parametrize(("promised", "expected"), [(AS_OF - 1, None), (AS_OF, AS_OF), (AS_OF + 1, AS_OF + 1)])
def test_a_promise_for_today_can_still_be_kept(promised: int, expected: int | None) -> None:
    """Yesterday's was missed."""
    assert expected_day(Expectation(due_day=AS_OF - 30, promised_day=promised), AS_OF, DELAY) == expected


def test_what_should_have_come_is_expected_now() -> None:
    """Due in January, 12 days late on average, still open in March."""
    assert expected_day(Expectation(due_day=day(1, 10)), AS_OF, DELAY) == AS_OF
