"""A mailbox read over IMAP (RFC 9051): what came in since, by UID. Nothing in it is changed, moved or deleted."""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from threading import Timer
from urllib.parse import parse_qs, unquote, urlsplit

from ledger.problems import Problem

from .incoming import MAIL_BYTES_MAX
from .smtp import LOOPBACK, TLS_MODES

ANSWER_SECONDS_MAX = 20  # for one answer of the server
READING_SECONDS_MAX = 60  # for one visit to the mailbox
ANSWER_BYTES_MAX = MAIL_BYTES_MAX + 64_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PLACE = "DUNWELL_IMAP"


class InboxUnreadable(Exception):
    """The mailbox cannot be read now; the text repeats nothing the server or a mail said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer:
    """Where the mailbox is."""

    host: str
    port: int
    tls: str
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"

    @property
    def name(self) -> str:
        """What the mailbox is called: the same as long as it is the same mailbox."""
        return f"{self.user}@{self.host}/{self.folder}"


def parse_imap_url(url: str) -> tuple[ImapServer | None, list[Problem]]:
    """Read ``imaps://user:password@host:port/folder``; ``imap://`` means STARTTLS.

    ``?tls=starttls|ssl|none`` as for ``DUNWELL_SMTP``; ``none`` only on loopback. Problems never repeat the
    URL, which holds a password.
    """
    cure = "write imaps://user:password@host/INBOX"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None, [Problem(PLACE, "the port is not a number from 1 to 65535", cure)]
    if parts.scheme not in ("imap", "imaps"):
        return None, [Problem(PLACE, "the URL does not start with imap:// or imaps://", cure)]
    query = parse_qs(parts.query)
    default = "ssl" if parts.scheme == "imaps" else "none" if host in LOOPBACK else "starttls"
    tls = query.get("tls", [default])[-1]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    folder = unquote(parts.path.strip("/")) or "INBOX"
    problems = []
    if not host or not user or not password:
        problems.append(Problem(PLACE, "the URL lacks host, user or password", cure))
    if tls not in TLS_MODES:
        problems.append(Problem(PLACE, "tls is none of starttls, ssl, none", "write ?tls=starttls"))
    if tls == "none" and host not in LOOPBACK:
        problems.append(Problem(PLACE, "the password would travel unencrypted", "write ?tls=starttls or imaps://"))
    if not (folder.isascii() and folder.isprintable()) or '"' in folder or "\\" in folder:
        problems.append(Problem(PLACE, "the folder has characters that IMAP writes otherwise", "name a plain folder"))
    for unknown in sorted(query.keys() - {"tls"}):
        problems.append(Problem(PLACE, f"the option {unknown!r} is unknown", "use only tls"))
    if problems:
        return None, problems
    port = port or {"ssl": 993, "starttls": 143, "none": 143}[tls]
    return ImapServer(host=host, port=port, tls=tls, user=user, password=password, folder=folder), []


class _Bounded:
    """Refuses an answer that is larger than was asked for, before it is in memory."""

    def read(self, size: int) -> bytes:
        """So many bytes of an answer."""
        if size > ANSWER_BYTES_MAX:
            raise imaplib.IMAP4.abort("too large an answer")
        return super().read(size)  # type: ignore[misc,no-any-return]


class _Plain(_Bounded, imaplib.IMAP4):
    pass


class _Secure(_Bounded, imaplib.IMAP4_SSL):
    pass


class Inbox:
    """An open mailbox, read only.

    Args:
        uid_validity: UIDs mean the same mails as long as this is the same.
    """

    def __init__(self, connection: imaplib.IMAP4, uid_validity: int) -> None:
        self._connection, self.uid_validity = connection, uid_validity

    def uids_after(self, last: int, since: date | None = None) -> list[int]:
        """UIDs of mails above one, in their order.

        Args:
            since: only mails that came in from this day on.
        """
        asked = ["UID", f"{last + 1}:*"]
        if since is not None:
            asked += ["SINCE", f"{since.day:02d}-{MONTHS[since.month - 1]}-{since.year}"]
        said = self._asked("SEARCH", *asked)
        found = {int(word) for line in said if isinstance(line, bytes) for word in line.split() if word.isdigit()}
        return sorted(uid for uid in found if uid > last)  # "n:*" names the last mail even below n

    def content_of(self, uid: int) -> bytes | None:
        """The beginning of a mail, without marking it as read; None: it is gone."""
        said = self._asked("FETCH", str(uid), f"(UID BODY.PEEK[]<0.{MAIL_BYTES_MAX}>)")
        for part in said:
            if isinstance(part, tuple) and re.search(rb"BODY\[\]", part[0], re.IGNORECASE):
                return bytes(part[1][:MAIL_BYTES_MAX])
        return None

    def _asked(self, command: str, *words: str) -> Sequence[bytes | tuple[bytes, bytes] | None]:
        with _told():
            answer, said = self._connection.uid(command, *words)
        if answer != "OK":
            raise InboxUnreadable(f"the mail server refused {command}")
        return said


@contextmanager
def open_inbox(server: ImapServer, seconds: float = READING_SECONDS_MAX) -> Iterator[Inbox]:
    """Open a mailbox, for so many seconds at most, whatever its server does.

    Raises:
        InboxUnreadable: it cannot be reached, opened or understood.
    """
    with _told():
        connection = _connected(server)
    watch = Timer(seconds, _cut, [connection])
    watch.daemon = True
    watch.start()
    try:
        with _told():
            if server.tls == "starttls":
                connection.starttls(ssl.create_default_context())
        try:
            with _told():
                connection.login(server.user, server.password)
        except InboxUnreadable as error:
            raise InboxUnreadable(f"the login did not go through: {error}") from None
        with _told():
            answer, _ = connection.select(f'"{server.folder}"', readonly=True)
            _, said = connection.response("UIDVALIDITY")
        if answer != "OK" or not said or not isinstance(said[0], bytes) or not said[0].isdigit():
            raise InboxUnreadable("the folder cannot be opened")
        yield Inbox(connection, int(said[0]))
    finally:
        watch.cancel()
        with suppress(imaplib.IMAP4.error, OSError):
            connection.sock.settimeout(1)
            connection.logout()
        with suppress(imaplib.IMAP4.error, OSError):
            connection.shutdown()


def _connected(server: ImapServer) -> imaplib.IMAP4:
    if server.tls == "ssl":
        context = ssl.create_default_context()
        return _Secure(server.host, server.port, ssl_context=context, timeout=ANSWER_SECONDS_MAX)
    return _Plain(server.host, server.port, timeout=ANSWER_SECONDS_MAX)


def _cut(connection: imaplib.IMAP4) -> None:
    """End a visit that takes too long; the waiting thread sees a closed connection."""
    with suppress(OSError):
        connection.sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, in words of ours: a server's own may repeat a password or a mail."""
    try:
        yield
    except ssl.SSLError as error:
        raise InboxUnreadable(f"no secure connection: {error.reason or 'TLS failed'}") from None
    except TimeoutError:
        raise InboxUnreadable("the mail server took too long") from None
    except imaplib.IMAP4.abort:
        raise InboxUnreadable("the mail server broke off, or answered what is no IMAP") from None
    except imaplib.IMAP4.error:
        raise InboxUnreadable("the mail server said no") from None
    except OSError as error:
        raise InboxUnreadable(f"the mail server cannot be reached: {error.strerror or type(error).__name__}") from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):  # imaplib on what is no IMAP
        raise InboxUnreadable("the mail server answered what is no IMAP") from None
