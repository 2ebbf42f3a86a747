"""What every test may ask for: a runtime on a real SQLite file, a clock to move, people, an entity."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings as laws

from engine.access import ROLES
from engine.runtime import Runtime, build
from engine.settings import Settings
from engine.tables import Customer, Entity, User, UserRole, UserScope

# The same examples at every commit; fresh ones at night. No deadline: the machine may be busy.
laws.register_profile("commit", derandomize=True, deadline=None)
laws.register_profile("nightly", max_examples=1_000, deadline=None)
laws.load_profile(os.environ.get("DUNWELL_LAWS", "commit"))

START = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)  # a Tuesday
SECRET = "a secret only for tests, 32 characters and more"
PEOPLE = {
    "manager": ("credit.manager@dunwell.example", "credit_manager"),
    "second": ("second.manager@dunwell.example", "credit_manager"),
    "analyst": ("analyst@dunwell.example", "risk_analyst"),
    "collector": ("collector@dunwell.example", "collector"),
    "sales": ("sales@dunwell.example", "sales"),
    "auditor": ("auditor@dunwell.example", "auditor"),
    "administrator": ("administrator@dunwell.example", "administrator"),
}


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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """State in a folder of this test only; nothing is sent for real."""
    var = tmp_path / "var"
    return Settings(database=f"sqlite:///{var / 'dunwell.db'}", var=var, secret_key=SECRET)


@pytest.fixture
def runtime(settings: Settings, clock: Clock) -> Iterator[Runtime]:
    """A runtime on a fresh SQLite file with the test's clock."""
    built = build(settings, now=clock)
    yield built
    built.close()


@pytest.fixture
def entity(runtime: Runtime) -> Entity:
    """One entity, base currency EUR, in UTC."""
    return Entity.create(code="main", name="Main Ltd", currency="EUR", zone="UTC", country="DE")


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
