"""A real ledger is adopted, goes live, and exactly the right customers get a mail, once."""

import csv
import json
import mailbox
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path

import pytest

from engine.going_live import ApproveGoLive, ProposeGoLive
from engine.governance import ApproveDocument, ProposeDocument
from engine.importing import ImportFile, import_file
from engine.outbox import deliver
from engine.reports import ageing_report
from engine.runs import run_entity
from engine.runtime import Runtime
from engine.tables import Action, Customer, Decision, Entity, Message, Standing, User
from ledger.canonical import canonical
from ledger.days import day_of
from ledger.exporting import contacts_csv
from notifiers.letter_templates import shipped_templates
from rules.documents import shipped
from rules.thresholds import thresholds_of, with_threshold

MAPPINGS = Path(__file__).parents[2] / "samples" / "mappings"
ADOPTED = date(2013, 6, 29)
DAY = date(2013, 6, 30)
FIRST_STEP_DAYS = 4
BEFORE_DUE_DAYS = -10


@pytest.fixture
def usd(runtime: Runtime, clock: Callable) -> Entity:
    clock.set(datetime(2013, 6, 29, 9, 0, tzinfo=UTC))
    times = canonical({"holidays": False, "weekdays": []})  # 30 June 2013 was a Sunday
    return Entity.create(code="IBM", name="Main Inc", currency="USD", zone="UTC", country="US", contact_times=times)


def leaders(file: Path) -> dict[str, int]:
    """Days past due of each customer's oldest open invoice on the day, by csv alone."""
    oldest: dict[str, int] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            invoiced, due, settled = (
                datetime.strptime(row[name], "%m/%d/%Y").date() for name in ("InvoiceDate", "DueDate", "SettledDate")
            )
            if invoiced <= DAY < settled:
                late = (DAY - due).days
                oldest[row["customerID"]] = max(late, oldest.get(row["customerID"], late))
    return oldest


def take(runtime: Runtime, entity: Entity, mapping: str, content: bytes) -> None:
    """Import through the command; what is booked until the day of adoption was known when it was booked."""
    described = json.loads((MAPPINGS / f"{mapping}.json").read_text(encoding="utf-8"))
    command = ImportFile(
        actor=None,
        reason="the ledger",
        entity=entity.id,
        mapping=described,
        content=content,
        file_name=f"{mapping}.csv",
        history_until=day_of(ADOPTED),
    )
    import_file(runtime, command)


def put_in_force(runtime: Runtime, first: User, second: User) -> None:
    """The standard scenario without a minimum amount: proposed by one, approved by the other."""
    documents = {document["key"]: document for document in shipped()}
    parameters = documents["parameters"]
    for threshold in thresholds_of(parameters):
        if threshold.owner in {"dunning_minimum", "dunning_tolerance"}:
            parameters = with_threshold(parameters, threshold.place, 0, "2010-01-01")
    for document in (*shipped_templates(), parameters, documents["escalation"]):
        proposed = runtime.execute(
            ProposeDocument(actor=first.id, reason="begin", document=document, from_day=day_of(ADOPTED))
        )
        runtime.execute(
            ApproveDocument(actor=second.id, reason="read", document_id=proposed["document"], sha256=proposed["sha256"])
        )


def test_the_right_mail_goes_out_once(
    runtime: Runtime, clock: Callable, usd: Entity, make_user: Callable[..., User], ledgers: Path
) -> None:
    """Adopted on 2013-06-29, live, run of 2013-06-30: mails to exactly those a second computation names."""
    file = ledgers / "ibm_invoices.csv"
    take(runtime, usd, "ibm", file.read_bytes())
    numbers = Customer.select(Customer.number, Customer.name).tuples()
    take(runtime, usd, "contacts", contacts_csv(numbers).encode())
    first = make_user("first@dunwell.example", "credit_manager", usd)
    second = make_user("second@dunwell.example", "credit_manager", usd)
    put_in_force(runtime, first, second)

    adoption = run_entity(runtime, usd, day_of(ADOPTED))
    assert (adoption.kind, adoption.state) == ("adoption", "done")
    assert Action.select().count() == 0
    runtime.execute(ProposeGoLive(actor=first.id, reason="ready", entity="IBM", daily_cap=1000))
    runtime.execute(ApproveGoLive(actor=second.id, reason="ready", entity="IBM"))
    deliver(runtime)
    assert Message.select().count() == 0

    clock.set(datetime(2013, 6, 30, 9, 0, tzinfo=UTC))
    Entity.update(portfolio_share_bp=10_000).execute()  # the gate has its own stories
    run = run_entity(runtime, usd, day_of(DAY))
    assert run.state == "done", run.state
    deliver(runtime)

    late = leaders(file)
    reminded = {number for number, days in late.items() if days >= FIRST_STEP_DAYS}
    forewarned = {number for number, days in late.items() if BEFORE_DUE_DAYS <= days < 0}
    assert reminded
    assert forewarned
    sent: dict[str, set[str]] = defaultdict(set)
    for action in Action.select(Action, Customer).join(Customer).where(Action.state == "sent"):
        sent[action.step_key].add(action.customer.number)
    assert dict(sent) == {"standard-p4": reminded, "standard-m10": forewarned}
    box = mailbox.Maildir(str(runtime.settings.var / "mailbox"), create=False)
    assert sorted(parseaddr(mail["To"])[1] for mail in box) == sorted(
        f"{number.lower()}@ledger.example" for number in reminded | forewarned
    )
    for decision in Decision.select().where(Decision.run == run.id):
        assert decision.confirmed_by == "durable"

    before = (Action.select().count(), Decision.select().count(), [str(s.__data__) for s in Standing.select()])
    again = run_entity(runtime, usd, day_of(DAY))
    deliver(runtime)
    assert again.id == run.id
    assert (Action.select().count(), Decision.select().count(), [str(s.__data__) for s in Standing.select()]) == before
    assert len(box) == len(reminded | forewarned)


def test_ageing_sums_to_the_open_amounts(runtime: Runtime, usd: Entity, ledgers: Path) -> None:
    """The report as of 2013-06-30 sums to what the file leaves open, bucket by bucket and in all."""
    file = ledgers / "ibm_invoices.csv"
    take(runtime, usd, "ibm", file.read_bytes())
    report = ageing_report(runtime, usd, day_of(DAY))
    assert sum(report.totals.values()) == report.balance_minor
    assert sum(c.balance_minor or 0 for c in report.customers) == report.balance_minor
    with file.open(newline="", encoding="utf-8") as lines:
        open_minor = sum(
            int(Decimal(row["InvoiceAmount"]) * 100)
            for row in csv.DictReader(lines)
            if datetime.strptime(row["InvoiceDate"], "%m/%d/%Y").date()
            <= DAY
            < datetime.strptime(row["SettledDate"], "%m/%d/%Y").date()
        )
    assert report.balance_minor == open_minor
