"""The cash forecast: promises, disputes and insolvency move it, and the page shows what the engine says."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from openpyxl import load_workbook

from engine.cash import CashForecast, cash_forecasts
from engine.corrections import RecordPromise
from engine.disputes import RecordDispute
from engine.runtime import Runtime
from engine.tables import DueLine, UserScope

AMOUNT = 90_000_000  # far above what all others owe, so that one line tells


def test_what_is_said_of_an_invoice_moves_its_cash(
    runtime: Runtime,
    dunned: Callable[..., DueLine],
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
) -> None:
    """A promise puts most of it on its day; page, file and engine agree; a dispute delays it; a part sees no sums."""
    line = dunned("77003", "Larch Mills", AMOUNT)
    entity, today = line.customer.entity, runtime.today(line.customer.entity)

    def forecast() -> CashForecast:
        (found,) = cash_forecasts(runtime, entity, [today + 1])
        return found

    before = forecast()
    assert before.open_minor > AMOUNT
    assert all(week.low <= week.typical <= week.high for week in before.weeks)
    assert sum(week.dated for week in before.weeks[:1]) >= AMOUNT
    said = {"actor": people.manager.id, "reason": "called"}
    runtime.execute(RecordPromise(
        **said, customer=line.customer_id, due_line=line.id, amount_minor=AMOUNT, currency="EUR",
        promised_day=today + 9,
    ))  # fmt: skip
    promised = forecast()
    assert AMOUNT <= promised.weeks[1].promised < AMOUNT * 11 // 10
    assert promised.weeks[1].expected > before.weeks[1].expected + AMOUNT // 3
    assert promised.weeks[1].dated >= AMOUNT
    page = signed_in(people.manager).get("/cash/").text
    assert "Thirteen weeks to come" in page
    assert "Thirteen weeks gone by" in page
    file = signed_in(people.manager).get("/cash/xlsx")
    rows = list(load_workbook(io.BytesIO(file.data)).worksheets[0].values)
    assert len(rows) == 14
    assert round(100 * rows[2][1]) == promised.weeks[1].expected
    UserScope.update(portfolio="north").where(UserScope.user == people.sales).execute()
    page = signed_in(people.sales)
    assert "No entity is open to you as a whole" in page.get("/cash/").text
    assert page.get("/cash/xlsx").status_code == 404
    disputed = {"due_line": line.id, "cause": "price"}
    runtime.execute(RecordDispute(**said | {"reason": "wrong price"}, **disputed))
    waits = forecast()
    assert (
        sum(week.expected for week in waits.weeks[:4]) < sum(week.expected for week in before.weeks[:4]) - AMOUNT // 9
    )
