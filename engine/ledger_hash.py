"""One hash over a ledger: two ledgers that say the same have the same, however they were filled.

It is taken over the entries in force, by what they say: not over ids, import or order, and
not over the ordinals of equal invoices without a number.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from engine import tables
from ledger.canonical import canonical
from ledger.external import AMOUNTS, EXTERNAL

NATURAL = {
    "credit": ("kind", "number", "reference", "amount_minor", "currency"),
    "due_line": ("number", "invoice_day", "due_day", "amount_minor", "currency"),
    "credit_limit": ("amount_minor", "from_day", "until_day"),
    "dispute": ("due_line_id", "amount_minor", "reason"),
    "promise": ("due_line_id", "amount_minor", "currency", "promised_day"),
    "block": ("kind", "due_line_id", "from_day", "until_day"),
    "rating": ("identity", "scale", "grade", "score", "pd_bp", "limit_minor", "currency"),
    "financial_statement": (
        *("identity", "months", "audited", "filed_day", "source", "currency", "employees"),
        *(f"{name}_minor" for name in AMOUNTS),
    ),
}
MODELS: dict[str, Any] = {
    "credit": tables.Credit,
    "due_line": tables.DueLine,
    "credit_limit": tables.CreditLimit,
    "dispute": tables.Dispute,
    "promise": tables.Promise,
    "block": tables.Block,
    "rating": tables.Rating,
    "financial_statement": tables.FinancialStatement,
}
COMMON = ("booked_day", "recorded_day")


def ledger_hash(entity: tables.Entity) -> str:
    """The sha256 over the entries in force of an entity."""
    return _digest(_said(entity))


def _digest(rows: Iterable[Sequence[Any]]) -> str:
    seen = hashlib.sha256()
    for row in sorted(canonical(row) for row in rows):
        seen.update(row.encode() + b"\n")
    return seen.hexdigest()


def _said(entity: tables.Entity) -> Iterable[Sequence[Any]]:
    reversed_ = set(
        tables.Reversal.select(tables.Reversal.target, tables.Reversal.target_id)
        .where(tables.Reversal.entity_id == entity.id)
        .tuples()
    )
    numbers = dict(
        tables.Customer.select(tables.Customer.id, tables.Customer.number)
        .where(tables.Customer.entity == entity.id)
        .tuples()
    )
    lines = _entries("due_line", entity, numbers, reversed_)
    ordinals = dict(
        tables.DueLine.select(tables.DueLine.id, tables.DueLine.ordinal)
        .where(tables.DueLine.entity_id == entity.id, tables.DueLine.number != "")
        .tuples()
    )
    lines = {line_id: [*said, ordinals.get(line_id)] for line_id, said in lines.items()}
    credits_ = _entries("credit", entity, numbers, reversed_)
    paid: dict[int, list[Any]] = {line_id: [] for line_id in lines}
    for row in (
        tables.Allocation.select().where(tables.Allocation.entity_id == entity.id).order_by(tables.Allocation.id)
    ):
        if ("allocation", row.id) not in reversed_ and row.due_line_id in lines and row.credit_id in credits_:
            said = [*credits_[row.credit_id], row.amount_minor, row.booked_day, row.recorded_day]
            paid[row.due_line_id].append(said)
    for line_id, said in lines.items():
        yield [*said, sorted(paid[line_id], key=json.dumps)]
    yield from credits_.values()
    for target in ("credit_limit", "dispute", "promise", "block", *EXTERNAL):
        for said in _entries(target, entity, numbers, reversed_).values():
            yield [lines.get(part[1]) if isinstance(part, tuple) else part for part in said]


def _entries(
    target: str, entity: tables.Entity, numbers: dict[int, str], reversed_: set[tuple[str, int]]
) -> dict[int, list[Any]]:
    """Entries in force of a table, by id; a due line they name stands as ("line", id)."""
    model = MODELS[target]
    names = (*NATURAL[target], *COMMON)
    columns = [model.due_line if name == "due_line_id" else getattr(model, name) for name in names]
    query = model.select(model.id, model.customer, *columns).where(model.entity_id == entity.id)
    found: dict[int, list[Any]] = {}
    for entry_id, customer_id, *values in query.tuples().iterator():
        if (target, entry_id) not in reversed_:
            parts = [
                ("line", part) if name == "due_line_id" else part for name, part in zip(names, values, strict=True)
            ]
            found[entry_id] = [target, numbers[customer_id], *parts]
    return found
