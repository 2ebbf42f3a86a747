"""The decision log in the console: some days as JSON Lines, streamed, of the customers the reader may see."""

from collections.abc import Iterator
from datetime import date

from flask import Blueprint, Response, abort, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin import formatting, gate
from admin.versions import visible_entities
from engine import access
from engine.commands import Invalid
from engine.decision_log import decisions_between, log_lines
from engine.tables import Entity
from ledger.days import date_of, day_of

blueprint = Blueprint("decision_log", __name__, url_prefix="/decisions/log")
LINES_AT_ONCE = 200  # joined before they go out: a packet for each line would take ten times the work
FIRST_DAYS = 30  # shown at first


@blueprint.get("/")
@gate.needs("decisions.export")
def index() -> ResponseReturnValue:
    """Which days, which entity."""
    today = gate.runtime().today()
    return render_template(
        "console/decision_log.html",
        entities=visible_entities(),
        first=formatting.iso(today - FIRST_DAYS),
        last=formatting.iso(today),
    )


@blueprint.get("/decisions.jsonl")
@gate.needs("decisions.export")
def download() -> ResponseReturnValue:
    """The lines; what the address asks for and makes no sense is refused."""
    first, last = _day("from"), _day("to")
    if last < first:
        raise Invalid.because("to", "lies before the first day", "give the same or a later day")
    entity = _entity(request.args.get("entity", ""))
    chosen = access.visible_to(current_user.id, decisions_between(first, last, entity), in_order=True)
    name = f"dunwell-decisions-{date_of(first)}-{date_of(last)}.jsonl"
    lines = stream_with_context(_pieces(log_lines(gate.runtime(), chosen)))
    answer = Response(lines, mimetype="application/jsonl")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) >= LINES_AT_ONCE:
            yield "".join(held)
            held = []
    yield "".join(held)


def _day(name: str) -> int:
    try:
        return day_of(date.fromisoformat(request.args.get(name, "")))
    except ValueError:
        raise Invalid.because(name, "is no day", "give both days, as 2026-03-31") from None


def _entity(code: str) -> Entity | None:
    if not code:
        return None
    found: Entity | None = next((one for one in visible_entities() if one.code == code), None)
    if found is None:
        abort(404)
    return found
