"""The decision log: one JSON line per decision, in a stable order, by a schema, without personal data."""

import hashlib
import json
import tracemalloc
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine import decision_log
from engine.decision_log import decisions_between, log_lines
from engine.differences import STAGE_OUTCOMES
from engine.editions import edition_of
from engine.overrides import EndOverride, SetOverride
from engine.runs import run_entity
from engine.tables import Customer, Decision, Entity

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

DAY = 20_543
DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "decision-log.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def decided(runtime, entity, books, policies, go_live):
    """Three days of nine customers, each a little later than the one before."""
    for late in (-10, -3, 0, 3, 4, 13, 14, 33, 90):
        books.invoice(books.customer(f"{late}"), 50_000, DAY - 200, DAY - late)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    for day in (DAY, DAY + 1):
        run_entity(runtime, Entity.get(), day)
    return entity


def lines(runtime, first=DAY - 1, last=DAY + 1, **more):
    return [json.loads(line) for line in log_lines(runtime, decisions_between(first, last, **more))]


@pytest.mark.promise("D2")
def test_one_line_for_each_decision_in_the_order_of_day_and_id(runtime, decided):
    """Every field is what the decision's row says."""
    rows = list(Decision.select().order_by(Decision.as_of_day, Decision.id))
    found = lines(runtime)
    assert [line["id"] for line in found] == [row.id for row in rows]
    assert len(found) > 9
    for line, row in zip(found, rows, strict=True):
        changes = json.loads(row.changes)
        assert line["customer"] == row.customer.number
        assert (line["entity"], line["run"], line["edition"]) == ("main", row.run_id, row.edition)
        assert line["facts_sha256"] == hashlib.sha256(row.facts.encode()).hexdigest()
        assert line["confirmed_by"] == row.confirmed_by
        assert set(line["stages"]) == set(changes) & set(STAGE_OUTCOMES)
        for stage, said in line["stages"].items():
            assert said["matched"] == changes[stage]["rules"]
            assert (said["before"], said["after"]) == (changes[stage]["before"], changes[stage]["after"])
        assert line["standing"] == changes.get("standing")
        edition = edition_of(runtime, decided, row.edition, row.as_of_day)
        assert {stage: one["sha256"] for stage, one in line["policies"].items()} == edition.body["policies"]
        assert {stage: one["key"] for stage, one in line["policies"].items()} == {
            stage: one.policy.key for stage, one in edition.book.stages.items()
        }


def test_every_line_obeys_the_schema_and_every_field_is_described(runtime, decided):
    """The schema refuses what it does not know, so a new field must be written down first."""
    check = Draft202012Validator(SCHEMA)
    check.check_schema(SCHEMA)
    for line in lines(runtime):
        check.validate(line)
        assert not check.is_valid({**line, "more": 1})
    page = (DOCS / "decision-log.md").read_text(encoding="utf-8")
    assert [name for name in SCHEMA["properties"] if f"`{name}`" not in page] == []
    for stage, names in STAGE_OUTCOMES.items():
        assert set(SCHEMA["$defs"][f"outcomes_of_{stage}"]["properties"]) == set(names)


def test_the_same_days_give_the_same_bytes_and_pieces_join(runtime, decided, monkeypatch):
    """Whatever the size of a piece; both ends of the days are included; another entity has none."""
    whole = list(log_lines(runtime, decisions_between(DAY - 1, DAY + 1)))
    for size in (1, 2, len(whole) - 1, len(whole), len(whole) + 1):
        monkeypatch.setattr(decision_log, "BATCH", size)
        assert list(log_lines(runtime, decisions_between(DAY - 1, DAY + 1))) == whole
    parts = [line for day in (DAY - 1, DAY, DAY + 1) for line in log_lines(runtime, decisions_between(day, day))]
    assert parts == whole
    assert lines(runtime, DAY + 2, DAY + 9) == []
    other = Entity.create(code="other", name="Other", currency="EUR")
    assert lines(runtime, entity=other) == []


def test_overrides_stand_in_the_line_as_the_decision_read_them(runtime, decided, users, clock):
    """From its first day until it ends; by id, without its reason; ending it later changes no line of before."""
    one = Decision.select().where(Decision.as_of_day == DAY + 1).first().customer
    customer = Customer.get_by_id(one)
    clock.advance(days=2)
    now = runtime.today(decided)
    before = lines(runtime)
    assert all(line["overrides"] == [] for line in before)
    given = runtime.execute(
        SetOverride(
            actor=users.manager.id,
            reason="a secret between us",
            customer=customer.id,
            target="segment",
            value="key",
            until_day=now + 30,
        )
    )
    run_entity(runtime, Entity.get(), now)
    (line,) = [line for line in lines(runtime, now, now) if line["customer"] == customer.number]
    assert [(o["id"], o["target"], o["value"], o["by"]) for o in line["overrides"]] == [
        (given["override"], "segment", "key", users.manager.id)
    ]
    Draft202012Validator(SCHEMA).validate(line)
    runtime.execute(EndOverride(actor=users.manager.id, reason="over", override=given["override"]))
    after = [line for line in lines(runtime, now, now) if line["customer"] == customer.number]
    assert after[0] == line
    assert lines(runtime) == before


def test_no_line_holds_personal_data(runtime, decided, users):
    """Neither names of customers or users nor reasons: numbers, ids and hashes."""
    Customer.update(name="Canary & Sons").execute()
    text = "".join(log_lines(runtime, decisions_between(0, DAY + 9)))
    assert "Canary" not in text
    assert users.manager.name not in text
    assert users.manager.email not in text


def test_memory_does_not_grow_with_the_log(runtime, decided, monkeypatch):
    """A log of many pieces holds one piece at a time."""
    monkeypatch.setattr(decision_log, "BATCH", 50)
    rows = list(Decision.select().dicts())
    columns = [name for name in rows[0] if name != "id"]
    many = [{name: row[name] for name in columns} for row in rows] * (4_000 // len(rows))
    for start in range(0, len(many), 500):
        Decision.insert_many(many[start : start + 500]).execute()

    def peak(last):
        tracemalloc.start()
        count = sum(1 for _ in log_lines(runtime, decisions_between(DAY - 1, last)))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return count, highest

    sum(1 for _ in log_lines(runtime, decisions_between(DAY - 1, DAY + 1)))  # what is kept per process is there
    few, less = peak(DAY - 1)
    all_, more = peak(DAY + 1)
    assert all_ > few > 1_000
    assert more < less * 1.5 + 100_000
