"""How fast one customer among many is decided: a credit check, and an explanation.

    python -m benchmarks.checks --customers 100000

Warm, customers drawn from all of them; by one caller and by two at once.
"""

import random
import statistics
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence

from benchmarks.goals import Found, Goal, Table
from benchmarks.places import measured
from benchmarks.portfolio import AS_OF_DAY
from engine.pipeline import asking, decide_customer
from engine.runtime import Runtime, settle
from engine.tables import Entity
from rules.explanation import explain

P99_MS = 50
WARM, ASKED, ASKED_OF_FEW = 20, 600, 40  # customers; of a small portfolio fewer, to be done in time
MANY = 100_000


def measure(runtime: Runtime, chosen: Namespace, found: Found) -> None:
    """Checks and explanations."""
    book = asking(runtime, Entity.get(), AS_OF_DAY).edition.book

    def check(customer: int) -> None:
        decide_customer(runtime, customer, AS_OF_DAY)

    def explained(customer: int) -> None:
        row, decided = decide_customer(runtime, customer, AS_OF_DAY)
        explain(row, book, decided)

    decide_customer(runtime, 1, AS_OF_DAY)
    settle()  # as a server does once it is loaded (wsgi.py)
    dice, name, rows = random.Random(5), chosen.database, []
    count = ASKED if chosen.customers >= MANY else ASKED_OF_FEW
    asked = [dice.randint(1, chosen.customers) for _ in range(count)]
    for title, act in (("credit_check", check), ("explanation", explained)):
        for callers in (1, 2):
            taken = _milliseconds(runtime, act, asked, callers)
            p99 = taken[len(taken) * 99 // 100]
            if callers == 1:
                found.goal(Goal(f"{name}.{title}_p99", p99, P99_MS, "ms"))
            label = f"{title.replace('_', ' ')}, {callers} at once"
            rows.append([label, f"{statistics.median(taken):.1f}", f"{p99:.1f}", f"{taken[-1]:.1f}"])
    note = f"{count} customers drawn from {chosen.customers:,}, milliseconds, warm."
    found.table(Table(f"One customer, {name}", ["what", "p50", "p99", "slowest"], rows, note))


def _milliseconds(runtime: Runtime, act: Callable[[int], None], asked: Sequence[int], callers: int) -> list[float]:
    """What each call took, sorted."""
    taken: list[float] = []

    def call(customers: Sequence[int]) -> None:
        for customer in customers[:WARM]:
            act(customer)
        for customer in customers:
            start = time.perf_counter()
            act(customer)
            taken.append((time.perf_counter() - start) * 1_000)
        if threading.current_thread() is not threading.main_thread():
            runtime.database.close()

    if callers == 1:
        call(asked)
    else:
        threads = [threading.Thread(target=call, args=(asked[number::callers],)) for number in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(taken)


if __name__ == "__main__":
    measured(__doc__, measure)
