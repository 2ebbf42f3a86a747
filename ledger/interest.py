"""Late interest and fixed sums: what the law of a debt adds to it, day by day.

Pure: integers only. A rate is hundredths of a percent a year; an amount is minor units and is
rounded half up once, at the end. A regime is data (``rules.regimes`` reads it).

One convention holds for all events: what happens on a day bears on the days after it. A debt
due on the 10th and paid on the 12th is two days late; the part paid on the 12th still bears
interest for the 12th.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ledger.days import date_of
from ledger.money import half_up

HUNDREDTHS = 10_000  # a rate of one hundredth of a percent, as a share


@dataclass(frozen=True, slots=True)
class DatedRate:
    """A reference rate from a day on, in hundredths of a percent."""

    from_day: int
    rate_bp: int


@dataclass(frozen=True, slots=True)
class RateTable:
    """A reference rate over time.

    Args:
        rates: rising by day; each holds until the next begins.
        known_until_day: the last day for which the table is known to be complete.
    """

    key: str
    name: str
    rates: tuple[DatedRate, ...]
    known_until_day: int

    def on(self, day: int) -> int | None:
        """The rate of a day; None before the table begins.

        >>> RateTable("t", "T", (DatedRate(10, 450), DatedRate(20, 425)), 30).on(19)
        450
        """
        return next((dated.rate_bp for dated in reversed(self.rates) if dated.from_day <= day), None)


@dataclass(frozen=True, slots=True)
class Band:
    """A fixed sum for debts below an amount; None: for all others. Minor units of the regime's currency."""

    amount_minor: int
    below_minor: int | None = None


@dataclass(frozen=True, slots=True)
class FixedSums:
    """What a late debt costs besides interest.

    Args:
        per: whether each invoice bears one, or the account one over all its late invoices.
        bands: rising; the last one has no bound.
    """

    currency: str
    per: Literal["invoice", "account"]
    bands: tuple[Band, ...]

    def of(self, debt_minor: int) -> int:
        """The sum for a debt; 0 for none.

        >>> FixedSums("GBP", "invoice", (Band(4_000, 100_000), Band(7_000))).of(99_999)
        4000
        """
        if debt_minor <= 0:
            return 0
        fits = (band for band in self.bands if band.below_minor is None or debt_minor < band.below_minor)
        return next(fits).amount_minor


@dataclass(frozen=True, slots=True)
class Consumers:
    """What a regime gives against a consumer: its own margin, and whether fixed sums are due."""

    margin_bp: int
    fixed_sums: bool


@dataclass(frozen=True, slots=True)
class Regime:
    """The law of a debt, as data.

    Args:
        law: the provisions, for whoever signs and for the letter.
        creditor, debtor: ISO countries; empty: any.
        priority: of several regimes that fit, the highest counts.
        fixing: whether the rate stays what it was when the debt became late, or moves with the table.
        fixed_on: of ``at_default``: whether the rate of the due day or of the first late day counts.
        day_basis: days of a year.
        consumers: None: a consumer owes nothing under it.
    """

    key: str
    name: str
    law: str
    creditor: frozenset[str]
    debtor: frozenset[str]
    priority: int
    table: RateTable
    margin_bp: int
    fixing: Literal["at_default", "by_period"]
    fixed_on: Literal["due_day", "first_late_day"]
    day_basis: Literal[360, 365]
    fixed_sums: FixedSums | None
    consumers: Consumers | None

    def rate_on(self, day: int, due_day: int, consumer: bool = False) -> int | None:
        """The rate that a debt bears for a day, in hundredths of a percent, never below 0; None: not known."""
        if self.fixing == "at_default":
            day = due_day if self.fixed_on == "due_day" else due_day + 1
        found = self.table.on(day)
        margin = self.margin_bp if not consumer or self.consumers is None else self.consumers.margin_bp
        return None if found is None else max(found + margin, 0)

    def gives(self, consumer: bool) -> bool:
        """Whether a debtor of this sort owes anything under it."""
        return not consumer or self.consumers is not None

    def fixed_sum_of(self, debt_minor: int, consumer: bool = False) -> int:
        """The fixed sum for a debt in the regime's currency; 0 where there is none."""
        spared = consumer and (self.consumers is None or not self.consumers.fixed_sums)
        return 0 if self.fixed_sums is None or spared else self.fixed_sums.of(debt_minor)


def regime_for(regimes: Iterable[Regime], creditor: str | None, debtor: str | None) -> Regime | None:
    """The regime of a debt by the countries of who is owed and who owes; None: none fits.

    Of several that fit the highest priority counts, then the key, so that the choice is total.
    A debtor without a country is taken to be in the creditor's.
    """
    debtor = debtor or creditor
    fitting = [
        one
        for one in regimes
        if (not one.creditor or creditor in one.creditor) and (not one.debtor or debtor in one.debtor)
    ]
    return min(fitting, key=lambda one: (-one.priority, one.key), default=None)


@dataclass(frozen=True, slots=True)
class Contested:
    """A part of a debt under dispute; it bears no interest from the day after it was opened to the day it was closed.

    Args:
        amount_minor: None: all of it.
        closed_day: None: still open.
    """

    opened_day: int
    amount_minor: int | None = None
    closed_day: int | None = None


@dataclass(frozen=True, slots=True)
class Debt:
    """A due line with what happened to it, as known on the day of the question.

    Args:
        settled: (day, amount) of payments, credit notes and write-offs set against it.
    """

    amount_minor: int
    due_day: int
    settled: tuple[tuple[int, int], ...] = ()
    contested: tuple[Contested, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Days in a row with one principal and one rate.

    Args:
        after_day, until_day: the days after the first, up to and with the second.
        amount_minor: its share of the interest; the shares of a debt add up to its interest.
    """

    after_day: int
    until_day: int
    principal_minor: int
    rate_bp: int
    amount_minor: int

    @property
    def days(self) -> int:
        return self.until_day - self.after_day


@dataclass(frozen=True, slots=True)
class Interest:
    """Interest of one debt until a day.

    Args:
        amount_minor: rounded half up, once; None: a rate is not known.
        segments: how it comes about, days without interest left out.
        overtaken: whether days beyond the end of the rate table are in it, at its last rate.
    """

    amount_minor: int | None
    segments: tuple[Segment, ...] = ()
    overtaken: bool = False


def principal_after(debt: Debt, day: int) -> int:
    """What of a debt bears interest on the days after a day: open, and not under dispute."""
    open_minor = max(debt.amount_minor - sum(amount for on, amount in debt.settled if on <= day), 0)
    return open_minor - _contested(debt, open_minor, day)


def _contested(debt: Debt, open_minor: int, day: int) -> int:
    running = [
        one for one in debt.contested if one.opened_day <= day and (one.closed_day is None or day < one.closed_day)
    ]
    if any(one.amount_minor is None for one in running):
        return open_minor
    return min(sum(one.amount_minor or 0 for one in running), open_minor)


def _cuts(debt: Debt, regime: Regime, until_day: int, more: Iterable[int] = ()) -> list[int]:
    """Days after which principal or rate may change, from the due day to the last."""
    days = {on for on, _ in debt.settled} | set(more)
    days |= {one.opened_day for one in debt.contested}
    days |= {one.closed_day for one in debt.contested if one.closed_day is not None}
    if regime.fixing == "by_period":
        days |= {dated.from_day - 1 for dated in regime.table.rates}
    return [debt.due_day, *sorted(day for day in days if debt.due_day < day < until_day), until_day]


def interest_of(debt: Debt, regime: Regime, until_day: int, consumer: bool = False) -> Interest:
    """Interest on the reducing balance of a debt, from the day after it was due to a day.

    Interest that arose stays when the debt is paid: the balance only ends its growth.

    >>> table = RateTable("t", "T", (DatedRate(0, 50),), 100)
    >>> uk = Regime("uk", "UK", "", frozenset(), frozenset(), 0, table, 800, "at_default", "due_day", 365, None, None)
    >>> interest_of(Debt(100_000, 10), uk, 60).amount_minor
    1164
    """
    if until_day <= debt.due_day or not regime.gives(consumer):
        return Interest(0)
    cuts = _cuts(debt, regime, until_day)
    divisor, numerator, told = HUNDREDTHS * regime.day_basis, 0, 0
    segments: list[Segment] = []
    for after, until in pairwise(cuts):
        principal = principal_after(debt, after)
        if principal == 0:
            continue
        rate = regime.rate_on(after + 1, debt.due_day, consumer)
        if rate is None:
            return Interest(None)
        numerator += principal * rate * (until - after)
        total = half_up(numerator, divisor)
        segments.append(Segment(after, until, principal, rate, total - told))
        told = total
    last = segments[-1].until_day if segments and regime.fixing == "by_period" else debt.due_day + 1
    return Interest(told, _joined(segments), bool(segments) and last > regime.table.known_until_day)


def _joined(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbours with one principal and one rate as one."""
    found: list[Segment] = []
    for one in segments:
        last = found[-1] if found else None
        same = last is not None and (last.until_day, last.principal_minor, last.rate_bp) == (
            one.after_day,
            one.principal_minor,
            one.rate_bp,
        )
        if same and last is not None:
            amount = last.amount_minor + one.amount_minor
            found[-1] = Segment(last.after_day, one.until_day, one.principal_minor, one.rate_bp, amount)
        else:
            found.append(one)
    return tuple(found)


def first_bearing(debt: Debt, until_day: int) -> int:
    """What a debt amounts to on the first late day that it bears interest, by a day; 0 when it never did.

    By this the fixed sum is measured: what was paid on time or is contested bears none.
    """
    days = {debt.due_day, *(one.closed_day for one in debt.contested if one.closed_day is not None)}
    late = (day for day in sorted(days) if debt.due_day <= day < until_day)
    return next((principal for day in late if (principal := principal_after(debt, day)) > 0), 0)


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed on a debt, in the order in which the law takes money for it."""

    costs_minor: int
    interest_minor: int
    principal_minor: int

    @property
    def total_minor(self) -> int:
        return self.costs_minor + self.interest_minor + self.principal_minor


def paid(owed: Owed, amount_minor: int) -> tuple[Owed, int]:
    """Set a payment against costs, then interest, then principal; what is left of it.

    >>> paid(Owed(500, 25, 10_000), 10_000)
    (Owed(costs_minor=0, interest_minor=0, principal_minor=525), 0)
    """
    left, rests = amount_minor, []
    for part in (owed.costs_minor, owed.interest_minor, owed.principal_minor):
        taken = min(part, left)
        rests.append(part - taken)
        left -= taken
    return Owed(*rests), left


def in_legal_order(
    debt: Debt,
    regime: Regime,
    until_day: int,
    *,
    costs: Iterable[tuple[int, int]] = (),
    credited: Iterable[tuple[int, int]] = (),
    consumer: bool = False,
) -> Owed | None:
    """What is owed on a debt if every payment went to costs, then interest, then principal.

    A calculation beside the books, which set payments against the principal: for a claim in court
    or a hand-over. Nothing is booked.

    Args:
        debt: ``settled`` are its payments.
        costs: (day, amount) of fixed sums and costs.
        credited: (day, amount) of credit notes and write-offs: they lower the principal only.

    Returns:
        What is owed on the day; None where a rate is not known.
    """
    costs, credited = sorted(costs), sorted(credited)
    divisor = HUNDREDTHS * regime.day_basis
    events = {day for day, _ in (*costs, *credited)}
    early = [day for day in sorted({*events, *(on for on, _ in debt.settled)}) if day < debt.due_day]
    days = [*early, *_cuts(debt, regime, max(until_day, debt.due_day), events)]
    owed, numerator, before = Owed(0, 0, debt.amount_minor), 0, debt.due_day
    for day in sorted(set(days)):
        if day > until_day:
            break
        if day > debt.due_day and regime.gives(consumer):
            bearing = owed.principal_minor - _contested(debt, owed.principal_minor, before)
            rate = regime.rate_on(before + 1, debt.due_day, consumer)
            if rate is None and bearing:
                return None
            numerator += bearing * (rate or 0) * (day - before)
        before = max(day, debt.due_day)
        interest = half_up(numerator, divisor)
        principal = owed.principal_minor - sum(amount for on, amount in credited if on == day)
        new_costs = sum(amount for on, amount in costs if on == day)
        owed = Owed(owed.costs_minor + new_costs, interest, max(principal, 0))
        money = sum(amount for on, amount in debt.settled if on == day)
        if money:
            owed, _ = paid(owed, money)
            taken = interest - owed.interest_minor
            numerator = numerator - taken * divisor if owed.interest_minor else 0
    return owed


def share_text(rate_bp: int) -> str:
    """A rate as people read it.

    >>> share_text(1250), share_text(-88), share_text(10), share_text(800)
    ('12.50', '-0.88', '0.10', '8.00')
    """
    whole, part = divmod(abs(rate_bp), 100)
    return f"{'-' if rate_bp < 0 else ''}{whole}.{part:02d}"


def table_text(table: RateTable) -> list[tuple[str, str]]:
    """The rows of a table: day and rate, the newest first.

    >>> table_text(RateTable("t", "T", (DatedRate(19723, 450),), 0))
    [('2024-01-01', '4.50')]
    """
    return [(date_of(one.from_day).isoformat(), share_text(one.rate_bp)) for one in reversed(table.rates)]
