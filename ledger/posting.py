"""Posting: from records and what is known to the entries that are to be added.

Pure. What a file says is compared by identity, not by file: the same entries twice change
nothing, however they are cut into files or ordered. A changed amount or day of a known
entry becomes a reversal and a new entry, so that the past stays as it was seen.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from ledger.allocating import allocate
from ledger.cells import RATE_SCALE
from ledger.dialect import WHOLE, problem, warning
from ledger.entries import (
    Credit,
    Known,
    Limit,
    Line,
    Plan,
    Reversal,
    identity_of,
    settlement_identity,
)
from ledger.external import RATING, STATEMENT, Rating, Statement, rating_of, statement_of
from ledger.mapping import CREDIT_KINDS
from ledger.money import RATE_SCALE as E9
from ledger.money import exponent, half_up
from ledger.problems import Problem
from ledger.records import EQUAL_BY, Record

E = TypeVar("E", Line, Credit, Rating, Statement)
LARGEST_RATE_E9 = 2**62


class Days:
    """When an entry counts as recorded.

    Args:
        posting_day: today, at the entity.
        history_until: entries booked on or before it count as recorded when they were
            booked (the import brings history); None: no entry does.
    """

    def __init__(self, posting_day: int, history_until: int | None) -> None:
        self.posting_day = posting_day
        self.history_until = history_until

    def recorded(self, booked_day: int) -> int:
        """The recorded day of an entry booked on a day."""
        if self.history_until is not None and booked_day <= self.history_until:
            return booked_day
        return self.posting_day


def post(
    records: Sequence[Record], known: Known, *, currency: str, posting_day: int, history_until: int | None = None
) -> tuple[Plan, list[Problem]]:
    """Work out the entries that a file adds.

    Args:
        records: of one file, without errors.
        known: entries in force of the customers the file names.
        currency: base currency of the entity.
        posting_day: today, at the entity.
        history_until: see ``Days``.

    Returns:
        What to add, and problems; with an error nothing is to be added.
    """
    posting = _Posting(known, Days(posting_day, history_until), currency)
    if history_until is not None and history_until > posting_day:
        what = "history cannot end after today"
        posting.problems.append(problem(1, WHOLE, what, "give a day up to today"))
        return posting.plan, posting.problems
    posting.invoices([record for record in records if record.kind == "invoice"])
    posting.credits([record for record in records if record.kind in CREDIT_KINDS])
    posting.limits([record for record in records if record.kind == "credit_limit"])
    posting.rates([record for record in records if record.kind == "exchange_rate"])
    posting.ratings([record for record in records if record.kind == RATING])
    posting.statements([record for record in records if record.kind == STATEMENT])
    allocate(posting.plan, known, posting.days.recorded, posting_day)
    posting.report_given_way()
    posting.report_references()
    return posting.plan, posting.problems


class _Posting:
    """One posting while it is worked out."""

    def __init__(self, known: Known, days: Days, currency: str) -> None:
        self.known = known
        self.days = days
        self.currency = currency
        self.plan = Plan()
        self.problems: list[Problem] = []
        self.referring: list[tuple[int, Credit]] = []

    # --- invoices ------------------------------------------------------------------------

    def invoices(self, records: Sequence[Record]) -> None:
        """Due lines, with the credits that their rows give."""
        unnumbered: dict[tuple[object, ...], list[Record]] = {}
        for record in records:
            if record.values.get("number"):
                self.invoice(record, self.numbered_identity(record), record.values.get("ordinal", 1))
            else:
                unnumbered.setdefault(_equal_key(record), []).append(record)
        for key, equals in unnumbered.items():
            for ordinal, record in self.ordinals(key, equals):
                self.invoice(record, _unnumbered_identity(key, ordinal), ordinal)

    def numbered_identity(self, record: Record) -> str:
        values = record.values
        return identity_of("invoice", values["customer"], values["number"], values.get("ordinal", 1))

    def ordinals(self, key: tuple[object, ...], equals: list[Record]) -> list[tuple[int, Record]]:
        """Tell equal invoices apart: those paid alike keep the ordinal they have.

        Rows come in any order, so the ordinals of new ones follow what the rows say, not
        where they stand.
        """
        rows = sorted(equals, key=_said)
        slots: list[tuple[int, tuple[object, ...]]] = []
        while (identity := _unnumbered_identity(key, len(slots) + 1)) in self.known.revisions:
            slots.append((len(slots) + 1, self.paid(identity)))
        alike: dict[tuple[object, ...], deque[int]] = {}
        for ordinal, paid in slots:
            alike.setdefault(paid, deque()).append(ordinal)
        given: list[tuple[int, Record]] = []
        others = []
        for row in rows:
            same = alike.get(_settlements(row))
            if same:
                given.append((same.popleft(), row))
            else:
                others.append(row)
        # What is left: first those not paid so far, then any; the rest is new.
        free = deque(sorted(alike.get((), ())))
        free.extend(sorted(ordinal for paid, ordinals in alike.items() if paid for ordinal in ordinals))
        free.extend(range(len(slots) + 1, len(slots) + len(others) + 1))
        return given + [(free.popleft(), row) for row in others]

    def paid(self, identity: str) -> tuple[object, ...]:
        """What is known of the payments of an invoice's row, as ``_settlements`` says it."""
        found = (self.known.credits.get(settlement_identity(identity, kind)) for kind in CREDIT_KINDS)
        return tuple(sorted((one.kind, one.booked_day, one.amount_minor) for one in found if one is not None))

    def invoice(self, record: Record, identity: str, ordinal: int) -> None:
        values = record.values
        wanted = Line(
            customer=values["customer"],
            number=values.get("number") or "",
            ordinal=ordinal,
            identity=identity,
            invoice_day=values["invoiced_on"],
            due_day=values.get("due_on"),
            amount_minor=values["amount"],
            currency=values["currency"],
            booked_day=values["invoiced_on"],
            recorded_day=self.days.recorded(values["invoiced_on"]),
            text=values.get("text") or "",
        )
        old = self.known.lines.get(identity)
        line = self.entry(record, wanted, old, "due_line", self.plan.lines)
        if line is not None and old is not None and line is not old:
            self.plan.replaced.append((old, line))
        given = set()
        for settlement in record.settlements:
            given.add(settlement.kind)
            if self.credit(settlement, settlement_identity(identity, settlement.kind)):
                self.plan.touched.add(identity)
        for kind in CREDIT_KINDS if self.known.credits else ():
            if kind not in given and settlement_identity(identity, kind) in self.known.credits:
                what = f"the {kind.replace('_', ' ')} known for this invoice is not in the file; it stays"
                self.warn(record, what, "reverse it by hand if it was taken back")

    # --- credits -------------------------------------------------------------------------

    def credits(self, records: Sequence[Record]) -> None:
        """Payments, credit notes and write-offs of their own rows."""
        unnumbered: dict[tuple[object, ...], list[Record]] = {}
        for record in records:
            values = record.values
            if values.get("number"):
                identity = identity_of(
                    record.kind,
                    values["customer"],
                    values["number"],
                    values.get("reference") or "",
                    values.get("part", 1),
                )
                self.credit(record, identity)
            else:
                unnumbered.setdefault(_equal_key(record), []).append(record)
        for key, equals in unnumbered.items():
            for ordinal, record in enumerate(sorted(equals, key=_said), start=1):
                self.credit(record, _unnumbered_identity(key, ordinal))

    def credit(self, record: Record, identity: str) -> bool:
        """Post a credit, unless it is known; says whether there is a new entry."""
        values = record.values
        wanted = Credit(
            customer=values["customer"],
            kind=record.kind,
            number=values.get("number") or "",
            reference=values.get("reference") or "",
            identity=identity,
            amount_minor=values["amount"],
            currency=values["currency"],
            booked_day=values["booked_on"],
            recorded_day=self.days.recorded(values["booked_on"]),
        )
        old = self.known.credits.get(identity)
        credit = self.entry(record, wanted, old, "credit", self.plan.credits)
        if credit is None or credit is old:
            return False
        if credit.reference:
            self.referring.append((record.line, credit))
        return True

    def entry(self, record: Record, wanted: E, old: E | None, target: str, entries: list[E]) -> E | None:
        """Post an entry, unless it is known; reverse what it replaces."""
        if old is None and wanted.identity in self.known.revisions:
            what = "this entry was reversed by a person; it is not posted again"
            self.warn(record, what, "post it by hand if it is owed after all")
            return None
        if old is None:
            entries.append(wanted)
            return wanted
        if old.content == wanted.content:
            self.plan.known += 1
            return old
        new = replace(wanted, revision=self.known.revisions[wanted.identity] + 1, recorded_day=self.days.posting_day)
        self.plan.reversals.append(Reversal(target, old, f"replaced by line {record.line} of a later file"))
        entries.append(new)
        return new

    def report_given_way(self) -> None:
        """Warn about write-offs entered here that the accounts have left no room for."""
        for reversal in self.plan.reversals:
            if isinstance(reversal.entry, Credit) and reversal.entry.by_hand:
                one = reversal.entry
                what = f"the write-off of {one.customer} on {one.reference} that was entered here gave way to the file"
                cure = "write off again what is still lost"
                self.problems.append(warning(1, WHOLE, what, cure))

    def report_references(self) -> None:
        """Warn about credits whose invoice is not known, or is in another currency."""
        lines = {(line.customer, line.number): line for line in self.known.lines.values()}
        lines.update({(line.customer, line.number): line for line in self.plan.lines})
        for at, credit in self.referring:
            line = lines.get((credit.customer, credit.reference))
            if line is None:
                what = f"the invoice {credit.reference} it refers to is not known; it stays unapplied until that comes"
            elif line.currency != credit.currency:
                what = (
                    f"the invoice {credit.reference} is in {line.currency}, not {credit.currency}; it stays unapplied"
                )
            else:
                continue
            self.problems.append(warning(at, WHOLE, what, "look whether the reference is right"))

    # --- limits and rates ----------------------------------------------------------------

    def limits(self, records: Iterable[Record]) -> None:
        """Credit limits; one that a person approved is not overwritten, but shown as a conflict."""
        for record in sorted(records, key=lambda one: (one.values["customer"], one.values["from_on"], one.line)):
            values = record.values
            if values["currency"] != self.currency:
                what = f"the limit is in {values['currency']}, the entity's currency is {self.currency}"
                self.problems.append(problem(record.line, WHOLE, what, f"give the limit in {self.currency}"))
                continue
            start = values["from_on"]
            wanted = Limit(
                customer=values["customer"],
                amount_minor=values.get("amount"),
                from_day=start,
                until_day=values.get("until_on"),
                booked_day=start,
                recorded_day=self.days.recorded(start),
                reason=values.get("reason") or "",
            )
            there = self.known.limits.get(wanted.customer, [])
            if any(limit.content == wanted.content for limit in there):
                self.plan.known += 1
            elif any(limit.by_person and _overlap(limit, wanted) for limit in there):
                what = f"a limit of {wanted.customer} for this time was approved by a person; the file's is not posted"
                self.warn(record, what, "end that limit first if the file is right")
            else:
                self.plan.limits.append(wanted)

    def rates(self, records: Iterable[Record]) -> None:
        """Dated exchange rates; a rate that is there is never changed: figures rest on it."""
        for record in records:
            values = record.values
            base, currency = values.get("base") or self.currency, values["currency"]
            scaled = values["rate"] * 10 ** exponent(base) * E9
            rate_e9 = half_up(scaled, RATE_SCALE * 10 ** exponent(currency))
            key = (base, currency, values["day"])
            there = self.known.rates.get(key)
            if base == currency or not 0 < rate_e9 < LARGEST_RATE_E9:
                what = "the rate is between a currency and itself, or too small or large to be kept"
                self.problems.append(problem(record.line, WHOLE, what, "give units of base per unit of currency"))
            elif there is None:
                self.plan.rates[key] = (rate_e9, values.get("source") or "import")
            elif there == rate_e9:
                self.plan.known += 1
            else:
                what = f"another rate of {currency} for that day is known, and a dated rate is never changed"
                self.problems.append(problem(record.line, WHOLE, what, "leave the row out, or date the rate anew"))

    # --- what others say -----------------------------------------------------------------

    def ratings(self, records: Iterable[Record]) -> None:
        """Ratings; one that a file says differently is taken back and posted anew."""
        for record in records:
            received = record.values.get("received_on")
            wanted = rating_of(record, self.days.recorded(record.values["from_on"] if received is None else received))
            if self.possible(record, wanted):
                old = self.known.external.get(wanted.identity)
                self.entry(record, wanted, old if isinstance(old, Rating) else None, RATING, self.plan.ratings)

    def statements(self, records: Sequence[Record]) -> None:
        """Financial statements; without a filing day one counts from the day of posting, history or not."""
        undated = [record for record in records if record.values.get("filed_on") is None]
        if undated and self.days.history_until is not None:
            what = f"{len(undated)} statements from here on do not say when they were filed: they count from today"
            self.warn(undated[0], what, "map filed_on; the end of the period is long before anybody could read them")
        for record in records:
            filed = record.values.get("filed_on")
            booked = self.days.posting_day if filed is None else filed
            recorded = self.days.posting_day if filed is None else self.days.recorded(filed)
            wanted = statement_of(record, booked, recorded)
            if self.possible(record, wanted):
                old = self.known.external.get(wanted.identity)
                self.entry(record, wanted, old if isinstance(old, Statement) else None, STATEMENT, self.plan.statements)

    def possible(self, record: Record, wanted: Rating | Statement) -> bool:
        """Whether what a row says can be; each reason why not is an error."""
        faults = list(wanted.faults())
        self.problems += [problem(record.line, WHOLE, f"{name} {what}", cure) for name, what, cure in faults]
        return not faults

    def warn(self, record: Record, what: str, cure: str) -> None:
        self.problems.append(warning(record.line, WHOLE, what, cure))


def _equal_key(record: Record) -> tuple[object, ...]:
    return (record.kind, *(record.values.get(name) for name in EQUAL_BY))


def _unnumbered_identity(key: tuple[object, ...], ordinal: int) -> str:
    return identity_of("unnumbered", *(part if isinstance(part, int) else str(part or "") for part in key), ordinal)


def _settlements(record: Record) -> tuple[object, ...]:
    return tuple(sorted((one.kind, one.values["booked_on"], one.values["amount"]) for one in record.settlements))


def _said(record: Record) -> tuple[object, ...]:
    """What a row says beyond its key: the order of equal rows, wherever they stand."""
    return (_settlements(record), record.values.get("text") or "", record.values.get("customer_name") or "")


def _overlap(one: Limit, other: Limit) -> bool:
    return (other.until_day is None or one.from_day < other.until_day) and (
        one.until_day is None or other.from_day < one.until_day
    )
