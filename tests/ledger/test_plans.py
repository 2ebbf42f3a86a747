"""Payment plans: the frames agree with a second computation, plan by plan."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.balances import live_allocations, settled_lines
from ledger.days import date_of, day_of
from ledger.plans import EVERY, plan_members, plan_states, schedule, watched

from .conftest import TODAY, Book

AMOUNT = st.integers(1, 300)
DUE = st.integers(-12, 6)


@given(
    lines=st.lists(AMOUNT, min_size=1, max_size=3),
    parts=st.lists(st.tuples(DUE, st.integers(1, 9)), min_size=1, max_size=4, unique_by=lambda one: one[0]),
    paid=st.lists(st.tuples(st.integers(0, 2), AMOUNT, st.integers(-14, 1)), max_size=5),
    tolerance=st.integers(0, 4),
)
@settings(max_examples=40)
def test_frames_and_values_agree_on_every_plan(lines, parts, paid, tolerance):
    """Active, and the day of the default, whatever came in when."""
    book = Book()
    made = [book.line(amount, -20, day=-40) for amount in lines]
    total = sum(lines)
    shares = sum(share for _due, share in parts)
    instalments = [(due, total * share // shares) for due, share in sorted(parts)]
    instalments[0] = (instalments[0][0], instalments[0][1] + total - sum(amount for _due, amount in instalments))
    book.plan(made, instalments, day=-15)
    received = []
    for place, amount, day in paid:
        line = made[place % len(made)]
        amount = min(amount, lines[place % len(made)] - sum(a for one, a, _d in received if one == line))
        if amount > 0:
            book.pay(line, amount, day=day)
            received.append((line, amount, day))
    basis, frames = book.basis(promise_tolerance_days=tolerance), book.frames()
    allocations = live_allocations(frames, TODAY)
    settled = settled_lines(frames, TODAY, allocations)
    states = plan_states(frames, basis, allocations, settled, plan_members(frames, TODAY))
    row = states.collect().rows(named=True)[0]
    left = [total - sum(a for _l, a, day in received if day <= min(due + tolerance, 0)) for due, _amount in instalments]
    seen = watched(instalments, left, 0, tolerance)
    missed = [one for one in seen if one.state == "missed"]
    open_minor = total - sum(a for _l, a, day in received if day <= 0)
    assert row["is_active"] == (not missed and open_minor > 0)
    assert row["defaulted_day"] == (TODAY + missed[0].due_day + tolerance if missed else None)


@given(
    total=st.integers(1, 10**9),
    number=st.integers(1, 60),
    first=st.integers(15_000, 25_000),
    every=st.sampled_from(EVERY),
)
def test_a_schedule_comes_to_its_total_and_rises(total, number, first, every):
    """To the unit; a month keeps the day of the first where it has it."""
    made = schedule(total, first, number, every)
    assert sum(amount for _day, amount in made) == total
    days = [day for day, _amount in made]
    assert days == sorted(set(days))
    assert days[0] == first
    if every == "month":
        assert {date_of(day).day for day in days} <= {date_of(first).day, 28, 29, 30}


@pytest.mark.parametrize(("day", "second"), [("2026-01-28", "2026-02-28"), ("2026-01-31", "2026-02-28")])
def test_a_month_without_the_day_takes_its_last(day, second):
    """And the month after has it again."""
    from datetime import date

    first = day_of(date.fromisoformat(day))
    found = [date_of(one).isoformat() for one, _amount in schedule(300, first, 3, "month")]
    assert found == [day, second, "2026-03" + day[-3:]]
