"""Simulations: one change or several in order, tried on the customers of an entity; nothing is written.

The page asks for a sample's answer first, which is there at once, and for the full one after it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from peewee import fn

from admin import explaining, gate, impact, simulation_file
from admin.console import PAGE_ROWS, cursor, position
from admin.sheet import sent
from admin.simulation_asked import Asked, asked_now
from admin.versions import rule_labels
from engine import access, moved
from engine.commands import Invalid
from engine.comparison import DECISIVE, OTHERS, OTHERS_THEN, compare
from engine.editions import Unusable
from engine.impact import Simulation
from engine.moved import Cell, Place
from engine.simulation import SAMPLE, Tried, estimate, try_changes
from engine.tables import Action, Customer
from ledger.problems import Problem

blueprint = Blueprint("simulations", __name__, url_prefix="/simulations")


@blueprint.get("/")
@gate.needs("documents.draft")
def index() -> ResponseReturnValue:
    """Choose changes, their order, the day and the customers; the answer follows by itself."""
    asked = asked_now()
    now = request.args.get("now") == "1" and asked.ready  # without scripts, the answer is part of the page
    found = _answered(asked) if now else {}
    sampled = asked.run is not None and asked.run.customers > SAMPLE
    page = render_template("console/simulation.html", asked=asked, now=now, sampled=sampled, **found)
    return page, 422 if found.get("problems") else 200


@blueprint.get("/sample")
@gate.needs("documents.draft")
def sample() -> ResponseReturnValue:
    """What a sample of the customers says, until the full answer is there."""
    asked = _ready()
    try:
        found = estimate(gate.runtime(), asked.entity, asked.bodies, **asked.terms)
    except (Invalid, Unusable) as error:
        return render_template("console/simulation_answer.html", asked=asked, problems=_problems(error)), 422
    return render_template("console/simulation_sample.html", asked=asked, found=found, one=_shown(asked, found))


@blueprint.get("/answer")
@gate.needs("documents.draft")
def answer() -> ResponseReturnValue:
    """The full answer."""
    asked = _ready()
    found = _answered(asked)
    page = render_template("console/simulation_answer.html", asked=asked, **found)
    return page, 422 if found.get("problems") else 200


@blueprint.get("/customers")
@gate.needs("documents.draft")
def customers() -> ResponseReturnValue:
    """The customers in one cell of a matrix, those with the largest exposure first."""
    asked = _ready()
    tried, cell = _tried(asked), _cell()
    back = "before" in request.args.get("to", "")
    at = _place(request.args.get("at", ""))
    found = moved.customers_in(tried.pair, cell)
    rows = moved.page_of(found, PAGE_ROWS + 1, at, back)
    more = len(rows) > PAGE_ROWS
    rows = (rows[1:] if back else rows[:-1]) if more else rows
    named = _named(asked, [row["customer_id"] for row in rows])
    turn = _pages(rows, more, back, at is not None)
    return render_template(
        "console/simulation_customers.html",
        asked=asked,
        cell=cell,
        outcome=DECISIVE[cell.stage] if cell.stage else "",
        total=moved.how_many(found),
        rows=[(named[row["customer_id"]], row) for row in rows if row["customer_id"] in named],
        badge=impact.badge,
        why=_why(asked),
        **turn,
    )


@blueprint.get("/why/<int:customer_id>")
@gate.needs("documents.draft")
def why(customer_id: int) -> ResponseReturnValue:
    """Both explanations of one customer, side by side."""
    asked = _ready()
    tried = _tried(asked)
    customer = _named(asked, [customer_id]).get(customer_id)
    row = None if customer is None else moved.fact_row(tried.pair, customer_id)
    if row is None:
        abort(404)
    books = (tried.pair.whole.book, tried.pair.book)
    before, after = (explaining.of_row(row, book, asked.entity.currency) for book in books)
    sides = {stage.stage: [stage, None] for stage in before}
    for stage in after:
        sides.setdefault(stage.stage, [None, None])[1] = stage
    pairs = [(one, other) for one, other in sides.values()]
    return render_template(
        "console/simulation_why.html",
        asked=asked,
        customer=customer,
        moving=[pair for pair in pairs if _says(pair[0]) != _says(pair[1])],
        staying=[pair for pair in pairs if _says(pair[0]) == _says(pair[1])],
    )


@blueprint.get("/export.xlsx")
@gate.needs("documents.draft")
def export() -> ResponseReturnValue:
    """The whole answer as an Excel file."""
    asked = _ready()
    tried = _tried(asked)
    shown = _shown(asked, _compared(tried))
    if shown is None:
        abort(404)
    name = f"dunwell-simulation-{asked.entity.code}-{gate.runtime().now().date().isoformat()}.xlsx"
    return sent(simulation_file.workbook(asked, shown, tried.pair), name)


# --- answers ---------------------------------------------------------------------------


def _ready() -> Asked:
    asked = asked_now()
    if not asked.ready:
        abort(404)
    return asked


def _answered(asked: Asked) -> dict[str, Any]:
    """What the template of an answer needs."""
    try:
        tried = try_changes(gate.runtime(), asked.entity, asked.bodies, **asked.terms)
    except (Invalid, Unusable) as error:
        return {"problems": _problems(error)}
    found = _compared(tried)
    return {"found": found, "one": _shown(asked, found)}


def _problems(error: Invalid | Unusable) -> list[Problem]:
    if isinstance(error, Invalid):
        return list(error.problems)
    return [Problem("", str(error), _("Ask an administrator."))]


def _tried(asked: Asked) -> Tried:
    try:
        return try_changes(gate.runtime(), asked.entity, asked.bodies, **asked.terms)
    except (Invalid, Unusable):
        abort(404)


def _compared(tried: Tried) -> Simulation:
    return compare(tried.pair, tried.as_of_day, tried.run_id, tried.customers_of)


def _shown(asked: Asked, found: Simulation | None) -> impact.ShownImpact | None:
    if found is None:
        return None
    kept = {"entities": [{"entity": asked.entity.code, **found.values()}]}
    ways = impact.Ways(_cell_url(asked), _why(asked)) if found.sampled is None else impact.NO_WAYS
    shown = impact.shown(kept, current_user.id, _labels(asked), ways)
    if not shown:
        return None
    diary = _diary(asked) if found.sampled is None else {}
    work = tuple(replace(one, diary=diary.get(one.collector_id, 0) if diary else None) for one in shown[0].work)
    return replace(shown[0], work=work)


def _diary(asked: Asked) -> dict[int | None, int]:
    """By collector, the calls and tasks of their customers that are open now."""
    counted = fn.COUNT(Action.id)
    query = Action.select(Customer.collector, counted).join(Customer).where(Action.entity_id == asked.entity.id)
    return dict(query.where(Action.state == "open").group_by(Customer.collector).tuples())


def _labels(asked: Asked) -> dict[str, dict[str, str]]:
    """The labels of rules in force and of the changes."""
    found: dict[str, dict[str, str]] = {}
    for document in asked.documents:
        for stage, names in rule_labels(document).items():
            found.setdefault(stage, {}).update(names)
    return found


def _cell_url(asked: Asked) -> Callable[..., str]:
    def url(stage: str, before: Any, after: Any) -> str:
        if OTHERS in (before, after) or after == OTHERS_THEN:
            return ""
        return url_for(".customers", **asked.arguments, stage=stage, before=json.dumps(before), after=json.dumps(after))

    return url


def _why(asked: Asked) -> Callable[[int], str]:
    return lambda customer_id: url_for(".why", customer_id=customer_id, **asked.arguments)


def _says(stage: Any) -> Any:
    """What an explanation of a stage comes to: outcomes, and the rules that gave them."""
    if stage is None:
        return None
    return stage.outcomes, [rule.key for rule in stage.rules if rule.won or rule.counted]


def _named(asked: Asked, keys: list[int]) -> dict[int, Customer]:
    query = Customer.select().where(Customer.id.in_(keys), Customer.entity == asked.entity)
    return {customer.id: customer for customer in access.visible_to(current_user.id, query)}


# --- the cell and the page that were asked for -----------------------------------------


def _cell() -> Cell:
    stage = request.args.get("stage") or None
    if stage is not None and stage not in DECISIVE:
        abort(404)
    if stage is None or "before" not in request.args:
        return Cell(stage)
    try:
        before, after = (json.loads(request.args.get(name, "null")) for name in ("before", "after"))
    except ValueError:
        abort(404)
    if not all(value is None or isinstance(value, str | int) for value in (before, after)):
        abort(404)
    return Cell(stage, before, after, chosen=True)


def _place(word: str) -> Place | None:
    at = position(word) if word else None
    if at is None or not isinstance(at[0], int) or not isinstance(at[1], int):
        return None
    return Place(at[0], at[1])


def _pages(rows: list[dict[str, Any]], more: bool, back: bool, inside: bool) -> dict[str, str]:
    """Where the pages before and after begin; empty where there are none."""
    if not rows:
        return {"next": "", "previous": "", "first": ""}
    given = {name: value for name, value in request.args.to_dict(flat=False).items() if name not in ("at", "to")}

    def url(row: dict[str, Any], to: str) -> str:
        return url_for(".customers", **given, at=cursor(row["rank"], row["customer_id"]), to=to)

    follows, precedes = (True, more) if back else (more, inside)
    return {
        "next": url(rows[-1], "after") if follows else "",
        "previous": url(rows[0], "before") if precedes else "",
        "first": url_for(".customers", **given) if precedes else "",
    }
