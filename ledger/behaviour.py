"""How a customer pays: facts over what happened before the day.

An entry counts when it was booked and recorded before the day: a figure that a model
learns from may not see the day it predicts. Windows are half-open, [day - 365, day) and
[day - 91, day). A line counts as paid on the day its last payment came, once nothing is
left of it; a line that was only written off or credited was not paid.
"""

import narwhals as nw

from ledger.basis import QUARTER_DAYS, YEAR_DAYS, Basis, Frame
from ledger.declare import Fact, count, days, money, ratio
from ledger.expressions import floor_div, lit, mn, mx, n, no_number, s

BEHAVIOUR_MEASURES = {"first_invoice_day": mn(nw.col("counts_before"), nw.col("invoice_day"))}


def with_payment(lines: Frame, basis: Basis) -> Frame:
    """Add paid_late_days (null unless paid and with a due date) and invoiced_base
    (0 unless invoiced in the last 365 days)."""
    in_year = nw.col("counts_before") & (nw.col("invoice_day") >= lit(basis.as_of_day - YEAR_DAYS))
    invoiced = in_year & (nw.col("invoice_day") < lit(basis.as_of_day))
    return basis.with_base(
        lines.with_columns(paid_late_days=nw.col("paid_day") - nw.col("due_day")),
        invoiced_base=nw.when(invoiced).then(nw.col("amount_minor")).otherwise(lit(0)),
    )


def _paid(basis: Basis, window_days: int) -> nw.Expr:
    return nw.col("paid_day") >= lit(basis.as_of_day - window_days)


def _dated(basis: Basis, window_days: int) -> nw.Expr:
    return _paid(basis, window_days) & ~nw.col("due_day").is_null()


def _late_share(basis: Basis, window_days: int) -> nw.Expr:
    late = n(_paid(basis, window_days) & (nw.col("paid_late_days") > lit(0)))
    return floor_div(late * lit(10_000), n(_dated(basis, window_days)))


def _turnover(basis: Basis, window_days: int) -> nw.Expr:
    invoiced = s(nw.col("invoice_day") >= lit(basis.as_of_day - window_days), nw.col("invoiced_base"))
    return nw.when(n(nw.col("invoiced_base").is_null()) == lit(0)).then(invoiced).otherwise(no_number())


BEHAVIOUR_FACTS = (
    # lines paid 1, 365 and 366 days ago: 2
    Fact(
        count("paid_count_12m", "Lines paid in 12 months", "Due lines fully paid in the last 365 days."),
        lambda basis: n(_paid(basis, YEAR_DAYS)),
    ),
    # paid 3 days early and 2 days late: floor(-1 / 2) = -1
    Fact(
        days(
            "mean_days_late_12m",
            "Mean days late, 12 months",
            "Mean days from due date to payment of lines paid in the last 365 days; negative when early.",
            low=-40_000,
        ),
        lambda basis: floor_div(s(_dated(basis, YEAR_DAYS), nw.col("paid_late_days")), n(_dated(basis, YEAR_DAYS))),
    ),
    # in the last 91 days three lines paid, one of them late: 3,333
    Fact(
        ratio("late_share_3m_bp", "Late share, 3 months", "Share of lines paid in the last 91 days that were late."),
        lambda basis: _late_share(basis, QUARTER_DAYS),
    ),
    # paid on the due date is not late: of two lines paid 0 and 1 days late, 5,000
    Fact(
        ratio("late_share_12m_bp", "Late share, 12 months", "Share of lines paid in the last 365 days that were late."),
        lambda basis: _late_share(basis, YEAR_DAYS),
    ),
    # paid 3 days early and 2 days late: 2
    Fact(
        days(
            "max_days_late_12m",
            "Most days late, 12 months",
            "Most days from due date to payment among lines paid in the last 365 days; negative when all were early.",
            low=-40_000,
        ),
        lambda basis: mx(_paid(basis, YEAR_DAYS), nw.col("paid_late_days")),
    ),
    # invoiced 40 days ago, 3 days ago and today: 3
    Fact(
        days("days_since_invoice", "Days since the last invoice", "Days since the latest invoice date before today."),
        lambda basis: (
            lit(basis.as_of_day)
            - mx(
                nw.col("counts_before") & (nw.col("invoice_day") < lit(basis.as_of_day)),
                nw.col("invoice_day"),
            )
        ),
    ),
    # invoiced 100 yesterday, 200 91 days ago, 400 92 days ago: 300
    Fact(
        money("turnover_3m_minor", "Turnover, 3 months", "Invoiced in the last 91 days, credit notes not taken off."),
        lambda basis: _turnover(basis, QUARTER_DAYS),
    ),
    # invoiced 100 yesterday, 200 365 days ago, 400 366 days ago: 300
    Fact(
        money(
            "turnover_12m_minor", "Turnover, 12 months", "Invoiced in the last 365 days, credit notes not taken off."
        ),
        lambda basis: _turnover(basis, YEAR_DAYS),
    ),
)

# Over the credits of one customer.
PAYMENT_FACTS = (
    # payments 40 days and 3 days ago, one booked today: 3
    Fact(
        days("days_since_payment", "Days since the last payment", "Days since the last payment before today."),
        lambda basis: (
            lit(basis.as_of_day)
            - mx(nw.col("counts_before") & (nw.col("kind") == nw.lit("payment")), nw.col("booked_day"))
        ),
    ),
)
