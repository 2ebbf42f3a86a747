"""The matching child may crash, hang, be killed or worn out: the answer is complete all the same."""

import ast
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine import matching
from engine.matching import Matcher
from rules import durable, reference
from rules.book import Book
from rules.documents import parse

FACTS = ("overdue_minor", "exposure_minor", "open_count", "overdue_count", "terms_days")


def book_of(rules: list[dict[str, Any]], stage: str = "alert") -> Book:
    """A book of one policy."""
    document: dict[str, Any] = {"format": 1, "kind": "policy", "key": stage, "name": stage, "stage": stage}
    document |= {"hit": "collect", "effective": {"from": "2020-01-01"}, "source": "a test", "because": "a test"}
    document |= {"rules": rules, "otherwise": {"then": {}}}
    policy, problems = parse(document)
    assert policy is not None, problems
    return Book.build([policy], [], 20_000)


def rule(key: str, *tests: Any) -> dict[str, Any]:
    """A rule that raises an alert when all tests hold."""
    return {"key": key, "when": {"all": list(tests)}, "then": {"alert": "late"}}


def simple_book(rules: int = 70) -> Book:
    """Enough rules for two shards."""
    return book_of([rule(f"R{n:02}", [FACTS[n % 5], ">", n], [FACTS[(n + 1) % 5], "<=", 90]) for n in range(rules)])


def rows_of(count: int) -> list[dict[str, Any]]:
    """Random rows, some values unknown."""
    dice = random.Random(7)
    return [{name: dice.choice([None, *[dice.randint(0, 100)] * 4]) for name in FACTS} for _ in range(count)]


def right(book: Book, rows: list[dict[str, Any]], stage: str = "alert") -> list[frozenset[str]]:
    """What the reference evaluator says."""
    return [reference.matching(row, book.stages[stage], book) for row in rows]


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_child_killed_in_the_middle_costs_no_answer(how: signal.Signals, processes: int) -> None:
    """Killed thrice while it matches: all rows are answered, rightly, and an alarm tells of it."""
    book, rows = simple_book(), rows_of(8_000)
    with Matcher(processes) as matcher:
        matcher.confirm(book, {"alert": rows[:10]})
        done = threading.Event()
        killed: set[int] = set()

        def strike() -> None:
            while len(killed) < 3 and not done.wait(0.05):
                for pid in matcher.process_ids[:1]:
                    if pid not in killed:
                        os.kill(pid, how)
                        killed.add(pid)

        striker = threading.Thread(target=strike)
        striker.start()
        try:
            found = matcher.confirm(book, {"alert": rows})
        finally:
            done.set()
            striker.join()
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)
    assert killed
    assert {alarm.kind for alarm in found.alarms} == {"matcher_crash"}
    assert f"exit status -{how.value}" in found.alarms[0].text
    by_reference = sum(match.by == "reference" for match in found.matches["alert"])
    assert by_reference <= len(killed)  # a row hit twice by chance


def test_a_row_that_crashes_the_child_twice_goes_to_the_reference_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours in the batch are matched by durable-rules all the same."""
    book, rows = simple_book(10), rows_of(300)
    rows[123]["overdue_minor"] = 4_711
    honest = matching._Child.send

    def deadly(child: Any, batch: Any) -> None:
        if any('"f_overdue_minor": 4711' in fact for fact in batch.facts):
            child.process.kill()  # before it could answer
            child.process.wait()
        honest(child, batch)

    monkeypatch.setattr(matching._Child, "send", deadly)
    with Matcher() as matcher:
        found = matcher.confirm(book, {"alert": rows})
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)
    assert [index for index, match in enumerate(found.matches["alert"]) if match.by == "reference"] == [123]
    assert found.confirmed_by(122) == "durable"
    assert found.confirmed_by(123) == "reference"
    assert [alarm.kind for alarm in found.alarms] == ["matcher_crash", "matcher_crash"]


def test_a_child_that_always_crashes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 20 crashes the reference evaluator does the rest."""
    book, rows = simple_book(10), rows_of(60)
    honest = matching._Child.send

    def deadly(child: Any, batch: Any) -> None:
        child.process.kill()
        honest(child, batch)

    monkeypatch.setattr(matching._Child, "send", deadly)
    with Matcher() as matcher:
        found = matcher.confirm(book, {"alert": rows})
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)
    assert {match.by for match in found.matches["alert"]} == {"reference"}
    assert [alarm.kind for alarm in found.alarms].count("matcher_given_up") == 1


def test_an_error_of_the_extension_discards_the_shard_and_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fact of more than 252 properties is refused by the extension."""
    book, rows = simple_book(10), rows_of(30)
    honest = durable.flat_fact

    def crowded(row: durable.Row, shard: durable.Shard) -> dict[str, int | str]:
        more = {f"f_more_{number}": 1 for number in range(300)} if row is rows[7] else {}
        return honest(row, shard) | more

    monkeypatch.setattr(durable, "flat_fact", crowded)
    with Matcher() as matcher:
        found = matcher.confirm(book, {"alert": rows})
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)
    assert [index for index, match in enumerate(found.matches["alert"]) if match.by == "reference"] == [7]
    assert {alarm.kind for alarm in found.alarms} == {"matcher_error"}


def test_a_child_that_hangs_is_killed_and_its_rows_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before its first batch, it never answers."""
    book, rows = simple_book(10), rows_of(20)
    with Matcher() as matcher:
        matcher.confirm(book, {"alert": rows[:1]})
        os.kill(matcher.process_ids[0], signal.SIGSTOP)
        monkeypatch.setattr(matching, "BATCH_SECONDS", 0.4)
        found = matcher.confirm(book, {"alert": rows})
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)
    assert found.alarms[0].kind == "matcher_timeout"


def test_a_worn_child_is_replaced() -> None:
    """After its number of matches another process goes on."""
    book, rows = simple_book(10), rows_of(900)
    with Matcher(recycle_after=250) as matcher:
        first = matcher.confirm(book, {"alert": rows[:10]})
        before = matcher.process_ids
        found = matcher.confirm(book, {"alert": rows})
        assert matcher.process_ids != before
    assert first.alarms == found.alarms == []
    assert [match.keys for match in found.matches["alert"]] == right(book, rows)


@pytest.mark.parametrize(
    "wrong", ["5", 5.0, float("nan"), True, 2**63], ids=["text", "float", "nan", "claim", "beyond 64 bits"]
)
def test_a_value_of_the_wrong_type_is_a_problem_and_never_a_match(wrong: Any) -> None:
    """Refused at the door; the other rows go on."""
    book = book_of([rule("any", ["overdue_minor", "!=", 0])])
    with Matcher() as matcher:
        found = matcher.confirm(book, {"alert": [{"overdue_minor": 5}, {"overdue_minor": wrong}]})
    assert [(match.keys, match.by) for match in found.matches["alert"]] == [
        (frozenset({"any"}), "durable"),
        (frozenset(), "refused"),
    ]
    assert [alarm.kind for alarm in found.alarms] == ["wrong_type"]
    assert "row 1: overdue_minor" in found.alarms[0].text


def test_books_change_without_a_new_child() -> None:
    """A new edition loads its shards and frees those of the old; a stage may also have no rule."""
    rows = rows_of(40)
    with Matcher() as matcher:
        for turn in range(30):
            book = book_of([rule("R", ["open_count", ">", turn], ["terms_days", ">=", 2])])
            found = matcher.confirm(book, {"alert": rows})
            assert [match.keys for match in found.matches["alert"]] == right(book, rows)
            assert len(matcher._children[0].loaded) == 1
        assert len(set(matcher.process_ids)) == 1
        empty = book_of([])
        assert [m.keys for m in matcher.confirm(empty, {"alert": rows}).matches["alert"]] == [frozenset()] * 40
        assert matcher.confirm(empty, {"alert": []}).matches == {"alert": []}


def test_the_child_loads_nothing_of_dunwell_and_no_web_or_queue() -> None:
    """Its modules, seen from the inside."""
    look = "import runpy, sys; runpy.run_path({!r}, run_name='child'); print(*sorted(sys.modules))"
    names = subprocess.run(
        [sys.executable, "-P", "-c", look.format(str(matching.CHILD))], capture_output=True, text=True, check=True
    ).stdout.split()
    roots = {name.split(".")[0] for name in names}
    assert "durable_rules_engine" in roots
    unwanted = {"engine", "rules", "ledger", "flask", "huey", "peewee", "polars", "narwhals", "redis", "durable"}
    assert roots & unwanted == set()


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed and cannot say good-bye."""
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from engine.matching import _Child
            child = _Child()
            print(child.process.pid, flush=True)
            time.sleep(60)
            """
        )
    )
    root = str(Path(matching.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 120
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_memory_stays_flat_over_a_million_matches() -> None:
    """Grows by less than 20 MB, and no answer is wrong."""
    book, rows = simple_book(30), rows_of(10_000)
    expected = right(book, rows)

    def resident_mb(pid: int) -> float:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20

    with Matcher(recycle_after=10**9) as matcher:
        matcher.confirm(book, {"alert": rows})
        before = resident_mb(matcher.process_ids[0])
        for _ in range(100):
            found = matcher.confirm(book, {"alert": rows})
            assert [match.keys for match in found.matches["alert"]] == expected
        assert resident_mb(matcher.process_ids[0]) - before < 20


def test_only_the_child_loads_the_extension_and_only_by_its_safe_calls() -> None:
    """No post, batch, timer, Host or closure anywhere: each of them crashes, hangs or loses facts."""
    safe = {"create_ruleset", "assert_fact", "start_action_for_state", "complete_and_start_action"}
    safe |= {"retract_fact", "delete_state", "delete_ruleset"}
    root = Path(matching.__file__).parents[1]
    loading = set()
    for room in ("ledger", "rules", "scoring", "engine", "notifiers", "admin"):
        for path in (root / room).rglob("*.py"):
            tree = ast.parse(path.read_text())
            imported = {
                name.name.split(".")[0]
                for node in ast.walk(tree)
                if isinstance(node, ast.Import)
                for name in node.names
            }
            imported |= {
                (node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
            }
            if imported & {"durable", "durable_rules_engine"}:
                loading.add(path)
    assert loading == {matching.CHILD}
    used = {
        node.attr
        for node in ast.walk(ast.parse(matching.CHILD.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "extension"
    }
    assert used == safe
