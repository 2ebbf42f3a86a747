"""A mail provider's folder: each letter as a PDF with its manifest, handed over by a marker file.

The provider collects what has a marker and may take it away. Files appear in the order PDF,
manifest, marker, each of them whole; what was handed over is noted aside, so that a repeat with the
same key posts nothing twice.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from .gateways import MESSAGE_BYTES_MAX, OutgoingMessage, Receipt, Rejected, Unreachable
from .mailbox import name_of, write_once

NOTES, DRAFTS, DONE = ".delivered", ".drafts", ".done"
VERSION = 1


class ProviderFolderGateway:
    """Hands letters over to whoever prints and posts them.

    Args:
        folder: created when it is missing.
    """

    name = "provider_folder"
    idempotent = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Write PDF, manifest and marker once; `about_to_send` is not needed, a repeat does no harm.

        Raises:
            Unreachable: the folder cannot be written.
            Rejected: the message holds no letter, or one that is too large.
        """
        if not message.pdf:
            raise Rejected("the message holds no printed letter")
        if len(message.pdf) > MESSAGE_BYTES_MAX:
            raise Rejected(f"the letter has {len(message.pdf)} bytes, the limit is {MESSAGE_BYTES_MAX}")
        name = name_of(message.key)
        try:
            for folder in (self.folder / NOTES, self.folder / DRAFTS):
                folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / NOTES / name).exists():
                for suffix, content in (
                    (".pdf", message.pdf),
                    (".json", manifest_of(message)),
                    (DONE, b""),
                ):
                    write_once(content, self.folder / DRAFTS, self.folder / f"{name}{suffix}")
                write_once(b"", self.folder / DRAFTS, self.folder / NOTES / name)
        except OSError as error:
            raise Unreachable(f"the provider's folder cannot be written: {error.strerror}", for_all=True) from error
        return Receipt(self.name, name)

    def find(self, key: str) -> Receipt | None:
        """Look for the note of this key, or for its marker where a crash came before the note."""
        name = name_of(key)
        noted = (self.folder / NOTES / name).exists() or (self.folder / f"{name}{DONE}").exists()
        return Receipt(self.name, name) if noted else None


def manifest_of(message: OutgoingMessage) -> bytes:
    """What a provider reads beside the letter (docs/letters.md): where it goes, and that it is whole."""
    content = {
        "version": VERSION,
        "id": name_of(message.key),
        "file": f"{name_of(message.key)}.pdf",
        "sha256": hashlib.sha256(message.pdf).hexdigest(),
        "bytes": len(message.pdf),
        "recipient": message.to_address.splitlines(),
        "sender": message.from_name,
        "language": message.language,
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"
