"""Features: what the model may know about a customer on a day.

A feature is an integer derived from the facts of that day, so that learning, a portfolio
run and one customer read the same columns. The facts of day D hold what was booked and
recorded by the end of D; the label looks at the days after it. With t = D + 1, every
feature therefore comes from facts strictly before t.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from ledger.expressions import floor_div, lit

THIN_HISTORY_PAID = 3  # fewer paid invoices than this in twelve months: "thin history"
FACTOR_BOUND = 9 * 10**14  # a larger amount times 10,000 leaves 64 bits
WHOLE_BP = 10_000


@dataclass(frozen=True, slots=True)
class Prior:
    """What an average customer's late share looks like, as integers.

    Args:
        share_bp: mean late share of the portfolio.
        strength: how many average invoices a customer's own history is mixed with.
    """

    share_bp: int
    strength: int


@dataclass(frozen=True, slots=True)
class Plain:
    """A fact as it is."""

    fact: str

    def column(self, prior: Prior) -> nw.Expr:
        """Return the feature as an expression over the facts."""
        return nw.col(self.fact).cast(nw.Int64)

    def of(self, row: Mapping[str, Any], prior: Prior) -> int | None:
        """Return the feature of one row of facts; null stays null."""
        value = row[self.fact]
        return None if value is None else int(value)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One amount over another in basis points.

    Null where the lower one is not positive, or the upper one so large that 64 bits do
    not hold it times 10,000 (more than 9 million million: no customer owes that).
    """

    upper: str
    lower: str

    def column(self, prior: Prior) -> nw.Expr:
        """Return the ratio as an expression over the facts."""
        upper, lower = nw.col(self.upper), nw.col(self.lower)
        known = (lower > lit(0)) & (upper > lit(-FACTOR_BOUND)) & (upper < lit(FACTOR_BOUND))
        # the division is computed on every row: rows that are not known get operands that cannot overflow
        safe = nw.when(known).then(upper).otherwise(lit(0))
        return nw.when(known).then(floor_div(safe * lit(WHOLE_BP), lower))

    def of(self, row: Mapping[str, Any], prior: Prior) -> int | None:
        """Return the ratio of one row of facts."""
        upper, lower = row[self.upper], row[self.lower]
        if upper is None or lower is None or lower <= 0 or abs(upper) >= FACTOR_BOUND:
            return None
        return int(upper * WHOLE_BP // lower)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A customer's own late share, drawn towards the portfolio's where few invoices speak.

    (late + strength x prior) / (paid + strength), in basis points: the rival shown beside
    every score, and the only use of the invoice count (scoring.md 1, findings 1 and 6).
    """

    share: str = "late_share_12m_bp"
    count: str = "paid_count_12m"

    def column(self, prior: Prior) -> nw.Expr:
        """Return the shrunk share as an expression; without a paid invoice it is the prior."""
        paid = nw.col(self.count)
        # the fact is floor(late x 10,000 / paid), so the ceiling restores late exactly
        late = floor_div(nw.col(self.share).fill_null(0) * paid + lit(WHOLE_BP - 1), lit(WHOLE_BP))
        weight = lit(prior.strength)
        return floor_div(late * lit(WHOLE_BP) + weight * lit(prior.share_bp), paid + weight)

    def of(self, row: Mapping[str, Any], prior: Prior) -> int | None:
        """Return the shrunk share of one row of facts."""
        paid = row[self.count]
        if paid is None:
            return None
        late = ((row[self.share] or 0) * paid + WHOLE_BP - 1) // WHOLE_BP
        return int((late * WHOLE_BP + prior.strength * prior.share_bp) // (paid + prior.strength))


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input of the model.

    Args:
        name: as in the model's JSON.
        source: how it follows from the facts.
        unit: ``bp``, ``days`` or ``count``; decides how a reason prints it.
        rising: whether more of it may only raise the score.
        falling: whether more of it may only lower the score. Not printed: names of models stay as they are.
        reason: features of one reason are merged before reasons are ranked.
        label: what it is called in a reason.
    """

    name: str
    source: Plain | Ratio | Shrunk
    unit: str
    rising: bool
    reason: str
    label: str
    falling: bool = field(default=False, repr=False)


FEATURES: tuple[Feature, ...] = (
    Feature(
        name="overdue_share_bp",
        source=Ratio("overdue_minor", "open_minor"),
        unit="bp",
        rising=True,
        reason="overdue",
        label="share of the open amount overdue",
    ),
    Feature(
        name="leader_days_past_due",
        source=Plain("leader_days_past_due"),
        unit="days",
        rising=True,
        reason="overdue",
        label="days past due of the oldest open item",
    ),
    Feature(
        name="overdue_count",
        source=Plain("overdue_count"),
        unit="count",
        rising=True,
        reason="overdue",
        label="overdue items",
    ),
    Feature(
        name="open_count",
        source=Plain("open_count"),
        unit="count",
        rising=True,
        reason="open",
        label="open items",
    ),
    Feature(
        name="open_to_turnover_bp",
        source=Ratio("open_minor", "turnover_12m_minor"),
        unit="bp",
        rising=True,
        reason="open",
        label="open amount against a year's sales",
    ),
    Feature(
        name="shrunk_late_share_bp",
        source=Shrunk(),
        unit="bp",
        rising=True,
        reason="habit",
        label="share of invoices paid late in 12 months",
    ),
    Feature(
        name="late_share_3m_bp",
        source=Plain("late_share_3m_bp"),
        unit="bp",
        rising=True,
        reason="habit",
        label="share of invoices paid late in 3 months",
    ),
    Feature(
        name="mean_days_late_12m",
        source=Plain("mean_days_late_12m"),
        unit="days",
        rising=True,
        reason="habit",
        label="mean days late in 12 months",
    ),
    Feature(
        name="max_days_late_12m",
        source=Plain("max_days_late_12m"),
        unit="days",
        rising=True,
        reason="habit",
        label="latest payment in 12 months, days late",
    ),
    Feature(
        name="days_since_payment",
        source=Plain("days_since_payment"),
        unit="days",
        rising=True,
        reason="silence",
        label="days since the last payment",
    ),
    # a customer who buys nothing any more cannot turn bad with what is not owed; which way, the ledger says
    Feature(
        name="days_since_invoice",
        source=Plain("days_since_invoice"),
        unit="days",
        rising=False,
        reason="sales",
        label="days since the last invoice",
    ),
    Feature(
        name="utilisation_bp",
        source=Plain("utilisation_bp"),
        unit="bp",
        rising=True,
        reason="limit",
        label="use of the credit limit",
    ),
    Feature(
        name="promises_broken_12m",
        source=Plain("promises_broken_12m"),
        unit="count",
        rising=True,
        reason="promises",
        label="broken promises in 12 months",
    ),
    Feature(
        name="disputes_open",
        source=Plain("disputes_open"),
        unit="count",
        rising=True,
        reason="disputes",
        label="open disputes",
    ),
    Feature(
        name="terms_days",
        source=Plain("terms_days"),
        unit="days",
        rising=False,
        reason="terms",
        label="payment terms",
    ),
)


# What others say of a customer. A model has these only where it learned from customers of whom it is known; a
# customer of whom it is not falls into a bin of its own, which the model learns like any other.
EXTERNAL: tuple[Feature, ...] = (
    Feature(
        name="rating_pd_bp",
        source=Plain("rating_pd_bp"),
        unit="bp",
        rising=True,
        reason="rating",
        label="default probability by external rating",
    ),
    Feature(
        name="open_to_rating_limit_bp",
        source=Ratio("open_minor", "rating_limit_minor"),
        unit="bp",
        rising=True,
        reason="rating",
        label="open amount against the limit an agency recommends",
    ),
    Feature(
        name="equity_ratio_bp",
        source=Plain("equity_ratio_bp"),
        unit="bp",
        rising=False,
        falling=True,
        reason="statement",
        label="equity ratio",
    ),
    Feature(
        name="debt_to_equity_bp",
        source=Plain("debt_to_equity_bp"),
        unit="bp",
        rising=True,
        reason="statement",
        label="debt to equity",
    ),
    Feature(
        name="current_ratio_bp",
        source=Plain("current_ratio_bp"),
        unit="bp",
        rising=False,
        falling=True,
        reason="statement",
        label="current assets over current liabilities",
    ),
    Feature(
        name="net_margin_bp",
        source=Plain("net_margin_bp"),
        unit="bp",
        rising=False,
        falling=True,
        reason="earnings",
        label="net margin",
    ),
    Feature(
        name="interest_cover_bp",
        source=Plain("interest_cover_bp"),
        unit="bp",
        rising=False,
        falling=True,
        reason="earnings",
        label="interest cover",
    ),
)
WITH_EXTERNAL: tuple[Feature, ...] = (*FEATURES, *EXTERNAL)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


def features_sha256(features: Sequence[Feature]) -> str:
    """Return what names the features of a model."""
    falling = [feature.name for feature in features if feature.falling]
    said = repr(tuple(features)) + (repr(falling) if falling else "")
    return hashlib.sha256(said.encode()).hexdigest()


# The features a model may have learned from, by the name its document gives.
FEATURE_SETS: Mapping[str, tuple[Feature, ...]] = {features_sha256(one): one for one in (FEATURES, WITH_EXTERNAL)}


def facts_of(features: Iterable[Feature]) -> tuple[str, ...]:
    """Return the facts that features read, each once."""
    read: dict[str, None] = {}
    for feature in features:
        source = feature.source
        match source:
            case Plain():
                read[source.fact] = None
            case Ratio():
                read |= {source.upper: None, source.lower: None}
            case Shrunk():
                read |= {source.share: None, source.count: None}
    return tuple(read)


FACTS_READ: tuple[str, ...] = facts_of(FEATURES)
FACTS_KNOWN: tuple[str, ...] = facts_of(WITH_EXTERNAL)  # that any model reads


def feature_columns(prior: Prior, features: Sequence[Feature] = FEATURES) -> list[nw.Expr]:
    """Return every feature as an expression over the facts, in order."""
    return [feature.source.column(prior).alias(feature.name) for feature in features]


def feature_row(row: Mapping[str, Any], prior: Prior, features: Sequence[Feature] = FEATURES) -> dict[str, int | None]:
    """Return every feature of one customer's facts: the columns' values, without a frame."""
    return {feature.name: feature.source.of(row, prior) for feature in features}
