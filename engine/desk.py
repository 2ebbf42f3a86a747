"""Whose work is what: dated work of a person, of those they stand in for, and of nobody.

Work has an owner, or it is of whoever holds its role; work of the role collector without an owner
belongs to a customer without a collector, and is listed as such until somebody takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peewee import ModelSelect

from engine import access
from engine.absences import backed_up_by, represented_by
from engine.editions import edition_for
from engine.hold_out import number
from engine.tables import Action, Customer, Entity, Outcome

if TYPE_CHECKING:
    from engine.runtime import Runtime

COLLECTOR = "collector"
WORK_CHANNELS = ("call", "task")
CUSTOMERS_A_DAY = "desk_customers_a_day"  # parameters
UNDONE_DAYS = "desk_undone_days"
CUSTOMERS_A_DAY_FIRST = 40  # while no parameter says another
UNDONE_DAYS_FIRST = 3


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose work a person does on a day.

    Args:
        user: the person.
        for_others: those who are away and for whom they stand in.
        late_of: those whose work comes to them once it is undone too long.
        undone_days: how long that is.
        roles: theirs; work without an owner is of a role.
    """

    user: int
    day: int
    for_others: tuple[int, ...]
    late_of: tuple[int, ...]
    undone_days: int
    roles: tuple[str, ...]

    @property
    def people(self) -> tuple[int, ...]:
        """Whose whole work it is: one's own, and that of those who are away."""
        return (self.user, *self.for_others)

    def is_theirs(self) -> Any:
        """The condition of work that is this person's today."""
        roles = [role for role in self.roles if role != COLLECTOR]
        theirs: Any = Action.owner.in_(self.people)
        if self.late_of:
            theirs |= Action.owner.in_(self.late_of) & (Action.due_day < self.day - self.undone_days)
        if roles:
            theirs |= Action.owner.is_null() & Action.owner_role.in_(roles)
        return theirs


def desk_of(runtime: "Runtime", user: int, day: int) -> Desk:
    """Whose work a person does on a day."""
    for_others = represented_by(user, day)
    people = [user, *for_others]
    late_of = [one for one in backed_up_by(people) if one not in people]
    return Desk(
        user, day, tuple(for_others), tuple(late_of), _longest_undone(runtime, user, day), tuple(access.roles_of(user))
    )


def _longest_undone(runtime: "Runtime", user: int, day: int) -> int:
    """Of several entities the most patient one decides: nobody gets another's work too early."""
    return max(
        (parameter(runtime, entity, day, UNDONE_DAYS, UNDONE_DAYS_FIRST) for entity in _entities(user)),
        default=UNDONE_DAYS_FIRST,
    )


def customers_a_day(runtime: "Runtime", user: int, day: int) -> int:
    """How many customers a day's list offers at most."""
    return max(
        (parameter(runtime, entity, day, CUSTOMERS_A_DAY, CUSTOMERS_A_DAY_FIRST) for entity in _entities(user)),
        default=CUSTOMERS_A_DAY_FIRST,
    )


def parameter(runtime: "Runtime", entity: Entity, day: int, name: str, without: int) -> int:
    """A whole number among an entity's parameters in force."""
    return number(edition_for(runtime, entity, day).book.parameters, name, without)


def _entities(user: int) -> list[Entity]:
    return list(Entity.select().where(Entity.id.in_(sorted(access.visible_entities(user)))).order_by(Entity.id))


def open_work(user: int) -> ModelSelect:
    """Open calls and tasks of the customers a person sees."""
    query = Action.select(Action, Customer).join(Customer).where(Action.state == "open")
    return access.visible_to(user, query, in_order=True)


def due_work(desk: Desk, most: int) -> list[Action]:
    """A person's open work due today or earlier, the oldest first."""
    mine = open_work(desk.user).where(desk.is_theirs(), Action.due_day <= desk.day)
    return list(mine.order_by(Action.due_day, Action.id).limit(most))


def unassigned_work() -> Any:
    """The condition of work that nobody's list holds: of the role collector, without an owner."""
    return Action.owner.is_null() & (Action.owner_role.is_null() | (Action.owner_role == COLLECTOR))


def unassigned_customers(user: int) -> ModelSelect:
    """Customers without a collector who have open work or points in the worklist; of those a person sees."""
    work = Action.select(Action.customer).where(Action.state == "open", unassigned_work())
    ranked = Outcome.select(Outcome.customer).where(Outcome.worklist_points > 0)
    query = Customer.select().where(Customer.collector.is_null(), Customer.id.in_(work) | Customer.id.in_(ranked))
    return access.visible_to(user, query, in_order=True)


def spoken_to_on(customers: Sequence[int], since_at: int) -> set[int]:
    """Those of some customers with whom somebody finished a call or task since an instant."""
    rows = Action.select(Action.customer).where(
        Action.customer.in_(list(customers)),
        Action.channel.in_(WORK_CHANNELS),
        Action.state.in_(("done", "skipped")),
        Action.settled_at >= since_at,
    )
    return {customer for (customer,) in rows.tuples()}
