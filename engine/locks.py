"""Locks: one process at a time decides an entity. A process that dies lets go of its locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.tables import Entity

if TYPE_CHECKING:
    from engine.runtime import Runtime


class Busy(RuntimeError):
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
