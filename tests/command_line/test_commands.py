"""The command line as a person uses it: what each command says, one clear line for an error."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click import Command, Group
from pypdf import PdfWriter

from admin.command_line import DEMO_CUSTOMERS, DEMO_DAYS, dunwell
from engine.demo.building import CUSTOMERS, DECIDED_DAYS

ROOT = Path(__file__).parents[2]
ACCOUNTS = ROOT / "samples" / "accounts"
MAPPINGS = ROOT / "samples" / "mappings"
Said = subprocess.CompletedProcess[str]
WANTED = ["import", "run", "facts", "explain", "report", "demo", "go-live", "verify", "replay", "serve", "work"]


def every_command(group: Group = dunwell, before: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Command]]:
    found: list[tuple[tuple[str, ...], Command]] = []
    for name, command in group.commands.items():
        words = (*before, name)
        found += every_command(command, words) if isinstance(command, Group) else []
        found.append((words, command))
    return found


def test_every_command_has_help_and_json() -> None:
    """Each command says what it does; each that answers can do so in JSON."""
    commands = dict(every_command())
    assert {words[0] for words in commands} >= set(WANTED)
    for words, command in commands.items():
        assert command.help, words
        names = {name for option in command.params for name in option.opts}
        assert "--json" in names or words in {
            ("report",),
            ("policy",),
            ("decisions",),
            ("documents",),
            ("interest",),
            ("hand-over",),
            ("demo", "start"),
        }, words


def test_a_ledger_by_hand(say: Callable[..., Said], tmp_path: Path) -> None:
    """Open an entity, take in its invoices and their PDFs, read the ageing; the same again changes nothing."""
    opened = json.loads(say("entity", "ACME", "--currency", "EUR", "--json").stdout)
    assert "escalation" in opened["drafts"]
    for file in ("rates", "invoices"):
        mapping = str(MAPPINGS / f"{file}.json")
        words = ("import", "ACME", str(ACCOUNTS / f"{file}.csv"), "--mapping", mapping, "--json")
        first = json.loads(say(*words).stdout)
    assert first["posted"] > 0
    again = json.loads(say(*words).stdout)
    assert (again["posted"], again["known"]) == (0, first["posted"])
    report = json.loads(say("report", "ageing", "ACME", "--by-customer", "--json").stdout)
    assert sum(report["buckets_minor"].values()) == report["balance_minor"] > 0
    assert sum(one["balance_minor"] for one in report["customers"]) == report["balance_minor"]
    facts = json.loads(say("facts", "ACME", report["customers"][0]["number"], "--json").stdout)
    assert facts["open_minor"] == report["customers"][0]["balance_minor"]
    table = say("report", "ageing", "ACME").stdout.splitlines()
    assert table[0].split()[:2] == ["EUR", "not_due"]
    for name in ("Invoice_R-20250001.pdf", "nobody's.pdf", "notes.txt"):
        writer = PdfWriter()
        writer.add_blank_page(200, 200)
        writer.write(tmp_path / name)
    for counted in ({"kept": 1, "known": 0}, {"kept": 0, "known": 1}):
        kept = json.loads(say("documents", "import", "ACME", str(tmp_path), "--json").stdout)
        why = [{"file": "nobody's.pdf", "why": "no invoice has this number"}]
        assert kept == {**counted, "refused": 1, "files": why}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "NOPE"), "there is no entity NOPE"),
        (("import", "NOPE", "nothing.csv", "--mapping", "x.json"), "'x.json' does not exist"),
        (("run",), "Missing argument 'ENTITY'"),
        (("frobnicate",), "No such command"),
        (("run", "ACME", "--as-of", "31.3.2026"), "is not a date; give it as 2026-03-31"),
        (("entity", "ACME", "--currency", "XYZ"), "XYZ is not an ISO 4217 code"),
        (("go-live", "ACME"), "--as"),
        (("decisions", "export", "--from", "2026-03-02", "--to", "2026-03-01"), "--to lies before --from"),
    ],
)
def test_an_error_is_one_line_and_exit_2(say: Callable[..., Said], words: tuple[str, ...], said: str) -> None:
    """What is wrong and what to do, on standard error, nothing on standard output."""
    answer = say(*words)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert len(answer.stderr.splitlines()) == 1
    assert said in answer.stderr


def test_problems_of_the_settings_come_together(say: Callable[..., Said]) -> None:
    """One start names every problem, each with its cure."""
    answer = say("run", "ACME", DUNWELL_SMTP="carrier pigeon", DUNWELL_BIND="nowhere", DUNWELL_ZONE="Mars/Base")
    assert answer.returncode == 2
    assert [line.split()[1] for line in answer.stderr.splitlines()] == ["DUNWELL_SMTP", "DUNWELL_BIND", "DUNWELL_ZONE"]
    assert answer.stderr.count("Cure: ") == 3


def test_a_secret_is_generated_once_for_its_owner_only(start: Callable[..., Said], tmp_path: Path) -> None:
    """Without DUNWELL_SECRET_KEY the state folder keeps one, readable by its owner, that the next process reads."""
    assert start("entity", "ACME", "--currency", "EUR").returncode == 0
    key = tmp_path / "var" / "secret-key"
    first = key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    assert start("report", "ageing", "ACME").returncode == 0
    assert key.read_text() == first


def test_the_demo_of_the_command_line_is_the_demo() -> None:
    """The defaults stand in two places, because help must not load what builds the demo."""
    assert (DEMO_CUSTOMERS, DEMO_DAYS) == (CUSTOMERS, DECIDED_DAYS)


def test_verify_and_replay_answer_by_their_exit_code(
    say: Callable[..., Said], start: Callable[..., Said], tmp_path: Path
) -> None:
    """0 when all is well, 1 with place and cure on a finding; a damaged file is one line and exit 2."""
    say("entity", "ACME", "--currency", "EUR")
    well = say("verify")
    assert (well.returncode, well.stdout.splitlines()[-1]) == (0, "all well")
    answer = say("replay", "2026-03-31")
    assert (answer.returncode, answer.stderr) == (2, "dunwell: nothing was decided as of 2026-03-31\n")
    path = tmp_path / "var" / "dunwell.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update document set sha256 = 'x' || substr(sha256, 2) where id = 1")
        connection.commit()
    found = json.loads(say("verify", "--json").stdout)
    assert (found["sound"], found["found"]) == (False, 1)
    bad = start("verify")
    assert bad.returncode == 1
    assert "its content gives another sha256. Cure: restore the last backup" in bad.stdout
    path.write_bytes(b"noise" * 5_000)
    refused = say("verify")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "the database is damaged or is none" in refused.stderr


def test_the_decision_log_goes_to_a_file_or_to_standard_output(
    say: Callable[..., Said], start: Callable[..., Said], tmp_path: Path
) -> None:
    """The same lines both ways; a file that cannot be written is one line, and none is left behind."""
    say("entity", "ACME", "--currency", "EUR")
    mapping = str(MAPPINGS / "invoices.json")
    say("import", "ACME", str(ACCOUNTS / "rates.csv"), "--mapping", str(MAPPINGS / "rates.json"))
    say("import", "ACME", str(ACCOUNTS / "invoices.csv"), "--mapping", mapping)
    file, days = tmp_path / "log.jsonl", ("--from", "2020-01-01", "--to", "2040-01-01")
    say("run", "ACME")
    answer = json.loads(say("decisions", "export", *days, str(file), "--json").stdout)
    printed = start("decisions", "export", *days, "--entity", "ACME").stdout
    assert file.read_text(encoding="utf-8") == printed
    assert answer["decisions"] == len(printed.splitlines())
    refused = say("decisions", "export", *days, str(tmp_path / "nowhere" / "log.jsonl"))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "var"]
