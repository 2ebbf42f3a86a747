"""How long the facts of a portfolio take. Prints; asserts nothing.

python -m benchmarks.facts --customers 100000
"""

import argparse
import resource
import time

import narwhals as nw

from benchmarks.portfolio import AS_OF_DAY, LINES_PER_CUSTOMER, portfolio
from ledger.state import Basis, customer_facts


def main() -> None:
    """Build a portfolio in memory and time customer_facts on it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=100_000)
    arguments.add_argument("--repeat", type=int, default=3)
    chosen = arguments.parse_args()
    tables = portfolio(chosen.customers)
    frames = {name: nw.from_native(table.lazy()) for name, table in tables.items()}
    basis = Basis(as_of_day=AS_OF_DAY, entity="DE01", currency="EUR")
    lines = tables["due_line"].height
    print(f"{chosen.customers:,} customers, {lines:,} lines ({LINES_PER_CUSTOMER} each)")

    def keep(frame: nw.LazyFrame) -> nw.LazyFrame:
        return nw.from_native(frame.to_native().collect(engine="streaming").lazy())

    for _ in range(chosen.repeat):
        start, busy = time.monotonic(), time.process_time()
        facts = customer_facts(frames, basis, keep).to_native().collect(engine="streaming")
        took = time.monotonic() - start
        busy = time.process_time() - busy
        print(f"facts {took:.2f} s ({busy:.2f} s of processor time), {facts.height:,} rows x {facts.width} columns")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"peak {peak_mb:,} MB, the portfolio in memory included")


if __name__ == "__main__":
    main()
