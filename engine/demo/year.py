"""The demo's ledger: what made-up customers buy and how they pay, drawn from a seed.

Pure: the same seed, first day and customers give the same entries, and a later last day
only adds to them, so that a day can be added to a demo that stands. Every invoice draws
its whole fate from a stream of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random

import holidays

from engine.demo.companies import BOOKS, Company, companies_of
from ledger.days import date_of

DRIFT_DAYS = 540  # in which a worsening customer has become what an improving one was
PART_PAYMENT, CREDIT_NOTE, PREPAID, DISPUTE, STUCK = 0.04, 0.02, 0.01, 0.05, 0.02
PROMISE_IF_LATE = 0.36  # of invoices paid more than a week late: 8 % of all
LATE_FOR_A_PROMISE_DAYS = 8
PROMISE_KEPT = 0.68  # as drawn from the seed 65 % of them
DISPUTE_ACCEPTED = 0.4
DISPUTED = (  # reason and cause
    ("goods damaged on arrival", "quality"),
    ("price differs from the order", "price"),
    ("quantity short", "quantity"),
    ("delivered too late", "other"),
    ("invoice lacks the order number", "invoice_wrong"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice with one due line."""

    number: str
    customer: str
    day: int
    due_day: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A payment or a credit note for an invoice; a prepayment comes before it."""

    kind: str  # payment | credit_note
    number: str
    customer: str
    reference: str
    day: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """An invoice contested, until its closing day."""

    invoice: str
    customer: str
    day: int
    reason: str
    cause: str
    closed_day: int
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A promise to pay an invoice by a day."""

    invoice: str
    customer: str
    day: int
    promised_day: int
    amount_minor: int
    currency: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Year:
    """Everything up to a day, each list sorted by day."""

    first_day: int
    last_day: int
    companies: tuple[Company, ...]
    invoices: list[Invoice] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)


def generate(seed: int, first_day: int, last_day: int, customers: int, span_days: int) -> Year:
    """Draw a ledger.

    Args:
        seed: of everything.
        first_day: of the first invoices.
        last_day: what happens after it is not told.
        customers: how many, over all entities.
        span_days: how long the demo was first built for; fixes what happens near its end.
    """
    companies = tuple(
        company for books in BOOKS for company in companies_of(seed, books, customers, first_day, span_days)
    )
    year = Year(first_day, last_day, companies)
    for company in companies:
        for invoice in _invoices(seed, company, first_day, last_day):
            _fate(seed, company, invoice, first_day, year)
    year.invoices.sort(key=lambda one: (one.day, one.number))
    year.credits.sort(key=lambda one: (one.day, one.number))
    year.disputes.sort(key=lambda one: (one.day, one.invoice))
    year.promises.sort(key=lambda one: (one.day, one.invoice))
    return year


def business_day(day: int, country: str) -> int:
    """Return the day, or the next one that is neither weekend nor holiday."""
    while (day + 3) % 7 >= 5 or date_of(day) in _calendar(country):
        day += 1
    return day


@cache
def _calendar(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


def _invoices(seed: int, company: Company, first_day: int, last_day: int) -> Iterator[Invoice]:
    random = Random(f"{seed}/{company.number}/invoices")  # noqa: S311
    mean = company.yearly_minor * company.gap_days / 365
    day, count = first_day + random.randint(0, company.gap_days), 0
    while True:
        booked = business_day(day, company.country)
        amount = int(mean * random.lognormvariate(-0.08, 0.4))
        gap = max(2, int(company.gap_days * random.uniform(0.5, 1.5)))
        if booked > last_day + 40:  # a prepaid invoice shows before its day
            return
        if company.insolvent_day is not None and booked >= company.insolvent_day - 5:
            return
        count += 1
        yield Invoice(
            number=f"{company.entity}{company.number}-{count:03d}",
            customer=company.number,
            day=booked,
            due_day=booked + company.terms_days,
            amount_minor=max(amount, 50_00),
            currency=company.currency,
        )
        day += gap


def _delay(random: Random, company: Company, day: int, first_day: int) -> int:
    """Return how many days after the due date a customer with its habit pays."""
    drift = min(max(day - first_day, 0) / DRIFT_DAYS, 1.0)
    if random.random() < STUCK and not company.large:
        return random.randint(75, 330)
    match company.habit:
        case "prompt":
            return random.randint(-9, 3)
        case "relaxed":
            return random.randint(-7, 9)
        case "slow":
            return random.randint(10, 32)
        case "erratic":
            return random.choice((-5, 0, 2, 6, 12, 20, 33, 55))
        case "worsening":
            return random.randint(-6, 6) + int(31 * drift)
        case _:
            return random.randint(-6, 6) + int(30 * (1 - drift))


@dataclass(slots=True)
class _Fate:
    """One invoice on its way: what is left to pay and when it is paid."""

    left_minor: int
    pay_day: int


def _fate(seed: int, company: Company, invoice: Invoice, first_day: int, year: Year) -> None:
    random = Random(f"{seed}/{invoice.number}")  # noqa: S311
    last_day = year.last_day
    fate = _Fate(invoice.amount_minor, invoice.due_day + _delay(random, company, invoice.day, first_day))
    chance, later = random.random(), random.random()
    if invoice.day <= last_day:
        year.invoices.append(invoice)
    if chance < PREPAID:
        fate.pay_day = invoice.day - random.randint(4, 20)
    elif chance < PREPAID + DISPUTE:
        _dispute(random, company, invoice, fate, year)
    elif chance < PREPAID + DISPUTE + CREDIT_NOTE:
        part = fate.left_minor * random.randint(5, 25) // 100
        _credit(year, company, invoice, "credit_note", 1, invoice.day + random.randint(2, 9), part)
        fate.left_minor -= part
    elif chance < PREPAID + DISPUTE + CREDIT_NOTE + PART_PAYMENT:
        part = fate.left_minor * random.randint(40, 70) // 100
        _credit(year, company, invoice, "payment", 1, fate.pay_day, part)
        fate.left_minor -= part
        fate.pay_day += random.randint(12, 40)
    elif fate.pay_day - invoice.due_day >= LATE_FOR_A_PROMISE_DAYS and later < PROMISE_IF_LATE:
        _promise(random, company, invoice, fate, year)
    if chance >= PREPAID:
        fate.pay_day = max(fate.pay_day, invoice.day + 1)
    _credit(year, company, invoice, "payment", 2, fate.pay_day, fate.left_minor)


def _credit(year: Year, company: Company, invoice: Invoice, kind: str, part: int, day: int, amount_minor: int) -> None:
    """Book a credit on a working day, unless it lies ahead or the customer has failed."""
    booked = business_day(day, company.country)
    failed = company.insolvent_day is not None and booked >= company.insolvent_day - 45
    if booked > year.last_day or failed or amount_minor <= 0:
        return
    letter = "P" if kind == "payment" else "C"
    number = f"{letter}{invoice.number}-{part}"
    year.credits.append(
        Credit(
            kind=kind,
            number=number,
            customer=invoice.customer,
            reference=invoice.number,
            day=booked,
            amount_minor=amount_minor,
            currency=invoice.currency,
        )
    )


def _dispute(random: Random, company: Company, invoice: Invoice, fate: _Fate, year: Year) -> None:
    opened = business_day(invoice.due_day + random.randint(-8, 6), company.country)
    opened = max(opened, business_day(invoice.day + 1, company.country))
    closed = business_day(opened + random.randint(9, 35), company.country)
    accepted = random.random() < DISPUTE_ACCEPTED
    reason, cause = random.choice(DISPUTED)
    if accepted:
        part = fate.left_minor * random.choice((10, 15, 20, 30, 100)) // 100
        _credit(year, company, invoice, "credit_note", 1, closed + 1, part)
        fate.left_minor -= part
    fate.pay_day = closed + random.randint(4, 14)
    if opened <= year.last_day:
        year.disputes.append(
            Dispute(
                invoice=invoice.number,
                customer=invoice.customer,
                day=opened,
                reason=reason,
                cause=cause,
                closed_day=closed,
                accepted=accepted,
            )
        )


def _promise(random: Random, company: Company, invoice: Invoice, fate: _Fate, year: Year) -> None:
    made = business_day(invoice.due_day + random.randint(4, 8), company.country)
    promised = business_day(made + random.randint(4, 12), company.country)
    kept = random.random() < PROMISE_KEPT
    fate.pay_day = promised - random.randint(0, 2) if kept else promised + random.randint(7, 30)
    if made <= year.last_day:
        year.promises.append(
            Promise(
                invoice=invoice.number,
                customer=invoice.customer,
                day=made,
                promised_day=promised,
                amount_minor=invoice.amount_minor,
                currency=invoice.currency,
                kept=kept,
            )
        )
