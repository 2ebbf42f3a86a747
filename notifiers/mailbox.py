"""A mailbox folder: where mail goes while nothing may be sent for real.

A Maildir, so that any mail program and the console can read it. A message is a file named
by its key, which makes the gateway idempotent: a repeat finds the file and changes nothing.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from .gateways import OutgoingMessage, Receipt, Unreachable
from .mime import to_bytes


class MailboxGateway:
    """Delivers into a Maildir.

    Args:
        folder: the Maildir; created when it is missing.
    """

    name = "mailbox"
    idempotent = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Write the message once; `about_to_send` is not needed, a repeat does no harm.

        The file is complete and on disk before it gets its name, and it gets its name by a
        hard link, which fails when the name is taken: two workers at once leave one file.

        Raises:
            Unreachable: the folder cannot be written.
            Rejected: the message cannot be serialized.
        """
        known = self.find(message.key)
        if known is not None:
            return known
        content = to_bytes(message)
        name = name_of(message.key)
        try:
            for part in ("tmp", "new", "cur"):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            write_once(content, self.folder / "tmp", self.folder / "new" / name)
        except OSError as error:
            raise Unreachable(f"the mailbox folder cannot be written: {error.strerror}", for_all=True) from error
        return Receipt(self.name, name)

    def find(self, key: str) -> Receipt | None:
        """Look for the file of this key, also after a mail program has moved it to `cur`."""
        name = name_of(key)
        if (self.folder / "new" / name).exists() or any((self.folder / "cur").glob(f"{name}*")):
            return Receipt(self.name, name)
        return None


def name_of(key: str) -> str:
    """The file name that belongs to a key.

    >>> name_of("7/escalation/1/standard-p4/0/email")
    'd4da4661c39085eb140b8d758b9baf4719b4f3d878b8404c0ff5133574fca453'
    """
    return sha256(key.encode()).hexdigest()


def write_once(content: bytes, drafts: Path, target: Path) -> None:
    """Write a file that appears whole, on disk, and only if its name is free.

    Args:
        drafts: a folder of the same file system, where it grows.

    Raises:
        OSError: a folder cannot be written.
    """
    draft = drafts / f"{target.name}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, target)
    except FileExistsError:
        pass  # another worker was faster with the same key
    finally:
        draft.unlink(missing_ok=True)  # half a file must not take what room is left
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
