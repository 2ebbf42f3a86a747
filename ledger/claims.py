"""The claim account: interest, fixed sums and costs beside the ledger, and what was set against them.

Pure. The accounts are master of the principal; nothing here changes an open amount. What is charged
follows from the debts and the law; charging again brings the account up to date: it books what is new
and takes back what a payment of an earlier day has made too much.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.interest import Debt, Interest, Regime, first_bearing, interest_of

CHARGES = ("cost", "fixed_sum", "interest")  # in the order in which the law takes money for them
KINDS = (*CHARGES, "payment", "waiver")
NO_LINE = 0

Exchange = Callable[[int, str, str], int | None]  # amount, its currency, wanted currency -> amount; None: no rate


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry of a claim account that is in force.

    Args:
        kind: one of ``KINDS``.
        part: of a waiver, which charges it waives; of a charge its kind; of a payment empty.
        line_id: the due line it is about; ``NO_LINE``: the account.
        until_day: of interest, the last day it is for.
    """

    id: int
    kind: str
    part: str
    amount_minor: int
    currency: str
    booked_day: int
    line_id: int = NO_LINE
    until_day: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One sort of charges in one currency, minor units."""

    charged_minor: int = 0
    waived_minor: int = 0
    paid_minor: int = 0

    @property
    def open_minor(self) -> int:
        return self.charged_minor - self.waived_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class Balance:
    """A claim account in one currency.

    Args:
        parts: by kind of ``CHARGES``.
        overpaid_minor: what was paid beyond all charges.
    """

    currency: str
    parts: Mapping[str, Part]
    overpaid_minor: int = 0

    @property
    def open_minor(self) -> int:
        """What is open of all charges, less what was overpaid."""
        return sum(part.open_minor for part in self.parts.values()) - self.overpaid_minor


def balances(entries: Iterable[Booked]) -> tuple[Balance, ...]:
    """Add an account up, one balance per currency; money goes to costs, then fixed sums, then interest.

    >>> found, = balances([Booked(1, "interest", "interest", 25, "EUR", 0), Booked(2, "payment", "", 10, "EUR", 1)])
    >>> found.open_minor, found.parts["interest"]
    (15, Part(charged_minor=25, waived_minor=0, paid_minor=10))
    """
    rows = list(entries)
    found = []
    for currency in sorted({row.currency for row in rows}):
        own = [row for row in rows if row.currency == currency]
        money = sum(row.amount_minor for row in own if row.kind == "payment")
        parts = {}
        for kind in CHARGES:
            charged = sum(row.amount_minor for row in own if row.kind == kind)
            waived = sum(row.amount_minor for row in own if row.kind == "waiver" and row.part == kind)
            paid = min(max(charged - waived, 0), money)
            money -= paid
            parts[kind] = Part(charged, waived, paid)
        found.append(Balance(currency, parts, money))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class LateLine:
    """A due line as the claim account sees it."""

    id: int
    number: str
    ordinal: int
    currency: str
    debt: Debt


@dataclass(frozen=True, slots=True)
class LineClaim:
    """What the law adds to a due line until a day.

    Args:
        interest: all of it since the line was late.
        charged_minor: of it charged so far.
    """

    line: LateLine
    interest: Interest
    charged_minor: int

    @property
    def accrued_minor(self) -> int | None:
        """Interest not charged yet; below 0 when too much was charged; None where a rate is not known."""
        return None if self.interest.amount_minor is None else self.interest.amount_minor - self.charged_minor


def line_claims(
    lines: Iterable[LateLine], entries: Iterable[Booked], regime: Regime, day: int, consumer: bool
) -> tuple[LineClaim, ...]:
    """Interest of every line that was ever late by a day, oldest debt first."""
    charged: dict[int, int] = {}
    for entry in entries:
        if entry.kind == "interest":
            charged[entry.line_id] = charged.get(entry.line_id, 0) + entry.amount_minor
    claims = (
        LineClaim(line, interest_of(line.debt, regime, day, consumer), charged.get(line.id, 0))
        for line in sorted(lines, key=lambda one: (one.debt.due_day, one.number, one.ordinal, one.id))
    )
    return tuple(one for one in claims if one.interest.amount_minor != 0 or one.charged_minor)


@dataclass(frozen=True, slots=True)
class Charge:
    """An entry that is to be booked."""

    kind: str
    amount_minor: int
    currency: str
    line_id: int = NO_LINE
    from_day: int | None = None
    until_day: int | None = None


@dataclass(frozen=True, slots=True)
class Charging:
    """What brings an account up to date.

    Args:
        undone: ids of entries to be taken back first.
        unknown: numbers of invoices whose interest or fixed sum cannot be known: a rate is missing.
    """

    charges: tuple[Charge, ...] = ()
    undone: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


def charging(
    claims: Sequence[LineClaim],
    entries: Sequence[Booked],
    regime: Regime,
    day: int,
    *,
    consumer: bool = False,
    exchange: Exchange | None = None,
) -> Charging:
    """What is to be booked so that the account says what the law says.

    Args:
        claims: the lines that are to be charged.
        entries: of the account in force.
        exchange: for a fixed sum measured in another currency than the debt's.
    """
    charges: list[Charge] = []
    undone: list[int] = []
    unknown: list[str] = []
    for claim in claims:
        accrued = claim.accrued_minor
        if accrued is None:
            unknown.append(claim.line.number)
            continue
        own = [one for one in entries if one.kind == "interest" and one.line_id == claim.line.id]
        taken = _too_much(own, -accrued)
        undone += [one.id for one in taken]
        amount = accrued + sum(one.amount_minor for one in taken)
        if amount:
            kept = [one.until_day or claim.line.debt.due_day for one in own if one not in taken]
            since = max(kept, default=claim.line.debt.due_day)
            charges.append(Charge("interest", amount, claim.line.currency, claim.line.id, since, day))
    fixed, missing = _fixed_sums(claims, entries, regime, day, consumer, exchange)
    return Charging((*charges, *fixed), tuple(undone), (*unknown, *missing))


def _too_much(own: Sequence[Booked], excess_minor: int) -> list[Booked]:
    """The newest entries that together hold what was charged too much."""
    taken: list[Booked] = []
    for one in sorted(own, key=lambda one: one.id, reverse=True):
        if sum(other.amount_minor for other in taken) >= excess_minor:
            break
        taken.append(one)
    return taken


def _fixed_sums(
    claims: Sequence[LineClaim],
    entries: Sequence[Booked],
    regime: Regime,
    day: int,
    consumer: bool,
    exchange: Exchange | None,
) -> tuple[list[Charge], list[str]]:
    """Fixed sums not charged yet: one for each late invoice, or one for the account."""
    if regime.fixed_sums is None:
        return [], []
    invoices: dict[str, list[LateLine]] = {}
    for claim in claims:
        invoices.setdefault(claim.line.number or f"#{claim.line.id}", []).append(claim.line)
    charged = {one.line_id for one in entries if one.kind == "fixed_sum"}
    if regime.fixed_sums.per == "account":
        lines = [line for own in invoices.values() for line in own]
        invoices = {"": lines} if lines else {}
    found: list[Charge] = []
    unknown: list[str] = []
    for number, lines in invoices.items():
        about = lines[0].id if number else NO_LINE
        if charged & {line.id for line in lines} or about in charged:
            continue
        debt = _measured(lines, regime.fixed_sums.currency, day, exchange)
        if debt is None:
            unknown.append(number)
            continue
        amount = regime.fixed_sum_of(debt, consumer)
        if amount:
            found.append(Charge("fixed_sum", amount, regime.fixed_sums.currency, about))
    return found, unknown


def _measured(lines: Sequence[LateLine], currency: str, day: int, exchange: Exchange | None) -> int | None:
    """What lines amounted to when they became late, in the currency of the bands; None: no rate."""
    total = 0
    for line in lines:
        amount: int | None = first_bearing(line.debt, day)
        if line.currency != currency:
            amount = None if exchange is None or amount is None else exchange(amount, line.currency, currency)
        if amount is None:
            return None
        total += amount
    return total
