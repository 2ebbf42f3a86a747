"""The promises of a customer with what became of each: asked of the same frames as every fact."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.frames import read_frames, rows_of
from engine.open_amounts import standing
from engine.pipeline import asking
from engine.tables import Customer, DueLine, Promise
from ledger.balances import credit_states, live_allocations, settled_lines
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


def promises_of(runtime: "Runtime", customer: Customer, most: int = 20) -> list[Told]:
    """The promises of a customer, those due last first."""
    rows = standing(Promise, "promise").where(Promise.customer == customer)
    found = list(rows.order_by(Promise.promised_day.desc(), Promise.id.desc()).limit(most))
    if not found:
        return []
    day = runtime.today(customer.entity)
    frames = read_frames(runtime, customer.entity, [customer.id], day)
    allocations = live_allocations(frames, day)
    lines = settled_lines(frames, day, allocations)
    credit_rows = credit_states(frames, day, allocations)
    basis = asking(runtime, customer.entity, day).basis
    states = promise_states(frames, basis, allocations, lines, credit_rows)
    by_id = {row["id"]: row for row in rows_of(states)}
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
