"""Short ways to import a file or a text, as the system, into an entity."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.importing import ImportFile, import_file
from engine.runtime import Runtime
from engine.tables import Entity

MAPPINGS = Path(__file__).parents[2] / "samples" / "mappings"


def sample(name: str) -> dict[str, Any]:
    return json.loads((MAPPINGS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def take_text(runtime: Runtime) -> Callable[..., dict[str, Any]]:
    """``take_text(mapping, text or bytes, entity, history_until)``"""

    def take(mapping: dict, content: str | bytes, entity: Entity, history_until: int | None = None) -> dict[str, Any]:
        command = ImportFile(
            actor=None,
            reason="a test",
            entity=entity.id,
            mapping=mapping,
            content=content.encode() if isinstance(content, str) else content,
            file_name="a.csv",
            history_until=history_until,
        )
        return import_file(runtime, command)

    return take


@pytest.fixture
def take(take_text: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """``take("ibm", file, entity, history_until)`` with a mapping of samples/mappings."""

    def take(name: str, file: Path, entity: Entity, history_until: int | None = None) -> dict[str, Any]:
        return take_text(sample(name), file.read_bytes(), entity, history_until)

    return take
