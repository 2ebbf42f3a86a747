"""An override of the segment: the form offers, and the command accepts, what the policy in force gives."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.commands import Invalid
from engine.overrides import SetOverride, segments_in_force
from engine.runtime import Runtime
from engine.tables import Customer, Entity, Override

SEGMENTS = {"insolvent", "key_account", "new", "risky", "standard"}


def test_only_segments_of_the_policy_in_force_are_offered_and_taken(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """Each of them is taken; a word no rule knows is refused by name, whatever page it comes from."""
    one = Customer.get()
    browser = signed_in(people.manager)
    text = browser.get(f"/commands/SetOverride?customer={one.id}").text
    assert set(re.findall(r'value="([^"]+)" data-target="segment"', text)) == SEGMENTS
    assert set(segments_in_force(runtime, decided, runtime.today(decided))) == SEGMENTS
    values = {"customer": one.id, "target": "segment", "until_day": "2026-04-20", "reason": "agreed"}
    refused = browser.post("/commands/SetOverride", {**values, "value": "very important"})
    assert refused.status_code == 422
    assert "no segment of the policy in force" in refused.text
    assert Override.select().count() == 0
    for segment in SEGMENTS:
        assert browser.post("/commands/SetOverride", {**values, "value": segment}).status_code == 303


def test_without_a_policy_of_segments_there_is_none_to_give(
    runtime: Runtime, people: SimpleNamespace, customer: Customer
) -> None:
    """Nothing in force, nothing to choose from."""
    day = runtime.today(customer.entity)
    with pytest.raises(Invalid, match="no segment"):
        runtime.execute(
            SetOverride(
                actor=people.manager.id,
                reason="agreed",
                customer=customer.id,
                target="segment",
                value="standard",
                until_day=day + 1,
            )
        )


def test_the_page_draws_no_chart_of_nothing(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """Without an override a sentence stands in place of chart and table; the first one brings both."""
    browser = signed_in(people.manager)
    text = browser.get("/overrides/").text
    assert "No override in twelve months" in text
    assert "bars-chart" not in text
    class_ = {"target": "risk_class", "value": "E", "until_day": runtime.today(decided) + 9}
    runtime.execute(SetOverride(actor=people.manager.id, reason="their bank", customer=Customer.get().id, **class_))
    text = browser.get("/overrides/").text
    assert "No override in twelve months" not in text
    assert "bars-chart" in text


@pytest.mark.browser
def test_the_values_offered_follow_what_is_overridden(
    page_as: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Segments for a segment, classes for a class; nothing else beside them."""
    watched = page_as(people.manager)
    watched.goto(f"/commands/SetOverride?customer={Customer.get().id}")
    offered = "[...document.querySelectorAll('datalist option:not([disabled])')].map((o) => o.value)"
    watched.page.get_by_label("What", exact=True).select_option("segment")
    assert set(watched.page.evaluate(offered)) == SEGMENTS
    watched.page.get_by_label("What", exact=True).select_option("risk_class")
    assert set(watched.page.evaluate(offered)) == set("ABCDE")
    watched.page.get_by_label("What", exact=True).select_option("limit")
    assert watched.page.evaluate(offered) == []
    watched.check()
