"""Durability: settings that hold, rows that cannot be changed, a chain that shows every tampering."""

import random

import pytest
from peewee import IntegrityError

from engine import audit, sqlite
from engine.database import APPEND_ONLY, WeakDatabase, missing_triggers, table_name
from engine.runtime import build
from engine.settings import Settings
from engine.tables import AuditEntry, Customer, DueLine
from engine.vault import Erased, Vault, WrongSecret

DAY = 20_543


@pytest.mark.sqlite("PostgreSQL has settings of its own")
def test_the_settings_that_make_commits_durable_are_checked_at_the_start(runtime, monkeypatch):
    """WAL, synchronous FULL, foreign keys; anything weaker and the program does not start."""
    assert runtime.database.weaknesses() == []
    runtime.close()
    for name, weaker in (("synchronous", 1), ("foreign_keys", 0)):
        monkeypatch.setattr(sqlite, "PRAGMAS", {**sqlite.PRAGMAS, name: weaker})
        with pytest.raises(WeakDatabase, match=f"{name} is {weaker}"):
            build(runtime.settings)
        monkeypatch.undo()


def test_every_append_only_table_refuses_update_and_delete(runtime, books, customer):
    """The database itself does, whoever asks."""
    assert missing_triggers(runtime.database) == []
    line = books.invoice(customer, 100, DAY, DAY)
    audit.append(at=1, actor=None, command="x", subject_kind="x", subject_id=1, reason="x")
    for attempt in (
        DueLine.update(amount_minor=1),
        DueLine.delete(),
        AuditEntry.update(reason="y"),
        AuditEntry.delete().where(AuditEntry.id == 1),
    ):
        with pytest.raises(IntegrityError, match="append-only"):
            attempt.execute()
    assert DueLine.get_by_id(line.id).amount_minor == 100
    wanted = {f"{table_name(model)}_no_{verb}" for model in APPEND_ONLY for verb in ("update", "delete")}
    assert wanted <= runtime.database.triggers()


@pytest.fixture
def chain(runtime):
    """Twelve entries, and the head as somebody kept it outside."""
    for number in range(12):
        audit.append(
            at=number,
            actor=number % 3 or None,
            command="SetBlock",
            subject_kind="block",
            subject_id=number,
            reason=f"reason {number}",
            before={"n": number},
            after={"n": number + 1},
        )
    return audit.head()


def test_a_whole_chain_is_whole(chain):
    """With and without the head kept outside, and an older head as well."""
    assert audit.verify_chain().broken == ()
    report = audit.verify_chain(chain)
    assert (report.entries, report.head, report.broken) == (12, chain[1], ())


def rewrite(execute, start):
    """Give every entry from one on the hashes that its content asks for."""
    names = ", ".join(audit.SEALED)
    rows = execute(f"select id, {names} from audit_entry where id >= ? order by id", (start,)).fetchall()
    found = execute("select hash from audit_entry where id < ? order by id desc limit 1", (start,)).fetchone()
    previous = found[0] if found else audit.FIRST
    for number, *values in rows:
        digest = audit._hash(previous, dict(zip(audit.SEALED, values)))
        execute("update audit_entry set previous_hash = ?, hash = ? where id = ?", (previous, digest, number))
        previous = digest


def tamper(execute, rng):
    """One way to falsify the chain, by somebody who owns the file and drops the triggers."""
    kind = rng.choice(["change", "delete", "swap", "cut", "insert", "rewrite"])
    number = rng.randrange(1, 12)
    if kind == "change":
        column = rng.choice([name for name in audit.SEALED if name != "id"])
        execute(f"update audit_entry set {column} = '77' where id = ?", (number,))
    elif kind == "delete":
        execute("delete from audit_entry where id = ?", (number,))
    elif kind == "swap":
        execute("update audit_entry set id = 99 where id = ?", (number,))
        execute("update audit_entry set id = ? where id = ?", (number, number + 1))
        execute("update audit_entry set id = ? where id = 99", (number + 1,))
    elif kind == "cut":
        execute("delete from audit_entry where id >= ?", (number,))
    elif kind == "insert":
        execute(
            "insert into audit_entry select 13, at, actor_id, command, entity_id, subject_kind, 'forged', before, "
            "after, reason, hash, 'f' || substr(hash, 2) from audit_entry where id = ?",
            (number,),
        )
    else:
        execute("update audit_entry set reason = 'another' where id = ?", (number,))
        rewrite(execute, number)
    return kind


@pytest.mark.promise("F3")
def test_every_tampering_is_found_with_the_head_kept_outside(runtime, chain, drop_trigger):
    """Change, delete, swap, insert, cut the tail, rewrite the whole rest: 300 falsified copies."""
    for verb in ("update", "delete"):
        drop_trigger(f"audit_entry_no_{verb}", "audit_entry")

    def execute(sql, values=()):
        return runtime.database.execute_sql(sql.replace("?", runtime.database.param), values)

    rng, kinds = random.Random(3), set()
    for _ in range(300):
        with runtime.database.atomic() as attempt:
            kinds.add(tamper(execute, rng))
            assert audit.verify_chain(chain).broken
            attempt.rollback()
    assert len(kinds) == 6
    assert audit.verify_chain(chain).broken == ()


def test_foreign_keys_hold(runtime, customer):
    """A due line of nobody is refused."""
    with pytest.raises(IntegrityError):
        DueLine.create(
            entity_id=1, customer=999, booked_day=1, recorded_day=1, recorded_at=1, number="1", identity="i",
            invoice_day=1, due_day=1, amount_minor=1, currency="EUR",
        )  # fmt: skip
    with pytest.raises(IntegrityError):
        Customer.create(entity=999, number="1", name="x")


def test_sealed_data_opens_with_its_own_key_and_secret_only(runtime):
    """Another secret, another person, a changed byte: nothing opens; erased: there is nothing to open."""
    first, second = (runtime.vault.create_person({"name": name}) for name in ("A", "B"))
    sealed = runtime.vault.seal(first, {"text": "Dear Sir"})
    assert runtime.vault.open(first, sealed) == {"text": "Dear Sir"}
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for vault, person, content in (
        (Vault("another secret of more than 32 characters"), first, sealed),
        (runtime.vault, second, sealed),
        (runtime.vault, first, changed),
        (runtime.vault, first, b""),
    ):
        with pytest.raises(WrongSecret):
            vault.open(person, content)
    runtime.vault.erase(first, 1)
    erased = type(first).get_by_id(first.id)
    assert runtime.vault.open_person(erased) is None
    with pytest.raises(Erased):
        runtime.vault.open(erased, sealed)


def test_all_problems_of_the_settings_are_reported_together(tmp_path):
    """And the secret and the mail server's password are in no message."""
    _, problems = Settings.from_environment(
        {
            "DUNWELL_VAR": str(tmp_path),
            "DUNWELL_DATABASE": "mysql://x",
            "DUNWELL_SECRET_KEY": "short-canary",
            "DUNWELL_SMTP": "http://user:canary@host",
            "DUNWELL_SEND_FOR_REAL": "maybe",
            "DUNWELL_BIND": "nowhere",
            "DUNWELL_ZONE": "Mars/Base",
            "DUNWELL_LEDGERS": str(tmp_path / "none"),
        }
    )
    assert [problem.place for problem in problems] == [
        "DUNWELL_DATABASE", "DUNWELL_SECRET_KEY", "DUNWELL_SEND_FOR_REAL", "DUNWELL_SMTP",
        "DUNWELL_BIND", "DUNWELL_ZONE", "DUNWELL_LEDGERS",
    ]  # fmt: skip
    assert "canary" not in str(problems)


def test_settings_without_problems(tmp_path):
    """Defaults: SQLite in the state folder, nothing sent, loopback only."""
    environment = {"DUNWELL_VAR": str(tmp_path), "DUNWELL_SECRET_KEY": "k" * 32}
    settings, problems = Settings.from_environment(environment)
    assert problems == []
    assert (settings.database_path, settings.send_for_real) == (tmp_path / "dunwell.db", False)
    assert settings.bind == "127.0.0.1:0"
    assert "k" * 32 not in repr(settings)
