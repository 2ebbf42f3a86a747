"""What is at risk: the chance of not being paid in time, times what is due."""

from typing import Any

import narwhals as nw

from ledger.expressions import floor_div, lit

WHOLE_BP = 10_000


def with_risk(scored: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add at_risk_minor to a frame of scored facts.

    Args:
        scored: with overdue_net_minor (minor units, 0 or more, or null) and score_bp (0 to 10,000, or null).

    Returns:
        The frame with at_risk_minor added: overdue_net_minor times score_bp / 10,000, half up to the
        minor unit; null when either is.
    """
    amount, chance, whole = nw.col("overdue_net_minor"), nw.col("score_bp"), lit(WHOLE_BP)
    # Whole parts and rest apart: the product of the two would leave 64 bits at the largest amounts.
    parts = floor_div(amount, whole)
    rest = amount - parts * whole
    return scored.with_columns(
        (parts * chance + floor_div(rest * chance + lit(WHOLE_BP // 2), whole)).alias("at_risk_minor")
    )
