"""The worklist: customers ranked by the points of the policy in force, with what gave them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from flask import g
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from markupsafe import Markup
from peewee import JOIN, ModelSelect

from admin import desk_forms, figures, formatting, gate
from admin.console import PAGE_ROWS, Asked, Choice, Tab
from admin.customers import _values, customer_link
from admin.score_words import Scored, scored
from admin.steps import step_label
from admin.views import CUSTOMER_FILTERS, OfCustomers, link
from engine.known import chunks
from engine.pipeline import asking, facts_of
from engine.tables import Action, Customer, Entity, Outcome, User
from ledger.money import exponent
from rules import reference
from rules.book import Book
from rules.effects import evaluate
from rules.reference import Decided
from scoring.model import Model

STAGE = "worklist"
POINTS = "worklist_points"


@dataclass(frozen=True)
class Part:
    """So many points by one rule."""

    label: str
    because: str
    points: int


@dataclass(frozen=True)
class Reasons:
    """What gives a customer its points today.

    Args:
        points: their sum, as the policy joins them; the list is ranked by what the last decision found.
        parts: the most points first.
        score: why the model says what it says, where that was asked for.
    """

    points: int | None
    parts: tuple[Part, ...]
    score: Scored | None = None


def reasons_of(customers: Sequence[Customer]) -> dict[int, Reasons | None]:
    """The rules that give customers their points, decided now; nothing is written."""
    runtime = gate.runtime()
    by_entity: dict[int, list[int]] = {}
    for customer in customers:
        by_entity.setdefault(customer.entity_id, []).append(customer.id)
    found: dict[int, Reasons | None] = {}
    for entity in Entity.select().where(Entity.id.in_(list(by_entity))):
        ask = asking(runtime, entity, runtime.today(entity))
        if STAGE not in ask.edition.book.stages:
            continue
        for row in facts_of(runtime, ask, by_entity[entity.id]):
            decided = reference.decide(row, ask.edition.book)
            found[row["customer_id"]] = reasons_in(ask.edition.book, row, decided, ask.edition.model)
    return found


def reasons_in(book: Book, row: Mapping[str, Any], decided: Decided, model: Model | None = None) -> Reasons | None:
    """The rules that give a decided customer its points, and why the model says what it says.

    Args:
        model: None: its score is not asked for.

    Returns:
        None where no policy of the worklist is in force.
    """
    stage = book.stages.get(STAGE)
    if stage is None:
        return None
    seen = {**row, **decided.outcomes}
    parts = []
    for rule in stage.ranked:
        points = evaluate(rule.effects[POINTS], seen) if POINTS in rule.effects else None
        if rule.key in decided.matched[STAGE] and isinstance(points, int) and points:
            words = (formatting.said(rule.rule.label), formatting.said(rule.rule.because))
            parts.append(Part(*words, points))
    total = decided.outcomes[POINTS]
    parts.sort(key=lambda part: -part.points)
    score = None if model is None else scored(row, model)
    return Reasons(total if isinstance(total, int) else None, tuple(parts), score)


def _collectors() -> list[tuple[str, str]]:
    return [(str(user.id), user.name) for user in desk_forms.workers()]


def _points(row: Outcome) -> Markup:
    reasons: Reasons | None = g.get("worklist_reasons", {}).get(row.customer_id)
    shown = Markup('<span class="num strong">{}</span>').format(row.worklist_points)
    if reasons is not None and reasons.points is not None and reasons.points != row.worklist_points:
        shown += Markup('<span class="sub">{}</span>').format(_("now %(n)s", n=reasons.points))
    return shown


def _why(row: Outcome) -> Markup:
    reasons: Reasons | None = g.get("worklist_reasons", {}).get(row.customer_id)
    if reasons is None:
        return formatting.NOTHING
    parts = Markup('<span class="points">{}</span>').format(
        Markup("").join(
            Markup('<span class="point{}" title="{}"><span class="num">{}</span> {}</span>').format(
                " less" if part.points < 0 else "",
                part.because,
                f"{part.points:+d}".replace("-", "−"),
                part.label,
            )
            for part in reasons.parts
        )
    )
    return parts + _score(reasons.score)


def _score(score: Scored | None) -> Markup:
    """The model's chance, its reasons to be opened."""
    if score is None or score.score_bp is None:
        return Markup("")
    told = Markup("").join(
        Markup("<li>{} {}</li>").format(
            formatting.icon(
                "arrow-up" if one.raises else "arrow-down", _("raises it") if one.raises else _("lowers it")
            ),
            one.text,
        )
        for one in score.reasons
    )
    return Markup('<details class="why-score small"><summary>{}</summary><ul>{}</ul></details>').format(
        _("Chance of paying late: %(chance)s", chance=formatting.percent_text(score.score_bp, 0)), told
    )


def _next(row: Outcome) -> Markup:
    action = g.get("worklist_next", {}).get(row.customer_id)
    if action is None:
        return formatting.NOTHING
    late = action.due_day < gate.runtime().today()
    when = Markup('<span class="sub{}">{}</span>').format(" late" if late else "", formatting.day_text(action.due_day))
    what = step_label(action.step_key) if action.template != "refer" else _("Decide what the rules cannot")
    return link("actions.action_page", what, action_id=action.id) + when


def _figure(row: Outcome, fact: str) -> Any:
    return g.get("figures_beside", {}).get(row.customer_id, {}).get(fact)


def _late(row: Outcome) -> Markup:
    text = formatting.late_text(_figure(row, "leader_days_past_due"))
    return Markup('<span class="num">{}</span>').format(text) if text else formatting.NOTHING


def _collector(row: Outcome) -> User:
    found: User = g.worklist_collectors[row.customer.collector_id]
    return found


def _plain_overdue(row: Outcome) -> Any:
    minor = _figure(row, "overdue_minor")
    return None if minor is None else Decimal(minor).scaleb(-exponent(row.customer.entity.currency))


class WorklistView(OfCustomers):
    """Whom to work on next."""

    permission = "customers.view"
    can_view_details = False  # the customer's page is its page
    list_template = "console/worklist.html"
    heading = _l("Worklist")
    lead = _l("Whom to call first: the policy adds up points, and every point says which rule gave it.")
    empty = _l("Nobody to work on. Points come from the worklist policy, with the next run.")
    column_list = ("worklist_points", "customer", "overdue", "days_late", "why", "next", "collector")
    column_export_list = ("worklist_points", "customer", "name", "overdue", "days_late", "segment", "next", "collector")
    column_labels: ClassVar[dict[str, Any]] = {
        "worklist_points": _l("Points"),
        "customer": _l("Customer"),
        "name": _l("Name"),
        "why": _l("Why"),
        "overdue": _l("Overdue"),
        "days_late": _l("Leader"),
        "segment": _l("Segment"),
        "next": _l("Next in the diary"),
        "collector": _l("Collector"),
    }
    column_kinds: ClassVar[dict[str, str]] = {
        "worklist_points": "count",
        "overdue": "money",
        "days_late": "days",
        "why": "wrap",
    }
    sorts: ClassVar[dict[str, Any]] = {"worklist_points": Outcome.worklist_points}
    never_null = frozenset({"worklist_points"})  # only rows with points are in the list
    first_sort = ("worklist_points", True)
    tabs = (
        Tab("all", _l("All"), lambda q: q),
        Tab("mine", _l("Mine"), lambda q: q.where(Customer.collector == current_user.id)),
        Tab("unassigned", _l("Unassigned"), lambda q: q.where(Customer.collector.is_null())),
    )
    choices = (
        *CUSTOMER_FILTERS,
        Choice(
            "collector",
            _l("Collector"),
            lambda q, v: q.where(Customer.collector == int(v)) if v.isdigit() else q,
            _collectors,
        ),
        Choice("segment", _l("Segment"), lambda q, v: q.where(Outcome.segment == v), _values(Outcome.segment)),
    )
    shown: ClassVar[dict[str, Any]] = {
        "tick": lambda row: desk_forms.tick_customer(row.customer),
        "worklist_points": _points,
        "customer": lambda row: customer_link(row.customer),
        "why": _why,
        "overdue": lambda row: formatting.money(
            _figure(row, "overdue_minor"), None if g.get("one_currency") else row.customer.entity.currency
        ),
        "days_late": _late,
        "next": _next,
        "collector": lambda row: (
            _collector(row).name
            if row.customer.collector_id
            else Markup('<span class="quiet">{}</span>').format(_("nobody"))
        ),
    }
    plain: ClassVar[dict[str, Any]] = {
        "customer": lambda row: row.customer.number,
        "name": lambda row: row.customer.name,
        "overdue": _plain_overdue,
        "days_late": lambda row: _figure(row, "leader_days_past_due"),
        "next": lambda row: (
            formatting.iso(g.worklist_next[row.customer_id].due_day) if row.customer_id in g.worklist_next else ""
        ),
        "collector": lambda row: _collector(row).email if row.customer.collector_id else "",
    }

    def head(self, asked: Asked) -> list[dict[str, Any]]:
        """The columns; a box each for whoever may give customers to a collector."""
        boxes = [{"name": "tick", "label": _("Chosen"), "kind": "short"}] if gate.may("work.assign") else []
        return [*boxes, *super().head(asked)]

    def joined(self) -> ModelSelect:
        """Outcomes with points, joined to their customers, in whose scope a reader sees them.

        A cross join keeps the order of the tables: the points' index gives a page at once, where a
        planner that begins with the customers would sort all of them.
        """
        query = Outcome.select(Outcome).join(Customer, JOIN.CROSS)
        return query.where(Outcome.customer == Customer.id, Outcome.worklist_points > 0)

    def prepare(self, rows: list[Any]) -> None:
        """Read figures and diary at once; for a page, not for a file, also the reasons."""
        customers = _with_customers(rows)
        g.figures_beside = figures.beside(gate.runtime(), customers)
        g.worklist_next = next_in_diary(customer.id for customer in customers)
        named = {customer.collector_id for customer in customers if customer.collector_id is not None}
        g.worklist_collectors = {user.id: user for user in User.select().where(User.id.in_(sorted(named)))}
        g.worklist_reasons = reasons_of(customers) if len(rows) <= PAGE_ROWS else {}
        currencies = {customer.entity.currency for customer in customers}
        g.one_currency = currencies.pop() if len(currencies) == 1 else None


def _with_customers(rows: Sequence[Outcome]) -> list[Customer]:
    """Give rows their customers with entity, a few hundred at a time instead of one by one."""
    entities = {entity.id: entity for entity in Entity.select()}
    found: dict[int, Customer] = {}
    for some in chunks([row.customer_id for row in rows]):
        found.update({customer.id: customer for customer in Customer.select().where(Customer.id.in_(some))})
    for row in rows:
        row.customer = found[row.customer_id]
        row.customer.entity = entities[row.customer.entity_id]
    return [row.customer for row in rows]


def next_in_diary(customers: Iterable[int]) -> dict[int, Action]:
    """The open call or task of each customer that is due first."""
    found: dict[int, Action] = {}
    for some in chunks(list(customers)):
        work = Action.select().where(Action.customer.in_(some), Action.state == "open")
        for action in work.order_by(Action.due_day, Action.id):
            found.setdefault(action.customer_id, action)
    return found
