"""A mapping is data; what is wrong with one is said in full, with the place and the cure."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.mapping import RECORDS, parse

SAMPLES = sorted((Path(__file__).parents[2] / "samples" / "mappings").glob("*.json"))
GOOD = {
    "format": 1,
    "kind": "mapping",
    "key": "plain",
    "name": "Plain",
    "records": [
        {
            "kind": "invoice",
            "fields": {
                "customer": {"column": "Customer"},
                "number": {"column": "Number", "transform": [{"pad": 8}]},
                "invoiced_on": {"column": "Date"},
                "due_on": {"column": "Date", "transform": [{"add_days": 30}]},
                "amount": {"column": "Amount"},
                "currency": {"constant": "EUR"},
            },
        },
        {
            "kind": "payment",
            "settles": "invoice",
            "present_when": "Paid",
            "fields": {"booked_on": {"column": "Paid"}, "amount": {"column": "Amount"}},
        },
    ],
}


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.stem)
def test_shipped_mappings_are_good(file: Path) -> None:
    """Every mapping of samples/mappings parses, and is called by its key."""
    mapping, problems = parse(json.loads(file.read_text(encoding="utf-8")))
    assert problems == []
    assert mapping.key == file.stem


def test_columns_a_mapping_asks_for() -> None:
    """Each column once, in order of first use."""
    mapping, _ = parse(GOOD)
    assert mapping.columns() == ["Customer", "Number", "Date", "Amount", "Paid"]


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    part: Any = document
    for step in path[:-1]:
        part = part[step]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return document


INVOICE = ["records", 0]
FIELDS = [*INVOICE, "fields"]


@pytest.mark.parametrize(
    ("document", "place", "what"),
    [
        ([], "mapping", "not a JSON object"),
        (changed(["format"], 2), "mapping", "format 1"),
        (changed(["key"], ""), "key", "missing"),
        (changed(["surprise"], 1), "mapping", "unknown entry"),
        (changed(["file"], {"delimiter": "::"}), "file, delimiter", "is '::'"),
        (changed(["file"], {"encoding": "rot13"}), "file, encoding", "is 'rot13'"),
        (changed(["decimal_mark"], "'"), "decimal_mark", "is"),
        (changed(["date_formats"], ["%d"]), "date_formats", "no date format"),
        (changed(["ignored"], {"A": 1}), "ignored", "why"),
        (changed(["records"], []), "records", "list of 1 to 8"),
        (changed([*INVOICE, "kind"], "order"), "record 1", "no known kind"),
        (changed([*INVOICE, "fields"], []), "record 1 (invoice)", "no fields"),
        (changed([*INVOICE, "kind"], "credit_note"), "records", "settle an invoice"),
        (changed([*INVOICE, "settles"], "invoice"), "record 1 (invoice)", "cannot settle"),
        (changed([*INVOICE, "present_when"], 5), "record 1 (invoice)", "present_when"),
        (changed([*FIELDS, "amount"], ...), "record 1 (invoice), amount", "missing"),
        (changed([*FIELDS, "colour"], {"column": "C"}), "record 1 (invoice), colour", "is not a field"),
        (changed([*FIELDS, "amount"], {}), "record 1 (invoice), amount", "either"),
        (changed([*FIELDS, "amount"], {"column": "A", "constant": "1"}), "record 1 (invoice), amount", "either"),
        (changed([*FIELDS, "currency"], {"constant": "EURO"}), "record 1 (invoice), currency", "constant"),
        (changed([*FIELDS, "due_on"], {"constant": "31.12.2020"}), "record 1 (invoice), due_on", "constant"),
        (
            changed([*FIELDS, "amount"], {"column": "A", "transform": ["slug"]}),
            "record 1 (invoice), amount",
            "cannot be transformed",
        ),
        (
            changed([*FIELDS, "number"], {"column": "A", "transform": ["eval"]}),
            "record 1 (invoice), number",
            "unknown transformation",
        ),
        (
            changed([*FIELDS, "due_on"], {"column": "A", "transform": [{"add_days": 3651}]}),
            "record 1 (invoice), due_on",
            "number from -3650 to 3650",
        ),
        (
            changed([*FIELDS, "number"], {"column": "A", "date_formats": ["d/m/yyyy"]}),
            "record 1 (invoice), number",
            "no date",
        ),
        (
            changed(["records", 1, "fields", "currency"], {"constant": "EUR"}),
            "record 2 (payment), currency",
            "comes from the invoice",
        ),
    ],
)
def test_what_is_wrong_is_said(document: Any, place: str, what: str) -> None:
    """Each fault has its place, what it is and a cure; the mapping is not used."""
    mapping, problems = parse(document)
    assert mapping is None
    assert any(problem.place == place and what in problem.what for problem in problems), problems
    assert all(problem.cure for problem in problems)


def test_all_faults_at_once() -> None:
    """A person cures a mapping in one round."""
    document = changed([*FIELDS, "amount"], ...)
    document["decimal_mark"] = "x"
    document["file"] = {"delimiter": "x"}
    assert len(parse(document)[1]) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["column", "invoice", "slug"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "fields", "column", "constant", "transform", "amount"]), inner)
    ),
)


@given(JSON, st.sampled_from(["records", "file", "ignored", "date_formats", "decimal_mark", "name"]))
def test_no_document_raises(part: Any, name: str) -> None:
    """Any JSON gives a mapping or problems."""
    for document in (part, {**GOOD, name: part}, {**GOOD, "records": [part]}):
        mapping, problems = parse(document)
        assert (mapping is None) == bool(problems)


@pytest.mark.parametrize("kind", RECORDS)
def test_every_kind_of_record_can_be_mapped(kind: str) -> None:
    """A column for each field is a good mapping of any kind."""
    fields = {name: {"column": name} for name in RECORDS[kind]}
    mapping, problems = parse({**GOOD, "records": [{"kind": kind, "fields": fields}]})
    assert problems == []
    assert mapping is not None
