"""Scorecards as bands x points: shift a bound, change points, split and merge, see gaps and overlaps."""

import copy
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.cell_words import Tongue
from rules.documents import canonical, parse, parse_parameters, shipped
from rules.scorecards import followed, merged, scorecard_of, split, with_bands
from rules.words import Voice

SHIPPED = {document["key"]: document for document in shipped()}
PARAMETERS = {one.name: one for one in parse_parameters(SHIPPED["parameters"])[0].parameters}
TONGUE = Tongue(Voice(parameters=PARAMETERS))


def card(document):
    """A policy as bands x points, and its characteristics by fact."""
    found = scorecard_of(document, TONGUE)
    return found, {one.column.name: one for one in found.characteristics}


def test_the_shipped_scorecard_is_bands():
    """Each fact with its bands, lowest first, both ends included; what compares two facts stays a rule."""
    document = SHIPPED["scorecard"]
    found, by_fact = card(document)
    assert [(band.low, band.high, band.points) for band in by_fact["score_bp"].bands] == [
        (2000, 3999, 12),
        (4000, 5999, 25),
        (6000, None, 35),
    ]
    assert [(band.low, band.high, band.points) for band in by_fact["leader_days_past_due"].bands] == [
        (31, 60, 10),
        (61, None, 20),
    ]
    assert by_fact["leader_days_past_due"].guard == (["overdue_net_minor", ">", {"param": "small_balance"}],)
    assert [(b.low, b.high) for b in by_fact["promises_broken_12m"].bands] == [(1, 1), (2, None)]
    assert by_fact["insolvent"].bands[0].words == "yes"
    assert by_fact["d90_over_minor"].bands[0].words == "> {Small balance}"
    assert [document["rules"][int(place.split("/")[-1])]["key"] for place in found.others] == [
        "worsening",
        "over-limit",
    ]
    assert all(not one.holes and not one.overlaps for one in by_fact.values() if one.column.name != "tenure_days")
    assert by_fact["tenure_days"].holes == ((365, 1824),)


def test_the_worklist_is_bands_too_and_a_segmentation_is_none():
    """Every stage that sums points; no other."""
    _found, by_fact = card(SHIPPED["worklist"])
    assert [band.points for band in by_fact["overdue_net_minor"].bands] == [10, 20, 35]
    assert scorecard_of(SHIPPED["segmentation"], TONGUE) is None


def test_bands_written_back_unchanged_change_nothing():
    """Byte for byte, for every characteristic of both shipped sums."""
    for key in ("scorecard", "worklist"):
        document = SHIPPED[key]
        found, _ = card(document)
        for one in found.characteristics:
            again, problems = with_bands(document, one, followed(one.bands, one.bands), found.outcome)
            assert problems == []
            assert canonical(again) == canonical(document)


@pytest.mark.parametrize(("end", "bounds"), [("high", (2000, 4499, 4500)), ("low", (2000, 4499, 4500))])
def test_a_shifted_bound_moves_both_bands(end, bounds):
    """Where two bands touch, the one follows the other, so that no gap opens."""
    document = SHIPPED["scorecard"]
    _found, by_fact = card(document)
    bands = list(by_fact["score_bp"].bands)
    if end == "high":
        bands[0] = replace(bands[0], high=4499)
    else:
        bands[1] = replace(bands[1], low=4500)
    changed, problems = with_bands(document, by_fact["score_bp"], followed(by_fact["score_bp"].bands, bands), "points")
    assert problems == []
    rules = {rule["key"]: rule["when"] for rule in changed["rules"]}
    assert rules["score-medium"] == ["score_bp", "between", [bounds[0], bounds[1]]]
    assert rules["score-raised"] == ["score_bp", "between", [bounds[2], 5999]]
    assert rules["score-high"] == ["score_bp", ">=", 6000]


def test_a_bound_keeps_its_operator():
    """Below 365 days stays "less than", one day further."""
    document = SHIPPED["scorecard"]
    _found, by_fact = card(document)
    bands = [replace(by_fact["tenure_days"].bands[0], high=399), by_fact["tenure_days"].bands[1]]
    changed, _ = with_bands(document, by_fact["tenure_days"], bands, "points")
    assert next(r["when"] for r in changed["rules"] if r["key"] == "young") == ["tenure_days", "<", 400]
    _found, by_fact = card(SHIPPED["scorecard"])
    bands = [by_fact["leader_days_past_due"].bands[0], replace(by_fact["leader_days_past_due"].bands[1], low=71)]
    bands = followed(by_fact["leader_days_past_due"].bands, bands)
    changed, _ = with_bands(document, by_fact["leader_days_past_due"], bands, "points")
    rules = {rule["key"]: rule["when"] for rule in changed["rules"]}
    assert rules["overdue-30"]["all"][0] == ["leader_days_past_due", "between", [31, 70]]
    assert rules["overdue-60"]["all"] == [["leader_days_past_due", ">", 70], document["rules"][8]["when"]["all"][1]]


def test_a_split_band_is_two_rules_and_a_merged_one_is_one():
    """The new rule stands beside the old one with a key of its own; merging takes it away again."""
    document = SHIPPED["scorecard"]
    _found, by_fact = card(document)
    cut, problems = with_bands(document, by_fact["score_bp"], split(by_fact["score_bp"], 1), "points")
    assert problems == []
    assert parse(cut)[1] == []
    assert len(cut["rules"]) == len(document["rules"]) + 1
    new = cut["rules"][2]
    assert (new["key"], new["when"], new["then"]) == (
        "score-raised-2",
        ["score_bp", "between", [5000, 5999]],
        {"points": 25},
    )
    assert cut["rules"][1]["when"] == ["score_bp", "between", [4000, 4999]]
    _found, again = card(cut)
    one, problems = with_bands(cut, again["score_bp"], merged(again["score_bp"], 1), "points")
    assert problems == []
    assert canonical(one) == canonical(document)


def test_gaps_and_overlaps_are_found():
    """One value below, at and above the place where two bands meet."""
    document = copy.deepcopy(SHIPPED["scorecard"])
    for low, holes, overlaps in [(6000, (), ()), (6001, ((6000, 6000),), ()), (5999, (), ((1, 2),))]:
        document["rules"][0]["when"][2] = low
        _found, by_fact = card(document)
        assert by_fact["score_bp"].holes == holes
        assert by_fact["score_bp"].overlaps == overlaps


def test_impossible_bands_are_refused_at_their_place():
    """An end before the beginning, no bound at all, no name."""
    document = SHIPPED["scorecard"]
    _found, by_fact = card(document)
    one = by_fact["score_bp"]
    for change, column in [({"high": 1999}, "high"), ({"low": None, "high": None}, "low"), ({"label": ""}, "label")]:
        bands = [replace(one.bands[0], **change), *one.bands[1:]]
        found, problems = with_bands(document, one, bands, "points")
        assert found is None
        assert [(problem.line, problem.column) for problem in problems] == [(0, column)]


@given(st.lists(st.integers(1, 9999), min_size=1, max_size=6, unique=True), st.data())
@settings(max_examples=60, deadline=None)
def test_splitting_and_merging_never_lose_a_value(cuts, data):
    """However bands are cut, each score gets the points of exactly one of them."""
    edges = [0, *sorted(cuts), 10_001]
    document = copy.deepcopy(SHIPPED["scorecard"]) | {"cases": []}
    document["rules"] = [
        {"key": f"b{i}", "when": ["score_bp", "between", [low, high - 1]], "then": {"points": i}}
        for i, (low, high) in enumerate(pairwise(edges))
    ]
    for _step in range(4):
        _found, by_fact = card(document)
        one = by_fact["score_bp"]
        number = data.draw(st.integers(0, len(one.bands) - 1))
        wide = one.bands[number].low < one.bands[number].high
        if wide and data.draw(st.booleans()):
            bands = split(one, number)
        elif number + 1 < len(one.bands):
            bands = merged(one, number)
        else:
            continue
        document, problems = with_bands(document, one, bands, "points")
        assert problems == []
        assert parse(document)[1] == []
    _found, by_fact = card(document)
    bands = by_fact["score_bp"].bands
    assert (bands[0].low, bands[-1].high) == (0, 10_000)
    assert by_fact["score_bp"].holes == by_fact["score_bp"].overlaps == ()
