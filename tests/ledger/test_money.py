"""Money is whole minor units: read exactly, converted half up, shown in the reader's language."""

from fractions import Fraction

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.basis import Basis
from ledger.money import LARGEST_CONVERTED, LARGEST_MINOR, convert, exponent, format_minor, half_up, parse_amount


@pytest.mark.parametrize(
    ("text", "currency", "mark", "minor"),
    [
        ("1234.5", "USD", ".", 123_450),
        ("1,234.50", "USD", ".", 123_450),
        ("1.234,50", "EUR", ",", 123_450),
        ("1 234,50", "EUR", ",", 123_450),
        ("12,34,567.00", "INR", ".", 123_456_700),
        ("0", "EUR", ".", 0),
        ("-0.01", "EUR", ".", -1),
        ("0.01-", "EUR", ".", -1),
        ("(12.00)", "USD", ".", -1_200),
        ("+7", "EUR", ".", 700),
        ("€ 7.10", "EUR", ".", 710),
        ("7.10 EUR", "EUR", ".", 710),
        ("7.100", "EUR", ".", 710),
        ("7.101", "EUR", ".", None),
        ("1200", "JPY", ".", 1_200),
        ("1200.0", "JPY", ".", 1_200),
        ("1200.5", "JPY", ".", None),
        ("1.234", "KWD", ".", 1_234),
        ("1,23", "EUR", ".", None),
        ("1.23", "EUR", ",", None),
        ("1,2345.00", "EUR", ".", None),
        ("", "EUR", ".", None),
        (".", "EUR", ".", None),
        ("1.", "EUR", ".", None),
        ("--1", "EUR", ".", None),
        ("1e5", "EUR", ".", None),
        ("nan", "EUR", ".", None),
        ("١٢", "EUR", ".", None),
        ("10000000000000.00", "EUR", ".", LARGEST_MINOR),
        ("10000000000000.01", "EUR", ".", None),
    ],
)
def test_amounts_as_people_write_them(text, currency, mark, minor):
    """What is no amount, or would have to be rounded, is None and never a guess."""
    assert parse_amount(text, currency, mark) == minor


@given(minor=st.integers(-LARGEST_MINOR, LARGEST_MINOR), currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_what_is_shown_can_be_read_again(minor, currency):
    """In English and German."""
    assert parse_amount(format_minor(minor, currency), currency) == minor
    assert parse_amount(format_minor(minor, currency, "de"), currency, ",") == minor


def test_french_amounts_part_thousands_with_a_narrow_space():
    """1 234,50 EUR, never broken across lines."""
    assert format_minor(123_450, "EUR", "fr") == "1\u202f234,50 EUR"


def test_exponents():
    """Most currencies have two digits, some none or three."""
    assert [exponent(code) for code in ("EUR", "JPY", "KWD", "CLF", "XOF")] == [2, 0, 3, 4, 0]


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(4, 10, 0), (5, 10, 1), (6, 10, 1), (-5, 10, -1), (-4, 10, 0), (0, 7, 0)]
)
def test_halves_round_away_from_zero(a, b, expected):
    """So that a credit mirrors its invoice."""
    assert half_up(a, b) == expected


def test_nothing_is_divided_by_nothing():
    """A denominator of 0 or below is the caller's mistake."""
    with pytest.raises(ValueError, match="denominator"):
        half_up(1, 0)


AMOUNT = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
RATE = st.one_of(st.integers(1, 10**10), st.integers(10**10, 10**14), st.integers(2**61, 2**62 - 1))


@settings(deadline=None, max_examples=60)
@given(amounts=st.lists(AMOUNT, min_size=1, max_size=30), rate=RATE)
def test_columns_convert_exactly_like_whole_numbers(amounts, rate):
    """Amounts up to 10**15 at any rate: the same minor unit, or unknown where 64 bits end; never wrapped."""
    basis = Basis(as_of_day=0, entity="DE01", currency="EUR", rates_e9={"USD": rate})
    frame = pl.LazyFrame({"amount": amounts, "currency": ["USD"] * len(amounts)}, schema_overrides={"amount": pl.Int64})
    column = basis.with_base(nw.from_native(frame), base=nw.col("amount")).to_native().collect()["base"].to_list()
    for amount, base in zip(amounts, column, strict=True):
        exact = convert(amount, rate)
        assert abs(Fraction(amount * rate, 10**9) - exact) <= Fraction(1, 2)
        assert base == exact or (base is None and abs(amount) * (rate // 10**9 + 1) > LARGEST_CONVERTED)


def test_the_base_currency_needs_no_rate_and_nothing_needs_none():
    """1 EUR is 1 EUR; 0 USD is 0 even without a rate; 1 USD is unknown."""
    basis = Basis(as_of_day=0, entity="DE01", currency="EUR")
    frame = pl.LazyFrame({"amount": [1, 0, 1], "currency": ["EUR", "USD", "USD"]})
    column = basis.with_base(nw.from_native(frame), base=nw.col("amount")).to_native().collect()["base"].to_list()
    assert column == [1, 0, None]


@pytest.mark.parametrize("rate", [0, -1, 2**62])
def test_a_rate_is_positive_and_bounded(rate):
    """Anything else is the caller's mistake."""
    with pytest.raises(ValueError, match="rate of USD"):
        Basis(as_of_day=0, entity="DE01", currency="EUR", rates_e9={"USD": rate})


@pytest.mark.parametrize("day", [-40_001, 40_001])
def test_the_day_is_bounded(day):
    """Days reach 109 years to either side of 1970."""
    with pytest.raises(ValueError, match="as_of_day"):
        Basis(as_of_day=day, entity="DE01", currency="EUR")
