"""Hand-overs: who has which debt, what became of it, and the file that went along."""

import json

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import gate
from admin.invoice_documents import file_answer
from engine import access
from engine.hand_over_file import hand_over_zip
from engine.silence_actions import name_of
from engine.tables import Customer, Entity, HandOver, HandOverNote
from notifiers.gateways import Attachment

blueprint = Blueprint("hand_overs", __name__, url_prefix="/hand-overs")
SHOWN = 200


@blueprint.get("")
@gate.needs("customers.view")
def index() -> ResponseReturnValue:
    """The newest hand-overs the reader may see, with what was said about them."""
    query = HandOver.select(HandOver, Customer, Entity).join(Customer).join(Entity)
    rows = list(access.visible_to(current_user.id, query).order_by(HandOver.id.desc()).limit(SHOWN))
    notes: dict[int, list[HandOverNote]] = {}
    for note in HandOverNote.select().where(HandOverNote.hand_over.in_(rows)).order_by(HandOverNote.id):
        notes.setdefault(note.hand_over_id, []).append(note)
    shown = [
        {
            "row": row,
            "total": {currency: one["total"] for currency, one in json.loads(row.figures).items()},
            "recovered": json.loads(row.recovered),
            "notes": notes.get(row.id, []),
            "by": name_of(row.proposed_by_id),
        }
        for row in rows
    ]
    return render_template("console/hand_overs.html", shown=shown, limit=SHOWN)


@blueprint.get("/<int:hand_over_id>/file")
@gate.needs("people.view")
def download(hand_over_id: int) -> ResponseReturnValue:
    """The ZIP: register, statement, documents, letters, index."""
    query = HandOver.select(HandOver, Customer).join(Customer).where(HandOver.id == hand_over_id)
    row: HandOver | None = access.visible_to(current_user.id, query).first()
    if row is None or row.handed_day is None:
        abort(404)
    name, content = hand_over_zip(gate.runtime(), row)
    return file_answer(Attachment(name, "application/zip", content))
