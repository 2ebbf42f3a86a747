"""Our rules over columns beside other rule engines and Polars written by hand. Ends with its goals.

python -m benchmarks.peers [--size small] [--json FILE]

Same rows, same 30 and 100 rules of three stages, hit policies and effects applied on all sides; the
answers are held equal. On one process and on two, each with one processor; the median of five rounds
counts. What is compiled once (a graph, closures, a ruleset) is not counted; plans over frames, made
anew each time, are. Seconds are processor time of the slowest process, its own child included, so
that other work on the machine does not count; on a machine of one's own they are the clock's.
"""

import argparse
import statistics
from collections.abc import Sequence

from benchmarks.goals import Found, Goal, Table, figure, json_argument
from benchmarks.peers.engines import ENGINES, ByHand, Columns
from benchmarks.peers.measuring import Measured, measure

RULES = (30, 100)
PROCESSES = {"full": (1, 2), "small": (2,)}
FASTER_THAN_PEERS = 50
TIMES_BY_HAND = 1.3
ROUNDS = {"full": 5, "small": 2}
SHARES = {"full": 1.0, "small": 0.1}
COLUMNS = ("engine", "rules", "processes", "rows", "processor s", "elapsed s", "rows a second", "times columns takes")


def goals_of(found: Sequence[Measured]) -> list[Goal]:
    """Both goals for one number of rules and processes; ratios round by round, then their median."""
    ours = next(one for one in found if one.engine == Columns.name)
    by_hand = next(one for one in found if one.engine == ByHand.name)
    peers = {engine.name for engine in ENGINES if engine.is_peer}
    fastest = max((one for one in found if one.engine in peers), key=lambda one: one.rate)
    place = f"{ours.rules}_rules.{ours.processes}_process" + ("es" if ours.processes > 1 else "")
    ratio = statistics.median(own / other for own, other in zip(ours.processor, by_hand.processor))
    return [
        Goal(f"peers.{place}.times_fastest_peer", ours.rate / fastest.rate, FASTER_THAN_PEERS, "x", at_most=False),
        Goal(f"peers.{place}.of_polars_by_hand", ratio, TIMES_BY_HAND, "x"),
    ]


def table_of(found: Sequence[Measured]) -> Table:
    """All measured, the fastest first within the same rules and processes."""
    rows = []
    for rules in RULES:
        for processes in sorted({one.processes for one in found}):
            own = [one for one in found if (one.rules, one.processes) == (rules, processes)]
            ours = next(one for one in own if one.engine == Columns.name)
            rows += [_cells(one, ours) for one in sorted(own, key=lambda one: -one.rate)]
    note = (
        "The same answers everywhere, asserted: points, class, limit, terms, hold, reason, and the rule that decided. "
        "Seconds are the median; processor time of the slowest process."
    )
    return Table("Rule engines beside each other", COLUMNS, rows, note)


def _cells(one: Measured, ours: Measured) -> list[str]:
    seconds = (f"{statistics.median(taken):.3f}" for taken in (one.processor, one.elapsed))
    counts = (str(one.rules), str(one.processes), f"{one.rows:,}")
    return [one.engine, *counts, *seconds, f"{one.rate:,.0f}", figure(ours.rate / one.rate)]


def main() -> None:
    """Measure everything, print the table and the goals."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", choices=list(ROUNDS), default="full")
    json_argument(arguments)
    chosen = arguments.parse_args()
    names = [engine.name for engine in ENGINES]
    measured = [
        measure(rules, processes, names, ROUNDS[chosen.size], SHARES[chosen.size])
        for rules in RULES
        for processes in PROCESSES[chosen.size]
    ]
    found = Found(chosen.json)
    found.table(table_of([one for own in measured for one in own]))
    for own in measured:
        for goal in goals_of(own):
            found.goal(goal)


if __name__ == "__main__":
    main()
