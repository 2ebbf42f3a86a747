"""Verify: what must always hold is rebuilt and compared; each planted fault is named with place and cure."""

import json
import shutil

import pytest

from engine import audit
from engine.decisions import OUTCOME_COLUMNS
from engine.runs import run_entity
from engine.tables import (
    TABLES,
    Alarm,
    Allocation,
    AuditEntry,
    Customer,
    Decision,
    Document,
    DueLine,
    Entity,
    ExchangeRate,
    Outcome,
    Reversal,
    Run,
    Standing,
    Verification,
)
from engine.tasks import sweep_now
from engine.verify import HEADS_FILE, latest, verify, verify_nightly
from engine.verify import report as reports

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

DAY = 20_543
DECIDED, DOCUMENTS = "outcomes and standings", "documents and editions"


@pytest.fixture
def decided(runtime, entity, books, policies, go_live):
    """Nine customers at steps of all kinds, an old debt paid in part, one in dollars; adopted, live, decided."""
    for late in (-10, -3, 0, 3, 4, 13, 14, 33, 90):
        customer = books.customer(f"{late}")
        books.payment(customer, books.invoice(customer, 50_000, DAY - 200, DAY + 1 - late), 20_000, DAY - 3)
    ExchangeRate.create(base="EUR", currency="USD", day=DAY, rate_e9=900_000_000, source="test", recorded_at=1)
    entity.currency = "USD"
    books.entity = entity
    books.invoice(customer, 10_001, DAY - 60, DAY - 40)
    entity.currency = "EUR"
    run_entity(runtime, entity, DAY)
    go_live(DAY)
    run_entity(runtime, Entity.get(), DAY + 1)
    return books


def open_triggers(runtime):
    """What somebody does first who changes rows behind the program's back; what closes them again."""
    if runtime.settings.on_postgresql:
        runtime.database.execute_sql("set session_replication_role = replica")
        return ["set session_replication_role = origin"]
    rows = runtime.database.execute_sql("select name, sql from sqlite_master where type = 'trigger'").fetchall()
    for name, _ in rows:
        runtime.database.execute_sql(f'drop trigger "{name}"')
    return [sql for _, sql in rows]


def behind(runtime, *statements):
    """Change rows behind the program's back; the triggers are there again afterwards."""
    triggers = open_triggers(runtime)
    for statement in statements:
        runtime.database.execute_sql(statement)
    for sql in triggers:
        runtime.database.execute_sql(sql)
    runtime.forget()


def findings(runtime):
    """Findings by check, each in one line."""
    return {check.name: [str(f) for f in check.findings] for check in verify(runtime).checks if check.found}


def test_where_all_is_well_nothing_is_found_and_everything_was_looked_at(runtime, decided):
    """Each check says how many it looked at; the result is kept, and the head of the audit chain."""
    report = verify(runtime)
    assert report.sound, report.values()
    looked = {check.name: check.checked for check in report.checks}
    assert looked == {
        "durability": 1,
        "schema": len(TABLES),
        "append-only triggers": 1,
        "database file": 1,
        "audit chain": audit.head()[0],
        "documents and editions": Document.select().count() + 1,
        "stored facts": 1,
        "allocations": 9,
        "balances of main": 10 + 9,  # currencies of customers, and stored fact rows
        DECIDED: 9,
        "decisions replayed": Decision.select().count(),
    }
    kept = Verification.get()
    assert (kept.night, kept.problems, kept.finished_at is not None) == (None, 0, True)
    assert {check["name"]: check["checked"] for check in json.loads(kept.checks)} == looked
    (line,) = (runtime.settings.var / HEADS_FILE).read_text().splitlines()
    assert (json.loads(line)["entries"], json.loads(line)["head"]) == audit.head()


FAULTS = [
    ("update due_line set amount_minor = 50001 where id = 2", "balances of main", "open_minor was 30000, is 30001"),
    ("update due_line set due_day = due_day + 400 where id = 9", "balances of main", "overdue_minor was"),
    ("update credit set amount_minor = 20100 where id = 3", "balances of main", "unapplied_minor was 0, is 100"),
    ("update due_line set currency = 'GBP' where id = 10", "balances of main", "facts of run 2"),
    ("update allocation set amount_minor = 20001 where id = 1", "allocations", "200.01 EUR is set against 200.00"),
    ("update allocation set amount_minor = 50001 where id = 1", "allocations", "500.01 EUR is set against 500.00"),
    ("update allocation set due_line_id = 2 where id = 1", "allocations", "of two customers or currencies"),
    ("update credit set currency = 'USD' where id = 1", "allocations", "of two customers or currencies"),
    ("update standing set level = 7 where customer_id = 9", DECIDED, "customer 9, standing in escalation: is"),
    ("delete from standing where customer_id = 9", DECIDED, "customer 9, standing in escalation: is missing"),
    (
        "insert into standing (customer_id, entity_id, line_id, policy_key, episode, open, level, repeat_no, "
        "waiting_for) values (9, 1, 0, 'other', 1, 1, 2, 0, '[]')",
        DECIDED,
        "no decision explains it",
    ),
    ("update outcome set segment = 'x' where customer_id = 9", DECIDED, "segment is 'x', decided was 'standard'"),
    ("delete from outcome where customer_id = 9", DECIDED, "outcomes of customer 9: are missing, although decided"),
    (
        "update decision set changes = replace(changes, '\"level\":1', '\"level\":2') where run_id = 2",
        "decisions replayed",
        "level was 2, replay gives 1",
    ),
    (
        "update decision set facts = replace(facts, '\"leader_days_past_due\":32', '\"leader_days_past_due\":29')",
        "decisions replayed",
        "hold was true, replay gives false",
    ),
    ("update decision set facts = '{' where id = 1", "decisions replayed", "decision 1 of customer 1: cannot be"),
    ("update document set body = replace(body, '30', '31') where stage = 'hold'", DOCUMENTS, "gives another sha256"),
    ("update edition set body = replace(body, 'main', 'niam')", DOCUMENTS, "its content gives another sha256"),
    ("update run set facts_sha256 = 'x' where id = 2", "stored facts", "its content gives another sha256"),
    ("update audit_entry set reason = 'x' where id = 2", "audit chain", "entry 2 was changed after it was written"),
    ("alter table import rename column rows_read to rows_raed", "schema", "table import: has no column rows_read"),
    ("drop trigger due_line_no_update", "append-only triggers", "trigger due_line_no_update: is missing"),
    ("pragma synchronous = normal", "durability", "synchronous is 1, must be 2"),
]  # fmt: skip


@pytest.mark.sqlite("a copy of the files is broken again and again; what finds the faults is the same SQL")
@pytest.mark.promise("B1")
def test_each_planted_fault_is_named_with_its_place(runtime, decided):
    """By the check whose matter it is; the result kept says so; no head is kept of it."""
    pristine = runtime.settings.var.with_name("pristine")
    runtime.close()
    shutil.copytree(runtime.settings.var, pristine)
    for statement, check, said in FAULTS:
        shutil.rmtree(runtime.settings.var)
        shutil.copytree(pristine, runtime.settings.var)
        if statement.startswith(("drop", "pragma")):
            runtime.database.execute_sql(statement)
        else:
            behind(runtime, statement)
        found = findings(runtime)
        assert any(said in line for line in found.get(check, ())), (statement, found)
        assert latest().problems == sum(len(lines) for lines in found.values()) > 0
        assert not (runtime.settings.var / HEADS_FILE).exists()
        runtime.close()


def test_facts_that_were_exchanged_or_lost_are_named(runtime, decided):
    """The frame of another run under the name of the last one; then none."""
    last = runtime.settings.var / str(Run.get_by_id(2).facts_file)
    shutil.copy(runtime.settings.var / str(Run.get_by_id(1).facts_file), last)
    assert "another sha256" in findings(runtime)["stored facts"][0]
    last.unlink()
    assert "is not there" in findings(runtime)["stored facts"][0]


@pytest.mark.promise("B5")
def test_what_came_after_the_run_is_no_finding(runtime, decided, clock):
    """A payment of the decided day recorded after its run: that customer is left out, the others are checked."""
    clock.advance(days=1, hours=4)
    customer, line = Customer.get_by_id(1), DueLine.get_by_id(1)
    books = decided
    credit = books.payment(customer, line, 100, DAY + 1)
    behind(runtime, f"update credit set recorded_at = {runtime.now_at()} where id = {credit.id}")
    report = verify(runtime)
    assert report.sound, report.values()
    assert {c.name: c.checked for c in report.checks}["balances of main"] == 10 + 8
    behind(runtime, "update due_line set amount_minor = 50001 where id = 2")
    assert "balances of main" in findings(runtime)


@pytest.mark.promise("H3")
def test_a_clock_that_was_set_back_after_the_run_makes_no_finding(runtime, decided):
    """What is recorded after the run at an earlier time by the clock is left out; what was there is checked."""
    run = Run.get_by_id(2)
    decided.payment(Customer.get_by_id(1), DueLine.get_by_id(1), 100, DAY + 1)
    earlier = run.started_at - 5 * 3_600_000_000
    behind(runtime, f"update credit set recorded_at = {earlier} where booked_day = {DAY + 1}")
    behind(runtime, f"update allocation set recorded_at = {earlier} where booked_day = {DAY + 1}")
    report = verify(runtime)
    assert report.sound, report.values()
    behind(runtime, "update due_line set amount_minor = 50001 where id = 2")
    assert "balances of main" in findings(runtime)


def test_an_allocation_taken_back_counts_no_more(runtime, decided):
    """Of two that exceed the invoice together, one is reversed."""
    first = Allocation.get_by_id(1)
    decided.payment(first.customer, first.due_line, 40_000, DAY + 2)
    assert "allocations" in findings(runtime)
    last = Allocation.select().order_by(Allocation.id.desc()).get()
    Reversal.create(
        entity_id=1, customer=first.customer, booked_day=DAY + 2, recorded_day=DAY + 2, recorded_at=1,
        target="allocation", target_id=last.id, reason="test",
    )  # fmt: skip
    assert findings(runtime) == {}


def test_a_finding_of_each_kind_is_counted_and_not_all_are_kept(runtime, decided, monkeypatch):
    """A hundred findings are shown of each check, all are counted."""
    monkeypatch.setattr(reports, "FINDINGS_MAX", 2)
    Standing.update(level=9).execute()
    check = next(check for check in verify(runtime).checks if check.name == DECIDED)
    assert (check.found, len(check.findings), check.checked) == (9, 2, 9)


def test_a_check_that_fails_does_not_hide_the_others(runtime, decided):
    """A table is gone and a standing is wrong: both are said."""
    Standing.update(level=9).where(Standing.customer == 9).execute()
    runtime.database.execute_sql("alter table allocation rename to gone")
    found = findings(runtime)
    assert "cannot be checked: " in found["allocations"][0]
    assert len(found[DECIDED]) == 1


# --- the head kept outside -------------------------------------------------------------


@pytest.mark.promise("F3")
def test_a_chain_rewritten_with_its_heads_is_shown_by_a_copy_kept_elsewhere(runtime, decided, tmp_path):
    """Changed, every later hash made to fit, the heads beside it too: only the copy kept elsewhere tells."""
    for number in range(5):
        audit.append(at=number, actor=None, command="X", subject_kind="x", subject_id=number, reason="honest")
    assert verify(runtime).sound
    heads = runtime.settings.var / HEADS_FILE
    elsewhere = tmp_path / "elsewhere.jsonl"
    shutil.copy(heads, elsewhere)
    behind(runtime, "update audit_entry set reason = 'forged' where id = 3")
    previous = AuditEntry.get_by_id(2).hash
    triggers = open_triggers(runtime)
    for entry in AuditEntry.select().where(AuditEntry.id >= 3).order_by(AuditEntry.id):
        digest = audit._hash(previous, {name: entry.__data__[name] for name in audit.SEALED})
        AuditEntry.update(previous_hash=previous, hash=digest).where(AuditEntry.id == entry.id).execute()
        previous = digest
    for sql in triggers:
        runtime.database.execute_sql(sql)
    said = f"entry {audit.head()[0]} is not the one whose hash was kept outside"
    assert said in findings(runtime)["audit chain"][0]
    heads.unlink()
    assert verify(runtime).sound  # the chain alone does not tell
    report = verify(runtime, elsewhere)
    assert [said in str(f) for check in report.checks for f in check.findings] == [True]


def test_heads_that_are_none_are_refused(runtime, decided, tmp_path):
    """A copy that cannot be read is an error with its line; the file beside the database is a finding."""
    other = tmp_path / "other.jsonl"
    other.write_text("{}\n")
    with pytest.raises(ValueError, match=r"other.jsonl, line 1: is no audit head; give a copy of audit-heads.jsonl"):
        verify(runtime, other)
    (runtime.settings.var / HEADS_FILE).write_text("noise\n")
    assert "line 1: is no audit head" in findings(runtime)["audit chain"][0]


# --- nightly ---------------------------------------------------------------------------


def at_hour(clock, runtime, hour):
    """Move the clock to an hour of the next day."""
    now = runtime.now()
    clock.advance(hours=(hour - now.hour) % 24 or 24, minutes=-now.minute)


def test_the_workers_verify_once_a_night(runtime, decided, clock):
    """Before three nothing; at three once, however often the sweep comes; the next night again."""
    at_hour(clock, runtime, 2)
    sweep_now(runtime)
    assert Verification.select().count() == 0
    at_hour(clock, runtime, 3)
    for _ in range(3):
        sweep_now(runtime)
    assert [(v.night, v.problems) for v in Verification] == [(runtime.today(), 0)]
    clock.advance(days=1)
    sweep_now(runtime)
    assert Verification.select().count() == 2
    assert Alarm.select().count() == 0


def test_a_finding_of_the_night_raises_one_alarm(runtime, decided, clock):
    """Until somebody has seen it."""
    Standing.update(level=9).where(Standing.customer == 9).execute()
    at_hour(clock, runtime, 4)
    for _ in range(2):
        assert not verify_nightly(runtime).sound
        clock.advance(days=1)
    (alarm,) = Alarm.select().where(Alarm.kind == "verify_failed")
    assert "found 1 problems, the first: customer 9, standing in escalation" in alarm.text


def test_a_verification_that_died_is_taken_over(runtime, decided, clock):
    """While it may be under way nobody else begins; after six hours another process does."""
    at_hour(clock, runtime, 3)
    Verification.create(night=runtime.today(), started_at=runtime.now_at())
    assert verify_nightly(runtime) is None
    assert latest() is None
    clock.advance(hours=6, seconds=1)
    assert verify_nightly(runtime).sound
    assert [(v.night, v.problems) for v in Verification] == [(runtime.today(), 0)]


def test_outcomes_are_no_part_of_the_fold(runtime, decided):
    """What verifying reads of a standing is what the fold gives, nothing of the cache beside it."""
    Standing.update(next_step="x", next_day=1, waiting_for='["cap"]').execute()
    Outcome.update(points=5).execute()
    assert "points" in OUTCOME_COLUMNS
    assert findings(runtime) == {}
    assert Document.select().where(Document.kind != "template").count() == 4
