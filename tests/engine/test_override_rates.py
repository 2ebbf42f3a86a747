"""How often people decide in place of the rules."""

from datetime import date

from engine.override_rates import ByReason, Held, by_month, by_reason
from ledger.days import day_of

TODAY = day_of(date(2026, 3, 10))


def on(month: int, day: int, year: int = 2026) -> int:
    """A day as a number."""
    return day_of(date(year, month, day))


def test_an_override_holds_from_its_first_day_until_before_its_last() -> None:
    """Below, at and above both bounds; ended early it holds until before that day, unapproved never."""
    held = Held(on(2, 1), on(3, 1), None, "new owner")
    assert [held.holds(day) for day in (on(1, 31), on(2, 1), on(2, 28), on(3, 1))] == [False, True, True, False]
    ended = Held(on(2, 1), on(3, 1), on(2, 10), "new owner")
    assert [ended.holds(day) for day in (on(2, 9), on(2, 10))] == [True, False]
    assert not Held(on(2, 1), on(3, 1), None, "new owner", counts=False).holds(on(2, 5))


def test_months_count_what_began_and_what_holds_at_their_end() -> None:
    """The month that goes on counts up to today; the year turns."""
    overrides = [
        Held(on(12, 31, 2025), on(1, 31), None, "a"),  # over on the last day of January
        Held(on(1, 1), on(4, 1), None, "b"),
        Held(on(3, 10), on(4, 1), None, "c"),
        Held(on(3, 11), on(4, 1), None, "d"),  # after today
    ]
    found = by_month(overrides, TODAY, months=4)
    assert [(one.last_day, one.made, one.held) for one in found] == [
        (on(12, 31, 2025), 1, 1),
        (on(1, 31), 1, 1),
        (on(2, 28), 0, 1),
        (TODAY, 1, 2),
    ]


def test_reasons_are_counted_without_regard_to_case_and_blanks() -> None:
    """Those of the window, and older ones that still hold; what is over and old is left out."""
    overrides = [
        Held(on(3, 1), on(4, 1), None, "New  owner"),
        Held(on(3, 2), on(3, 5), None, "new owner"),
        Held(on(1, 1), on(4, 1), None, "insured"),
        Held(on(1, 1), on(1, 5), None, "forgotten"),
    ]
    assert by_reason(overrides, TODAY, on(3, 1)) == [ByReason("New  owner", 2, 1), ByReason("insured", 0, 1)]
