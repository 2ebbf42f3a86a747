"""What a row of facts rests on: the day, the entity, the rates, and the frames read.

Facts depend on nothing else, so a past day can be asked again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from ledger.columns import DAYS_BOUND
from ledger.expressions import no_number
from ledger.money import converted

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
    "dispute_closing": {**_ENTRY, "dispute_id": nw.Int64},
    "promise": {
        **_ENTRY,
        "due_line_id": nw.Int64,
        "amount_minor": nw.Int64,
        "currency": nw.String,
        "promised_day": nw.Int64,
    },
    "credit_limit": {**_ENTRY, "amount_minor": nw.Int64, "from_day": nw.Int64, "until_day": nw.Int64},
    "block": {
        **_ENTRY,
        "kind": nw.String,
        "due_line_id": nw.Int64,
        "from_day": nw.Int64,
        "until_day": nw.Int64,
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

    def in_base(self, amount: nw.Expr, currency: nw.Expr) -> nw.Expr:
        """Convert a column into the base currency, half up per item; null without a rate."""
        result = no_number()
        for code, rate in sorted(self.rates_e9.items()):
            if code != self.currency:
                result = nw.when(currency == nw.lit(code)).then(converted(amount, rate)).otherwise(result)
        return nw.when(currency == nw.lit(self.currency)).then(amount).otherwise(result)
