"""An outgoing message as the bytes that travel (RFC 5322): text and HTML, files, stable identity."""

import re
import unicodedata
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from .gateways import MESSAGE_BYTES_MAX, OutgoingMessage, Rejected

MICROSECONDS = 1_000_000
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
    """As `to_bytes`; with `utf8` an address may hold characters outside ASCII (RFC 6531)."""
    mail = EmailMessage(policy=SMTP.clone(utf8=utf8))
    mail["From"] = _address(message.from_name, message.from_address)
    mail["To"] = _address(message.to_name, message.to_address, its_own_fault=True)
    if message.copies:
        mail["Cc"] = [_address("", address) for address in message.copies]
    mail["Subject"] = one_line(message.subject)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at // MICROSECONDS, UTC))
    mail["Message-ID"] = message.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps out-of-office answers away
    mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    mail["Content-Language"] = message.language
    mail.set_content(message.text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", charset="utf-8", cte="quoted-printable")
    # A boundary made from the key keeps the bytes equal at each repeat.
    boundary = message.message_id.strip("<>").partition("@")[0]
    mail.set_boundary(f"=_{boundary}_=")
    for attached in message.attachments:
        kind, _, subtype = attached.media_type.partition("/")
        mail.add_attachment(attached.content, maintype=kind, subtype=subtype, filename=one_line(attached.name, 100))
    if message.attachments:  # the mail is mixed now, and what was the mail is its first part
        mail.set_boundary(f"=_{boundary}_files_=")
    content = mail.as_bytes()
    if len(content) > MESSAGE_BYTES_MAX:
        raise Rejected(f"the message has {len(content)} bytes, the limit MESSAGE_BYTES_MAX is {MESSAGE_BYTES_MAX}")
    return content


def _address(name: str, address: str, *, its_own_fault: bool = False) -> Address:
    if not is_address(address):
        raise Rejected("the address is not an e-mail address", address_is_bad=its_own_fault)
    return Address(display_name=one_line(name, 100), addr_spec=address)
