"""Facts from ratings and financial statements: the latest that was known before the day.

Pure, over the frames of ``ledger.basis.FRAMES``. A rating or a statement counts once it is both dated and recorded
strictly before the day asked for, so that what is entered today changes nothing that today decides; one that
was corrected counts as it was until the correction. Customers without any cost a join with a short frame.
"""

import narwhals as nw

from ledger.basis import Basis, Frame, Frames
from ledger.columns import COUNT_BOUND, MONEY_BOUND, Column, Kind
from ledger.declare import Fact, code, computed, days
from ledger.expressions import DAY_PACK, at_most, floor_div, known_before, lit, no_number
from ledger.external import FACTOR_BOUND, RATIOS, SCORE_MAX, WHOLE_BP, YEAR_MONTHS


def _ratio(name: str, label: str, meaning: str, *, low: int = -COUNT_BOUND, high: int = COUNT_BOUND) -> Column:
    return Column(name=name, kind=Kind.RATIO, nullable=True, label=label, meaning=meaning, low=low, high=high)


def _count(name: str, label: str, meaning: str, high: int) -> Column:
    return Column(name=name, kind=Kind.COUNT, nullable=True, label=label, meaning=meaning, low=0, high=high)


def _amount(name: str, label: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.MONEY, nullable=True, label=label, meaning=meaning, low=0, high=MONEY_BOUND)


def _said(name: str) -> nw.Expr:
    """A text that is there; a blank one is unknown."""
    return nw.when(nw.col(name) != nw.lit("")).then(nw.col(name))


def _share(name: str) -> nw.Expr:
    """A ratio in basis points, rounded down; unknown unless what it is a share of is above 0."""
    above, below = (nw.col(f"{amount}_minor") for amount in RATIOS[name])
    known = (below > lit(0)) & (above < lit(FACTOR_BOUND)) & (above > lit(-FACTOR_BOUND))
    # The division is computed on every row: rows that are not known get operands that cannot overflow.
    share = floor_div(nw.when(known).then(above).otherwise(lit(0)) * lit(WHOLE_BP), below)
    within = at_most(share, lit(COUNT_BOUND))
    within = nw.when(within < lit(-COUNT_BOUND)).then(lit(-COUNT_BOUND)).otherwise(within)
    return nw.when(known).then(within).otherwise(no_number())


# Over the latest rating of a customer, its limit in the base currency as limit_base.
RATING_FACTS = (
    # Creditreform rated the customer last: "Creditreform"
    Fact(
        code("rating_agency", "Rating agency", "Who gave the latest external rating.", nullable=True),
        lambda _: _said("agency"),
    ),
    # grade "BB" as printed: BB
    Fact(
        code("rating_grade", "Rating grade", "Grade of the latest external rating, as printed.", nullable=True),
        lambda _: _said("grade"),
    ),
    # an index of 250: 250
    Fact(
        _count(
            "rating_score",
            "Rating score",
            "Figure of the latest external rating as printed; which way is better is the agency's.",
            SCORE_MAX,
        ),
        lambda _: nw.col("score"),
    ),
    # 0.35 per cent a year: 35
    Fact(
        _ratio(
            "rating_pd_bp",
            "Default probability by rating",
            "Chance of a default within a year that goes with the latest external rating.",
            low=0,
            high=WHOLE_BP,
        ),
        lambda _: nw.col("pd_bp"),
    ),
    # valid since 40 days: 40
    Fact(
        days("rating_age_days", "Age of the rating", "Days since the latest external rating holds."),
        lambda basis: lit(basis.as_of_day) - nw.col("booked_day"),
    ),
    # the agency recommends 50,000: 50,000
    Fact(
        _amount("rating_limit_minor", "Limit by rating", "Credit limit that the latest external rating recommends."),
        lambda _: nw.col("limit_base"),
    ),
)

# Over the latest statement of a customer, its revenue of a year in the base currency as revenue_base.
STATEMENT_FACTS = (
    # a year that ended 200 days ago: 200
    Fact(
        days("statement_age_days", "Age of the financial statement", "Days since the end of the latest one's period."),
        lambda basis: lit(basis.as_of_day) - nw.col("period_end_day"),
    ),
    # 600 in six months: 1,200
    Fact(
        _amount("statement_revenue_minor", "Revenue by statement", "Revenue of a year by the latest statement."),
        lambda _: nw.col("revenue_base"),
    ),
    # equity 250 of assets of 1,000: 2,500; equity -100: -1,000
    Fact(
        _ratio("equity_ratio_bp", "Equity ratio", "Equity as a share of total assets; below zero when it is lost."),
        lambda _: _share("equity_ratio_bp"),
    ),
    # current assets 300 over current liabilities 200: 15,000
    Fact(
        _ratio("current_ratio_bp", "Current ratio", "Current assets over current liabilities; 10,000 is one to one."),
        lambda _: _share("current_ratio_bp"),
    ),
    # a loss of 50 on revenue of 1,000: -500
    Fact(
        _ratio("net_margin_bp", "Net margin", "Net result as a share of revenue; below zero for a loss."),
        lambda _: _share("net_margin_bp"),
    ),
    # debt 600 over equity 300: 20,000; equity 0 or less: unknown
    Fact(
        _ratio("debt_to_equity_bp", "Debt to equity", "Financial debt over equity; unknown where equity is lost."),
        lambda _: _share("debt_to_equity_bp"),
    ),
    # an operating result of 300 over interest of 100: 30,000
    Fact(
        _ratio(
            "interest_cover_bp",
            "Interest cover",
            "Operating result over interest cost; 10,000 is once; unknown without interest.",
        ),
        lambda _: _share("interest_cover_bp"),
    ),
)


def said_by_others(frames: Frames, basis: Basis) -> Frame:
    """Per customer with a rating or a statement known before the day: its facts, as one short frame to join."""
    rated, stated = latest_rating(frames, basis), latest_statement(frames, basis)
    both = rated.join(stated, on="customer_id", how="full", suffix="_stated")
    facts = [fact.column.name for fact in (*RATING_FACTS, *STATEMENT_FACTS)]
    return both.select(nw.coalesce("customer_id", "customer_id_stated").alias("customer_id"), *facts)


def latest_rating(frames: Frames, basis: Basis) -> Frame:
    """Per customer with a rating known before the day: its facts. Of several the one that holds from the latest day."""
    rows = _known(frames, "rating", basis.as_of_day)
    latest = _latest(rows, nw.col("booked_day") * lit(DAY_PACK) + nw.col("id"), DAY_PACK)
    return basis.with_base(latest, limit_base=nw.col("limit_minor")).select(
        "customer_id", *computed(RATING_FACTS, basis)
    )


def latest_statement(frames: Frames, basis: Basis) -> Frame:
    """Per customer with a statement known before the day: its facts.

    Of several the one whose period ended last; of two of one day the customer's own before its group's.
    """
    rows = _known(frames, "financial_statement", basis.as_of_day)
    own = (lit(1) - nw.col("consolidated")) * lit(DAY_PACK)
    latest = _latest(rows, nw.col("period_end_day") * lit(2 * DAY_PACK) + own + nw.col("id"), DAY_PACK)
    year = floor_div(nw.col("revenue_minor") * lit(YEAR_MONTHS), nw.col("months"))
    return basis.with_base(latest, revenue_base=year).select("customer_id", *computed(STATEMENT_FACTS, basis))


def _known(frames: Frames, table: str, day: int) -> Frame:
    """Entries known before a day and not taken back before it: what `counts_before` of ``ledger.balances.live`` says.

    Without what a balance needs beside: these frames are in every plan of a single customer.
    """
    taken_back = frames["reversal"].filter((nw.col("target") == nw.lit(table)) & known_before(day))
    back = taken_back.select(nw.col("target_id").alias("id"))
    return frames[table].filter(known_before(day)).join(back, on="id", how="anti")


def _latest(rows: Frame, packed: nw.Expr, pack: int) -> Frame:
    """Of each customer the row with the largest key, whose last part is the id."""
    largest = rows.group_by("customer_id").agg(packed.max().cast(nw.Int64).alias("packed"))
    return rows.join(largest.select((nw.col("packed") % lit(pack)).alias("id")), on="id", how="inner")
