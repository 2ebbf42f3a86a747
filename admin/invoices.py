"""Invoices by the words a reader knows: a due line of an action, a decision or a standing is "INV-5" or "INV-5 / 2"."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import g

from engine.known import chunks
from engine.tables import Customer, DueLine, Standing


def invoice(line_id: int) -> str:
    """The number of a due line's invoice, with the instalment where there are several; empty without a line."""
    if not line_id:
        return ""
    if line_id not in _named():
        name_invoices([line_id])
    return _named().get(line_id, "")


def name_invoices(line_ids: Iterable[int]) -> None:
    """Read the names of some due lines at once."""
    wanted = sorted({line for line in line_ids if line} - _named().keys())
    for some in chunks(wanted):
        rows = DueLine.select(DueLine.id, DueLine.number, DueLine.ordinal).where(DueLine.id.in_(some)).tuples()
        _named().update({line: number if ordinal == 1 else f"{number} / {ordinal}" for line, number, ordinal in rows})


def _named() -> dict[int, str]:
    named: dict[int, str] = g.setdefault("invoices_named", {})
    return named


def standings_of_lines(customer: Customer, policy_key: str) -> Mapping[tuple[str, int], Standing]:
    """Where the due lines of a customer stand, by number and instalment; those whose episode is open."""
    if not policy_key:
        return {}
    rows: Iterable[Any] = (
        Standing.select(Standing, DueLine.number, DueLine.ordinal)
        .join(DueLine, on=(DueLine.id == Standing.line_id))
        .where(Standing.customer == customer, Standing.policy_key == policy_key, Standing.open, Standing.line_id != 0)
        .objects()
    )
    return {(row.number, row.ordinal): row for row in rows}
