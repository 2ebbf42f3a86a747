"""Declarations of columns: what a fact is called, what it measures, how far it reaches.

A column is declared once, beside the expression that computes it. Editor, checker,
documentation and compilers read these declarations.
"""

from dataclasses import dataclass
from enum import StrEnum

MONEY_BOUND = 10**15  # minor units; a sum of a million such amounts still fits 64 bits
DAYS_BOUND = 40_000
COUNT_BOUND = 10**9


class Kind(StrEnum):
    """The types of design.md 4. No float ever reaches a rule."""

    MONEY = "money"  # integer minor units of the entity's base currency
    RATIO = "ratio"  # integer basis points
    DAYS = "days"  # integer days
    COUNT = "count"  # integer
    BOOL = "bool"
    ENUM = "enum"  # one of `values`
    CODE = "code"  # any string, NFC and trimmed


UNITS = {Kind.MONEY: "minor", Kind.RATIO: "bp", Kind.DAYS: "days", Kind.COUNT: "count"}
INTEGER_KINDS = frozenset(UNITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a facts frame.

    Args:
        name: as in frames, documents and the API.
        kind: its type; the unit follows from it.
        nullable: whether it may be unknown.
        label: what the console calls it.
        meaning: one sentence a credit manager understands.
        low, high: inclusive range of an integer column.
        values: the values of an enum.
    """

    name: str
    kind: Kind
    nullable: bool = False
    label: str
    meaning: str
    low: int | None = None
    high: int | None = None
    values: tuple[str, ...] = ()

    @property
    def unit(self) -> str | None:
        """``minor``, ``bp``, ``days``, ``count`` or None for bool, enum and code."""
        return UNITS.get(self.kind)
