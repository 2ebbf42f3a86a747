"""Writing: a claimed message becomes the text that leaves, sealed and kept before it does.

What it says was fixed at the claim. Writing it out takes long, so it happens in no transaction.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.claims import Claim
from engine.database import upsert, write_rows
from engine.invoice_documents import PDF, Enclosed, content_of
from engine.pdf_files import joined
from engine.tables import Message
from ledger.canonical import sha256_of
from notifiers.gateways import Attachment, OutgoingMessage, message_id_of
from notifiers.manuscripts import Manuscript, statement_of, written
from notifiers.printing import Printed

if TYPE_CHECKING:
    from engine.runtime import Runtime


TEXT = ("sealed", "body_sha256", "template_sha256")
KEPT = ("action_id", "person_id", "message_id", *TEXT, "gateway", "composed_at")
NEWER = tuple(name for name in KEPT if name not in ("action_id", "message_id"))  # of a text that was written before


@dataclass(frozen=True, slots=True)
class Written:
    """A message ready to leave, and what is kept of it.

    Args:
        sealed: the text, with the key of the person it goes to.
        body_sha256: of what was sealed.
        template_sha256: of the template it was written by.
    """

    message: OutgoingMessage
    sealed: bytes
    body_sha256: str
    template_sha256: str


def write(runtime: "Runtime", claimed: Claim) -> Written:
    """Write a claimed message out and seal it; nothing is stored yet.

    Raises:
        ValueError: it cannot be written; its text says why.
    """
    go = claimed.go
    letter = written(go.letter) if isinstance(go.letter, Manuscript) else go.letter
    files = _attachments(runtime, claimed)
    pdf = letter.pdf if isinstance(letter, Printed) else b""
    if pdf and files:  # one envelope: what goes along are further pages
        pdf, files = joined([pdf, *(file.content for file in files)]), ()
    message = OutgoingMessage(
        key=claimed.key,
        message_id=_message_id(claimed),
        from_address=go.from_address,
        from_name=go.from_name,
        to_address=go.to_address,
        to_name=go.to_name,
        copies=go.copies,
        subject=letter.subject,
        text="" if isinstance(letter, Printed) else letter.text,
        html="" if isinstance(letter, Printed) else letter.html,
        language=letter.language,
        at=claimed.at,
        pdf=pdf,
        attachments=files,
    )
    kept = _kept(message, go.enclosed)
    return Written(message, runtime.vault.seal(go.person, kept), sha256_of(kept), letter.template)


def _attachments(runtime: "Runtime", claimed: Claim) -> tuple[Attachment, ...]:
    """The statement, then the documents of invoices in the order of what is owed."""
    go = claimed.go
    statement = statement_of(go.letter) if isinstance(go.letter, Manuscript) else None
    documents = [Attachment(one.name, PDF, content_of(runtime, one.sha256)) for one in go.enclosed]
    return (*((statement,) if statement else ()), *documents)


def keep(runtime: "Runtime", claimed: Claim, text: Written, gateway: str) -> None:
    """Store the text beside its action; in the transaction that has made sure that the action is ours."""
    person, message_id = claimed.go.person.id, text.message.message_id
    text_of = (text.sealed, text.body_sha256, text.template_sha256)
    row = (claimed.action_id, person, message_id, *text_of, gateway, claimed.at)
    write_rows(runtime.database, Message, KEPT, [row], upsert(["action_id"], NEWER))


def _message_id(claimed: Claim) -> str:
    """The same at each try, whatever the sender's address is by now."""
    known = Message.get_or_none(Message.action == claimed.action_id) if claimed.generation > 1 else None
    return message_id_of(claimed.key, claimed.go.from_address) if known is None else str(known.message_id)


def _kept_file(file: Attachment, documents: set[str]) -> dict[str, str]:
    """A file in what is kept: by its hash where it lies among the documents, else whole."""
    sha256 = hashlib.sha256(file.content).hexdigest()
    kept = {"name": file.name, "media_type": file.media_type, "sha256": sha256}
    return kept if sha256 in documents else kept | {"content": base64.b64encode(file.content).decode()}


def files_of(runtime: "Runtime", kept: Mapping[str, Any]) -> list[Attachment]:
    """The files that went with a message, byte for byte, from what was kept of it."""
    return [
        Attachment(
            one["name"],
            one["media_type"],
            base64.b64decode(one["content"]) if "content" in one else content_of(runtime, one["sha256"]),
        )
        for one in kept.get("attachments", ())
    ]


def _kept(message: OutgoingMessage, enclosed: Sequence[Enclosed]) -> dict[str, Any]:
    """What is kept of a message, to be sealed: the very words, or the very page, and what goes along."""
    kept: dict[str, Any] = {"to": message.to_address, "subject": message.subject}
    if message.attachments:
        own = {one.sha256 for one in enclosed}
        kept["attachments"] = [_kept_file(one, own) for one in message.attachments]
    if message.pdf:
        return kept | {"pdf": base64.b64encode(message.pdf).decode()}
    return kept | {"text": message.text, "html": message.html}
