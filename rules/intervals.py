"""What a test leaves possible: sets of values, to prove contradictions and coverings.

Sound, not complete: what is said to be impossible is impossible; what is too hard to tell
counts as possible.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ledger.columns import Column, Kind
from rules.conditions import Const, FactRef, Op, Scalar, Test, operands_of, pair

NOWHERE = 10**30  # beyond every bound


@dataclass(frozen=True, slots=True)
class Possible:
    """What one fact may still be.

    Args:
        null: whether it may be unknown.
        low, high: range of an integer.
        only: the values left, None for all.
        never: values excluded.
        value: whether it may be known at all.
        is_text: whether its values are text.
    """

    null: bool = True
    low: int = -NOWHERE
    high: int = NOWHERE
    only: frozenset[Scalar] | None = None
    never: frozenset[Scalar] = frozenset()
    value: bool = True
    is_text: bool = False

    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not self.null and not self._has_value()

    def _has_value(self) -> bool:
        if not self.value or self.low > self.high:
            return False
        if self.only is not None:
            return any(one not in self.never and self.within(one) for one in self.only)
        span = self.high - self.low
        if span < len(self.never):
            return any(one not in self.never for one in range(self.low, self.high + 1))
        return True

    def within_both(self, other: "Possible") -> "Possible":
        """What is possible by this and by another."""
        only = self.only if other.only is None else other.only if self.only is None else self.only & other.only
        return Possible(
            null=self.null and other.null,
            low=max(self.low, other.low),
            high=min(self.high, other.high),
            only=only,
            never=self.never | other.never,
            value=self.value and other.value,
            is_text=self.is_text,
        )

    def within(self, one: Scalar) -> bool:
        """Whether a value lies in the range; text and truth have none."""
        return isinstance(one, bool | str) or self.low <= one <= self.high


def possible(column: Column) -> Possible:
    """What a column may be by its declaration."""
    if column.kind is Kind.BOOL:
        return Possible(null=column.nullable, only=frozenset({True, False}))
    if column.unit is None:
        return Possible(null=column.nullable, only=frozenset(column.values) or None, is_text=True)
    low = -NOWHERE if column.low is None else column.low
    return Possible(null=column.nullable, low=low, high=NOWHERE if column.high is None else column.high)


def narrowed(before: Possible, test: Test) -> Possible:
    """What is left of a fact when a test on it, against constants, holds."""
    if test.op is Op.IS_NULL:
        return replace(before, value=False)
    known = replace(before, null=False)
    if test.op is Op.IS_NOT_NULL or isinstance(test.value, FactRef):
        return known
    values = [operand.value for operand in operands_of(test) if isinstance(operand, Const)]
    if len(values) < len(operands_of(test)):
        return known
    return _with_constants(known, test, [value for value in values if value is not None])


def _with_constants(known: Possible, test: Test, values: list[Scalar]) -> Possible:
    match test.op:
        case Op.EQ | Op.IN:
            wanted = frozenset(values)
            return replace(known, only=wanted if known.only is None else known.only & wanted)
        case Op.NE | Op.NOT_IN:
            return replace(known, never=known.never | frozenset(values))
        case Op.BETWEEN:
            low, high = (int(value) for value in values)
            return replace(known, low=max(known.low, low), high=min(known.high, high))
        case Op.LT:
            return replace(known, high=min(known.high, int(values[0]) - 1))
        case Op.LE:
            return replace(known, high=min(known.high, int(values[0])))
        case Op.GT:
            return replace(known, low=max(known.low, int(values[0]) + 1))
        case _:
            return replace(known, low=max(known.low, int(values[0])))


@dataclass(frozen=True, slots=True)
class Space:
    """What facts may be after some tests, and which comparisons between two facts must hold."""

    left: Mapping[str, Possible] = field(default_factory=dict)
    against: Mapping[tuple[str, str], frozenset[Op]] = field(default_factory=dict)

    def after(self, tests: Iterable[Test], dictionary: Mapping[str, Column]) -> "Space | None":
        """The space with more tests; None when nothing is left of it."""
        left, against = dict(self.left), dict(self.against)
        for test in tests:
            left[test.fact] = narrowed(left.get(test.fact, possible(dictionary[test.fact])), test)
            changed = {test.fact}
            if isinstance(test.value, FactRef):
                other = test.value.name
                left[other] = replace(left.get(other, possible(dictionary[other])), null=False)
                changed.add(other)
                for pair_, op in (((test.fact, other), test.op), ((other, test.fact), MIRRORED[test.op])):
                    against[pair_] = against.get(pair_, frozenset()) | {op}
            if any(left[name].is_empty() for name in changed):
                return None
            if against and any(_clash(pair_, ops, left) for pair_, ops in against.items() if changed & set(pair_)):
                return None
        return Space(left, against)

    def meets(self, other: "Space") -> bool:
        """Whether a row may be in both; no proof of the contrary counts as yes."""
        shared = self.left.keys() & other.left.keys()
        both = {name: self.left[name].within_both(other.left[name]) for name in shared}
        if any(one.is_empty() for one in both.values()):
            return False
        if not self.against and not other.against:
            return True
        left = {**self.left, **other.left, **both}
        return not any(
            _clash(pair_, self.against.get(pair_, frozenset()) | other.against.get(pair_, frozenset()), left)
            for pair_ in self.against.keys() | other.against.keys()
        )


EVERYTHING = Space()


def possible_after(
    tests: Iterable[Test], dictionary: Mapping[str, Column], start: Space = EVERYTHING
) -> Mapping[str, Possible] | None:
    """What facts may be when all tests of a path hold; None when they never can."""
    space = start.after(tests, dictionary)
    return None if space is None else space.left


MIRRORED = {Op.LT: Op.GT, Op.GT: Op.LT, Op.LE: Op.GE, Op.GE: Op.LE, Op.EQ: Op.EQ, Op.NE: Op.NE}
ALLOWED = {  # signs of (left - right) that an operator lets pass
    Op.LT: {-1},
    Op.LE: {-1, 0},
    Op.GT: {1},
    Op.GE: {0, 1},
    Op.EQ: {0},
    Op.NE: {-1, 1},
}


def _clash(facts: tuple[str, str], ops: frozenset[Op], left: Mapping[str, Possible]) -> bool:
    """Whether comparisons between two facts, and their ranges, leave no sign."""
    signs = {0} if facts[0] == facts[1] else {-1, 0, 1}
    for op in ops:
        signs &= ALLOWED[op]
    one, other = left[facts[0]], left[facts[1]]
    if one.low > other.high:
        signs &= {1}
    if one.high < other.low:
        signs &= {-1}
    return not signs


def implies(path: Iterable[Test], space: Space, wanted: Iterable[Test], dictionary: Mapping[str, Column]) -> bool:
    """Whether every row that passes a path passes all wanted tests as well (provably).

    Args:
        space: what the path leaves possible.
    """
    held = frozenset(path)
    return all(_implied(test, held, space.left, dictionary) for test in wanted)


def _implied(test: Test, held: frozenset[Test], left: Mapping[str, Possible], dictionary: Mapping[str, Column]) -> bool:
    now = left.get(test.fact) or possible(dictionary[test.fact])
    if now.null and test.op is not Op.IS_NULL:
        return False  # who tests a fact knows it afterwards: of these no test held it
    if test.op is Op.IS_NULL:
        return not now.value
    if test in held:
        return True
    if isinstance(test.value, FactRef):
        return False
    if test.op is Op.IS_NOT_NULL:
        return True
    return all(narrowed(now, negative).is_empty() for negative in negatives(test))


def negatives(test: Test) -> list[Test]:
    """Tests of which at least one holds when a test on a known fact does not."""
    if test.op is Op.BETWEEN:
        low, high = pair(test)
        return [replace(test, op=Op.LT, value=low), replace(test, op=Op.GT, value=high)]
    opposite = {
        Op.LT: Op.GE, Op.GE: Op.LT, Op.GT: Op.LE, Op.LE: Op.GT, Op.EQ: Op.NE, Op.NE: Op.EQ,
        Op.IN: Op.NOT_IN, Op.NOT_IN: Op.IN,
    }  # fmt: skip
    return [replace(test, op=opposite[test.op])]
