"""Facts that add up a customer's open lines and credits, in the base currency.

Each is an aggregate over the lines of one customer as `with_base` prepares them. The
comment above a fact is its worked example; tests/ledger/test_amounts.py runs them all.
An amount is null when any open item of the customer is in a currency without a rate.
"""

import narwhals as nw

from ledger.ageing import EDGES_DAYS, bucket_names, within
from ledger.basis import Basis, Frame
from ledger.declare import Fact, count, money
from ledger.expressions import lit, mn, n, no_number, s


def with_base(lines: Frame, basis: Basis) -> Frame:
    """Add to covered lines their amounts in the base currency and the days past due.

    Adds late_days (null without a due date), is_open, and open_base, net_base,
    disputed_base, promised_base, eligible_base: 0 unless open, null without a rate.
    """
    is_open = nw.col("open_minor") > lit(0)
    uncovered = nw.when(is_open).then(nw.col("open_minor") - nw.col("covered_minor")).otherwise(lit(0))
    return basis.with_base(
        lines.with_columns(is_open=is_open, late_days=lit(basis.as_of_day) - nw.col("due_day")),
        open_base=nw.col("open_minor"),
        net_base=uncovered,
        disputed_base=nw.col("disputed_minor"),
        promised_base=nw.col("promised_minor"),
        eligible_base=nw.col("eligible_minor"),
    )


def _late(low: int = 0, high: int | None = None) -> nw.Expr:
    return nw.col("is_open") & within(nw.col("late_days"), low, high)


def _total(condition: nw.Expr, amount: str) -> nw.Expr:
    """Sum over the lines where a condition holds; null when an open amount has no rate."""
    unknown = n(nw.col("open_base").is_null())
    return nw.when(unknown == lit(0)).then(s(condition, nw.col(amount))).otherwise(no_number())


_BUCKETS = tuple(zip(bucket_names(), (0, *EDGES_DAYS), (*EDGES_DAYS, None)))


def _bucket(name: str, low: int, high: int | None) -> Fact:
    label = f"{low + 1} to {high} days past due" if high else f"Over {low} days past due"
    return Fact(
        money(f"{name}_minor", label, f"Open lines, {label[0].lower()}{label[1:]}."),
        lambda _: _total(_late(low, high), "open_base"),
    )


AMOUNT_FACTS = (
    # lines 1,000 (400 paid) due yesterday and 500 due tomorrow: 1,100
    Fact(
        money("open_minor", "Open amount", "What is still to be paid on due lines, whether late or not."),
        lambda _: _total(nw.col("is_open"), "open_base"),
    ),
    # 500 due tomorrow, 300 due today, 200 due yesterday: 800
    Fact(
        money("not_due_minor", "Not due", "Open lines due today or later."),
        lambda _: _total(nw.col("is_open") & (nw.col("late_days") <= lit(0)), "open_base"),
    ),
    # 500 due tomorrow, 300 due today, 200 due yesterday: 200
    Fact(
        money("overdue_minor", "Overdue", "Open lines past their due date."),
        lambda _: _total(_late(), "open_base"),
    ),
    # 200 due yesterday and 50 unapplied cash: 150; with 250 unapplied: 0
    Fact(
        money("overdue_net_minor", "Net overdue", "Overdue lines less what credits and unapplied cash cover of them."),
        lambda _: _total(_late(), "net_base"),
    ),
    # lines of 1 at 0, 1, 30, 31, 60, 61, 90, 91 days: 2, 2, 2, 1 in the four buckets
    *(_bucket(name, low, high) for name, low, high in _BUCKETS),
    # 700 without a due date: 700, and not in any bucket
    Fact(
        money("no_due_date_minor", "Without due date", "Open lines without a due date."),
        lambda _: _total(nw.col("is_open") & nw.col("due_day").is_null(), "open_base"),
    ),
    # 300 of an open 1,000 disputed: 300; once 800 is paid: 200
    Fact(
        money("disputed_minor", "Disputed", "Open amounts under an open dispute."),
        lambda _: _total(nw.col("is_open"), "disputed_base"),
    ),
    # 400 of an open 1,000 promised for tomorrow: 400; once 100 of it came in: 300
    Fact(
        money("promised_minor", "Promised", "Open, undisputed amounts under an open promise to pay or a payment plan."),
        lambda _: _total(nw.col("is_open"), "promised_base"),
    ),
    # lines open 100, open 0, open 5: 2
    Fact(
        count("open_count", "Open lines", "Number of open due lines."),
        lambda _: n(nw.col("is_open")),
    ),
    # open lines due yesterday, today, tomorrow: 1
    Fact(
        count("overdue_count", "Overdue lines", "Number of open due lines past their due date."),
        lambda _: n(_late()),
    ),
)

# Measures over the same lines that other facts are made of.
AMOUNT_MEASURES = {
    "lines_unknown": n(nw.col("open_base").is_null()),
    "overpaid_minor": s(nw.col("open_minor") < lit(0), lit(0) - nw.col("open_base")),
    "leader_due_day": mn(nw.col("eligible_minor") > lit(0), nw.col("due_day")),
}

# Over the credits of one customer, with rest_base.
CREDIT_MEASURES = {
    "credits_unknown": n(nw.col("rest_base").is_null()),
    "credit_notes_minor": s(nw.col("kind") != nw.lit("payment"), nw.col("rest_base")),
    "cash_minor": s(nw.col("kind") == nw.lit("payment"), nw.col("rest_base")),
}
