"""When a contact is permitted: hours by the contact's wall clock, quiet days, holidays, changes of the clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contact_times import free_from, zones_by_country
from ledger.days import day_of
from rules.contact_hours import (
    LOOK_AHEAD_DAYS,
    Place,
    Times,
    cautious_zones,
    first_open_day,
    holiday_name,
    later,
    quiet,
    weekend_of,
)

EVERY_DAY = Times(weekdays=frozenset(), holidays=False)
HOUR_US = 3_600_000_000
ZONES = (
    *("Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Athens", "Europe/Chisinau"),
    *("Atlantic/Azores", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Jerusalem", "Asia/Gaza"),
    *("Asia/Tehran", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe"),
    *("Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia", "America/New_York", "America/Los_Angeles"),
    *("America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Havana", "America/Asuncion"),
    *("America/Nuuk", "America/Mexico_City"),
)


def at_of(moment: datetime) -> int:
    """Microseconds UTC of an aware instant."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment_of(at: int) -> datetime:
    """The instant of microseconds UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def changes_of(zone: str) -> list[datetime]:
    """Instants between 2020 and 2035 near which the clock of a zone changes: the last whole hours before it."""
    known = ZoneInfo(zone)
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    found, day = [], start
    while day < end:
        following = day + timedelta(days=1)
        if day.astimezone(known).utcoffset() != following.astimezone(known).utcoffset():
            hours = [day + timedelta(hours=n) for n in range(24)]
            found.append(
                next(
                    one
                    for one in hours
                    if one.astimezone(known).utcoffset() != (one + timedelta(hours=1)).astimezone(known).utcoffset()
                )
            )
        day = following
    return found


def test_every_change_of_the_clock_leaves_each_day_its_window_and_no_instant_outside():
    """All changes 2020 to 2035 in thirty zones: asked each half hour around them, for windows by day and by night."""
    assert len(set(ZONES)) == 30
    looked_at = 0
    for zone in ZONES:
        place, known = Place((zone,), "XX"), ZoneInfo(zone)
        for change in changes_of(zone):
            looked_at += 1
            for window in ((9, 18), (0, 4), (1, 5), (20, 24)):
                times = Times(hours={"sms": window}, weekdays=frozenset(), holidays=False)
                opened = set()
                for half in range(-50, 52, 5):
                    at = at_of(change) + half * HOUR_US // 2
                    found = later(times, place, "sms", at)
                    leaves = moment_of(at if found is None else found.until_at).astimezone(known)
                    assert window[0] <= leaves.hour < window[1], (zone, change, window)
                    assert found is None or (found.until_at > at and found.why == "hours")
                    opened.add(leaves.date())
                first = (change - timedelta(hours=20)).astimezone(known).date()
                last = (change + timedelta(hours=20)).astimezone(known).date()
                days = {first + timedelta(days=n) for n in range((last - first).days + 1)}
                assert days <= opened, (zone, change, window)
    assert looked_at > 500


@pytest.mark.parametrize(
    ("local", "why"),
    [("08:59", "hours"), ("09:00", None), ("17:59", None), ("18:00", "hours")],
)
def test_hours_are_half_open_on_the_wall_clock_of_the_contact(local, why):
    """From nine on, until before six."""
    moment = datetime.combine(date(2026, 7, 1), time.fromisoformat(local), tzinfo=ZoneInfo("Europe/Paris"))
    found = later(Times(), Place(("Europe/Paris",), "FR"), "sms", at_of(moment))
    assert (None if found is None else found.why) == why


def test_mail_leaves_at_any_hour_of_a_business_day_of_the_contact():
    """Monday 00:30 in Tokyo is Sunday in Berlin, and Friday 23:30 in Berlin is Saturday in Tokyo."""
    tokyo, berlin = Place(("Asia/Tokyo",), "JP"), Place(("Europe/Berlin",), "DE")
    monday = at_of(datetime(2026, 3, 29, 15, 30, tzinfo=UTC))
    friday = at_of(datetime(2026, 3, 27, 22, 30, tzinfo=UTC))
    assert later(Times(), tokyo, "email", monday) is None
    assert later(Times(), berlin, "email", monday).why == "quiet_day"
    assert later(Times(), berlin, "email", friday) is None
    assert later(Times(), tokyo, "email", friday).until_at == at_of(datetime(2026, 3, 29, 15, 0, tzinfo=UTC))


def test_holidays_are_those_of_the_country_and_of_the_region():
    """Corpus Christi is one in Bavaria, not in all of Germany; a country nobody knows has none."""
    day = day_of(date(2026, 6, 4))
    assert quiet(Times(), Place(("Europe/Berlin",), "DE", "BY"), day) == "holiday"
    assert quiet(Times(), Place(("Europe/Berlin",), "DE"), day) is None
    assert quiet(Times(), Place(("Europe/Berlin",), "DE", "nowhere"), day) is None
    assert quiet(Times(holidays=False), Place(("Europe/Berlin",), "DE", "BY"), day) is None
    assert holiday_name(Place(("UTC",), "XX"), day) is None


def test_the_weekend_is_that_of_the_country_unless_weekdays_are_named():
    """Friday is quiet in Saudi Arabia, Sunday is not."""
    riyadh = Place(("Asia/Riyadh",), "SA")
    friday, sunday = day_of(date(2026, 3, 27)), day_of(date(2026, 3, 29))
    assert (quiet(Times(), riyadh, friday), quiet(Times(), riyadh, sunday)) == ("quiet_day", None)
    named = Times(weekdays=frozenset({7}))
    assert (quiet(named, riyadh, friday), quiet(named, riyadh, sunday)) == (None, "quiet_day")
    assert weekend_of("XX") == frozenset({6, 7})


def test_quiet_dates_hold_from_their_first_to_their_last_day():
    """Below, at and above both ends."""
    first, last = day_of(date(2026, 8, 3)), day_of(date(2026, 8, 14))
    times, place = Times(dates=((first, last),)), Place(("Europe/Madrid",), "ES")
    days = (first - 3, first, last, last + 3)
    assert [quiet(times, place, day) for day in days] == [None, "quiet_day", "quiet_day", None]
    assert first_open_day(times, place, first) == last + 3  # the weekend is quiet too


def test_where_a_country_has_several_zones_the_hours_hold_in_all_of_them():
    """A short message to the United States leaves while it is between nine and six from Maine to Hawaii."""
    place = Place(zones_by_country()["US"], "US")
    eastern_morning = at_of(datetime(2026, 3, 31, 14, 0, tzinfo=UTC))
    found = later(Times(), place, "sms", eastern_morning)
    assert moment_of(found.until_at) == datetime(2026, 3, 31, 19, 0, tzinfo=UTC)  # nine in Honolulu
    assert later(Times(), place, "sms", found.until_at) is None


def test_where_no_instant_fits_all_zones_as_few_as_possible_are_left_out():
    """From Kaliningrad to Kamchatka lie ten hours; a window of nine keeps Moscow's half of the country."""
    zones = zones_by_country()["RU"]
    kept = cautious_zones(zones, (9, 18))
    assert "Europe/Moscow" in kept
    assert len(kept) >= 20
    assert len(cautious_zones(zones, (0, 24))) == len(zones)


def test_of_every_country_some_instant_of_the_next_days_is_permitted():
    """Every country of the time zone database, for a short message and a mail."""
    at = at_of(datetime(2026, 12, 24, 20, 0, tzinfo=UTC))
    for country, zones in zones_by_country().items():
        for channel in ("sms", "email"):
            found = later(Times(), Place(zones, country), channel, at)
            assert found is None or found.until_at < at + 14 * 24 * HOUR_US, country


def test_without_any_open_day_in_sight_it_is_asked_again():
    """Every weekday quiet: the answer is a day to look again, not an endless search."""
    at = at_of(datetime(2026, 3, 31, tzinfo=UTC))
    found = later(Times(weekdays=frozenset(range(1, 8))), Place(("UTC",), "DE"), "email", at)
    assert found.until_at == at + LOOK_AHEAD_DAYS * 24 * HOUR_US


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=40),
    st.integers(1, 4),
    st.integers(1, 14),
)
def test_no_days_in_a_row_have_more_contacts_than_the_cap(wanted, contacts, days):
    """Whatever is asked for when: what the cap lets through never exceeds it, and nothing waits for ever (A8)."""
    made: list[int] = []
    waiting = sorted(day for day, many in wanted for _ in range(many))
    for day in range(60 + days * 200):
        while waiting and waiting[0] <= day and free_from(made, contacts, days, day) is None:
            waiting.pop(0)
            made.append(day)
        if waiting and waiting[0] <= day:
            assert free_from(made, contacts, days, day) > day
    assert not waiting
    assert all(len([one for one in made if start <= one < start + days]) <= contacts for start in made)
    assert free_from(made, contacts, days, 10_000) is None
