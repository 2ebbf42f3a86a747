"""Rivals: what a score must beat, shown beside it (scoring.md 1, finding 1).

The customer's own share of late invoices, shrunk towards the portfolio's by empirical
Bayes, needs no learning at all.
"""

from collections.abc import Iterable

from scoring.features import WHOLE_BP, Prior

STRENGTH_LOW, STRENGTH_HIGH = 1, 100
NO_HISTORY = Prior(2_000, 5)


def prior_of(histories: Iterable[tuple[int, int]]) -> Prior:
    """Estimate the portfolio's prior from customers' histories.

    Args:
        histories: late and paid invoices of each customer.

    Returns:
        The mean share and how strongly it binds: the moments of a beta distribution, so
        that a portfolio of equals shrinks much and a mixed one little.

    >>> prior_of([(0, 10), (10, 10), (0, 10), (10, 10)]).share_bp
    5000
    """
    counted = [(late, paid) for late, paid in histories if paid > 0]
    invoices = sum(paid for _, paid in counted)
    if len(counted) < 2:
        return NO_HISTORY
    mean = sum(late for late, _ in counted) / invoices
    share_bp = round(mean * WHOLE_BP)
    spread = sum(paid * (late / paid - mean) ** 2 for late, paid in counted)
    # between-customer variance: the spread left over after what chance alone gives (ANOVA estimator)
    weight = invoices - sum(paid * paid for _, paid in counted) / invoices
    within = sum(late * (paid - late) / paid for late, paid in counted) / max(invoices - len(counted), 1)
    between = (spread - (len(counted) - 1) * within) / weight if weight > 0 else 0.0
    if between <= 0 or within <= 0:
        return Prior(share_bp, STRENGTH_HIGH if between <= 0 else STRENGTH_LOW)
    return Prior(share_bp, min(max(round(within / between), STRENGTH_LOW), STRENGTH_HIGH))
