"""A print folder: where letters wait for the printer, each as one PDF.

Whoever prints takes the files away. What was delivered is therefore noted beside them, in
`.delivered`, so that a repeat with the same key prints nothing twice.
"""

from collections.abc import Callable
from pathlib import Path

from .gateways import MESSAGE_BYTES_MAX, OutgoingMessage, Receipt, Rejected, Unreachable
from .mailbox import name_of, write_once

NOTES, DRAFTS = ".delivered", ".drafts"


class PrintFolderGateway:
    """Delivers letters into a folder.

    Args:
        folder: created when it is missing.
        trial: no printer looks there; the name it goes by says so.
    """

    idempotent = True

    def __init__(self, folder: Path, *, trial: bool = False) -> None:
        self.folder = folder
        self.name = "trial_letters" if trial else "print_folder"

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Write the letter once; `about_to_send` is not needed, a repeat does no harm.

        The file is complete and on disk before it gets its name; the note that it was there
        comes after it, and until then the file itself is the note.

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
            if not self._note(name).exists():
                for folder in (self.folder / NOTES, self.folder / DRAFTS):
                    folder.mkdir(parents=True, exist_ok=True)
                write_once(message.pdf, self.folder / DRAFTS, self._letter(name))
                write_once(b"", self.folder / DRAFTS, self._note(name))
        except OSError as error:
            raise Unreachable(f"the print folder cannot be written: {error.strerror}", for_all=True) from error
        return Receipt(self.name, name)

    def find(self, key: str) -> Receipt | None:
        """Look for the note of this key, or for its file where a crash came before the note."""
        name = name_of(key)
        return Receipt(self.name, name) if self._note(name).exists() or self._letter(name).exists() else None

    def _letter(self, name: str) -> Path:
        return self.folder / f"{name}.pdf"

    def _note(self, name: str) -> Path:
        return self.folder / NOTES / name
