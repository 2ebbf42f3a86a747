"""What a row of facts rests on: the day, the entity, the rates, and the frames read.

Facts depend on nothing else, so a past day can be asked again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from ledger.columns import DAYS_BOUND
from ledger.expressions import floor_div, lit, no_number
from ledger.money import LARGEST_CONVERTED, RATE_SCALE

YEAR_DAYS = 365
QUARTER_DAYS = 91

Frame = nw.LazyFrame[Any]
Frames = Mapping[str, Frame]
# How a frame that is read more than once is kept between. Pure rooms cannot cache: the
# caller may pass a function that does (Polars: a cache node of the plan; DuckDB, Spark:
# a table). The result never depends on it, the time does: five times without it.
Keep = Callable[[Frame], Frame]


def unkept(frame: Frame) -> Frame:
    """Keep nothing: every use computes the frame again."""
    return frame


_ENTRY: Mapping[str, Any] = {
    "id": nw.Int64,
    "customer_id": nw.Int64,
    "booked_day": nw.Int64,
    "recorded_day": nw.Int64,
}

# The columns each input frame must have; more are allowed. Nullable: everything that the
# tables say may be null. Frames are of one entity.
FRAMES: Mapping[str, Mapping[str, Any]] = {
    "customer": {
        "id": nw.Int64,
        "number": nw.String,
        "customer_group_id": nw.Int64,
        "country": nw.String,
        "terms_days": nw.Int64,
        "opened_day": nw.Int64,
    },
    "due_line": {
        **_ENTRY,
        "number": nw.String,
        "ordinal": nw.Int64,
        "invoice_day": nw.Int64,
        "due_day": nw.Int64,
        "amount_minor": nw.Int64,
        "currency": nw.String,
    },
    "credit": {**_ENTRY, "kind": nw.String, "amount_minor": nw.Int64, "currency": nw.String},
    "allocation": {**_ENTRY, "credit_id": nw.Int64, "due_line_id": nw.Int64, "amount_minor": nw.Int64},
    "reversal": {**_ENTRY, "target": nw.String, "target_id": nw.Int64},
    "dispute": {**_ENTRY, "due_line_id": nw.Int64, "amount_minor": nw.Int64},
    "dispute_closing": {**_ENTRY, "dispute_id": nw.Int64, "outcome": nw.String, "accepted_minor": nw.Int64},
    "promise": {
        **_ENTRY,
        "due_line_id": nw.Int64,
        "amount_minor": nw.Int64,
        "currency": nw.String,
        "promised_day": nw.Int64,
        "after_credit_id": nw.Int64,
    },
    "payment_plan": {**_ENTRY, "total_minor": nw.Int64},
    "plan_line": {**_ENTRY, "plan_id": nw.Int64, "due_line_id": nw.Int64},
    "instalment": {**_ENTRY, "plan_id": nw.Int64, "due_day": nw.Int64, "amount_minor": nw.Int64},
    "credit_limit": {**_ENTRY, "amount_minor": nw.Int64, "from_day": nw.Int64, "until_day": nw.Int64},
    "block": {
        **_ENTRY,
        "kind": nw.String,
        "due_line_id": nw.Int64,
        "from_day": nw.Int64,
        "until_day": nw.Int64,
    },
    "claim_entry": {**_ENTRY, "kind": nw.String, "amount_minor": nw.Int64, "currency": nw.String},
    "rating": {
        **_ENTRY,
        "agency": nw.String,
        "grade": nw.String,
        "score": nw.Int64,
        "pd_bp": nw.Int64,
        "limit_minor": nw.Int64,
        "currency": nw.String,
    },
    "financial_statement": {
        **_ENTRY,
        "period_end_day": nw.Int64,
        "months": nw.Int64,
        "consolidated": nw.Int64,
        "currency": nw.String,
        "revenue_minor": nw.Int64,
        "operating_result_minor": nw.Int64,
        "net_result_minor": nw.Int64,
        "total_assets_minor": nw.Int64,
        "current_assets_minor": nw.Int64,
        "equity_minor": nw.Int64,
        "current_liabilities_minor": nw.Int64,
        "total_debt_minor": nw.Int64,
        "interest_cost_minor": nw.Int64,
    },
    # Messages and calls that reached the customer; not an entry, the engine derives it from actions.
    "contact_made": {"customer_id": nw.Int64, "day": nw.Int64},
    # Exposure of each group in the other entities, from their last closed runs, in this base currency.
    "group_other": {"customer_group_id": nw.Int64, "exposure_minor": nw.Int64},
}


@dataclass(frozen=True)
class Basis:
    """The question a facts frame answers.

    Args:
        as_of_day: the day it is asked for; a line due that day is not late.
        entity: code of the entity.
        currency: the entity's base currency.
        rates_e9: per foreign currency, base minor units per foreign minor unit x 10**9,
            already resolved for the day. A currency that is missing makes the money
            facts that need it unknown.
        exposure_less_credits: whether open credit notes lower the exposure.
        exposure_less_unapplied: whether unapplied cash lowers the exposure.
        promise_tolerance_days: days after the promised day until a promise is broken.

    Raises:
        ValueError: the day or a rate is out of range.
    """

    as_of_day: int
    entity: str
    currency: str
    rates_e9: Mapping[str, int] = field(default_factory=dict)
    exposure_less_credits: bool = True
    exposure_less_unapplied: bool = True
    promise_tolerance_days: int = 3

    def __post_init__(self) -> None:
        if not -DAYS_BOUND <= self.as_of_day <= DAYS_BOUND:
            raise ValueError(f"as_of_day {self.as_of_day} is not within {DAYS_BOUND} days of 1970-01-01")
        for currency, rate in self.rates_e9.items():
            if not 0 < rate < 2**62:
                raise ValueError(f"the rate of {currency} must be positive and below 2**62, got {rate}")

    def with_base(self, frame: Frame, **amounts: nw.Expr) -> Frame:
        """Add amounts in the base currency, converted half up per row.

        Args:
            frame: with `currency`.
            amounts: by the name of the new column, an amount in the row's currency.

        Returns:
            The frame and the new columns: 0 stays 0; null without a rate, and where the
            result could pass LARGEST_CONVERTED: it never wraps.
        """
        is_base = nw.col("currency") == nw.lit(self.currency)
        foreign = {code: rate for code, rate in sorted(self.rates_e9.items()) if code != self.currency}
        if not foreign:
            return frame.with_columns(
                **{
                    name: nw.when(is_base | (amount == lit(0))).then(amount).otherwise(no_number())
                    for name, amount in amounts.items()
                }
            )
        # In steps with columns of their own: an expression that repeats its operand grows
        # tenfold with each division, and an engine that reads SQL would read megabytes.
        whole, part = no_number(), no_number()
        for code, rate in foreign.items():
            is_code = nw.col("currency") == nw.lit(code)
            whole = nw.when(is_code).then(lit(rate // RATE_SCALE)).otherwise(whole)
            part = nw.when(is_code).then(lit(rate % RATE_SCALE)).otherwise(part)
        steps = frame.with_columns(**amounts, _whole=whole, _part=part)
        steps = steps.with_columns(
            **{f"_{name}_high": floor_div(nw.col(name).abs(), lit(RATE_SCALE)) for name in amounts},
            _most=floor_div(lit(LARGEST_CONVERTED), nw.col("_whole") + lit(1)),
        )
        return steps.with_columns(
            **{
                name: nw.when(is_base | (nw.col(name) == lit(0))).then(nw.col(name)).otherwise(_converted(name))
                for name in amounts
            }
        ).drop("_whole", "_part", "_most", *(f"_{name}_high" for name in amounts))


def _converted(name: str) -> nw.Expr:
    """The amount x (_whole + _part / 10**9), half away from zero, no product above 10**18.

    The size is split at 10**9 like the rate; _high is its upper part.
    """
    size, high, part = nw.col(name).abs(), nw.col(f"_{name}_high"), nw.col("_part")
    low = size - high * lit(RATE_SCALE)
    rounded = floor_div(low * part + lit(RATE_SCALE // 2), lit(RATE_SCALE))
    result = size * nw.col("_whole") + high * part + rounded
    signed = nw.when(nw.col(name) < lit(0)).then(lit(0) - result).otherwise(result)
    return nw.when(size <= nw.col("_most")).then(signed).otherwise(no_number())
