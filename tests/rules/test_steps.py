"""What a step of a scenario can say: one timing, whom it is for, what goes with it; each refusal names its place."""

import copy
from datetime import date, timedelta
from itertools import pairwise

import pytest

from ledger.days import date_of, day_of, days_since_month_end, month_end
from rules.checks import check
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY
from rules.words import Voice, step_words

SHIPPED = {document["key"]: document for document in shipped()}
PARAMETERS, _ = parse_parameters(SHIPPED["parameters"])
COMMON = {"channel": "email", "template": "t"}


def escalation(*steps, **terms):
    """The shipped escalation with one scenario of some steps."""
    document = copy.deepcopy(SHIPPED["escalation"]) | {"cases": []}
    named = [{"key": f"k{index}", **COMMON, **step} for index, step in enumerate(steps)]
    document["escalation"] |= {"scenarios": {"standard": named}, **terms}
    return document


def refusals(*steps, **terms):
    """Place and words of everything wrong."""
    policy, problems = parse(escalation(*steps, **terms))
    if policy is not None:
        problems = check(policy, [PARAMETERS], DICTIONARY)
    errors = [problem for problem in problems if problem.severity == "error"]
    assert all(problem.cure for problem in errors)
    return [(problem.place.removeprefix("/escalation/scenarios/standard"), problem.what) for problem in errors]


@pytest.mark.parametrize(
    ("steps", "place", "word"),
    [
        ([{}], "/0", "has one timing, this one has none"),
        ([{"days": 4, "end_of_month": 30}], "/0", "days and end_of_month"),
        ([{"days": 4}, {"days": 9, "after_previous": 3}], "/1", "one timing"),
        ([{"after_previous": 3}], "/0/after_previous", "no step before it"),
        ([{"days": -5}, {"after_previous": 3}], "/1/after_previous", "after the due date before it"),
        ([{"end_of_month": 30}, {"days": 60}], "/1/days", "do not rise"),
        ([{"end_of_month": 30}, {"end_of_month": 30}], "/1/end_of_month", "may come before"),
        ([{"days": 31}, {"end_of_month": 30}], "/1/end_of_month", "may come before"),
        ([{"days": 4}, {"after_previous": 6}, {"days": 10}], "/2/days", "do not rise"),
        ([{"days": 4}, {"after_previous": 6}, {"end_of_month": 9}], "/2/end_of_month", "may come before"),
        ([{"end_of_month": -1}], "/0/end_of_month", "less than 0"),
        ([{"days": 1}, {"after_previous": 0}], "/1/after_previous", "less than 1"),
    ],
)
def test_the_time_of_a_step_is_one_and_never_before_that_of_the_step_it_stands_behind(steps, place, word):
    """Whatever day the leader is due: a month has 28 to 31 days."""
    assert any(where == place and word in what for where, what in refusals(*steps))


@pytest.mark.parametrize(
    "steps",
    [
        [{"end_of_month": 30}, {"days": 61}],
        [{"end_of_month": 30}, {"end_of_month": 31}],
        [{"days": 30}, {"end_of_month": 30}],
        [{"days": 4}, {"after_previous": 6}, {"days": 11}],
        [{"days": 4}, {"after_previous": 6}, {"end_of_month": 10}],
        [{"days": -5}, {"end_of_month": 0}, {"after_previous": 1}, {"after_previous": 1}],
    ],
)
def test_at_the_edge_of_rising_a_step_is_accepted(steps):
    """Each of these is one day more than what is refused above."""
    policy, problems = parse(escalation(*steps))
    assert (problems, policy is None) == ([], False)


@pytest.mark.parametrize(
    ("step", "place", "word"),
    [
        ({"channel": "call", "penalties": True}, "/0/penalties", "a call sends nothing"),
        ({"channel": "task", "otherwise": ["email"]}, "/0/otherwise", "a task sends nothing"),
        ({"channel": "call", "attach": ["statement"]}, "/0/attach", "a call sends nothing"),
        ({"channel": "sms", "attach": ["statement"]}, "/0/attach", "sms carries no document"),
        ({"otherwise": ["letter", "letter"]}, "/0/otherwise/1", "was tried before"),
        ({"otherwise": ["email"]}, "/0/otherwise/0", "was tried before"),
        ({"when": ["nothing", "==", True]}, "/0/when", "no fact 'nothing'"),
        ({"when": ["overdue_net_minor", ">=", {"param": "hold_set_bp"}]}, "/0/when", "is money"),
    ],
)
def test_what_a_step_asks_for_fits_its_channel(step, place, word):
    """Otherwise it would silently do nothing."""
    assert any(where == place and word in what for where, what in refusals({"days": 4, **step}))


def test_a_step_that_no_customer_can_reach_is_found():
    """Whom it is for contradicts itself, or the exception of the whole policy."""
    never = {"all": [["overdue_net_minor", ">", 100], ["overdue_net_minor", "<", 50]]}
    assert any("no row can ever meet this" in what for _, what in refusals({"days": 4, "when": never}))
    late = ["overdue_net_minor", ">", 0]
    assert any("no row can ever meet this" in what for _, what in refusals({"days": 4, "when": late}, unless=late))


def test_the_shipped_scenarios_are_those_of_the_field():
    """Days, channel and what goes with it: four scenarios, and one that leaves the insolvent alone."""
    steps = SHIPPED["escalation"]["escalation"]["scenarios"]
    days = {name: [(step["days"], step["channel"]) for step in found] for name, found in steps.items()}
    assert [day for day, _ in days["standard"]] == [-10, 4, 7, 14, 21, 28, 33, 43, 50]
    assert [day for day, _ in days["risky"]] == [-8, 3, 7, 13, 15, 20, 25, 35]
    assert [day for day, _ in days["key_account"]] == [-10, 5, 12, 20, 28, 38, 45, 60]
    assert [day for day, _ in days["public"]] == [-12, 3, 8, 18, 25, 32, 42, 60]
    registered = [step for found in steps.values() for step in found if step["channel"] == "letter"]
    assert {step["mode"] for step in registered} == {"confirm"}
    assert days["insolvent"] == []


def test_a_step_in_words():
    """Everything it says, in one line."""
    policy, _ = parse(
        escalation(
            {"days": 4},
            {"after_previous": 5, "otherwise": ["letter"], "penalties": True, "attach": ["statement", "invoices"],
             "when": ["overdue_net_minor", ">=", 50_000]},
            {"end_of_month": 60, "channel": "call"}, {"end_of_month": 70}, {"end_of_month": 71, "mode": "confirm"},
        )
    )  # fmt: skip
    words = [step_words(step, Voice()) for step in policy.escalation.steps()]
    assert words[1] == (
        "5 days after the step before: email t, without an address letter, level 2, automatic, "
        "with late interest and costs, with statement of account, invoices, "
        "only if Net overdue is at least 500.00 EUR"
    )
    assert words[2] == "at the end of the month 60 days after the due date: call t, level 3"
    assert words[4].endswith("a person confirms it")


# --- the end of a month ------------------------------------------------------------------


def last_of_month(on):
    """The last day of a date's month, by walking to it."""
    while (on + timedelta(days=1)).month == on.month:
        on += timedelta(days=1)
    return on


def test_month_ends_are_those_of_the_calendar():
    """Every day of 1999 to 2032, leap years among them; 2100 is none."""
    days = [*range(day_of(date(1999, 1, 1)), day_of(date(2033, 1, 1))), *range(day_of(date(2100, 2, 20)), 47_560)]
    for day in days:
        end = last_of_month(date_of(day))
        assert date_of(month_end(day)) == end
        before = max(one for one in (day_of(end), day_of(end.replace(day=1)) - 1) if one <= day)
        assert days_since_month_end(day) == day - before


@pytest.mark.parametrize("days", [0, 1, 28, 29, 30, 31, 45, 60])
def test_the_end_of_the_month_has_come_when_the_leader_was_due_long_enough_at_the_last_month_end(days):
    """One fact serves every such timing: due day, days and today through three years, a leap day among them."""
    first = date(2023, 11, 25)
    for due in (first + timedelta(days=n) for n in range(0, 130)):
        end = last_of_month(due + timedelta(days=days))
        for today in (end - timedelta(days=1), end, end + timedelta(days=1), end + timedelta(days=40)):
            at_month_end = (today - due).days - days_since_month_end(day_of(today))
            assert (at_month_end >= days) == (today >= end)


def test_rising_days_are_rising_month_ends():
    """The end of a month a day later is never an earlier one."""
    ends = [month_end(day) for day in range(19_000, 20_000)]
    assert all(one <= other for one, other in pairwise(ends))
