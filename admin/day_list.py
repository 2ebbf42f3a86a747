"""The list of a collector's day: dated work first, then customers by rank, as many as one day holds.

Customers in the hold-out are ranked among themselves by what is overdue alone, and laid among the
others so that both get the same share of every stretch of the list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import g

from admin import figures, gate
from engine import access, hold_out
from engine.desk import Desk, customers_a_day, desk_of, due_work, spoken_to_on
from engine.editions import edition_for
from engine.hold_out import is_held_out, terms_of
from engine.sending import day_bounds
from engine.tables import Action, Customer, Entity, Outcome

DUE_MAX = 500  # of one day; what is beyond comes up as these are done
HELD_OUT_MAX = 2_000  # customers of one desk that are ranked by amount
BESIDE = (
    *("exposure_minor", "overdue_minor", "overdue_net_minor", "leader_days_past_due"),
    *("at_risk_minor", "score_bp", "utilisation_bp", "credit_limit_minor"),
)


@dataclass(frozen=True)
class Stop:
    """One customer, and perhaps a piece of work, that the day's list leads to.

    Args:
        action: dated work; None: the customer is here by rank.
        points: None: unknown, or in the hold-out, where they count for nothing.
        held_out: ranked by amount alone.
        figures: facts of the last run, by name.
    """

    customer: Customer
    action: Action | None
    points: int | None
    held_out: bool
    figures: dict[str, Any]

    @property
    def place(self) -> tuple[str, int]:
        """By what it is found again."""
        return ("customer", self.customer.id) if self.action is None else ("work", self.action.id)


@dataclass(frozen=True)
class DayList:
    """A day's stops, in the order they are worked through."""

    desk: Desk
    due: list[Stop]
    ranked: list[Stop]
    customers_max: int

    @property
    def stops(self) -> list[Stop]:
        """All of them."""
        return [*self.due, *self.ranked]

    def around(self, place: tuple[str, int]) -> tuple[Stop | None, int, Stop | None]:
        """The stop before, the number of the place (from 1; 0: not in the list), and the stop after."""
        stops = self.stops
        index = next((index for index, stop in enumerate(stops) if stop.place == place), None)
        if index is None:
            return None, 0, stops[0] if stops else None
        return (
            stops[index - 1] if index else None,
            index + 1,
            stops[index + 1] if index + 1 < len(stops) else None,
        )


def day_list(user: int) -> DayList:
    """The list of a person's day, read once per request."""
    if "day_list" not in g:
        g.day_list = _read(user)
    return g.day_list


def _read(user: int) -> DayList:
    runtime = gate.runtime()
    day = runtime.today()
    desk = desk_of(runtime, user, day)
    most = customers_a_day(runtime, user, day)
    due = due_work(desk, DUE_MAX)
    terms = hold_out_terms()
    with_work = {action.customer_id for action in due}
    named = _ranked_customers(desk, most, with_work, terms)
    customers = {customer.id: customer for customer in [*named, *(action.customer for action in due)]}
    _with_entities(customers.values())
    known = figures.beside(runtime, customers.values(), BESIDE)
    points = _points(list(customers))

    def stop(customer: Customer, action: Action | None) -> Stop:
        held = is_in_hold_out(customer, terms)
        of_rules = None if held else points.get(customer.id)
        return Stop(customers[customer.id], action, of_rules, held, known.get(customer.id, {}))

    dated = [stop(action.customer, action) for action in due]
    by_rank = interleaved([stop(customer, None) for customer in named])[: max(0, most - len(with_work))]
    return DayList(desk, interleaved(dated), by_rank, most)


def _ranked_customers(desk: Desk, most: int, without: set[int], terms: dict[int, tuple[int, int]]) -> list[Customer]:
    """Customers of a desk by points, and those of them in the hold-out whatever their points."""
    theirs = Customer.collector.in_(desk.people)
    query = access.visible_to(desk.user, Customer.select(Customer).join(Outcome), in_order=True)
    query = query.where(theirs, Outcome.worklist_points > 0)
    found: list[Customer] = []
    for entity, (share_bp, seed) in sorted(terms.items()):
        of_entity = query.where(Customer.entity + 0 == entity)
        held = is_held_out(share_bp, seed)
        ranked = of_entity.where(~held).order_by(Outcome.worklist_points.desc(), Customer.id)
        found += list(ranked.limit(most + len(without) + DUE_MAX))
        found += list(of_entity.where(held).order_by(Customer.id).limit(HELD_OUT_MAX))
    left_out = without | _settled_today(found) | _planned([customer.id for customer in found])
    return [customer for customer in found if customer.id not in left_out]


def _settled_today(customers: Sequence[Customer]) -> set[int]:
    by_entity: dict[int, list[int]] = {}
    for customer in customers:
        by_entity.setdefault(customer.entity_id, []).append(customer.id)
    done: set[int] = set()
    for entity in Entity.select().where(Entity.id.in_(list(by_entity))):
        done |= spoken_to_on(by_entity[entity.id], day_bounds(entity, gate.runtime().now_at())[0])
    return done


def _planned(customers: Sequence[int]) -> set[int]:
    """Those with whom the next action is dated already: until then they are left alone."""
    rows = Action.select(Action.customer).where(Action.customer.in_(list(customers)), Action.state == "open")
    return {customer for (customer,) in rows.tuples()}


def _points(customers: Sequence[int]) -> dict[int, int]:
    rows = Outcome.select(Outcome.customer, Outcome.worklist_points).where(Outcome.customer.in_(list(customers)))
    return {customer: points for customer, points in rows.tuples() if points is not None}


def _with_entities(customers: Iterable[Customer]) -> None:
    entities = {entity.id: entity for entity in Entity.select()}
    for customer in customers:
        customer.entity = entities[customer.entity_id]


# --- the hold-out ----------------------------------------------------------------------


def hold_out_terms() -> dict[int, tuple[int, int]]:
    """Share (basis points) and seed of the hold-out of each entity, read once per request."""
    if "hold_out_terms" not in g:
        runtime = gate.runtime()
        g.hold_out_terms = {
            entity.id: terms_of(edition_for(runtime, entity, runtime.today(entity)).book.parameters)
            for entity in Entity.select().order_by(Entity.id)
        }
    return g.hold_out_terms


def is_in_hold_out(customer: Customer, terms: dict[int, tuple[int, int]]) -> bool:
    """Whether no model moves a customer's rank."""
    share_bp, seed = terms[customer.entity_id]
    return hold_out.is_in_hold_out(customer.id, customer.customer_group_id, share_bp, seed)


def interleaved(stops: Sequence[Stop]) -> list[Stop]:
    """Both kinds, each in its own order, laid into one list so that each stretch has its share of both."""

    def places(some: list[Stop]) -> list[tuple[float, int, Stop]]:
        return [((2 * index + 1) / (2 * len(some)), stop.customer.id, stop) for index, stop in enumerate(some)]

    ranked = sorted((s for s in stops if not s.held_out), key=lambda s: (-(s.points or 0), s.customer.id, _number(s)))
    amounts = sorted((s for s in stops if s.held_out), key=lambda s: (-_overdue(s), s.customer.id, _number(s)))
    laid = sorted([*places(ranked), *places(amounts)], key=lambda one: one[:2])
    return [stop for _place, _customer, stop in laid]


def _number(stop: Stop) -> int:
    return 0 if stop.action is None else int(stop.action.id)


def _overdue(stop: Stop) -> int:
    return int(stop.figures.get("overdue_minor") or 0)
