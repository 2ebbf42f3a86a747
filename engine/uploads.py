"""Files that were previewed and wait to be posted: the very bytes, for an hour.

A ticket is named by the hash of everything an import depends on, its bytes included, so that what
is posted is what was previewed. Only the person who gave a file finds it again.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from engine.importing import ImportFile, Preview
from ledger.canonical import sha256_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

FOLDER = "uploads"
KEPT_SECONDS = 3600
NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A previewed file.

    Args:
        ticket: its name, a hash.
        user: who gave it.
        entity: code.
        mapping: the mapping document it was read with.
        file_name, file_sha256: of the file.
        history_until: as in ``ImportFile``.
        key: the idempotency key of its import: posting it twice posts it once.
        kept_at: instant of the preview.
        preview: what was shown, as plain values.
    """

    ticket: str
    user: int
    entity: str
    mapping: Mapping[str, Any]
    file_name: str
    file_sha256: str
    history_until: int | None
    key: str
    kept_at: int
    preview: Mapping[str, Any]


def keep(runtime: "Runtime", command: ImportFile, found: Preview) -> Waiting:
    """Keep a previewed file.

    Args:
        command: the import as it would be given; nothing is posted.
        found: what its preview showed.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    purge(runtime)
    sha256 = hashlib.sha256(command.content).hexdigest()
    named = {
        "user": command.actor,
        "entity": str(command.entity),
        "mapping": dict(command.mapping),
        "file_name": command.file_name,
        "file_sha256": sha256,
        "history_until": command.history_until,
    }
    waiting = Waiting(
        **named,  # type: ignore[arg-type]
        ticket=sha256_of(named),
        key=f"upload-{uuid4()}",
        kept_at=runtime.now_at(),
        preview=asdict(found),
    )
    place = _place(runtime, waiting.ticket)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _write(place / "content", command.content)
        _write(place / "ticket.json", json.dumps(asdict(waiting), ensure_ascii=False).encode())
    except OSError:
        if not (place / "ticket.json").exists():  # no room: half a file must not take what is left
            shutil.rmtree(place, ignore_errors=True)
        raise
    return waiting


def find(runtime: "Runtime", ticket: str, user: int) -> Waiting | None:
    """A previewed file of a person; None when there is none, or its hour is over."""
    if not NAME.fullmatch(ticket):
        return None
    try:
        waiting = Waiting(**json.loads((_place(runtime, ticket) / "ticket.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return None if waiting.user != user or _over(runtime, waiting.kept_at) else waiting


def content_of(runtime: "Runtime", waiting: Waiting) -> bytes | None:
    """Its bytes, checked against their hash; None when they are gone."""
    try:
        content = (_place(runtime, waiting.ticket) / "content").read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == waiting.file_sha256 else None


def forget_content(runtime: "Runtime", waiting: Waiting) -> None:
    """Remove the bytes once they are posted; the ticket stays, so that a second click finds the first one's answer."""
    (_place(runtime, waiting.ticket) / "content").unlink(missing_ok=True)


def purge(runtime: "Runtime") -> int:
    """Remove what is older than an hour: the files hold personal data.

    Returns:
        How many were removed.
    """
    folder, removed = runtime.settings.var / FOLDER, 0
    for place in folder.iterdir() if folder.is_dir() else ():
        try:
            kept_at = int(json.loads((place / "ticket.json").read_bytes())["kept_at"])
        except (OSError, ValueError, TypeError, KeyError):
            kept_at = int(place.stat().st_mtime * 1_000_000) if place.exists() else 0  # half written, or spoilt
        if _over(runtime, kept_at):
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed


def _over(runtime: "Runtime", kept_at: int) -> bool:
    return runtime.now_at() - kept_at > KEPT_SECONDS * 1_000_000


def _place(runtime: "Runtime", ticket: str) -> Path:
    return runtime.settings.var / FOLDER / ticket


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, for its owner's eyes only."""
    draft = path.with_name(f"{path.name}.{uuid4().hex}")
    draft.touch(mode=0o600)
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
