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
