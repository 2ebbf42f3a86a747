"""Sending terms in words: how much an entity sends a day, and when its customers may be contacted."""

import json
from typing import Any

from babel.dates import get_day_names
from flask_babel import gettext as _

from admin import formatting
from admin.wording import channel_words
from engine.contact_times import times_of
from engine.sending_terms import CHANNELS
from engine.tables import Entity, TermsProposal
from ledger.days import date_of
from rules.contact_hours import Times

OFFERED = ("weekend", "6,7", "7", "5,6", "none")


def weekdays_given(entity: Entity) -> str:
    """The quiet weekdays in force, as the command takes them."""
    weekdays = times_of(entity).weekdays
    if weekdays is None:
        return "weekend"
    return ",".join(str(one) for one in sorted(weekdays)) or "none"


def weekday_choices(given: str) -> list[tuple[str, str]]:
    """Quiet weekdays to choose from, each in words."""
    return [(value, weekdays_words(value)) for value in dict.fromkeys([*OFFERED, given])]


def weekdays_words(given: str) -> str:
    """Quiet weekdays in words.

    Args:
        given: as the command takes them.
    """
    if given == "weekend":
        return _("the weekend of the customer's country")
    if given == "none":
        return _("none")
    names = get_day_names("wide", locale=formatting.locale())
    return ", ".join(str(names[int(one) - 1]) for one in given.split(","))


def dates_given(entity: Entity) -> str:
    """The further quiet days in force, a line each."""
    lines = [
        date_of(first).isoformat() + ("" if first == last else f" to {date_of(last).isoformat()}")
        for first, last in times_of(entity).dates
    ]
    return "\n".join(lines)


def hours_words(hours: tuple[int, int]) -> str:
    """Sending hours in words."""
    start, end = hours
    if (start, end) == (0, 24):
        return _("at any hour")
    return _("from %(start)s to %(end)s", start=f"{start:02}:00", end=f"{end:02}:00")


def times_shown(times: Times, weekdays: str) -> list[tuple[str, str]]:
    """Contact times as label and words.

    Args:
        weekdays: quiet ones, as the command takes them.
    """
    dates = [
        formatting.day_text(first) if first == last else f"{formatting.day_text(first)} – {formatting.day_text(last)}"
        for first, last in times.dates
    ]
    return [
        *((channel_words(channel), hours_words(times.of(channel))) for channel in CHANNELS),
        (_("No messages on"), weekdays_words(weekdays)),
        (_("Further quiet days"), "; ".join(dates) or _("none")),
        (_("Public holidays"), _("nothing is sent") if times.holidays else _("it sends as on other days")),
    ]


def terms_shown(entity: Entity) -> list[tuple[str, Any]]:
    """All sending terms of an entity as label and words."""
    cap = (_("Letters a collector a day, at most"), formatting.count(entity.daily_cap))
    return [cap, *times_shown(times_of(entity), weekdays_given(entity))]


def wanted_shown(proposal: TermsProposal) -> list[tuple[str, Any]]:
    """The terms that wait for a second person, as label and words: those that would be others."""
    entity, wanted = proposal.entity, json.loads(proposal.terms)
    meant = Entity(daily_cap=wanted["daily_cap"], contact_times=json.dumps(wanted["contact_times"]))
    return [pair for pair, now in zip(terms_shown(meant), terms_shown(entity)) if pair != now]
