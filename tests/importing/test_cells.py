"""Cells become values, or a fault that says what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import cells
from ledger.cells import Fault, MarkUnclear


@pytest.mark.parametrize(
    ("cell", "currency", "mark", "expected"),
    [
        ("55.94", "USD", ".", 5594),
        ("97.6", "USD", ".", 9760),
        ("97", "USD", ".", 9700),
        ("0.0", "INR", ".", 0),
        ("1,234.56", "USD", ".", 123456),
        ("1.234,56", "EUR", ",", 123456),
        ("1 234,56", "EUR", ",", 123456),
        ("1\u202f234,56", "EUR", ",", 123456),
        ("1'234.56", "CHF", ".", 123456),
        ("12,34,567.89", "INR", ".", 123456789),
        ("-12.50", "USD", ".", -1250),
        ("12.50-", "USD", ".", -1250),
        ("−12.50", "USD", ".", -1250),
        ("(12.50)", "USD", ".", -1250),
        ("１２.５０", "USD", ".", 1250),
        ("1.500", "USD", ".", 150),
        ("1.234", "KWD", ".", 1234),
        ("500", "JPY", ".", 500),
        ("9999999999999.99", "USD", ".", 999_999_999_999_999),
        ("10000000000000.00", "USD", ".", 10**15),
    ],
)
def test_amounts(cell: str, currency: str, mark: str, expected: int) -> None:
    """Amounts come as people and programs write them."""
    assert cells.money(cell, currency, mark) == expected


@pytest.mark.parametrize(
    ("cell", "currency", "mark", "why"),
    [
        ("1.234,56", "EUR", ".", "decimal mark"),
        ("1,234.56", "EUR", ",", "decimal mark"),
        ("1,23", "USD", ".", "decimal mark"),
        ("1.2.3", "USD", ".", "decimal mark"),
        ("1.234", "USD", ".", "more decimals than USD"),
        ("0.5", "JPY", ".", "more decimals than JPY"),
        ("1e9", "USD", ".", "rounded number"),
        ("1E+09", "USD", ".", "rounded number"),
        ("NaN", "USD", ".", "not an amount"),
        ("inf", "USD", ".", "not an amount"),
        ("12 EUR", "USD", ".", "not an amount"),
        ("$12", "USD", ".", "not an amount"),
        ("1 2", "USD", ".", "not an amount"),
        ("1_000", "USD", ".", "not an amount"),
        ("--5", "USD", ".", "not an amount"),
        ("", "USD", ".", "not an amount"),
        ("٣٤", "USD", ".", "not an amount"),
        ("10000000000000.01", "USD", ".", "largest amount"),
        ("1" + "0" * 40, "USD", ".", "largest amount"),
    ],
)
def test_refused_amounts(cell: str, currency: str, mark: str, why: str) -> None:
    """What could be misread is refused with its reason and a cure."""
    found = cells.money(cell, currency, mark)
    assert isinstance(found, Fault)
    assert why in found.what
    assert found.cure


@given(st.integers(-(10**15), 10**15))
def test_an_amount_written_both_ways_reads_the_same(minor: int) -> None:
    """Grouped or plain, with point or comma: the same minor units."""
    whole, fraction = divmod(abs(minor), 100)
    sign = "-" if minor < 0 else ""
    assert cells.money(f"{sign}{whole:,}.{fraction:02}", "EUR", ".") == minor
    assert cells.money(f"{sign}{whole:,}".replace(",", ".") + f",{fraction:02}", "EUR", ",") == minor
    assert cells.money(f"{sign}{whole}.{fraction:02}", "EUR", ".") == minor


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["1.234,56", "7"], ","),
        (["1,234.56", "7"], "."),
        (["1,234", "0.5"], "."),
        (["1.234", "0,5"], ","),
        (["1.234.567", "1.234"], ","),
        (["0.123"], "."),
        (["1234.567"], "."),
        (["5", "6"], "."),
    ],
)
def test_decimal_mark_from_all_amounts(written: list[str], expected: str) -> None:
    """One amount that leaves no doubt decides for the file."""
    assert cells.detect_mark(written) == expected


@pytest.mark.parametrize("written", [["1.234"], ["1,234", "5"], ["1.5", "1,5"], ["1.234,56", "1,234.56"]])
def test_decimal_mark_in_doubt(written: list[str]) -> None:
    """Where no amount decides, or two contradict each other, the person is asked."""
    assert isinstance(cells.detect_mark(written), MarkUnclear)


@given(st.text())
def test_no_cell_raises(cell: str) -> None:
    """Every converter answers every text with a value or a fault."""
    for convert in (cells.text, cells.code, cells.slug, cells.count, cells.rate, cells.currency, cells.email):
        assert isinstance(convert(cell), str | int | Fault)
    assert isinstance(cells.money(cell, "EUR", ","), int | Fault)


@given(st.text())
def test_a_text_once_cleaned_stays(cell: str) -> None:
    """Cleaning twice is cleaning once, unless the cell holds an escape to undo."""
    found = cells.text(cell)
    if isinstance(found, str) and not cells.ESCAPED.match(found) and not found.startswith(cells.FORMULA):
        assert cells.text(found) == found


@pytest.mark.parametrize("address", ["a@b.example", "A.B+c@Company.Example", "0379-n@ledger.example", "ü@ü.example"])
def test_addresses(address: str) -> None:
    """One address; the domain in small letters."""
    assert cells.email(address) == address.split("@")[0] + "@" + address.split("@")[1].lower()


@pytest.mark.parametrize(
    "address",
    ["", "a", "a@b", "a@b@c.example", "a b@c.example", "a@c.example, b@c.example", "<a@c.example>", ".a@c.de"],
)
def test_refused_addresses(address: str) -> None:
    """No list, no display name, no blank."""
    assert isinstance(cells.email(address), Fault)
