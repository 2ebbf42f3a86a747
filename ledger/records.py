"""Records: what a row of a file says, before it is posted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.dialect import WHOLE, problem, warning
from ledger.external import EXTERNAL
from ledger.problems import Problem

# What makes items without a number equal; the ordinal among equals tells them apart (semantics.md 1).
EQUAL_BY = ("customer", "invoiced_on", "due_on", "booked_on", "amount", "currency", "reference")


@dataclass(frozen=True, slots=True)
class Record:
    """What one row says about one thing.

    Args:
        kind: a key of ``ledger.mapping.RECORDS``.
        line: line of the file.
        values: field -> value; a blank field is None or absent.
        settlements: credits of the same row that settle this invoice.
    """

    kind: str
    line: int
    values: Mapping[str, Any]
    settlements: tuple["Record", ...] = ()


def repeated(records: Sequence[Record]) -> list[Problem]:
    """Numbers that stand twice are errors; equal rows without a number are kept and warned about."""
    found = []
    numbers: dict[tuple[Any, ...], int] = {}
    equals: Counter[tuple[Any, ...]] = Counter()
    lines: dict[tuple[Any, ...], int] = {}
    for record in records:
        values = record.values
        key = _key(record)
        if key is None:
            key = (record.kind, *(values.get(name) for name in EQUAL_BY))
            equals[key] += 1
            lines.setdefault(key, record.line)
            continue
        first = numbers.setdefault(key, record.line)
        if first != record.line:
            what = f"{_named(record)} stands in line {first} already"
            cure = "remove one; if it is an instalment, map its number to `ordinal` (of a payment: to `part`)"
            found.append(problem(record.line, WHOLE, what, cure))
    for key, count in equals.items():
        if count > 1:
            what = f"{count} rows from here on are equal and have no number; all are kept"
            found.append(warning(lines[key], WHOLE, what, "if they are one item, remove the others"))
    return found


def _key(record: Record) -> tuple[Any, ...] | None:
    """What must not stand twice in a file, or None for items without a number."""
    values = record.values
    match record.kind:
        case "customer":
            return (record.kind, values["number"])
        case "contact":
            return (record.kind, values["customer"], values.get("email", "").casefold())
        case "exchange_rate":
            return (record.kind, values.get("base"), values["currency"], values["day"])
        case "credit_limit":
            return (record.kind, values["customer"], values["from_on"])
        case "rating":
            return (record.kind, values["customer"], values["agency"], values["from_on"])
        case "financial_statement":
            return (record.kind, values["customer"], values["period_end_on"], values.get("consolidated", 0))
    if not values.get("number"):
        return None
    part = values.get("ordinal", values.get("part"))
    return (record.kind, values["customer"], values["number"], values.get("reference"), part)


def _named(record: Record) -> str:
    name = record.values.get("number") or record.values.get("customer") or record.values.get("currency")
    return f"{record.kind.replace('_', ' ')} {name}"


CUSTOMER_FIELDS = ("country", "language", "portfolio", "terms_days", "opened_on", "group")


@dataclass(slots=True)
class SaidOfCustomer:
    """What a file says about a customer.

    Args:
        name: None when it gives none.
        attributes: field of ``CUSTOMER_FIELDS`` -> value.
        master: whether the file is about customers: then it also changes known ones.
    """

    name: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    master: bool = False


def customers_of(records: Sequence[Record]) -> tuple[dict[str, SaidOfCustomer], list[Problem]]:
    """Gather what the records say about each customer they name.

    Returns:
        Customers by number, and a warning where rows contradict each other; the smallest
        value counts then, so that the order of the rows does not. Those of whom only somebody
        else speaks (``EXTERNAL``) are not among them.
    """
    found: dict[str, SaidOfCustomer] = {}
    problems: dict[tuple[str, str], Problem] = {}
    for record in records:
        values = record.values
        number = values.get("number") if record.kind == "customer" else values.get("customer")
        if number is None or record.kind in EXTERNAL:
            continue
        said = found.setdefault(number, SaidOfCustomer())
        name = values.get("name") if record.kind == "customer" else values.get("customer_name")
        if record.kind == "customer":
            said.master = True
        if name and said.name not in {None, name}:
            problems.setdefault((number, "name"), _contradiction(record, number, "name"))
        if name and (said.name is None or name < said.name):
            said.name = name
        for key in CUSTOMER_FIELDS if record.kind != "contact" else ():
            value = values.get(key)
            if value is None:
                continue
            if said.attributes.setdefault(key, value) != value:
                problems.setdefault((number, key), _contradiction(record, number, key))
                said.attributes[key] = min(said.attributes[key], value)
    return found, list(problems.values())


def _contradiction(record: Record, number: str, name: str) -> Problem:
    what = f"rows of the file give the customer {number} more than one {name.replace('_', ' ')}"
    return warning(record.line, WHOLE, what, "import a file of customers to settle it")
