"""Allocating: which credit pays which line, as far as the accounts say so.

A credit of an invoice's own row pays that line first. A credit with a reference then pays
the invoice of that number, oldest credit first, oldest instalment first. The result depends
on the entries alone, not on the order in which files brought them: where a new entry
changes it, the allocations that no longer hold are reversed.
"""

from collections.abc import Callable

from ledger.entries import (
    WRITE_OFF,
    Allocation,
    BrokenInvariant,
    Credit,
    Known,
    Line,
    Plan,
    Reversal,
    settlement_identity,
)
from ledger.mapping import CREDIT_KINDS

Key = tuple[str, int]
Pair = tuple[Key, Key]


def allocate(plan: Plan, known: Known, recorded: Callable[[int], int], posting_day: int) -> None:
    """Add to a plan the allocations that its entries lead to.

    Args:
        plan: with lines, credits and reversals; allocations are added.
        known: what was in force before.
        recorded: the recorded day of a new entry by its booked day.
        posting_day: the recorded day of what replaces a reversed allocation.
    """
    _Allocating(plan, known, recorded, posting_day).run()


class _Allocating:
    def __init__(self, plan: Plan, known: Known, recorded: Callable[[int], int], posting_day: int) -> None:
        self.plan = plan
        self.recorded = recorded
        self.posting_day = posting_day
        self.lines = {**known.lines, **{line.identity: line for line in plan.lines}}
        self.credits = {**known.credits, **{credit.identity: credit for credit in plan.credits}}
        self.new_write_offs = {credit.identity for credit in plan.credits if credit.kind == WRITE_OFF}
        self.kinds = [kind for kind in CREDIT_KINDS if any(one.kind == kind for one in self.credits.values())]
        self.by_number = _grouped(self.lines)
        self.by_reference: dict[tuple[str, str], list[Credit]] = {}
        for credit in self.credits.values():
            if credit.reference:
                self.by_reference.setdefault((credit.customer, credit.reference), []).append(credit)
        self.there: dict[str, list[Allocation]] = {}
        for allocation in known.allocations:
            self.there.setdefault(allocation.line.identity, []).append(allocation)
        self.spent: dict[str, int] = {}  # credit identity -> allocated, outside the group at hand
        for allocation in known.allocations:
            identity = allocation.credit.identity
            self.spent[identity] = self.spent.get(identity, 0) + allocation.amount_minor

    def run(self) -> None:
        for group in self.touched():
            self.settle(group)
        self.check()

    def touched(self) -> list[list[Line]]:
        """Groups of lines whose allocations may change: the instalments of one invoice together."""
        groups = dict.fromkeys(_group(line) for line in self.plan.lines)
        for credit in self.plan.credits:
            if credit.reference:
                groups[credit.customer, credit.reference] = None
        for identity in sorted(self.plan.touched):
            if identity in self.lines:
                groups[_group(self.lines[identity])] = None
        replaced = {reversal.entry.identity for reversal in self.plan.reversals if isinstance(reversal.entry, Credit)}
        for allocations in self.there.values():
            for allocation in allocations:
                if allocation.credit.identity in replaced:
                    groups[_group(allocation.line)] = None
        return [self.by_number[key] for key in groups if key in self.by_number]

    def settle(self, group: list[Line]) -> None:
        """Compare what should be allocated to these lines with what is, and post the difference."""
        lines = sorted(group, key=lambda line: (line.due_day is None, line.due_day or 0, line.ordinal, line.identity))
        there = {_pair(one): one for line in lines for one in self.there.get(line.identity, [])}
        for one in there.values():
            self.spent[one.credit.identity] -= one.amount_minor
        wanted = self.wanted(lines, list(there.values()))
        for pair, allocation in there.items():
            if wanted.get(pair, 0) != allocation.amount_minor:
                self.plan.reversals.append(Reversal("allocation", allocation, "the invoice or the payment changed"))
        for (credit_key, line_key), amount in wanted.items():
            credit, line = self.credits[credit_key[0]], self.lines[line_key[0]]
            self.spent[credit.identity] = self.spent.get(credit.identity, 0) + amount
            old = there.get((credit_key, line_key))
            if old is None or old.amount_minor != amount:
                self.post(credit, line, amount, again=any(self.same_two(one, credit, line) for one in there.values()))

    def wanted(self, lines: list[Line], there: list[Allocation]) -> dict[Pair, int]:
        """What should be allocated: credits matched by a person, of the row, by reference."""
        room = {line.identity: line.amount_minor for line in lines}
        found: dict[Pair, int] = {}

        def give(credit: Credit, line: Line, at_most: int) -> None:
            left = credit.amount_minor - self.spent.get(credit.identity, 0) - taken.get(credit.identity, 0)
            amount = min(at_most, left, room[line.identity])
            if amount > 0 and credit.currency == line.currency:
                pair = (credit.key, line.key)
                found[pair] = found.get(pair, 0) + amount
                room[line.identity] -= amount
                taken[credit.identity] = taken.get(credit.identity, 0) + amount

        taken: dict[str, int] = {}
        own = {line.identity: [settlement_identity(line.identity, kind) for kind in self.kinds] for line in lines}
        of_rows = {identity for identities in own.values() for identity in identities}
        for one in there:
            credit = self.credits[one.credit.identity]
            says_so = credit.identity in of_rows or (one.line.number and credit.reference == one.line.number)
            if not says_so and not one.credit.by_hand:  # a person matched them
                give(credit, self.lines[one.line.identity], one.amount_minor)
        for line in lines:
            for identity in own[line.identity]:
                if identity in self.credits:
                    give(self.credits[identity], line, line.amount_minor)
        if lines and lines[0].number:
            referring = self.by_reference.get((lines[0].customer, lines[0].number), [])
            for credit in sorted(referring, key=lambda one: (one.booked_day, one.kind, one.identity)):
                for line in lines:
                    if credit.identity not in of_rows and not credit.by_hand:
                        give(credit, line, line.amount_minor)
        written_off = any(credit in self.new_write_offs for (credit, _revision), _line in found)
        for one in there:
            # What we wrote off stands until the accounts write off, and while it fits beside what they say.
            line = self.lines[one.line.identity]
            fits = room[line.identity] >= one.amount_minor and one.credit.currency == line.currency
            if one.credit.by_hand and fits and not written_off:
                give(one.credit, line, one.amount_minor)
            elif one.credit.by_hand:
                self.plan.reversals.append(Reversal("credit", one.credit, "the accounts settled what was written off"))
        return found

    def post(self, credit: Credit, line: Line, amount: int, again: bool) -> None:
        booked = max(credit.booked_day, line.invoice_day)
        recorded = self.posting_day if again else self.recorded(booked)
        recorded = max(recorded, credit.recorded_day, line.recorded_day)
        self.plan.allocations.append(
            Allocation(credit=credit, line=line, amount_minor=amount, booked_day=booked, recorded_day=recorded)
        )

    @staticmethod
    def same_two(one: Allocation, credit: Credit, line: Line) -> bool:
        return one.credit.identity == credit.identity and one.line.identity == line.identity

    def check(self) -> None:
        """No allocation exceeds either side (promises B1)."""
        for identity, spent in self.spent.items():
            if spent > self.credits[identity].amount_minor:
                raise BrokenInvariant(f"credit {identity} would be allocated beyond its amount")
        reversed_ = {id(reversal.entry) for reversal in self.plan.reversals}
        sums: dict[str, int] = {}
        kept = (one for ones in self.there.values() for one in ones if id(one) not in reversed_)
        for one in (*kept, *self.plan.allocations):
            sums[one.line.identity] = sums.get(one.line.identity, 0) + one.amount_minor
        for identity, total in sums.items():
            if total > self.lines[identity].amount_minor:
                raise BrokenInvariant(f"due line {identity} would be paid beyond its amount")


def _group(line: Line) -> tuple[str, str]:
    return (line.customer, line.number) if line.number else (line.customer, f"\0{line.identity}")


def _grouped(lines: dict[str, Line]) -> dict[tuple[str, str], list[Line]]:
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines.values():
        groups.setdefault(_group(line), []).append(line)
    return groups


def _pair(allocation: Allocation) -> Pair:
    return (allocation.credit.key, allocation.line.key)
