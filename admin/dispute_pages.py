"""One dispute with its thread and what may be done about it; and how long disputes take, by what."""

from typing import Any

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from openpyxl import Workbook

from admin import formatting, gate
from admin.disputes_view import cause_words
from admin.sheet import add_sheet, saved, sent
from engine import access
from engine.answers import links_of
from engine.dispute_measures import BY, Measure, measures_of
from engine.disputes import dispute_seen, thread_of
from engine.invoice_documents import documents_of
from engine.open_amounts import open_of
from engine.silence_actions import name_of
from engine.tables import Action, AnswerLink, DisputeStep, Entity

blueprint = Blueprint("dispute_pages", __name__, url_prefix="/disputes")


@blueprint.get("/<int:dispute_id>")
@gate.needs("customers.view")
def page(dispute_id: int) -> ResponseReturnValue:
    """One dispute."""
    one = dispute_seen(gate.runtime(), current_user.id, dispute_id)
    if one is None:
        abort(404)
    dispute, customer = one.dispute, one.dispute.customer
    links = links_of(dispute)
    return render_template(
        "console/dispute.html",
        one=one,
        dispute=dispute,
        customer=customer,
        line=dispute.due_line,
        cause=cause_words(dispute.cause),
        open_minor=open_of(dispute.due_line),
        owner=name_of(one.hand.owner),
        thread=[_said(step, links) for step in thread_of(dispute)],
        questions=[_asked(link) for link in links],
        items=list(
            Action.select()
            .where(Action.key.startswith(f"dispute-{dispute.first_id or dispute.id}/"))
            .order_by(Action.id)
        ),
        documents=[row for row in documents_of(customer) if row.number == dispute.due_line.number],
    )


def _said(step: DisputeStep, links: list[AnswerLink]) -> dict[str, Any]:
    link = next((one for one in links if one.id == step.link_id), None)
    by_link = step.kind == "answer" or (step.kind == "change" and link is not None)
    return {"step": step, "by": _named(link) if by_link and link is not None else name_of(step.by), "by_link": by_link}


def _asked(link: AnswerLink) -> dict[str, Any]:
    at = gate.runtime().now_at()
    state = (
        "answered"
        if link.answered_at is not None
        else "withdrawn"
        if link.withdrawn_at is not None
        else "over"
        if link.expires_at <= at
        else "waits"
    )
    return {"link": link, "state": state, "to": _named(link)}


def _named(link: AnswerLink) -> str:
    """Who was asked: by name to those who see people, else only that it is a colleague."""
    if link.user_id is not None:
        return str(link.user.name)
    known = gate.runtime().vault.open_person(link.person) if gate.may("people.view") else None
    return str(known.get("name") or known.get("email")) if known else _("a colleague")


@blueprint.get("/measures")
@gate.needs("reports.view")
def measures() -> ResponseReturnValue:
    """How long disputes took and take, by cause, owner and segment."""
    found = _measured()
    tables = [(by, _by_words(by), found[by]) for by in BY]
    return render_template("console/dispute_measures.html", tables=tables, words=_key_words, totals=found["all"][:1])


@blueprint.get("/measures/xlsx")
@gate.needs("reports.view")
def workbook() -> ResponseReturnValue:
    """The same as a workbook."""
    book = Workbook(write_only=True)
    head = [
        _("By"),
        _("Closed in 12 months"),
        _("Median days"),
        _("Accepted"),
        _("Open"),
        _("Open up to 7 days"),
        _("Open 8 to 30 days"),
        _("Open over 30 days"),
        _("Late"),
    ]
    found = _measured()
    for by in ("all", *BY):
        rows = ([_key_words(by, one.key), *one.figures] for one in found[by])
        add_sheet(book, str(_by_words(by)), rows, head)
    return sent(saved(book), "disputes.xlsx")


def _measured() -> dict[str, list[Measure]]:
    user = current_user.id
    entities = list(Entity.select().where(Entity.id.in_(access.visible_entities(user))))
    return measures_of(gate.runtime(), user, entities)


def _by_words(by: str) -> Any:
    return {"all": _("All"), "cause": _("By cause"), "owner": _("By owner"), "segment": _("By segment")}[by]


def _key_words(by: str, key: str) -> str:
    if by == "cause":
        return cause_words(key)
    return _("All") if by == "all" else formatting.title(key) if key else _("None")
