"""A run on a Spark cluster of two executor processes decides what a run on Polars decides."""

import json
import os
import signal
import threading
from time import monotonic, sleep

import pytest

from benchmarks.portfolio import LAST_DAY
from engine.runs import run_entity
from engine.spark import ClusterError
from engine.tables import TABLES, Entity, Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2_400)]

FEW, MANY = 2_000, 100_000
STEPS = ("export", "cluster", "facts", "stages")


def tables(runtime):
    """Every row of every table but how long the steps of a run took."""
    database, found = runtime.database, {}
    for model in TABLES:
        name = model._meta.table_name
        columns = [column for column in model._meta.columns if (name, column) != ("run", "seconds")]
        chosen = ", ".join(f'"{column}"' for column in columns)
        found[name] = sorted(map(repr, database.execute_sql(f'select {chosen} from "{name}"').fetchall()))
    return found


def assert_same(here, there):
    """Table by table, row by row, nothing left out."""
    assert here.keys() == there.keys()
    for name, rows in here.items():
        assert len(rows) == len(there[name]), name
        assert [pair for pair in zip(rows, there[name]) if pair[0] != pair[1]] == [], name


def decide(runtime, **options):
    """Decide the day, and show what each step took."""
    run = run_entity(runtime, Entity.get(), LAST_DAY, **options)
    print(f"\n{run.customers:,} customers, {run.changed:,} changed: {run.seconds}")
    return run


@pytest.mark.parametrize("customers", [FEW, MANY])
def test_spark_decides_what_polars_decides(customers, copy_of, spark_cluster, running):
    """Facts by their hash, then decisions, outcomes, standings, actions: every row of every table."""
    polars = copy_of(customers, "polars")
    on_polars = decide(polars, engine="polars")
    here = tables(polars)

    spark = copy_of(customers, "spark", spark_master=spark_cluster.master)
    on_spark = decide(spark)
    assert spark_cluster.executors_of_last_run() == 2
    assert set(STEPS) <= set(json.loads(on_spark.seconds))
    assert on_spark.state == "done"
    assert on_spark.facts_sha256 == on_polars.facts_sha256
    assert 0 < on_spark.changed < customers
    assert on_spark.disagreed == 0
    assert_same(here, tables(spark))

    assert list(spark.settings.spark_folder.iterdir()) == []
    mine = [line for parent, line in running().values() if parent == os.getpid()]
    assert [line for line in mine if "SparkSubmit" in line] == []
    replayed = run_entity(spark, Entity.get(), LAST_DAY, replay=True)  # by Polars, from the facts that Spark computed
    assert replayed.id == on_spark.id


def test_a_day_decided_once_more_on_spark_changes_nothing(copy_of, spark_cluster):
    """Whichever of the two decided it first."""
    runtime = copy_of(FEW, "again", spark_master=spark_cluster.master)
    first = decide(runtime, engine="polars")
    before = tables(runtime)
    assert run_entity(runtime, Entity.get(), LAST_DAY, engine="spark").id == first.id
    assert_same(before, tables(runtime))


def test_an_executor_that_is_killed_changes_nothing(copy_of, spark_cluster, running):
    """Spark starts another one and computes its part again."""
    polars = copy_of(FEW, "polars")
    decide(polars, engine="polars")
    here = tables(polars)

    spark = copy_of(FEW, "spark", spark_master=spark_cluster.master)
    killed: list[int] = []

    def kill_one():
        until = monotonic() + 300
        while not any((spark.settings.spark_folder / "DE01").glob("kept-4")) and monotonic() < until:
            sleep(0.05)
        killed.extend([pid for pid, (_, line) in running().items() if "CoarseGrainedExecutorBackend" in line][:1])
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    decide(spark)
    killer.join()
    assert len(killed) == 1
    assert_same(here, tables(spark))


def test_a_gated_run_goes_on_from_what_spark_computed(copy_of, spark_cluster):
    """A person approves it later, on a day when nobody needs the cluster."""
    polars = copy_of(FEW, "polars")
    Entity.update(portfolio_share_bp=1, live_after_run=None).execute()
    assert decide(polars, engine="polars").state == "gated"
    approve(polars)
    here = tables(polars)

    spark = copy_of(FEW, "spark", spark_master=spark_cluster.master)
    Entity.update(portfolio_share_bp=1, live_after_run=None).execute()
    assert decide(spark).state == "gated"
    approve(spark)
    assert_same(here, tables(spark))


def approve(runtime):
    """As the command does."""
    from engine.runs import resume

    Run.update(state="confirming").where(Run.state == "gated").execute()
    assert resume(runtime, Run.select().order_by(Run.id.desc()).get()).state == "done"


def test_a_folder_that_executors_do_not_share_is_told(copy_of, spark_cluster, monkeypatch):
    """Rows that lie elsewhere would be lost; here they are taken away as soon as they are written."""
    from engine import spark as of_spark

    runtime = copy_of(FEW, "unshared", spark_master=spark_cluster.master)
    count_of = of_spark.count_of

    def count_elsewhere(frame):
        return count_of(frame) - 1

    monkeypatch.setattr(of_spark, "count_of", count_elsewhere)
    with pytest.raises(ClusterError, match=r"are there\. Cure: let DUNWELL_SPARK_FOLDER name a folder"):
        decide(runtime)
    assert Run.select().where(Run.as_of_day == LAST_DAY).count() == 0


def test_a_master_that_does_not_answer_is_told(copy_of):
    """By its address; nothing is written, and no folder is left."""
    runtime = copy_of(FEW, "nobody", spark_master="spark://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"Spark at spark://127\.0\.0\.1:9 failed"):
        decide(runtime)
    assert Run.select().where(Run.as_of_day == LAST_DAY).count() == 0
    assert list(runtime.settings.spark_folder.iterdir()) == []
