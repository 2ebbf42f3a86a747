"""Stories of customers through scenarios, day by day: settled by the rules, folded into a standing, carried out.

What changes on the way -- the segment, the leader, the version of a scenario -- meets the rules of
semantics.md 4: the level stays, nothing comes twice, and minimum days hold.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger.days import days_since_month_end
from rules.book import Book
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY, empty_row
from rules.policies import iso_day
from rules.reference import decide
from rules.standing import Moved, Stand, fold

SHIPPED = {document["key"]: document for document in shipped()}
PARAMETERS, _ = parse_parameters(SHIPPED["parameters"])

DUE = 20_493  # 2026-02-09


def mail(key: str, **more: Any) -> dict[str, Any]:
    """One step."""
    return {"key": key, "channel": "email", "template": "reminder_1", **more}


@dataclass
class Customer:
    """Somebody who owes, and the days that pass for them.

    Args:
        terms: of the escalation, beside its scenarios.
        segment, tied: what chooses the scenario; may change on the way.
        leader: due day of the leader; another one is another line.
        lag_days: how long after a step began its message leaves.
        minimum_days: between two contacts.
    """

    scenarios: dict[str, list[dict[str, Any]]]
    terms: dict[str, Any] = field(default_factory=dict)
    segment: str = "standard"
    tied: str | None = None
    leader: int = DUE
    lag_days: int = 0
    minimum_days: int = 0
    net: int = 100_000
    stand: Stand = field(default_factory=Stand)
    sent: list[tuple[str, int]] = field(default_factory=list)
    waits: dict[int, str | None] = field(default_factory=dict)

    def book(self) -> Book:
        """The policy of today."""
        terms = {"tolerance": 500, "minimum": 0, "minimum_days": self.minimum_days, **self.terms}
        document = {**SHIPPED["escalation"], "cases": [], "escalation": {**terms, "scenarios": self.scenarios}}
        policy, problems = parse(document)
        assert (problems, policy is None, PARAMETERS is None) == ([], False, False)
        assert policy
        assert PARAMETERS
        return Book.build([policy], [PARAMETERS], DUE)

    def row(self, day: int) -> dict[str, Any]:
        """The facts of a day."""
        due, late = self.leader, day - self.leader
        done = None if not self.stand.step_key else max(0, day - (self.stand.since_day or day) - self.lag_days)
        pending = self.stand.step_key is not None and day < (self.stand.since_day or day) + self.lag_days
        last = None if not self.sent else day - DUE - self.sent[-1][1]
        return empty_row(DICTIONARY) | {
            "segment": self.segment,
            "override_segment": self.segment,
            "override_scenario": self.tied,
            "leader_days_past_due": late,
            "leader_month_end_days": late - days_since_month_end(day),
            "leader_open_minor": self.net,
            "overdue_net_minor": self.net if late > 0 else 0,
            "days_since_step_done": None if pending else done,
            "step_finished": not pending,
            "days_since_contact": last,
            "previous_level": self.stand.level,
            "previous_step": self.stand.step_key,
            "episode_open": self.stand.open,
            "same_leader": self.stand.leader_line_id == due,
            "raised_today": False,
        }

    def live(self, first: int, last: int) -> list[tuple[str, int]]:
        """Let days pass, counted from the first due day; what was sent in them, by step and day."""
        book, before = self.book(), len(self.sent)
        for day in range(DUE + first, DUE + last + 1):
            decided = decide(self.row(day), book)
            level, step = decided.outcomes["level"], decided.outcomes["step"]
            event = Moved(
                day=day,
                move=str(decided.episode_move),
                level=int(level or 0),
                step=None if step is None else str(step),
                enters=decided.enters_step,
                leader_line_id=self.leader,
                leader_due_day=self.leader,
            )
            self.stand = fold(self.stand, event)
            self.waits[day - DUE] = decided.waiting
            if decided.enters_step:
                self.sent.append((str(step), day - DUE))
        return self.sent[before:]


THREE = [mail("p4", days=4), mail("p14", days=14), mail("p33", days=33)]
RISKY = [mail("r3", days=3), mail("r7", days=7), mail("r15", days=15), mail("r25", days=25)]


@pytest.mark.parametrize(
    ("turned", "then"),
    [
        (5, [("r7", 7), ("r15", 15), ("r25", 25)]),  # level 1 stays; risky's level 2 is next
        (10, [("r7", 10), ("r15", 15), ("r25", 25)]),  # its day has come already: it begins on the day
        (20, [("r15", 20), ("r25", 25)]),  # level 2 was reached: the first above it, one a day
        (30, [("r15", 30), ("r25", 31)]),
    ],
)
def test_a_segment_that_changes_leaves_the_level_and_goes_on_with_the_new_scenario(
    turned: int, then: list[tuple[str, int]]
) -> None:
    """Next is the first step of the new scenario above the level reached whose time has come."""
    customer = Customer({"standard": THREE, "risky": RISKY})
    customer.live(0, turned - 1)
    customer.segment = "risky"
    assert customer.live(turned, 40) == then


def test_minimum_days_hold_when_the_segment_changes() -> None:
    """Written to on day 14: the new scenario's step of day 15 waits until day 21, and says why."""
    customer = Customer({"standard": THREE, "risky": RISKY}, minimum_days=7)
    customer.live(0, 14)
    customer.segment = "risky"
    assert customer.live(15, 40) == [("r15", 21), ("r25", 28)]
    assert {customer.waits[day] for day in range(15, 21)} == {"min_days"}


def test_a_tie_counts_at_once_and_its_end_goes_back_to_the_segment() -> None:
    """Tied to no scenario for a month, nothing is sent; then one level a day from where it stood."""
    customer = Customer({"standard": THREE})
    customer.live(0, 5)
    customer.tied = "none"
    assert customer.live(6, 36) == []
    assert {customer.waits[day] for day in range(6, 37)} == {"left_alone"}
    customer.tied = None
    assert customer.live(37, 40) == [("p14", 37), ("p33", 38)]


CHAIN = [mail("p4", days=4), mail("then", after_previous=6), mail("last", after_previous=6)]


def test_steps_after_the_step_before_follow_what_was_really_done() -> None:
    """Each message leaves two days after its step began; the next counts from there."""
    assert Customer({"standard": CHAIN}, lag_days=2).live(0, 40) == [("p4", 4), ("then", 12), ("last", 20)]


@pytest.mark.parametrize(
    ("after_leader_paid", "later_due", "then"),
    [
        ("resume", 5, [("last", 20)]),  # 15 days late as well: the level stays, and so does the clock of its step
        ("resume", 18, [("p4", 22), ("then", 28)]),  # not late enough for the first step: from the beginning
        ("restart", 5, [("p4", 20), ("then", 26), ("last", 32)]),  # from the beginning, each after the one before
    ],
)
def test_a_paid_leader_resumes_or_restarts_a_chain(
    after_leader_paid: str, later_due: int, then: list[tuple[str, int]]
) -> None:
    """On day 20 the first line is paid; level 2 was reached on day 10, and the next line is the leader."""
    customer = Customer({"standard": CHAIN}, {"after_leader_paid": after_leader_paid})
    assert customer.live(0, 15) == [("p4", 4), ("then", 10)]
    customer.leader = DUE + later_due
    assert customer.live(20, 33) == then


def test_catching_up_takes_the_most_severe_step_but_never_one_whose_forerunner_was_not_done() -> None:
    """Found 40 days late: the third of three days at once; of a chain its first, since the others wait for it."""
    assert Customer({"standard": THREE}, {"catch_up": True}).live(40, 50) == [("p33", 40)]
    assert Customer({"standard": CHAIN}, {"catch_up": True}).live(40, 60) == [("p4", 40), ("then", 46), ("last", 52)]


def test_a_step_meant_for_some_is_passed_by_the_others() -> None:
    """The call is for large amounts: the others get the letter when its time comes, counted from the mail."""
    some = mail("call", after_previous=5, when=["overdue_net_minor", ">=", 50_000])
    steps = [mail("p4", days=4), some, mail("letter", after_previous=7)]
    assert Customer({"standard": steps}).live(0, 30) == [("p4", 4), ("call", 9), ("letter", 16)]
    small = Customer({"standard": steps}, net=40_000)
    assert small.live(0, 30) == [("p4", 4), ("letter", 11)]


def test_silence_for_whom_a_step_is_not_meant_has_a_code() -> None:
    """The last step is for large amounts only."""
    steps = [mail("p4", days=4), mail("p14", days=14, when=["overdue_net_minor", ">=", 50_000])]
    customer = Customer({"standard": steps}, net=40_000)
    assert customer.live(0, 20) == [("p4", 4)]
    assert (customer.waits[13], customer.waits[14]) == ("none", "not_meant")


def test_the_end_of_the_month_after_thirty_days() -> None:
    """Due on 9 February: 11 March, so 31 March; due on 30 January: 1 March, so 31 March as well; leap years have 29."""
    steps = [mail("month", end_of_month=30)]
    assert Customer({"standard": steps}).live(0, 60) == [("month", 50)]
    assert Customer({"standard": steps}, leader=DUE - 10).live(0, 60) == [("month", 50)]
    leap = iso_day("2024-01-30")
    assert Customer({"standard": steps}, leader=leap - 1).live(leap - DUE, leap - DUE + 60) == [
        ("month", leap - DUE + 30)
    ]
