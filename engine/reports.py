"""Reports as of any day, rebuilt from the entries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.frames import read_frames, rows_of
from engine.pipeline import asking
from engine.tables import Customer, Entity
from ledger.ageing import ageing, bucket_names
from ledger.balances import open_items
from ledger.days import date_of

if TYPE_CHECKING:
    from engine.runtime import Runtime

BUCKETS = ("not_due", *bucket_names(), "no_due_date", "credits", "unapplied")
Amounts = dict[str, int]


@dataclass(frozen=True)
class CustomerAgeing:
    """One customer's buckets; ``amounts`` is None when a rate is missing."""

    customer_id: int
    number: str
    name: str
    amounts: Amounts | None

    @property
    def balance_minor(self) -> int | None:
        """What the customer owes in all: the sum of the buckets."""
        return None if self.amounts is None else sum(self.amounts.values())


@dataclass(frozen=True)
class AgeingReport:
    """Ageing of an entity as of a day, in its base currency.

    Args:
        customers: those with anything open, by number.
        totals: per bucket, over the customers whose amounts are known.
        unknown: how many customers have an amount without an exchange rate.
    """

    entity: str
    currency: str
    as_of_day: int
    customers: tuple[CustomerAgeing, ...]
    totals: Amounts
    unknown: int

    @property
    def balance_minor(self) -> int:
        """The sum of the buckets."""
        return sum(self.totals.values())

    def values(self, by_customer: bool = False) -> dict[str, Any]:
        """JSON-able."""
        found: dict[str, Any] = {
            "entity": self.entity,
            "currency": self.currency,
            "as_of": date_of(self.as_of_day).isoformat(),
            "buckets_minor": self.totals,
            "balance_minor": self.balance_minor,
            "customers_without_rate": self.unknown,
        }
        if by_customer:
            found["customers"] = [
                {"number": c.number, "buckets_minor": c.amounts, "balance_minor": c.balance_minor}
                for c in self.customers
            ]
        return found


def ageing_report(runtime: "Runtime", entity: Entity, as_of_day: int) -> AgeingReport:
    """Split what an entity's customers owe by days past due; the buckets sum to the balance."""
    ask = asking(runtime, entity, as_of_day)
    frames = read_frames(runtime, entity, as_of_day=as_of_day, question=ask.question)
    rows = {row["customer_id"]: row for row in rows_of(ageing(open_items(frames, ask.basis), as_of_day))}
    named = Customer.select(Customer.id, Customer.number, Customer.name).where(Customer.entity == entity).tuples()
    customers = tuple(
        CustomerAgeing(key, number, name, _amounts(rows[key]))
        for key, number, name in sorted(named, key=lambda row: row[1])
        if key in rows
    )
    known = [c.amounts for c in customers if c.amounts is not None]
    totals = {bucket: sum(amounts[bucket] for amounts in known) for bucket in BUCKETS}
    return AgeingReport(entity.code, entity.currency, as_of_day, customers, totals, len(customers) - len(known))


def _amounts(row: dict[str, Any]) -> Amounts | None:
    return None if any(row[bucket] is None for bucket in BUCKETS) else {bucket: row[bucket] for bucket in BUCKETS}
