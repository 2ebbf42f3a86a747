"""What a gateway is: the door through which one message leaves, and how it may fail.

Three failures are told apart because three different things must follow: `Unreachable` is
tried again, `Rejected` goes to a person, and `Doubtful` is never sent again alone, since
nobody can know whether the receiver has it (promises.md 3 and 6).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, runtime_checkable

# Of a whole mail as it travels: most mail servers take 10 MB and more. A statement of 200 lines needs 150,000 bytes.
MESSAGE_BYTES_MAX = 10_000_000


class Unreachable(Exception):
    """The message has certainly not been accepted, and another try may succeed.

    Args:
        reason: what happened.
        for_all: it is the receiver that cannot be reached, so other messages need not be tried.
    """

    def __init__(self, reason: str, *, for_all: bool = False) -> None:
        super().__init__(reason)
        self.for_all = for_all


class Rejected(Exception):
    """The receiver refuses this message for good.

    Args:
        reason: what the receiver said.
        address_is_bad: it is the address that was refused, not the message.
    """

    def __init__(self, reason: str, *, address_is_bad: bool = False) -> None:
        super().__init__(reason)
        self.address_is_bad = address_is_bad


class Doubtful(Exception):
    """The message was handed over but no answer came: delivered or not, nobody knows."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along with a message.

    Args:
        name: of the file, as the receiver sees it.
        media_type: for example ``application/pdf``.
        content: its bytes.
    """

    name: str = field(repr=False)
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One message, whole and final: what a gateway needs and nothing else.

    Args:
        key: the action's key; a repeat carries the same one.
        message_id: the Message-ID header, the same at every repeat.
        at: when it was composed, microseconds since 1970-01-01 UTC; the Date header.
        pdf: the printed letter; empty for a mail without one.
        attachments: files that go along, in this order.
        language: of the text, for the Content-Language header.
        to_address: an e-mail address, a telephone number, a chat name, a web address, or the lines of a postal one.
        copies: e-mail addresses of further receivers of a mail.

    Personal fields stay out of `repr`, so that no log line can show them.
    """

    key: str
    message_id: str
    from_address: str
    from_name: str
    to_address: str = field(repr=False)
    to_name: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str
    at: int
    copies: tuple[str, ...] = field(default=(), repr=False)
    pdf: bytes = field(default=b"", repr=False)
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the receiver answered, for the file; never personal."""

    gateway: str
    answer: str


class Gateway(Protocol):
    """A way out. One method does the work; two attributes say how far it may be trusted."""

    @property
    def name(self) -> str:
        """Short, stable, stored with each message."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether the receiver drops a second message with the same key."""
        ...

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Hand the message over.

        Args:
            message: what to send.
            about_to_send: called by a gateway that is not idempotent, at the last moment at
                which nothing has been handed over. It commits the state `sending`, or raises
                when the caller no longer owns the action: then nothing is sent.

        Raises:
            Unreachable: certainly not accepted; may be tried again.
            Rejected: refused for good.
            Doubtful: nobody knows.
        """
        ...

    def find(self, key: str) -> Receipt | None:
        """The receipt of an earlier delivery with this key, if the receiver can be asked."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A gateway that can send several messages through one connection."""

    def session(self) -> AbstractContextManager[None]:
        """Keep a connection for this thread while the block runs."""
        ...


def message_id_of(key: str, from_address: str) -> str:
    """The Message-ID that belongs to a key: the same at each try, in each process.

    >>> message_id_of("7/escalation/1/standard-p4/0/email", "credit@seller.example")
    '<d4da4661c39085eb140b8d758b9baf47@seller.example>'
    """
    domain = from_address.rpartition("@")[2] or "localhost"
    return f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>"
