"""Make the golden decisions of this release: 1,000 of a made-up portfolio, with all that they depended on.

python -m tests.golden.make

Builds a small demo (two entities, sixty decided days), draws decisions of its runs by a fixed seed,
sets one fact of every third to a rule's boundary or next to it, and writes
tests/golden/<release>/decisions.json.xz: documents, models and editions; the fact rows; and what was
decided, with every rule's verdict. Later releases must give the same again
(tests/golden/test_golden.py). Run it once, when a release is made; the file is never changed afterwards.
"""

import argparse
import json
import lzma
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import demo, frames, kept_frames
from engine.editions import VERSION, edition_of
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import Decision, Document, Edition, Run, ScoreModel
from ledger.canonical import canonical
from rules import reference
from rules.book import Book
from rules.conditions import Const, operands_of, tests_of
from rules.explanation import explain

HERE = Path(__file__).parent
FILE = "decisions.json.xz"
DECISIONS = 1_000
SEED = 20_260_701
TODAY = 20_654
CUSTOMERS = 150
DECIDED_DAYS = 60
BOUNDARY_EVERY = 3  # of so many rows one has a fact at a rule's boundary
BEFORE = ("was_", "at_")  # what previous_* and the claims are made of; no rule reads it


def said(row: Mapping[str, Any], book: Book) -> dict[str, Any]:
    """What a book decides for a row, with each rule's verdict in the order rules are asked in."""
    decided = reference.decide(row, book)
    explained = explain(row, book)
    return {
        "outcomes": decided.outcomes,
        "by_rules": decided.by_rules,
        "matched": {stage: sorted(keys) for stage, keys in decided.matched.items()},
        "winner": decided.winner,
        "undecided": decided.undecided,
        "conflicts": {stage: list(keys) for stage, keys in decided.conflicts.items()},
        "waiting": decided.waiting,
        "enters_step": decided.enters_step,
        "episode_move": decided.episode_move,
        "verdicts": {
            stage.stage: " ".join(f"{rule.key}={_word(rule.verdict)}" for rule in stage.rules)
            for stage in explained.stages
        },
    }


def _word(verdict: bool | None) -> str:
    return "unknown" if verdict is None else "yes" if verdict else "no"


def drawn(runtime: Runtime) -> dict[Run, list[int]]:
    """Customers of a sample of decisions, by run: the adoption's are many, so days take turns."""
    dice = random.Random(SEED)
    by_run: dict[Run, list[int]] = {}
    for run in Run.select().where(Run.kind != "event", Run.state == "done").order_by(Run.id):
        customers = [n for (n,) in Decision.select(Decision.customer).where(Decision.run == run).tuples()]
        dice.shuffle(customers)
        by_run[run] = customers
    taken: dict[Run, list[int]] = defaultdict(list)
    for turn in range(max(map(len, by_run.values()))):
        for run, customers in by_run.items():
            if turn < len(customers) and sum(map(len, taken.values())) < DECISIONS:
                taken[run].append(customers[turn])
    return taken


def at_boundary(row: Mapping[str, Any], book: Book, dice: random.Random) -> tuple[str, dict[str, Any]]:
    """The row with one fact at, or next to, the constant that a rule compares it with."""
    compared = [
        (test.fact, operand.value)
        for stage in book.stages.values()
        for rule in stage.rules
        for test in tests_of(rule.condition)
        for operand in operands_of(test)
        if isinstance(operand, Const) and type(operand.value) is int and test.fact in row
    ]
    fact, constant = dice.choice(compared)
    return fact, {**row, fact: constant + dice.choice((-1, 0, 0, 1))}


def golden(runtime: Runtime) -> dict[str, Any]:
    """The decisions of a built demo, as the file holds them."""
    rows, decided, editions = [], [], {}
    dice = random.Random(SEED)
    for run, customers in drawn(runtime).items():
        edition = edition_of(runtime, run.entity, str(run.edition), run.as_of_day)
        editions[edition.sha256] = {"body": edition.body, "day": run.as_of_day}
        found = {
            row["customer_id"]: row for row in frames.rows_of(kept_frames.scan_frame(runtime, str(run.facts_file)))
        }
        for customer in sorted(customers):
            row = {name: value for name, value in found[customer].items() if not name.startswith(BEFORE)}
            fact = None
            if len(rows) % BOUNDARY_EVERY == 0:
                fact, row = at_boundary(row, edition.book, dice)
            rows.append(row)
            decided.append({"edition": edition.sha256, "at_boundary": fact, **said(row, edition.book)})
    shas = {row.sha256 for row in Edition}
    if not set(editions) <= shas:
        raise AssertionError("an edition is not stored")
    return {
        "format": 1,
        "release": VERSION,
        "documents": {row.sha256: json.loads(row.body) for row in Document.select().order_by(Document.sha256)},
        "models": {row.sha256: row.body for row in ScoreModel.select().order_by(ScoreModel.sha256)},
        "editions": editions,
        "facts": {name: [row[name] for row in rows] for name in sorted(rows[0])},
        "decided": decided,
    }


def main() -> None:
    """Build the demo and write the file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--again", action="store_true", help="replace the file of a release not yet published")
    chosen = arguments.parse_args()
    path = HERE / VERSION / FILE
    if path.exists() and not chosen.again:
        sys.exit(f"{path} is there: golden decisions of a release never change; --again before it is published")
    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder)
        runtime = build(Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key="s" * 40))
        demo.build(runtime, TODAY, CUSTOMERS, decided_days=DECIDED_DAYS, tell=print)
        content = golden(runtime)
        runtime.close()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(canonical(content).encode(), preset=9 | lzma.PRESET_EXTREME))
    decisions = len(content["decided"])
    print(f"{decisions} decisions, {len(content['editions'])} editions, {path.stat().st_size:,} bytes in {path}")


if __name__ == "__main__":
    main()
