"""An outgoing message as the bytes that travel (RFC 5322): text and HTML, files, stable identity."""

import base64
import binascii
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import Any

from .gateways import MESSAGE_BYTES_MAX, Attachment, OutgoingMessage, Rejected

MICROSECONDS = 1_000_000
LINE_MAX = 78  # signs of a header's line (RFC 5322, 2.1.1); the standard library folds longer ones
# What the standard library would write exactly as it stands.
PLAIN_NAME = re.compile(r"(?:[A-Za-z0-9]+(?: [A-Za-z0-9]+)*)?")
PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
PLAIN_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.,:;/()+-]*(?: [A-Za-z0-9.,:;/()+-]+)*")
PLAIN_ID = re.compile(rf"<{PLAIN_ADDRESS.pattern}>")
ADDRESS = re.compile(r"[^@\s\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}@[^@\s\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,253}")


def one_line(text: str, limit: int = 200) -> str:
    r"""Make text fit for a header: no control character, so that nobody can add a header.

    >>> one_line("Smith\r\nBcc: all@example.org")
    'Smith Bcc: all@example.org'
    """
    printable = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
    return " ".join(printable.split())[:limit]


def is_address(text: str) -> bool:
    """Whether the text may stand as an e-mail address (it may still not exist).

    >>> is_address("payables@customer.example"), is_address("payables"), is_address("a@b, c@d")
    (True, False, False)
    """
    return ADDRESS.fullmatch(text) is not None and text.isprintable()


def to_bytes(message: OutgoingMessage) -> bytes:
    """Serialize a message; the same message gives the same bytes.

    Raises:
        Rejected: an address cannot be written, or the message is larger than
            `MESSAGE_BYTES_MAX`.
    """
    return serialize(message, utf8=False)


def serialize(message: OutgoingMessage, *, utf8: bool) -> bytes:
    """As `to_bytes`; with `utf8` an address may hold characters outside ASCII (RFC 6531).

    The standard library writes what needs care, names or a subject outside plain ASCII. The rest is put
    together here: its generator takes five times as long, a header thirty times.
    """
    policy = SMTP.clone(utf8=utf8)
    head = [
        _mailbox("From", message.from_name, message.from_address, policy),
        _mailbox("To", message.to_name, message.to_address, policy, its_own_fault=True),
    ]
    if message.copies:
        head.append(_folded("Cc", [_address("", address) for address in message.copies], policy))
    head += [_line("Subject", one_line(message.subject), policy), _line("Message-ID", message.message_id, policy)]
    # A boundary made from the key keeps the bytes equal at each repeat.
    boundary = f"=_{message.message_id.strip('<>').partition('@')[0]}_"
    content = _multipart("alternative", f"{boundary}=", [_text("plain", message.text), _text("html", message.html)])
    if message.attachments:
        files = [_file(file, policy) for file in message.attachments]
        content = _multipart("mixed", f"{boundary}files_=", [content, *files])
    lines = [
        *head,
        f"Date: {format_datetime(datetime.fromtimestamp(message.at // MICROSECONDS, UTC))}\r\n".encode(),
        b"Auto-Submitted: auto-generated\r\n",  # RFC 3834: keeps out-of-office answers away
        b"X-Auto-Response-Suppress: OOF, AutoReply\r\n",
        f"Content-Language: {message.language}\r\n".encode(),
        b"MIME-Version: 1.0\r\n",
    ]
    whole = b"".join([*lines, content])
    if len(whole) > MESSAGE_BYTES_MAX:
        raise Rejected(f"the message has {len(whole)} bytes, the limit MESSAGE_BYTES_MAX is {MESSAGE_BYTES_MAX}")
    return whole


def _mailbox(
    name: str, whom: str, address: str, policy: "EmailPolicy[EmailMessage]", *, its_own_fault: bool = False
) -> bytes:
    """A header that names one person."""
    whom = one_line(whom, 100)
    if PLAIN_NAME.fullmatch(whom) and PLAIN_ADDRESS.fullmatch(address):
        line = f"{name}: {whom} <{address}>" if whom else f"{name}: {address}"
        if len(line) <= LINE_MAX:
            return f"{line}\r\n".encode()
    return _folded(name, _address(whom, address, its_own_fault=its_own_fault), policy)


def _line(name: str, text: str, policy: "EmailPolicy[EmailMessage]") -> bytes:
    """A header of one text."""
    line = f"{name}: {text}"
    is_plain = PLAIN_TEXT.fullmatch(text) or (name == "Message-ID" and PLAIN_ID.fullmatch(text))
    return f"{line}\r\n".encode() if is_plain and len(line) <= LINE_MAX else _folded(name, text, policy)


def _folded(name: str, value: Any, policy: "EmailPolicy[EmailMessage]") -> bytes:
    """A header as the standard library writes it."""
    head = EmailMessage(policy=policy)
    head[name] = value
    return policy.fold_binary(name, head[name])


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    """Parts, each with its own headers, as one (RFC 2046); none of them can hold the boundary, which has a "="."""
    between = f"\r\n--{boundary}\r\n".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n'.encode()
    return head + between + between.join(parts) + f"\r\n--{boundary}--\r\n".encode()


def _text(kind: str, text: str) -> bytes:
    """A text as quoted-printable (RFC 2045, 6.7)."""
    plain = "\n".join(text.splitlines()) + "\n"
    body = binascii.b2a_qp(plain.encode("utf-8", "surrogateescape"), istext=True).replace(b"\n", b"\r\n")
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode() + body


def _file(file: Attachment, policy: "EmailPolicy[EmailMessage]") -> bytes:
    """A file as base64."""
    head = EmailMessage(policy=policy)
    head["Content-Type"] = file.media_type
    head.add_header("Content-Disposition", "attachment", filename=one_line(file.name, 100))
    lines = [policy.fold_binary(name, value) for name, value in head.items()]
    encoded = base64.encodebytes(file.content).replace(b"\n", b"\r\n")
    return b"".join([*lines, b"Content-Transfer-Encoding: base64\r\n\r\n", encoded])


def _address(name: str, address: str, *, its_own_fault: bool = False) -> Address:
    if not is_address(address):
        raise Rejected("the address is not an e-mail address", address_is_bad=its_own_fault)
    return Address(display_name=one_line(name, 100), addr_spec=address)
