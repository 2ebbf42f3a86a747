"""When a customer may be contacted: the contact cap, and hours, quiet days and holidays where they are.

Asked at every claim, after the step was decided again, and for the day a next step is foretold for.
The cap counts contacts of all policies and channels; its figures are parameters. Hours and quiet
days are an entity's own (``engine.sending_terms``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.queries import DAY_US
from engine.sending import MICROSECONDS, Wait, contact_day, instant_of
from engine.tables import Action, ActionWait, Customer, Entity, Outcome
from ledger.days import day_of
from rules.contact_hours import Place, Times, first_open_day, later, quiet

if TYPE_CHECKING:
    from rules.book import Book

CAP_CONTACTS, CAP_DAYS = "contact_cap", "contact_cap_days"  # parameters
CAP = "cap_days"
UNREACHED = ("no_answer", "wrong_contact")  # results of a call that reached nobody
COUNTED = ("claimed", "sending", "uncertain", "sent")  # whatever may have arrived
PLACES_KEPT = 4_096


def wait_of(
    action: Action, entity: Entity, book: "Book | None", now_at: int, known: "Contacted | None" = None
) -> Wait | None:
    """Why a message must not go now, and until when; None: it may.

    Args:
        action: decided again already; of a past run it keeps to that run's calendar.
        book: the rules and parameters in force for it; None: the contact cap does not hold it back.
        now_at: microseconds UTC.
        known: how often its customer was contacted, where that was read for several at once.
    """
    from engine.claims import CONTACT_CHANNELS

    if action.channel not in CONTACT_CHANNELS:
        return None
    day = contact_day(entity.zone, action.created_at, action.due_day, now_at)
    behind_us = (local_day(entity.zone, now_at) - day) * DAY_US
    free_day = None if book is None else capped_until(action, entity, book, day, known)
    at = now_at - behind_us if free_day is None else instant_of(free_day, ZoneInfo(entity.zone))
    found = later(times_of(entity), place_of(action.customer, entity), action.way, at)
    if free_day is not None:
        return Wait((at if found is None else found.until_at) + behind_us, CAP)
    return None if found is None else Wait(found.until_at + behind_us, found.why)


def local_day(zone: str, at: int) -> int:
    """The day it is in a zone at an instant."""
    return day_of(datetime.fromtimestamp(at // MICROSECONDS, UTC).astimezone(ZoneInfo(zone)).date())


# --- the contact cap -------------------------------------------------------------------


def cap_of(book: "Book", segment: str | None) -> tuple[int, int] | None:
    """How many contacts in how many days a customer may have; None: no such parameters are in force."""
    found = [book.parameters.get(name) for name in (CAP_CONTACTS, CAP_DAYS)]
    values = [None if one is None else one.for_segment(segment) for one in found]
    if not all(isinstance(value, int) for value in values):
        return None
    return int(values[0] or 0), int(values[1] or 0)


def capped_until(
    action: Action, entity: Entity, book: "Book", day: int, known: "Contacted | None" = None
) -> int | None:
    """The first day on which the contact cap leaves room for a message, if that is after a day."""
    found = known or contacted(entity, [action.customer_id])
    cap = cap_of(book, found.segments.get(action.customer_id))
    if cap is None or cap[1] == 0:
        return None
    made = [made for made in found.made.get(action.customer_id, ()) if made[1] != action.id]
    return free_from([contact for contact, _ in made], *cap, day)


def free_from(made: Sequence[int], contacts: int, days: int, day: int) -> int | None:
    """The first day with less than so many contacts in the days up to it; None: that is today.

    Args:
        made: the days of earlier contacts.
        contacts: how many there may be in any so many days; 0 counts as 1, or nothing would ever go.

    >>> free_from([100, 103], 2, 7, 104), free_from([100, 103], 2, 7, 107), free_from([100], 2, 7, 104)
    (107, None, None)
    """
    most = max(contacts, 1)
    latest = sorted(made, reverse=True)
    if len(latest) < most or latest[most - 1] + days <= day:
        return None
    return latest[most - 1] + days


@dataclass(frozen=True, slots=True)
class Contacted:
    """How often some customers of an entity were contacted.

    Args:
        zone: of the entity.
        segments: of each customer, as it was decided last.
        made: of each customer, day and action of every contact it had, or may have had.
    """

    zone: str
    segments: Mapping[int, str | None]
    made: dict[int, list[tuple[int, int]]]

    def add(self, action: Action, lease_until_at: int) -> None:
        """A message that was claimed since: it may arrive, as ``contacts_among`` would tell."""
        from engine.claims import CONTACT_CHANNELS

        if action.channel in CONTACT_CHANNELS:
            day = contact_day(self.zone, action.created_at, action.due_day, lease_until_at)
            self.made.setdefault(action.customer_id, []).append((day, action.id))


def contacted(entity: Entity, customers: Sequence[int]) -> Contacted:
    """Read how often some customers of an entity were contacted."""
    segments = dict(Outcome.select(Outcome.customer, Outcome.segment).where(Outcome.customer.in_(customers)).tuples())
    return Contacted(entity.zone, segments, contacts_among(customers, entity.zone))


def contacts_of(customer_id: int, entity: Entity) -> list[tuple[int, int]]:
    """Day and action of every contact a customer had, or may have had: messages, and calls that reached somebody."""
    return contacts_among([customer_id], entity.zone).get(customer_id, [])


def contacts_among(customers: Sequence[int], zone: str) -> dict[int, list[tuple[int, int]]]:
    """``contacts_of`` each of some customers, whose entity is in a time zone; without those that had none."""
    from engine.claims import CONTACT_CHANNELS

    # What goes along with another message is no contact of its own.
    message = Action.channel.in_(CONTACT_CHANNELS) & Action.state.in_(COUNTED) & Action.covered_by.is_null()
    call = (Action.channel == "call") & (Action.state == "done")
    columns = (Action.id, Action.created_at, Action.due_day, Action.settled_at, Action.lease_until_at, Action.result)
    rows = (
        Action.select(Action.customer, *columns, Action.channel)
        .where(Action.customer.in_(list(customers)), Action.covered_by.is_null(), message | call)
        .tuples()
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for customer, number, created_at, due_day, settled_at, lease_until_at, result, channel in rows:
        if channel != "call" or result not in UNREACHED:
            at = settled_at or lease_until_at or created_at
            found.setdefault(customer, []).append((contact_day(zone, created_at, due_day, at), number))
    return found


# --- hours and days --------------------------------------------------------------------


def times_of(entity: Entity) -> Times:
    """What an entity has settled; what it has not is as shipped."""
    return read_times(str(entity.contact_times))


@lru_cache(maxsize=PLACES_KEPT)
def read_times(text: str) -> Times:
    """Contact times from the JSON they are kept in."""
    kept: Mapping[str, Any] = json.loads(text)
    shipped = Times()
    weekdays = kept.get("weekdays")
    return Times(
        hours={**shipped.hours, **{name: (start, end) for name, (start, end) in kept.get("hours", {}).items()}},
        weekdays=None if weekdays is None else frozenset(weekdays),
        dates=tuple((first, last) for first, last in kept.get("dates", ())),
        holidays=bool(kept.get("holidays", True)),
    )


def place_of(customer: Customer, entity: Entity) -> Place:
    """Where a customer is: every time zone of its country; without one, where the entity is."""
    return _place(customer.country or "", entity.country, entity.zone, entity.region)


@lru_cache(maxsize=PLACES_KEPT)
def _place(country: str, home: str, zone: str, region: str | None) -> Place:
    here = not country or country == home
    zones = zones_by_country().get(country, ()) if country else ()
    return Place(zones or (zone,), country or home, region if here else None)


@cache
def zones_by_country() -> Mapping[str, tuple[str, ...]]:
    """Time zones of every country, by the table of the time zone database."""
    text = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _coordinates, zone, *_comment = line.split("\t")
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


def foretold_day(entity: Entity, country: str | None, channel: str, day: int) -> int:
    """The day a step that comes on a day can be carried out: a message leaves on no quiet day."""
    from engine.claims import CONTACT_CHANNELS

    if channel not in CONTACT_CHANNELS:
        return day
    place = _place(country or "", entity.country, entity.zone, entity.region)
    return first_open_day(times_of(entity), place, day)


def quiet_code(customer: Customer, channel: str, day: int) -> str | None:
    """Why nothing could leave on a whole day where a customer is, or None."""
    from engine.claims import CONTACT_CHANNELS

    if channel not in CONTACT_CHANNELS:
        return None
    return quiet(times_of(customer.entity), place_of(customer, customer.entity), day)


# --- what held messages back -----------------------------------------------------------


def note_wait(action: Action, why: str, at: int) -> None:
    """Keep why a message waited on a day, once: the row of the action only knows the last reason."""
    zone = str(Entity.get_by_id(action.entity_id).zone)
    day = contact_day(zone, action.created_at, action.due_day, at)
    ActionWait.insert(action=action.id, day=day, why=why, since_at=at).on_conflict_ignore().execute()
