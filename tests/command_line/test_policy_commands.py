"""Policies as files: checked, compared, tried, proposed, written and read back byte by byte."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from engine.commands import Refused
from engine.governance import ApproveDocument
from engine.runtime import build
from engine.settings import Settings
from engine.tables import Document, User

from .conftest import speaker

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path for path in (ROOT / "rules" / "documents").glob("*.json") if path.name != "schema.json")
TEMPLATES = sorted((ROOT / "notifiers" / "templates" / "shipped").glob("*.json"))
ACCOUNTS, MAPPINGS = ROOT / "samples" / "accounts", ROOT / "samples" / "mappings"
SHIPPED_FILE = str(ROOT / "rules" / "documents" / "segmentation.json")
Say = Callable[..., subprocess.CompletedProcess[str]]


def shipped(name: str) -> dict[str, Any]:
    """A shipped document."""
    return json.loads((ROOT / "rules" / "documents" / f"{name}.json").read_text())


def written(folder: Path, document: dict[str, Any]) -> str:
    """A document as a file."""
    file = folder / f"{document['key']}.json"
    file.write_text(json.dumps(document))
    return str(file)


def test_documents_are_checked_with_each_other(say: Say, tmp_path: Path) -> None:
    """Without a database of its own a repository is checked whole; an error has its file and place, and exit 1."""
    files = [*TEMPLATES, *SHIPPED]
    whole = say("policy", "check", *map(str, files))
    assert (whole.returncode, whole.stdout) == (0, f"{len(files)} checked, 0 errors, 0 warnings\n"), whole.stderr
    alone = say("policy", "check", str(ROOT / "rules" / "documents" / "hold.json"))
    assert alone.returncode == 1
    assert "parameters: are not in force" in alone.stdout
    broken = shipped("segmentation")
    broken["rules"][2]["when"][0] = "turnover"
    said = say("policy", "check", written(tmp_path, broken), str(ROOT / "rules" / "documents" / "parameters.json"))
    assert said.returncode == 1
    assert "segmentation.json/rules/2/when: there is no fact 'turnover'. Cure: did you mean" in said.stdout
    values = json.loads(say("policy", "check", written(tmp_path, broken), "--json").stdout)
    assert values["errors"] == 1
    assert values["problems"][0]["file"].endswith("segmentation.json")


@pytest.mark.parametrize(
    ("content", "said"), [("{", "is not JSON"), ("[1]", "is no document"), ("\x00", "is not JSON")]
)
def test_a_file_that_is_no_document_is_one_clear_line(say: Say, tmp_path: Path, content: str, said: str) -> None:
    """With the name of the file; exit 2."""
    file = tmp_path / "odd.json"
    file.write_text(content)
    answer = say("policy", "check", str(file))
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert said in answer.stderr
    assert "odd.json" in answer.stderr


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of an entity with a ledger and two managers, to be copied."""
    folder = tmp_path_factory.mktemp("governed") / "var"
    say = speaker(folder)
    say("entity", "ACME", "--currency", "EUR")
    for file in ("rates", "invoices"):
        mapping = str(MAPPINGS / f"{file}.json")
        say("import", "ACME", str(ACCOUNTS / f"{file}.csv"), "--mapping", mapping, "--history-until", "2025-12-31")
    for name in ("first", "second"):
        say("user", f"{name}@acme.example", "--role", "credit_manager", "--entity", "ACME")
    with closing(sqlite3.connect(folder / "dunwell.db")) as database, database:
        database.execute("update document set status = 'live', from_day = 0, approved_at = 1 where kind = 'template'")
    return folder


@pytest.fixture
def governed(state: Path, tmp_path: Path, settings: Settings) -> Callable[[], None]:
    """That entity in a state folder of this test, and a second person who approves all that is proposed."""
    shutil.copytree(state, tmp_path / "var", dirs_exist_ok=True)

    def approve() -> None:
        runtime = build(settings)
        second = User.get(User.email == "second@acme.example")
        for row in Document.select().where(Document.status == "proposed"):
            command = ApproveDocument(actor=second.id, reason="read", document_id=row.id, sha256=row.sha256)
            runtime.execute(command)
        runtime.close()

    return approve


def test_a_policy_goes_round_through_files(say: Say, tmp_path: Path, governed: Callable[[], None]) -> None:
    """Proposed with its simulation, approved, exported and imported: the same bytes; a change is told and tried."""
    by = ("--as", "first@acme.example")
    for file in sorted(SHIPPED, key=lambda path: path.name != "parameters.json"):
        said = say("policy", "propose", str(file), *by, "--reason", "ours", "--from", "2020-01-01")
        assert said.returncode == 0, said.stderr
        governed()
    ran = say("run", "ACME", "--as-of", "2025-10-20", "--json")
    assert ran.returncode == 0, ran.stderr
    adopted = json.loads(ran.stdout)
    assert adopted["state"] == "done"

    out = tmp_path / "hold.json"
    exported = json.loads(say("policy", "export", "hold", "--out", str(out), "--json").stdout)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == exported["sha256"]
    again = json.loads(say("policy", "import", str(out), *by, "--json").stdout)["drafts"][0]
    assert (again["sha256"], again["problems"]) == (exported["sha256"], [])
    assert say("policy", "export", "hold", "--sha256", again["sha256"][:12]).stdout == out.read_text()
    assert say("policy", "diff", str(out)).stdout == "no difference\n"

    parameters = shipped("parameters")
    days = next(one for one in parameters["parameters"] if one["name"] == "hold_set_days")
    days["values"] = [{**days["values"][0], "value": 5}]  # holds would be set before they are released
    refused = say("policy", "propose", written(tmp_path, parameters), *by, "--reason", "losses rose")
    assert (refused.returncode, "'overdue-still' is never reached" in refused.stderr) == (2, True)
    days["values"] = [{**days["values"][0], "value": 15}]
    file = written(tmp_path, parameters)
    assert "30 days → 15 days" in say("policy", "diff", file).stdout
    assert '+          "value": 15' in say("policy", "diff", file, "--document").stdout
    tried = json.loads(say("policy", "simulate", file, "--json").stdout)["ACME"]
    shown = say("policy", "simulate", file, "--entity", "ACME").stdout
    assert f"{tried['changed']} of {tried['customers']} customers change" in shown
    assert tried["changed"] > 0
    assert "hold" in shown
    proposed = say("policy", "propose", file, *by, "--reason", "losses rose", "--json")
    assert proposed.returncode == 0, proposed.stderr
    kept = json.loads(proposed.stdout)
    impact = json.loads(say("policy", "simulate", file, "--from", kept["from"], "--json").stdout)["ACME"]
    assert impact["changed"] == tried["changed"]


def test_a_version_that_is_not_there_is_named(say: Say, governed: Callable[[], None]) -> None:
    """With the documents there are."""
    said = say("policy", "export", "hold")
    assert said.returncode == 2
    assert "no such version of hold; known documents: alert, basiszinssatz, before_due" in said.stderr


def test_a_decision_table_goes_round_as_an_excel_file(say: Say, tmp_path: Path, settings: Settings) -> None:
    """Out and back unchanged it has the same sha256; a broken cell is refused with its place, and nothing is kept."""
    say("entity", "ACME", "--currency", "EUR")
    say("user", "first@acme.example", "--role", "credit_manager", "--entity", "ACME")
    by = ("--as", "first@acme.example")
    escalation = str(ROOT / "rules" / "documents" / "escalation.json")
    kept = json.loads(say("policy", "import", SHIPPED_FILE, escalation, *by, "--json").stdout)["drafts"]
    table = tmp_path / "segments.xlsx"
    out = ("policy", "export", "segmentation", "--xlsx", "--sha256", kept[0]["sha256"])
    said = say(*out, "--out", str(table))
    assert said.returncode == 0, said.stderr
    back = say("policy", "import", str(table), *by, "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["drafts"][0]["sha256"] == kept[0]["sha256"]

    book = load_workbook(table)
    book["Rules"].cell(6, 6).value = "soon"
    book.save(table)
    said = say("policy", "import", str(table), SHIPPED_FILE, *by)
    assert said.returncode == 2
    assert "sheet Rules, row 6, column F (Tenure (days)): “soon” cannot be read" in said.stderr
    assert "Cure: write a number such as 30" in said.stderr
    runtime = build(settings)
    drafts = Document.select().where(Document.key == "segmentation", Document.drafted_by.is_null(False)).count()
    runtime.close()
    assert drafts == 2

    assert "Cure: name it with --out" in say(*out).stderr
    out = ("policy", "export", "escalation", "--xlsx", "--sha256", kept[1]["sha256"])
    said = say(*out, "--out", str(table))
    assert said.returncode == 2
    assert "scenarios with steps" in said.stderr


def put_in_force(say: Say, governed: Callable[[], None], *names: str) -> None:
    """Shipped documents, proposed by the first and approved by the second person."""
    for name in names:
        file = str(ROOT / "rules" / "documents" / f"{name}.json")
        by = ("--as", "first@acme.example", "--reason", "ours", "--from", "2020-01-01")
        said = say("policy", "propose", file, *by)
        assert said.returncode == 0, said.stderr
        governed()


def test_a_policy_is_stopped_by_one_person_and_goes_on_by_two(say: Say, governed: Callable[[], None]) -> None:
    """Stop, propose, propose again, approve: each answer says how it stands; a mistake is one line."""
    put_in_force(say, governed, "parameters", "hold")
    said = say("policy", "stop", "hold", "--as", "first@acme.example", "--reason", "wrong", "--json")
    assert json.loads(said.stdout)["messages_waiting"] == 0, said.stderr
    once_more = say("policy", "stop", "hold", "--as", "second@acme.example", "--reason", "wrong")
    assert (once_more.returncode, "stopped already" in once_more.stderr) == (2, True)
    states = []
    for name in ("first", "first", "second"):
        answer = say("policy", "resume", "hold", "--as", f"{name}@acme.example", "--reason", "repaired", "--json")
        states.append(json.loads(answer.stdout)["state"])
    assert states == ["stopped", "stopped", "running"]
    over = say("policy", "resume", "hold", "--as", "first@acme.example", "--reason", "repaired")
    assert (over.returncode, "is not stopped" in over.stderr) == (2, True)


def test_who_took_a_file_in_does_not_approve_what_another_proposes_of_it(
    say: Say, governed: Callable[[], None], tmp_path: Path, settings: Settings
) -> None:
    """The same content from another person's hands is still the first one's."""
    put_in_force(say, governed, "parameters", "hold")
    document = shipped("hold")
    document["because"] = "Another reason."
    file = written(tmp_path, document)
    say("policy", "import", file, "--as", "second@acme.example")
    said = say("policy", "propose", file, "--as", "first@acme.example", "--reason", "as agreed", "--json")
    answer = json.loads(said.stdout)
    runtime = build(settings)
    try:
        second = User.get(User.email == "second@acme.example").id
        with pytest.raises(Refused, match="wrote or proposed"):
            runtime.execute(
                ApproveDocument(actor=second, reason="fine", document_id=answer["document"], sha256=answer["sha256"])
            )
    finally:
        runtime.close()


def test_derived_facts_are_checked_compared_kept_and_read_back(say: Say, tmp_path: Path) -> None:
    """The same commands take them; a rule in a file beside them may read what they derive."""
    fact = {
        "name": "derived_share_bp",
        "kind": "ratio",
        "label": "Share",
        "meaning": "m",
        "formula": {"divide": [{"fact": "overdue_net_minor"}, {"fact": "credit_limit_minor"}]},
        "rounding": "down",
    }
    derived = {"format": 1, "kind": "derived_facts", "key": "derived", "source": "s", "facts": [fact]}
    file = written(tmp_path, derived)
    policy = shipped("segmentation")
    policy["rules"][0]["when"] = ["derived_share_bp", ">", 5_000]
    policy["cases"] = []
    parameters = str(ROOT / "rules" / "documents" / "parameters.json")
    asked = written(tmp_path, policy)
    beside = say("policy", "check", file, asked, parameters)
    assert beside.returncode == 0, beside.stdout
    alone = say("policy", "check", asked, parameters)
    assert "there is no fact 'derived_share_bp'" in alone.stdout
    fact["formula"]["divide"][1] = {"fact": "tenure_days"}
    wrong = say("policy", "check", written(tmp_path, derived))
    assert wrong.returncode == 1
    assert "derived.json/facts/0/formula: money divided by days has no unit" in wrong.stdout
