"""Scores and reasons of a whole portfolio: from stored facts to stored scores.

    python -m benchmarks.scoring --customers 1000000

Facts lie in a Parquet file as a night leaves them; each customer's score, rival and all reasons
are written to another. Beside it, as a ratio, copying the facts without scoring them.
"""

import argparse
import tempfile
import time
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl

from benchmarks.goals import Found, Goal, json_argument
from benchmarks.watching import memory_watched
from scoring.features import FACTS_READ, FEATURES, Prior
from scoring.model import Model, Table
from scoring.reasons import with_reasons

SECONDS = 60.0
MEMORY_GB = 4.0
STEPS = 24


def facts(customers: int) -> pl.DataFrame:
    """Facts of so many made-up customers; a tenth of each is unknown."""
    generator = np.random.default_rng(1)
    columns = {name: generator.integers(0, 20_000, customers) for name in FACTS_READ}
    columns["paid_count_12m"] = generator.integers(0, 40, customers)
    frame = pl.DataFrame({"customer_id": np.arange(customers), **columns})
    holes = [
        pl.when(pl.col("customer_id") % 10 == place % 10).then(None).otherwise(pl.col(name)).alias(name)
        for place, name in enumerate(FACTS_READ)
        if name != "paid_count_12m"
    ]
    return frame.with_columns(holes)


def model() -> Model:
    """A model as large as training makes them."""
    edges = tuple(range(400, 400 * (STEPS + 1), 400))
    steps = tuple(range(0, 20_000 * (STEPS + 1), 20_000))
    tables = tuple(Table(feature.name, edges, steps, -5_000, 800) for feature in FEATURES)
    return Model("", "customer_late30", -2_500_000, tables, Prior(2_000, 5), {})


def measure(customers: int, found: Found) -> None:
    """Score so many and say how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        stored, copied, scored = (Path(folder) / f"{name}.parquet" for name in ("facts", "copied", "scored"))
        facts(customers).write_parquet(stored, compression="zstd")
        begin = time.monotonic()
        pl.scan_parquet(stored).sink_parquet(copied, compression="zstd")
        copying = time.monotonic() - begin
        with memory_watched() as watched:
            begin = time.monotonic()
            answer: pl.LazyFrame = with_reasons(nw.from_native(pl.scan_parquet(stored)), model()).to_native()
            answer.select(pl.exclude(FACTS_READ)).sink_parquet(scored, compression="zstd")
            seconds = time.monotonic() - begin
    print(f"{customers:,} customers with all reasons, {seconds / copying:.1f} times as long as copying the facts")
    found.goal(Goal("scores", seconds, SECONDS * customers / 1_000_000, "s"))
    found.goal(Goal("scores.memory", watched.peak_gb, MEMORY_GB, "GB"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    json_argument(parser)
    told = parser.parse_args()
    measure(told.customers, Found(told.json))


if __name__ == "__main__":
    main()
