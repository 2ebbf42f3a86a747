"""Expressions that mean the same on Polars, DuckDB and Spark.

Every literal is an Int64: an untyped literal is 32 bits wide on Polars and its sums wrap
silently. Conditional aggregates go through ``when``: ``filter`` inside an aggregate is
missing on two of the three. The only division is ``floor_div``.
"""

import narwhals as nw

DAY_PACK = 1 << 40  # a key below 2**40 packs with a day into one Int64


def lit(value: int) -> nw.Expr:
    """A 64-bit literal."""
    return nw.lit(value, dtype=nw.Int64)


def no_number() -> nw.Expr:
    """A 64-bit null."""
    return nw.lit(None, dtype=nw.Int64)


def s(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
    """Sum of a value over the rows of a group where a condition holds; 0 when none."""
    return nw.when(condition).then(value).otherwise(lit(0)).sum()


def n(condition: nw.Expr) -> nw.Expr:
    """Number of rows of a group where a condition holds."""
    return nw.when(condition).then(lit(1)).otherwise(lit(0)).sum()


def mn(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
    """Smallest value over the rows where a condition holds; null when none."""
    return nw.when(condition).then(value).min()


def mx(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
    """Largest value over the rows where a condition holds; null when none."""
    return nw.when(condition).then(value).max()


def floor_div(a: nw.Expr, b: nw.Expr) -> nw.Expr:
    """Quotient rounded towards minus infinity; null when the divisor is 0.

    The second step corrects engines whose ``//`` goes through a 53-bit float.
    """
    q = a // b
    return q + (a - q * b) // b


def at_most(a: nw.Expr, b: nw.Expr) -> nw.Expr:
    """The smaller of two values."""
    return nw.when(a > b).then(b).otherwise(a)


def not_below_zero(a: nw.Expr) -> nw.Expr:
    """The value, or 0 where it is negative; null stays null."""
    return nw.when(a < lit(0)).then(lit(0)).otherwise(a)


def known_by(day: int) -> nw.Expr:
    """Entries that balances of a day count: booked and recorded by its end."""
    return (nw.col("booked_day") <= lit(day)) & (nw.col("recorded_day") <= lit(day))


def known_before(day: int) -> nw.Expr:
    """Entries that features of a day count: booked and recorded before it began."""
    return (nw.col("booked_day") < lit(day)) & (nw.col("recorded_day") < lit(day))


def in_force(day: int) -> nw.Expr:
    """Dated entries in force on a day: from_day inclusive, until_day exclusive or open."""
    return (nw.col("from_day") <= lit(day)) & (nw.col("until_day").is_null() | (nw.col("until_day") > lit(day)))
