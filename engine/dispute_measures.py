"""How long disputes take: closed ones by their median, open ones by their age; by cause, owner and segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from engine import access
from engine.disputes import Told, told, with_closings
from engine.tables import Dispute, DisputeClosing, Entity, Outcome

if TYPE_CHECKING:
    from engine.runtime import Runtime

BY = ("cause", "owner", "segment")
WINDOW_DAYS = 365
AGES = (7, 30)  # last day of the first two of three ages of open ones
DISPUTES_MAX = 100_000  # the latest are measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Disputes of one kind.

    Args:
        key: the cause, role or segment; empty: none.
        closed: in the last 365 days.
        median_days: from opening to end of those, half days up; None without any.
        accepted: of those.
        open: now, of which ``ages`` up to 7, up to 30 and more days, and ``late`` beyond their deadline.
    """

    key: str
    closed: int
    median_days: int | None
    accepted: int
    open: int
    ages: tuple[int, int, int]
    late: int

    @property
    def figures(self) -> tuple[int | None, ...]:
        """All of them in the order of the page."""
        return (self.closed, self.median_days, self.accepted, self.open, *self.ages, self.late)


def measures_of(runtime: "Runtime", user: int, entities: Sequence[Entity]) -> dict[str, list[Measure]]:
    """The measures of what a user may see: under ``all``, and under each of ``BY``, the most disputes first."""
    today = {entity.id: runtime.today(entity) for entity in entities}
    since = min(today.values(), default=0) - WINDOW_DAYS
    recent = DisputeClosing.id.is_null() | (DisputeClosing.booked_day > since)
    rows = access.visible_to(user, with_closings().where(recent)).order_by(Dispute.id.desc()).limit(DISPUTES_MAX)
    found = told(rows, today)
    segments = dict(
        Outcome.select(Outcome.customer, Outcome.segment)
        .where(Outcome.customer.in_(access.visible_to(user, with_closings().where(recent)).select(Dispute.customer)))
        .tuples()
    )
    keyed = {
        "all": [("", one) for one in found],
        "cause": [(str(one.dispute.cause), one) for one in found],
        "owner": [(one.hand.owner_role, one) for one in found],
        "segment": [(segments.get(one.dispute.customer_id) or "", one) for one in found],
    }
    return {by: _measured(pairs) for by, pairs in keyed.items()}


def _measured(pairs: list[tuple[str, Told]]) -> list[Measure]:
    groups: dict[str, list[Told]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return sorted(
        (measure(key, ones) for key, ones in groups.items()), key=lambda one: (-one.closed - one.open, one.key)
    )


def measure(key: str, ones: Sequence[Told]) -> Measure:
    """Measure some disputes."""
    closed = [one for one in ones if one.closing is not None]
    waiting = [one for one in ones if one.closing is None]
    young = sum(one.days <= AGES[0] for one in waiting)
    middle = sum(AGES[0] < one.days <= AGES[1] for one in waiting)
    doubled = int(2 * median(one.days for one in closed)) if closed else 0
    return Measure(
        key=key,
        closed=len(closed),
        median_days=(doubled + 1) // 2 if closed else None,
        accepted=sum(one.state == "accepted" for one in closed),
        open=len(waiting),
        ages=(young, middle, len(waiting) - young - middle),
        late=sum(one.late for one in waiting),
    )
