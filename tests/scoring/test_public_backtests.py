"""The payment models on two ledgers that nobody here made: above the bars, beside the naive rivals."""

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.backtesting import backtest, write_predictions
from engine.importing import ImportFile, import_file
from engine.runtime import Runtime
from engine.tables import Entity
from ledger.days import day_of
from scoring.backtest import Backtest, Window

pytestmark = [pytest.mark.slow, pytest.mark.sqlite("it measures models, not databases")]

MAPPINGS = Path(__file__).parents[2] / "samples" / "mappings"
WINDOWS = {
    "udyam": ("INR", "2015-12-31", "2016-01-31", "2018-12-31", "2015-05-01"),
    "ibm": ("USD", "2013-04-30", "2013-06-01", "2014-12-31", "2013-01-15"),
}
Tested = Callable[[str], tuple[Backtest, Entity]]


@pytest.fixture
def tested(runtime: Runtime, ledgers: Path) -> Tested:
    """``tested("udyam")``: imported by its mapping and backtested by the protocol."""

    def test(name: str) -> tuple[Backtest, Entity]:
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
        return backtest(runtime, [entity], window), entity

    return test


def auc(found: Backtest, part: str, name: str = "champion") -> float:
    """An AUC of the report."""
    measure: dict[str, Any] = found.report[part]["measures"][name]
    return float(measure["auc"])


def test_udyam(tested: Tested, tmp_path: Path) -> None:
    """Late at all 0.80, over 30 days 0.694; above the own share by more than chance; no leak."""
    found, _ = tested("udyam")
    assert auc(found, "p_late") >= 0.80
    assert auc(found, "p_late30") >= 0.694
    for part in ("p_late", "p_late30"):
        assert auc(found, part) > auc(found, part, "own_share")
    assert found.report["p_late"]["n"] == 2751
    assert not found.report["leak"]["alarm"]
    assert write_predictions(found, tmp_path / "out.csv") == 2817
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["invoice_id", "p_late", "p_late30", "days_late"]
    assert len({row["invoice_id"] for row in rows}) == 2817


def test_ibm(tested: Tested) -> None:
    """Late at all 0.88, with `Disputed` unused; nothing is over 30 days late."""
    found, _ = tested("ibm")
    assert auc(found, "p_late") >= 0.88
    assert found.report["p_late30"]["bad"] == 0
    assert not found.report["leak"]["alarm"]
