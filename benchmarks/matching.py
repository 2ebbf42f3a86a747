"""How fast outcomes are confirmed: rows a second through the matching child, with its memory.

30 rules of three tests over twelve facts, as cage.md 6. Prints one line per number of
processes.

    python -m benchmarks.matching --rows 40000
"""

import argparse
import random
import time
from typing import Any

from benchmarks.goals import Found, Table, json_argument
from benchmarks.watching import GB, resident_bytes
from engine.matching import Matcher
from rules.book import Book
from rules.documents import parse

FACTS = (
    *("overdue_minor", "overdue_net_minor", "exposure_minor", "open_minor", "not_due_minor", "disputed_minor"),
    *("score_bp", "late_share_12m_bp", "open_count", "overdue_count", "tenure_days", "terms_days"),
)


def book_of(rules: int, dice: random.Random) -> Book:
    """A hold policy of random rules."""
    written = [
        {
            "key": f"R-{number:03}",
            "priority": number,
            "when": {"all": [[name, dice.choice([">", "<="]), dice.randint(0, 100)] for name in dice.sample(FACTS, 3)]},
            "then": {"hold": True, "hold_reason": "late"},
        }
        for number in range(rules)
    ]
    document: dict[str, Any] = {"format": 1, "kind": "policy", "key": "hold", "name": "Hold", "stage": "hold"}
    document |= {"hit": "first", "effective": {"from": "2020-01-01"}, "source": "benchmark", "because": "benchmark"}
    document |= {"rules": written, "otherwise": {"then": {"hold": False}}}
    policy, problems = parse(document)
    if policy is None:
        raise ValueError(problems)
    return Book.build([policy], [], 20_000)


def main() -> None:
    """Measure with one process and with two."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=40_000)
    json_argument(arguments)
    chosen = arguments.parse_args()
    dice = random.Random(1)
    book = book_of(30, dice)
    asked = [{name: dice.randint(0, 100) for name in FACTS} for _ in range(chosen.rows)]
    rows = []
    for processes in (1, 2):
        with Matcher(processes) as matcher:
            matcher.confirm(book, {"hold": asked[:100]})
            start = time.perf_counter()
            found = matcher.confirm(book, {"hold": asked})
            seconds = time.perf_counter() - start
            matches = sum(len(match.keys) for match in found.matches["hold"]) / chosen.rows
            memory = max(resident_bytes(pid) for pid in matcher.process_ids) / GB
            rows.append([str(processes), f"{chosen.rows / seconds:,.0f}", f"{matches:.2f}", f"{memory:.2f} GB"])
    columns = ["processes", "rows a second", "rules matched a row", "memory of a process"]
    note = f"30 rules of three tests over twelve facts, {chosen.rows:,} rows."
    Found(chosen.json).table(Table("Confirmation by durable-rules alone", columns, rows, note))


if __name__ == "__main__":
    main()
