"""Backtests on the ledger there is: read, trained as of a past day, tested on what came after."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.editions import rates_on
from engine.frames import collected, read_frames
from engine.portfolio_parts import about_of
from engine.tables import DueLine, Entity
from ledger.basis import Basis
from ledger.days import date_of, day_of
from ledger.exporting import csv_of
from scoring.backtest import Backtest, Window, backtest_invoices
from scoring.cash import WEEKS, backtest_cash
from scoring.cash_habits import WEEK_DAYS
from scoring.curves import About
from scoring.external import effect_of
from scoring.features import FEATURES, WHOLE_BP
from scoring.invoice_training import Ledger
from scoring.labels import HORIZON_DAYS
from scoring.learning import SEED, drawn_of, train
from scoring.measures import compared
from scoring.model import built, score_row
from scoring.past import ENTRIES, Columns, entry_frames

if TYPE_CHECKING:
    from engine.runtime import Runtime

CASH_EVERY_DAYS = 28
CUSTOMER_TRAINING_DAYS = 64  # days of facts; each costs those of the whole entity
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


@dataclass(frozen=True, slots=True)
class Beside:
    """What is tested beside the invoice models.

    Args:
        customer_days: days on which customers are scored; None: the first days of quarters from the end of
            training on whose labels are decided. Empty: none.
        cash_from, cash_to: first and last day from which cash is forecast; None: from the end of training
            until thirteen weeks before the ledger ends.
        cash_amount_max: larger invoices are left out of it, in minor units.
    """

    customer_days: Sequence[int] | None = None
    cash_from: int | None = None
    cash_to: int | None = None
    cash_amount_max: int | None = None


def backtest(runtime: "Runtime", entities: Sequence[Entity], window: Window, beside: Beside | None = None) -> Backtest:
    """Backtest the models on the ledgers of some entities.

    Args:
        window: when.
        beside: the customers' score and the cash forecast; neither when None.
    """
    ledgers = ledgers_of(runtime, entities, window.train_until)
    if not ledgers:
        return Backtest({}, problems=("there are no invoices: import a ledger first",))
    last_day = last_told_day(ledgers)
    about = about_of(entities)
    found = backtest_invoices(ledgers, window, last_day, about)
    if found.problems or beside is None:
        return found
    days = beside.customer_days
    if days is None:
        days = quarter_days(window.train_until, last_day - HORIZON_DAYS)
    first = window.train_until if beside.cash_from is None else beside.cash_from
    last = last_day - WEEKS * WEEK_DAYS if beside.cash_to is None else beside.cash_to
    cash_days = list(range(first, last + 1, CASH_EVERY_DAYS))
    found.report["customers_score"] = _customers(runtime, entities, window, days, last_day, about)
    found.report["cash"] = backtest_cash(ledgers, cash_days, WEEKS, beside.cash_amount_max, SEED) | {
        "as_of": [date_of(day).isoformat() for day in cash_days]
    }
    return found


def quarter_days(first_day: int, last_day: int) -> list[int]:
    """The first days of quarters between two days, both included."""
    days = (day_of(date(year, month, 1)) for year in range(1970, 2100) for month in (1, 4, 7, 10))
    return [day for day in days if first_day <= day <= last_day]


def _customers(
    runtime: "Runtime", entities: Sequence[Entity], window: Window, days: Sequence[int], last_day: int, about: About
) -> dict[str, Any]:
    """Train the customers' score on what was known before a day and test it on later ones."""
    from engine.training import labelled_rows

    known_day = window.train_until - 1
    rows = [row for one in entities for row in labelled_rows(runtime, one, known_day, CUSTOMER_TRAINING_DAYS)]
    body, problems = train(rows, known_day)
    if body is None:
        return {"days": len(days), "problems": problems}
    model = built({**body, "golden": []}, "")
    # asked on a day with what was known before it: the facts of the day before
    asked = [day - 1 for day in days]
    tested = [row for one in entities for row in labelled_rows(runtime, one, last_day, asked=asked)]
    if not tested:
        return {"days": len(days), "n": 0}
    scores = [score_row(row, model) for row in tested]
    chances = {
        "champion": np.array([answer.score_bp for answer in scores], dtype=np.float64) / WHOLE_BP,
        "own_late_share": np.array([answer.rival_bp for answer in scores], dtype=np.float64) / WHOLE_BP,
    }
    oldest = np.array([row["leader_days_past_due"] for row in tested], dtype=np.float64)
    labels = np.array([row["label"] for row in tested], dtype=np.int64)
    customers = np.array([row["customer_id"] for row in tested])
    rankings = {"ageing_rule": np.maximum(np.nan_to_num(oldest, nan=0.0), 0.0)}
    found = compared(labels, customers, chances, rankings, SEED) | drawn_of(tested, model, about)
    if model.features != FEATURES:
        plain, _missing = train(rows, known_day, external=False)
        without = None if plain is None else built({**plain, "golden": []}, "")
        found["external"] = effect_of(tested, model, without, SEED)
    return found | {"days": [date_of(day).isoformat() for day in days]}


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
