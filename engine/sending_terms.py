"""Sending terms of an entity: its messages a day, sending hours, quiet days.

What permits no more than before takes effect at once. What permits more (a higher cap, longer hours,
fewer quiet days) waits for a second person.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.commands import (
    Change,
    Command,
    Conflict,
    Context,
    Invalid,
    Refused,
    expect_version,
    register,
    update_version,
)
from engine.contact_times import read_times
from engine.going_live import DAILY_CAP_MAX
from engine.tables import Entity, TermsProposal
from ledger.canonical import canonical
from ledger.days import day_of
from ledger.problems import Problem
from rules.contact_hours import HOURS_MIN, Times

DATES_MAX = 60  # lines of quiet dates
DATES_DAYS_MAX = 60  # days in a row of one line
WEEKDAYS_MAX = 5  # quiet ones: two are left to write on
CHANNELS = ("email", "letter", "sms", "chat")
_HOURS = re.compile(r"(\d{1,2})\s*(?:-|–|to|bis|à)\s*(\d{1,2})")
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?:\s+\S+\s+(\d{4}-\d\d-\d\d))?")


@dataclass(frozen=True, kw_only=True)
class SetSendingTerms(Command):
    """Say how much an entity sends a day and when its customers may be contacted.

    Args:
        entity: its code.
        daily_cap: messages a collector a day.
        email_hours, letter_hours, sms_hours, chat_hours: from and until, whole hours of the
            contact's day, as in ``9-18``.
        quiet_weekdays: ISO weekdays without contacts, as in ``6,7``; ``weekend``: that of the
            contact's country; ``none``.
        quiet_dates: further quiet days, a line each: ``2026-12-24`` or ``2026-12-24 to 2027-01-03``.
        holidays: whether nothing is sent on public holidays of the contact's country.
        version: of the row the actor saw; None: whatever it is now.
    """

    entity: str
    daily_cap: int
    email_hours: str = "0-24"
    letter_hours: str = "0-24"
    sms_hours: str = "9-18"
    chat_hours: str = "9-18"
    quiet_weekdays: str = "weekend"
    quiet_dates: str = ""
    holidays: bool = True
    version: int | None = None


@register(SetSendingTerms, permission="golive.propose", person_only=True)
def set_sending_terms(context: Context, command: SetSendingTerms) -> Change:
    """Change them, or ask another person where they permit more."""
    entity = context.entity(command.entity)
    expect_version(entity, command.version)
    wanted, problems = _wanted(command)
    if problems:
        raise Invalid(problems)
    before = terms_of(entity)
    if wanted == before:
        raise Invalid.because("daily_cap", "and all the rest are as they were", "change something, or leave it")
    TermsProposal.update(state="replaced").where(
        TermsProposal.entity == entity, TermsProposal.state == "proposed"
    ).execute()
    more = permits_more(before, wanted)
    if more:
        TermsProposal.create(
            entity=entity,
            terms=canonical(wanted),
            reason=command.reason,
            state="proposed",
            proposed_by=context.actor,
            proposed_at=context.at,
        )
    else:
        _put(entity, wanted)
    state = "proposed" if more else "in force"
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before=before,
        after={**wanted, "state": state},
        answer={"state": state, "permits_more": more, "version": entity.version},
        entity_id=entity.id,
    )


@dataclass(frozen=True, kw_only=True)
class ApproveSendingTerms(Command):
    """Put terms in force that permit more, as a second person."""

    entity: str


@register(ApproveSendingTerms, permission="golive.approve", person_only=True)
def approve_sending_terms(context: Context, command: ApproveSendingTerms) -> Change:
    """They count at the next claim."""
    entity = context.entity(command.entity)
    proposal = proposed_terms(entity)
    if proposal is None:
        raise Conflict(f"nobody has proposed other sending terms for {entity.code}")
    if context.actor is None or proposal.proposed_by_id == context.actor.id:
        raise Refused("nobody approves their own proposal")
    TermsProposal.update(state="approved", approved_by=context.actor, approved_at=context.at).where(
        TermsProposal.id == proposal.id
    ).execute()
    before, wanted = terms_of(entity), json.loads(proposal.terms)
    _put(entity, wanted)
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before=before,
        after={**wanted, "state": "in force"},
        answer={"state": "in force", "version": entity.version},
        entity_id=entity.id,
    )


def proposed_terms(entity: Entity) -> TermsProposal | None:
    """The terms that wait for a second person, if there are any."""
    found: TermsProposal | None = TermsProposal.get_or_none(
        TermsProposal.entity == entity, TermsProposal.state == "proposed"
    )
    return found


def terms_of(entity: Entity) -> dict[str, Any]:
    """The terms in force, whole, as plain values."""
    return {"daily_cap": entity.daily_cap, "contact_times": _plain(read_times(str(entity.contact_times)))}


def _plain(times: Times) -> dict[str, Any]:
    return {
        "hours": {channel: list(times.of(channel)) for channel in CHANNELS},
        "weekdays": None if times.weekdays is None else sorted(times.weekdays),
        "dates": [list(pair) for pair in times.dates],
        "holidays": times.holidays,
    }


def _put(entity: Entity, wanted: dict[str, Any]) -> None:
    update_version(entity, daily_cap=wanted["daily_cap"], contact_times=canonical(wanted["contact_times"]))


def permits_more(before: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Which of the terms permit something that was not permitted before; empty: none."""
    was, now = before["contact_times"], wanted["contact_times"]
    wider = any(
        now["hours"][one][0] < was["hours"][one][0] or now["hours"][one][1] > was["hours"][one][1] for one in CHANNELS
    )
    quiet_before = {day for first, last in was["dates"] for day in range(first, last + 1)}
    quiet_now = {day for first, last in now["dates"] for day in range(first, last + 1)}
    fewer_weekdays = was["weekdays"] != now["weekdays"] and (
        was["weekdays"] is None or now["weekdays"] is None or not set(was["weekdays"]) <= set(now["weekdays"])
    )
    claims = {
        "daily_cap": wanted["daily_cap"] > before["daily_cap"],
        "hours": wider,
        "quiet_weekdays": fewer_weekdays,
        "quiet_dates": not quiet_before <= quiet_now,
        "holidays": was["holidays"] and not now["holidays"],
    }
    return [name for name, holds in claims.items() if holds]


def _wanted(command: SetSendingTerms) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    given = {
        "email": command.email_hours,
        "letter": command.letter_hours,
        "sms": command.sms_hours,
        "chat": command.chat_hours,
    }
    hours = {channel: _read_hours(f"{channel}_hours", text, problems) for channel, text in given.items()}
    if not 0 < command.daily_cap <= DAILY_CAP_MAX:
        problems.append(Problem(place="daily_cap", what="is out of range", cure=f"give 1 to {DAILY_CAP_MAX}"))
    times = {
        "hours": hours,
        "weekdays": _read_weekdays(command.quiet_weekdays, problems),
        "dates": _read_dates(command.quiet_dates, problems),
        "holidays": command.holidays,
    }
    return {"daily_cap": command.daily_cap, "contact_times": times}, problems


def _read_hours(place: str, text: str, problems: list[Problem]) -> list[int]:
    found = _HOURS.fullmatch(text.strip())
    start, end = (0, 0) if found is None else (int(found[1]), int(found[2]))
    if found is None or not 0 <= start < end <= 24:
        problems.append(Problem(place=place, what="are no hours of a day", cure="write them as 9-18"))
    elif end - start < HOURS_MIN:
        cure = "a change of the clock would leave a day without any"
        problems.append(Problem(place=place, what=f"are less than {HOURS_MIN} hours", cure=f"give more: {cure}"))
    return [start, end]


def _read_weekdays(text: str, problems: list[Problem]) -> list[int] | None:
    if text == "weekend":
        return None
    named = [] if text in {"", "none"} else text.replace(" ", "").split(",")
    if not all(one in "1234567" and len(one) == 1 for one in named) or len(set(named)) > WEEKDAYS_MAX:
        cure = f"give weekend, none, or at most {WEEKDAYS_MAX} of 1 (Monday) to 7"
        problems.append(Problem(place="quiet_weekdays", what="are no weekdays", cure=cure))
        return []
    return sorted({int(one) for one in named})


def _read_dates(text: str, problems: list[Problem]) -> list[list[int]]:
    found: list[list[int]] = []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines[: DATES_MAX + 1]:
        pair = _DATES.fullmatch(line)
        try:
            ends = [] if pair is None else [day_of(date.fromisoformat(one)) for one in (pair[1], pair[2] or pair[1])]
        except ValueError:
            ends = []
        if not ends or not 0 <= ends[1] - ends[0] < DATES_DAYS_MAX or len(found) == DATES_MAX:
            cure = f"write 2026-12-24 or 2026-12-24 to 2027-01-03, at most {DATES_MAX} lines of {DATES_DAYS_MAX} days"
            problems.append(Problem(place="quiet_dates", what=f"“{line[:40]}” names no days", cure=cure))
            break
        found.append(ends)
    return sorted(found)
