"""Locks: one process at a time decides an entity. A process that dies lets go of its locks."""

import fcntl
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
    folder = runtime.settings.var / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"entity-{entity.id}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{entity.code} is being decided by another process") from error
        yield
