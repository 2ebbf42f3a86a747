"""A small ledger to write down: days count from the day asked for, yesterday is -1."""

from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from ledger.basis import FRAMES
from ledger.external import AMOUNTS, EXTERNAL
from ledger.state import Basis, customer_facts

TODAY = 20_000
POLARS = {nw.Int64: pl.Int64, nw.String: pl.String}


def polars_keep(frame):
    """Keep a Polars frame by computing it."""
    return nw.from_native(frame.to_native().collect().lazy())


def duckdb_keep(frame):
    """Keep a DuckDB frame as a table."""
    return nw.from_native(duckdb.from_arrow(frame.to_native().to_arrow_table()))


class Book:
    """Entries of one entity, customer 1 unless said otherwise; every day is relative to TODAY."""

    def __init__(self, customers: int = 1, **first: Any) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in FRAMES}
        for customer in range(1, customers + 1):
            row = {"id": customer, "number": f"C{customer}", "opened_day": None}
            self.rows["customer"].append(row | (first if customer == 1 else {}))

    def _add(self, table: str, customer: int, day: int, recorded: int | None, **columns: Any) -> int:
        """Append one entry and return its id."""
        rows = self.rows[table]
        row = {
            "id": len(rows) + 1,
            "customer_id": customer,
            "booked_day": TODAY + day,
            "recorded_day": TODAY + (day if recorded is None else recorded),
        }
        rows.append(row | columns)
        return len(rows)

    def line(self, amount, due=None, *, customer=1, day=-100, recorded=None, number=None, ordinal=1, currency="EUR"):
        """A due line, invoiced on `day`."""
        number = f"{len(self.rows['due_line']) + 1:04d}" if number is None else number
        due_day = None if due is None else TODAY + due
        line = {"number": number, "ordinal": ordinal, "invoice_day": TODAY + day, "due_day": due_day}
        return self._add("due_line", customer, day, recorded, **line, amount_minor=amount, currency=currency)

    def credit(self, amount, kind="payment", *, day=-1, recorded=None, customer=1, currency="EUR"):
        """A payment, credit note or write-off, not yet allocated."""
        return self._add("credit", customer, day, recorded, kind=kind, amount_minor=amount, currency=currency)

    def allocate(self, credit, line, amount, *, day=-1, recorded=None, customer=1):
        """So much of a credit set against a line."""
        keys = {"credit_id": credit, "due_line_id": line}
        return self._add("allocation", customer, day, recorded, **keys, amount_minor=amount)

    def pay(self, line, amount, *, day=-1, recorded=None, kind="payment"):
        """A payment with a reference: a credit wholly allocated to a line."""
        row = self.rows["due_line"][line - 1]
        customer = row["customer_id"]
        credit = self.credit(amount, kind, day=day, recorded=recorded, customer=customer, currency=row["currency"])
        return self.allocate(credit, line, amount, day=day, recorded=recorded, customer=customer)

    def reverse(self, table, entry, *, day=-1, recorded=None):
        """Take an entry back."""
        customer = self.rows[table][entry - 1]["customer_id"]
        return self._add("reversal", customer, day, recorded, target=table, target_id=entry)

    def dispute(self, line, amount=None, *, day=-1, recorded=None):
        """A dispute of a line, all of it unless an amount is named."""
        customer = self.rows["due_line"][line - 1]["customer_id"]
        return self._add("dispute", customer, day, recorded, due_line_id=line, amount_minor=amount)

    def close(self, dispute, outcome="rejected", accepted=None, *, day=-1, recorded=None):
        """The end of a dispute."""
        customer = self.rows["dispute"][dispute - 1]["customer_id"]
        end = {"dispute_id": dispute, "outcome": outcome, "accepted_minor": accepted}
        return self._add("dispute_closing", customer, day, recorded, **end)

    def promise(self, amount, by, line=None, *, day=-1, recorded=None, customer=1, currency="EUR"):
        """A promise to pay by a day, on one line or on none in particular; what is written above it came before it."""
        what = {"due_line_id": line, "amount_minor": amount, "currency": currency, "promised_day": TODAY + by}
        return self._add("promise", customer, day, recorded, **what, after_credit_id=len(self.rows["credit"]))

    def claim(self, kind, amount, *, day=-1, recorded=None, customer=1, currency="EUR"):
        """An entry of the claim account."""
        return self._add("claim_entry", customer, day, recorded, kind=kind, amount_minor=amount, currency=currency)

    def rating(self, agency="A", *, day=-1, recorded=None, customer=1, **said):
        """An agency's rating that holds from `day`."""
        nothing = {"grade": "", "score": None, "pd_bp": None, "limit_minor": None, "currency": ""}
        return self._add("rating", customer, day, recorded, agency=agency, **nothing | said)

    def statement(self, end=-200, *, day=-1, recorded=None, customer=1, months=12, group=0, currency="EUR", **amounts):
        """A financial statement whose period ended on `end`, filed on `day`."""
        said = {f"{name}_minor": amounts.get(name) for name in AMOUNTS}
        known = {name: said[name] for name in FRAMES["financial_statement"] if name in said}
        period = {"period_end_day": TODAY + end, "months": months, "consolidated": group, "currency": currency}
        return self._add("financial_statement", customer, day, recorded, **period, **known)

    def plan(self, lines, instalments, *, total=None, day=-1, recorded=None):
        """A payment plan over some lines: instalments as (day they are due, amount)."""
        customer = self.rows["due_line"][lines[0] - 1]["customer_id"]
        when = {"day": day, "recorded": recorded}
        total = sum(amount for _due, amount in instalments) if total is None else total
        plan = self._add("payment_plan", customer, **when, total_minor=total)
        for line in lines:
            self._add("plan_line", customer, **when, plan_id=plan, due_line_id=line)
        for due, amount in instalments:
            self._add("instalment", customer, **when, plan_id=plan, due_day=TODAY + due, amount_minor=amount)
        return plan

    def limit(self, amount, since=-100, until=None, *, day=-100, recorded=None, customer=1):
        """A credit limit from a day until a day."""
        return self._dated("credit_limit", customer, day, recorded, since, until, amount_minor=amount)

    def block(self, kind, since=-1, until=None, line=None, *, day=-100, recorded=None, customer=1):
        """A dunning block, pause or insolvency from a day until a day."""
        return self._dated("block", customer, day, recorded, since, until, kind=kind, due_line_id=line)

    def _dated(self, table, customer, day, recorded, since, until, **columns):
        until_day = None if until is None else TODAY + until
        return self._add(table, customer, day, recorded, from_day=TODAY + since, until_day=until_day, **columns)

    def contact(self, day, customer=1):
        """A message or call that reached the customer."""
        self.rows["contact_made"].append({"customer_id": customer, "day": TODAY + day})

    def elsewhere(self, group, exposure):
        """What a group owes our other entities."""
        self.rows["group_other"].append({"customer_group_id": group, "exposure_minor": exposure})

    def tables(self) -> dict[str, pl.DataFrame]:
        """The ledger as Polars tables."""
        schemas = {name: {key: POLARS[kind] for key, kind in columns.items()} for name, columns in FRAMES.items()}
        return {name: pl.DataFrame(rows, schema=schemas[name], orient="row") for name, rows in self.rows.items()}

    def frames(self):
        """The ledger as narwhals frames on Polars."""
        return {name: nw.from_native(table.lazy()) for name, table in self.tables().items()}

    def duckdb_frames(self):
        """The same on DuckDB."""
        return {name: nw.from_native(duckdb.from_arrow(table.to_arrow())) for name, table in self.tables().items()}

    def basis(self, as_of=0, **others):
        """The question, asked on a day relative to TODAY."""
        return Basis(**{"as_of_day": TODAY + as_of, "entity": "DE01", "currency": "EUR"} | others)

    def all_facts(self, as_of=0, **others) -> dict[int, dict[str, Any]]:
        """The facts of every customer, by id."""
        frame = customer_facts(self.frames(), self.basis(as_of, **others), polars_keep)
        return {row["customer_id"]: row for row in frame.to_native().collect().to_dicts()}

    def facts(self, as_of=0, *, customer=1, **others) -> dict[str, Any]:
        """The facts of one customer."""
        return self.all_facts(as_of, **others)[customer]

    def duckdb_facts(self, as_of=0, **others) -> dict[int, dict[str, Any]]:
        """The facts of every customer, computed by DuckDB."""
        frame = customer_facts(self.duckdb_frames(), self.basis(as_of, **others), duckdb_keep)
        return {row["customer_id"]: row for row in frame.to_native().to_arrow_table().to_pylist()}


@pytest.fixture(scope="session")
def book() -> type[Book]:
    """The ledger to write down."""
    return Book


def scribble(rng, customers: int = 12) -> Book:
    """A random ledger with every kind of entry, some of it in the future and some taken back.

    Args:
        rng: a random.Random.
        customers: how many.
    """
    ledger = Book(customers)
    for row in ledger.rows["customer"]:
        row["customer_group_id"] = rng.choice([None, 1, 2])
    for customer in range(1, customers + 1):
        for _ in range(rng.randrange(6)):
            _scribble_line(ledger, rng, customer)
        for _ in range(rng.choice([0, 0, 1, 2])):
            ledger.credit(
                rng.randrange(1, 900), rng.choice(KINDS), **_when(rng), customer=customer, currency=_money(rng)
            )
        if rng.random() < 0.3:
            ledger.promise(rng.randrange(1, 900), rng.randrange(-20, 20), **_when(rng), customer=customer)
        for _ in range(rng.choice([0, 1, 2])):
            ledger.limit(
                rng.choice([None, 0, 500, 5_000]),
                rng.randrange(-50, 5),
                rng.choice([None, -3, 0, 9]),
                customer=customer,
            )
        if rng.random() < 0.3:
            ledger.block(
                rng.choice(["dunning_block", "pause", "insolvent"]),
                rng.randrange(-9, 3),
                rng.choice([None, 0, 4]),
                customer=customer,
            )
        if rng.random() < 0.5:
            ledger.contact(rng.randrange(-9, 3), customer)
        _scribble_external(ledger, rng, customer)
    reversible = ("due_line", "credit", "allocation", "dispute", "promise", "credit_limit", "block", *EXTERNAL)
    for table in reversible:
        for row in ledger.rows[table]:
            if rng.random() < 0.07:
                ledger.reverse(table, row["id"], day=max(row["booked_day"] - TODAY, rng.randrange(-5, 3)))
    ledger.elsewhere(1, 77)
    return ledger


KINDS = ("payment", "payment", "credit_note", "write_off")


def _money(rng) -> str:
    return rng.choice(["EUR"] * 8 + ["USD", "USD", "GBP"])


def _when(rng) -> dict[str, int]:
    day = rng.randrange(-30, 3)
    return {"day": day, "recorded": day + rng.choice([0, 0, 0, 1, 4])}


def _scribble_external(ledger: Book, rng, customer: int) -> None:
    for _ in range(rng.choice([0, 0, 1, 3])):
        said = {"grade": rng.choice(["", "A", "B"]), "score": rng.choice([None, 7]), "pd_bp": rng.choice([None, 90])}
        limit = {"limit_minor": rng.choice([None, 500]), "currency": _money(rng)}
        ledger.rating(rng.choice("AB"), **_when(rng), customer=customer, **said, **limit)
    for _ in range(rng.choice([0, 0, 1, 3])):
        amounts = {name: rng.choice([None, -90, 0, 400, 777]) for name in AMOUNTS}
        period = {"months": rng.choice([3, 12]), "group": rng.randrange(2), "currency": _money(rng)}
        ledger.statement(rng.choice([-400, -35]), **_when(rng), customer=customer, **period, **amounts)


def _scribble_line(ledger: Book, rng, customer: int) -> None:
    amount = rng.randrange(1, 1_000)
    due = rng.choice([None, *range(-100, 40, 3)] + [-1, 0, 1] * 4)
    number = rng.choice(["A", "A1", "A-1", "B", "10", "9", "é"])
    invoiced = rng.choice([-400, -120, -91, -20, -1, 0, 1])
    line = ledger.line(amount, due, customer=customer, day=invoiced, number=number, currency=_money(rng))
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        part = rng.choice([amount, amount // 2 + 1, amount + 1])
        ledger.pay(line, part, **_when(rng), kind=rng.choice(KINDS))
    if rng.random() < 0.25:
        dispute = ledger.dispute(line, rng.choice([None, 1, amount // 2 + 1, amount * 2]), **_when(rng))
        if rng.random() < 0.4:
            ledger.close(dispute, **_when(rng))
    if rng.random() < 0.3:
        for _ in range(rng.choice([1, 1, 2])):
            made = _when(rng)
            for place in range(3):  # paid on the day of the promise: before it, or after it
                if place == 1:
                    ledger.promise(
                        rng.randrange(1, amount + 1), rng.randrange(-20, 20), line, **made, customer=customer
                    )
                elif rng.random() < 0.2:
                    ledger.pay(line, amount // 3 + 1, **made)
    if rng.random() < 0.1:
        ledger.block("pause", rng.randrange(-9, 3), rng.choice([None, 0, 4]), line, customer=customer)


@pytest.fixture(scope="session")
def random_book():
    """Write a random ledger: random_book(random.Random(7), customers=12)."""
    return scribble
