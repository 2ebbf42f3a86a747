"""Facts, score, stages and differences of the shipped documents mean the same on another engine.

DuckDB stands in for Spark in the default tier: the expressions are the same, and so are most gaps.
"""

import duckdb
import narwhals as nw
import polars as pl
import pytest

from benchmarks.portfolio import LAST_DAY
from engine.differences import with_differences
from engine.frames import collected, read_frames
from engine.pipeline import asking, decide_frame, facts_frame
from engine.tables import Entity
from rules.documents import shipped

CUSTOMERS = 1_000


def duckdb_keep(frame):
    """Keep a frame as a table."""
    return nw.from_native(duckdb.from_arrow(frame.to_native().to_arrow_table()))


@pytest.fixture(scope="module")
def decided(portfolio, opened):
    """Facts and decided rows of the day after adoption, by engine."""
    runtime = opened(portfolio(CUSTOMERS))
    ask = asking(runtime, Entity.get(), LAST_DAY)
    here = read_frames(runtime, ask.entity, question=ask.question)
    there = {
        name: nw.from_native(duckdb.from_arrow(frame.to_native().collect().to_arrow())) for name, frame in here.items()
    }
    found = {}
    for engine, frames, keep in (("polars", here, collected), ("duckdb", there, duckdb_keep)):
        facts = keep(facts_frame(frames, ask, keep))
        rows = with_differences(decide_frame(facts, ask.edition, keep), ask.edition.book, LAST_DAY, ask.begins)
        found[engine] = (table_of(facts), table_of(rows))
    runtime.close()
    return ask, found


def table_of(frame):
    """The values of a frame on either engine, in the order of customers."""
    native = frame.to_native()
    table = native.collect() if isinstance(native, pl.LazyFrame) else pl.from_arrow(native.to_arrow_table())
    return table.sort("customer_id")


def test_every_shipped_stage_is_decided(decided):
    """What follows is about facts, a score and all stages that ship, not about a few of them."""
    ask, found = decided
    assert set(ask.edition.book.stages) == {d["stage"] for d in shipped() if d["kind"] == "policy"}
    facts, rows = found["polars"]
    assert facts.height == rows.height == CUSTOMERS
    assert facts["score_bp"].n_unique() > CUSTOMERS // 50
    assert 0 < rows["changed"].sum() < CUSTOMERS


@pytest.mark.parametrize("part", [0, 1], ids=["facts", "decided rows"])
def test_same_on_polars_and_duckdb(decided, part):
    """Column by column: names, types and every value, nulls included."""
    _, found = decided
    here, there = found["polars"][part], found["duckdb"][part]
    assert here.schema == there.schema
    for name in here.columns:
        differing = here[name].ne_missing(there[name])
        assert not differing.any(), (name, here.filter(differing)[name].head(5), there.filter(differing)[name].head(5))
