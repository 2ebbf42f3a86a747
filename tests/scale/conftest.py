"""A made-up portfolio, adopted and gone live; and a real Spark cluster: a master, two workers, an executor on each."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from benchmarks.filling import SECRET, build
from benchmarks.portfolio import LAST_DAY
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.runtime import build as open_runtime
from engine.settings import Settings
from engine.tables import Entity, ScoreModel
from ledger.canonical import sha256_of
from ledger.days import date_of
from scoring.features import FACTS_READ, FEATURES
from scoring.labels import TASK
from scoring.model import FEATURES_SHA256, FORMAT, built, canonical, score_row

STARTS_SECONDS = 120
HOST = "127.0.0.1"


@dataclass(frozen=True)
class SparkCluster:
    """The cluster's address and what its workers leave behind."""

    master: str
    workers: tuple[Path, ...]

    def executors_of_last_run(self) -> int:
        """On how many workers the latest application had an executor of its own."""
        applications = [{path.name for path in worker.glob("app-*")} for worker in self.workers]
        latest = max(set().union(*applications))
        return sum(latest in names for names in applications)


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """Started once for all tests; the environment names its driver's address and the memory of an executor."""
    import pyspark

    home, folder = Path(pyspark.__file__).parent, tmp_path_factory.mktemp("spark")
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text("spark.executor.memory 1g\nspark.driver.memory 1g\n")
    environment = {
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(folder / "conf"),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        command = [str(home / "bin" / "spark-class"), *arguments, "--host", HOST, "--port", "0", "--webui-port", "0"]
        with log.open("wb") as out:
            started.append(
                subprocess.Popen(
                    command, stdout=out, stderr=out, env={**os.environ, **environment}, start_new_session=True
                )
            )
        return log

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            log = start("master", "org.apache.spark.deploy.master.Master")
            master = _awaited(log, r"(spark://[\d.]+:\d+)")
            workers = tuple(folder / f"worker{number}" for number in (1, 2))
            for place in workers:
                asked = ("--cores", "1", "--memory", "2g", "--work-dir", str(place))
                start(place.name, "org.apache.spark.deploy.worker.Worker", master, *asked)
            for place in workers:
                _awaited(folder / f"{place.name}.log", "(Successfully registered with master)")
            yield SparkCluster(master, workers)
        finally:
            for process in reversed(started):  # with the executors, which are of the worker's group
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _awaited(log: Path, pattern: str) -> str:
    until = monotonic() + STARTS_SECONDS
    while monotonic() < until:
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found.group(1)
        sleep(0.2)
    raise AssertionError(f"{pattern} did not come: {log.read_text(errors='replace')[-2_000:]}")


@pytest.fixture(scope="session")
def model_body() -> dict[str, Any]:
    """A model as training would leave it: some steps per feature, and a row to replay."""
    parts = []
    for number, feature in enumerate(FEATURES):
        wide = {"bp": 1_500, "days": 6, "count": 2}[feature.unit]
        edges = [wide * place for place in range(-1, 7)]
        rise = 90_000 + 7_000 * number
        steps = [rise * (place if feature.rising else -place) for place in range(len(edges) + 1)]
        parts.append({"name": feature.name, "edges": edges, "steps": steps, "unknown": -rise // 3, "usual": 0})
    body = {
        "format": FORMAT, "kind": "score_model", "task": TASK, "features_sha256": FEATURES_SHA256, "base": -2_500_000,
        "features": parts, "prior": {"share_bp": 2_500, "strength": 7}, "card": {}, "golden": [],
    }  # fmt: skip
    row = dict.fromkeys(FACTS_READ, 3)
    answer = score_row(row, built(body, ""))
    example = {"facts": row, "raw": answer.raw, "score_bp": answer.score_bp, "rival_bp": answer.rival_bp}
    return json.loads(canonical({**body, "golden": [example]}))


@pytest.fixture(scope="session")
def portfolio(tmp_path_factory: pytest.TempPathFactory, model_body: dict[str, Any]) -> Callable[[int], Path]:
    """Fill a state folder with so many customers, adopt them, go live the day after: ``portfolio(2_000)``."""
    ready: dict[int, Path] = {}

    def prepare(customers: int) -> Path:
        if customers not in ready:
            folder = tmp_path_factory.mktemp(f"portfolio{customers}")
            build(f"sqlite:///{folder / 'dunwell.db'}", customers).close()
            runtime = open_state(folder)
            body = canonical(model_body).decode()
            ScoreModel.create(
                task=TASK, sha256=sha256_of(model_body), body=body, card="{}", status="champion", trained_day=0,
                created_at=0,
            )  # fmt: skip
            run = run_entity(runtime, Entity.get(), LAST_DAY - 1)
            Entity.update(
                sending=True, live_from_day=LAST_DAY, live_after_run=run.id, portfolio_share_bp=10_000
            ).execute()
            runtime.close()
            ready[customers] = folder
        return ready[customers]

    return prepare


def open_state(folder: Path, **settings: Any) -> Runtime:
    """A runtime on a folder's state; its clock stands at noon of the portfolio's last day."""
    given = Settings(database=f"sqlite:///{folder / 'dunwell.db'}", var=folder, secret_key=SECRET, **settings)
    noon = datetime.combine(date_of(LAST_DAY), time(12), tzinfo=UTC)
    return open_runtime(given, now=lambda: noon)


@pytest.fixture(scope="session")
def opened() -> Callable[..., Runtime]:
    """Open the state in a folder: ``opened(folder)``."""
    return open_state


@pytest.fixture
def copy_of(tmp_path: Path, portfolio: Callable[[int], Path]) -> Iterator[Callable[..., Runtime]]:
    """A runtime on a copy of a portfolio: ``copy_of(2_000, "here")``, with further settings by name."""
    opened: list[Runtime] = []

    def copy(customers: int, name: str, **settings: Any) -> Runtime:
        if opened:
            opened[-1].close()  # tables are bound to one database at a time
        folder = tmp_path / name
        shutil.copytree(portfolio(customers), folder)
        opened.append(open_state(folder, **settings))
        return opened[-1]

    yield copy
    if opened:
        opened[-1].close()


@pytest.fixture
def running() -> Callable[[], dict[int, tuple[int, str]]]:
    """All running processes."""
    return processes


def processes() -> dict[int, tuple[int, str]]:
    """What runs: the parent and the command line of each process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            line = (stat.parent / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if state != "Z":
            found[int(stat.parent.name)] = (int(parent), line)
    return found
