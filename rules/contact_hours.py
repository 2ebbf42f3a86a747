"""When a contact is permitted: sending hours, quiet days and holidays where the contact is.

Pure: the instant, the zones and what an entity has settled are arguments. Hours are read off the
wall clock of every zone the contact may be in, so that a change of daylight saving time neither
opens an hour too early nor closes a day.
Source: semantics.md 3; domain.md C4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

from ledger.days import date_of, day_of

HOURS = "hours"
QUIET_DAY = "quiet_day"
HOLIDAY = "holiday"
# Hours of the local day, half-open: whom a telephone wakes is written to by day, a mailbox at any hour.
SHIPPED_HOURS: Mapping[str, tuple[int, int]] = {"email": (0, 24), "letter": (0, 24), "sms": (9, 18), "chat": (9, 18)}
OTHER_HOURS = (9, 18)  # of a channel nobody has settled
HOURS_MIN = 4  # a window is at least so long: no clock change closes a day
LOOK_AHEAD_DAYS = 60
WEEKEND = frozenset({6, 7})  # ISO weekdays, of a country whose weekend nobody knows
_WINTER, _SUMMER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times:
    """What an entity has settled about when its customers may be contacted.

    Args:
        hours: from and until by channel, hours of the local day.
        weekdays: ISO weekdays (1 is Monday) without contacts; None: the weekend of the contact's country.
        dates: further quiet days, as (first, last) days since 1970-01-01.
        holidays: whether public holidays of the contact's country are quiet.
    """

    hours: Mapping[str, tuple[int, int]] = field(default_factory=lambda: dict(SHIPPED_HOURS))
    weekdays: frozenset[int] | None = None
    dates: tuple[tuple[int, int], ...] = ()
    holidays: bool = True

    def of(self, channel: str) -> tuple[int, int]:
        """From and until of a channel.

        >>> Times().of("sms"), Times().of("email")
        ((9, 18), (0, 24))
        """
        return self.hours.get(channel, SHIPPED_HOURS.get(channel, OTHER_HOURS))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contact is.

    Args:
        zones: every time zone it may be in; a contact is permitted where it is so in all of them.
        country: ISO 3166 code, for holidays and weekend.
        region: of the country, for its own holidays.
    """

    zones: tuple[str, ...]
    country: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Not now.

    Args:
        until_at: the first permitted instant, microseconds UTC.
        why: ``hours``, ``quiet_day`` or ``holiday``.
    """

    until_at: int
    why: str


def later(times: Times, place: Place, channel: str, at: int) -> Later | None:
    """The first permitted instant after one that is not; None: it is permitted.

    Args:
        at: microseconds UTC.

    >>> place = Place(("Europe/Berlin",), "DE")
    >>> saturday = 1_774_692_000_000_000  # 2026-03-28 11:00 in Berlin, the day before summer time
    >>> later(Times(), place, "email", saturday)
    Later(until_at=1774821600000000, why='quiet_day')
    """
    zones = cautious_zones(place.zones, times.of(channel))
    moment = _EPOCH + timedelta(microseconds=at)
    why = refusal(times, place, zones, channel, moment)
    if why is None:
        return None
    first = min(moment.astimezone(ZoneInfo(zone)).date() for zone in zones)
    for offset in range(LOOK_AHEAD_DAYS):
        on = first + timedelta(days=offset)
        if quiet(times, place, day_of(on)) is not None:
            continue
        for start in _starts(on, zones, times.of(channel)[0]):
            if start > moment and refusal(times, place, zones, channel, start) is None:
                return Later((start - _EPOCH) // timedelta(microseconds=1), why)
    return Later(at + LOOK_AHEAD_DAYS * 86_400_000_000, why)


def refusal(times: Times, place: Place, zones: tuple[str, ...], channel: str, moment: datetime) -> str | None:
    """Why an instant is not permitted in one of some zones, or None."""
    locals_ = [moment.astimezone(ZoneInfo(zone)) for zone in zones]
    for local in locals_:
        why = quiet(times, place, day_of(local.date()))
        if why is not None:
            return why
    start, end = times.of(channel)
    return None if all(start <= local.hour < end for local in locals_) else HOURS


def quiet(times: Times, place: Place, day: int) -> str | None:
    """Why nothing is sent on a whole day: ``quiet_day``, ``holiday`` or None.

    >>> quiet(Times(), Place(("Europe/Berlin",), "DE"), day_of(date(2026, 5, 1)))
    'holiday'
    """
    weekdays = weekend_of(place.country) if times.weekdays is None else times.weekdays
    if date_of(day).isoweekday() in weekdays or any(first <= day <= last for first, last in times.dates):
        return QUIET_DAY
    return HOLIDAY if times.holidays and holiday_name(place, day) is not None else None


def first_open_day(times: Times, place: Place, day: int) -> int:
    """The first day from one on that is not quiet; the day itself where none comes in sight."""
    ahead = (day + offset for offset in range(LOOK_AHEAD_DAYS))
    return next((one for one in ahead if quiet(times, place, one) is None), day)


def holiday_name(place: Place, day: int) -> str | None:
    """What the holiday of a day is called in its country; None: it is none."""
    on = date_of(day)
    return _holidays(place.country, place.region, on.year).get(on)


@cache
def _holidays(country: str, region: str | None, year: int) -> dict[date, str]:
    if country not in _countries():
        return {}
    known = region if region in _countries()[country] else None
    return dict(holidays.country_holidays(country, subdiv=known, years=year))


@cache
def _countries() -> dict[str, list[str]]:
    return dict(holidays.list_supported_countries())


@cache
def weekend_of(country: str) -> frozenset[int]:
    """ISO weekdays of the weekend in a country.

    >>> sorted(weekend_of("DE")), sorted(weekend_of("SA"))
    ([6, 7], [5, 6])
    """
    if country not in _countries():
        return WEEKEND
    return frozenset(day + 1 for day in holidays.country_holidays(country).weekend)


@cache
def cautious_zones(zones: tuple[str, ...], hours: tuple[int, int]) -> tuple[str, ...]:
    """The zones in all of which an instant must lie within the hours.

    All of them, unless their clocks lie so far apart that no instant does: then as few as possible
    of the easternmost and westernmost are left out.
    """
    by_offset = sorted(zones, key=lambda zone: (_offsets(zone), zone))
    room = timedelta(hours=hours[1] - hours[0] - 1)
    for size in range(len(by_offset), 1, -1):
        for start in range(len(by_offset) - size + 1):
            some = by_offset[start : start + size]
            if hours[1] - hours[0] == 24 or _spread(some) < room:  # a whole day: neighbouring days overlap
                return tuple(some)
    return tuple(by_offset[:1])


def _offsets(zone: str) -> tuple[timedelta, timedelta]:
    known = [at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for at in (_WINTER, _SUMMER)]
    return min(known), max(known)


def _spread(zones: list[str]) -> timedelta:
    return max(_offsets(zone)[1] for zone in zones) - min(_offsets(zone)[0] for zone in zones)


def _starts(on: date, zones: tuple[str, ...], hour: int) -> list[datetime]:
    """The instants at which a local day's window may open, in order; where the clock goes back, both."""
    found = set()
    for zone in zones:
        for fold in (0, 1):
            found.add(datetime.combine(on, time(hour, fold=fold), tzinfo=ZoneInfo(zone)).astimezone(UTC))
    return sorted(found)
