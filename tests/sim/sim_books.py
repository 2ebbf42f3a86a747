"""What the town's customers owe, by books of its own: nothing here asks the product.

A bill is open, disputed, promised, paused; an account has cash that belongs to no bill. By these books
every message is judged at the moment it arrives, and every balance after every day.
"""

from collections import Counter
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

PROMISE_TOLERANCE_DAYS = 3  # a promise is broken after so many days more


@dataclass(slots=True)
class Bill:
    """One invoice with one due day, in its currency."""

    number: str
    currency: str
    amount: int
    due: int
    open: int = 0
    disputed: int = 0
    promised_until: int | None = None
    paused_until: int | None = None
    pays_on: int | None = None  # the day its customer has in mind; None: when asked
    part_paid_on: int | None = None  # the last day on which a part came in

    def __post_init__(self) -> None:
        self.open = self.amount

    def may_be_dunned(self, day: int) -> int:
        """So much of it is neither disputed, promised nor paused on a day."""
        if self.paused_until is not None and day < self.paused_until:
            return 0
        if self.promised_until is not None and day <= self.promised_until + PROMISE_TOLERANCE_DAYS:
            return 0
        return max(0, self.open - self.disputed)


@dataclass(slots=True)
class Account:
    """A customer of one of the two companies, and what it is like.

    Args:
        free: cash by currency that was set against no bill.
        late: days it usually pays after the due day; None: only when it is asked.
    """

    number: str
    company: str
    country: str
    zone: ZoneInfo
    late: int | None
    bills: list[Bill] = field(default_factory=list)
    free: dict[str, int] = field(default_factory=dict)
    paused_until: int | None = None
    insolvent: bool = False
    left_alone_until: int = 0  # a person tied it to no scenario
    addresses: int = 1  # how many were found so far; the last is the one in use

    @property
    def email(self) -> str:
        """The address that mail to it must carry."""
        return f"accounts{self.addresses}@{self.number.lower()}.example"

    def pay(self, bill: Bill | None, currency: str, amount: int) -> None:
        """Cash, or a credit note, for a bill as far as it is open; the rest, or all of it, stays free."""
        used = 0 if bill is None else min(bill.open, amount)
        if bill is not None:
            bill.open -= used
            bill.disputed = min(bill.disputed, bill.open)
        if amount > used:
            self.free[currency] = self.free.get(currency, 0) + amount - used

    def balance(self, currency: str) -> int:
        """What it owes in a currency, less what it has paid without a bill."""
        return sum(bill.open for bill in self.bills if bill.currency == currency) - self.free.get(currency, 0)

    def to_be_asked(self, day: int) -> dict[str, int]:
        """What a reminder of a day may ask for, by currency: overdue and free for dunning, less cash without a bill."""
        asked: Counter[str] = Counter()
        for bill in self.bills:
            asked[bill.currency] += bill.may_be_dunned(day) if bill.due < day else 0
        asked.subtract(self.free)
        return {currency: amount for currency, amount in asked.items() if amount > 0}

    def why_not(self, day: int, *, before_due: bool, tolerance: int) -> str | None:
        """Why nobody may remind it on a day; None: something is there to ask for."""
        if self.insolvent:
            return "is insolvent"
        if day < self.left_alone_until:
            return "follows no scenario"
        if self.paused_until is not None and day < self.paused_until:
            return "is paused"
        asked = [bill for bill in self.bills if bill.open and (bill.due >= day if before_due else bill.due < day)]
        if not asked:
            return "owes nothing any more"
        if not any(bill.may_be_dunned(day) for bill in asked):
            return "has disputed, promised or paused all of it"
        net = {
            currency: sum(bill.open for bill in asked if bill.currency == currency) - self.free.get(currency, 0)
            for currency in {bill.currency for bill in asked}
        }
        if not before_due and sum(max(0, amount) for amount in net.values()) <= tolerance:
            return "has paid as much as is overdue"
        return None
