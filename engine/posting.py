"""Posting: letters of an entity are printed together, posted together, and said to be posted with evidence.

A batch is closed over the letters that lie in the print folder by then; its PDF is made anew from what
was kept of each letter, so that it can be printed again byte for byte.
"""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import ModelSelect, fn
from pypdf import PdfReader, PdfWriter

from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    NotFound,
    expect_version,
    register,
    update_version,
)
from engine.doors import LETTER
from engine.tables import Action, BatchLetter, Customer, Entity, LetterBatch, Message, Person
from engine.vault import Erased

if TYPE_CHECKING:
    from engine.runtime import Runtime

PRINTED_HERE, ON_TRIAL = "print_folder", "trial_letters"  # gateways
ORDERS = ("postcode", "customer")
LETTERS_MAX = 500  # of one batch; the rest goes into the next
EVIDENCE_LENGTH_MAX = 500


@dataclass(frozen=True, kw_only=True)
class CloseBatch(Command):
    """Put the letters that wait in the print folder into one batch.

    Args:
        entity: its code.
        sorted_by: one of ``ORDERS``.
    """

    entity: str
    sorted_by: str = "postcode"


@register(CloseBatch, permission="actions.work", person_only=True)
def close_batch(context: Context, command: CloseBatch) -> Change:
    """Letters written on trial never come into a batch with real ones."""
    entity = context.entity(command.entity)
    if command.sorted_by not in ORDERS:
        raise Invalid.because("sorted_by", f"is {command.sorted_by!r}", f"choose {' or '.join(ORDERS)}")
    trial = not unbatched(entity, PRINTED_HERE).exists()
    rows = list(unbatched(entity, ON_TRIAL if trial else PRINTED_HERE).order_by(Action.id).limit(LETTERS_MAX))
    if not rows:
        raise Invalid.because("entity", "has no letter that waits for the printer", "wait until one is written")
    batch = LetterBatch.create(
        entity=entity,
        until_day=context.today(entity),
        sorted_by=command.sorted_by,
        trial=trial,
        letters=len(rows),
        closed_by=context.actor,
        closed_at=context.at,
    )
    rows.sort(key=lambda row: _place(context.runtime, row, command.sorted_by))
    BatchLetter.insert_many(
        [{"batch": batch.id, "action": row.id, "position": position} for position, row in enumerate(rows, 1)]
    ).execute()
    after = {"batch": batch.id, "letters": len(rows), "trial": trial}
    return Change(subject_kind="letter_batch", subject_id=batch.id, after=after, answer=after, entity_id=entity.id)


@dataclass(frozen=True, kw_only=True)
class PostBatch(Command):
    """Say that a batch was printed and posted.

    Args:
        batch: its id.
        evidence: what shows it: number of the receipt, of the pick-up, of the posting list.
        version: of the row the actor saw.
    """

    batch: int
    evidence: str
    version: int | None = None


@register(PostBatch, permission="actions.work", person_only=True)
def post_batch(context: Context, command: PostBatch) -> Change:
    """It is posted once; a batch written on trial never is."""
    batch: LetterBatch | None = LetterBatch.get_or_none(LetterBatch.id == command.batch)
    if batch is None:
        raise NotFound(f"no batch {command.batch}")
    entity = context.entity(batch.entity_id)
    expect_version(batch, command.version)
    if batch.trial:
        raise Invalid.because("batch", "was written on trial", "print what is written once sending is on for real")
    if batch.state != "closed":
        raise Conflict(f"batch {batch.id} is {batch.state} already", current={"state": batch.state})
    evidence = " ".join(command.evidence.split())
    if not 0 < len(evidence) <= EVIDENCE_LENGTH_MAX:
        cure = f"give 1 to {EVIDENCE_LENGTH_MAX} characters: the number of the receipt, for example"
        raise Invalid.because("evidence", "is missing or too long", cure)
    update_version(batch, state="posted", posted_by=context.actor, posted_at=context.at, evidence=evidence)
    after = {"state": "posted", "evidence": evidence}
    return Change(
        subject_kind="letter_batch",
        subject_id=batch.id,
        before={"state": "closed"},
        after=after,
        answer={"batch": batch.id, **after},
        entity_id=entity.id,
    )


def unbatched(entity: Entity, *gateways: str) -> ModelSelect:
    """Letters that left by a gateway and are in no batch yet, with what was kept of them."""
    in_batch = BatchLetter.select(BatchLetter.id).where(BatchLetter.action == Action.id)
    return _letters().where(
        Action.entity_id == entity.id,
        Action.state == "sent",
        fn.COALESCE(Action.sends_by, Action.channel) == LETTER,
        Message.gateway.in_(gateways or (PRINTED_HERE, ON_TRIAL)),
        ~fn.EXISTS(in_batch),
    )


def _letters() -> ModelSelect:
    return (
        Action.select(Action, Message, Customer, Person)
        .join(Message, on=(Message.action == Action.id), attr="message")
        .join(Person)
        .switch(Action)
        .join(Customer)
    )


def _place(runtime: "Runtime", row: Action, sorted_by: str) -> tuple[str, str, str, int]:
    """Total order of letters in a batch."""
    number = str(row.customer.number)
    if sorted_by == "customer":
        return "", "", number, row.id
    known = runtime.vault.open_person(row.message.person) or {}
    country = str(known.get("country") or row.customer.country or "")
    return country, str(known.get("postcode") or ""), number, row.id


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedLetter:
    """A letter in its batch.

    Args:
        pdf: None where the person it went to was erased since.
        pages: of the PDF.
    """

    position: int
    action: int
    customer: Customer
    to: str
    pages: int
    pdf: bytes | None


def letters_of(runtime: "Runtime", batch: LetterBatch) -> Iterator[BatchedLetter]:
    """The letters of a batch in its order, each opened when its turn comes."""
    rows = (
        _letters()
        .select_extend(BatchLetter.position)
        .switch(Action)
        .join(BatchLetter, on=(BatchLetter.action == Action.id), attr="place")
        .where(BatchLetter.batch == batch)
        .order_by(BatchLetter.position)
    )
    for row in rows:
        kept = _opened(runtime, row.message)
        pdf = base64.b64decode(kept["pdf"]) if kept.get("pdf") else None
        yield BatchedLetter(
            position=row.place.position,
            action=row.id,
            customer=row.customer,
            to=str(kept.get("to") or ""),
            pages=0 if pdf is None else len(PdfReader(io.BytesIO(pdf)).pages),
            pdf=pdf,
        )


def pdf_of(runtime: "Runtime", batch: LetterBatch) -> bytes:
    """All letters of a batch in one PDF, in its order."""
    writer = PdfWriter()
    for letter in letters_of(runtime, batch):
        if letter.pdf is not None:
            writer.append(io.BytesIO(letter.pdf))
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _opened(runtime: "Runtime", message: Message) -> dict[str, Any]:
    try:
        return runtime.vault.open(message.person, message.sealed)
    except Erased:
        return {}
