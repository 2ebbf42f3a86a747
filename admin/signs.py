"""The few numbers every page shows: what waits for a person, and whether mail goes out."""

from dataclasses import dataclass

from flask import g
from flask_login import current_user
from peewee import ModelSelect

from admin import gate
from engine import access
from engine.alerts import State, in_state
from engine.claims import MESSAGE_CHANNELS
from engine.notes import unseen_of
from engine.tables import Action, Alarm, Alert, Customer, Document, Entity, Run

COUNTED_TO = 99  # nobody needs to know whether it is 1,204 or 1,205; counting a million rows costs


@dataclass(frozen=True)
class Signs:
    """What waits, counted up to ``COUNTED_TO`` + 1.

    Args:
        diary: open work due today or earlier.
        letters: messages that wait for a person's confirmation or verdict.
        alarms: not acknowledged.
        alerts: open ones about customers.
        proposals: documents proposed, not yet approved.
        mentions: notes that ask the person and that they have not seen.
        gates: runs stopped by the mass-change gate.
        entities: what the person sees a part of, with their sending state.
    """

    diary: int = 0
    letters: int = 0
    alarms: int = 0
    alerts: int = 0
    proposals: int = 0
    mentions: int = 0
    gates: int = 0
    entities: tuple[Entity, ...] = ()

    @property
    def live(self) -> list[Entity]:
        """Entities that send."""
        return [entity for entity in self.entities if entity.sending]

    @property
    def stopped(self) -> list[Entity]:
        """Entities that went live and were stopped."""
        return [entity for entity in self.entities if entity.live_from_day is not None and not entity.sending]


def signs() -> Signs:
    """The signs for the person signed in, computed once per request."""
    if "signs" not in g:
        g.signs = _read() if current_user.is_authenticated else Signs()
    return g.signs


def few(query: ModelSelect) -> int:
    """Rows of a query, counted no further than shown."""
    return len(list(query.limit(COUNTED_TO + 1).tuples()))


def _read() -> Signs:
    user = current_user.id
    entities = sorted(access.visible_entities(user))
    whole = [entity for entity in entities if access.sees_whole_entity(user, entity)]
    diary = letters = alerts = 0
    if gate.may("customers.view"):
        work = access.visible_to(user, Action.select(Action.id).join(Customer), in_order=True)
        day = gate.runtime().today()
        open_alerts = Alert.select(Alert.id).join(Customer).where(in_state(State.OPEN, day))
        alerts = few(access.visible_to(user, open_alerts, in_order=True))
        diary = few(work.where(Action.state == "open", Action.due_day <= day))
        letters = few(work.where(Action.state.in_(("waiting", "uncertain")), Action.channel.in_(MESSAGE_CHANNELS)))
    return Signs(
        diary=diary,
        letters=letters,
        alerts=alerts,
        alarms=few(alarms_of(user).where(Alarm.acknowledged_at.is_null())),
        mentions=len(unseen_of(user, COUNTED_TO + 1)) if gate.may("notes.view") else 0,
        proposals=few(Document.select(Document.id).where(Document.status == "proposed"))
        if gate.may("policies.view")
        else 0,
        gates=few(Run.select(Run.id).where(Run.state == "gated", Run.entity.in_(whole))),
        entities=tuple(Entity.select().where(Entity.id.in_(entities)).order_by(Entity.code)),
    )


def alarms_of(user: int) -> ModelSelect:
    """Alarms a person may see: of their customers, and those of entities they see whole."""
    from peewee import JOIN

    entities = access.visible_entities(user)
    whole = [entity for entity in entities if access.sees_whole_entity(user, entity)]
    query = Alarm.select().join(Customer, JOIN.LEFT_OUTER)
    free = Alarm.customer.is_null() & (Alarm.entity_id.in_(whole) | Alarm.entity_id.is_null())
    theirs = access.scope_of(user, in_order=True)
    return query.where(free if theirs is None else free | theirs)
