"""The cash forecast as a page: what the workers kept after the last run, and when it comes where none is kept."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from openpyxl import load_workbook

from engine import kept_cash
from engine.runtime import Runtime
from engine.tables import Customer, DueLine, Entity, Run, UserScope

AMOUNT = 90_000_000


def test_the_page_shows_what_is_kept_and_reads_no_ledger(
    runtime: Runtime,
    entity: Entity,
    customer: Customer,
    signed_in: Callable[..., Any],
    people: SimpleNamespace,
) -> None:
    """Until then it says when it comes; page and file show the run's, whatever came since; a part sees no sums."""
    day, reader = runtime.today(entity), signed_in(people.manager)

    def post(number: str) -> None:
        DueLine.create(
            entity_id=entity.id, customer=customer, booked_day=day - 150, recorded_day=day - 150, recorded_at=0,
            number=number, identity=number, invoice_day=day - 150, due_day=day - 100, amount_minor=AMOUNT,
            currency="EUR",
        )  # fmt: skip

    assert "this entity has had none" in reader.get("/cash/").text
    Run.create(entity=entity, as_of_day=day - 1, kind="nightly", state="done", started_at=1)
    assert "within some minutes" in reader.get("/cash/").text
    kept_cash.work_off(runtime)
    assert "there were no invoices" in reader.get("/cash/").text
    assert len(list(load_workbook(io.BytesIO(reader.get("/cash/xlsx").data)).worksheets[0].values)) == 1
    post("first")
    Run.create(entity=entity, as_of_day=day, kind="nightly", state="done", started_at=2)
    kept_cash.work_off(runtime)
    kept = kept_cash.kept_cash(runtime, entity)
    assert kept is not None
    post("second")
    page = reader.get("/cash/").text
    assert "900,000" in page
    assert "1,800,000" not in page
    assert "As of the run of" in page
    assert "Thirteen weeks to come" in page
    assert "Thirteen weeks gone by" in page
    ahead, behind = (
        list(sheet.values) for sheet in load_workbook(io.BytesIO(reader.get("/cash/xlsx").data)).worksheets
    )
    assert [round(100 * row[1]) for row in ahead[1:]] == [week.expected for week in kept.ahead.weeks]
    assert [round(100 * row[7]) for row in behind[1:]] == [week.came for week in kept.behind.weeks] == [0] * 13
    UserScope.update(portfolio="north").where(UserScope.user == people.sales).execute()
    part = signed_in(people.sales)
    assert "No entity is open to you as a whole" in part.get("/cash/").text
    assert part.get("/cash/xlsx").status_code == 404
