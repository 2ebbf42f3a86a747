"""The composition root: settings in, a runtime out. The only module that reads a clock."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine import database as storage
from engine.settings import Settings
from engine.tables import Entity
from engine.vault import Vault
from ledger.days import day_of

if TYPE_CHECKING:
    from engine.commands import Command

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def silence() -> None:
    """The bell before anyone listens: the sweep finds the work a minute later."""


@dataclass(slots=True)
class Runtime:
    """What a process works with: one database, one clock, one vault, one bell.

    Args:
        settings: as started.
        database: opened and bound to the tables.
        now: the clock; tests pass one they can move.
        vault: seals personal data.
        ring: wakes the workers; called after a commit, carries nothing.
        huey: the queue, set by ``engine.tasks``.
        cache: what modules keep per process (compiled books, slots), by name.
    """

    settings: Settings
    database: storage.Store
    now: Callable[[], datetime]
    vault: Vault
    ring: Callable[[], object] = silence
    huey: Any = None
    cache: dict[str, Any] = field(default_factory=dict)

    def now_at(self) -> int:
        """The instant as microseconds since 1970-01-01 UTC."""
        passed = self.now() - EPOCH
        return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds

    def today(self, entity: Entity | None = None) -> int:
        """The day it is at an entity, in days since 1970-01-01."""
        zone = ZoneInfo(self.settings.zone if entity is None else entity.zone)
        return day_of(self.now().astimezone(zone).date())

    def execute(self, command: "Command") -> dict[str, Any]:
        """Carry out a command (see ``engine.commands.execute``)."""
        from engine.commands import execute

        return execute(self, command)

    def forget(self) -> None:
        """Close and drop what modules keep; they make it anew when they need it."""
        for kept in self.cache.values():
            close = getattr(kept, "close", None)
            if close is not None:
                close()
        self.cache.clear()

    def close(self) -> None:
        """Close this thread's connection and what modules keep."""
        self.forget()
        self.database.shut()


def build(settings: Settings, now: Callable[[], datetime] = system_clock) -> Runtime:
    """Open what the settings name and bring its schema up to date.

    Args:
        settings: without problems.
        now: the clock, returning aware datetimes.

    Raises:
        engine.database.WeakDatabase: a durability setting did not take.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    opened = storage.connect(settings)
    storage.migrate(opened)
    return Runtime(settings=settings, database=opened, now=now, vault=Vault(settings.secret_key))


def settle() -> None:
    """Keep what is loaded by now out of garbage collections.

    It lives as long as the process; walking it again each time the collector looks at everything
    stops the process for 50 ms, in the middle of whatever is being answered.
    """
    gc.collect()
    gc.freeze()
