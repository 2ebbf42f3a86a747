"""Proofs: what a formula measures, how far it reaches, and that no step of it leaves 64 bits.

Ranges follow from the declared ranges of facts and parameters. Every value on the way must stay
within ``WITHIN``, so that what the columns compute in 64 bits is what plain integers give.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules.conditions import FactRef, Param
from rules.formulas import (
    CAPS,
    FULL_BP,
    SHARE_BOUND,
    Choice,
    Clipped,
    DaysBetween,
    Difference,
    FirstKnown,
    Formula,
    Magnitude,
    Number,
    Product,
    Quotient,
    Smallest,
    Sum,
    parts_of,
    with_parts,
)
from rules.policies import Parameter

WITHIN = 2**56  # a hundred times it still fits 64 bits, which a division of columns needs
NAMES = {Kind.MONEY: "money", Kind.RATIO: "a ratio", Kind.DAYS: "days", Kind.COUNT: "a count"}
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a formula.

    Args:
        formula: with scales, rounding and caps filled in.
        kind: what it measures.
        low, high: surely hold every value.
        nullable: whether it may be unknown.
    """

    formula: Formula
    kind: Kind
    low: int
    high: int
    nullable: bool

    @property
    def is_zero(self) -> bool:
        """Whether it is the constant 0, which is 0 of anything."""
        return self.formula == Number(0)


@dataclass
class Prover:
    """Proves formulas over a dictionary.

    Args:
        facts: what may be read, with ranges.
        parameters: by name.
        rounding: of the fact whose formula it is.
        problems: found so far.
    """

    facts: Mapping[str, Column]
    parameters: Mapping[str, Parameter]
    rounding: str
    problems: list[Problem] = field(default_factory=list)

    def prove(self, formula: Formula, place: str) -> Proof | None:
        """What is known of a formula, or None; then ``problems`` say why."""
        if isinstance(formula, FactRef):
            return self._fact(formula, place)
        if isinstance(formula, Param):
            return self._parameter(formula, place)
        if isinstance(formula, Number):
            return self._bounded(Proof(formula, formula.kind, formula.value, formula.value, False), place)
        found = [self.prove(part, place + below) for below, part in parts_of(formula)]
        known = [proof for proof in found if proof is not None]
        if len(known) < len(found):
            return None
        whole = with_parts(formula, [proof.formula for proof in known])
        proof = self._arithmetic(whole, known, place)
        return None if proof is None else self._bounded(proof, place)

    def _say(self, place: str, what: str, cure: str) -> None:
        self.problems.append(Problem(place, what, cure))

    def _fact(self, formula: FactRef, place: str) -> Proof | None:
        column = self.facts.get(formula.name)
        if column is None:
            self._say(place, f"there is no fact {formula.name!r}", nearest(formula.name, self.facts))
            return None
        if column.unit is None:
            what = f"{formula.name} is {column.kind.value}, and formulas compute with numbers"
            self._say(place, what, "ask for it in the condition of an `if`")
            return None
        low = -WITHIN if column.low is None else column.low
        return Proof(formula, column.kind, low, WITHIN if column.high is None else column.high, column.nullable)

    def _parameter(self, formula: Param, place: str) -> Proof | None:
        found = self.parameters.get(formula.name)
        if found is None:
            self._say(place, f"there is no parameter {formula.name!r}", nearest(formula.name, self.parameters))
            return None
        if found.kind not in CAPS:
            self._say(place, f"the parameter {formula.name} is {found.kind.value}, no number", "use another")
            return None
        low, high = parameter_range(found)
        return Proof(formula, found.kind, low, high, False)

    def _arithmetic(self, formula: Formula, parts: list[Proof], place: str) -> Proof | None:
        unknown = any(part.nullable for part in parts)
        match formula:
            case Product():
                return self._product(formula, parts, place)
            case Quotient():
                return self._quotient(formula, parts, place)
        kind = self._alike(parts, place)
        if kind is None:
            return None
        ends = [(part.low, part.high) for part in parts]
        match formula:
            case Sum():
                low, high = sum(low for low, _ in ends), sum(high for _, high in ends)
            case Difference():
                low, high = ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]
            case Magnitude():
                low, high = _magnitude(ends[0])
            case DaysBetween():
                if kind is not Kind.DAYS:
                    self._say(place, f"days lie between two numbers of days, not {NAMES[kind]}", "use subtract")
                    return None
                low, high = _magnitude((ends[0][0] - ends[1][1], ends[0][1] - ends[1][0]))
            case Clipped():
                low, high = (min(max(ends[0][end], ends[1][end]), ends[2][end]) for end in (0, 1))
            case Smallest():
                low, high = min(low for low, _ in ends), min(high for _, high in ends)
            case Choice() | FirstKnown():
                low, high = min(low for low, _ in ends), max(high for _, high in ends)
                if isinstance(formula, FirstKnown):
                    unknown = all(part.nullable for part in parts)
            case _:  # Largest
                low, high = max(low for low, _ in ends), max(high for _, high in ends)
        return Proof(formula, kind, low, high, unknown)

    def _alike(self, parts: Iterable[Proof], place: str) -> Kind | None:
        """The kind that all parts have; a plain 0 is of any."""
        proofs = list(parts)
        kinds = list(dict.fromkeys(part.kind for part in proofs if not part.is_zero))
        if len(kinds) > 1:
            what = f"{NAMES[kinds[0]]} and {NAMES[kinds[1]]} cannot be taken together"
            self._say(place, what, "give both sides one unit: multiply or divide first, or write the unit of a number")
            return None
        return kinds[0] if kinds else Kind.COUNT

    def _product(self, formula: Product, parts: list[Proof], place: str) -> Proof | None:
        left, right = parts
        if left.kind in (Kind.COUNT, Kind.RATIO) and right.kind in (Kind.MONEY, Kind.DAYS):
            left, right = right, left  # what is multiplied stands first, a share or a count second
        if right.kind not in (Kind.COUNT, Kind.RATIO):
            what = f"{NAMES[parts[0].kind]} times {NAMES[parts[1].kind]} has no unit"
            self._say(place, what, "multiply by a ratio or a count")
            return None
        scale = FULL_BP if right.kind is Kind.RATIO else 1
        if scale > 1 and max(abs(right.low), abs(right.high)) > SHARE_BOUND:
            self._say(place, f"the ratio may pass {SHARE_BOUND} basis points", "bound it with clip")
            return None
        ends = [one * other for one in (left.low, left.high) for other in (right.low, right.high)]
        whole = Product(left.formula, right.formula, scale, self.rounding)
        unknown = left.nullable or right.nullable
        return Proof(whole, left.kind, min(ends) // scale, -(-max(ends) // scale), unknown)

    def _quotient(self, formula: Quotient, parts: list[Proof], place: str) -> Proof | None:
        left, right = parts
        kind: Kind
        scale: int
        if right.low == right.high == 0:
            self._say(f"{place}/divide/1", "this divides by zero", "divide by something else")
            return None
        if right.kind is Kind.COUNT and left.kind is not Kind.COUNT:
            kind, scale = left.kind, 1
        elif right.kind is left.kind or left.is_zero:
            kind, scale = Kind.RATIO, FULL_BP
        elif right.kind is Kind.RATIO:
            kind, scale = left.kind, FULL_BP
        else:
            what = f"{NAMES[left.kind]} divided by {NAMES[right.kind]} has no unit"
            self._say(place, what, "divide by the same unit, by a count or by a ratio")
            return None
        cap = CAPS[kind] if scale > 1 else WITHIN
        low, high = _divided((left.low * scale, left.high * scale), (right.low, right.high))
        unknown = left.nullable or right.nullable or right.low <= 0 <= right.high
        whole = Quotient(left.formula, right.formula, scale, self.rounding, cap)
        return Proof(whole, kind, max(-cap, min(cap, low)), max(-cap, min(cap, high)), unknown)

    def _bounded(self, proof: Proof, place: str) -> Proof | None:
        size = max(abs(proof.low), abs(proof.high))
        if size > WITHIN:
            self._say(place, f"this may reach {size}, beyond 64 bits with what follows", "bound it with clip")
            return None
        return proof


def _magnitude(ends: Range) -> Range:
    low, high = ends
    return (0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _divided(value: Range, divisor: Range) -> Range:
    """The range of a quotient, rounded either way; the divisor is not always 0."""
    divisors = {end for end in divisor if end}
    if divisor[0] < 0:
        divisors.add(min(-1, divisor[1]) if divisor[1] < 0 else -1)
    if divisor[1] > 0:
        divisors.add(max(1, divisor[0]))
    floors = [end // by for end in value for by in divisors]
    ceilings = [-(-end // by) for end in value for by in divisors]
    return min(floors), max(ceilings)


def parameter_range(parameter: Parameter) -> Range:
    """The range a parameter may move in: declared, else its values so far."""
    numbers = [int(value.value) for value in parameter.values]
    low = parameter.low if parameter.low is not None else min(numbers)
    return low, parameter.high if parameter.high is not None else max(numbers)


def nearest(name: str, known: Iterable[str]) -> str:
    """The cure for a name that is not there."""
    words = set(name.split("_"))
    ranked = sorted(known, key=lambda one: (-len(words & set(one.split("_"))), one))
    near = [one for one in ranked[:3] if words & set(one.split("_"))]
    return f"did you mean {' or '.join(near)}?" if near else "choose one of the dictionary"


def as_kind(proof: Proof, kind: Kind) -> Proof | None:
    """The proof for a fact of a kind; a plain 0 is of any. None where it measures something else."""
    if proof.kind is kind or proof.is_zero:
        return replace(proof, kind=kind)
    return None
