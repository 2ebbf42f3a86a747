"""A mail provider's folder: each letter as a PDF with its manifest, handed over by a marker file.

The provider collects what has a marker and may take it away. Files appear in the order PDF,
manifest, marker, each of them whole.
"""

import hashlib
import json
from pathlib import Path

from .gateways import OutgoingMessage
from .letter_folder import LetterFolderGateway
from .mailbox import name_of

DONE = ".done"
VERSION = 1


class ProviderFolderGateway(LetterFolderGateway):
    """Hands letters over to whoever prints and posts them.

    Args:
        folder: created when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="provider_folder", called="provider's folder", files=_files, last=DONE)


def _files(message: OutgoingMessage) -> list[tuple[str, bytes]]:
    return [(".pdf", message.pdf), (".json", manifest_of(message)), (DONE, b"")]


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
