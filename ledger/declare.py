"""Facts: a column declared beside the expression that computes it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import narwhals as nw

from ledger.basis import Basis
from ledger.columns import COUNT_BOUND, DAYS_BOUND, MONEY_BOUND, Column, Kind


@dataclass(frozen=True)
class Fact:
    """One column and how it comes about.

    Args:
        column: what it is.
        of: its expression over the frame its module names, for a basis.
    """

    column: Column
    of: Callable[[Basis], nw.Expr]


def columns_of(*groups: Iterable[Fact]) -> tuple[Column, ...]:
    """The declarations of several groups of facts, in order."""
    return tuple(fact.column for group in groups for fact in group)


def computed(facts: Iterable[Fact], basis: Basis) -> list[nw.Expr]:
    """The expressions of facts, each under its declared name; integers as Int64."""
    expressions = []
    for fact in facts:
        expression = fact.of(basis)
        if fact.column.unit is not None:
            expression = expression.cast(nw.Int64)
        expressions.append(expression.alias(fact.column.name))
    return expressions


def money(name: str, label: str, meaning: str, *, low: int = 0, nullable: bool = True) -> Column:
    """An amount in the base currency; unknown when a rate it needs is missing."""
    return Column(
        name=name, kind=Kind.MONEY, nullable=nullable, label=label, meaning=meaning, low=low, high=MONEY_BOUND
    )


def ratio(name: str, label: str, meaning: str, *, high: int = 10_000) -> Column:
    """A share in basis points; unknown when there is nothing to divide by."""
    return Column(name=name, kind=Kind.RATIO, nullable=True, label=label, meaning=meaning, low=0, high=high)


def days(name: str, label: str, meaning: str, *, low: int = 0) -> Column:
    """A number of days; unknown when what it counts from is."""
    return Column(name=name, kind=Kind.DAYS, nullable=True, label=label, meaning=meaning, low=low, high=DAYS_BOUND)


def count(name: str, label: str, meaning: str) -> Column:
    """A number of things, always known."""
    return Column(name=name, kind=Kind.COUNT, label=label, meaning=meaning, low=0, high=COUNT_BOUND)


def flag(name: str, label: str, meaning: str) -> Column:
    """Yes or no, always known."""
    return Column(name=name, kind=Kind.BOOL, label=label, meaning=meaning)


def code(name: str, label: str, meaning: str, *, nullable: bool) -> Column:
    """A string compared with == and in only."""
    return Column(name=name, kind=Kind.CODE, nullable=nullable, label=label, meaning=meaning)
