"""Entries as posting sees them: what is known, what is to be posted, and what makes two the same."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.external import Rating, Statement

WRITE_OFF = "write_off"
IDENTITY = 1  # version of how identities are made; a change would make every known entry new


class BrokenInvariant(Exception):
    """Entries that contradict each other: a fault of this program, never of the user's file."""


def identity_of(*parts: str | int | None) -> str:
    """The sha256 over what makes an entry the same one, whatever file it comes in.

    >>> identity_of("invoice", "1001", "A-1", 1)[:12] == identity_of("invoice", "1001", "A-1", 1)[:12]
    True
    >>> identity_of("invoice", "1", "11") == identity_of("invoice", "11", "1")
    False
    """
    said = "".join(
        f"s{len(part)}:{part}" if isinstance(part, str) else "n;" if part is None else f"i{part};" for part in parts
    )
    return hashlib.sha256(f"{IDENTITY};{said}".encode()).hexdigest()


def settlement_identity(line_identity: str, kind: str) -> str:
    """The identity of the credit that the row of an invoice gives: one per kind and line."""
    return identity_of("settles", kind, line_identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A due line. ``id`` is None until it is posted."""

    customer: str
    number: str
    ordinal: int
    identity: str
    invoice_day: int
    due_day: int | None
    amount_minor: int
    currency: str
    booked_day: int
    recorded_day: int
    text: str = ""
    revision: int = 0
    id: int | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What names it before it has an id."""
        return (self.identity, self.revision)

    @property
    def content(self) -> tuple[object, ...]:
        """What a later file may say differently."""
        return (self.invoice_day, self.due_day, self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A payment, credit note or write-off. ``id`` is None until it is posted."""

    customer: str
    kind: str
    number: str
    reference: str
    identity: str
    amount_minor: int
    currency: str
    booked_day: int
    recorded_day: int
    revision: int = 0
    id: int | None = None
    by_hand: bool = False  # a write-off entered here: it gives way to what the accounts post

    @property
    def key(self) -> tuple[str, int]:
        """What names it before it has an id."""
        return (self.identity, self.revision)

    @property
    def content(self) -> tuple[object, ...]:
        """What a later file may say differently."""
        return (self.booked_day, self.amount_minor, self.currency, self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """So much of a credit set against so much of a line."""

    credit: Credit
    line: Line
    amount_minor: int
    booked_day: int
    recorded_day: int
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A credit limit in force from a day; ``by_person`` says it was approved in Dunwell."""

    customer: str
    amount_minor: int | None
    from_day: int
    until_day: int | None
    booked_day: int
    recorded_day: int
    reason: str = ""
    by_person: bool = False

    @property
    def content(self) -> tuple[object, ...]:
        """What makes it the same limit."""
        return (self.amount_minor, self.from_day, self.until_day)


@dataclass(frozen=True, slots=True)
class Reversal:
    """Takes back a known entry."""

    target: str  # due_line | credit | allocation | rating | financial_statement
    entry: "Line | Credit | Allocation | Rating | Statement"
    reason: str

    @property
    def customer(self) -> str:
        """Whose it is."""
        return self.entry.credit.customer if isinstance(self.entry, Allocation) else self.entry.customer


class Known:
    """Entries in force that a file may be about: those of the customers it names.

    Args:
        lines, credits: neither reversed; each identity at most once.
        allocations: not reversed, between these.
        limits: not reversed.
        rates: (base, currency, day) -> rate_e9.
        revisions: the last revision of every identity ever posted, reversed ones too.
        external: ratings and statements, none reversed.
    """

    def __init__(
        self,
        lines: Iterable[Line] = (),
        credits_: Iterable[Credit] = (),
        allocations: Iterable[Allocation] = (),
        limits: Iterable[Limit] = (),
        rates: Mapping[tuple[str, str, int], int] | None = None,
        revisions: Mapping[str, int] | None = None,
        external: Iterable["Rating | Statement"] = (),
    ) -> None:
        self.lines = {line.identity: line for line in lines}
        self.credits = {credit.identity: credit for credit in credits_}
        self.allocations = list(allocations)
        self.rates = dict(rates or {})
        self.revisions = {
            **{line.identity: line.revision for line in self.lines.values()},
            **{credit.identity: credit.revision for credit in self.credits.values()},
            **(revisions or {}),
        }
        self.external = {one.identity: one for one in external}
        self.limits: dict[str, list[Limit]] = {}
        for limit in limits:
            self.limits.setdefault(limit.customer, []).append(limit)


@dataclass(slots=True)
class Plan:
    """What is to be posted. ``known`` counts what a file said and the ledger knew already."""

    lines: list[Line] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    reversals: list[Reversal] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    rates: dict[tuple[str, str, int], tuple[int, str]] = field(default_factory=dict)
    ratings: list["Rating"] = field(default_factory=list)
    statements: list["Statement"] = field(default_factory=list)
    replaced: list[tuple[Line, Line]] = field(default_factory=list)  # (old, new): disputes, promises, blocks move
    touched: set[str] = field(default_factory=set)  # lines whose row brings a new credit, by identity
    known: int = 0

    @property
    def posted(self) -> int:
        """How many entries there are to post."""
        ledger = (self.lines, self.credits, self.allocations, self.reversals, self.limits, self.rates)
        return sum(len(kind) for kind in (*ledger, self.ratings, self.statements))
