"""Measures of collectors: what is counted, whose, the rows behind it, and the file."""

import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import load_workbook

from engine.corrections import RecordPromise
from engine.desk_work import ReportWork
from engine.runtime import Runtime
from engine.tables import Credit, Customer, Entity

Enter = Callable[[Any], Any]


@pytest.fixture
def worked(runtime: Runtime, people: SimpleNamespace, decided: Entity, clock: Any) -> list[Customer]:
    """The collector reached two customers and one promised; one paid 3 days later, one 11 days later."""
    day = runtime.today(decided)
    first, second, third = list(Customer.select().order_by(Customer.id).limit(3))
    for customer, result in ((first, "reached"), (second, "reached"), (third, "no_answer")):
        runtime.execute(ReportWork(actor=people.collector.id, reason="called", customer=customer.id, result=result))
    runtime.execute(
        RecordPromise(actor=people.manager.id, reason="said so", customer=third.id, amount_minor=100,
                      currency="EUR", promised_day=day + 1)
    )  # fmt: skip
    for customer, after, amount in ((first, 3, 12_345), (second, 11, 99_900), (first, 0, 500)):
        Credit.create(
            entity_id=decided.id, customer=customer, booked_day=day + after, recorded_day=day + after,
            recorded_at=0, kind="payment", number=f"P{after}", identity=f"p{after}", revision=1,
            amount_minor=amount, currency="EUR",
        )  # fmt: skip
    clock.advance(days=14)
    return [first, second, third]


def test_a_payment_counts_after_the_contact_within_its_days_and_once(
    signed_in: Enter, people: SimpleNamespace, worked: list[Customer]
) -> None:
    """Paid on the day of the call is not after it; on the third day it is; on the eleventh no more."""
    browser = signed_in(people.manager)
    page = browser.get("/collectors/").text
    row = re.search(rf"<tr><th scope=\"row\">{people.collector.name}</th>.*?</tr>", page, re.DOTALL)
    assert row is not None
    counts = [int(n) for n in re.findall(r"what=\w+[^>]*>(\d+)</a></td>", row[0].replace("&amp;", "&"))]
    assert counts[:2] == [3, 2]
    link = re.search(r'href="(/collectors/rows\?[^"]*what=cash[^"]*)"', row[0])
    assert link is not None
    behind = browser.get(link[1].replace("&amp;", "&")).text
    assert "123.45" in behind
    assert "999.00" not in behind
    assert worked[0].name in behind


def test_everybody_sees_their_own_and_who_may_assign_sees_all(
    signed_in: Enter, people: SimpleNamespace, worked: list[Customer]
) -> None:
    """A collector finds no other's promise, whatever the address says; sales no page at all."""
    mine = signed_in(people.collector).get(f"/collectors/?collector={people.manager.id}").text
    assert people.collector.name in mine
    assert f'<th scope="row">{people.manager.name}</th>' not in mine
    assert signed_in(people.sales).get("/collectors/").status_code == 403


def test_the_file_has_the_figures_the_rows_and_the_comparison(
    signed_in: Enter, people: SimpleNamespace, worked: list[Customer]
) -> None:
    """The sum of the rows is the figure; two rows say how many were compared, and that it is too few to tell."""
    book = load_workbook(io.BytesIO(signed_in(people.manager).get("/collectors/xlsx").data))
    table = [[cell.value for cell in row] for row in book["Collectors"]]
    mine = next(row for row in table[1:] if row[0] == people.collector.name)
    cash = [row[5].value for row in list(book["Payments after contact"])[1:]]
    assert mine[table[0].index("Cash after contact")] == sum(cash) == 123.45
    arms = [[cell.value for cell in row] for row in book["Hold-out"]][1:]
    assert [arm[0] for arm in arms] == ["with the model", "by amount alone"]
    assert sum(arm[1] for arm in arms) > 0
    assert arms[1][5] in (None, "")
    page = signed_in(people.manager).get("/collectors/").text
    assert "too few to tell" in page
