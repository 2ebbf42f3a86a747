"""The claim account of a customer: late interest, fixed sums and costs beside the ledger, as of a day.

Read only (``engine.charging`` books). The accounts are master of the principal: nothing here changes
an open amount, ageing, DSO or the leader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.editions import rates_on
from engine.regimes import Laws, laws_of
from engine.tables import (
    Allocation,
    ClaimEntry,
    Credit,
    Customer,
    Dispute,
    DisputeClosing,
    DueLine,
    Entity,
    Reversal,
)
from ledger.claims import (
    Balance,
    Booked,
    Charging,
    Exchange,
    LateLine,
    LineClaim,
    balances,
    charging,
    line_claims,
)
from ledger.interest import Contested, Debt, Owed, Regime, in_legal_order, principal_after, regime_for
from ledger.money import RATE_SCALE, half_up
from ledger.problems import Problem

if TYPE_CHECKING:
    from engine.runtime import Runtime

REVERSED = ("due_line", "credit", "allocation", "dispute", "claim_entry")


@dataclass(frozen=True)
class ClaimAccount:
    """All that is claimed beside the principal, and how it comes about.

    Args:
        regime: the law of this customer's debts; None: none in force fits.
        regime_sha256: of its document.
        claims: every line that was ever late, with its interest.
        lines: every line past due by id, late interest or not.
        credited: by line, what is no money of what was set against it: (day, amount).
        entries: in force, in the order they were booked.
        rows: the same as they are kept.
        balances: by currency.
        problems: why something cannot be known.
    """

    customer: Customer
    day: int
    regime: Regime | None
    regime_sha256: str
    claims: tuple[LineClaim, ...]
    lines: Mapping[int, LateLine]
    credited: Mapping[int, tuple[tuple[int, int], ...]]
    entries: tuple[Booked, ...]
    rows: tuple[ClaimEntry, ...]
    balances: tuple[Balance, ...]
    problems: tuple[Problem, ...]
    exchange: Exchange

    @property
    def overtaken(self) -> bool:
        """Whether interest of days beyond the end of the rate table is in it, at its last rate."""
        return any(claim.interest.overtaken for claim in self.claims)

    def is_open(self, claim: LineClaim) -> bool:
        """Whether a line still bears interest or may again: it is not paid in full."""
        debt = claim.line.debt
        return sum(amount for _, amount in debt.settled) < debt.amount_minor

    def due(self, since_day: int | None = None) -> tuple[LineClaim, ...]:
        """The lines that are charged: open or charged before, and those paid late that fell due since a day."""
        return tuple(
            claim
            for claim in self.claims
            if self.is_open(claim)
            or claim.charged_minor
            or (since_day is not None and claim.line.debt.due_day >= since_day)
        )

    def charging(self, since_day: int | None = None) -> Charging:
        """What brings the account up to date."""
        if self.regime is None:
            return Charging()
        claims = self.due(since_day)
        consumer = bool(self.customer.consumer)
        return charging(claims, self.entries, self.regime, self.day, consumer=consumer, exchange=self.exchange)

    def open_minor(self) -> dict[str, int]:
        """What is open of what was charged, by currency."""
        return {one.currency: one.open_minor for one in self.balances}

    def legal_order(self, claim: LineClaim) -> Owed | None:
        """What is owed on a line if its payments went to costs, interest, principal; None where it cannot be known."""
        if self.regime is None:
            return None
        line, booked = claim.line, self.entries
        costs = [
            (one.booked_day, one.amount_minor)
            for one in booked
            if one.line_id == line.id and one.kind in ("fixed_sum", "cost") and one.currency == line.currency
        ]
        credited = self.credited.get(line.id, ())
        left = list(line.debt.settled)
        for one in credited:
            left.remove(one)
        debt = replace(line.debt, settled=tuple(left))
        consumer = bool(self.customer.consumer)
        return in_legal_order(debt, self.regime, self.day, costs=costs, credited=credited, consumer=consumer)

    def principal_minor(self, claim: LineClaim) -> int:
        """What bears interest of a line now."""
        return principal_after(claim.line.debt, self.day)


def claim_account_of(runtime: "Runtime", customer: Customer, day: int, laws: Laws | None = None) -> ClaimAccount:
    """The claim account of a customer as of a day; later entries do not count.

    Args:
        laws: those in force, for whoever asks for several customers.
    """
    entity: Entity = customer.entity
    laws = laws or laws_of(runtime, entity, day)
    regime = regime_for(laws.regimes, entity.country, customer.country)
    undone = _undone(customer, day)
    lines, credited = _late_lines(customer, day, undone)
    rows = tuple(
        row
        for row in ClaimEntry.select()
        .where(ClaimEntry.customer == customer, ClaimEntry.booked_day <= day, ClaimEntry.recorded_day <= day)
        .order_by(ClaimEntry.id)
        if ("claim_entry", row.id) not in undone
    )
    entries = tuple(_booked(row) for row in rows)
    claims = () if regime is None else line_claims(lines.values(), entries, regime, day, bool(customer.consumer))
    return ClaimAccount(
        customer=customer,
        day=day,
        regime=regime,
        regime_sha256="" if regime is None else laws.shas.get(f"regime/{regime.key}", ""),
        claims=claims,
        lines=lines,
        credited=credited,
        entries=entries,
        rows=rows,
        balances=balances(entries),
        problems=laws.problems,
        exchange=_exchange(entity, day),
    )


def _booked(row: ClaimEntry) -> Booked:
    return Booked(
        id=row.id,
        kind=row.kind,
        part=row.part,
        amount_minor=row.amount_minor,
        currency=row.currency,
        booked_day=row.booked_day,
        line_id=row.due_line_id or 0,
        until_day=row.until_day,
    )


def _known(model: Any, day: int) -> Any:
    return (model.booked_day <= day) & (model.recorded_day <= day)


def _undone(customer: Customer, day: int) -> set[tuple[str, int]]:
    rows = Reversal.select(Reversal.target, Reversal.target_id).where(
        Reversal.customer == customer, Reversal.target.in_(REVERSED), _known(Reversal, day)
    )
    return set(rows.tuples())


def _late_lines(
    customer: Customer, day: int, undone: set[tuple[str, int]]
) -> tuple[dict[int, LateLine], dict[int, tuple[tuple[int, int], ...]]]:
    """Lines past due by a day with what was set against them and what was contested; and what of it was no money."""
    own = (DueLine.customer == customer) & (DueLine.due_day < day) & _known(DueLine, day)
    found = [line for line in DueLine.select().where(own) if ("due_line", line.id) not in undone]
    settled: dict[int, list[tuple[int, int]]] = {}
    credited: dict[int, list[tuple[int, int]]] = {}
    rows = (
        Allocation.select(
            Allocation.id,
            Allocation.due_line,
            Allocation.credit,
            Allocation.booked_day,
            Allocation.amount_minor,
            Credit.kind,
        )
        .join(Credit)
        .where(Allocation.customer == customer, _known(Allocation, day))
        .tuples()
    )
    for allocation_id, line_id, credit_id, booked_day, amount, kind in rows:
        if ("allocation", allocation_id) in undone or ("credit", credit_id) in undone:
            continue
        settled.setdefault(line_id, []).append((booked_day, amount))
        if kind != "payment":
            credited.setdefault(line_id, []).append((booked_day, amount))
    contested = _contested(customer, day, undone, credited)
    lines = {
        line.id: LateLine(
            id=line.id,
            number=line.number,
            ordinal=line.ordinal,
            currency=line.currency,
            debt=Debt(
                amount_minor=line.amount_minor,
                due_day=line.due_day,
                settled=tuple(sorted(settled.get(line.id, ()))),
                contested=tuple(contested.get(line.id, ())),
            ),
        )
        for line in found
    }
    return lines, {line_id: tuple(sorted(rows)) for line_id, rows in credited.items()}


def _contested(
    customer: Customer, day: int, undone: set[tuple[str, int]], credited: Mapping[int, Sequence[tuple[int, int]]]
) -> dict[int, list[Contested]]:
    closings = DisputeClosing.select().where(DisputeClosing.customer == customer, _known(DisputeClosing, day))
    closed = {row.dispute_id: row for row in closings}
    found: dict[int, list[Contested]] = {}
    for row in Dispute.select().where(Dispute.customer == customer, _known(Dispute, day)).order_by(Dispute.id):
        if ("dispute", row.id) not in undone:
            one = _of_dispute(row, closed.get(row.id), credited.get(row.due_line_id, []))
            found.setdefault(row.due_line_id, []).append(one)
    return found


def _of_dispute(row: Dispute, closing: DisputeClosing | None, credited: Sequence[tuple[int, int]]) -> Contested:
    """A dispute over time: what was accepted stays contested until its credit note is there."""
    if closing is None or closing.outcome != "accepted":
        return Contested(row.booked_day, row.amount_minor, None if closing is None else closing.booked_day)
    amount = row.amount_minor if closing.accepted_minor is None else closing.accepted_minor
    total = 0
    for booked_day, part in sorted(credited):
        total += part if booked_day >= row.booked_day else 0
        if amount is not None and total >= amount:
            return Contested(row.booked_day, amount, booked_day)
    return Contested(row.booked_day, amount)


def _exchange(entity: Entity, day: int) -> Exchange:
    """Amounts from one currency into another through the entity's base currency, at the rates of a day."""
    rates = {**rates_on(entity, day), entity.currency: RATE_SCALE}

    def exchange(amount_minor: int, currency: str, wanted: str) -> int | None:
        if currency not in rates or wanted not in rates:
            return None
        return half_up(amount_minor * rates[currency], rates[wanted])

    return exchange
