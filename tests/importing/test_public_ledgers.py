"""Two ledgers that nobody here made come in whole, and add up to what their files say."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from engine.ledger_hash import ledger_hash
from engine.reports import ageing_report
from engine.runtime import Runtime
from engine.tables import Allocation, Contact, Credit, Customer, DueLine, Entity, Import
from ledger.days import day_of
from ledger.exporting import contacts_csv

pytestmark = pytest.mark.long  # PostgreSQL in the slow tier

HISTORY_END = day_of(date(2020, 12, 31))
AS_OF = date(2013, 6, 30)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def usd(runtime: Runtime) -> Entity:
    return Entity.create(code="usd", name="Main Inc", currency="USD", zone="UTC", country="US")


@pytest.fixture
def other_usd(runtime: Runtime) -> Entity:
    return Entity.create(code="usd2", name="Second Inc", currency="USD", zone="UTC", country="US")


def test_ibm_comes_in_whole(take: Callable[..., dict], usd: Entity, ledgers: Path) -> None:
    """2,466 invoices, 147,703.18 in all, each paid in full on its settled date."""
    answer = take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    assert answer["rows"] == 2466
    assert answer["entries"] == {"customers": 100, "due lines": 2466, "credits": 2466, "allocations": 2466}
    assert sum(line.amount_minor for line in DueLine.select()) == 14_770_318
    assert sum(credit.amount_minor for credit in Credit.select()) == 14_770_318
    assert all(line.recorded_day == line.booked_day == line.invoice_day for line in DueLine.select())
    assert answer["problems"] == []


def test_both_date_styles_give_the_same_ledger(
    take: Callable[..., dict], usd: Entity, other_usd: Entity, ledgers: Path
) -> None:
    """Another date style, another order of rows and lost leading zeros change nothing."""
    take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    take("ibm_ddmmyyyy", ledgers / "ibm_invoices_ddmmyyyy.csv", other_usd, HISTORY_END)
    assert ledger_hash(usd) == ledger_hash(other_usd)


def test_the_other_style_on_top_changes_nothing(take: Callable[..., dict], usd: Entity, ledgers: Path) -> None:
    """Overlap is by identity, not by file: the second file is known entry for entry."""
    take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    before = ledger_hash(usd)
    answer = take("ibm_ddmmyyyy", ledgers / "ibm_invoices_ddmmyyyy.csv", usd, HISTORY_END)
    assert (answer["posted"], answer["known"]) == (0, 4932)
    assert ledger_hash(usd) == before
    assert Import.select().count() == 2


def open_by_decimal(file: Path) -> dict[str, Decimal]:
    """Open amounts per customer as of 2013-06-30, by csv and Decimal alone."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of(file):
        invoiced = datetime.strptime(row["InvoiceDate"], "%m/%d/%Y").date()
        settled = datetime.strptime(row["SettledDate"], "%m/%d/%Y").date()
        if invoiced <= AS_OF < settled:
            found[row["customerID"]] += Decimal(row["InvoiceAmount"])
    return dict(found)


def test_open_amounts_as_of_a_past_day(take: Callable[..., dict], usd: Entity, ledgers: Path) -> None:
    """As of 2013-06-30 each customer owes what a second computation says."""
    take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    day = day_of(AS_OF)
    numbers = dict(Customer.select(Customer.id, Customer.number).tuples())
    owed: dict[str, int] = defaultdict(int)
    for line in DueLine.select().where(DueLine.booked_day <= day, DueLine.recorded_day <= day):
        owed[numbers[line.customer_id]] += line.amount_minor
    for paid in Allocation.select().where(Allocation.booked_day <= day, Allocation.recorded_day <= day):
        owed[numbers[paid.customer_id]] -= paid.amount_minor
    expected = open_by_decimal(ledgers / "ibm_invoices.csv")
    assert {number: Decimal(minor) / 100 for number, minor in owed.items() if minor} == expected


def test_report_and_facts_say_the_same(take: Callable[..., dict], usd: Entity, ledgers: Path, runtime: Runtime) -> None:
    """`report ageing` as of 2013-06-30 sums to the file's open amounts, per customer and bucket."""
    take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    report = ageing_report(runtime, usd, day_of(AS_OF))
    expected = open_by_decimal(ledgers / "ibm_invoices.csv")
    found = {one.number: Decimal(one.balance_minor) / 100 for one in report.customers if one.balance_minor}
    assert found == expected
    assert Decimal(report.balance_minor) / 100 == sum(expected.values())
    assert buckets_by_decimal(ledgers / "ibm_invoices.csv") == {
        name: Decimal(minor) / 100 for name, minor in report.totals.items() if minor
    }


def buckets_by_decimal(file: Path) -> dict[str, Decimal]:
    """The ageing of the file as of 2013-06-30, by csv and Decimal alone."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of(file):
        invoiced, due, settled = (
            datetime.strptime(row[name], "%m/%d/%Y").date() for name in ("InvoiceDate", "DueDate", "SettledDate")
        )
        if invoiced <= AS_OF < settled:
            late = (AS_OF - due).days
            bounds = (("not_due", 0), ("d1_30", 30), ("d31_60", 60), ("d61_90", 90), ("d90_over", 10**6))
            bucket = next(name for name, last in bounds if late <= last)
            found[bucket] += Decimal(row["InvoiceAmount"])
    return dict(found)


def test_udyam_comes_in_whole(take: Callable[..., dict], runtime: Runtime, ledgers: Path) -> None:
    """8,753 rows, amounts 20,314,878.65, settled 19,574,901.73, what is left stays open."""
    inr = Entity.create(code="inr", name="Main Pvt", currency="INR", zone="UTC", country="IN")
    answer = take("udyam", ledgers / "udyam_invoices.csv", inr, HISTORY_END)
    assert answer["rows"] == 8753
    assert sum(line.amount_minor for line in DueLine.select()) == 2_031_487_865
    assert sum(credit.amount_minor for credit in Credit.select()) == 1_957_490_173
    allocated = defaultdict(int)
    for one in Allocation.select():
        allocated[one.due_line_id] += one.amount_minor
    still_open = [line.amount_minor - allocated[line.id] for line in DueLine.select()]
    assert sum(still_open) == sum(
        int(Decimal(row["Outstanding"]) * 100) for row in rows_of(ledgers / "udyam_invoices.csv")
    )
    assert sum(minor > 0 for minor in still_open) == 634
    assert any("equal and have no number" in problem["what"] for problem in answer["problems"])
    before = ledger_hash(inr)
    again = take("udyam", ledgers / "udyam_invoices.csv", inr, HISTORY_END)
    assert (again["posted"], ledger_hash(inr)) == (0, before)


def test_payment_day_counts_from_the_invoice_day(take: Callable[..., dict], runtime: Runtime, ledgers: Path) -> None:
    """Also where a payment came before its invoice: it is unapplied until the invoice is booked."""
    inr = Entity.create(code="inr", name="Main Pvt", currency="INR", zone="UTC", country="IN")
    take("udyam", ledgers / "udyam_invoices.csv", inr, HISTORY_END)
    days = [
        (one.credit.booked_day - one.due_line.invoice_day, one.booked_day - one.due_line.invoice_day)
        for one in Allocation.select(Allocation, Credit, DueLine).join(Credit).switch(Allocation).join(DueLine)
    ]
    said = sorted(int(row["Number_of_Days_until_Payment"]) for row in rows_of(ledgers / "udyam_invoices.csv"))
    assert sorted(paid for paid, _ in days) == said
    assert all(allocated == max(paid, 0) for paid, allocated in days)


def test_contacts_for_every_customer(
    take: Callable[..., dict], take_text: Callable[..., dict], usd: Entity, ledgers: Path, runtime: Runtime
) -> None:
    """A contacts file made by the project gives each customer one sealed address."""
    take("ibm", ledgers / "ibm_invoices.csv", usd, HISTORY_END)
    text = contacts_csv(Customer.select(Customer.number, Customer.name).tuples())
    mapping = json.loads((Path(__file__).parents[2] / "samples/mappings/contacts.json").read_text())
    assert take_text(mapping, text, usd)["entries"] == {"contacts": 100}
    assert take_text(mapping, text, usd)["entries"] == {}
    for contact in Contact.select():
        number = contact.customer.number
        assert runtime.vault.open_person(contact.person)["email"] == f"{number.lower()}@ledger.example"
        assert number.lower().encode() not in bytes(contact.person.sealed)
