"""Hand-over: a debt goes to an agency, an insurer or a court; dunning stops until it comes back."""

import io
import zipfile

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from engine.charging import RecordClaimPayment, RecordCost
from engine.commands import Conflict, Invalid, Refused
from engine.events import drain_dirty
from engine.hand_over_file import hand_over_zip
from engine.handing_over import ApproveHandOver, NoteHandOver, ProposeHandOver
from engine.pipeline import asking, facts_of
from engine.runs import run_entity
from engine.silence import silence_of
from engine.tables import Action, Credit, HandOver, Standing
from rules.regimes import shipped_regimes

from .conftest import in_force

DAY = 20_543


@pytest.fixture
def give(runtime, users):
    """Give a command as the manager, or as somebody else."""

    def give(command, *, who="manager", **values):
        return runtime.execute(command(actor=getattr(users, who).id, reason="because", **values))

    return give


@pytest.fixture
def late(runtime, entity, books, policies, go_live):
    """A live entity, and a customer who is thirteen days late: the next step comes tomorrow."""
    for document in shipped_regimes():
        in_force(document)
    customer = books.customer("=1+1", country="DE")
    books.invoice(customer, 50_000, DAY - 60, DAY - 13)
    books.invoice(customer, 30_000, DAY - 60, DAY + 5)
    run_entity(runtime, entity, DAY - 1)
    go_live(DAY - 1)
    return customer


def test_dunning_stops_while_a_debt_is_handed_over_and_goes_on_when_it_is_back(runtime, entity, late, give, clock):
    """By its own reason, on every way there is: fact, standing, silence; and again once the case is closed."""
    made = give(ProposeHandOver, customer=late.id, target="agency", recipient="Collect & Co")["hand_over"]
    with pytest.raises(Refused, match="own hand-over"):
        give(ApproveHandOver, hand_over=made)
    with pytest.raises(Conflict, match="proposed"):
        give(ProposeHandOver, customer=late.id, target="court", recipient="A court")
    give(ApproveHandOver, who="second", hand_over=made)
    assert drain_dirty(runtime) == 1
    assert facts_of(runtime, asking(runtime, entity, DAY), [late.id])[0]["handed_over"] is True
    clock.advance(days=1)
    run_entity(runtime, entity, DAY + 1)
    assert Standing.get(Standing.customer == late).waiting_for == '["handed_over"]'
    assert Action.select().where(Action.customer == late, Action.step_key == "p14").count() == 0
    assert "handed_over" in {one.code for one in silence_of(runtime, late, DAY + 1).findings}
    give(NoteHandOver, hand_over=made, state="accepted")
    give(NoteHandOver, hand_over=made, state="recovered", amount_minor=20_000)
    give(NoteHandOver, hand_over=made, state="recovered", amount_minor=5_000)
    assert HandOver.get_by_id(made).recovered == '{"EUR": 25000}'
    give(NoteHandOver, hand_over=made, state="closed")
    with pytest.raises(Conflict, match="closed"):
        give(NoteHandOver, hand_over=made, state="accepted")
    clock.advance(days=1)
    run_entity(runtime, entity, DAY + 2)
    assert facts_of(runtime, asking(runtime, entity, DAY + 2), [late.id])[0]["handed_over"] is False
    assert Action.select().where(Action.customer == late).count() == 1


def test_the_file_opens_and_adds_up(runtime, entity, books, late, give):
    """Register, statement, letters and index say one sum; what is called like a formula is text."""
    Credit.create(
        **{**books._entry(late, DAY - 5, "credit", "G-1"), "kind": "credit_note"}, amount_minor=1_000, reference=""
    )
    give(RecordCost, customer=late.id, amount_minor=2_500, currency="EUR")
    give(RecordClaimPayment, customer=late.id, amount_minor=700, currency="EUR")
    made = give(ProposeHandOver, customer=late.id, target="court", recipient="A court")["hand_over"]
    give(ApproveHandOver, who="second", hand_over=made)
    name, content = hand_over_zip(runtime, HandOver.get_by_id(made))
    assert name.startswith("main-1_1-2026-03-31")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["index.txt", "register.xlsx", "statement.pdf"]
    book = load_workbook(io.BytesIO(archive.read("register.xlsx")))
    rows = list(book["Register"].iter_rows(min_row=2, values_only=True))
    interest = 183  # 500.00 x 10.27 % x 13 / 365
    assert sum(row[7] for row in rows) == 800
    assert sum(row[9] for row in rows) == pytest.approx(interest / 100)
    assert sum(row[10] for row in rows) == 65
    total = {row[1]: round(row[2] * 100) for row in book["Total"].iter_rows(min_row=2, values_only=True)}
    assert total["total"] == sum(amount for what, amount in total.items() if what != "total")
    assert total["total"] == 80_000 - 1_000 + interest + 4_000 + 2_500 - 700
    assert f"{total['total'] / 100:.2f}" in archive.read("index.txt").decode()
    page = PdfReader(io.BytesIO(archive.read("statement.pdf"))).pages[0].extract_text()
    assert "10,27" in page
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]


def test_what_cannot_be_handed_over_is_refused(runtime, entity, books, policies, give, late):
    """Somebody who owes nothing, no such target, nobody named; and only money is recovered."""
    nothing = books.customer("2")
    for values, what in (
        ({"customer": nothing.id, "target": "agency", "recipient": "A"}, "owes nothing"),
        ({"customer": late.id, "target": "friend", "recipient": "A"}, "friend"),
        ({"customer": late.id, "target": "agency", "recipient": " "}, "missing"),
    ):
        with pytest.raises(Invalid, match=what):
            give(ProposeHandOver, **values)
    made = give(ProposeHandOver, customer=late.id, target="agency", recipient="A")["hand_over"]
    with pytest.raises(Conflict, match="proposed"):
        give(NoteHandOver, hand_over=made, state="accepted")
    give(ApproveHandOver, who="second", hand_over=made)
    for values in ({"state": "recovered"}, {"state": "accepted", "amount_minor": 5}, {"state": "lost"}):
        with pytest.raises(Invalid):
            give(NoteHandOver, hand_over=made, **values)
