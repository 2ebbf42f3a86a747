"""Settling an escalation: short stories at every edge, then the laws.

The scenario is the beginning of the standard one: a mail ten days before the due date, then
levels 1, 2 and 3 on days 4, 7 and 14. Amounts are minor units; the tolerance is 500.
"""

import random
from dataclasses import replace
from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.conditions import Const, Op, Test
from rules.escalation import INPUTS, OUTPUTS, Bound, Move, Plan, PlanStep, Settled, Wait, settle, settle_columns

STANDARD = (
    PlanStep("s-m10", 0, -10, "standard", 0),
    PlanStep("s-m3", 0, -3, "standard", 1),
    PlanStep("s-p4", 1, 4, "standard", 2),
    PlanStep("s-p7", 2, 7, "standard", 3),
    PlanStep("s-p14", 3, 14, "standard", 4),
)
RISKY = (
    PlanStep("r-m8", 0, -8, "risky", 0),
    PlanStep("r-p3", 1, 3, "risky", 1),
    PlanStep("r-p7", 2, 7, "risky", 2),
)
PLAN = Plan(
    steps=(*STANDARD, *RISKY),
    scenarios=frozenset({"standard", "risky", "quiet"}),
    tolerance=Bound(500, {"risky": 100}),
    minimum=Bound(1_000),
    minimum_days=Bound(3),
)
CATCHING_UP = Plan(steps=STANDARD, tolerance=Bound(500), catch_up=True)
RESTARTING = Plan(steps=STANDARD, tolerance=Bound(500), after_leader_paid="restart")


def rules_that_hold(row: dict[str, Any], plan: Plan) -> frozenset[str]:
    """What the rules compiled from the scenarios say, written out once more."""
    days, net, leader = row["leader_days_past_due"], row["overdue_net_minor"], row["leader_open_minor"]
    if days is None or net is None:
        return frozenset()
    tolerance, minimum = plan.tolerance.of(row["segment"]), plan.minimum.of(row["segment"])

    def holds(step: PlanStep) -> bool:
        if step.days < 0:
            return step.days <= days <= -1 and leader > tolerance and leader >= minimum
        meant = step.when is None or net >= 1_000
        return step.has_come(row, stood) and meant and net > tolerance and net >= minimum

    same = row["episode_open"] and row["same_leader"]
    stood = plan.stood(row["previous_level"] or 0, row["previous_step"])[0]
    stood = stood if same or plan.after_leader_paid == "resume" else 0
    return frozenset(step.key for step in plan.scenario_of(row) if holds(step))


def customer(days: int | None, **facts: Any) -> dict[str, Any]:
    """A customer of the standard segment who owes 50.00, with an open episode of the same leader."""
    late = days is not None and days > 0
    row: dict[str, Any] = dict.fromkeys(INPUTS)
    row |= {
        "segment": "standard",
        "dunning_block": False,
        "insolvent": False,
        "handed_over": False,
        "raised_today": False,
    }
    row |= {"promised_minor": 0, "disputed_minor": 0, "previous_level": 0, "step_finished": True}
    row |= {"episode_open": True, "same_leader": True, "leader_days_past_due": days}
    row |= {"leader_open_minor": None if days is None else 5_000, "overdue_net_minor": 5_000 if late else 0}
    return row | facts


def decide(row: dict[str, Any], plan: Plan = PLAN) -> Settled:
    """Settle by both forms and hold them equal on the way."""
    matched = rules_that_hold(row, plan)
    settled = settle(row, matched, plan)
    assert in_columns([row], [matched], plan) == [settled]
    return settled


def frame_of(
    rows: list[dict[str, Any]], matched: list[frozenset[str]], plan: Plan
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Rows with a boolean per rule, and the names of those columns."""
    types = dict.fromkeys(INPUTS, pl.Int64)
    types |= dict.fromkeys(("segment", "previous_step", "override_scenario"), pl.String)
    claims = (
        "dunning_block",
        "insolvent",
        "handed_over",
        "episode_open",
        "same_leader",
        "step_finished",
        "raised_today",
    )
    claims += ("promise_broken",)
    types |= dict.fromkeys(claims, pl.Boolean)
    holds = {step.key: f"rule_{index}" for index, step in enumerate(plan.steps)}
    columns = {name: pl.Series([row[name] for row in rows], dtype=kind) for name, kind in types.items()}
    columns |= {name: pl.Series([key in keys for keys in matched], dtype=pl.Boolean) for key, name in holds.items()}
    return pl.DataFrame(columns), holds


def in_columns(rows: list[dict[str, Any]], matched: list[frozenset[str]], plan: Plan) -> list[Settled]:
    """Settle a frame of rows."""
    rows_frame, holds = frame_of(rows, matched, plan)
    frame = settle_columns(nw.from_native(rows_frame.lazy()), holds, plan)
    found = frame.select(*OUTPUTS).to_native().collect()
    assert found.schema == {
        "level": pl.Int64,
        "step": pl.String,
        "waiting": pl.String,
        "enters_step": pl.Boolean,
        "episode_move": pl.String,
    }
    return [Settled(r[0], r[1], Wait(r[2]), r[3], Move(r[4])) for r in found.iter_rows()]


# --- a broken promise ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "waiting", "enters"),
    [
        ({}, Wait.NONE, True),
        ({"promise_broken": False}, Wait.NONE, False),
        ({"promise_broken": None}, Wait.NONE, False),
        ({"raised_today": True}, Wait.RAISED_TODAY, False),
        ({"step_finished": False}, Wait.STEP_OPEN, False),
        ({"days_since_contact": 2}, Wait.MIN_DAYS, False),
        ({"days_since_contact": 3}, Wait.NONE, True),
        ({"dunning_block": True}, Wait.DUNNING_BLOCK, False),
        ({"overdue_net_minor": 999}, Wait.NONE, False),  # below the minimum its rule does not hold
        ({"previous_step": "r-p7"}, Wait.NONE, False),  # a step of another scenario is not repeated
    ],
)
def test_after_a_broken_promise_the_step_comes_again(facts: dict[str, Any], waiting: Wait, enters: bool) -> None:
    """At level 2, six days before level 3: the same step begins once more, unless something holds it back."""
    row = customer(8, previous_level=2, previous_step="s-p7", promise_broken=True) | facts
    assert decide(row) == Settled(2, row["previous_step"], waiting, enters, Move.SAME)


def test_a_higher_step_that_is_due_goes_before_the_repeated_one() -> None:
    """On day 14 the next level has come: it is sent, not both."""
    row = customer(14, previous_level=2, previous_step="s-p7", promise_broken=True)
    assert decide(row) == Settled(3, "s-p14", Wait.NONE, True, Move.SAME)


# --- before the due date ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "step"),
    [(-11, None), (-10, "s-m10"), (-9, "s-m10"), (-4, "s-m10"), (-3, "s-m3"), (-1, "s-m3"), (0, None), (1, None)],
)
def test_a_step_before_the_due_date_begins_on_its_day_and_never_on_the_due_date(days: int, step: str | None) -> None:
    """A leader that just appeared: below, at and above each edge."""
    settled = decide(customer(days, episode_open=False, same_leader=False))
    assert (settled.level, settled.step, settled.enters_step) == (0, step, step is not None)
    assert settled.episode_move is Move.OPEN


def test_a_step_before_the_due_date_is_entered_once_and_goes_on_until_the_next() -> None:
    """Day -10 sends; days -9 to -4 stand still; day -3 sends the next."""
    assert decide(customer(-9, previous_step="s-m10")) == Settled(0, "s-m10", Wait.NONE, False, Move.SAME)
    assert decide(customer(-4, previous_step="s-m10")).enters_step is False
    assert decide(customer(-3, previous_step="s-m10")) == Settled(0, "s-m3", Wait.NONE, True, Move.SAME)


@pytest.mark.parametrize(("days", "step"), [(-1, "s-m3"), (0, None), (1, None), (3, None)])
def test_a_step_before_the_due_date_lapses_on_the_due_date(days: int, step: str | None) -> None:
    """Nobody is reminded of a due date that has come; the episode stays open."""
    assert decide(customer(days, previous_step="s-m3")) == Settled(0, step, Wait.NONE, False, Move.SAME)


def test_a_new_leader_before_due_is_a_new_episode_with_its_own_reminder() -> None:
    """The first invoice is paid in time; the next one is announced like the first."""
    settled = decide(customer(-8, previous_step="s-m10", same_leader=False))
    assert settled == Settled(0, "s-m10", Wait.NONE, True, Move.REOPEN)


def test_a_change_of_segment_before_due_repeats_no_reminder() -> None:
    """Only a step later than the one received may follow."""
    to_risky = customer(-8, segment="risky", previous_step="s-m10")
    assert decide(to_risky).step == "r-m8"
    back = customer(-7, previous_step="r-m8")
    assert decide(back) == Settled(0, "r-m8", Wait.NONE, False, Move.SAME)
    assert decide(customer(-3, previous_step="r-m8")).step == "s-m3"


def test_minimum_days_delay_a_step_before_due_within_its_time() -> None:
    """Contacted 2, 3 and 4 days ago with 3 days between contacts."""
    waits = decide(customer(-10, days_since_contact=2))
    assert waits == Settled(0, None, Wait.MIN_DAYS, False, Move.SAME)
    assert decide(customer(-9, days_since_contact=3)).step == "s-m10"
    assert decide(customer(-9, days_since_contact=4)).step == "s-m10"


# --- going up -------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "level"), [(3, 0), (4, 1), (5, 1)])
def test_level_one_begins_on_day_four(days: int, level: int) -> None:
    """Below, at and above the day of the first step."""
    settled = decide(customer(days))
    assert (settled.level, settled.step) == (level, "s-p4" if level else None)
    assert settled.enters_step is (level == 1)


def test_one_level_up_a_day_however_late() -> None:
    """A customer found 90 days late climbs 1, 2, 3 on three days and then stands."""
    row = customer(90)
    seen = []
    for _ in range(4):
        settled = decide(row)
        seen.append((settled.level, settled.step, settled.enters_step))
        row |= {"previous_level": settled.level, "previous_step": settled.step}
    assert seen == [(1, "s-p4", True), (2, "s-p7", True), (3, "s-p14", True), (3, "s-p14", False)]


def test_catch_up_takes_the_most_severe_level_at_once() -> None:
    """From 0 to 3; on day 8 from 0 to 2."""
    assert decide(customer(90), CATCHING_UP) == Settled(3, "s-p14", Wait.NONE, True, Move.SAME)
    assert decide(customer(8), CATCHING_UP).step == "s-p7"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"dunning_block": True}, Wait.DUNNING_BLOCK),
        ({"insolvent": True}, Wait.INSOLVENT),
        ({"handed_over": True}, Wait.HANDED_OVER),
        ({"raised_today": True}, Wait.RAISED_TODAY),
        ({"step_finished": False}, Wait.STEP_OPEN),
        ({"overdue_net_minor": 999}, Wait.MINIMUM),
        ({"days_since_contact": 2}, Wait.MIN_DAYS),
        ({"days_since_contact": 0}, Wait.MIN_DAYS),
    ],
)
def test_what_holds_a_level_back_has_a_code_and_keeps_level_and_step(facts: dict[str, Any], code: Wait) -> None:
    """Day 7, level 1: level 2 is deserved."""
    row = customer(7, previous_level=1, previous_step="s-p4")
    assert decide(row | facts) == Settled(1, "s-p4", code, False, Move.SAME)
    assert decide(row) == Settled(2, "s-p7", Wait.NONE, True, Move.SAME)


@pytest.mark.parametrize(("net", "level", "code"), [(999, 0, Wait.MINIMUM), (1_000, 1, "none"), (1_001, 1, "none")])
def test_below_the_minimum_nothing_begins(net: int, level: int, code: str) -> None:
    """Below, at and above the minimum amount."""
    settled = decide(customer(4, overdue_net_minor=net))
    assert (settled.level, settled.waiting) == (level, code)


@pytest.mark.parametrize(("since", "level"), [(2, 0), (3, 1), (4, 1), (None, 1)])
def test_minimum_days_between_contacts(since: int | None, level: int) -> None:
    """Below, at and above; never contacted holds nothing back."""
    assert decide(customer(4, days_since_contact=since)).level == level


def test_a_policy_that_leaves_a_customer_alone_says_so() -> None:
    """The day has come, the amount is enough, and still no rule holds."""
    plan = Plan(steps=STANDARD, tolerance=Bound(500), excludes=True)
    row = customer(5)
    assert settle(row, frozenset(), plan).waiting is Wait.EXCLUDED
    assert in_columns([row], [frozenset()], plan)[0].waiting is Wait.EXCLUDED


def test_silence_before_any_step_is_due_needs_no_code() -> None:
    """Day 2: the next step simply has not come."""
    assert decide(customer(2)).waiting is Wait.NONE


# --- the end of an episode --------------------------------------------------------------------


@pytest.mark.parametrize(("net", "level"), [(499, 0), (500, 0), (501, 2)])
def test_the_episode_closes_when_net_overdue_is_within_tolerance(net: int, level: int) -> None:
    """Below, at and above the tolerance of 500."""
    settled = decide(customer(9, previous_level=2, previous_step="s-p7", overdue_net_minor=net))
    assert settled.level == level
    if level == 0:
        assert settled == Settled(0, None, Wait.WITHIN_TOLERANCE, False, Move.CLOSE)


def test_tolerance_may_differ_by_segment() -> None:
    """101 is nothing for a standard customer and something for a risky one."""
    owes = {"overdue_net_minor": 101, "previous_level": 1, "previous_step": "r-p3"}
    assert decide(customer(9, **owes)).episode_move is Move.CLOSE
    assert decide(customer(9, segment="risky", **owes)).episode_move is Move.SAME


def test_without_a_leader_the_episode_closes_or_never_opens() -> None:
    """Everything is paid."""
    gone = decide(customer(None, previous_level=2, previous_step="s-p7"))
    assert gone == Settled(0, None, Wait.NO_LEADER, False, Move.CLOSE)
    assert decide(customer(None, episode_open=False)).episode_move is Move.NONE


def test_a_late_line_within_tolerance_opens_nothing() -> None:
    """Ten cents do not begin an episode."""
    settled = decide(customer(30, episode_open=False, same_leader=False, overdue_net_minor=10))
    assert settled == Settled(0, None, Wait.WITHIN_TOLERANCE, False, Move.NONE)


@pytest.mark.parametrize(
    ("facts", "code"),
    [({"promised_minor": 5_000}, Wait.PROMISE), ({"disputed_minor": 5_000}, Wait.DISPUTE), ({}, Wait.PAUSE)],
)
def test_overdue_but_promised_disputed_or_paused_keeps_the_level(facts: dict[str, Any], code: Wait) -> None:
    """The leader is away, not paid: the episode stays, so that a broken promise goes on where it was."""
    row = customer(None, previous_level=2, previous_step="s-p7", overdue_net_minor=5_000) | facts
    assert decide(row) == Settled(2, "s-p7", code, False, Move.SAME)
    next_due = row | {"leader_days_past_due": -2, "leader_open_minor": 9_000, "same_leader": False}
    assert decide(next_due) == Settled(2, "s-p7", code, False, Move.SAME)


def test_unknown_money_changes_nothing() -> None:
    """A missing rate: level, step and episode stay as they were."""
    row = customer(20, previous_level=2, previous_step="s-p7", overdue_net_minor=None)
    assert decide(row) == Settled(2, "s-p7", Wait.UNKNOWN, False, Move.SAME)


# --- the leader is paid while others are late ---------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "step"),
    [(1, 0, None), (3, 0, None), (4, 1, "s-p4"), (7, 2, "s-p7"), (13, 2, "s-p7"), (20, 3, "s-p14")],
)
def test_resume_goes_on_at_what_the_next_leader_deserves_and_never_above(days: int, level: int, step: str) -> None:
    """From level 3: min(3, highest level whose rule holds)."""
    row = customer(days, same_leader=False, previous_level=3, previous_step="s-p14")
    assert decide(row) == Settled(level, step, Wait.NONE, False, Move.SAME)


def test_resume_may_go_up_from_where_it_resumes() -> None:
    """At level 1 the next leader is 20 days late: one level up, as on any day."""
    row = customer(20, same_leader=False, previous_level=1, previous_step="s-p4")
    assert decide(row) == Settled(2, "s-p7", Wait.NONE, True, Move.SAME)
    assert decide(row | {"step_finished": False}) == Settled(1, "s-p4", Wait.STEP_OPEN, False, Move.SAME)


def test_restart_begins_again_at_level_one() -> None:
    """The same episode, but its steps come again."""
    row = customer(20, same_leader=False, previous_level=3, previous_step="s-p14")
    assert decide(row, RESTARTING) == Settled(1, "s-p4", Wait.NONE, True, Move.SAME)
    assert decide(row | {"raised_today": True}, RESTARTING) == Settled(0, None, Wait.RAISED_TODAY, False, Move.SAME)


def test_the_next_leader_is_not_due_and_nothing_is_overdue() -> None:
    """The episode ends; the next begins before its due date."""
    row = customer(-10, same_leader=False, previous_level=3, previous_step="s-p14")
    assert decide(row) == Settled(0, "s-m10", Wait.NONE, True, Move.REOPEN)
    assert decide(row | {"leader_days_past_due": 0}) == Settled(0, None, Wait.NONE, False, Move.REOPEN)


# --- the segment changes -------------------------------------------------------------------------


def test_the_level_stays_when_the_segment_changes_and_the_next_step_is_the_new_scenarios() -> None:
    """Level 1 of standard; risky's level 2 comes on day 7."""
    row = customer(6, segment="risky", previous_level=1, previous_step="s-p4")
    assert decide(row) == Settled(1, "s-p4", Wait.NONE, False, Move.SAME)
    assert decide(row | {"leader_days_past_due": 7}) == Settled(2, "r-p7", Wait.NONE, True, Move.SAME)


def test_a_level_above_the_new_scenarios_highest_stays() -> None:
    """Level 3 in a scenario that ends at 2, and in one without steps."""
    for segment in ("risky", "quiet"):
        row = customer(40, segment=segment, previous_level=3, previous_step="s-p14")
        assert decide(row) == Settled(3, "s-p14", Wait.NONE, False, Move.SAME)


@pytest.mark.parametrize(("tied", "step"), [("risky", "r-p3"), ("standard", None), (None, None), ("quiet", None)])
def test_a_customer_follows_the_scenario_a_person_tied_it_to(tied: str | None, step: str | None) -> None:
    """Day 3: risky has a step, standard none yet, quiet never; the segment says standard."""
    assert decide(customer(3, override_scenario=tied)).step == step


@pytest.mark.parametrize("tied", ["none", "gone"])
@pytest.mark.parametrize("facts", [{}, {"previous_level": 1, "previous_step": "s-p4"}, {"leader_days_past_due": -10}])
def test_who_is_tied_to_no_scenario_is_left_alone_and_the_reason_is_a_code(tied: str, facts: dict[str, Any]) -> None:
    """The level stays; nothing begins, before or after the due date; a scenario there is no more counts as none."""
    settled = decide(customer(20) | facts | {"override_scenario": tied})
    assert settled.waiting is Wait.LEFT_ALONE
    assert (settled.level, settled.enters_step) == (facts.get("previous_level", 0), False)


# --- laws ------------------------------------------------------------------------------------------

near_steps = st.sampled_from([-11, -10, -9, -8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 13, 14, 15, 400])
claims = st.sampled_from([None, False, True])
amounts = st.sampled_from([None, 0, 99, 100, 101, 499, 500, 501, 999, 1_000, 1_001, 10**12])
keys = st.sampled_from([None, "s-m10", "s-m3", "s-p4", "s-p7", "s-p14", "r-m8", "r-p3", "t-after", "dropped"])
rows = st.fixed_dictionaries(
    {
        "leader_days_past_due": st.none() | near_steps,
        "leader_open_minor": amounts,
        "overdue_net_minor": amounts,
        "promised_minor": amounts,
        "disputed_minor": amounts,
        "days_since_contact": st.sampled_from([None, 0, 2, 3, 4]),
        "leader_month_end_days": st.sampled_from([None, -20, -1, 0, 1, 9, 10, 11]),
        "days_since_step_done": st.sampled_from([None, 0, 4, 5, 6]),
        "dunning_block": claims,
        "insolvent": claims,
        "handed_over": claims,
        "segment": st.sampled_from([None, "standard", "risky", "quiet", "timed", "other"]),
        "override_scenario": st.sampled_from([None, None, None, "standard", "timed", "none", "gone"]),
        "previous_level": st.sampled_from([None, 0, 0, 1, 2, 3, 9]),
        "previous_step": keys,
        "episode_open": claims,
        "same_leader": claims,
        "step_finished": claims,
        "raised_today": claims,
        "promise_broken": claims,
    }
)
FEW = Test("overdue_net_minor", Op.GE, Const(1_000))
TIMED = (  # a call five days after the step before, a mail at the end of the month, a letter to some five days after
    PlanStep("t-p4", 1, 4, "timed", 0),
    PlanStep("t-after", 2, 4, "timed", 1, after=5, follows=1),
    PlanStep("t-month", 3, 10, "timed", 2, at_month_end=True),
    PlanStep("t-some", 4, 10, "timed", 3, at_month_end=True, after=5, follows=3, when=FEW),
)
plans = st.builds(
    Plan,
    steps=st.just((*PLAN.steps, *TIMED)),
    scenarios=st.just(PLAN.scenarios | {"timed"}),
    tolerance=st.sampled_from([Bound(0), PLAN.tolerance]),
    minimum=st.sampled_from([Bound(0), PLAN.minimum, Bound(0, {"risky": 1_000})]),
    minimum_days=st.sampled_from([Bound(0), PLAN.minimum_days]),
    after_leader_paid=st.sampled_from(["resume", "restart"]),
    catch_up=st.booleans(),
    excludes=st.booleans(),
)


matches = st.frozensets(st.sampled_from([step.key for step in (*PLAN.steps, *TIMED)]))
renaming = st.builds(
    lambda plan, steps, levels: replace(plan, mapped_steps=steps, mapped_levels=levels),
    plans,
    st.sampled_from([{}, {"dropped": (2, "s-p7")}, {"dropped": (0, "s-m3")}, {"dropped": (1, "r-p3")}]),
    st.sampled_from([{}, {9: 3}, {9: 0}]),
)


@given(plan=renaming, row=rows)
def test_a_mapping_is_as_if_the_customer_had_stood_there(plan: Plan, row: dict[str, Any]) -> None:
    """Settling by a version that renamed a step is settling the renamed standing; unknown money keeps the old name."""
    matched = rules_that_hold(row | {"leader_open_minor": row["leader_open_minor"] or 0}, plan)
    level, step = plan.stood(row["previous_level"] or 0, row["previous_step"])
    if row["overdue_net_minor"] is not None:
        unnamed = replace(plan, mapped_steps={}, mapped_levels={})
        assert settle(row, matched, plan) == settle(
            row | {"previous_level": level, "previous_step": step}, matched, unnamed
        )
    else:
        assert settle(row, matched, plan).step == row["previous_step"]


@settings(max_examples=60, deadline=None)
@given(plan=renaming, cases=st.lists(st.tuples(rows, matches), min_size=20, max_size=60))
def test_columns_and_plain_function_settle_alike(
    plan: Plan, cases: list[tuple[dict[str, Any], frozenset[str]]]
) -> None:
    """Whatever the facts, and whichever rules hold, also sets no scenario would give."""
    expected = [settle(row, matched, plan) for row, matched in cases]
    assert in_columns([row for row, _ in cases], [matched for _, matched in cases], plan) == expected


@settings(max_examples=400, deadline=None)
@given(plan=plans, row=rows)
@example(plan=PLAN, row=customer(20, same_leader=False, previous_level=3))
def test_laws_of_settling(plan: Plan, row: dict[str, Any]) -> None:
    """No step begins while something holds it back; levels rise by one step, fall only with a new leader."""
    matched = rules_that_hold(row | {"leader_open_minor": row["leader_open_minor"] or 0}, plan)
    settled = settle(row, matched, plan)
    previous = row["previous_level"] or 0
    blocked = row["dunning_block"] or row["insolvent"] or row["handed_over"] or row["raised_today"]
    if settled.enters_step:
        assert not blocked
        assert settled.step in matched
        assert settled.waiting is Wait.NONE
    if settled.level > previous:
        assert settled.enters_step or row["overdue_net_minor"] is None
    if settled.level < previous and settled.episode_move is Move.SAME:
        assert not row["same_leader"]
    if settled.episode_move in (Move.CLOSE, Move.NONE) and row["overdue_net_minor"] is not None:
        assert (settled.level, settled.step) == (0, None)
    if settled.episode_move in (Move.OPEN, Move.REOPEN, Move.SAME):
        again = row | {"previous_level": settled.level, "previous_step": settled.step, "raised_today": True}
        again |= {"episode_open": True, "same_leader": row["leader_days_past_due"] is not None}
        second = settle(again, matched, plan)
        assert not second.enters_step
        if settled.waiting not in (Wait.PROMISE, Wait.DISPUTE, Wait.PAUSE):
            assert (second.level, second.step) == (settled.level, settled.step)


def test_duckdb_settles_like_polars() -> None:
    """The same expressions on another engine, over facts around every edge."""
    dice = random.Random(11)
    pools = {
        "leader_days_past_due": [None, -10, -9, -3, -1, 0, 1, 3, 4, 7, 14, 30],
        "leader_open_minor": [0, 500, 501, 5_000],
        "overdue_net_minor": [None, 0, 500, 501, 1_000, 5_000],
        "promised_minor": [0, 5_000],
        "disputed_minor": [0, 5_000],
        "days_since_contact": [None, 2, 3],
        "segment": [None, "standard", "risky", "quiet", "timed"],
        "previous_level": [None, 0, 1, 2, 3],
        "previous_step": [None, "s-m10", "s-p4", "r-m8", "t-after"],
        "override_scenario": [None, None, "timed", "none"],
        "leader_month_end_days": [None, 0, 9, 10],
        "days_since_step_done": [None, 4, 5],
    }
    plan = replace(PLAN, steps=(*PLAN.steps, *TIMED), scenarios=PLAN.scenarios | {"timed"})
    cases = [
        {name: dice.choice(pools.get(name, [None, False, True, True])) for name in INPUTS} | {"row": number}
        for number in range(400)
    ]
    matched = [rules_that_hold(row, plan) for row in cases]
    rows_frame, holds = frame_of(cases, matched, plan)
    table = rows_frame.with_columns(pl.Series("row", range(400))).to_arrow()
    with duckdb.connect() as connection:
        relation = connection.from_arrow(table)
        settled = settle_columns(nw.from_native(relation).lazy(), holds, plan).select("row", *OUTPUTS)
        found = settled.to_native().order('"row"').fetchall()
    expected = [settle(row, keys, plan) for row, keys in zip(cases, matched)]
    assert [Settled(r[1], r[2], Wait(r[3]), r[4], Move(r[5])) for r in found] == expected
