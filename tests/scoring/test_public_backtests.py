"""The payment models on two ledgers that nobody here made: above the bars, beside the naive rivals."""

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.backtesting import Beside, backtest, quarter_days, write_predictions
from engine.importing import ImportFile, import_file
from engine.runtime import Runtime
from engine.tables import Dispute, DueLine, Entity
from ledger.days import day_of
from scoring.backtest import Backtest, Window

pytestmark = [pytest.mark.slow, pytest.mark.sqlite("it measures models, not databases")]

MAPPINGS = Path(__file__).parents[2] / "samples" / "mappings"
WINDOWS = {
    "udyam": ("INR", "2015-12-31", "2016-01-31", "2018-12-31", "2015-05-01"),
    "ibm": ("USD", "2013-04-30", "2013-06-01", "2014-12-31", "2013-01-15"),
}
CASH_FROM, CASH_TO = day_of(date(2015, 10, 2)), day_of(date(2017, 6, 30))
Tested = Callable[..., Backtest]


@pytest.fixture
def tested(runtime: Runtime, ledgers: Path) -> Tested:
    """``tested("udyam")``: imported by its mapping and backtested by the protocol."""

    def test(name: str, beside: Beside | None = None) -> Backtest:
        currency, *days = WINDOWS[name]
        entity = Entity.create(code=name, name=name, currency=currency, zone="UTC", country="US")
        command = ImportFile(
            actor=None,
            reason="a test",
            entity=entity.id,
            mapping=json.loads((MAPPINGS / f"{name}.json").read_text(encoding="utf-8")),
            content=(ledgers / f"{name}_invoices.csv").read_bytes(),
            file_name="a.csv",
            history_until=day_of(date(2020, 12, 31)),
        )
        import_file(runtime, command)
        window = Window(*(day_of(date.fromisoformat(day)) for day in days))
        return backtest(runtime, [entity], window, beside)

    test.runtime = runtime
    return test


def auc(found: Backtest, part: str, name: str = "champion") -> float:
    """An AUC of the report."""
    measure: dict[str, Any] = found.report[part]["measures"][name]
    return float(measure["auc"])


def test_udyam(tested: Tested, tmp_path: Path) -> None:
    """Late at all 0.80, over 30 days 0.694; above the own share by more than chance; no leak."""
    found = tested("udyam", Beside(cash_from=CASH_FROM, cash_to=CASH_TO, cash_amount_max=10_000_000))
    assert auc(found, "p_late") >= 0.80
    assert auc(found, "p_late30") >= 0.694
    for part in ("p_late", "p_late30"):
        assert auc(found, part) > auc(found, part, "own_share")
    assert found.report["p_late"]["n"] == 2751
    days = found.report["days_late"]
    assert days["mae"]["champion"]["mean"] < days["mae"]["own_median"]["mean"]
    assert days["band"]["thin_history"]["n"] + days["band"]["known_history"]["n"] == days["n"]
    assert not found.report["leak"]["alarm"]
    assert write_predictions(found, tmp_path / "out.csv") == 2817
    customers, cash = found.report["customers_score"], found.report["cash"]
    assert (
        customers["days"] == [f"{year}-{month}-01" for year in (2016, 2017) for month in ("01", "04", "07", "10")][:7]
    )
    assert customers["measures"]["champion"]["auc"] >= 0.93
    assert customers["lead"]["ageing_rule"]["auc_interval"][0] > 0
    assert cash["days"] == 23
    assert cash["wape"]["typical"] <= 0.506
    assert cash["wape"]["expected"] < cash["wape"]["habit"] < 0.75 * cash["wape"]["own_mean"]
    assert cash["lead"]["own_mean_ahead"]["interval"][0] > 0
    assert 0.75 <= cash["band"]["held"] <= 0.85
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["invoice_id", "p_late", "p_late30", "days_late"]
    assert len({row["invoice_id"] for row in rows}) == 2817


def test_ibm(tested: Tested) -> None:
    """Late at all 0.88, with `Disputed` unused; nothing is over 30 days late."""
    found = tested("ibm")
    assert auc(found, "p_late") >= 0.88
    assert found.report["p_late30"]["bad"] == 0
    assert not found.report["leak"]["alarm"]


def test_ibm_disputed_mapped_as_known_at_issue_raises_the_alarm(tested: Tested, ledgers: Path) -> None:
    """The flag says that there was a dispute, not since when; dated like its invoice it is told and wins nothing."""
    clean = tested("ibm")
    entity = Entity.get(Entity.code == "ibm")
    rows = list(csv.DictReader((ledgers / "ibm_invoices.csv").read_text(encoding="utf-8").splitlines()))
    disputed = {row["invoiceNumber"].lstrip("0") for row in rows if row["Disputed"] == "Yes"}
    with entity._meta.database.atomic():
        for line in DueLine.select().where(DueLine.number.in_(disputed)):
            Dispute.create(
                entity_id=entity.id,
                customer=line.customer_id,
                due_line=line,
                reason="as the file says",
                booked_day=line.invoice_day,
                recorded_day=line.invoice_day,
                recorded_at=line.recorded_at,
                import_id=line.import_id,
            )
    days = [day_of(date.fromisoformat(day)) for day in WINDOWS["ibm"][1:]]
    found = backtest(tested.runtime, [entity], Window(*days))
    assert found.report["leak"]["alarm"]
    assert auc(found, "p_late") == auc(clean, "p_late")


def test_quarters_between_two_days() -> None:
    """Both ends count."""
    days = quarter_days(day_of(date(2016, 1, 1)), day_of(date(2016, 7, 1)))
    assert days == [day_of(date(2016, month, 1)) for month in (1, 4, 7)]
