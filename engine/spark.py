"""Spark: facts and outcomes of a portfolio that is too large for one machine's memory.

The ledger is exported as Parquet into a folder that every machine of the cluster sees. Spark computes
facts, score and stages by the very expressions that Polars computes; what it writes is read back, and
the run goes on here. The only module that knows Spark: an optional part that needs Java, and is
imported when a run asks for it.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw

from engine.differences import with_differences
from engine.finishing import Computed, Steps, rows_to_apply
from engine.frames import count_of, export_tables, scan_folder
from engine.pipeline import Asking, decide_frame, facts_frame
from engine.queries import questions
from engine.settings import Settings
from ledger.problems import Hindrance

if TYPE_CHECKING:
    from engine.runtime import Runtime

Frame = nw.LazyFrame[Any]
JAVA_PACKAGE = "openjdk-17-jre-headless"
EXECUTOR_SECONDS = 120  # within which the first executor must have come
LOOK_SECONDS = 0.2
STOP_SECONDS = 30
ERROR_LINES = 4  # of an error of Spark; what follows is where it was in Spark's own code
LOG_TAIL = 600  # characters of Spark's log in an error
TASKS_PER_CORE = 2  # of a shuffle; Spark joins small ones again
TYPES: Mapping[Any, str] = {nw.Int64: "bigint", nw.String: "string", nw.Boolean: "boolean"}
ROWS = "rows"
_one_at_a_time = threading.Lock()  # a process has one Spark context


class ClusterError(Hindrance):
    """The cluster cannot be used: what is wrong, and what to do."""


@contextmanager
def computed(runtime: "Runtime", ask: Asking, steps: Steps) -> Iterator[Computed]:
    """Compute an entity's facts and decide every customer on the cluster.

    Args:
        steps: told the seconds of export, cluster (until an executor has come), facts and stages.

    Yields:
        All facts, and the decided rows that a run reads. Both lie in the shared folder, which is
        emptied in the end.

    Raises:
        ClusterError: Java, pyspark, the master, an executor or the shared folder is missing.
    """
    settings = runtime.settings
    require(settings)
    if ask.edition.lines is not None:
        raise ClusterError(
            f"the policy {ask.edition.line_policy_key} decides due lines, which Spark does not. "
            "Cure: run this entity without a cluster (--engine polars)"
        )
    with _folder_of_run(settings.spark_folder, ask.entity.code) as folder:
        tables = questions(ask.question, runtime.database)
        with steps.step("export"):
            export_tables(runtime, tables, folder)
        with _cluster(settings, folder, steps) as cluster:
            with steps.step("facts"):
                frames = {
                    name: cluster.read(f"{name}.parquet", {column.name: column.dtype for column in table.columns})
                    for name, table in tables.items()
                }
                facts = cluster.keep_as("facts", facts_frame(frames, ask, cluster.keep))
            customers = count_of(scan_folder(folder / "facts"))
            with steps.step("stages"):
                book = ask.edition.book
                decided = with_differences(
                    decide_frame(facts, ask.edition, cluster.keep), book, ask.as_of_day, ask.begins
                )
                cluster.keep_as("decided", rows_to_apply(decided, book, customers, ask.as_of_day))
        yield Computed(scan_folder(folder / "facts"), scan_folder(folder / "decided"))


def require(settings: Settings) -> None:
    """Refuse to begin where the master's address, Java or pyspark is missing.

    Raises:
        ClusterError: with the cure.
    """
    if settings.spark_master is None:
        raise ClusterError("DUNWELL_SPARK_MASTER is not set. Cure: name the master, such as spark://host:7077")
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=str(Path(home) / "bin") if home else None):
        where = f"in JAVA_HOME {home}" if home else "on this machine"
        raise ClusterError(f"Spark needs Java, and there is none {where}. Cure: apt-get install {JAVA_PACKAGE}")
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise ClusterError('pyspark is not installed. Cure: pip install "dunwell[spark]"') from error


@contextmanager
def _folder_of_run(shared: Path, code: str) -> Iterator[Path]:
    """A folder for one run of an entity; what an earlier run left when it was killed goes first."""
    mine = shared / code  # a run is alone with its entity
    shutil.rmtree(mine, ignore_errors=True)
    mine.mkdir(parents=True)
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


@dataclass
class Cluster:
    """A session on the cluster.

    Args:
        session: of Spark.
        folder: which every executor sees under the same path.
    """

    session: Any
    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def read(self, name: str, schema: Mapping[str, Any]) -> Frame:
        """A Parquet file, or a folder of them, below the folder."""
        columns = ", ".join(f"`{column}` {TYPES[dtype]}" for column, dtype in schema.items())
        return self._read(self.folder / name, columns)

    def _read(self, path: Path, schema: Any) -> Frame:
        frame: Frame = nw.from_native(self.session.read.schema(schema).parquet(path.as_uri()))
        return frame

    def keep(self, frame: Frame) -> Frame:
        """Keep a frame between two steps as Parquet (ledger.basis.Keep): one plan for all takes far longer."""
        return self.keep_as(f"kept-{next(self._numbers)}", frame)

    def keep_as(self, name: str, frame: Frame) -> Frame:
        """Keep a frame under a name below the folder.

        Raises:
            ClusterError: executors wrote rows that are not there.
        """
        from pyspark.sql import Observation, functions

        native: Any = frame.to_native()
        path, written = self.folder / name, Observation()
        native.observe(written, functions.count(functions.lit(1)).alias(ROWS)).write.parquet(path.as_uri())
        # An executor that does not share the folder writes into its own: rows would be lost silently.
        there = count_of(scan_folder(path)) if any(path.glob("*.parquet")) else 0
        if there != written.get[ROWS]:
            raise ClusterError(
                f"of {written.get[ROWS]} rows that executors wrote to {path}, {there} are there. Cure: let "
                "DUNWELL_SPARK_FOLDER name a folder that this machine and all executors share under one path"
            )
        return self._read(path, native.schema)


@contextmanager
def _cluster(settings: Settings, folder: Path, steps: Steps) -> Iterator[Cluster]:
    """A session for the time of a ``with``; Spark's process ends with it, and an error tells the end of its log."""
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="dunwell-spark-", ignore_cleanup_errors=True) as local:
        log = Path(local) / "log"
        # Twice: what Java says can be asked for only while it runs, and it may not even start.
        with log.open("wb") as stream, _told(settings, log), _java(stream) as gateway, _told(settings, log):
            with steps.step("cluster"):
                session = _session(settings, gateway, local)
            try:
                yield Cluster(session, folder)
            finally:
                with suppress(Exception):  # a context that broke cannot be stopped again
                    session.stop()


@contextmanager
def _told(settings: Settings, log: Path) -> Iterator[None]:
    """Turn an error of Spark into one that a person understands, with the end of Spark's log."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] not in {"pyspark", "py4j"}:
            raise
        said = " ".join(line for line in str(error).splitlines()[:ERROR_LINES] if not line.startswith("\tat"))
        end = log.read_text(errors="replace").strip()[-LOG_TAIL:]
        raise ClusterError(f"Spark at {settings.spark_master} failed: {said}. The end of its log: {end}") from None


@contextmanager
def _java(log: Any) -> Iterator[Any]:
    """The Java process that a session talks through."""
    from pyspark.core.context import SparkContext
    from pyspark.java_gateway import launch_gateway

    gateway = launch_gateway(popen_kwargs={"stdout": log, "stderr": log})
    try:
        yield gateway
    finally:
        # The next run starts its own, also after a context that broke.
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        with suppress(Exception):
            gateway.shutdown()
        gateway.proc.stdin.close()  # it ends when nobody can speak to it any more
        try:
            gateway.proc.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            gateway.proc.kill()
            gateway.proc.wait()


def _session(settings: Settings, gateway: Any, local: str) -> Any:
    """Open a session and wait for an executor. What a house tunes stands in its spark-defaults.conf."""
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    conf = SparkConf(_jvm=gateway.jvm).setAppName("dunwell").setMaster(settings.spark_master)
    conf.set("spark.sql.ansi.enabled", "true")  # a sum that passes 64 bits fails; it never wraps
    conf.setIfMissing("spark.ui.enabled", "false")  # it would show the ledger to whoever finds its port
    conf.setIfMissing("spark.local.dir", local)
    context = SparkContext(gateway=gateway, conf=conf)
    _await_executor(context, settings)
    session = SparkSession(context)
    if not conf.contains("spark.sql.shuffle.partitions"):
        session.conf.set("spark.sql.shuffle.partitions", TASKS_PER_CORE * context.defaultParallelism)
    return session


def _await_executor(context: Any, settings: Settings) -> None:
    """A job without executors would wait for ever."""
    if str(settings.spark_master).startswith("local["):
        return
    until = time.monotonic() + EXECUTOR_SECONDS
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver is one
        if time.monotonic() > until:
            context.stop()
            raise ClusterError(
                f"no executor of {settings.spark_master} came within {EXECUTOR_SECONDS} s. Cure: start workers with "
                "as much memory as spark.executor.memory asks for, and let them reach this machine"
            )
        time.sleep(LOOK_SECONDS)
