"""E-mail by SMTP, step by step, so that a failure before DATA and one after it are told apart.

Before the content is handed over a broken connection is harmless: the message was not
accepted and may be tried again. Once content has left, only an answer tells; without one the
message is doubtful and a person decides.
"""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from ledger.problems import Problem

from .gateways import Doubtful, OutgoingMessage, Receipt, Rejected, Unreachable
from .mime import is_address, serialize

STEP_SECONDS_MAX = 20  # one answer of the server
CALL_SECONDS_MAX = 60  # the whole conversation
TLS_MODES = ("starttls", "ssl", "none")
BAD_ADDRESS_CODES = frozenset({550, 551, 553, 556})  # RFC 5321, 4.2.3: mailbox unavailable, moved, not allowed
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server as its URL describes it."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""


def parse_smtp_url(url: str) -> tuple[SmtpServer | None, list[Problem]]:
    """Read ``smtp://user:password@host:port?tls=starttls|ssl|none&from=address``.

    ``smtps://`` means ``tls=ssl``. Without ``tls`` it is ``starttls``, and ``none`` on loopback.
    Problems name the part that is wrong; they never repeat the URL, which holds a password.
    """
    place = "DUNWELL_SMTP"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None, [Problem(place, "the port is not a number from 1 to 65535", "write smtp://host:587")]
    if parts.scheme not in ("smtp", "smtps"):
        return None, [Problem(place, "the URL does not start with smtp:// or smtps://", "write smtp://host:587")]
    query = parse_qs(parts.query)
    default = "ssl" if parts.scheme == "smtps" else "none" if host in LOOPBACK else "starttls"
    tls = query.get("tls", [default])[-1]
    sender = query.get("from", [""])[-1]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    problems = []
    if not host:
        problems.append(Problem(place, "the URL names no host", "write smtp://host:587"))
    if tls not in TLS_MODES:
        problems.append(Problem(place, "tls is none of starttls, ssl, none", "write ?tls=starttls"))
    if tls == "none" and user and host not in LOOPBACK:
        problems.append(Problem(place, "the password would travel unencrypted", "write ?tls=starttls or ?tls=ssl"))
    if sender and not is_address(sender):
        problems.append(Problem(place, "from is not an e-mail address", "write &from=credit@seller.example"))
    for unknown in sorted(query.keys() - {"tls", "from"}):
        problems.append(Problem(place, f"the option {unknown!r} is unknown", "use only tls and from"))
    if problems:
        return None, problems
    port = port or {"ssl": 465, "starttls": 587, "none": 25}[tls]
    return SmtpServer(host=host, port=port, tls=tls, user=user, password=password, sender=sender), []


class Line:
    """A connection to a mail server, or none yet, with somebody who watches the clock of each call."""

    def __init__(self, call_seconds: float) -> None:
        self.call_seconds = call_seconds
        self.connection: smtplib.SMTP | None = None
        self._until: float | None = None  # when the call under way must be over
        self._over = threading.Event()
        self._watch: threading.Thread | None = None

    @contextmanager
    def call(self) -> Iterator[None]:
        """One call: it is cut when it takes too long."""
        self._until = time.monotonic() + self.call_seconds
        if self._watch is None:
            self._watch = threading.Thread(target=self._look_on, daemon=True)
            self._watch.start()
        try:
            yield
        finally:
            self._until = None

    def _look_on(self) -> None:
        """One thread for all calls of a line: a later call ends later, so it never sleeps too long."""
        wait = self.call_seconds
        while not self._over.wait(wait):
            until = self._until
            wait = self.call_seconds if until is None else until - time.monotonic()
            if wait <= 0:
                self.cut()
                wait = self.call_seconds

    def cut(self) -> None:
        """End a conversation that takes too long; the waiting thread sees a closed connection."""
        connection = self.connection
        with suppress(OSError):
            if connection is not None and connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    def part(self) -> None:
        """Close the connection, politely if that is possible."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        with suppress(smtplib.SMTPException, OSError):
            if connection.sock is not None:
                connection.sock.settimeout(1)
                connection.quit()
        connection.close()

    def end(self) -> None:
        """Close it for good."""
        self._over.set()
        self.part()


class _Own(threading.local):
    """What each thread has for itself: the connection of its session."""

    line: Line | None = None


class SmtpGateway:
    """Delivers to one mail server. Not idempotent: no mail server drops repeats.

    Args:
        server: where to.
        step_seconds: how long one answer may take.
        call_seconds: how long the whole conversation may take, whatever the server does.
        tls_context: what to trust; the system's authorities when None.
    """

    name = "smtp"
    idempotent = False

    def __init__(
        self,
        server: SmtpServer,
        *,
        step_seconds: float = STEP_SECONDS_MAX,
        call_seconds: float = CALL_SECONDS_MAX,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        self.server = server
        self.step_seconds = step_seconds
        self.call_seconds = call_seconds
        self.tls_context = tls_context
        self._own = _Own()

    def find(self, key: str) -> Receipt | None:
        """Nobody can ask a mail server what it has accepted."""
        return None

    @contextmanager
    def session(self) -> Iterator[None]:
        """Send this thread's messages through one connection while the block runs; it is made when it is needed."""
        line = self._own.line = Line(self.call_seconds)
        try:
            yield
        finally:
            self._own.line = None
            line.end()

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Send one message; see `notifiers.gateways.Gateway.deliver`."""
        if self._own.line is not None:
            return self._deliver(self._own.line, message, about_to_send)
        line = Line(self.call_seconds)
        try:
            return self._deliver(line, message, about_to_send)
        finally:
            line.end()

    def _deliver(self, line: Line, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        is_fine = False
        try:
            with line.call():
                connection, content = self._addressed(line, message)
                about_to_send()
                with _harmless():  # no content has left before the server answers 354
                    code, answer = connection.docmd("DATA")
                    if code != 354:
                        _accept((code, answer), "DATA")
                        raise Unreachable(f"DATA: the server answered {code}")
                receipt = self._hand_over(connection, content)
            is_fine = True
            return receipt
        finally:
            if not is_fine:
                line.part()

    def _addressed(self, line: Line, message: OutgoingMessage) -> tuple[smtplib.SMTP, bytes]:
        """Get the server to take sender and recipient; gives the connection and what it gets next.

        A server may have ended a connection that was idle, or wants no more mails by it: that is
        no failure of this message, so it is tried once on a new one.
        """
        if line.connection is not None:
            with suppress(Unreachable):
                return line.connection, self._envelope(line.connection, message)
            line.part()
        connection = self._connected(line)
        return connection, self._envelope(connection, message)

    def _connected(self, line: Line) -> smtplib.SMTP:
        """Connect and introduce ourselves."""
        server = self.server
        if server.tls == "ssl":
            context = self.tls_context or ssl.create_default_context()
            connection: smtplib.SMTP = smtplib.SMTP_SSL(timeout=self.step_seconds, context=context)
        else:
            connection = smtplib.SMTP(timeout=self.step_seconds)
        connection._host = server.host  # type: ignore[attr-defined]  # the name TLS checks; smtplib sets it only when it connects by itself
        line.connection = connection
        with _harmless(for_all=True):
            _accept(connection.connect(server.host, server.port), "connect")
            # Else the end of a message waits 40 ms for the server to acknowledge its beginning.
            if connection.sock is not None:
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                context = self.tls_context or ssl.create_default_context()
                _accept(connection.starttls(context=context), "STARTTLS")
                connection.ehlo_or_helo_if_needed()
            if server.user:
                connection.login(server.user, server.password)
        return connection

    def _envelope(self, connection: smtplib.SMTP, message: OutgoingMessage) -> bytes:
        """Name sender and recipient; gives the content."""
        international = not all(one.isascii() for one in (message.to_address, message.from_address, *message.copies))
        if international and not connection.has_extn("smtputf8"):
            raise Rejected("the mail server takes no address outside ASCII", address_is_bad=True)
        content = serialize(message, utf8=international)
        limit = connection.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < len(content):
            raise Rejected(f"the message has {len(content)} bytes, the mail server takes {limit}")
        with _harmless():
            options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
            _accept(connection.mail(message.from_address, options), "MAIL")
            _accept(connection.rcpt(message.to_address), "RCPT")
            for address in message.copies:  # one that is refused keeps nobody else from the mail
                connection.rcpt(address)
        return content

    def _hand_over(self, connection: smtplib.SMTP, content: bytes) -> Receipt:
        """From here on only an answer tells what became of the message."""
        dotted = content.replace(b"\n.", b"\n..")  # RFC 5321, 4.5.2; the first line is a header
        try:
            connection.send(dotted.removesuffix(b"\r\n") + b"\r\n.\r\n")
            code, answer = connection.getreply()
        except (smtplib.SMTPException, OSError) as error:
            raise Doubtful(f"after the content: {type(error).__name__}") from error
        if code == 250:
            return Receipt(self.name, f"250 {_text(answer)}")
        if 400 <= code < 500:
            raise Unreachable(f"after the content: {code} {_text(answer)}")
        if 500 <= code < 600:
            raise Rejected(f"after the content: {code} {_text(answer)}")
        raise Doubtful(f"after the content: the server answered {code}")


@contextmanager
def _harmless(*, for_all: bool = False) -> Iterator[None]:
    """Nothing has been handed over yet: whatever breaks here may be tried again."""
    try:
        yield
    except Unreachable as error:
        raise Unreachable(str(error), for_all=for_all) from error
    except smtplib.SMTPAuthenticationError as error:
        raise Unreachable(f"the mail server refuses the login: {error.smtp_code}", for_all=True) from error
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"before the content: {type(error).__name__}", for_all=for_all) from error


def _accept(answer: tuple[int, bytes], step: str) -> None:
    """Raise unless the server said yes (2xx)."""
    code, text = answer
    if 200 <= code < 300:
        return
    said = f"{step}: {code} {_text(text)}"
    if step in ("MAIL", "RCPT", "DATA") and 500 <= code < 600:
        raise Rejected(said, address_is_bad=step == "RCPT" and code in BAD_ADDRESS_CODES)
    raise Unreachable(said)


def _text(answer: bytes) -> str:
    """What the server said, short and printable; it may quote the address, so that is cut out."""
    words = answer.decode("utf-8", "replace").split()
    return " ".join("<address>" if "@" in word else word for word in words if word.isprintable())[:200]
