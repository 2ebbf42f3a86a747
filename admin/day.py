"""My day: the list, and one stop of it at a time with everything a call needs and the result to report."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from admin import choices, forms, gate, worklist_view
from admin.commands_page import way_back
from admin.customer_page import contacts_of, recent_promises
from admin.day_list import DayList, Stop, day_list, hold_out_terms, is_in_hold_out
from admin.scripts import script_of
from engine import access, call_results
from engine.absences import absences_on
from engine.commands import Invalid
from engine.desk import unassigned_customers
from engine.desk_work import PlanWork, ReportWork
from engine.notes import SeeMentions, opened, thread_of, unseen_of
from engine.pipeline import asking, reading_of
from engine.tables import Action, Customer, Entity, Note, Outcome, Person, User
from ledger.problems import Problem
from rules import reference

blueprint = Blueprint("day", __name__, url_prefix="/day")
LINES_SHOWN = 8
NOTES_SHOWN = 4
MENTIONS_SHOWN = 20
COUNTED_TO = 99
LINE_CHOICES = 200
FIELDS = {  # what a result opens, beside the note; in the order of the form
    "promised": ("due_line", "amount_minor", "agreed_day"),
    "disputed": ("due_line", "amount_minor", "cause"),
    "already_paid": ("due_line", "agreed_day"),
    "refused": ("next_day",),
    "reached": ("next_day",),
    "contact_found": ("name", "email", "phone"),
    "done": ("next_day",),
    "no_answer": (),
    "wrong_contact": (),
}
AFTERWARDS = {
    "promised": _l("The amount leaves dunning; if it does not come in, the customer returns here."),
    "disputed": _l("The disputed part leaves dunning until somebody settles it."),
    "already_paid": _l("Dunning pauses until that day, so that the payment can be found."),
    "no_answer": _l("It comes again tomorrow, three times at most."),
    "wrong_contact": _l("A task to find the right contact is made."),
    "contact_found": _l("Messages that waited for an address go on."),
}


@dataclass(frozen=True)
class Choice:
    """A result to choose.

    Args:
        fields: names of what it opens.
        afterwards: what follows from it.
    """

    code: str
    label: str
    fields: tuple[str, ...]
    afterwards: str


@blueprint.get("/")
@gate.needs("actions.work")
def index() -> ResponseReturnValue:
    """The whole list, questions to the reader, and what belongs to nobody."""
    found = day_list(current_user.id)
    customers = [stop.customer for stop in found.stops[: worklist_view.PAGE_ROWS]]
    notes = [mention.note for mention in unseen_of(current_user.id, MENTIONS_SHOWN)]
    mentions = unseen_of(current_user.id, MENTIONS_SHOWN)
    unassigned = list(unassigned_customers(current_user.id).limit(COUNTED_TO + 1).select(Customer.id).tuples())
    return render_template(
        "console/day.html",
        day=found,
        reasons=worklist_view.reasons_of(customers),
        mentions=list(zip(mentions, _said(notes), strict=True)),
        unassigned=len(unassigned),
        away=_away(found),
        address=address,
        key=str(uuid4()),
    )


def _said(notes: list[Note]) -> list[Any]:
    query = Note.select(Note, Person, User).join(Person).switch(Note).join(User, on=(Note.by == User.id))
    rows = {note.id: note for note in query.where(Note.id.in_([note.id for note in notes]))}
    return opened(gate.runtime(), [rows[note.id] for note in notes])


def _away(found: DayList) -> list[tuple[str, int]]:
    """Whose work is here because they are away: name, and the day they are back."""
    absent = absences_on(found.desk.day)
    names = {user.id: user.name for user in User.select().where(User.id.in_(found.desk.for_others))}
    return [(names[user], absent[user].until_day) for user in found.desk.for_others if user in absent]


def address(stop: Stop | None) -> str:
    """Where a stop is worked on; after the last one, the list."""
    if stop is None:
        return url_for("day.index")
    kind, number = stop.place
    return url_for("day.work", action_id=number) if kind == "work" else url_for("day.by_rank", customer_id=number)


@blueprint.get("/work/<int:action_id>")
@gate.needs("actions.work")
def work(action_id: int) -> ResponseReturnValue:
    """A call or task: what it is about, and its result."""
    action = _action(action_id)
    return _stop_page(action, action.customer, {}, [], 200)


@blueprint.get("/customer/<int:customer_id>")
@gate.needs("actions.work")
def by_rank(customer_id: int) -> ResponseReturnValue:
    """A customer without dated work: a call with them, and its result."""
    return _stop_page(None, _customer(customer_id), {}, [], 200)


@blueprint.post("/report")
@gate.needs("actions.work")
def report() -> ResponseReturnValue:
    """Report the result; then the next stop."""
    given = request.form
    customer = _customer(int(given["customer"]) if given.get("customer", "").isdigit() else 0)
    action = _action(int(given["action"])) if given.get("action", "").isdigit() else None
    values, problems = _values(given, customer)
    result = str(given.get("result", ""))
    if result not in call_results.RESULTS_OF["call" if action is None else action.channel]:
        problems.append(Problem(place="result", what=_("is missing"), cure=_("choose how it ended")))
    if problems:
        return _stop_page(action, customer, given, problems, 422)
    allowed = {"note", *FIELDS.get(result, ())}
    try:
        gate.runtime().execute(
            ReportWork(
                actor=current_user.id,
                reason=f"reported at the desk: {result}",
                key=given.get("key") or str(uuid4()),
                customer=customer.id,
                action=None if action is None else action.id,
                version=int(given["version"]) if given.get("version", "").isdigit() else None,
                result=result,
                **{name: value for name, value in values.items() if name in allowed},
            )
        )
    except Invalid as error:
        return _stop_page(action, customer, given, list(error.problems), 422)
    label = _(call_results.RESULTS[result].label)
    flash(_("%(customer)s: %(result)s.", customer=customer.name, result=label), "success")
    return redirect(way_back(given), 303)


@blueprint.post("/plan")
@gate.needs("actions.work")
def plan() -> ResponseReturnValue:
    """Put a next action into the diary."""
    given = request.form
    customer = _customer(int(given["customer"]) if given.get("customer", "").isdigit() else 0)
    values, problems = _values(given, customer)
    if problems or "next_day" not in values:
        raise Invalid(problems or [Problem(place=_("Day"), what=_("is missing"), cure=_("give a date"))])
    gate.runtime().execute(
        PlanWork(
            actor=current_user.id,
            reason="planned at the desk",
            key=given.get("key") or str(uuid4()),
            customer=customer.id,
            channel=str(given.get("channel", "call")),
            due_day=values["next_day"],
            text=values.get("note", ""),
        )
    )
    flash(_("It is in the diary."), "success")
    return redirect(way_back(given), 303)


@blueprint.post("/seen")
@gate.needs("notes.view")
def seen() -> ResponseReturnValue:
    """Questions the reader has seen leave their list."""
    chosen = [int(one) for one in request.form.getlist("mention") if one.isdigit()]
    key = request.form.get("key") or str(uuid4())
    gate.runtime().execute(SeeMentions(actor=current_user.id, reason="seen", key=key, mentions=tuple(chosen)))
    return redirect(way_back(request.form), 303)


# --- one stop --------------------------------------------------------------------------


def _stop_page(
    action: Action | None, customer: Customer, given: Any, problems: list[Problem], status: int
) -> ResponseReturnValue:
    runtime, entity = gate.runtime(), customer.entity
    ask = asking(runtime, entity, runtime.today(entity))
    read = reading_of(runtime, ask, customer.id)
    row, every = read.row, read.lines
    lines = [line for line in every if (line["line_days_past_due"] or 0) >= 0]
    found, book = day_list(current_user.id), ask.edition.book
    place = ("customer", customer.id) if action is None else ("work", action.id)
    before, number, after = found.around(place)
    channel = "call" if action is None else action.channel
    return render_template(
        "console/day_stop.html",
        action=action,
        customer=customer,
        currency=entity.currency,
        row=row,
        lines=lines[:LINES_SHOWN],
        lines_more=max(0, len(lines) - LINES_SHOWN),
        choices=_line_choices(lines),
        contacts=contacts_of(customer) if gate.may("people.view") else [],
        script=() if action is None else script_of(action),
        notes=thread_of(runtime, customer, NOTES_SHOWN),
        promises=recent_promises(customer),
        held_out=is_in_hold_out(customer, hold_out_terms()),
        reasons=worklist_view.reasons_in(book, row, reference.decide(row, book), ask.edition.model),
        outcome=Outcome.get_or_none(Outcome.customer == customer),
        results=[
            Choice(code, _(call_results.RESULTS[code].label), FIELDS.get(code, ()), str(AFTERWARDS.get(code, "")))
            for code in call_results.RESULTS_OF[channel]
        ],
        given=given,
        problems=problems,
        wrong={problem.place: f"{problem.what}: {problem.cure}" for problem in problems},
        before=address(before) if before else "",
        number=number,
        many=len(found.stops),
        after=address(after),
        key=given.get("key") or str(uuid4()),
        causes=choices.causes(customer),
        tomorrow=runtime.today(entity) + 1,
        today=runtime.today(entity),
    ), status


def _line_choices(lines: list[dict[str, Any]]) -> list[tuple[int, str, int]]:
    """Open lines to choose from: id, number, open amount."""
    return [
        (
            line["line_id"],
            line["number"] if line["ordinal"] == 1 else f"{line['number']} / {line['ordinal']}",
            line["line_open_minor"],
        )
        for line in lines[:LINE_CHOICES]
    ]


def _values(given: Any, customer: Customer) -> tuple[dict[str, Any], list[Problem]]:
    """The fields of a report as they were filled in; empty ones are left out."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    kinds = {"due_line": int, "amount_minor": int, "agreed_day": int, "next_day": int}
    for name in (*kinds, "cause", "name", "email", "phone", "note"):
        text = str(given.get(name, "")).strip()
        if not text:
            continue
        try:
            values[name] = forms.value_of(name, kinds.get(name, str), text, str(customer.entity.currency))
        except ValueError:
            problems.append(
                Problem(place=name, what=_("“%(text)s” cannot be read", text=text[:40]), cure=forms.cure_of(name))
            )
    return values, problems


def _action(number: int) -> Action:
    query = Action.select(Action, Customer, Entity).join(Customer).join(Entity)
    found = access.visible_to(
        current_user.id, query.where(Action.id == number, Action.channel.in_(call_results.WORK_CHANNELS))
    )
    row: Action | None = found.first()
    if row is None:
        abort(404)
    return row


def _customer(number: int) -> Customer:
    query = Customer.select(Customer, Entity).join(Entity).where(Customer.id == number)
    row: Customer | None = access.visible_to(current_user.id, query).first()
    if row is None:
        abort(404)
    return row
