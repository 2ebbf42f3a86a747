"""What was known before a day, asked at many days at once.

The ledger as columns: due lines, what was set against them, disputes and promises, each
with the day it became known and, where it was taken back, the day of that. A question
names a customer and a day t and sees what was **both booked and recorded before** t and
not taken back before t, so that later entries never move an earlier answer.

A customer of whom something was taken back has one copy of their entries per era between
those days: within an era nothing vanishes, and a count is a difference of running sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ledger.basis import Basis
from ledger.expressions import lit

Frame = nw.LazyFrame[Any]
Array = NDArray[Any]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Columns = Mapping[str, Array]

NEVER = 2_000_000  # a day after all others
SPAN = 1 << 23  # days between two keys packed with a day into one number
WORSE_DAYS = 30
DAYS_BOUND = 400  # a payment later than this tells no more than one this late
MICRO = 1_000_000
ZERO_DAY = 1 << 21  # so that no packed day is negative

ENTRIES: Mapping[str, tuple[str, ...]] = {
    "lines": ("line_id", "customer_id", "invoice_day", "due_day", "amount_minor", "amount", "seen_day", "gone_day"),
    "payments": (
        *("line_id", "customer_id", "booked_day", "amount_minor", "amount", "is_payment", "seen_day", "gone_day"),
    ),
    "disputes": ("line_id", "customer_id", "seen_day", "gone_day"),
}


def entry_frames(frames: Mapping[str, Frame], basis: Basis) -> dict[str, Frame]:
    """Select what features read of a ledger.

    Args:
        frames: the ledger's frames of one entity.
        basis: base currency and rates; an amount without a rate is null.

    Returns:
        The frames of ENTRIES: seen_day is the later of booked and recorded day, gone_day
        the first day by which the entry, or what it hangs on, was taken back (NEVER if
        not). is_payment is 1 for money, 0 for credit notes and write-offs.
    """
    seen = nw.max_horizontal("booked_day", "recorded_day").alias("seen_day")
    back = frames["reversal"].select("target", "target_id", seen)

    def known(table: str, owners: Mapping[str, str]) -> Frame:
        found, marks = frames[table].with_columns(seen), []
        for target, key in {table: "id", **owners}.items():
            marks.append(f"gone_{target}")
            gone = back.filter(nw.col("target") == nw.lit(target)).group_by("target_id")
            days = gone.agg(nw.col("seen_day").min().cast(nw.Int64).alias(marks[-1])).rename({"target_id": key})
            found = found.join(days, on=key, how="left")
        first = nw.min_horizontal(*marks) if len(marks) > 1 else nw.col(*marks)
        return found.with_columns(gone_day=nw.when(first.is_null()).then(lit(NEVER)).otherwise(first)).drop(*marks)

    owners = frames["due_line"].select(nw.col("id").alias("due_line_id"), "currency")
    money = nw.when(nw.col("kind") == nw.lit("payment")).then(lit(1)).otherwise(lit(0))
    kinds = frames["credit"].select(nw.col("id").alias("credit_id"), money.alias("is_payment"))
    payments = known("allocation", {"credit": "credit_id", "due_line": "due_line_id"})
    payments = payments.join(owners, on="due_line_id", how="inner").join(kinds, on="credit_id", how="left")
    amount = nw.col("amount_minor")
    found = {
        "lines": basis.with_base(known("due_line", {}), amount=amount).rename({"id": "line_id"}),
        "payments": basis.with_base(payments, amount=amount).rename({"due_line_id": "line_id"}),
        "disputes": known("dispute", {"due_line": "due_line_id"}).rename({"due_line_id": "line_id"}),
    }
    return {name: frame.select(*ENTRIES[name]) for name, frame in found.items()}


@dataclass(frozen=True, slots=True)
class Steps:
    """Things that happen on days, in order of key and day, with running sums.

    Args:
        packed: key and day of each in one number, rising.
        values: what each carries, by name.
        sums: running sums of the values, one longer, starting with 0.
    """

    packed: Ints
    values: Mapping[str, Floats]
    sums: Mapping[str, Floats]

    @staticmethod
    def of(keys: Ints, days: Ints, **values: Array) -> "Steps":
        """Sort by key and day; of equals the order given stays."""
        order = np.argsort(pack(keys, days), kind="stable")
        sorted_values = {name: np.asarray(value, dtype=np.float64)[order] for name, value in values.items()}
        sums = {name: np.concatenate([[0.0], np.cumsum(value)]) for name, value in sorted_values.items()}
        return Steps(pack(keys, days)[order], sorted_values, sums)

    def until(self, keys: Ints, days: Ints) -> Ints:
        """How many happened to earlier keys, or to a key before a day."""
        return np.searchsorted(self.packed, pack(keys, days)).astype(np.int64)

    def total(self, name: str, first: Ints, end: Ints) -> Floats:
        """The sum of a value over a half-open range of places."""
        return np.asarray(self.sums[name][end] - self.sums[name][first], dtype=np.float64)

    def newest(self, name: str, first: Ints, end: Ints, count: int) -> Floats:
        """The last so many values of a range, newest first; NaN where there are fewer."""
        places = end[:, None] - 1 - np.arange(count)
        present = places >= first[:, None]
        if not len(self.packed):
            return np.full(places.shape, np.nan)
        return np.where(present, self.values[name][np.where(present, places, 0)], np.nan)


def pack(keys: Ints, days: Ints) -> Ints:
    """Key and day in one number that sorts by both."""
    return np.asarray(keys * SPAN + np.clip(days, -NEVER, NEVER) + ZERO_DAY, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Past:
    """The ledger in the order in which it became known.

    Args:
        customers: ids, rising.
        turned: packed place of a customer and the day of each taking back.
        first_era: era of each customer before anything was taken back.
        lines: one step per due line when it became known, with the logarithm of its amount.
        paid: one per payment when it became known: late and taken (days after the due and the
            invoice date) with their squares, day, bad (late at all), worse (over 30 days).
        fallen: one per line when it was known and fallen due: due day and the day it was cleared.
        overdue, opened: open items as steps up and down: count, amount, due.
        disputed: one per dispute.
        amounts: one per line of any customer, for the usual amount.
    """

    customers: Ints
    turned: Ints
    first_era: Ints
    lines: Steps
    paid: Steps
    fallen: Steps
    overdue: Steps
    opened: Steps
    disputed: Steps
    amounts: Steps

    def keys_of(self, customer_ids: Ints, days: Ints) -> Ints:
        """The era in which a question about a customer on a day is asked; a new one has none."""
        places = np.searchsorted(self.customers, customer_ids)
        known = (places < len(self.customers)) & (
            self.customers[np.minimum(places, len(self.customers) - 1)] == customer_ids
            if len(self.customers)
            else np.zeros(len(customer_ids), dtype=bool)
        )
        places = np.where(known, places, 0)
        gone = np.searchsorted(self.turned, pack(places, days)) - np.searchsorted(
            self.turned, pack(places, np.full(len(days), -NEVER))
        )
        first = self.first_era[places] if len(self.customers) else places
        none = int(self.first_era[-1]) + len(self.turned) + 1 if len(self.customers) else 0
        return np.where(known, first + gone, none).astype(np.int64)


EQUAL_BY = ("invoice_day", "due_day", "amount_minor")


def past_of(entries: Mapping[str, Columns]) -> Past:
    """Put one entity's ledger in the order in which it became known.

    Args:
        entries: the columns of ENTRIES; amounts and due days NaN where unknown.
    """
    lines, payments, disputes = (entries[name] for name in ("lines", "payments", "disputes"))
    customers = np.unique(lines["customer_id"].astype(np.int64))
    turned = _turned(customers, (lines, payments, disputes))
    eras = np.bincount(turned // SPAN, minlength=len(customers)) + 1 if len(customers) else np.zeros(0, dtype=int)
    first_era = np.concatenate([[0], np.cumsum(eras)[:-1]]).astype(np.int64) if len(customers) else np.zeros(0, int)
    copies = _Copies(customers, turned, first_era)
    usual = _usual_amounts(lines)
    lines, line_keys = copies.of(lines)
    once = first_of_equals(lines, line_keys)
    lines, line_keys = _taken(lines, once), line_keys[once]
    payments, payment_keys = copies.of(payments)
    disputes, dispute_keys = copies.of(disputes)
    owner = _owners(lines, line_keys, payments, payment_keys)
    payments, owner, payment_keys = _taken(payments, owner >= 0), owner[owner >= 0], payment_keys[owner >= 0]
    due = lines["due_day"].astype(np.float64)
    amount = np.nan_to_num(lines["amount"].astype(np.float64))
    seen = lines["seen_day"].astype(np.int64)
    # what is set against a line that is not known yet counts from when the line is
    since = np.maximum(payments["seen_day"].astype(np.int64), seen[owner])
    cleared = _cleared(owner, since, payments["amount_minor"], lines["amount_minor"], len(seen))
    dated = ~np.isnan(due)
    late_from = np.where(dated, np.maximum(seen, np.nan_to_num(due, nan=0)), NEVER).astype(np.int64)
    money = np.nan_to_num(payments["amount"].astype(np.float64))
    return Past(
        customers,
        turned,
        first_era,
        Steps.of(line_keys, seen, log=_micro_log(amount), one=np.ones(len(seen))),
        _payments(payments, lines, owner, payment_keys, since),
        Steps.of(line_keys[dated], late_from[dated], due=due[dated], cleared=cleared[dated]),
        _balance(line_keys, late_from, amount, due, cleared, payment_keys, np.maximum(since, late_from[owner]), money),
        _balance(line_keys, seen, amount, due, cleared, payment_keys, since, money),
        Steps.of(dispute_keys, disputes["seen_day"].astype(np.int64), one=np.ones(len(dispute_keys))),
        usual,
    )


def _payments(payments: Columns, lines: Columns, owner: Ints, keys: Ints, since: Ints) -> Steps:
    """Payments of dated lines, each with how late it came and how long after the invoice."""
    due = lines["due_day"].astype(np.float64)[owner]
    counts = (payments["is_payment"].astype(np.int64) == 1) & ~np.isnan(due)
    day = payments["booked_day"].astype(np.float64)[counts]
    late = day - due[counts]
    bounded = np.clip(late, -DAYS_BOUND, DAYS_BOUND)
    taken = np.clip(day - lines["invoice_day"].astype(np.float64)[owner][counts], -DAYS_BOUND, DAYS_BOUND)
    return Steps.of(
        keys[counts],
        since[counts],
        late=bounded,
        late_squared=bounded**2,
        taken=taken,
        taken_squared=taken**2,
        day=day,
        bad=late > 0,
        worse=late > WORSE_DAYS,
    )


def _turned(customers: Ints, tables: Sequence[Columns]) -> Ints:
    """Customer and day of everything taken back, each once, rising."""
    found = [np.zeros(0, dtype=np.int64)]
    for table in tables:
        gone = table["gone_day"].astype(np.int64)
        back = gone < NEVER
        found.append(pack(np.searchsorted(customers, table["customer_id"][back].astype(np.int64)), gone[back]))
    return np.unique(np.concatenate(found))


@dataclass(frozen=True, slots=True)
class _Copies:
    """Gives every entry one copy per era in which it counts."""

    customers: Ints
    turned: Ints
    first_era: Ints

    def of(self, table: Columns) -> tuple[dict[str, Array], Ints]:
        """The entries, copied, and their eras."""
        place = np.searchsorted(self.customers, table["customer_id"].astype(np.int64))
        gone = table["gone_day"].astype(np.int64)
        low = np.searchsorted(self.turned, pack(place, np.full(len(place), -NEVER)))
        high = np.searchsorted(self.turned, pack(place, np.full(len(place), NEVER)), side="right")
        # it counts in all eras that begin before or on the day it was taken back
        counts = np.where(gone < NEVER, np.searchsorted(self.turned, pack(place, gone)) - low, high - low) + 1
        rows = np.repeat(np.arange(len(place)), counts)
        era = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        keys = self.first_era[place[rows]] + era if len(rows) else np.zeros(0, dtype=np.int64)
        return {name: column[rows] for name, column in table.items()}, keys.astype(np.int64)


def _taken(table: Columns, mask: Array) -> dict[str, Array]:
    return {name: column[mask] for name, column in table.items()}


def first_of_equals(lines: Columns, keys: Ints) -> Array:
    """Mark of lines equal in customer, dates and amount the one known first."""
    columns = [np.nan_to_num(lines[name].astype(np.float64), nan=-0.5) for name in EQUAL_BY]
    order = np.lexsort((lines["line_id"], lines["seen_day"], *columns, keys))
    differs = np.ones(len(order), dtype=bool)
    if len(order):
        differs[1:] = False
        for column in (keys, *columns):
            differs[1:] |= np.diff(column[order]) != 0
    mask = np.zeros(len(order), dtype=bool)
    mask[order[differs]] = True
    return mask


def _micro_log(amount: Floats) -> Floats:
    """Millionths of a logarithm, whole, so that running sums of them are exact."""
    return np.round(np.log1p(np.abs(amount)) * MICRO)


def _usual_amounts(lines: Columns) -> Steps:
    """The amounts of all lines as steps up when they became known and down when they were taken back."""
    amount = _micro_log(np.nan_to_num(lines["amount"].astype(np.float64)))
    one = np.ones(len(amount))
    days = np.concatenate([lines["seen_day"], lines["gone_day"]]).astype(np.int64)
    zero = np.zeros(len(days), dtype=np.int64)
    return Steps.of(zero, days, log=np.concatenate([amount, -amount]), one=np.concatenate([one, -one]))


def usual_on(lines: Columns, day: int) -> Steps:
    """What ``Past.amounts`` says on one day, for the lines of a whole portfolio: a single step with all of it.

    Args:
        lines: amount, seen_day and gone_day.
    """
    amount = _micro_log(np.nan_to_num(lines["amount"].astype(np.float64)))
    known, gone = lines["seen_day"] < day, lines["gone_day"] < day
    log, count = amount[known].sum() - amount[gone].sum(), known.sum() - gone.sum()
    return Steps.of(np.zeros(1, dtype=np.int64), np.array([-NEVER]), log=np.array([log]), one=np.array([count]))


def _owners(lines: Columns, line_keys: Ints, payments: Columns, payment_keys: Ints) -> Ints:
    """The place of the line that each payment settles in its era; -1 where it is none of these."""
    if not len(line_keys):
        return np.full(len(payment_keys), -1, dtype=np.int64)
    width = int(max(line_keys.max(), payment_keys.max() if len(payment_keys) else 0)) + 1
    line_code = lines["line_id"].astype(np.int64) * width + line_keys
    order = np.argsort(line_code)
    code = payments["line_id"].astype(np.int64) * width + payment_keys
    place = np.minimum(np.searchsorted(line_code[order], code), len(order) - 1)
    return np.where(line_code[order][place] == code, order[place], -1).astype(np.int64)


def _cleared(owner: Ints, since: Ints, part: Array, amount: Array, lines: int) -> Ints:
    """The day from which a line is known as settled in full; NEVER while it is not."""
    order = np.lexsort((since, owner))
    sums = np.cumsum(part.astype(np.float64)[order])
    starts = np.searchsorted(owner[order], np.arange(lines))
    before = np.concatenate([[0.0], sums])[starts]
    full = sums - before[owner[order]] >= amount.astype(np.float64)[owner[order]] - 0.5
    cleared = np.full(lines, NEVER, dtype=np.int64)
    np.minimum.at(cleared, owner[order][full], since[order][full])
    return cleared


def _balance(
    line_keys: Ints,
    begin: Ints,
    amount: Floats,
    due: Floats,
    cleared: Ints,
    payment_keys: Ints,
    paid_from: Ints,
    paid: Floats,
) -> Steps:
    """Open items as steps up and down: how many, how much, and the sum of their due days."""
    ends = np.maximum(cleared, begin)
    due = np.nan_to_num(due)
    zeros = np.zeros(len(payment_keys))
    ones = np.ones(len(line_keys))
    return Steps.of(
        np.concatenate([line_keys, line_keys, payment_keys]),
        np.concatenate([begin, ends, paid_from]),
        count=np.concatenate([ones, -ones, zeros]),
        amount=np.concatenate([amount, np.zeros(len(line_keys)), -paid]),
        due=np.concatenate([due, -due, zeros]),
    )
