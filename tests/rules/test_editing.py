"""Editing: whatever is done to a document leaves a document, and touches nothing beside its place."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import editing
from rules.documents import parse, shipped
from rules.editing import Edited, Patch, patch_of, patched, pointer, steps_of, value_at, within

DOCUMENTS = {document["key"]: document for document in shipped()}
POLICIES = [document for document in DOCUMENTS.values() if document["kind"] == "policy"]
TEST = ["overdue_net_minor", ">=", 5_000]


def edited(found: Edited) -> dict[str, Any]:
    """The document of an edit that is not refused."""
    document, problems = found
    assert document is not None, problems
    return document


def policy(**more: Any) -> dict[str, Any]:
    """A small policy with two rules of one group each."""
    rules = [
        {"key": "a", "priority": 10, "when": {"all": [TEST, ["insolvent", "==", False]]}, "then": {"segment": "x"}},
        {"key": "b", "priority": 20, "when": TEST, "then": {"segment": "y"}},
    ]
    base = {
        "format": 1, "kind": "policy", "key": "small", "name": "Small", "stage": "segmentation", "subject": "customer",
        "effective": {"from": "2026-01-01"}, "source": "here", "because": "a test", "hit": "first",
        "rules": rules, "otherwise": {"then": {"segment": "z"}}, "cases": [{"name": "one", "facts": {}}],
    }  # fmt: skip
    return {**base, **more}


def places_of(node: Any, steps: tuple[str | int, ...] = ()) -> list[str]:
    """Every place of a document."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [pointer(*steps), *(place for step, part in below for place in places_of(part, (*steps, step)))]


# --- laws -----------------------------------------------------------------------------------

values = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.sampled_from(["x", "segment", "==", "first", " odd "]),
    st.sampled_from([TEST, {"all": [TEST]}, {"not": TEST}, {"param": "hold_minimum"}, [], {}, {"segment": "x"}]),
)  # fmt: skip


@st.composite
def edits(draw: st.DrawFn, document: dict[str, Any]) -> Edited:
    """Any operation at any place, sensible or not."""
    places = places_of(document)
    place = draw(st.sampled_from([*places, "/rules/99", "/nothing", "/rules/0/when/all/-", "/otherwise/then/step"]))
    with_value = st.sampled_from((editing.put, editing.insert, editing.add_test)).map(
        lambda do: do(document, place, draw(values))
    )
    alone = st.sampled_from((editing.drop, editing.duplicate, editing.remove_test, editing.unwrap, editing.swap)).map(
        lambda do: do(document, place)
    )
    moved = st.integers(0, 3).map(lambda to: editing.move(document, place, to))
    wrapped = st.sampled_from(("all", "any", "not")).map(lambda word: editing.wrap(document, place, word))
    return draw(st.one_of(with_value, alone, moved, wrapped))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sequence_of_edits_leaves_a_document_or_is_refused(data: st.DataObject) -> None:
    """Refusals name a place and a cure; the way back from each edit is exact, and nothing given is changed."""
    document = data.draw(st.sampled_from([policy(), *POLICIES]))
    for _ in range(data.draw(st.integers(1, 6))):
        before = json.dumps(document)
        changed, problems = data.draw(edits(document))
        assert json.dumps(document) == before
        if changed is None:
            assert problems
            assert all(problem.what and problem.cure for problem in problems)
            continue
        assert parse(changed)[1] == []
        back = patch_of(changed, document)
        if back is not None:
            assert json.dumps(edited(patched(changed, back)), sort_keys=True) == json.dumps(document, sort_keys=True)
        document = changed


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_stands_elsewhere_stays_as_it_was(data: st.DataObject) -> None:
    """One place put: every other place says the same, in the same order."""
    document = data.draw(st.sampled_from(POLICIES))
    place = data.draw(st.sampled_from(places_of(document)[1:]))
    changed, _problems = editing.put(document, place, data.draw(values))
    if changed is None:
        return
    assert list(changed) == list(document)
    for other in places_of(document):
        if not other.startswith(place) and not place.startswith(other):
            assert value_at(changed, other) == value_at(document, other)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_a_patch_leads_from_any_document_to_any_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    """And there is none between equal ones."""
    patch = patch_of(one, other)
    assert (patch is None) == (one == other)
    if patch is not None:
        assert edited(patched(one, patch)) == other


def test_a_patch_is_small() -> None:
    """A removed rule is one rule; a changed number is one number."""
    document = DOCUMENTS["hold"]
    assert patch_of(edited(editing.drop(document, "/rules/3")), document) == Patch(
        "/rules", 3, 0, (document["rules"][3],)
    )
    changed = edited(editing.put(document, "/rules/3/priority", 33))
    assert patch_of(changed, document) == Patch("/rules/3/priority", None, 0, (30,))


def test_true_is_not_one() -> None:
    """A patch sees what Python calls equal and JSON does not."""
    one, other = policy(), policy(otherwise={"then": {"segment": True}})
    other_one = policy(otherwise={"then": {"segment": 1}})
    patch = patch_of(other, other_one)
    assert patch is not None
    assert edited(patched(other, patch))["otherwise"]["then"]["segment"] is not True
    assert one["otherwise"]["then"]["segment"] == "z"


# --- conditions -----------------------------------------------------------------------------


def when(document: dict[str, Any], index: int = 0) -> Any:
    """The condition of a rule."""
    return document["rules"][index]["when"]


def test_a_test_joins_a_group_or_stands_beside_a_single_one() -> None:
    """Into the group that is named; behind the test that is named; a lone test becomes one of two."""
    new = ["tenure_days", "<", 3]
    assert when(edited(editing.add_test(policy(), "/rules/0/when", new)))["all"][2] == new
    assert when(edited(editing.add_test(policy(), "/rules/0/when/all/0", new)))["all"][1] == new
    assert when(edited(editing.add_test(policy(), "/rules/1/when", new)), 1) == {"all": [TEST, new]}


def test_an_emptied_group_goes_with_its_last_test_and_a_rule_keeps_one() -> None:
    """Up through groups and negations; the last test of a rule is refused with a cure."""
    document = policy()
    document["rules"][0]["when"] = {"all": [TEST, {"not": {"any": [TEST]}}]}
    assert when(edited(editing.remove_test(document, "/rules/0/when/all/1/not/any/0"))) == {"all": [TEST]}
    changed, problems = editing.remove_test(policy(), "/rules/1/when")
    assert changed is None
    assert "at least one test" in problems[0].what
    one = edited(editing.remove_test(policy(), "/rules/0/when/all/0"))
    assert editing.remove_test(one, "/rules/0/when/all/0")[0] is None


@pytest.mark.parametrize("word", ["all", "any", "not"])
def test_wrapping_and_unwrapping_lead_back(word: str) -> None:
    """At the root, in a group."""
    for place in ("/rules/0/when", "/rules/0/when/all/1", "/rules/1/when"):
        assert edited(editing.unwrap(edited(editing.wrap(policy(), place, word)), place)) == policy()


def test_a_group_is_dissolved_into_the_group_around_it_only() -> None:
    """Several tests cannot stand where one condition is asked."""
    document = policy()
    document["rules"][0]["when"] = {"any": [{"all": [TEST, TEST]}, TEST]}
    assert when(edited(editing.unwrap(document, "/rules/0/when/any/0"))) == {"any": [TEST, TEST, TEST]}
    assert editing.unwrap(policy(), "/rules/0/when")[0] is None
    assert when(edited(editing.swap(policy(), "/rules/0/when"))) == {"any": when(policy())["all"]}


# --- rules and cases ------------------------------------------------------------------------


def test_a_moved_rule_takes_the_rank_of_its_new_position() -> None:
    """Positions keep their priorities; equal ones are numbered anew; where rank plays no part, nothing is."""
    moved = edited(editing.move(policy(), "/rules/1", 0))
    assert [(rule["key"], rule["priority"]) for rule in moved["rules"]] == [("b", 10), ("a", 20)]
    same = policy()
    for rule in same["rules"]:
        rule["priority"] = 5
    moved = edited(editing.move(same, "/rules/1", 0))
    assert [(rule["key"], rule["priority"]) for rule in moved["rules"]] == [("b", 10), ("a", 20)]
    scorecard = DOCUMENTS["scorecard"]
    moved = edited(editing.move(scorecard, "/rules/1", 0))
    assert sorted(map(repr, moved["rules"])) == sorted(map(repr, scorecard["rules"]))


def test_copies_and_new_parts_get_names_of_their_own() -> None:
    """The copy stands behind its original; a new rule is decided after all others."""
    copied = edited(editing.duplicate(policy(), "/rules/0"))
    assert [rule["key"] for rule in copied["rules"]] == ["a", "a-2", "b"]
    assert [case["name"] for case in edited(editing.duplicate(policy(), "/cases/0"))["cases"]] == ["one", "one-2"]
    added = edited(editing.add_rule(policy(), "New", "a", TEST, {"segment": "n"}))
    assert (added["rules"][-1]["key"], added["rules"][-1]["priority"]) == ("a-2", 30)
    both = edited(editing.add_cases(policy(), [{"name": "one", "facts": {}}, {"name": "two", "facts": {}}]))
    assert [case["name"] for case in both["cases"]] == ["one", "one-2", "two"]
    assert editing.duplicate(policy(), "/otherwise")[0] is None


def test_what_no_document_may_say_is_refused_with_its_place() -> None:
    """A key used twice, steps out of order, a band without a bound before the last."""
    for document, place, value, where in (
        (policy(), "/rules/1/key", "a", "/rules/1/key"),
        (
            DOCUMENTS["escalation"],
            "/escalation/scenarios/standard/1/days",
            400,
            "/escalation/scenarios/standard/2/days",
        ),
        (DOCUMENTS["scorecard"], "/bands/0/up_to", 10**6, "/bands/1/up_to"),
    ):
        changed, problems = editing.put(document, place, value)
        assert changed is None
        assert where in {problem.place for problem in problems}


@pytest.mark.parametrize("name", ["plain", "with/slash", "with~tilde", "~1"])
def test_pointers_name_any_step(name: str) -> None:
    """Slashes and tildes in a scenario's name are written as JSON pointers write them."""
    place = pointer("escalation", "scenarios", name, 0)
    assert steps_of(place) == ("escalation", "scenarios", name, "0")
    assert within(place) == (pointer("escalation", "scenarios", name), "0")
