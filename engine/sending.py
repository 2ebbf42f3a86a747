"""What becomes of a due message at its claim: send it, cancel it, or wait."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.doors import sender_of
from engine.invoice_documents import Enclosed
from engine.outages import outage_of
from engine.tables import Action, Alarm, Entity, Person
from ledger.days import date_of, day_of
from notifiers.composing import Composed
from notifiers.gateways import Gateway
from notifiers.manuscripts import Manuscript
from notifiers.printing import Printed

if TYPE_CHECKING:
    from engine.runtime import Runtime
    from engine.together import Together

log = logging.getLogger(__name__)

MICROSECONDS = 1_000_000
HOUR_US = 3_600 * MICROSECONDS
UNDECIDABLE_US = HOUR_US // 4  # until the next look at a message that cannot be decided
# A run of a past day (a ledger of years ago, the demo year) is carried out now. Its actions keep to
# its calendar: they are decided again as of the day they belong to. A missed night is no past day.
PAST_RUN_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Send it: the step is still due.

    Args:
        letter: what it says; written out after the claim where that takes long.
        enclosed: invoice documents that go along.
        lacking: what should go along and is not there, for the action.
    """

    person: Person
    to_address: str
    to_name: str
    from_address: str
    from_name: str
    copies: tuple[str, ...] = ()
    letter: Manuscript | Composed | Printed
    edition: str | None
    enclosed: tuple[Enclosed, ...] = ()
    lacking: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Do not send it: the reason is gone."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now."""

    until_at: int
    why: str


@dataclass(frozen=True, slots=True)
class NoAddress:
    """There is nobody to write to."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Its address is missing; it goes by this channel instead."""

    channel: str


Verdict = Go | Cancel | Wait | NoAddress | Elsewhere
Prepare = Callable[["Runtime", Action, int, Gateway], Verdict]


def prepare(
    runtime: "Runtime", action: Action, now_at: int, gateway: Gateway, together: "Together | None" = None
) -> Verdict:
    """Decide the customer again and fix what the letter says; called inside the claim's transaction.

    Args:
        together: what was read for all messages of the claim at once; None: this one is alone.
    """
    from engine import answers, charging, contact_times, edited_texts, plan_letters, reaching, recheck, statements
    from engine.payment_plans import AGREED
    from engine.together import Together

    if action.template == answers.QUESTION:  # to a colleague, about a dispute: no rule decides it
        return answers.prepare(runtime, action, now_at, gateway)
    if action.step_key == AGREED:  # the confirmation of a payment plan: nor does one decide this
        return plan_letters.prepare(runtime, action, now_at, gateway)
    entity = action.customer.entity
    day = business_day(runtime, action)
    together = together or Together(runtime, [action])
    try:
        facts = together.facts(entity, day, action.customer_id)
        checked = recheck.check(runtime, action, entity, facts)
    except Exception as error:  # a policy that cannot be read, a fault of ours: no decision, no letter
        if outage_of(error) is not None:
            raise
        log.exception("action %s cannot be decided again", action.key)
        what = type(error).__name__
        text = f"messages of {entity.code} wait: they cannot be decided again ({what}); see the worker's log"
        _tell(entity, now_at, "undecidable", text)
        return Wait(now_at + UNDECIDABLE_US, "undecidable")
    if checked.cancelled is not None:
        return Cancel(checked.cancelled)
    if checked.waiting_for is not None:
        return Wait(checked.until_at or day_bounds(entity, now_at)[1], checked.waiting_for)
    later = contact_times.wait_of(action, entity, facts.ask.edition.book, now_at, together.contacted(entity))
    if later is not None:
        return later
    reached = reaching.reached(runtime, action, entity, action.way, together.addresses)
    if reached is None:
        return unreached(runtime, action, entity, now_at)
    from_address = sender_of(runtime, entity, gateway)
    if from_address is None:
        return Wait(now_at + HOUR_US, "no_sender")
    wording = together.wording(entity, str(action.template), day)
    if wording is None:
        text = f"letters of {entity.code} wait: the template {action.template} is not in force"
        _tell(entity, now_at, "no_template", text)
        return Wait(now_at + HOUR_US, "no_template")
    own = together.own_words(action, wording, reached.language)
    if own is None:
        return Wait(now_at + HOUR_US, edited_texts.OTHER_LANGUAGE)
    items = together.items(entity, facts, action.customer_id)
    step = recheck.step_of(action, facts)
    link = f"{runtime.settings.url}/customers/{action.customer_id}" if runtime.settings.url else ""
    account = charging.charged_for(runtime, action, now_at) if step is not None and step.penalties else None
    asked = statements.letter_of(action, entity, day, reached, items, own, step, link, account)
    if asked is None:
        return Cancel("nothing is left to ask for")
    return Go(
        person=reached.person,
        to_address=reached.address,
        copies=reached.copies,
        to_name=reached.name,
        from_address=from_address,
        from_name=entity.name,
        letter=asked.manuscript,
        edition=checked.edition,
        enclosed=asked.enclosed,
        lacking=asked.lacking,
    )


def unreached(runtime: "Runtime", action: Action, entity: Entity, now_at: int) -> Verdict:
    """What becomes of a message that reaches nobody by its channel: the next one, a task, or a wait for a door."""
    from engine import reaching

    channel = reaching.next_way(runtime, action, entity)
    if channel is not None:
        return Elsewhere(channel)
    return NoAddress() if reaching.needs_contact(runtime, action) else Wait(now_at + HOUR_US, "no_door")


def _tell(entity: Entity, now_at: int, kind: str, text: str) -> None:
    """Raise one alarm per entity and kind, however many messages wait."""
    told = Alarm.select().where(Alarm.entity_id == entity.id, Alarm.kind == kind, Alarm.acknowledged_at.is_null())
    if not told.exists():
        Alarm.create(entity_id=entity.id, kind=kind, text=text, raised_at=now_at)


def business_day(runtime: "Runtime", action: Action) -> int:
    """The day an action is decided again for: today, or the day of the past run it belongs to."""
    return day_at(action, runtime.now_at())


def day_at(action: Action, at: int) -> int:
    """The business day, at the action's entity, on which something happened to it.

    As ``engine.queries`` counts contacts: an action of a past run belongs to its due day.
    """
    zone = str(action.customer.entity.zone)
    return contact_day(zone, action.created_at, action.due_day, at)


def contact_day(zone: str, created_at: int, due_day: int, at: int) -> int:
    """``day_at`` of an action from its columns.

    Args:
        zone: of its entity.
    """
    moment = datetime.fromtimestamp(at // MICROSECONDS, UTC).astimezone(ZoneInfo(zone))
    created = datetime.fromtimestamp(created_at // MICROSECONDS, UTC).astimezone(ZoneInfo(zone))
    behind = day_of(created.date()) - due_day
    return day_of(moment.date()) - (behind if behind > PAST_RUN_DAYS else 0)


def day_bounds(entity: Entity, now_at: int) -> tuple[int, int]:
    """First instant of the entity's day and of the next one, microseconds UTC."""
    zone = ZoneInfo(entity.zone)
    today = datetime.fromtimestamp(now_at // MICROSECONDS, UTC).astimezone(zone).date()
    return instant_of(day_of(today), zone), instant_of(day_of(today) + 1, zone)


def instant_of(day: int, zone: ZoneInfo, at: time = time()) -> int:
    """An hour of a day in a zone, as microseconds UTC; an hour the clock skips counts as the next."""
    local = datetime.combine(date_of(day), at, tzinfo=zone)
    passed = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return passed // timedelta(microseconds=1)
