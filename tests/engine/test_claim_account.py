"""The claim account: interest, fixed sums and costs beside the ledger, charged, paid and waived."""

import json
from datetime import date

import pytest

from engine.charging import (
    ChargeClaims,
    RecordClaimPayment,
    RecordCost,
    ReverseClaimEntry,
    SetConsumer,
    WaiveClaim,
)
from engine.claim_account import claim_account_of
from engine.commands import Conflict, Invalid, Refused
from engine.corrections import SetBlock
from engine.disputes import CloseDispute, RecordDispute
from engine.ledger_hash import ledger_hash
from engine.pipeline import asking, facts_of
from engine.proposals import ApproveEntry, DeclineEntry
from engine.regimes import ImportRates, laws_of
from engine.tables import ClaimEntry, Document, Reversal
from ledger.days import day_of
from ledger.interest import Owed
from rules.regimes import shipped_regimes

from .conftest import in_force, parameters

DAY = 20_543  # 2026-03-31
RATE = 215 + 800  # EU minimum since July 2025


@pytest.fixture
def laws(policies):
    """The shipped laws of late payment, in force; the entity is in Austria, which has none of its own here."""
    for document in shipped_regimes():
        in_force(document)
    in_force(parameters(waiver_alone_maximum=5_000))


@pytest.fixture
def abroad(entity, laws):
    """An entity whose debts bear the minimum of the union."""
    entity.country = "AT"
    entity.save()
    return entity


@pytest.fixture
def give(runtime, users):
    """Give a command as the manager, or as somebody else."""

    def give(command, *, who="manager", **values):
        return runtime.execute(command(actor=getattr(users, who).id, reason="because", **values))

    return give


def interest(principal, days, rate=RATE):
    """By hand."""
    return (2 * principal * rate * days + 3_650_000) // 7_300_000


def test_charging_beside_the_ledger(runtime, abroad, books, give):
    """Interest and a fixed sum are charged; the debt, its ageing and its leader are what they were."""
    customer = books.customer("1")
    books.invoice(customer, 1_000_000, DAY - 60, DAY - 30)
    before, ledger = facts_of(runtime, asking(runtime, abroad, DAY), [customer.id])[0], ledger_hash(abroad)
    due = interest(1_000_000, 30)
    assert give(ChargeClaims, customer=customer.id)["charged"] == {"EUR": due + 4_000}
    assert give(ChargeClaims, customer=customer.id)["charged"] == {}  # once a day, however often
    after = facts_of(runtime, asking(runtime, abroad, DAY), [customer.id])[0]
    assert {name for name in before if before[name] != after[name]} == {"claim_charged_minor"}
    assert after["claim_charged_minor"] == due + 4_000
    assert ledger_hash(abroad) == ledger


def test_interest_stays_when_the_principal_is_paid_and_shrinks_with_an_earlier_payment(runtime, abroad, books, give):
    """A payment that arrives late but counts from an earlier day takes back what was charged too much."""
    customer = books.customer("1")
    line = books.invoice(customer, 1_000_000, DAY - 60, DAY - 30)
    give(ChargeClaims, customer=customer.id)
    money = books.payment(customer, line, 1_000_000, DAY - 10)
    assert claim_account_of(runtime, customer, DAY).open_minor() == {"EUR": interest(1_000_000, 30) + 4_000}
    assert give(ChargeClaims, customer=customer.id)["taken_back"] == 1
    account = claim_account_of(runtime, customer, DAY)
    assert account.open_minor() == {"EUR": interest(1_000_000, 20) + 4_000}
    assert claim_account_of(runtime, customer, DAY + 90).charging().charges == ()  # it ended with the debt
    Reversal.create(
        **{name: getattr(money, name) for name in ("entity_id", "customer", "booked_day", "recorded_day")},
        recorded_at=0,
        target="credit",
        target_id=money.id,
        reason="the cheque bounced",
    )
    give(ChargeClaims, customer=customer.id)
    assert claim_account_of(runtime, customer, DAY).open_minor() == {"EUR": interest(1_000_000, 30) + 4_000}


def test_a_line_paid_late_and_never_charged_is_charged_when_asked(runtime, abroad, books, give):
    """Nothing is lost: it is listed, and one command charges it."""
    customer = books.customer("1")
    line = books.invoice(customer, 500_000, DAY - 90, DAY - 60)
    books.payment(customer, line, 500_000, DAY - 20)
    account = claim_account_of(runtime, customer, DAY)
    assert [(one.accrued_minor, account.is_open(one)) for one in account.claims] == [(interest(500_000, 40), False)]
    assert give(ChargeClaims, customer=customer.id)["charged"] == {}
    assert give(ChargeClaims, customer=customer.id, since_day=DAY - 59)["charged"] == {}
    assert give(ChargeClaims, customer=customer.id, since_day=DAY - 60)["charged"] == {
        "EUR": interest(500_000, 40) + 4_000
    }


def test_a_dispute_stops_interest_and_a_pause_does_not(runtime, abroad, books, give):
    """What is contested bears none while it is; a pause only keeps letters back."""
    customer = books.customer("1")
    books.invoice(customer, 1_000_000, DAY - 60, DAY - 30)

    def bearing(day):
        return sorted(one.interest.amount_minor for one in claim_account_of(runtime, customer, day).claims)

    give(SetBlock, customer=customer.id, kind="pause", from_day=DAY, until_day=DAY + 20)
    contested = books.invoice(customer, 2_000_000, DAY - 60, DAY - 30)
    dispute = give(RecordDispute, due_line=contested.id, amount_minor=500_000)["dispute"]
    assert bearing(DAY + 10) == [interest(1_000_000, 40), interest(2_000_000 * 30 + 1_500_000 * 10, 1)]
    give(CloseDispute, dispute=dispute, outcome="rejected")
    assert bearing(DAY + 10) == [interest(1_000_000, 40), interest(2_000_000, 40)]


def test_small_waivers_take_one_person_and_large_ones_two(runtime, abroad, books, give, users):
    """Several small ones are one large one; nobody approves their own; never more than is open."""
    customer = books.customer("1").id
    give(RecordCost, customer=customer, amount_minor=20_000, currency="EUR")
    what = {"customer": customer, "part": "cost", "currency": "EUR"}
    assert "claim_entry" in give(WaiveClaim, **what, amount_minor=3_000)
    assert "claim_entry" in give(WaiveClaim, **what, amount_minor=2_000)
    made = give(WaiveClaim, **what, amount_minor=1)
    assert made["state"] == "proposed"
    with pytest.raises(Refused, match="proposed themselves"):
        give(ApproveEntry, proposal=made["proposal"])
    entered = give(ApproveEntry, who="second", proposal=made["proposal"])
    with pytest.raises(Conflict, match="approved"):
        give(ApproveEntry, who="second", proposal=made["proposal"])
    entry = ClaimEntry.get_by_id(entered["claim_entry"])
    assert (entry.by, entry.approved_by) == (users.manager.id, users.second.id)
    waits = give(WaiveClaim, **what, amount_minor=14_999)
    give(RecordClaimPayment, customer=customer, amount_minor=1, currency="EUR")
    with pytest.raises(Invalid, match="more than the 14998"):  # meanwhile some of it was paid
        give(ApproveEntry, who="second", proposal=waits["proposal"])
    give(DeclineEntry, proposal=waits["proposal"])
    with pytest.raises(Invalid, match="more than the 14998"):
        give(WaiveClaim, **what, amount_minor=15_000)
    with pytest.raises(Invalid, match="interest"):
        give(WaiveClaim, **{**what, "part": "interest"}, amount_minor=1)


def test_money_goes_to_costs_first_and_a_mistake_is_taken_back(runtime, abroad, books, give):
    """What the law charged is not taken back by hand."""
    customer = books.customer("1")
    books.invoice(customer, 1_000_000, DAY - 60, DAY - 30)
    give(ChargeClaims, customer=customer.id)
    give(RecordCost, customer=customer.id, amount_minor=1_000, currency="EUR")
    noted = give(RecordClaimPayment, customer=customer.id, amount_minor=6_000, currency="EUR")
    (balance,) = claim_account_of(runtime, customer, DAY).balances
    assert [balance.parts[kind].open_minor for kind in ("cost", "fixed_sum", "interest")] == [
        *(0, 0),
        interest(1_000_000, 30) - 1_000,
    ]
    give(ReverseClaimEntry, claim_entry=noted["claim_entry"])
    (balance,) = claim_account_of(runtime, customer, DAY).balances
    assert balance.parts["cost"].open_minor == 1_000
    charged = next(row for row in claim_account_of(runtime, customer, DAY).rows if row.kind == "interest")
    with pytest.raises(Invalid, match="charged by law"):
        give(ReverseClaimEntry, claim_entry=charged.id)


def test_the_legal_order_is_a_calculation_beside_the_books(runtime, abroad, books, give):
    """DE-3 on the account: a payment of the principal pays costs and interest first."""
    customer = books.customer("1")
    line = books.invoice(customer, 10_000, DAY - 60, DAY - 9)
    give(RecordCost, customer=customer.id, amount_minor=500, currency="EUR", due_line=line.id)
    books.payment(customer, line, 10_000, DAY)
    account = claim_account_of(runtime, customer, DAY)
    assert interest(10_000, 9) == 25
    assert account.legal_order(account.claims[0]) == Owed(0, 0, 525)
    assert account.principal_minor(account.claims[0]) == 0


def test_a_consumer_and_a_country_without_a_law_owe_nothing_beside(runtime, abroad, books, give):
    """The minimum of the union spares consumers; without a law charging says so."""
    customer = books.customer("1")
    books.invoice(customer, 1_000_000, DAY - 60, DAY - 30)
    give(SetConsumer, customer=customer.id, consumer=True)
    assert give(ChargeClaims, customer=customer.id)["charged"] == {}
    abroad.country = "US"
    abroad.save()
    with pytest.raises(Invalid, match="no law of late payment"):
        give(ChargeClaims, customer=customer.id)


def test_rates_are_imported_into_a_draft_that_two_people_put_in_force(runtime, abroad, give):
    """The table in force stays as it is; the draft holds old and new rates."""
    until = day_of(date(2026, 12, 31))
    values = {"table": "ecb_main_refinancing", "known_until_day": until}
    with pytest.raises(Invalid, match="line 2, column rate"):
        give(ImportRates, **values, content=b"from,rate\n2026-07-01,high\n")
    made = give(ImportRates, **values, content=b"from;rate\n01.07.2026;2,40\n")
    body = json.loads(Document.get_by_id(made["document"]).body)
    assert body["rates"][-2:] == [{"from": "2025-07-01", "rate": "2.15"}, {"from": "2026-07-01", "rate": "2.40"}]
    assert (body["known_until"], made["problems"]) == ("2026-12-31", [])
    table = next(one.table for one in laws_of(runtime, abroad, DAY).regimes if one.key == "eu_minimum")
    assert table.rates[-1].rate_bp == 215
