"""Invoice documents: the PDF of an invoice, kept beside it, shown to whoever may see the customer, sent along.

Contents are sealed and lie in the database, named by their sha256: a backup holds them, every host
reads them, and the same file is there once.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peewee import ModelSelect

from engine.commands import Change, Command, Context, Invalid, NotFound, register
from engine.pdf_files import fault_within
from engine.tables import Customer, DocumentContent, DueLine, Entity, InvoiceDocument
from notifiers.gateways import MESSAGE_BYTES_MAX
from notifiers.mime import one_line

if TYPE_CHECKING:
    from engine.runtime import Runtime

DOCUMENT_BYTES_MAX = 5_000_000
DOCUMENTS_MAX = 20  # of one invoice
NAME_LENGTH_MAX = 120
PDF = "application/pdf"
HEAD, END_BYTES = re.compile(rb"%PDF-[12]\.[0-9]"), 2_048  # how a PDF begins, and where it must have ended
# What the words of a mail and its statement may need of MESSAGE_BYTES_MAX; the rest is for documents.
TEXT_BYTES = 2_000_000
NUMBERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A document that goes along with a message.

    Args:
        number: of its invoice.
        name: of the file.
        sha256, size: of its content, bytes.
    """

    number: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class AttachInvoiceDocument(Command):
    """Keep the PDF of an invoice; the same file again changes nothing.

    Args:
        customer: id.
        number: of the invoice.
        name: of the file.
        content: its bytes.
    """

    customer: int
    number: str
    name: str
    content: bytes


@register(AttachInvoiceDocument, permission="import.run")
def attach_invoice_document(context: Context, command: AttachInvoiceDocument) -> Change:
    """Keep it, if it is a PDF of an invoice there is."""
    customer = context.customer(command.customer)
    if not DueLine.select().where(DueLine.customer == customer, DueLine.number == command.number).exists():
        raise Invalid.because("number", f"{customer.number} has no invoice {command.number!r}", "give another number")
    fault = fault_of(command.content) or fault_within(command.content)
    if fault is not None:
        raise Invalid.because("content", *fault)
    name = file_name(command.name)
    sha256 = hashlib.sha256(command.content).hexdigest()
    runtime = context.runtime
    DocumentContent.insert(
        sha256=sha256, sealed=runtime.vault.seal_file(command.content)
    ).on_conflict_ignore().execute()
    own = (InvoiceDocument.customer == customer) & (InvoiceDocument.number == command.number)
    known = InvoiceDocument.get_or_none(own, InvoiceDocument.sha256 == sha256)
    is_new = known is None or known.removed_at is not None
    if is_new and InvoiceDocument.select().where(own, InvoiceDocument.removed_at.is_null()).count() >= DOCUMENTS_MAX:
        raise Invalid.because("number", f"has {DOCUMENTS_MAX} documents already", "remove one of them first")
    if known is None:
        known = InvoiceDocument.create(
            customer=customer,
            number=command.number,
            name=name,
            sha256=sha256,
            size=len(command.content),
            added_at=context.at,
            added_by=command.actor,
        )
    elif is_new:
        InvoiceDocument.update(name=name, removed_at=None).where(InvoiceDocument.id == known.id).execute()
    return Change(
        subject_kind="invoice_document",
        subject_id=known.id,
        after={"customer": customer.id, "number": command.number, "sha256": sha256, "bytes": len(command.content)},
        answer={"document": known.id, "sha256": sha256, "new": is_new},
        entity_id=customer.entity_id,
    )


@dataclass(frozen=True, kw_only=True)
class RemoveInvoiceDocument(Command):
    """Take a document away from its invoice; letters it went out with keep it.

    Args:
        invoice_document: id.
    """

    invoice_document: int


@register(RemoveInvoiceDocument, permission="import.run")
def remove_invoice_document(context: Context, command: RemoveInvoiceDocument) -> Change:
    """Show and send it no more."""
    found: InvoiceDocument | None = InvoiceDocument.get_or_none(
        InvoiceDocument.id == command.invoice_document, InvoiceDocument.removed_at.is_null()
    )
    if found is None:
        raise NotFound(f"no document {command.invoice_document}")
    customer = context.customer(found.customer_id)
    InvoiceDocument.update(removed_at=context.at).where(InvoiceDocument.id == found.id).execute()
    return Change(
        subject_kind="invoice_document",
        subject_id=found.id,
        before={"customer": customer.id, "number": found.number, "sha256": found.sha256},
        answer={"document": found.id},
        entity_id=customer.entity_id,
    )


def fault_of(content: bytes) -> tuple[str, str] | None:
    r"""What is wrong with a file that should be a PDF, by its looks, and the cure; None: it looks like one.

    >>> fault_of(b"%PDF-1.7\n...\nstartxref\n9\n%%EOF\n"), fault_of(b"PK\x03\x04")
    (None, ('is no PDF', 'print the invoice to a PDF file'))
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        return f"has {len(content):,} bytes, at most {DOCUMENT_BYTES_MAX:,} are kept", "make it smaller"
    if HEAD.match(content) is None:
        return "is no PDF", "print the invoice to a PDF file"
    if b"startxref" not in content[-END_BYTES:] or b"%%EOF" not in content[-END_BYTES:]:
        return "is a PDF whose end is missing", "copy the file again"
    return None


def file_name(name: str) -> str:
    """The name a document is shown and sent by: one line, no folder, with its ending.

    >>> file_name("C:\\\\invoices\\\\R-1.PDF"), file_name("../R-2")
    ('R-1.PDF', 'R-2.pdf')
    """
    kept = one_line(name.replace("\\", "/").rpartition("/")[2], NAME_LENGTH_MAX).strip(". ") or "invoice"
    return kept if kept.lower().endswith(".pdf") else f"{kept[: NAME_LENGTH_MAX - 4]}.pdf"


def documents_of(customer: Customer | int, numbers: Iterable[str] | None = None) -> ModelSelect:
    """Documents of a customer's invoices, by number and as they came.

    Args:
        numbers: of invoices; by default of all.
    """
    query = InvoiceDocument.select().where(InvoiceDocument.customer == customer, InvoiceDocument.removed_at.is_null())
    if numbers is not None:
        query = query.where(InvoiceDocument.number.in_(list(numbers)))
    return query.order_by(InvoiceDocument.number, InvoiceDocument.id)


def content_of(runtime: "Runtime", sha256: str) -> bytes:
    """The bytes of a document.

    Raises:
        DocumentContent.DoesNotExist: there is none of that name.
        WrongSecret: what is kept does not open, or is another file.
    """
    return runtime.vault.open_file(DocumentContent.get_by_id(sha256).sealed, sha256)


def travelling_bytes(size: int) -> int:
    """How many bytes a file takes in a mail: base64 in lines, and its headers.

    >>> travelling_bytes(57)
    578
    """
    return -(-size // 57) * 78 + 500


def enclosed_in(
    wanted: Sequence[str], documents: Iterable[InvoiceDocument]
) -> tuple[list[Enclosed], list[str], list[str]]:
    """Which documents go along: those of the first invoices first, as long as there is room.

    Args:
        wanted: numbers of invoices, the one that matters most first.

    Returns:
        What goes along; invoices a document of which does not fit; invoices without any.
    """
    by_number: dict[str, list[InvoiceDocument]] = {}
    for document in documents:
        by_number.setdefault(document.number, []).append(document)
    room = MESSAGE_BYTES_MAX - TEXT_BYTES
    taken: list[Enclosed] = []
    too_large: list[str] = []
    for number in wanted:
        own = by_number.get(number, [])
        size = sum(travelling_bytes(document.size) for document in own)
        if size > room:
            too_large.append(number)
            continue
        room -= size
        taken += [Enclosed(number, one.name, one.sha256, one.size) for one in own]
    return taken, too_large, [number for number in wanted if number not in by_number]


# --- a folder of files -----------------------------------------------------------------


def numbers_in(stem: str) -> list[str]:
    """Invoice numbers a file's name may say, the likeliest first.

    The whole name, or its beginning or end at a blank, dash or underscore; a number with a slash is
    written with one of these instead.

    >>> numbers_in("Invoice_R-1")
    ['Invoice_R-1', 'R-1', 'Invoice_R', '1', 'Invoice', 'Invoice/R-1', 'Invoice/R', 'Invoice_R/1', 'R/1']
    """
    cuts = [place.start() for place in re.finditer(r"[ _-]", stem)]
    found = [stem]
    for last, first in zip(cuts, reversed(cuts), strict=True):
        found += [stem[last + 1 :], stem[:first]]
    slashed = [re.sub(r"_", "/", one) for one in found] + [re.sub(r"-", "/", one) for one in found]
    return [one for one in dict.fromkeys([*found, *slashed]) if one]


def invoices_named(entity: Entity, stems: Sequence[str]) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """For each name of a file the invoice it names, and the customers who have one of that number; absent: none."""
    candidates = {stem: numbers_in(stem) for stem in stems}
    wanted = sorted({number for numbers in candidates.values() for number in numbers})
    owners: dict[str, set[int]] = {}
    for start in range(0, len(wanted), NUMBERS_AT_ONCE):
        chunk = wanted[start : start + NUMBERS_AT_ONCE]
        rows = DueLine.select(DueLine.number, DueLine.customer_id).where(
            DueLine.entity_id == entity.id, DueLine.number.in_(chunk)
        )
        for number, customer in rows.distinct().tuples():
            owners.setdefault(number, set()).add(customer)
    found = {}
    for stem, numbers in candidates.items():
        number = next((one for one in numbers if one in owners), None)
        if number is not None:
            found[stem] = (number, tuple(sorted(owners[number])))
    return found
