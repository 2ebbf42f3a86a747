"""The promises of a customer with what became of each: asked of the same frames as every fact."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.frames import Frames, rows_of, schemas_of
from engine.open_amounts import standing
from engine.pipeline import Asking, Frame, Reading, kept_slots
from engine.ready_plans import PLAN_DAY, Slot
from engine.tables import Customer, DueLine, Promise
from ledger.balances import credit_states, live_allocations, settled_lines
from ledger.basis import Keep
from ledger.promises import promise_states

if TYPE_CHECKING:
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A promise and how it stands.

    Args:
        state: ``open``, ``kept`` or ``broken``.
        rest_minor: what an open one still promises.
        number: of its invoice; empty: for any of them.
    """

    promise: Promise
    state: str
    rest_minor: int
    number: str


def promises_of(runtime: "Runtime", ask: Asking, customer: Customer, read: Reading, most: int = 20) -> list[Told]:
    """The promises of a customer, those due last first.

    Args:
        ask: of today.
        read: the customer's rows, as its facts were computed from.
    """
    rows = standing(Promise, "promise").where(Promise.customer == customer)
    found = list(rows.order_by(Promise.promised_day.desc(), Promise.id.desc()).limit(most))
    if not found:
        return []
    of = (ask.entity.id, ask.edition, ask.begins)
    with kept_slots(runtime, "promises", of, lambda: _slot(ask, read)).slot() as slot:
        by_id = {row["id"]: row for row in rows_of(slot.answer(read.frames, ask.as_of_day))}
    numbers = dict(
        DueLine.select(DueLine.id, DueLine.number)
        .where(DueLine.id.in_([one.due_line_id for one in found if one.due_line_id]))
        .tuples()
    )
    told = []
    for one in found:
        row = by_id.get(one.id)
        if row is not None:  # one on a line that was taken back is none any more
            state = "broken" if row["is_broken"] else "open" if row["rest_minor"] else "kept"
            number = str(numbers.get(one.due_line_id, ""))
            told.append(Told(promise=one, state=state, rest_minor=row["rest_minor"], number=number))
    return told


def _slot(ask: Asking, read: Reading) -> Slot:
    """A plan of what became of promises that is ready."""
    basis = replace(ask, as_of_day=PLAN_DAY).basis

    def plan(frames: Frames, keep: Keep) -> Frame:
        allocations = keep(live_allocations(frames, PLAN_DAY))
        lines = settled_lines(frames, PLAN_DAY, allocations)
        return promise_states(frames, basis, allocations, lines, credit_states(frames, PLAN_DAY, allocations))

    return Slot(schemas_of(read.tables), plan)
