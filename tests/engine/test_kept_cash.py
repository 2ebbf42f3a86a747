"""The cash forecast is made once after each run and kept; promises, disputes and insolvency move it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine import kept_cash
from engine.cash import HORIZON_DAYS, CashForecast, cash_forecasts
from engine.corrections import RecordPromise, SetBlock
from engine.disputes import RecordDispute
from engine.kept_cash import work_off
from engine.retention import _needed
from engine.runtime import Runtime
from engine.tables import Alarm, DueLine, Entity, Run

DAY = 20_543  # the day the tests' clock stands at
AMOUNT = 90_000_000  # far above what all others owe, so that one line tells


@pytest.fixture
def line(entity: Entity, books: Any) -> DueLine:
    """Five customers who paid three weeks late, and the one invoice of a sixth, overdue for twenty days."""
    for number in range(5):
        customer = books.customer(f"{number}")
        for days in (200, 120, 80):
            paid = books.invoice(customer, 100_000, DAY - days - 30, DAY - days)
            books.payment(customer, paid, 100_000, DAY - days + 18 + number)
        books.invoice(customer, 40_000 + number, DAY - 110, DAY - 5)
    line: DueLine = books.invoice(books.customer("large"), AMOUNT, DAY - 50, DAY - 20)
    return line


@pytest.fixture
def run(entity: Entity) -> Callable[[int], Run]:
    """``run(day)``: a run that is over."""

    def over(day: int) -> Run:
        facts = f"frames/{day}.parquet"
        return Run.create(entity=entity, as_of_day=day, kind="nightly", state="done", facts_file=facts, started_at=1)

    return over


@pytest.mark.sqlite("what is computed comes from frames, which are the same on both")
def test_what_is_said_of_an_invoice_moves_its_cash(runtime: Runtime, users: SimpleNamespace, line: DueLine) -> None:
    """A promise puts most of it on its day, a dispute delays it, and who is insolvent is off the forecast."""
    said = {"actor": users.manager.id, "reason": "called"}

    def forecast() -> CashForecast:
        (found,) = cash_forecasts(runtime, line.customer.entity, [DAY + 1])
        return found

    before = forecast()
    assert before.open_minor == AMOUNT + 200_010
    assert all(week.low <= week.typical <= week.high for week in before.weeks)
    assert before.weeks[0].dated >= AMOUNT
    runtime.execute(RecordPromise(
        **said, customer=line.customer_id, due_line=line.id, amount_minor=AMOUNT, currency="EUR", promised_day=DAY + 9,
    ))  # fmt: skip
    promised = forecast()
    assert promised.weeks[1].promised == AMOUNT
    assert promised.weeks[1].expected > before.weeks[1].expected + AMOUNT // 3
    assert promised.weeks[1].dated >= AMOUNT
    runtime.execute(RecordDispute(**said | {"reason": "wrong price"}, due_line=line.id, cause="price"))
    waits = forecast()
    first, then = (sum(week.expected for week in one.weeks[:4]) for one in (before, waits))
    assert then < first - AMOUNT // 9
    runtime.execute(SetBlock(**said, customer=line.customer_id, kind="insolvent", from_day=DAY))
    lost = forecast()
    assert (lost.litigation_minor, lost.open_minor) == (AMOUNT, 200_010)


@pytest.mark.long
def test_the_last_run_is_forecast_once(
    runtime: Runtime, entity: Entity, line: DueLine, run: Callable[[int], Run]
) -> None:
    """Of its day alone, the same after a kill, kept as long as the facts, and the runs before it are left."""
    assert (work_off(runtime), kept_cash.kept_cash(runtime, entity)) == (0, None)  # there is no run yet
    earlier, last = run(DAY - 1), run(DAY)
    assert [work_off(runtime) for _ in range(2)] == [1, 0]
    assert Run.get_by_id(earlier.id).cash_at is None
    kept = kept_cash.kept_cash(runtime, entity)
    assert kept is not None
    assert (kept.day, kept.at) == (DAY, runtime.now_at())
    ahead, behind = cash_forecasts(runtime, entity, [DAY + 1, DAY - HORIZON_DAYS])
    assert (kept.ahead, kept.behind) == (ahead, behind)
    assert sum(week.came or 0 for week in kept.behind.weeks) > 0
    file = Run.get_by_id(last.id).cash_file
    assert file in _needed(runtime)
    Run.update(cash_file=None, cash_at=None).where(Run.id == last.id).execute()  # killed before the run named it
    assert work_off(runtime) == 1
    assert Run.get_by_id(last.id).cash_file == file
    (runtime.settings.var / file).unlink()  # kept no more
    assert kept_cash.kept_cash(runtime, entity) is None


@pytest.mark.sqlite("what is computed comes from frames, which are the same on both")
def test_until_the_next_run_is_forecast_the_one_before_is_shown(
    runtime: Runtime, entity: Entity, line: DueLine, books: Any, run: Callable[[int], Run]
) -> None:
    """What is booked in between changes nothing of it."""
    run(DAY - 1)
    work_off(runtime)
    first = kept_cash.kept_cash(runtime, entity)
    books.payment(line.customer, line, AMOUNT, DAY)
    run(DAY)
    assert kept_cash.is_waiting()
    assert kept_cash.kept_cash(runtime, entity) == first
    work_off(runtime)
    then = kept_cash.kept_cash(runtime, entity)
    assert then is not None
    assert (then.day, then.ahead.open_minor) == (DAY, 200_010)


@pytest.mark.sqlite("what is computed comes from frames, which are the same on both")
def test_what_cannot_be_forecast_is_asked_once(
    runtime: Runtime, entity: Entity, run: Callable[[int], Run], books: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No invoices, too many of them, or a fault, which an alarm tells: none waits, and the next run tries again."""
    run(DAY - 3)
    assert work_off(runtime) == 1
    monkeypatch.setattr(kept_cash, "LINES_MAX", 2)
    customer = books.customer("1")
    for number in range(3):
        books.invoice(customer, 1_000 + number, DAY - 40, DAY - 5)
    run(DAY - 2)
    assert work_off(runtime) == 1
    monkeypatch.undo()
    assert kept_cash.kept_cash(runtime, entity) is None
    assert not kept_cash.is_waiting()
    assert Alarm.select().count() == 0
    (runtime.settings.var / "frames").write_text("where a folder should be")
    run(DAY - 1)
    assert work_off(runtime) == 1
    assert "no cash forecast for main" in Alarm.get().text
    assert not kept_cash.is_waiting()
    (runtime.settings.var / "frames").unlink()
    run(DAY)
    work_off(runtime)
    assert kept_cash.kept_cash(runtime, entity) is not None
