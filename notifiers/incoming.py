"""What a received mail is and says: a delivery status, an automatic answer, or words of a person.

Anybody may send anything. Reading never raises, follows nothing, and looks at so many bytes, parts and
lines at most. Whether a mail is an answer to one of ours is told by our Message-IDs, whose form is known
(``notifiers.gateways.message_id_of``): those of others are not even looked up.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email import policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr

from .own_words import html_to_text, own_words

MAIL_BYTES_MAX = 1_000_000  # what of a mail is read; a bounce has what matters in its beginning
TEXT_LENGTH_MAX = 100_000
HEADER_LENGTH_MAX = 2_000
PARTS_MAX = 50
BOUNDARIES_MAX = 50  # more are an attack on whoever opens boxes in boxes
BLOCKS_MAX = 5_000  # parted by empty lines
HEAD_BYTES_MAX = 100_000
HEAD_END = re.compile(rb"\n\r?\n")
REFERENCES_MAX = 50
OURS = re.compile(r"<[0-9a-f]{32}@[A-Za-z0-9.-]{1,253}>")
STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
REPLY_CODE = re.compile(r"(?<![\d.-])([45])[0-5]\d(?=[ -])")
UNKNOWN_USER = re.compile(r"user unknown|unknown user|no such user|does not exist|unbekannt|inexistant", re.IGNORECASE)
DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "maildaemon"})
AUTOMATIC_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply", "X-Vacation")
AUTOMATIC_PRECEDENCE = frozenset({"auto_reply", "bulk", "junk", "list"})
AUTOMATIC_SUBJECT = re.compile(
    r"(re: |aw: )?(automatic reply|auto:|out of office|automatische antwort|abwesenheit|réponse automatique|absence)",
    re.IGNORECASE,
)
# 5.1 is about the address; 5.0.0 says nothing better, 5.2.1 is a mailbox switched off, 5.4.4 a name that leads nowhere.
BAD_ADDRESS = re.compile(r"5\.(1\.\d+|0\.0|2\.1|4\.4)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A mail as it was read.

    Args:
        kind: hard_bounce | soft_bounce | automatic | written.
        refers_to: our Message-IDs in it, the most certain first.
        message_id: its own, or empty.
        sender, subject: one line each.
        text: all that is said in it; plain, without control characters.
        said: the same without what it quotes.
        status: of a bounce, as 5.1.1; or empty.
        recipients: addresses a bounce is about, in small letters.
        attachments: names of files that came along.
    """

    kind: str
    refers_to: tuple[str, ...] = ()
    message_id: str = ""
    sender: str = ""
    subject: str = ""
    text: str = ""
    said: str = ""
    status: str = ""
    recipients: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()

    @property
    def address_is_bad(self) -> bool:
        """Whether a bounce says that the address is wrong, and not that this one message was not wanted."""
        return self.kind == "hard_bounce" and BAD_ADDRESS.fullmatch(self.status) is not None


def read_mail(content: bytes) -> Incoming:
    """Read the bytes of a mail.

    Args:
        content: as received; what is beyond ``MAIL_BYTES_MAX`` is not looked at.
    """
    content = content[:MAIL_BYTES_MAX]
    try:
        head = HEAD_END.split(content, maxsplit=1)[0]
        content = head[:HEAD_BYTES_MAX] if len(head) > HEAD_BYTES_MAX else content
        flat = content.lower().count(b"boundary") > BOUNDARIES_MAX or len(HEAD_END.findall(content)) > BLOCKS_MAX
        mail = BytesParser(policy=policy.compat32).parsebytes(content, headersonly=flat)
        return _read(mail)
    except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError):
        # The parser of the standard library means to accept everything; what it stumbles over a person reads.
        return Incoming(kind="written", text=clean(content.decode("utf-8", "replace")), said="")


def _read(mail: Message) -> Incoming:
    parts = list(_parts(mail))
    text = _text_of(parts)
    whole = Incoming(
        kind="automatic" if _is_automatic(mail, parts) else "written",
        message_id=clean(_header(mail, "Message-ID"), one_line=True)[:255],
        sender=clean(_header(mail, "From"), one_line=True),
        subject=clean(_header(mail, "Subject"), one_line=True),
        text=text,
        said=own_words(text),
        attachments=tuple(name for part in parts if (name := _file_name(part))),
    )
    status = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    if status is not None:
        return _delivery_status(mail, parts, status, whole)
    if _is_daemon(mail):
        return _unstructured_bounce(mail, parts, whole)
    return replace(whole, refers_to=_references(mail, parts, deep=whole.kind == "automatic"))


def _parts(mail: Message) -> Iterator[Message]:
    """Parts from the outside in, without what is inside an attached mail; so many at most."""
    waiting, seen = [mail], 0
    while waiting and seen < PARTS_MAX:
        part = waiting.pop(0)
        seen += 1
        yield part
        inside = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inside, list):
            waiting[:0] = [one for one in inside[:PARTS_MAX] if isinstance(one, Message)]


# --- bounces ---------------------------------------------------------------------------


def _delivery_status(mail: Message, parts: list[Message], status: Message, whole: Incoming) -> Incoming:
    """RFC 3464: a block about the message, then one for each recipient."""
    blocks = status.get_payload()
    worst, code, recipients = "automatic", "", []
    for block in blocks[:PARTS_MAX] if isinstance(blocks, list) else ():
        if not isinstance(block, Message):
            continue
        action = _header(block, "Action").strip().lower()
        if not action:
            continue
        recipients += [_recipient(block, name) for name in ("Final-Recipient", "Original-Recipient")]
        found = _status(_header(block, "Status")) or _status(_header(block, "Diagnostic-Code"))
        if action == "failed" and not found.startswith("4"):
            worst, code = "hard_bounce", found if found.startswith("5") else "5.0.0"
        elif action in ("failed", "delayed") and worst != "hard_bounce":
            worst, code = "soft_bounce", found
    return replace(
        whole,
        kind=worst,
        refers_to=_references(mail, parts, deep=True),
        status=code,
        recipients=tuple(sorted({one for one in recipients if one})),
    )


def _unstructured_bounce(mail: Message, parts: list[Message], whole: Incoming) -> Incoming:
    """A bounce in words only, as older servers write it: the first code in its text counts."""
    code = _status(whole.text)
    if not code and UNKNOWN_USER.search(whole.text):
        code = "5.1.1"
    failed = _header(mail, "X-Failed-Recipients").lower()
    kind = {"5": "hard_bounce", "4": "soft_bounce"}.get(code[:1], "soft_bounce" if failed else "automatic")
    return replace(
        whole,
        kind=kind,
        refers_to=_references(mail, parts, deep=True),
        status=code,
        recipients=tuple(one.strip() for one in failed.split(",") if "@" in one)[:PARTS_MAX],
    )


def _is_daemon(mail: Message) -> bool:
    sender = parseaddr(_header(mail, "From"))[1].partition("@")[0].lower()
    return sender in DAEMONS or mail.get("X-Failed-Recipients") is not None


def _status(text: str) -> str:
    """The first enhanced status of a text, or what a reply code stands for.

    >>> _status("smtp; 550 5.1.1 <x@y.example> user unknown"), _status("550 no such user"), _status("fine")
    ('5.1.1', '5.0.0', '')
    """
    text = text[:TEXT_LENGTH_MAX]
    enhanced = STATUS.search(text)
    if enhanced is not None and enhanced[1] != "2":
        return enhanced[0]
    code = REPLY_CODE.search(text)
    return f"{code[1]}.0.0" if code is not None else ""


def _recipient(block: Message, name: str) -> str:
    return _header(block, name).rpartition(";")[2].strip(" <>").lower()


# --- answers ---------------------------------------------------------------------------


def _is_automatic(mail: Message, parts: list[Message]) -> bool:
    """RFC 3834, and what programs write that do not keep to it."""
    submitted = _header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or any(mail.get(name) is not None for name in AUTOMATIC_HEADERS)
        or _header(mail, "Precedence").strip().lower() in AUTOMATIC_PRECEDENCE
        or AUTOMATIC_SUBJECT.match(clean(_header(mail, "Subject"), one_line=True)) is not None
        or any(part.get_content_type() == "message/disposition-notification" for part in parts)
    )


def _references(mail: Message, parts: list[Message], *, deep: bool) -> tuple[str, ...]:
    """Our Message-IDs a mail names.

    Args:
        deep: also in attached mails and headers, and in its text; a person's text may quote anything.
    """
    found = [*OURS.findall(_header(mail, "In-Reply-To")), *reversed(OURS.findall(_header(mail, "References", 20_000)))]
    if deep:
        attached: list[str] = []
        for part in parts:
            kind = part.get_content_type()
            if kind == "message/rfc822":
                inside = part.get_payload()
                first = inside[0] if isinstance(inside, list) and inside else None
                attached += OURS.findall(_header(first, "Message-ID")) if isinstance(first, Message) else []
            elif kind in ("text/rfc822-headers", "message/rfc822-headers"):
                attached += OURS.findall(_decoded(part))
            elif kind in ("message/delivery-status", "message/disposition-notification"):
                attached += OURS.findall(_header_of_blocks(part, "Original-Message-ID"))
        found = [*attached, *found, *OURS.findall(_text_of(parts))]
    return tuple(dict.fromkeys(found))[:REFERENCES_MAX]


def _header_of_blocks(part: Message, name: str) -> str:
    blocks = part.get_payload()
    if not isinstance(blocks, list):
        return str(blocks)[:HEADER_LENGTH_MAX]
    return " ".join(_header(block, name) for block in blocks[:PARTS_MAX] if isinstance(block, Message))


# --- words -----------------------------------------------------------------------------


def _text_of(parts: list[Message]) -> str:
    """The first plain text, else the first HTML as text; files that came along are not read."""
    shown = [part for part in parts if not _file_name(part)]
    for kind in ("text/plain", "text/html"):
        for part in shown:
            if part.get_content_type() == kind:
                text = _decoded(part)
                return clean(html_to_text(text) if kind == "text/html" else text)
    return ""


def _decoded(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    content = content[: 4 * TEXT_LENGTH_MAX]
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):  # a charset nobody knows, or one that is no text
        return content.decode("utf-8", "replace")


def _file_name(part: Message) -> str:
    if part.get_content_disposition() != "attachment" and not part.get_filename():
        return ""
    return clean(str(part.get_filename() or part.get_content_type()), one_line=True)[:100]


def _header(mail: Message, name: str, limit: int = HEADER_LENGTH_MAX) -> str:
    """A header in readable characters; empty where it is missing."""
    raw = next((str(value) for key, value in mail.raw_items() if key.lower() == name.lower()), "")[:limit]
    raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # what is written without encoding it
    if "=?" not in raw:
        return raw
    try:
        pieces = decode_header(raw)
        return "".join(
            piece if isinstance(piece, str) else piece.decode(charset or "ascii", "replace")
            for piece, charset in pieces
        )
    except (MessageError, LookupError, ValueError):
        return raw


def clean(text: str, *, one_line: bool = False) -> str:
    """Without characters that are not seen, such as those that turn the direction of writing around.

    >>> clean("paid" + chr(0x202E) + chr(0) + " today" + chr(13) + chr(10) + "thanks")
    'paid today\\nthanks'
    """
    text = text[:TEXT_LENGTH_MAX].replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())[:500] if one_line else kept.strip()
