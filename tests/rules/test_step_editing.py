"""Scenarios being edited: steps stay in the order of their days, levels rise in that order, keys stay unique."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.documents import parse, shipped
from rules.editing import value_at
from rules.step_editing import (
    add_scenario,
    add_step,
    days_on_line,
    move_step,
    put_step,
    remove_scenario,
    rename_scenario,
    renew_key,
)

SHIPPED = next(document for document in shipped() if document["key"] == "escalation")
SCENARIOS = "/escalation/scenarios"
MESSAGE = {"channel": "email", "template": "reminder_1"}


def policy(*days: int, **levels: int) -> dict[str, Any]:
    """An escalation whose standard scenario has steps on some days; levels where they are given."""
    steps = [{"key": f"d{day}", "days": day, **MESSAGE} for day in days]
    for step in steps:
        if step["key"] in levels:
            step["level"] = levels[step["key"]]
    return {**SHIPPED, "cases": [], "escalation": {**SHIPPED["escalation"], "scenarios": {"standard": steps}}}


def edited(found: Any) -> dict[str, Any]:
    """The document of an edit that is not refused."""
    document, problems = found
    assert document is not None, problems
    return dict(document)


def levels_of(document: dict[str, Any], scenario: str = "standard") -> dict[str, int]:
    """What each step raises to, by its key."""
    found = parse(document)[0]
    assert found is not None
    assert found.escalation is not None
    return {step.key: step.level for step in found.escalation.scenarios[scenario]}


def keys(document: dict[str, Any], scenario: str = "standard") -> list[str]:
    """The steps of a scenario in their order."""
    return [step["key"] for step in document["escalation"]["scenarios"][scenario]]


def what(found: Any) -> str:
    """Why an edit is refused."""
    assert found[0] is None
    return str(found[1][0].what)


def test_a_step_moved_past_another_stands_behind_it_and_levels_follow_the_order() -> None:
    """Levels that were set go to the steps in their order; those that were not are counted anew."""
    plain = edited(move_step(policy(4, 7, 14), f"{SCENARIOS}/standard/0", 6))
    assert keys(plain) == ["d7", "d4", "d14"]
    assert levels_of(plain) == {"d7": 1, "d4": 2, "d14": 3}
    assert not any("level" in step for step in plain["escalation"]["scenarios"]["standard"])
    given_levels = policy(4, 7, 14, d4=2, d7=5, d14=9)
    assert levels_of(edited(move_step(given_levels, f"{SCENARIOS}/standard/0", 6))) == {"d7": 2, "d4": 5, "d14": 9}


@pytest.mark.parametrize(
    ("by", "day"),
    [(-1, 6), (1, 8), (-2, 5), (-3, 3), (-6, 1), (-7, -1), (-8, -1), (-9, -2), (7, 15), (6, 13)],
    ids=lambda number: str(number),
)
def test_a_step_goes_past_days_that_are_taken_and_past_the_due_date(by: int, day: int) -> None:
    """From the seventh day: 4 and 14 are taken, and no step stands on the due date itself."""
    moved = edited(move_step(policy(4, 7, 14), f"{SCENARIOS}/standard/1", by))
    assert {step["key"]: step["days"] for step in value_at(moved, f"{SCENARIOS}/standard")}["d7"] == day


def test_a_step_before_the_due_date_has_no_level_and_gets_one_behind_it() -> None:
    """Whichever way it goes; the others keep what they had."""
    explicit = policy(-10, 4, 7, d4=1, d7=2)
    late = edited(move_step(explicit, f"{SCENARIOS}/standard/0", 15))
    assert levels_of(late) == {"d4": 1, "d-10": 2, "d7": 3}
    early = edited(move_step(explicit, f"{SCENARIOS}/standard/1", -5))
    assert levels_of(early) == {"d-10": 0, "d4": 0, "d7": 2}


def test_a_day_that_is_typed_must_be_free() -> None:
    """The other step is named; a level that is typed is not overruled, but refused where it does not rise."""
    document = policy(4, 7)
    first = value_at(document, f"{SCENARIOS}/standard/0")
    assert "'d7' already stands at this day" in what(
        put_step(document, f"{SCENARIOS}/standard/0", {**first, "days": 7})
    )
    assert "do not rise" in what(put_step(document, f"{SCENARIOS}/standard/0", {**first, "level": 2, "days": 9}))
    assert edited(put_step(document, f"{SCENARIOS}/standard/0", first)) == document
    assert what(put_step(document, f"{SCENARIOS}/standard/9", first)) == "nothing stands here any more"
    assert what(move_step(document, f"{SCENARIOS}/standard/9", 1)) == "nothing stands here any more"


def chain() -> dict[str, Any]:
    """A first reminder, a call a week after it, a letter at a month's end."""
    document = policy(4, 60)
    steps = document["escalation"]["scenarios"]["standard"]
    steps[1:1] = [
        {"key": "call", "after_previous": 7, "channel": "call", "template": "call_first"},
        {"key": "letter", "end_of_month": 20, **MESSAGE},
    ]
    return document


def test_what_is_counted_from_a_step_goes_with_it() -> None:
    """And stays a week behind it; a step with a day of its own finds its place between."""
    moved = edited(move_step(chain(), f"{SCENARIOS}/standard/0", 70))
    assert keys(moved) == ["letter", "d60", "d4", "call"]
    assert days_on_line(value_at(moved, f"{SCENARIOS}/standard")) == [35, 60, 74, 81]
    between = edited(add_step(chain(), "standard", {"days": 6, **MESSAGE}))
    assert keys(between) == ["d4", "standard-p6", "call", "letter", "d60"]
    later = edited(move_step(chain(), f"{SCENARIOS}/standard/1", -30))
    assert value_at(later, f"{SCENARIOS}/standard/1")["after_previous"] == 1


def test_a_step_does_not_stand_where_a_months_end_may_come_before_or_after_it() -> None:
    """From 60 days, behind the end of the month of the 20th day: 51 is the first, and 20 the next before it."""
    place = f"{SCENARIOS}/standard/3"
    document = chain()
    assert {**value_at(edited(move_step(document, place, -9)), place)}["days"] == 51
    before = edited(move_step(document, place, -10))
    assert {step["key"]: step.get("days") for step in value_at(before, f"{SCENARIOS}/standard")}["d60"] == 20
    assert keys(before) == ["d4", "call", "d60", "letter"]
    assert (
        value_at(edited(move_step(document, f"{SCENARIOS}/standard/2", 9)), f"{SCENARIOS}/standard/2")["end_of_month"]
        == 29
    )
    typed = put_step(document, place, {**value_at(document, place), "days": 40})
    assert (typed[1][0].what, typed[1][0].place) == ("d60: the days of the steps do not rise", f"{place}/days")
    assert "give 51 or more" in typed[1][0].cure


def test_the_first_step_is_not_counted_from_one_before_it() -> None:
    """It says so, and nothing is changed."""
    document = chain()
    first = {name: value for name, value in value_at(document, f"{SCENARIOS}/standard/0").items() if name != "days"}
    assert "no step before it" in what(put_step(document, f"{SCENARIOS}/standard/0", {**first, "after_previous": 3}))


def test_a_new_step_takes_its_place_and_a_key_of_its_own() -> None:
    """Between others the levels behind it rise by one; at the end nothing else changes."""
    document = policy(4, 14, d4=1, d14=2)
    between = edited(add_step(document, "standard", {"days": 7, **MESSAGE}))
    assert keys(between) == ["d4", "standard-p7", "d14"]
    assert levels_of(between) == {"d4": 1, "standard-p7": 2, "d14": 3}
    again = edited(add_step(between, "standard", {"days": 21, "key": "d4", **MESSAGE}))
    assert keys(again)[-1] == "d4-2"
    assert value_at(again, f"{SCENARIOS}/standard/0") == value_at(document, f"{SCENARIOS}/standard/0")
    assert "no scenario 'nobody'" in what(add_step(document, "nobody", {"days": 7, **MESSAGE}))


def test_a_scenario_is_copied_with_keys_of_its_own() -> None:
    """Everything else of its steps is the same; the one it was copied from stays as it is."""
    copied = edited(add_scenario(SHIPPED, "Key accounts!", "standard"))
    scenarios = copied["escalation"]["scenarios"]
    assert keys(copied, "Key accounts!")[:2] == ["Key-accounts-m10", "Key-accounts-p4"]
    without = [[{**step, "key": ""} for step in scenarios[name]] for name in ("Key accounts!", "standard")]
    assert without[0] == without[1]
    assert scenarios["standard"] == SHIPPED["escalation"]["scenarios"]["standard"]
    assert keys(edited(add_scenario(SHIPPED, "empty")), "empty") == []
    assert "'risky' already" in what(add_scenario(SHIPPED, "risky", "standard"))
    assert "needs a name" in what(add_scenario(SHIPPED, ""))
    assert "no scenario 'nobody'" in what(add_scenario(SHIPPED, "x", "nobody"))


def test_a_scenario_is_renamed_in_its_place_and_the_standard_one_stays() -> None:
    """Steps keep their keys, since customers stand at them."""
    renamed = edited(rename_scenario(SHIPPED, "risky", "doubtful"))
    before, after = (list(one["escalation"]["scenarios"]) for one in (SHIPPED, renamed))
    assert [name.replace("risky", "doubtful") for name in before] == after
    assert keys(renamed, "doubtful") == keys(SHIPPED, "risky")
    assert edited(rename_scenario(SHIPPED, "risky", "risky")) == SHIPPED
    assert "risky" not in edited(remove_scenario(SHIPPED, "risky"))["escalation"]["scenarios"]
    for refused in (
        rename_scenario(SHIPPED, "standard", "x"),
        rename_scenario(SHIPPED, "risky", "standard"),
        rename_scenario(SHIPPED, "risky", ""),
        remove_scenario(SHIPPED, "standard"),
    ):
        assert what(refused)


def test_customers_go_along_with_a_step_under_another_key() -> None:
    """The old key leads to the new one, as do those that led to the old; cases that name the step follow."""
    document = edited(move_step(SHIPPED, f"{SCENARIOS}/standard/1", 4))
    once = edited(renew_key(document, f"{SCENARIOS}/standard/2"))
    assert keys(once)[1:3] == ["standard-p7", "standard-p8"]
    assert once["escalation"]["mapping"]["steps"] == {"standard-p4": "standard-p8"}
    assert not any(case.get("expect", {}).get("step") == "standard-p4" for case in once["cases"])
    twice = edited(renew_key(edited(move_step(once, f"{SCENARIOS}/standard/2", 1)), f"{SCENARIOS}/standard/2"))
    assert twice["escalation"]["mapping"]["steps"] == {"standard-p4": "standard-p9", "standard-p8": "standard-p9"}
    assert what(renew_key(document, f"{SCENARIOS}/standard/99")) == "nothing stands here any more"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_however_steps_are_moved_and_added_they_are_a_scenario(data: st.DataObject) -> None:
    """Days rise, levels rise, no step is lost, no key changes; what was given stays as it is."""
    document = policy(-10, 4, 7, 14, 30)
    for _ in range(data.draw(st.integers(1, 6))):
        name = "standard"
        steps, before = document["escalation"]["scenarios"][name], json.dumps(document)
        if steps and data.draw(st.booleans()):
            index = data.draw(st.integers(0, len(steps) - 1))
            changed = edited(move_step(document, f"{SCENARIOS}/{name}/{index}", data.draw(st.integers(-60, 60))))
            assert sorted(keys(changed, name)) == sorted(step["key"] for step in steps)
        else:
            day = data.draw(st.sampled_from([day for day in range(-30, 60) if day and day not in days_on_line(steps)]))
            changed = edited(add_step(document, name, {"days": day, **MESSAGE}))
            assert len(keys(changed, name)) == len(steps) + 1
        assert json.dumps(document) == before
        document = {**changed, "cases": []}
        days = days_on_line(document["escalation"]["scenarios"][name])
        assert days == sorted(set(days))
