"""Days as integers since 1970-01-01: the only form of a date in frames and tables."""

from datetime import date, timedelta

EPOCH = date(1970, 1, 1)


def day_of(on: date) -> int:
    """Count the days from 1970-01-01 to a date.

    >>> day_of(date(1970, 1, 1)), day_of(date(2013, 6, 30)), day_of(date(1969, 12, 31))
    (0, 15886, -1)
    """
    return (date(on.year, on.month, on.day) - EPOCH).days


def date_of(day: int) -> date:
    """Name the date of a day number.

    >>> date_of(15886)
    datetime.date(2013, 6, 30)
    """
    return EPOCH + timedelta(days=day)


def month_end(day: int) -> int:
    """The last day of the month that a day lies in.

    >>> [date_of(month_end(day_of(date(2024, 2, n)))).day for n in (1, 29)], date_of(month_end(-1)).year
    ([29, 29], 1969)
    """
    on = date_of(day)
    following = date(on.year + on.month // 12, on.month % 12 + 1, 1)
    return day_of(following) - 1


def days_since_month_end(day: int) -> int:
    """Days since the last month end, 0 on one.

    A leader due n days or more at that month end is one whose end of the month n days after its due
    date has come: the month end of a day lies on or before another month end when the day does.

    >>> days_since_month_end(day_of(date(2024, 2, 29))), days_since_month_end(day_of(date(2024, 3, 1)))
    (0, 1)
    """
    return 0 if month_end(day) == day else date_of(day).day
