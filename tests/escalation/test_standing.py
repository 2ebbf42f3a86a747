"""A standing is a fold: decisions and contacts give it again, byte for byte.

Most stories drive ``settle`` and ``fold`` together day by day, as a run does.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.escalation import INPUTS, Bound, Move, Plan, PlanStep, settle
from rules.standing import Contacted, Event, Moved, Stand, action_key, event_of, fold, fold_all, kept_event

STEPS = (PlanStep("m10", 0, -10), PlanStep("p4", 1, 4), PlanStep("p7", 2, 7), PlanStep("p14", 3, 14))
AWAY = ("promise", "dispute", "pause", "unknown")


@dataclass
class Customer:
    """One customer whose lines are (id, due day), all of 50.00, decided day by day."""

    plan: Plan = field(default_factory=lambda: Plan(steps=STEPS))
    stand: Stand = field(default_factory=Stand)
    events: list[Event] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    waiting: str = ""

    def happens(self, event: Event) -> None:
        """Fold an event and remember it."""
        self.events.append(event)
        self.stand = fold(self.stand, event)

    def decide(self, day: int, lines: list[tuple[int, int]], promised: tuple[int, ...] = (), **facts: Any) -> None:
        """Run the decision of a day over the open lines."""
        net = 5_000 * sum(due < day for _, due in lines)
        free = sorted((due, line) for line, due in lines if line not in promised)
        due, line = free[0] if free else (None, None)
        days = None if due is None else day - due
        row: dict[str, Any] = dict.fromkeys(INPUTS)
        row |= {"leader_days_past_due": days, "overdue_net_minor": net, "leader_open_minor": 5_000}
        row |= {"promised_minor": 5_000 * len(promised), "previous_level": self.stand.level}
        row |= {"previous_step": self.stand.step_key, "episode_open": self.stand.open}
        row |= {"same_leader": line is not None and line == self.stand.leader_line_id}
        row |= {"raised_today": self.stand.since_day == day}
        last = self.stand.last_contact_day
        row |= {"days_since_contact": None if last is None else day - last} | facts
        holds = {
            step.key
            for step in self.plan.steps
            if days is not None and (step.days <= days <= -1 if step.days < 0 else days >= step.days and net > 0)
        }
        settled = settle(row, holds, self.plan)
        away = settled.waiting in AWAY
        self.waiting = settled.waiting
        self.happens(
            Moved(
                day=day,
                move=settled.episode_move.value,
                level=settled.level,
                step=settled.step,
                enters=settled.enters_step,
                leader_line_id=None if away else line,
                leader_due_day=None if away else due,
            )
        )
        if settled.enters_step:
            key = action_key(1, "escalation", self.stand, "email")
            assert key not in self.keys, "an action key is unique for ever"
            self.keys.append(key)


def test_one_invoice_from_reminder_to_payment() -> None:
    """Due on day 100, never paid until day 120: a mail on days 90, 104, 107 and 114."""
    customer = Customer()
    begun = {}
    for day in range(85, 120):
        customer.decide(day, [(1, 100)])
        begun.setdefault(tuple(customer.keys), day)
    assert list(begun.values())[1:] == [90, 104, 107, 114]
    assert customer.keys == [f"1/escalation/1/{step}/0/email" for step in ("m10", "p4", "p7", "p14")]
    customer.decide(120, [])
    assert (customer.stand.open, customer.stand.level, customer.stand.step_key) == (False, 0, None)
    assert customer.stand.episode == 1


def test_the_next_invoice_opens_the_next_episode_with_its_own_keys() -> None:
    """The first is paid before it is due; the second gets its reminder too."""
    customer = Customer()
    customer.decide(92, [(1, 100), (2, 110)])
    customer.decide(101, [(2, 110)])
    assert customer.keys == ["1/escalation/1/m10/0/email", "1/escalation/2/m10/0/email"]
    assert customer.stand.leader_line_id == 2


def test_deciding_a_day_again_begins_nothing() -> None:
    """The second decision of a day sees what the first did."""
    customer = Customer()
    for _ in range(3):
        customer.decide(130, [(1, 100)])
    assert customer.stand.level == 1
    assert len(customer.keys) == 1


def test_steps_come_again_after_the_episode_fell_back() -> None:
    """Resumed at level 1 for the next leader: levels 2 and 3 come again, under keys of their own."""
    customer = Customer()
    for day in (104, 107, 114):
        customer.decide(day, [(1, 100), (2, 111)])
    assert customer.stand.level == 3
    customer.decide(116, [(2, 111)])
    assert (customer.stand.level, customer.stand.repeat_no, customer.stand.episode) == (1, 1, 1)
    customer.decide(118, [(2, 111)])
    assert customer.keys[-1] == "1/escalation/1/p7/1/email"


@pytest.mark.parametrize("reached", [1, 2, 3])
def test_a_restart_sends_its_first_step_again(reached: int) -> None:
    """From any level, also from level 1 to level 1."""
    customer = Customer(plan=Plan(steps=STEPS, after_leader_paid="restart"))
    for day in range(114, 114 + reached):
        customer.decide(day, [(1, 100), (2, 101)])
    assert customer.stand.level == reached
    customer.decide(120, [(2, 101)])
    assert (customer.stand.level, customer.stand.repeat_no) == (1, 1)
    assert customer.keys[-1] == "1/escalation/1/p4/1/email"
    customer.decide(121, [(2, 101)])
    assert (customer.stand.level, customer.stand.repeat_no) == (2, 1)


def test_a_promise_keeps_level_and_anchor_until_it_is_broken() -> None:
    """Promised on day 108, broken on day 113; on day 114 the next level follows in the same episode."""
    customer = Customer()
    customer.decide(104, [(1, 100)])
    customer.decide(107, [(1, 100)])
    for day in range(108, 113):
        customer.decide(day, [(1, 100)], promised=(1,))
        assert (customer.stand.level, customer.waiting) == (2, "promise")
        assert customer.stand.leader_line_id == 1
    customer.decide(113, [(1, 100)])
    customer.decide(114, [(1, 100)])
    assert (customer.stand.episode, customer.stand.level, customer.stand.repeat_no) == (1, 3, 0)


def test_the_step_comes_again_under_its_own_key_when_a_promise_is_broken() -> None:
    """Promised on day 108, broken on day 110: the mail of level 2 once more, then level 3 as ever."""
    customer = Customer()
    customer.decide(104, [(1, 100)])
    customer.decide(107, [(1, 100)])
    customer.decide(108, [(1, 100)], promised=(1,))
    for _ in range(2):  # broken since the step of day 107, so not since the one of day 110
        customer.decide(110, [(1, 100)], promise_broken=(customer.stand.since_day or 0) <= 109)
    customer.decide(114, [(1, 100)])
    assert customer.keys[1:] == [f"1/escalation/1/{step}/email" for step in ("p7/0", "p7/1", "p14/1")]
    assert fold_all(customer.events).canonical() == customer.stand.canonical()


def test_minimum_days_count_from_the_last_contact_of_the_fold() -> None:
    """Mail of day 104 delivered on day 106; three days between contacts delay day 107's step to day 109."""
    customer = Customer(plan=Plan(steps=STEPS, minimum_days=Bound(3)))
    customer.decide(104, [(1, 100)])
    customer.happens(Contacted(day=106))
    levels = []
    for day in (107, 108, 109):
        customer.decide(day, [(1, 100)])
        levels.append(customer.stand.level)
    assert levels == [1, 1, 2]


def test_contacts_come_in_any_order() -> None:
    """A late report of an earlier contact changes nothing."""
    assert fold_all([Contacted(day=9), Contacted(day=5)]).last_contact_day == 9


def test_an_event_survives_its_decision() -> None:
    """Stored in a decision's changes and read again."""
    event = Moved(day=3, move="open", level=1, step="p4", enters=True, leader_line_id=5, leader_due_day=-1)
    assert event_of({"standing": kept_event(event)}, 3) == event
    assert event_of({}, 3) is None


def test_a_standing_is_read_from_a_row() -> None:
    """As columns of a frame; without one the customer stands nowhere yet."""
    stand = Stand(episode=2, open=True, level=1, step_key="p4")
    row = {f"at_{name}": getattr(stand, name) for name in Stand.__dataclass_fields__}
    assert Stand.of(row) == stand
    assert Stand.of({"at_episode": None}) == Stand()


days = st.integers(0, 50)
moves = st.builds(
    Moved,
    day=days,
    move=st.sampled_from([move.value for move in Move]),
    level=st.integers(0, 3),
    step=st.sampled_from([None, "m10", "p4", "p7"]),
    enters=st.booleans(),
    leader_line_id=st.none() | st.integers(1, 3),
    leader_due_day=st.none() | days,
)
histories = st.lists(moves | st.builds(Contacted, day=days), max_size=30)


@given(histories, st.integers(0, 30))
def test_rebuilding_equals_folding_as_it_happened(history: list[Event], stop: int) -> None:
    """Stored after any event and folded on, or rebuilt from the first: the same bytes."""
    stored = fold_all(history[:stop])
    row = {name: getattr(stored, name) for name in Stand.__dataclass_fields__}
    going_on = Stand.of(row, prefix="")
    for event in history[stop:]:
        going_on = fold(going_on, event)
    assert going_on.canonical() == fold_all(history).canonical()


@given(histories)
def test_episodes_count_up_and_contacts_never_go_back(history: list[Event]) -> None:
    """Episodes rise by one when one opens, and only then."""
    stand = Stand()
    for event in history:
        after = fold(stand, event)
        opens = isinstance(event, Moved) and event.move in ("open", "reopen")
        assert after.episode == stand.episode + opens
        assert (after.last_contact_day or -1) >= (stand.last_contact_day or -1)
        if opens:
            assert after.open
            assert after.repeat_no == 0
        stand = after


DUE = {1: 96, 2: 99, 3: 100, 4: 107, 5: 112}  # a line's due day never changes
lives = st.lists(
    st.tuples(st.sets(st.sampled_from(sorted(DUE))), st.sets(st.sampled_from(sorted(DUE)), max_size=2), st.booleans()),
    min_size=5,
    max_size=40,
)


@given(lives, st.sampled_from(["resume", "restart"]), st.booleans())
def test_no_life_makes_an_action_key_twice(life: list[Any], after_leader_paid: str, catch_up: bool) -> None:
    """Invoices come and go, are promised and paid: each step begun has a key of its own, one a day at most."""
    customer = Customer(plan=Plan(steps=STEPS, after_leader_paid=after_leader_paid, catch_up=catch_up))
    for day, (unpaid, promised, reached) in enumerate(life, 90):
        lines = [(line, DUE[line]) for line in sorted(unpaid)]
        before = len(customer.keys)
        customer.decide(day, lines, promised=tuple(promised))
        customer.decide(day, lines, promised=tuple(promised))
        assert len(customer.keys) - before <= 1
        if reached:
            customer.happens(Contacted(day=day))
    assert fold_all(customer.events).canonical() == customer.stand.canonical()


def test_a_mapped_standing_is_no_step_back_and_keeps_its_day() -> None:
    """Another name counts no repeat, even at a lower level; rising in the same decision counts from it."""
    stood = Stand(episode=2, open=True, level=3, step_key="p60", repeat_no=1, since_day=50)
    stays = Moved(day=60, move="same", level=1, step="p4", enters=False, mapped=(1, "p4"))
    assert fold(stood, stays) == Stand(episode=2, open=True, level=1, step_key="p4", repeat_no=1, since_day=50)
    rises = Moved(day=60, move="same", level=2, step="p14", enters=True, mapped=(1, "p4"))
    assert fold(stood, rises) == Stand(episode=2, open=True, level=2, step_key="p14", repeat_no=1, since_day=60)
    assert event_of({"standing": kept_event(rises)}, 60) == rises
    assert "mapped" not in kept_event(Moved(day=60, move="same", level=1, step="p4", enters=False))
