"""A folder that letters are put into once, although whoever reads it takes them away.

What was delivered is noted beside the letters, in `.delivered`, so that a repeat with the same key
puts nothing there twice.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from .gateways import MESSAGE_BYTES_MAX, OutgoingMessage, Receipt, Rejected, Unreachable
from .mailbox import name_of, write_once

NOTES, DRAFTS = ".delivered", ".drafts"
Files = Callable[[OutgoingMessage], Sequence[tuple[str, bytes]]]


class LetterFolderGateway:
    """Delivers letters into a folder.

    Args:
        folder: created when it is missing.
        name: of the gateway.
        called: what the folder is called in an error.
        files: of a letter, each by its suffix, in the order they appear in; once the last is there the
            letter is delivered.
        last: suffix of that one.
    """

    idempotent = True

    def __init__(self, folder: Path, *, name: str, called: str, files: Files, last: str) -> None:
        self.folder = folder
        self.name = name
        self._called, self._files, self._last = called, files, last

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Write the letter once; `about_to_send` is not needed, a repeat does no harm.

        A file is complete and on disk before it gets its name; the note that the letter was there
        comes after the last of them, and until then that file itself is the note.

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
                for suffix, content in self._files(message):
                    write_once(content, self.folder / DRAFTS, self.folder / f"{name}{suffix}")
                write_once(b"", self.folder / DRAFTS, self._note(name))
        except OSError as error:
            raise Unreachable(f"the {self._called} cannot be written: {error.strerror}", for_all=True) from error
        return Receipt(self.name, name)

    def find(self, key: str) -> Receipt | None:
        """Look for the note of this key, or for its last file where a crash came before the note."""
        name = name_of(key)
        there = self._note(name).exists() or (self.folder / f"{name}{self._last}").exists()
        return Receipt(self.name, name) if there else None

    def _note(self, name: str) -> Path:
        return self.folder / NOTES / name
