"""What the ledger knows already of the customers that a file names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from engine import tables
from ledger.entries import WRITE_OFF, Allocation, Credit, Known, Limit, Line
from ledger.external import AMOUNTS, RATING, STATEMENT, Rating, Statement

CHUNK = 900  # values in one SQL list
COMMON_COLUMNS = ("id", "customer", "number", "identity", "revision", "amount_minor", "currency")
DAY_COLUMNS = ("booked_day", "recorded_day")
LINE_COLUMNS = (*COMMON_COLUMNS, *DAY_COLUMNS, "ordinal", "invoice_day", "due_day")
CREDIT_COLUMNS = (*COMMON_COLUMNS, *DAY_COLUMNS, "kind", "reference", "import_id")
T = TypeVar("T")


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces that fit one SQL list."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def customer_ids(entity_id: int, numbers: Iterable[str]) -> dict[str, int]:
    """Ids of the customers of an entity with these numbers."""
    found: dict[str, int] = {}
    for some in chunks(sorted(set(numbers))):
        rows = tables.Customer.select(tables.Customer.number, tables.Customer.id).where(
            tables.Customer.entity == entity_id, tables.Customer.number.in_(some)
        )
        found.update(rows.tuples())
    return found


def known_of(customers: dict[str, int], currencies: Iterable[str], *, external: bool = False) -> Known:
    """Entries in force of some customers, and dated rates of some currencies.

    Args:
        customers: number -> id.
        currencies: ISO codes.
        external: whether ratings and statements are wanted too.
    """
    numbers = {customer_id: number for number, customer_id in customers.items()}
    gathered = _Gathered()
    for some in chunks(sorted(numbers)):
        gathered.add(some, numbers)
        if external:
            gathered.add_external(some, numbers)
    return Known(
        gathered.lines.values(),
        gathered.credits.values(),
        gathered.allocations,
        gathered.limits,
        _rates(currencies),
        gathered.revisions,
        gathered.external,
    )


def known_external(customer: tables.Customer) -> Known:
    """Ratings and statements in force of one customer."""
    gathered = _Gathered()
    gathered.add_external([customer.id], {customer.id: customer.number})
    return Known(revisions=gathered.revisions, external=gathered.external)


class _Gathered:
    """What was found so far, one chunk of customers after the other."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.credits: dict[int, Credit] = {}
        self.allocations: list[Allocation] = []
        self.limits: list[Limit] = []
        self.revisions: dict[str, int] = {}
        self.external: list[Rating | Statement] = []

    def add_external(self, customer_ids: Sequence[int], numbers: dict[int, str]) -> None:
        """Add what others say of some customers."""
        reversed_ = _reversed(customer_ids)
        for row in tables.Rating.select().where(tables.Rating.customer.in_(customer_ids)).order_by(tables.Rating.id):
            self._revision(row.__data__)
            if (RATING, row.id) not in reversed_:
                self.external.append(rating_row(row, numbers[row.customer_id]))
        statement = tables.FinancialStatement
        for row in statement.select().where(statement.customer.in_(customer_ids)).order_by(statement.id):
            self._revision(row.__data__)
            if (STATEMENT, row.id) not in reversed_:
                self.external.append(statement_row(row, numbers[row.customer_id]))

    def add(self, customer_ids: Sequence[int], numbers: dict[int, str]) -> None:
        """Add the entries of some customers."""
        reversed_ = _reversed(customer_ids)
        self._lines(customer_ids, numbers, reversed_)
        self._credits(customer_ids, numbers, reversed_)
        self._allocations(customer_ids, reversed_)
        self._limits(customer_ids, numbers, reversed_)

    def _lines(self, ids: Sequence[int], numbers: dict[int, str], reversed_: set[tuple[str, int]]) -> None:
        for row in _rows(tables.DueLine, LINE_COLUMNS, ids):
            self._revision(row)
            if ("due_line", row["id"]) not in reversed_:
                self.lines[row["id"]] = Line(**{**row, "customer": numbers[row["customer"]]})

    def _credits(self, ids: Sequence[int], numbers: dict[int, str], reversed_: set[tuple[str, int]]) -> None:
        for row in _rows(tables.Credit, CREDIT_COLUMNS, ids):
            self._revision(row)
            if ("credit", row["id"]) not in reversed_:
                said = {name: value for name, value in row.items() if name != "import_id"}
                by_hand = row["kind"] == WRITE_OFF and row["import_id"] is None
                self.credits[row["id"]] = Credit(**{**said, "customer": numbers[row["customer"]], "by_hand": by_hand})

    def _revision(self, row: Mapping[str, Any]) -> None:
        identity = row["identity"]
        self.revisions[identity] = max(row["revision"], self.revisions.get(identity, 0))

    def _allocations(self, ids: Sequence[int], reversed_: set[tuple[str, int]]) -> None:
        row = tables.Allocation
        query = row.select(row.id, row.credit, row.due_line, row.amount_minor, row.booked_day, row.recorded_day).where(
            row.customer.in_(ids)
        )
        for allocation_id, credit_id, line_id, amount, booked, recorded in query.tuples().iterator():
            credit, line = self.credits.get(credit_id), self.lines.get(line_id)
            # An allocation of a reversed line or credit is reversed with it.
            if ("allocation", allocation_id) in reversed_ or credit is None or line is None:
                continue
            self.allocations.append(
                Allocation(
                    credit=credit,
                    line=line,
                    amount_minor=amount,
                    booked_day=booked,
                    recorded_day=recorded,
                    id=allocation_id,
                )
            )

    def _limits(self, ids: Sequence[int], numbers: dict[int, str], reversed_: set[tuple[str, int]]) -> None:
        row = tables.CreditLimit
        for limit in row.select().where(row.customer.in_(ids)).order_by(row.id):
            if ("credit_limit", limit.id) not in reversed_:
                self.limits.append(
                    Limit(
                        customer=numbers[limit.customer_id],
                        amount_minor=limit.amount_minor,
                        from_day=limit.from_day,
                        until_day=limit.until_day,
                        booked_day=limit.booked_day,
                        recorded_day=limit.recorded_day,
                        reason=limit.reason,
                        by_person=limit.approved_by is not None,
                    )
                )


def rating_row(row: tables.Rating, number: str) -> Rating:
    """A stored rating as posting sees it."""
    same = ("id", "agency", "scale", "grade", "score", "pd_bp", "limit_minor", "revision", "booked_day", "recorded_day")
    values = {name: row.__data__[name] for name in same}
    return Rating(customer=number, limit_currency=row.currency or None, **values)


def statement_row(row: tables.FinancialStatement, number: str) -> Statement:
    """A stored statement as posting sees it."""
    same = ("id", "period_end_day", "months", "consolidated", "audited", "filed_day", "source", "currency", "employees")
    values = {name: row.__data__[name] for name in (*same, "revision", "booked_day", "recorded_day")}
    amounts = {name: row.__data__[f"{name}_minor"] for name in AMOUNTS}
    return Statement(customer=number, amounts=amounts, **values)


def _rows(model: Any, names: Iterable[str], customer_ids: Sequence[int]) -> Iterable[Mapping[str, Any]]:
    columns = [getattr(model, name) for name in names]
    rows: Iterable[Mapping[str, Any]] = (
        model.select(*columns).where(model.customer.in_(customer_ids)).dicts().iterator()
    )
    return rows


def _reversed(customer_ids: Sequence[int]) -> set[tuple[str, int]]:
    row = tables.Reversal
    query = row.select(row.target, row.target_id).where(row.customer.in_(customer_ids))
    return set(query.tuples())


def _rates(currencies: Iterable[str]) -> dict[tuple[str, str, int], int]:
    row = tables.ExchangeRate
    query = row.select(row.base, row.currency, row.day, row.rate_e9).where(row.currency.in_(sorted(set(currencies))))
    return {(base, currency, day): rate for base, currency, day, rate in query.tuples()}
