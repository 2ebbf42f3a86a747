"""How long the stages take: rules in columns over many rows, and the reference over one.

Run: python benchmarks/stages.py [rows] [rules]. Prints seconds; asserts nothing.
"""

import random
import sys
import time

import narwhals as nw
import polars as pl

from rules import columns, reference
from rules.book import Book
from rules.documents import parse, parse_parameters, shipped
from rules.facts import DICTIONARY

DAY = 20_000
SHAPES = {"money": (0, 10_000_000), "ratio": (0, 10_000), "days": (-20, 400), "count": (0, 40)}


def table(rows: int, names: list[str]) -> pl.DataFrame:
    """Random facts, a tenth of the nullable ones null."""
    import numpy as np

    chance = np.random.default_rng(7)
    series = []
    for name in names:
        column = DICTIONARY[name]
        if column.unit is not None:
            low, high = SHAPES[column.kind.value]
            values = pl.Series(name, chance.integers(low, high, rows), dtype=pl.Int64)
        elif column.kind.value == "bool":
            values = pl.Series(name, chance.random(rows) < 0.05)
        else:
            values = pl.Series(name, np.array(["DE", "FR", "standard", "overdue"])[chance.integers(0, 4, rows)])
        if column.nullable:
            values = pl.Series(name, values.to_frame().select(
                pl.when(pl.Series(chance.random(rows) > 0.1)).then(pl.col(name))
            ).to_series())  # fmt: skip
        series.append(values)
    return pl.DataFrame(series)


def generated(count: int) -> dict[str, object]:
    """A segmentation of so many rules of three tests each."""
    chance = random.Random(3)
    numbers = [c for c in DICTIONARY.values() if c.unit in ("minor", "days", "bp") and c.name in FACTS]
    rules = []
    for index in range(count):
        tests = []
        for column in chance.sample(numbers, 3):
            low, high = SHAPES[column.kind.value]
            tests.append([column.name, chance.choice(["<", ">=", ">"]), chance.randint(low, high)])
        rules.append({"key": f"r{index}", "when": {"all": tests}, "then": {"segment": f"s{index % 9}"}})
    return {
        "format": 1, "kind": "policy", "key": "segmentation", "name": "generated", "stage": "segmentation",
        "effective": {"from": "2010-01-01"}, "source": "generated", "because": "measuring", "hit": "first",
        "rules": rules, "otherwise": {"then": {"segment": "standard"}},
    }  # fmt: skip


FACTS = [name for name, column in DICTIONARY.items() if column.name not in ("entity",)][:55]


def measure(label: str, book: Book, frame: pl.DataFrame) -> None:
    """Print what columns and reference take for a book."""
    started = time.perf_counter()
    plan = columns.decide(nw.from_native(frame.lazy()), book)
    planned = time.perf_counter()
    wanted = [name for stage in book.stages.values() for name in stage.stage.settable]
    plan.select(*wanted).to_native().collect(engine="streaming")
    done = time.perf_counter()
    rows = frame.head(2_000).to_dicts()
    reference.decide(rows[0], book)
    single = time.perf_counter()
    for row in rows:
        reference.decide(row, book)
    each = (time.perf_counter() - single) / len(rows)
    print(
        f"{label}: {frame.height:,} rows, plan {planned - started:.3f} s, columns {done - planned:.3f} s, "
        f"reference {each * 1000:.3f} ms a row"
    )


def main() -> None:
    """Measure the shipped documents and a generated policy."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    documents = shipped()
    parameters, _ = parse_parameters(documents[0])
    policies = [policy for policy, _ in map(parse, documents[1:]) if policy is not None]
    frame = table(rows, FACTS)
    rules = sum(len(policy.rules) for policy in policies)
    measure(f"shipped documents, {rules} rules", Book.build(policies, parameters, DAY), frame)
    policy, problems = parse(generated(count))
    if policy is None:
        raise SystemExit(str(problems))
    measure(f"generated, {count} rules in one stage", Book.build([policy], parameters, DAY), frame)


if __name__ == "__main__":
    main()
