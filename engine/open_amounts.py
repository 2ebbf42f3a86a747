"""Open amounts of single due lines, as the ledger stands now: for commands and pages about a few of them."""

from collections.abc import Iterable
from typing import Any

from peewee import ModelSelect, fn

from engine.tables import Allocation, DueLine, Reversal


def open_of_lines(lines: Iterable[DueLine]) -> dict[int, int]:
    """By line, what is still to be paid, in its own currency: never below 0, and 0 of one taken back."""
    found = list(lines)
    ids = [line.id for line in found]
    gone = {row for (row,) in _reversed("due_line").where(Reversal.target_id.in_(ids)).tuples()}
    settled = dict(
        Allocation.select(Allocation.due_line, fn.SUM(Allocation.amount_minor))
        .where(
            Allocation.due_line.in_(ids),
            Allocation.id.not_in(_reversed("allocation")),
            Allocation.credit.not_in(_reversed("credit")),
        )
        .group_by(Allocation.due_line)
        .tuples()
    )
    return {
        line.id: 0 if line.id in gone else max(line.amount_minor - int(settled.get(line.id) or 0), 0) for line in found
    }


def open_of(line: DueLine) -> int:
    """The same of one line."""
    return open_of_lines([line])[line.id]


def _reversed(target: str) -> ModelSelect:
    return Reversal.select(Reversal.target_id).where(Reversal.target == target)


def standing(model: Any, target: str) -> ModelSelect:
    """Entries of a table that were not taken back."""
    found: ModelSelect = model.select().where(model.id.not_in(_reversed(target)))
    return found
