"""Backtests on the ledger there is: read, trained as of a past day, tested on what came after."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.editions import rates_on
from engine.frames import collected, read_frames
from engine.tables import DueLine, Entity
from ledger.basis import Basis
from ledger.exporting import csv_of
from scoring.backtest import Backtest, Window, backtest_invoices
from scoring.invoice_training import Ledger
from scoring.past import ENTRIES, Columns, entry_frames

if TYPE_CHECKING:
    from engine.runtime import Runtime

PREDICTED = ("invoice_id", "p_late", "p_late30", "days_late")


def entry_columns(runtime: "Runtime", entity: Entity, as_of_day: int) -> dict[str, Columns]:
    """Read what features need of one entity: the columns of ``scoring.past.ENTRIES``.

    Args:
        as_of_day: of the rates that foreign amounts are taken at.
    """
    basis = Basis(
        as_of_day=as_of_day, entity=entity.code, currency=entity.currency, rates_e9=rates_on(entity, as_of_day)
    )
    read = read_frames(runtime, entity, as_of_day=as_of_day)
    frames = {name: frame for name, frame in read.items() if name != "previous"}
    found: dict[str, Columns] = {}
    for name, frame in entry_frames(frames, basis).items():
        table = collected(frame).to_native().collect()
        found[name] = {column: table[column].to_numpy() for column in ENTRIES[name]}
    return found


def ledgers_of(runtime: "Runtime", entities: Sequence[Entity], as_of_day: int) -> list[Ledger]:
    """Prepare the ledgers of some entities; those without a due line have nothing to say."""
    read = [entry_columns(runtime, entity, as_of_day) for entity in entities]
    return [Ledger.of(columns) for columns in read if len(columns["lines"]["line_id"])]


def last_told_day(ledgers: Sequence[Ledger]) -> int:
    """The last day on which anything was recorded: what nobody recorded after it is not known."""
    return max(
        int(table["seen_day"].max()) for one in ledgers for table in (one.lines, one.payments) if len(table["seen_day"])
    )


def backtest(runtime: "Runtime", entities: Sequence[Entity], window: Window) -> Backtest:
    """Backtest the invoice models on the ledgers of some entities.

    Args:
        window: when.
    """
    ledgers = ledgers_of(runtime, entities, window.train_until)
    if not ledgers:
        return Backtest({}, problems=("there are no invoices: import a ledger first",))
    return backtest_invoices(ledgers, window, last_told_day(ledgers))


def write_predictions(found: Backtest, file: Path) -> int:
    """Write the predictions as CSV, one row per due line tested; how many there are.

    A line is named by its invoice's number where that names one line only, else by its id: in a
    ledger imported as one file the place of its row.
    """
    if found.scores is None:
        return 0
    scores = found.scores
    columns = (scores.p_late.tolist(), scores.p_late30.tolist(), scores.days_late.tolist())
    rows = [
        (name, f"{late:.6f}", f"{late30:.6f}", f"{days:.2f}")
        for name, late, late30, days in zip(_names(found.line_id.tolist()), *columns, strict=True)
    ]
    file.write_text(csv_of(PREDICTED, rows), encoding="utf-8", newline="")
    return len(rows)


def _names(line_ids: Sequence[int]) -> list[str]:
    numbers = dict(DueLine.select(DueLine.id, DueLine.number).tuples())
    count = Counter(numbers.values())
    return [number if (number := numbers[line]) and count[number] == 1 else str(line) for line in line_ids]
