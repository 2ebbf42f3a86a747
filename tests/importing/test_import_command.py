"""The command ImportFile: whole or nothing, by identity, with its trace and its dirty customers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from peewee import IntegrityError

from engine import taking_in
from engine.commands import Invalid, NotFound, Refused, execute
from engine.importing import ImportFile, preview
from engine.ledger_hash import ledger_hash
from engine.runtime import Runtime
from engine.tables import (
    Allocation,
    AuditEntry,
    Contact,
    Credit,
    CreditLimit,
    Customer,
    CustomerGroup,
    DirtyCustomer,
    Dispute,
    DueLine,
    Entity,
    ExchangeRate,
    Import,
    Promise,
    Reversal,
)
from ledger.days import day_of
from ledger.exporting import csv_of

Take = Callable[..., dict[str, Any]]
HEADER = "Customer,No,Date,Due,Amount,Currency\n"
ROW = "1001,A-1,2026-01-15,2026-02-14,100.00,EUR\n"


def mapping(kind: str, **columns: str) -> dict[str, Any]:
    fields = {name: {"column": column} for name, column in columns.items()}
    return {
        "format": 1,
        "kind": "mapping",
        "key": kind,
        "name": kind,
        "decimal_mark": ".",
        "date_formats": ["yyyy-mm-dd"],
        "records": [{"kind": kind, "fields": fields}],
    }


ITEM = {"customer": "Customer", "number": "No", "amount": "Amount", "currency": "Currency"}
INVOICES = mapping("invoice", **ITEM, invoiced_on="Date", due_on="Due")
PAYMENTS = mapping("payment", **ITEM, booked_on="Date", reference="For")
CREDIT_NOTES = mapping("credit_note", **ITEM, booked_on="Date", reference="For")
WRITE_OFFS = mapping("write_off", **ITEM, booked_on="Date", reference="For")
PAID = "Customer,No,Date,Amount,Currency,For\n"


def test_an_invoice_comes_in(take_text: Take, entity: Entity, customer: Customer, runtime: Runtime) -> None:
    """A known customer gets a due line; today is when it was recorded."""
    answer = take_text(INVOICES, HEADER + ROW, entity)
    line = DueLine.get()
    assert (line.customer_id, line.number, line.amount_minor, line.currency) == (customer.id, "A-1", 10_000, "EUR")
    assert line.booked_day == line.invoice_day == line.due_day - 30
    assert (line.recorded_day, line.recorded_at) == (runtime.today(entity), runtime.now_at())
    assert line.import_id == answer["import_id"]
    assert answer["entries"] == {"due lines": 1}


def test_unknown_customers_are_created(take_text: Take, entity: Entity) -> None:
    """With their number as name until a file says the name; a file of customers is master."""
    take_text(INVOICES, HEADER + ROW, entity)
    assert Customer.get().name == "1001"
    named = mapping("invoice", **ITEM, invoiced_on="Date", due_on="Due", customer_name="Name")
    row = "1001,A-2,2026-01-15,2026-02-14,5.00,EUR,Hollow Oak\n"
    take_text(named, HEADER.replace("\n", ",Name\n") + row, entity)
    assert Customer.get().name == "Hollow Oak"
    take_text(named, HEADER.replace("\n", ",Name\n") + row.replace("A-2", "A-3").replace("Oak", "Elm"), entity)
    assert Customer.get().name == "Hollow Oak"
    master = mapping("customer", number="No", name="Name", country="Country", terms_days="Days", group="Group")
    answer = take_text(master, "No,Name,Country,Days,Group\n1001,Hollow Elm,fr,45,G1\n", entity)
    row = Customer.get()
    assert (row.name, row.country, row.terms_days, row.customer_group.code) == ("Hollow Elm", "FR", 45, "G1")
    assert answer["entries"] == {"groups": 1, "customers changed": 1}
    assert take_text(master, "No,Name,Country,Days,Group\n1001,Hollow Elm,fr,45,G1\n", entity)["entries"] == {}
    assert CustomerGroup.get().currency == "EUR"


@pytest.mark.promise("B4")
def test_the_same_file_twice_changes_nothing(take_text: Take, entity: Entity) -> None:
    """The second import is noted, posts nothing, and leaves nobody to be decided again."""
    first = take_text(INVOICES, HEADER + ROW, entity)
    before = ledger_hash(entity)
    DirtyCustomer.delete().execute()
    second = take_text(INVOICES, HEADER + ROW, entity)
    assert (first["posted"], first["known"], second["posted"], second["known"]) == (1, 0, 0, 1)
    assert ledger_hash(entity) == before
    assert DirtyCustomer.select().count() == 0
    assert [one.entries_posted for one in Import.select().order_by(Import.id)] == [1, 0]


def test_the_hash_tells_ledgers_apart(take_text: Take, entity: Entity, runtime: Runtime) -> None:
    """Another amount, day, customer or payment is another ledger; another order is not."""
    seen = set()
    for at, row in enumerate(
        [
            ROW,
            ROW.replace("100.00", "100.01"),
            ROW.replace("02-14", "02-15"),
            ROW.replace("1001", "1002"),
            ROW.replace("A-1", "A-2"),
            ROW + ROW.replace("A-1", "A-2"),
        ]
    ):
        other = Entity.create(code=f"e{at}", name="E", currency="EUR")
        take_text(INVOICES, HEADER + row, other)
        seen.add(ledger_hash(other))
        take_text(PAYMENTS, PAID + "1001,P,2026-01-20,5,EUR,A-1\n", other)
        seen.add(ledger_hash(other))
    assert len(seen) == 12
    turned = Entity.create(code="turned", name="E", currency="EUR")
    take_text(INVOICES, HEADER + ROW.replace("A-1", "A-2") + ROW, turned)
    assert ledger_hash(turned) in seen


@pytest.mark.promise("B3")
def test_documents_in_any_order(take_text: Take, runtime: Runtime) -> None:
    """Payments before their invoice, credit notes after: the same ledger."""
    files = [
        (INVOICES, HEADER + ROW + ROW.replace("A-1", "A-2")),
        (PAYMENTS, PAID + "1001,P1,2026-01-20,60,EUR,A-1\n1001,P2,2026-01-21,70,EUR,A-1\n"),
        (CREDIT_NOTES, PAID + "1001,C1,2026-01-19,20,EUR,A-1\n1001,C2,2026-01-19,20,EUR,\n"),
        (WRITE_OFFS, PAID + "1001,W1,2026-01-30,1,EUR,A-2\n"),
    ]
    hashes = set()
    for at in range(len(files)):
        entity = Entity.create(code=f"e{at}", name="E", currency="EUR")
        for chosen, text in files[at:] + files[:at] + files[::-1]:
            take_text(chosen, text, entity)
        hashes.add(ledger_hash(entity))
        allocated = [one.amount_minor for one in Allocation.select().where(Allocation.entity_id == entity.id)]
        assert len(allocated) >= 4
    assert len(hashes) == 1


def test_a_changed_amount_moves_what_hangs_on_the_line(
    take_text: Take, entity: Entity, customer: Customer, runtime: Runtime
) -> None:
    """Reversal and new line; its dispute and promise go on, on the new line; nothing is updated."""
    take_text(INVOICES, HEADER + ROW, entity)
    old = DueLine.get()
    common = {"entity_id": entity.id, "customer": customer, "booked_day": 20_500, "recorded_day": 20_500}
    common |= {"recorded_at": 1, "due_line": old}
    Dispute.create(**common, amount_minor=500, reason="broken pallet")
    Promise.create(**common, amount_minor=100, currency="EUR", promised_day=20_600, after_credit_id=7)
    answer = take_text(INVOICES, HEADER + ROW.replace("100.00", "90.00"), entity)
    assert answer["entries"] == {"due lines": 1, "reversals": 1, "disputes moved": 1, "promises moved": 1}
    new = DueLine.get(DueLine.revision == 1)
    assert (new.amount_minor, new.identity, new.recorded_day) == (9_000, old.identity, runtime.today(entity))
    undone = {(one.target, one.target_id) for one in Reversal.select()}
    assert undone == {("due_line", old.id), ("dispute", 1), ("promise", 1)}
    assert [(one.due_line_id, one.booked_day) for one in Dispute.select()] == [(old.id, 20_500), (new.id, 20_500)]
    assert [one.after_credit_id for one in Promise.select()] == [7, 7]
    assert take_text(INVOICES, HEADER + ROW.replace("100.00", "90.00"), entity)["posted"] == 0


def test_all_or_nothing(
    take_text: Take, entity: Entity, dump: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure after the last insert leaves no row of any kind."""
    take_text(INVOICES, HEADER + ROW, entity)
    before = dump()

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("engine.importing.post_contacts", fail)
    with pytest.raises(OSError, match="full"):
        take_text(INVOICES, HEADER + ROW.replace("A-1", "A-2").replace("1001", "1002"), entity)
    assert dump() == before


def test_entries_cannot_be_changed(take_text: Take, entity: Entity) -> None:
    """The database refuses to update or delete what an import posted."""
    take_text(INVOICES, HEADER + ROW, entity)
    with pytest.raises(IntegrityError, match="append-only"):
        DueLine.update(amount_minor=1).execute()
    with pytest.raises(IntegrityError, match="append-only"):
        Import.delete().execute()


def test_one_error_stops_the_file(take_text: Take, entity: Entity) -> None:
    """A good row beside a bad one is not posted."""
    with pytest.raises(Invalid) as refused:
        take_text(INVOICES, HEADER + ROW + ROW.replace("A-1", "A-2").replace("100.00", "x"), entity)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (3, "Amount")
    assert DueLine.select().count() == Customer.select().count() == Import.select().count() == 0


def test_a_bad_mapping_is_refused(take_text: Take, entity: Entity) -> None:
    """With the problems of the mapping."""
    with pytest.raises(Invalid) as refused:
        take_text({"format": 1}, HEADER + ROW, entity)
    assert any(problem.place == "records" for problem in refused.value.problems)


def test_who_may_import(runtime: Runtime, entity: Entity, users: Any, make_user: Callable[..., Any]) -> None:
    """A risk analyst with the whole entity; not sales, not somebody who sees a portfolio only."""

    def attempt(user: Any) -> dict[str, Any]:
        command = ImportFile(
            actor=user.id, reason="r", entity="main", mapping=INVOICES, content=(HEADER + ROW).encode(), file_name="f"
        )
        return execute(runtime, command)

    assert attempt(users.analyst)["rows"] == 1
    assert Import.get().by_id == users.analyst.id
    with pytest.raises(Refused):
        attempt(users.sales)
    partial = make_user("part@dunwell.example", "risk_analyst")
    with pytest.raises(NotFound):
        attempt(partial)


def test_the_trace_of_an_import(take_text: Take, entity: Entity) -> None:
    """One audit entry with counts and hashes; the import keeps mapping, file hash and warnings."""
    take_text(PAYMENTS, PAID + "1001,P1,2026-01-20,60,EUR,A-9\n", entity)
    kept = Import.get()
    assert json.loads(kept.mapping)["key"] == "payment"
    assert "not known" in json.loads(kept.warnings)[0]["what"]
    entry = AuditEntry.get()
    assert (entry.command, entry.entity_id) == ("ImportFile", entity.id)
    assert json.loads(entry.after)["file"] == kept.file_sha256


def test_touched_customers_are_decided_again(take_text: Take, entity: Entity) -> None:
    """Those with new entries, and nobody else."""
    take_text(INVOICES, HEADER + ROW + ROW.replace("1001", "1002"), entity)
    DirtyCustomer.delete().execute()
    take_text(PAYMENTS, PAID + "1002,P1,2026-01-20,60,EUR,A-1\n", entity)
    assert [one.customer.number for one in DirtyCustomer.select()] == ["1002"]


CONTACTS = mapping("contact", customer="Customer", name="Name", email="Mail", phone="Phone", role="Role")


def test_contacts_are_sealed(take_text: Take, entity: Entity, runtime: Runtime, dump: Callable[[], list[str]]) -> None:
    """Name, address and phone stand in no table in plain; the same contact twice is one."""
    header = "Customer,Name,Mail,Phone,Role\n"
    text = f"{header}1001,Accounts Desk,desk@Customer.example,+49 30 1,owner\n"
    assert take_text(CONTACTS, text, entity)["entries"] == {"customers": 1, "contacts": 1}
    assert take_text(CONTACTS, text, entity)["entries"] == {}
    assert take_text(CONTACTS, text.replace("+49 30 1", "+49 30 2"), entity)["entries"] == {"contacts changed": 1}
    contact = Contact.get()
    assert contact.role == "owner"
    opened = runtime.vault.open_person(contact.person)
    assert opened == {"name": "Accounts Desk", "email": "desk@customer.example", "phone": "+49 30 2"}
    kept = "\n".join(dump())
    assert "Accounts Desk" not in kept
    assert "customer.example" not in kept


LIMITS = mapping(
    "credit_limit", customer="Customer", amount="Amount", currency="Currency", from_on="From", until_on="Until"
)


def test_credit_limits(take_text: Take, entity: Entity) -> None:
    """A blank amount is no limit; the same limit twice is one; the currency is the entity's."""
    text = "Customer,Amount,Currency,From,Until\n1001,5000,EUR,2026-01-01,2026-07-01\n1002,,EUR,2026-01-01,\n"
    assert take_text(LIMITS, text, entity)["entries"] == {"customers": 2, "credit limits": 2}
    assert take_text(LIMITS, text, entity)["entries"] == {}
    found = [(one.amount_minor, one.until_day and one.until_day - one.from_day) for one in CreditLimit.select()]
    assert found == [(500_000, 181), (None, None)]
    with pytest.raises(Invalid):
        take_text(LIMITS, text.replace("EUR", "USD"), entity)


def test_a_limit_a_person_approved_is_not_overwritten(take_text: Take, entity: Entity, customer: Customer) -> None:
    """The file's limit for the same time is shown as a conflict."""
    common = {"entity_id": entity.id, "customer": customer, "booked_day": 20_500, "recorded_day": 20_500}
    CreditLimit.create(**common, recorded_at=1, amount_minor=1, from_day=20_500, until_day=20_600, approved_by=1)
    text = "Customer,Amount,Currency,From,Until\n1001,5000,EUR,2026-03-01,\n"
    answer = take_text(LIMITS, text, entity)
    assert answer["posted"] == 0
    assert "approved by a person" in answer["problems"][0]["what"]
    assert take_text(LIMITS, text.replace("2026-03-01", "2026-08-01"), entity)["posted"] == 1


RATES = mapping("exchange_rate", currency="Currency", day="Day", rate="Rate")


@pytest.mark.parametrize(
    ("currency", "rate", "rate_e9"),
    [("USD", "0.92", 920_000_000), ("JPY", "0.0062", 620_000_000), ("KWD", "3.0", 300_000_000)],
)
def test_exchange_rates(take_text: Take, entity: Entity, currency: str, rate: str, rate_e9: int) -> None:
    """Units of base per unit of currency become minor units per minor unit; a rate is never changed."""
    text = f"Currency,Day,Rate\n{currency},2026-01-31,{rate}\n"
    take_text(RATES, text, entity)
    row = ExchangeRate.get()
    assert (row.base, row.currency, row.rate_e9) == ("EUR", currency, rate_e9)
    assert take_text(RATES, text, entity)["known"] == 1
    with pytest.raises(Invalid) as refused:
        take_text(RATES, text.replace(rate, "1.5"), entity)
    assert "never changed" in refused.value.problems[0].what


def test_preview_posts_nothing(runtime: Runtime, entity: Entity) -> None:
    """What a file holds, in plain words, before anybody posts it."""
    found = preview((HEADER + ROW).encode(), INVOICES)
    assert (found.rows, found.records, found.refused) == (1, {"invoice": 1}, False)
    assert found.first[0]["invoiced_on"] == "2026-01-15"
    assert found.detected["delimiter"] == ","
    assert preview(b"", INVOICES).refused
    assert Import.select().count() == 0


def test_history(take_text: Take, entity: Entity, runtime: Runtime) -> None:
    """Entries up to the day count as recorded when booked, later ones today."""
    until = day_of(runtime.now().date()) - 60
    text = HEADER + ROW + ROW.replace("A-1", "A-2").replace("2026-01-15", "2026-03-15").replace("02-14", "04-14")
    take_text(INVOICES, text, entity, until)
    found = [(line.recorded_day - line.booked_day) for line in DueLine.select().order_by(DueLine.id)]
    assert found == [0, runtime.today(entity) - day_of(runtime.now().date().replace(day=15))]
    with pytest.raises(Invalid, match="after today"):
        take_text(INVOICES, text, entity, runtime.today(entity) + 1)


def test_more_customers_than_one_list_holds(take_text: Take, entity: Entity) -> None:
    """Known entries are found across pieces of the SQL lists."""
    rows = [(f"C{at}", f"N{at}", "2026-01-15", "2026-02-14", "5.00", "EUR") for at in range(2_000)]
    text = csv_of(HEADER.strip().split(","), rows)
    assert take_text(INVOICES, text, entity)["posted"] == 2_000
    assert take_text(INVOICES, text, entity)["known"] == 2_000
    assert Credit.select().count() == 0


def test_bulk_insert_fills_defaults(entity: Entity) -> None:
    """Columns an import does not name get the defaults of their table."""
    taking_in._insert(Customer, [{"entity": entity.id, "number": "9", "name": "Nine"}])
    row = Customer.get()
    assert (row.language, row.custom, row.version) == ("en", "{}", 1)


POSTAL = mapping("contact", customer="Customer", email="Mail", address="Street", postcode="Code", city="Town")
POSTAL_HEADER = "Customer,Mail,Street,Code,Town\n"


def test_a_postal_address_is_enough(
    take_text: Take, entity: Entity, runtime: Runtime, dump: Callable[[], list[str]]
) -> None:
    """A contact without e-mail is kept sealed; the same customer's next one without e-mail changes it."""
    text = POSTAL_HEADER + "1001,,Industrieweg 7,90402,Dunwellhausen\n"
    assert take_text(POSTAL, text, entity)["entries"] == {"customers": 1, "contacts": 1}
    assert take_text(POSTAL, text, entity)["entries"] == {}
    assert take_text(POSTAL, text.replace("weg 7", "weg 8"), entity)["entries"] == {"contacts changed": 1}
    known = runtime.vault.open_person(Contact.get().person)
    assert known == {"address": "Industrieweg 8", "postcode": "90402", "city": "Dunwellhausen"}
    assert "Dunwellhausen" not in "\n".join(dump())


def test_an_address_joins_the_contact_with_that_mail(take_text: Take, entity: Entity, runtime: Runtime) -> None:
    """A second file about a known e-mail address adds the street to it."""
    take_text(CONTACTS, "Customer,Name,Mail,Phone,Role\n1001,Desk,desk@customer.example,,\n", entity)
    take_text(POSTAL, POSTAL_HEADER + "1001,DESK@customer.example,Industrieweg 7,90402,Nürnberg\n", entity)
    known = runtime.vault.open_person(Contact.get().person)
    assert Contact.select().count() == 1
    assert (known["name"], known["city"]) == ("Desk", "Nürnberg")


@pytest.mark.parametrize("row", ["1001,,,,", "1001,,Industrieweg 7,90402,", "1001,,,90402,Nürnberg"])
def test_a_contact_that_reaches_nobody_is_a_problem(take_text: Take, entity: Entity, row: str) -> None:
    """Neither e-mail nor street and town: the file is refused with the line."""
    with pytest.raises(Invalid, match="no address"):
        take_text(POSTAL, POSTAL_HEADER + row + "\n", entity)
