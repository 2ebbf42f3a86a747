"""Webhooks: a message as a signed JSON document, posted to an address two people agreed on.

See docs/webhooks.md for what a receiver checks. A repeat carries the same idempotency key, so that
it may be posted again whatever became of the first try.
"""

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from .gateways import OutgoingMessage, Receipt, Rejected, Unreachable
from .mailbox import name_of
from .vetting import Resolve, Target, addresses_of, vet

SECONDS_MAX = 5.0  # the whole call
ANSWER_BYTES_MAX = 65_536
BODY_BYTES_MAX = 65_536
SECRET_LENGTH_MIN = 32
MICROSECONDS = 1_000_000
LATER = frozenset({408, 409, 421, 423, 425, 429})  # the receiver asks to come again
# A numeric address with its port, and seconds, in; a connection out. Raises OSError.
Connect = Callable[[tuple[str, int], float], socket.socket]
TIMESTAMP, SIGNATURE, IDEMPOTENCY = "Dunwell-Timestamp", "Dunwell-Signature", "Idempotency-Key"


def signature_of(secret: str, timestamp: int, body: bytes) -> str:
    """What the receiver computes as well: HMAC-SHA256 over timestamp, a full stop, and the body.

    >>> signature_of("s" * 32, 1767225600, b"{}")[:24]
    'v1=0cea0fc90d297a1e5d83f'
    """
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


class WebhookGateway:
    """Posts each message to the address it carries. The receiver drops repeats of a key.

    Args:
        secret: shared with the receivers.
        loopback: whether this machine may be called; for development only.
        resolve: from a name to its addresses.
        connect: opens a connection to a numeric address and port, within seconds.
        tls_context: what to trust; the system's authorities when None.
    """

    name = "webhook"
    idempotent = True

    def __init__(
        self,
        secret: str,
        *,
        loopback: bool = False,
        resolve: Resolve = addresses_of,
        connect: Connect = socket.create_connection,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        if len(secret) < SECRET_LENGTH_MIN:
            raise ValueError(f"the secret of webhooks needs {SECRET_LENGTH_MIN} characters")
        self._secret = secret
        self.loopback = loopback
        self.resolve = resolve
        self.connect = connect
        self.tls_context = tls_context

    def find(self, key: str) -> Receipt | None:
        """Nobody asks a receiver; it gets the same key again."""
        return None

    def deliver(self, message: OutgoingMessage, about_to_send: Callable[[], None]) -> Receipt:
        """Post it; `about_to_send` is not needed, a repeat does no harm.

        Raises:
            Unreachable: no answer in time, or one that asks to come again.
            Rejected: the address may not be called, or the receiver refuses the message.
        """
        body = message.text.encode()
        if len(body) > BODY_BYTES_MAX:
            raise Rejected(f"the document has {len(body)} bytes, the limit BODY_BYTES_MAX is {BODY_BYTES_MAX}")
        until = time.monotonic() + SECONDS_MAX
        target = vet(message.to_address, self.resolve, SECONDS_MAX, loopback=self.loopback)
        connected = self._connect(target, until)
        watch = threading.Timer(max(0.01, until - time.monotonic()), _cut, (connected,))
        watch.daemon = True
        watch.start()
        try:
            status = self._post(connected, target, self._headers(message, body), body)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no answer: {type(error).__name__}") from error
        finally:
            watch.cancel()
            connected.close()
        return _judged(status)

    def _headers(self, message: OutgoingMessage, body: bytes) -> dict[str, str]:
        timestamp = message.at // MICROSECONDS
        return {
            "Content-Type": "application/json",
            "User-Agent": "Dunwell",
            TIMESTAMP: str(timestamp),
            SIGNATURE: signature_of(self._secret, timestamp, body),
            IDEMPOTENCY: name_of(message.key),
        }

    def _connect(self, target: Target, until: float) -> socket.socket:
        """A connection to one of the judged addresses, and to no other."""
        failed = "no address"
        for address in target.addresses:
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                plain = self.connect((address, target.port), left)
            except OSError as error:
                failed = type(error).__name__
                continue
            if not target.encrypted:
                return plain
            try:
                plain.settimeout(max(0.01, until - time.monotonic()))
                context = self.tls_context or ssl.create_default_context()
                return context.wrap_socket(plain, server_hostname=target.host)
            except OSError as error:  # of TLS as well
                plain.close()
                failed = type(error).__name__
        raise Unreachable(f"the receiver cannot be reached: {failed}")

    @staticmethod
    def _post(connected: socket.socket, target: Target, headers: Mapping[str, str], body: bytes) -> int:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = connected
        connection.request("POST", target.path, body=body, headers=dict(headers))
        answer = connection.getresponse()
        with suppress(OSError, http.client.HTTPException):  # what counts is the status
            answer.read(ANSWER_BYTES_MAX)
        return answer.status


def _judged(status: int) -> Receipt:
    if 200 <= status < 300:
        return Receipt(WebhookGateway.name, str(status))
    if status in LATER or status >= 500:
        raise Unreachable(f"the receiver answered {status}")
    if 300 <= status < 400:
        raise Rejected(f"the receiver answered {status}: redirects are not followed")
    raise Rejected(f"the receiver answered {status}")


def _cut(connected: socket.socket) -> None:
    """End a call that takes too long; the waiting thread sees a closed connection."""
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
