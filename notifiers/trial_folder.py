"""A folder of texts: where short messages and webhooks go while nothing may be sent for real."""

from collections.abc import Callable
from pathlib import Path

from .gateways import OutgoingMessage, Receipt, Unreachable
from .mailbox import name_of, write_once


class TrialFolderGateway:
    """Writes each message into a file a person can read, named by its key: a repeat changes nothing.

    Args:
        channel: sms, chat or webhook.
        folder: created when it is missing.
    """

    idempotent = True

    def __init__(self, channel: str, folder: Path) -> None:
        self.name = f"{channel}_trial"
        self.folder = folder

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Write the message once; `about_to_send` is not needed, a repeat does no harm.

        Raises:
            Unreachable: the folder cannot be written.
        """
        path = self._path(message.key)
        try:
            drafts = self.folder / ".drafts"
            drafts.mkdir(parents=True, exist_ok=True)
            write_once(f"To: {message.to_address}\n\n{message.text}\n".encode(), drafts, path)
        except OSError as error:
            raise Unreachable(f"the trial folder cannot be written: {error.strerror}", for_all=True) from error
        return Receipt(self.name, path.name)

    def find(self, key: str) -> Receipt | None:
        """Look for the file of this key."""
        path = self._path(key)
        return Receipt(self.name, path.name) if path.exists() else None

    def _path(self, key: str) -> Path:
        return self.folder / f"{name_of(key)}.txt"
