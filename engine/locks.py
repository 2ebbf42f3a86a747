"""Locks: one process at a time decides an entity, one leads. A process that dies lets go of its locks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from peewee import InterfaceError, OperationalError

from engine.outages import outage_of
from engine.tables import Entity
from ledger.problems import Hindrance

if TYPE_CHECKING:
    from engine.runtime import Runtime


class Busy(Hindrance):
    """Another process is deciding this entity."""


@contextmanager
def alone(runtime: "Runtime", entity: Entity) -> Iterator[None]:
    """Hold the entity's lock.

    Raises:
        Busy: somebody else holds it.
    """
    with runtime.database.alone(f"entity-{entity.id}", runtime.settings.var / "locks") as held:
        if not held:
            raise Busy(f"{entity.code} is being decided by another process")
        yield


class Lead:
    """What one process at a time has, among all that share a database; when it dies another takes it.

    For one thread, whose connection holds the lock as long as it lives.

    Args:
        name: what is led, the same in all processes.
    """

    def __init__(self, runtime: "Runtime", name: str) -> None:
        self._runtime, self._name = runtime, name
        self._held: tuple[ExitStack, Any] | None = None  # the lock, and the connection it belongs to

    def holds(self) -> bool:
        """Whether this process leads; takes the lead if nobody has it. Nobody leads while the database is out."""
        try:
            return self._takes()
        except Exception as error:
            if outage_of(error) is None:
                raise
            return False

    def _takes(self) -> bool:
        if self._held is not None and self._is_connected(self._held[1]):
            return True
        self.close()
        runtime, stack = self._runtime, ExitStack()
        if stack.enter_context(runtime.database.alone(self._name, runtime.settings.var / "locks")):
            self._held = stack, runtime.database.connection()
            return True
        stack.close()
        return False

    def close(self) -> None:
        """Let go of the lead."""
        if self._held is not None:
            self._held[0].close()
            self._held = None

    def _is_connected(self, connection: Any) -> bool:
        database = self._runtime.database
        try:
            database.execute_sql("select 1")
        except (OperationalError, InterfaceError):
            database.close()
            return False
        return database.connection() is connection
