"""Cash forecast of an entity: by payment behaviour, promises and disputes, with a range, beside what came in.

Computed from the entries for any day: as of a day gone by, with what was known then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.backtesting import ledgers_of
from engine.frames import collected, columns_of, read_frames, rows_of
from engine.pipeline import asking
from engine.tables import Entity
from ledger.account import customer_blocks
from ledger.balances import live
from ledger.basis import Basis, Frames
from ledger.days import date_of
from ledger.disputes import open_disputes
from ledger.forecast import Expectation, expected_day
from ledger.state import parts_of
from scoring.cash import WEEKS, Forecast, came_in, forecast
from scoring.cash_claims import Claims, kept_shares, mean_days, with_claims
from scoring.cash_habits import WEEK_DAYS, OpenInvoices, open_invoices, own_days_late, portfolio_days_late, week_chances
from scoring.cash_hazard import Hazards
from scoring.invoice_features import RECENT
from scoring.learning import SEED
from scoring.past import Floats

if TYPE_CHECKING:
    from engine.runtime import Runtime

HORIZON_DAYS = WEEKS * WEEK_DAYS
DISPUTE_DAYS = 30  # until a dispute is over, where none ever was
RESOLVED_DAYS = 365  # disputes closed within so many days say how long they take


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week, in minor units of the base currency.

    Args:
        begins: its first day.
        expected: the mean; typical: the median; low, high: where 80 of 100 such weeks lie.
        dated: by the dated forecast: due date and mean delay, promise, dispute.
        promised: what is promised for it.
        came: what came in of the invoices that were open; None: not over yet.
    """

    begins: int
    expected: int
    typical: int
    low: int
    high: int
    dated: int
    promised: int
    came: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashForecast:
    """What is forecast as of a day.

    Args:
        learned: whether there was enough history to learn from; else by habits alone.
        invoices, open_minor: forecast.
        litigation_minor: of insolvent customers and those handed over: off the forecast.
        part_paid_minor: what part payments left open, and what has no due date or no rate: not forecast.
        weeks: thirteen.
    """

    as_of_day: int
    currency: str
    learned: bool
    invoices: int
    open_minor: int
    litigation_minor: int
    part_paid_minor: int
    weeks: tuple[Week, ...]

    def values(self) -> dict[str, Any]:
        """JSON-able."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "weeks"}
        names = [name for name in Week.__dataclass_fields__ if name != "begins"]
        weeks = [
            {"begins": date_of(one.begins).isoformat()} | {name: getattr(one, name) for name in names}
            for one in self.weeks
        ]
        return found | {"as_of_day": date_of(self.as_of_day).isoformat(), "weeks": weeks}


def cash_forecasts(
    runtime: "Runtime", entity: Entity, days: Sequence[int], today: int | None = None
) -> list[CashForecast]:
    """Forecast the thirteen weeks that begin on each of some days, each with what was known before it.

    Args:
        days: any.
        today: weeks that are over by then show what came in; the entity's today if left out.

    Returns:
        One per day; none where there are no invoices.
    """
    until = runtime.today(entity) if today is None else today
    ledgers = ledgers_of(runtime, [entity], max(days))
    hazards = Hazards(ledgers[0]) if ledgers else None
    return [_forecast(runtime, entity, hazards, day, until) for day in days] if hazards else []


def _forecast(runtime: "Runtime", entity: Entity, hazards: Hazards, day: int, today: int) -> CashForecast:
    ledger = hazards.ledger
    basis = asking(runtime, entity, day - 1).basis  # the end of the day before: what was known before the day
    read = read_frames(runtime, entity, as_of_day=day - 1)
    frames = {name: collected(frame) for name, frame in read.items() if name != "previous"}
    everything = open_invoices(ledger, day)
    lost = {row["customer_id"] for row in rows_of(customer_blocks(frames, day - 1)) if _is_lost(row)}
    kept = ~np.isin(everything.customer_id, sorted(lost))
    asked = everything.only(kept)
    claims, open_minor = _claims(frames, basis, ledger.lines["line_id"][asked.place], asked, day)
    learned = hazards.chances(asked, day, WEEKS)
    by_habit = week_chances(ledger, asked, day, WEEKS) if learned is None else learned
    chances = with_claims(by_habit, claims, day)
    came = came_in(ledger, asked, day, WEEKS)
    litigation = int(everything.amount[~kept].sum())
    whole = int(asked.amount.sum())
    return CashForecast(
        as_of_day=day,
        currency=str(entity.currency),
        learned=learned is not None,
        invoices=len(asked.place),
        open_minor=whole,
        litigation_minor=litigation,
        part_paid_minor=max(open_minor - whole - litigation, 0),
        weeks=_weeks(
            forecast(asked, chances, SEED), _dated(hazards, asked, claims, day), asked, claims, day, came, today
        ),
    )


def _is_lost(row: dict[str, Any]) -> bool:
    return bool(row["bankrupt"] or row["given_away"])


def _weeks(
    found: Forecast,
    dated: Floats,
    asked: OpenInvoices,
    claims: Claims,
    day: int,
    came: Floats,
    today: int,
) -> tuple[Week, ...]:
    spoken = ~np.isnan(claims.promised_day)
    promised = _by_week(claims.promised_day[spoken], (asked.amount * claims.promised_share)[spoken], day)
    columns = (found.expected, found.typical, found.low, found.high, dated, promised, came)
    weeks = []
    for place, figures in enumerate(zip(*(np.rint(column).astype(np.int64).tolist() for column in columns))):
        expected, typical, low, high, by_date, said, real = figures
        begins = day + WEEK_DAYS * place
        weeks.append(
            Week(
                begins=begins,
                expected=expected,
                typical=typical,
                low=low,
                high=high,
                dated=by_date,
                promised=said,
                came=real if begins + WEEK_DAYS <= today else None,
            )
        )
    return tuple(weeks)


def _by_week(days: Floats, amounts: Floats, day: int) -> Floats:
    week = np.floor_divide(np.maximum(days, day) - day, WEEK_DAYS)
    inside = week < WEEKS
    return np.bincount(week[inside].astype(np.int64), weights=amounts[inside], minlength=WEEKS).astype(np.float64)


def _dated(hazards: Hazards, asked: OpenInvoices, claims: Claims, day: int) -> Floats:
    """The dated forecast: each invoice whole on the one day it is expected."""
    own, portfolio = own_days_late(hazards.ledger, asked, day, RECENT), portfolio_days_late(hazards.ledger, day)
    count = (~np.isnan(own)).sum(axis=1)
    usual = float(portfolio.mean()) if len(portfolio) else 0.0
    delay = np.where(count > 0, np.nan_to_num(own).sum(axis=1) / np.maximum(count, 1), usual)
    rows = zip(asked.due_day, delay, claims.promised_day, claims.waits_days, claims.disputed_share, strict=True)
    days = [
        expected_day(
            Expectation(
                due_day=int(due),
                promised_day=None if np.isnan(promised) else int(promised),
                resolution_days=int(waits) if share > 0 else None,
            ),
            day,
            int(late),
        )
        for due, late, promised, waits, share in rows
    ]
    known = np.array([np.inf if one is None else one for one in days], dtype=np.float64)
    return _by_week(known[np.isfinite(known)], asked.amount[np.isfinite(known)], day)


def _claims(frames: Frames, basis: Basis, line_ids: Any, asked: OpenInvoices, day: int) -> tuple[Claims, int]:
    """What is said of the open invoices, and how much is open in all."""
    parts = parts_of(frames, basis, collected)
    names = ("id", "open_base", "disputed_base", "promised_base")
    lines = {row[0]: row[1:] for row in zip(*columns_of(parts.lines.select(*names), *names), strict=True)}
    tolerance = basis.promise_tolerance_days
    by_line: dict[int, int] = {}
    by_customer: dict[int, int] = {}
    kept: dict[int, int] = {}
    broken: dict[int, int] = {}
    for row in rows_of(parts.promises):
        customer, line, promised = row["customer_id"], row["due_line_id"], row["deadline_day"] - tolerance
        if row["rest_minor"] > 0:
            at, one = (by_customer, customer) if line is None else (by_line, line)
            at[one] = min(promised, at.get(one, promised))
        else:
            counted = broken if row["is_broken"] else kept
            counted[customer] = counted.get(customer, 0) + 1
    days = [
        by_line.get(line, by_customer.get(customer, np.nan))
        for line, customer in zip(line_ids.tolist(), asked.customer_id.tolist(), strict=True)
    ]
    amounts = [[value or 0 for value in lines.get(line, (0, 0, 0))] for line in line_ids.tolist()]
    table = np.array(amounts, dtype=np.float64).reshape(len(line_ids), 3)
    whole = np.maximum(table[:, 0], 1.0)
    promised_share = np.clip(table[:, 2] / whole, 0.0, 1.0)
    claims = Claims(
        np.where(promised_share > 0, np.array(days, dtype=np.float64).reshape(len(line_ids)), np.nan),
        promised_share,
        kept_shares(asked.customer_id, kept, broken),
        np.clip(table[:, 1] / whole, 0.0, 1.0),
        _waits(frames, line_ids, day),
    )
    return claims, sum(max(one[0] or 0, 0) for one in lines.values())


def _waits(frames: Frames, line_ids: Any, day: int) -> Floats:
    """Days until the oldest open dispute of each line is expected to be over; at least a week while it is open."""
    opened = {row["id"]: (row["due_line_id"], row["booked_day"]) for row in rows_of(live(frames, "dispute", day - 1))}
    closings = rows_of(frames["dispute_closing"])
    spans = [
        row["booked_day"] - opened[row["dispute_id"]][1]
        for row in closings
        if row["dispute_id"] in opened and day - RESOLVED_DAYS <= row["booked_day"] < day
    ]
    usual = mean_days(spans, DISPUTE_DAYS)
    waits: dict[int, int] = {}
    for row in rows_of(open_disputes(frames, day - 1)):
        line, since = opened[row["id"]]
        waits[line] = max(usual - (day - since), WEEK_DAYS, waits.get(line, 0))
    return np.array([waits.get(line, 0) for line in line_ids.tolist()], dtype=np.float64)
