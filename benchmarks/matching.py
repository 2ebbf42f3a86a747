"""How fast outcomes are confirmed: rows a second through the matching child, with its memory.

30 rules of three tests over twelve facts, as cage.md 6. Prints one line per number of
processes. Run: ``python -m benchmarks.matching [rows]``.
"""

import random
import sys
import time
from pathlib import Path
from typing import Any

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


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main(rows: int = 40_000) -> None:
    """Print the figures."""
    dice = random.Random(1)
    book = book_of(30, dice)
    asked = [{name: dice.randint(0, 100) for name in FACTS} for _ in range(rows)]
    for processes in (1, 2):
        with Matcher(processes) as matcher:
            matcher.confirm(book, {"hold": asked[:100]})
            start = time.perf_counter()
            found = matcher.confirm(book, {"hold": asked})
            seconds = time.perf_counter() - start
            matches = sum(len(match.keys) for match in found.matches["hold"]) / rows
            memory = ", ".join(f"{resident_mb(pid):.0f} MB" for pid in matcher.process_ids)
            print(f"{processes} process(es): {rows / seconds:,.0f} rows/s, {matches:.2f} rules matched a row, {memory}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
