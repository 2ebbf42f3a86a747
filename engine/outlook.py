"""An outlook: the days that were looked at ahead, added up by week, step and collector.

Two sides stand beside each other: what is in force, and with the change where there is one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from engine.carrying import BEGUN
from engine.forward import Day, Pair
from engine.frames import collected, from_rows, rows_of
from ledger.expressions import floor_div, lit
from rules.policies import Step

Frame = nw.LazyFrame[Any]
WEEK_DAYS = 7
WORK = ("call", "task")  # channels that are a person's work; the others are messages


@dataclass(frozen=True, slots=True)
class Count:
    """So many steps, about so much money (minor units)."""

    steps: int = 0
    about_minor: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.steps + other.steps, self.about_minor + other.about_minor)


@dataclass(frozen=True, slots=True)
class Load:
    """What one collector gets in a week.

    Args:
        most: messages on the fullest day, to be held against the daily cap.
    """

    messages: int = 0
    work: int = 0
    most: int = 0


@dataclass(frozen=True)
class Side:
    """The days of one side.

    Args:
        begun: every step that begins (``engine.carrying.BEGUN``), with its ``week`` from 0.
    """

    days: tuple[Day, ...]
    begun: Frame = field(repr=False)

    @property
    def steps(self) -> dict[str, tuple[Step, str]]:
        """The steps of the policies that decide on one of the days, by key, with their scenarios."""
        return {key: step for day in self.days for key, step in day.steps.items()}

    def weeks(self) -> list[Sequence[Day]]:
        """The days week by week; the last may be shorter."""
        return [self.days[start : start + WEEK_DAYS] for start in range(0, len(self.days), WEEK_DAYS)]

    def counts(self) -> dict[tuple[str, str, int], Count]:
        """By step, channel and week how many begin."""
        rows = rows_of(
            self.begun.group_by("step", "channel", "week").agg(
                nw.len().alias("steps"), nw.col("about_minor").sum().alias("about")
            )
        )
        return {
            (row["step"], row["channel"], int(row["week"])): Count(int(row["steps"]), int(row["about"] or 0))
            for row in rows
        }

    def by_day(self) -> Counter[int]:
        """How many steps begin on each day."""
        rows = rows_of(self.begun.group_by("day").agg(nw.len().alias("steps")))
        return Counter({int(row["day"]): int(row["steps"]) for row in rows})

    def customers(self) -> int:
        """How many customers any step is about."""
        (row,) = rows_of(self.begun.select(nw.col("customer_id").n_unique().alias("n")))
        return int(row["n"])

    def loads(self) -> dict[tuple[int | None, int], Load]:
        """By collector (None: nobody) and week, what there is to do."""
        rows = rows_of(self.begun.group_by("collector", "week", "day", "channel").agg(nw.len().alias("steps")))
        found: dict[tuple[int | None, int], Load] = {}
        days: Counter[tuple[int | None, int, int]] = Counter()
        for row in rows:
            key, many = (row["collector"], int(row["week"])), int(row["steps"])
            load = found.get(key, Load())
            if row["channel"] in WORK:
                found[key] = Load(load.messages, load.work + many)
            else:
                found[key] = Load(load.messages + many, load.work)
                days[(*key, row["day"])] += many
        for (collector, week, _day), many in days.items():
            load = found[collector, week]
            found[collector, week] = Load(load.messages, load.work, max(load.most, many))
        return found

    def rows(self, **wanted: Any) -> Frame:
        """The steps of a cell: ``rows(week=2, step="standard-p4")``; None of ``collector`` is a value of its own.

        The largest amounts come first.
        """
        frame = self.begun
        for name, value in wanted.items():
            frame = frame.filter(nw.col(name).is_null() if value is None else nw.col(name) == nw.lit(value))
        return frame.with_columns(nw.col("about_minor").fill_null(0).alias("rank")).sort(
            "rank", "day", "customer_id", descending=[True, False, False]
        )


@dataclass(frozen=True)
class Outlook:
    """What was looked at ahead.

    Args:
        changed: None where only what is in force was asked for.
        at: the instant it was computed.
    """

    live: Side
    changed: Side | None
    at: int

    @property
    def sides(self) -> Mapping[str, Side]:
        """By name; ``live`` first."""
        return {"live": self.live, **({} if self.changed is None else {"then": self.changed})}


def outlook_of(pairs: Sequence[Pair], at: int) -> Outlook:
    """Put the days of both sides together."""
    changed = [pair.changed for pair in pairs if pair.changed is not None]
    return Outlook(_side([pair.live for pair in pairs]), _side(changed) if changed else None, at)


def _side(days: Sequence[Day]) -> Side:
    begun = nw.concat([from_rows([], BEGUN), *(day.begun for day in days)])
    week = floor_div(nw.col("day") - lit(days[0].day), lit(WEEK_DAYS))
    return Side(tuple(days), collected(begun.with_columns(week.alias("week"))))
