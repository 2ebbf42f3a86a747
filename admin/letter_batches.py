"""Letter batches: letters that are printed and posted together."""

import csv
import io
import zipfile
from typing import Any

from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import gate
from admin.messages_view import pdf_answer
from admin.sheet import harmless
from engine import access
from engine.posting import LETTERS_MAX, BatchedLetter, letters_of, pdf_of, unbatched
from engine.tables import Entity, LetterBatch, User

blueprint = Blueprint("letter_batches", __name__, url_prefix="/letter-batches")
SHOWN = 30  # of each entity


@blueprint.get("/")
@gate.needs("actions.work")
def index() -> ResponseReturnValue:
    """What waits for the printer, and the batches there are."""
    entities = [one for one in Entity.select().order_by(Entity.code) if _is_whole(one.id)]
    return render_template("console/letter_batches.html", entities=[_of(entity) for entity in entities])


def _of(entity: Entity) -> dict[str, Any]:
    batches = LetterBatch.select(LetterBatch, User).join(User, on=(LetterBatch.closed_by == User.id))
    return {
        "entity": entity,
        "waiting": unbatched(entity).limit(LETTERS_MAX + 1).count(),
        "most": LETTERS_MAX,
        "batches": list(batches.where(LetterBatch.entity == entity).order_by(LetterBatch.id.desc()).limit(SHOWN)),
    }


@blueprint.get("/<int:batch_id>")
@gate.needs("people.view")
def page(batch_id: int) -> ResponseReturnValue:
    """One batch: its letters in their order, and what is done with it."""
    batch = _batch(batch_id)
    return render_template("console/letter_batch.html", batch=batch, letters=list(letters_of(gate.runtime(), batch)))


@blueprint.get("/<int:batch_id>/letters.pdf")
@gate.needs("people.view")
def printed(batch_id: int) -> ResponseReturnValue:
    """All its letters, to be printed, and printed again."""
    batch = _batch(batch_id)
    return pdf_answer(pdf_of(gate.runtime(), batch), f"letters-{batch.entity.code}-{batch.id}")


@blueprint.get("/<int:batch_id>/list.csv")
@gate.needs("people.view")
def cover_list(batch_id: int) -> ResponseReturnValue:
    """The list that goes with the letters to the post."""
    batch = _batch(batch_id)
    text = _list_of(list(letters_of(gate.runtime(), batch)))
    return _file(text.encode("utf-8-sig"), "text/csv", f"letters-{batch.entity.code}-{batch.id}.csv")


@blueprint.get("/<int:batch_id>/letters.zip")
@gate.needs("people.view")
def single(batch_id: int) -> ResponseReturnValue:
    """Each letter as a file of its own, with the list."""
    batch = _batch(batch_id)
    letters = list(letters_of(gate.runtime(), batch))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as files:
        files.writestr("list.csv", _list_of(letters).encode("utf-8-sig"))
        for letter in letters:
            if letter.pdf is not None:
                files.writestr(f"{letter.position:03d}-{letter.action}.pdf", letter.pdf)
    return _file(content.getvalue(), "application/zip", f"letters-{batch.entity.code}-{batch.id}.zip")


def _list_of(letters: list[BatchedLetter]) -> str:
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow([_("Number"), _("Customer number"), _("Customer"), _("To"), _("Pages"), _("Reference")])
    for one in letters:
        to = ", ".join(one.to.splitlines())
        values = (one.position, one.customer.number, one.customer.name, to, one.pages, str(one.action))
        writer.writerow([harmless(value) for value in values])
    return rows.getvalue()


def _file(content: bytes, media_type: str, name: str) -> Response:
    answer = Response(content, mimetype=media_type)
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)
    answer.headers["Content-Disposition"] = f'attachment; filename="{kept}"'
    return answer


def _is_whole(entity_id: int) -> bool:
    return access.sees_whole_entity(current_user.id, entity_id)


def _batch(batch_id: int) -> LetterBatch:
    """A batch of an entity the reader sees whole; else there is none."""
    batch: LetterBatch | None = (
        LetterBatch.select(LetterBatch, Entity).join(Entity).where(LetterBatch.id == batch_id).first()
    )
    if batch is None or not _is_whole(batch.entity_id):
        abort(404)
    return batch
