"""Payment plans: agreed on a page of their own, and seen together with what waits for a second person."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import uuid4

from babel.numbers import get_decimal_symbol
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from admin import formatting, gate
from admin.explanation_page import visible_customer
from engine import access
from engine.charging import WAIVER
from engine.commands import Conflict, Invalid
from engine.open_amounts import open_of_lines, standing
from engine.payment_plans import AgreePlan, Told, plans_of, told
from engine.pipeline import asking
from engine.proposals import waiting_for
from engine.tables import Customer, DueLine, Entity, PaymentPlan, Proposal
from ledger.days import day_of
from ledger.money import parse_amount
from ledger.plans import EVERY, INSTALMENTS_MAX, schedule
from ledger.problems import Problem

blueprint = Blueprint("plans", __name__, url_prefix="/plans")
SHOWN = 200
FIRST_DAYS = 14  # until the first instalment, to begin with


@blueprint.get("/")
@gate.needs("customers.view")
def index() -> ResponseReturnValue:
    """What waits for a second person, and the latest plans with how they stand."""
    user = current_user.id
    rows = PaymentPlan.select(PaymentPlan, Customer, Entity).join(Customer).join(Entity)
    latest = list(access.visible_to(user, rows).order_by(PaymentPlan.id.desc()).limit(SHOWN))
    seen: list[Told] = []
    for entity in {plan.customer.entity for plan in latest}:
        day = gate.runtime().today(entity)
        tolerance = asking(gate.runtime(), entity, day).basis.promise_tolerance_days
        seen += told([plan for plan in latest if plan.customer.entity == entity], day, tolerance)
    seen.sort(key=lambda one: -one.plan.id)
    return render_template(
        "console/plans.html",
        waiting=proposals_shown(waiting_for(user)),
        plans=[one for one in seen if one.state in {"active", "defaulted"}],
        over=[one for one in seen if one.state in {"done", "cancelled"}],
    )


def proposals_shown(rows: Iterable[Proposal]) -> list[dict[str, Any]]:
    """Proposals that wait, each with what it is about in words."""
    return [{"row": row, "what": _proposed(row)} for row in rows]


def _proposed(row: Proposal) -> str:
    """What a proposal is about, in words."""
    body = json.loads(row.body)
    if row.kind == WAIVER:
        money = formatting.money_text(body["amount_minor"], body["currency"])
        return f"{formatting.title(body['part'])}, {money} {body['currency']}"
    lines = body["due_lines"] if row.kind == "payment_plan" else [body["due_line"]]
    found = list(DueLine.select().where(DueLine.id.in_(lines)).order_by(DueLine.id))
    numbers, currency = ", ".join(line.number for line in found), found[0].currency if found else ""
    if row.kind == "payment_plan":
        total = sum(amount for _day, amount in body["instalments"])
        until = formatting.day_text(body["instalments"][-1][0])
        return _(
            "%(money)s in %(n)s instalments until %(day)s, for %(numbers)s",
            money=f"{formatting.money_text(total, currency)} {currency}",
            n=len(body["instalments"]),
            day=until,
            numbers=numbers,
        )
    return f"{formatting.money_text(body['amount_minor'], currency)} {currency}, {numbers}"


@blueprint.get("/new/<int:customer_id>")
@gate.needs("plans.agree")
def new(customer_id: int) -> ResponseReturnValue:
    """Choose the lines and how to divide; then the instalments, each to be changed."""
    return _form(visible_customer(customer_id), request.args, [], 200)


@blueprint.post("/new/<int:customer_id>")
@gate.needs("plans.agree")
def agree(customer_id: int) -> ResponseReturnValue:
    """Agree it, or propose it where it takes a second person."""
    customer = visible_customer(customer_id)
    given = request.form
    problems: list[Problem] = []
    instalments = _written(given, _currency(customer, given), problems)
    if not given.get("reason", "").strip():
        problems.append(Problem("reason", _("is missing"), _("fill it in")))
    if problems:
        return _form(customer, given, problems, 422)
    command = AgreePlan(
        actor=current_user.id,
        reason=given["reason"],
        key=given.get("key") or str(uuid4()),
        customer=customer.id,
        due_lines=tuple(sorted({int(one) for one in given.getlist("line") if one.isdigit()})),
        instalments=tuple(instalments),
    )
    try:
        answer = gate.runtime().execute(command)
    except Invalid as error:
        return _form(customer, given, list(error.problems), 422)
    except Conflict as error:
        return _form(customer, given, [Problem("due_lines", str(error), _("choose others"))], 409)
    waits = answer.get("state") == "proposed"
    flash(
        _("The plan waits for a second person.") if waits else _("The plan is agreed."),
        "warning" if waits else "success",
    )
    return redirect(url_for("customers.customer_page", customer_id=customer.id), 303)


def _form(customer: Customer, given: Any, problems: list[Problem], status: int) -> ResponseReturnValue:
    runtime = gate.runtime()
    today = runtime.today(customer.entity)
    taken = {line for one in plans_of(runtime, customer) if one.state == "active" for line in one.lines}
    rows = list(standing(DueLine, "due_line").where(DueLine.customer == customer).order_by(DueLine.due_day, DueLine.id))
    left = open_of_lines(rows)
    lines = [(row, left[row.id]) for row in rows if left[row.id] and row.id not in taken][:SHOWN]
    chosen = {int(one) for one in given.getlist("line") if one.isdigit()}
    total = sum(minor for row, minor in lines if row.id in chosen)
    if "amount" in given:
        rows_shown = list(zip(given.getlist("day"), given.getlist("amount"), strict=False))
    else:
        rows_shown = _worked_out(given, total, today, customer, chosen, problems)
    page = render_template(
        "console/plan_new.html",
        customer=customer,
        lines=lines,
        chosen=chosen or {row.id for row, _minor in lines if row.due_day is not None and row.due_day < today},
        total=total,
        currency=_currency(customer, given),
        instalments=rows_shown if chosen else [],
        given=given,
        first=given.get("first") or formatting.iso(today + FIRST_DAYS),
        every=[(one, _every_words(one)) for one in EVERY],
        problems=problems,
        key=given.get("key") or str(uuid4()),
    )
    return page, status


def _worked_out(
    given: Any, total: int, today: int, customer: Customer, chosen: set[int], problems: list[Problem]
) -> list[tuple[str, str]]:
    """Equal instalments as the form asks for them, written as they are edited."""
    if not chosen:
        return []
    many = given.get("many", "")
    try:
        first = day_of(date.fromisoformat(given.get("first", "")))
    except ValueError:
        problems.append(Problem("first", _("is no date"), _("give a date")))
        return []
    if not many.isdigit() or not 1 <= int(many) <= min(INSTALMENTS_MAX, max(total, 1)):
        problems.append(Problem("many", _("is out of range"), _("give 1 to %(n)s", n=INSTALMENTS_MAX)))
        return []
    every = given.get("every", "month")
    if every not in EVERY:
        abort(404)
    currency = _currency(customer, given)
    made = schedule(total, first, int(many), every)
    return [(formatting.iso(day), formatting.money_text(amount, currency)) for day, amount in made]


def _written(given: Any, currency: str, problems: list[Problem]) -> list[tuple[int, int]]:
    """The instalments as they were sent; a row that is empty is left out."""
    mark = "," if get_decimal_symbol(formatting.locale()) == "," else "."
    found = []
    for number, (day, text) in enumerate(zip(given.getlist("day"), given.getlist("amount"), strict=False), 1):
        if not day.strip() and not text.strip():
            continue
        amount = parse_amount(text.strip()[:40], currency, mark)
        try:
            found.append((day_of(date.fromisoformat(day)), int(amount or 0)))
        except ValueError:
            problems.append(Problem(f"{number}", _("is no date"), _("give a date")))
    return found


def _currency(customer: Customer, given: Any) -> str:
    """Of the lines that are chosen; the entity's while none is."""
    ids = [int(one) for one in given.getlist("line") if one.isdigit()]
    row = DueLine.get_or_none(DueLine.id.in_(ids), DueLine.customer == customer) if ids else None
    return str(customer.entity.currency if row is None else row.currency)


def _every_words(every: str) -> str:
    return {"week": _("every week"), "two_weeks": _("every two weeks"), "month": _("every month")}[every]
