"""Formulas written as they are typed: read again by ``rules.formula_text`` they are the same formulas."""

from ledger.columns import Kind
from ledger.money import exponent
from rules.conditions import All, Any, Condition, Const, FactRef, Not, Op, Operand, Param, Test
from rules.effects import BySegment
from rules.formula_text import WORDS, Tongue, short_names
from rules.formulas import (
    Choice,
    Clipped,
    DaysBetween,
    Difference,
    FirstKnown,
    Formula,
    Largest,
    Magnitude,
    Number,
    Product,
    Quotient,
    Smallest,
    Sum,
    parts_of,
)

SUM, TERM, WHOLE = 1, 2, 3  # how tightly a formula holds together


def write_formula(formula: Formula, tongue: Tongue) -> str:
    """A formula as it is typed; read again it is the same formula."""
    return _Writer(tongue).text(formula)[0]


class _Writer:
    def __init__(self, tongue: Tongue) -> None:
        self.tongue = tongue
        self.short = {name: short for short, name in short_names(tongue.facts).items()}
        self.short_parameters = {name: short for short, name in short_names(tongue.parameters).items()}

    def text(self, formula: Formula) -> tuple[str, int]:
        """The text, and how tightly it holds together."""
        match formula:
            case Number(value, kind):
                return self._number(value, kind), WHOLE
            case Param(name):
                return f"@{self.short_parameters.get(name, name)}", WHOLE
            case FactRef(name):
                return self._fact(name), WHOLE
            case BySegment():
                raise ValueError("a formula of a book is not written")
        parts = [self.text(part) for _, part in parts_of(formula)]
        listed = self.tongue.comma.join(words for words, _ in parts)
        match formula:
            case Sum() if len(parts) > 1:
                # The first part of a sum may be a sum only where it stands in brackets of its own.
                return " + ".join(held(part, TERM) for part in parts), SUM
            case Sum():
                return held(parts[0], TERM), TERM
            case Difference():
                return f"{held(parts[0], SUM)} - {held(parts[1], TERM)}", SUM
            case Product():
                return f"{held(parts[0], TERM)} * {held(parts[1], WHOLE)}", TERM
            case Quotient():
                return f"{held(parts[0], TERM)} / {held(parts[1], WHOLE)}", TERM
            case Smallest():
                return f"min({listed})", WHOLE
            case Largest():
                return f"max({listed})", WHOLE
            case FirstKnown():
                return f"coalesce({listed})", WHOLE
            case Magnitude():
                return f"abs({listed})", WHOLE
            case DaysBetween():
                return f"days_between({listed})", WHOLE
            case Clipped():
                return f"clip({listed})", WHOLE
            case Choice(condition):
                return f"if {self._asked(condition, 0)} then {parts[0][0]} else {parts[1][0]}", 0

    def _fact(self, name: str) -> str:
        short = self.short.get(name, name)
        return name if short in WORDS or (short in self.tongue.facts and short != name) else short

    def _number(self, value: int, kind: Kind) -> str:
        places = {Kind.MONEY: exponent(self.tongue.currency), Kind.RATIO: 2}.get(kind, 0)
        digits = str(abs(value)).rjust(places + 1, "0")
        whole, fraction = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
        text = ("-" if value < 0 else "") + whole + (f"{self.tongue.decimal}{fraction}" if fraction else "")
        unit = {Kind.MONEY: f" {self.tongue.currency}", Kind.RATIO: " %", Kind.DAYS: " days"}.get(kind, "")
        return text + unit

    def _asked(self, condition: Condition, within: int) -> str:
        match condition:
            case Test():
                return self._test(condition)
            case Not(part):
                return f"not {self._asked(part, 2)}"
            case Any(parts) | All(parts):
                word, tight = ("or", 0) if isinstance(condition, Any) else ("and", 1)
                text = f" {word} ".join(self._asked(part, tight + 1) for part in parts)
                return f"({text})" if within > tight else text

    def _test(self, test: Test) -> str:
        fact, column = self._fact(test.fact), self.tongue.facts.get(test.fact)
        kind = Kind.CODE if column is None else column.kind
        if test.op in (Op.IS_NULL, Op.IS_NOT_NULL):
            return f"{fact} is {'unknown' if test.op is Op.IS_NULL else 'known'}"
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        words = [self._value(value, kind) for value in values]
        if test.op is Op.BETWEEN:
            return f"{fact} between {words[0]} and {words[1]}"
        if test.op in (Op.IN, Op.NOT_IN):
            return f"{fact} {'in' if test.op is Op.IN else 'not in'} ({self.tongue.comma.join(words)})"
        return f"{fact} {'=' if test.op is Op.EQ else test.op.value} {words[0]}"

    def _value(self, value: Operand | None, kind: Kind) -> str:
        match value:
            case Const(bool() as truth):
                return "true" if truth else "false"
            case Const(int() as number):
                return self._number(number, kind)
            case Const(text):
                return f'"{text}"'
            case Param(name):
                return f"@{self.short_parameters.get(name, name)}"
            case FactRef(name):
                return self._fact(name)
            case _:
                return ""


def held(part: tuple[str, int], by: int) -> str:
    """A part in brackets where it would fall apart without."""
    text, holds = part
    return text if holds >= by else f"({text})"
