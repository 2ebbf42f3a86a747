"""The format of a column of dates is told from the whole file, or the person is asked."""

from datetime import date

import pytest

from ledger.dates import Unclear, detect, format_of
from ledger.days import day_of


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("d/m/yyyy", "03/01/2012", date(2012, 1, 3)),
        ("d/m/yyyy", "3/1/2012", date(2012, 1, 3)),
        ("dd/mm/yyyy", "3/1/2012", None),
        ("m/d/yyyy", "03/01/2012", date(2012, 3, 1)),
        ("d-mmm-yy", "26-Apr-11", date(2011, 4, 26)),
        ("d-mmm-yy", "26-sept-11", date(2011, 9, 26)),
        ("d-mmm-yy", "26-Foo-11", None),
        ("d-m-yyyy hh:mm", "26-04-2011 11:50", date(2011, 4, 26)),
        ("d.m.yy", "31.12.69", date(2069, 12, 31)),
        ("d.m.yy", "1.1.70", date(1970, 1, 1)),
        ("d.m.yyyy", "28.02.2015", date(2015, 2, 28)),
        ("d.m.yyyy", "29.02.2016", date(2016, 2, 29)),
        ("d.m.yyyy", "29.02.2015", None),
        ("d.m.yyyy", "31.02.2016", None),
        ("yyyy-mm-dd", "1969-12-31", None),
        ("yyyy-mm-dd", "1970-01-01", date(1970, 1, 1)),
        ("yyyy-mm-dd", "2079-07-08", date(2079, 7, 8)),
        ("yyyy-mm-dd", "2079-07-09", None),
        ("yyyymmdd", "20120103", date(2012, 1, 3)),
        ("yyyy-mm-dd", "२०१२-०१-०३", None),
    ],
)
def test_formats(written: str, text: str, expected: date | None) -> None:
    """A date is read by its format, or not at all."""
    assert format_of(written).day(text) == (None if expected is None else day_of(expected))


@pytest.mark.parametrize("text", ["", "d/m", "d/m/y", "yyyy-mm-dd-dd", "%d.%m.%Y", "d.m.yyyy\n", "d" * 40])
def test_not_a_format(text: str) -> None:
    """A format names year, month and day once each."""
    assert format_of(text) is None


def test_one_date_after_the_twelfth_decides_for_the_column() -> None:
    """38 % of dates may be ambiguous one by one while the column is not."""
    found = detect({"on": ["03/01/2012", "02/02/2012", "23/01/2012"]})
    assert found["on"].text == "d/m/yyyy"


def test_a_column_follows_the_others() -> None:
    """A column of early days is read like the columns of the file that leave no doubt."""
    found = detect({"on": ["03/01/2012"], "due": ["25/01/2012"]})
    assert found["on"].text == "d/m/yyyy"


def test_columns_that_disagree_settle_nothing() -> None:
    """Two columns in different styles give no hint for a third."""
    found = detect({"a": ["25/01/2012"], "b": ["01/25/2012"], "c": ["03/01/2012"]})
    assert isinstance(found["c"], Unclear)


def test_dates_that_read_the_same_both_ways_are_clear() -> None:
    """2/2 is the second of February in every style."""
    assert not isinstance(detect({"on": ["02/02/2012", "03/03/2012"]})["on"], Unclear)


def test_both_readings_are_named() -> None:
    """What is unclear comes with the two ways to read it."""
    found = detect({"on": ["03/01/2012", "04/01/2012"]})["on"]
    assert isinstance(found, Unclear)
    assert (found.cell, [one.text for one in found.readings]) == ("03/01/2012", ["d/m/yyyy", "m/d/yyyy"])


def test_the_one_wrong_date_is_found() -> None:
    """A column in one style with one cell that is none points at that cell."""
    found = detect({"on": ["31.01.2012", "31.02.2012", "15.03.2012"]})["on"]
    assert isinstance(found, Unclear)
    assert (found.cell, found.missed.text) == ("31.02.2012", "d.m.yyyy")
