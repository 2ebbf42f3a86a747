"""Frames: one snapshot, exact types, both ways of reading, one customer like the portfolio."""

import subprocess
import sys
from dataclasses import replace

import pytest

from engine import frames, kept_frames
from engine.database import write_rows
from engine.differences import with_differences
from engine.pipeline import asking, decide_customer, decide_frame, decided_day, facts_frame, facts_of, read_facts
from engine.queries import questions
from engine.tables import Customer, CustomerGroup, Outcome, Standing

DAY = 20_543


@pytest.fixture
def ledger(books):
    """Three customers, two of them in a group; texts that are missing, a line without a due date."""
    group = CustomerGroup.create(code="g", name="Group", currency="EUR")
    first = books.customer("1", customer_group=group, country="DE")
    second = books.customer("2", customer_group=group)
    third = books.customer("3", terms_days=30)
    line = books.invoice(first, 50_000, DAY - 60, DAY - 40)
    books.payment(first, line, 20_000, DAY - 10)
    books.invoice(second, 70_000, DAY - 20, None)
    books.invoice(third, 1, DAY - 2, DAY + 28)
    Outcome.create(customer=first, entity_id=first.entity_id, segment="standard", run_id=1, as_of_day=DAY - 1)
    return [first, second, third]


def read(runtime, entity, policies):
    return frames.read_frames(runtime, entity, as_of_day=DAY, question=asking(runtime, entity, DAY).question)


def test_a_child_process_and_the_open_connection_read_the_same_frames(runtime, entity, ledger, policies, monkeypatch):
    """Columns, types and values do not depend on how many entries there are."""
    few = read(runtime, entity, policies)
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", 0)
    many = read(runtime, entity, policies)
    assert {n: f.collect_schema() for n, f in few.items()} == {n: f.collect_schema() for n, f in many.items()}
    for name, frame in few.items():
        assert sorted(map(repr, frames.rows_of(frame))) == sorted(map(repr, frames.rows_of(many[name]))), name
    for name, table in questions(asking(runtime, entity, DAY).question, runtime.database).items():
        assert [(c.name, c.dtype) for c in table.columns] == list(few[name].collect_schema().items())


def test_reading_leaves_later_commits_durable(runtime, entity, ledger, policies, monkeypatch):
    """Another process sees what is written after a large read: the log of the database is still the one in use."""
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", 0)
    read(runtime, entity, policies)
    Outcome.update(segment="key").execute()
    driver, place = "sqlite3", str(runtime.settings.database_path)
    if runtime.settings.on_postgresql:
        driver, place = "psycopg", runtime.settings.database
    script = (
        f"import {driver}, sys; c = {driver}.connect(sys.argv[1]); "
        "print(c.execute('select segment from outcome').fetchall()); c.close()"
    )
    seen = subprocess.run([sys.executable, "-c", script, place], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == "[('key',)]"


def test_texts_that_begin_with_many_nulls_are_read(runtime, entity, policies, monkeypatch):
    """Two thousand customers without a country, then one with: nothing fails and null stays null."""
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", 0)
    rows = [(entity.id, f"{i:06d}", "x", "DE" if i == 2_000 else None) for i in range(2_001)]
    columns = ("entity_id", "number", "name", "country", "language", "custom", "version")
    with runtime.database.atomic():
        write_rows(runtime.database, Customer, columns, [(*row, "en", "{}", 1) for row in rows])
    countries = [row["country"] for row in frames.rows_of(read(runtime, entity, policies)["customer"])]
    assert (countries.count(None), countries.count("DE")) == (2_000, 1)


def test_one_customer_has_the_facts_the_portfolio_gives_it(runtime, entity, ledger, policies):
    """Group exposure included, although only a few rows are read."""
    ask = asking(runtime, entity, DAY)
    whole = {row["customer_id"]: row for row in frames.rows_of(read_facts(runtime, ask))}
    for customer in ledger:
        (one,) = facts_of(runtime, ask, [customer.id])
        assert one == whole[customer.id]
        row, decided = decide_customer(runtime, customer.id, DAY)
        assert row == one
        assert decided.outcomes["segment"] == "standard"
    assert whole[ledger[0].id]["group_exposure_minor"] == 100_000


@pytest.mark.parametrize("begins", [False, True])
def test_a_plan_kept_ready_answers_for_any_day(runtime, entity, ledger, policies, begins):
    """Built once, it says of each day what a plan built for that day says: facts, decisions, differences, types."""
    runtime.forget()  # what other tests have built
    Standing.create(
        customer=ledger[0],
        entity_id=entity.id,
        policy_key="escalation",
        episode=1,
        open=True,
        since_day=DAY,
        leader_due_day=DAY - 40,
        next_day=DAY + 3,
        level=1,
        step_key="p4",
    )
    for day in (DAY - 41, DAY, DAY + 1, DAY + 3, DAY + 400):
        ask = replace(asking(runtime, entity, day), begins=begins)
        read = frames.read_frames(runtime, entity, as_of_day=day, question=ask.question)
        facts = frames.collected(facts_frame(read, ask))
        decided = with_differences(decide_frame(facts, ask.edition), ask.edition.book, day, begins)
        kept = read_facts(runtime, ask)
        assert kept.collect_schema() == facts.collect_schema()
        assert rows_by_customer(kept) == rows_by_customer(facts)
        again = decided_day(runtime, entity, ask.edition, day, begins, kept)
        assert rows_by_customer(again) == rows_by_customer(decided)
    assert len(runtime.cache["facts slots"]) == 1
    assert len(runtime.cache["decisions slots"]) == 1


def rows_by_customer(frame):
    """The rows of a frame in the order of customers."""
    return sorted(frames.rows_of(frame), key=lambda row: row["customer_id"])


def test_a_frame_is_named_by_its_schema_and_values_in_any_order(runtime):
    """The same rows in another order are the same frame; another value, null or type is another."""
    schema = {"customer_id": frames.nw.Int64, "country": frames.nw.String}
    rows = [{"customer_id": 1, "country": "DE"}, {"customer_id": 2}]
    name = kept_frames.store_frame(runtime, frames.from_rows(rows, schema))
    assert kept_frames.store_frame(runtime, frames.from_rows(rows[::-1], schema)) == name
    assert frames.rows_of(kept_frames.scan_frame(runtime, name.file)) == [
        {"country": "DE", "customer_id": 1},
        {"country": None, "customer_id": 2},
    ]
    for other in ([rows[0], {"customer_id": 2, "country": ""}], [{"customer_id": 1}, rows[1]], rows[:1]):
        assert kept_frames.store_frame(runtime, frames.from_rows(other, schema)).sha256 != name.sha256
    with pytest.raises(FileNotFoundError, match="not there any more"):
        kept_frames.scan_frame(runtime, "frames/none.parquet")


def test_at_most_a_thousand_customers_are_read_row_by_row(runtime, entity, policies):
    """The limit holds at the limit and refuses above it."""
    tables = questions(asking(runtime, entity, DAY).question, runtime.database)
    frames.read_rows(runtime, tables, range(frames.SMALL_READ))
    with pytest.raises(ValueError, match="at most 1000"):
        frames.read_rows(runtime, tables, range(frames.SMALL_READ + 1))


def test_facts_of_a_large_entity_are_those_of_a_small_one(runtime, entity, ledger, policies, monkeypatch):
    """Facts streamed from files are the facts a ready plan gives of rows, and the files are gone afterwards."""
    ask = asking(runtime, entity, DAY)
    few = read_facts(runtime, ask)
    monkeypatch.setattr(frames, "ROWS_BY_CURSOR", 0)
    many = read_facts(runtime, ask)
    assert dict(many.collect_schema()) == dict(few.collect_schema())
    assert rows_by_customer(many) == rows_by_customer(few)
    assert list(runtime.settings.var.glob("reading-*")) == []
