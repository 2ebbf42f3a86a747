"""Thresholds: every number of the shipped documents can be found and changed, nothing else moves."""

import json

import pytest

from rules.documents import parse, parse_parameters, sha256_of, shipped
from rules.thresholds import threshold_at, thresholds_of, with_threshold

DOCUMENTS = {document["key"]: document for document in shipped()}


@pytest.mark.parametrize("key", DOCUMENTS)
def test_each_number_changes_alone(key: str) -> None:
    """One more at a place gives a readable document that differs in that number only."""
    document = DOCUMENTS[key]
    before = json.dumps(document)
    for threshold in thresholds_of(document):
        changed = with_threshold(document, threshold.place, threshold.value + 1, "2026-04-01")
        assert threshold_at(changed, threshold.place).value == threshold.value + 1
        others = {t.place: t.value for t in thresholds_of(changed) if t.place != threshold.place}
        assert others == {t.place: t.value for t in thresholds_of(document) if t.place != threshold.place}
        read, problems = parse_parameters(changed) if key == "parameters" else parse(changed)
        assert read is not None, problems
    assert json.dumps(document) == before


def test_a_parameter_keeps_its_history() -> None:
    """The new value holds from its day on; the day before still has the old one."""
    changed = with_threshold(DOCUMENTS["parameters"], "parameters/0/value", 900, "2026-04-01")
    parameters, _ = parse_parameters(changed)
    assert parameters is not None
    values = {(one["from"], one["value"]) for one in changed["parameters"][0]["values"]}
    assert values == {("2010-01-01", 500), ("2026-04-01", 900)}
    again = with_threshold(changed, "parameters/0/value", 700, "2026-03-01")
    assert [one["value"] for one in again["parameters"][0]["values"]] == [500, 700]


def test_setting_the_same_value_is_the_same_document() -> None:
    """The sha256 names the content, so a change to what was there is no change."""
    document = DOCUMENTS["segmentation"]
    threshold = thresholds_of(document)[0]
    assert sha256_of(with_threshold(document, threshold.place, threshold.value, "2026-01-01")) == sha256_of(document)


def test_an_unknown_place_is_refused() -> None:
    """A place that names no number changes nothing."""
    with pytest.raises(KeyError, match="rules/9"):
        with_threshold(DOCUMENTS["hold"], "rules/9/when/2", 1, "2026-01-01")
