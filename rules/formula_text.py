"""Formulas as text: what a manager types, read into the JSON of a document, and written back the same.

``overdue_net / credit_limit``, ``max(exposure - promised, 0)``, ``if score > 50 % then 0 else 1000 EUR``.
A fact is written by its name, with or without what it measures (``overdue_net`` for
``overdue_net_minor``), or by its label in quotes; a parameter after ``@``. A number carries its
unit: the currency, ``%`` or ``days``; one without is a count. The grammar is closed, read by
descent and by nothing else; every fault names its column and a cure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any as Json
from typing import NoReturn

from ledger.columns import Column, Kind
from ledger.money import exponent
from ledger.problems import Problem
from rules.formula_proofs import nearest
from rules.limits import FORMULA_DEPTH, INTEGER, TEXT_LENGTH
from rules.policies import Parameter

DECIMALS = ".,"
ENDINGS = ("_minor", "_bp", "_days")
BEGINNINGS = ("derived_", "custom_")
FUNCTIONS = {  # name: (least, most) parts
    "min": (1, 60),
    "max": (1, 60),
    "coalesce": (1, 60),
    "abs": (1, 1),
    "clip": (3, 3),
    "days_between": (2, 2),
}
WORDS = frozenset(
    {*FUNCTIONS, "if", "then", "else", "and", "or", "not", "in", "is", "known", "unknown", "true", "false"}
)
WORDS |= {"between", "days", "day"}
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">", "=")
SIGNS = {"−": "-", "×": "*", "·": "*", "÷": "/"}  # as formulas are printed
DEPTH_MAX = 4 * FORMULA_DEPTH  # of brackets; the checker's own limit comes sooner


@dataclass(frozen=True, slots=True)
class Tongue:
    """What names and numbers mean where a formula is typed.

    Args:
        facts: facts and outcomes by name.
        parameters: by name.
        label: what the reader calls a fact or a parameter.
        currency: of amounts.
        decimal: the reader's decimal mark; with ``,`` the parts of a list stand apart by ``;``.
    """

    facts: Mapping[str, Column]
    parameters: Mapping[str, Parameter]
    label: Callable[[str], str]
    currency: str = "EUR"
    decimal: str = "."

    @property
    def comma(self) -> str:
        """What stands between the parts of a list."""
        return "; " if self.decimal == "," else ", "


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number | name | text | sign | end
    text: str
    at: int


class _Fault(Exception):
    """A formula that cannot be read: column from 1, what is wrong, the cure."""

    def __init__(self, at: int, what: str, cure: str) -> None:
        super().__init__(what)
        self.at, self.what, self.cure = at, what, cure


def read_formula(text: str, tongue: Tongue) -> tuple[Json, list[Problem]]:
    """Read a formula.

    Returns:
        Its JSON, or None and the problem; the problem's column counts characters from 1.
    """
    try:
        return _Reader(text, tongue).whole(), []
    except _Fault as fault:
        where = Problem("/formula", f"column {fault.at + 1}: {fault.what}", fault.cure, column=str(fault.at + 1))
        return None, [where]


def short_names(known: Iterable[str]) -> dict[str, str]:
    """Names by the short form that only one of them has."""
    found: dict[str, list[str]] = {}
    for name in known:
        found.setdefault(_short(name), []).append(name)
    return {short: names[0] for short, names in found.items() if len(names) == 1}


def _short(name: str) -> str:
    for beginning in BEGINNINGS:
        name = name.removeprefix(beginning)
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


class _Reader:
    """Reads one formula from left to right."""

    def __init__(self, text: str, tongue: Tongue) -> None:
        if len(text) > TEXT_LENGTH:
            raise _Fault(TEXT_LENGTH, f"longer than {TEXT_LENGTH} characters", "make a part of it a fact of its own")
        self.tongue = tongue
        self.tokens = list(_tokens(text, tongue.decimal))
        self.next = 0
        self.depth = 0
        self.short = short_names(tongue.facts)
        self.short_parameters = short_names(tongue.parameters)

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def _take(self) -> _Token:
        token = self.token
        self.next += token.kind != "end"
        return token

    def _is(self, *texts: str) -> bool:
        return self.token.kind in ("sign", "name") and self.token.text in texts

    def _accept(self, *texts: str) -> str:
        return self._take().text if self._is(*texts) else ""

    def _expect(self, text: str, cure: str) -> None:
        if not self._accept(text):
            self._fail(f"{text!r} is missing{self._instead()}", cure)

    def _instead(self) -> str:
        return "" if self.token.kind == "end" else f" before {self.token.text!r}"

    def _fail(self, what: str, cure: str, at: int | None = None) -> NoReturn:
        raise _Fault(self.token.at if at is None else at, what, cure)

    def whole(self) -> Json:
        """The formula, to the end of the text."""
        if self.token.kind == "end":
            self._fail("there is nothing", "write a formula, such as overdue_net / credit_limit")
        found = self._formula()
        if self.token.kind != "end":
            self._fail(
                f"{self.token.text!r} does not go on from what stands before it",
                "write + - * or / between two values, and numbers without groups",
            )
        return found

    def _formula(self) -> Json:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self._fail("too many brackets inside each other", "make a part of it a fact of its own")
        found = self._choice() if self._accept("if") else self._sum()
        self.depth -= 1
        return found

    def _choice(self) -> Json:
        condition = self._either()
        self._expect("then", "write: if condition then value else value")
        then = self._formula()
        self._expect("else", "say what holds otherwise: else value")
        return {"if": condition, "then": then, "else": self._formula()}

    def _sum(self) -> Json:
        found = self._product()
        flat = False  # a sum in brackets stays a part of its own
        while sign := self._accept("+", "-"):
            other = self._product()
            if sign == "-":
                found, flat = {"subtract": [found, other]}, False
            else:
                found, flat = {"add": [*(found["add"] if flat else [found]), other]}, True
        return found

    def _product(self) -> Json:
        found = self._atom()
        while sign := self._accept("*", "/"):
            found = {"multiply" if sign == "*" else "divide": [found, self._atom()]}
        return found

    def _atom(self) -> Json:
        token = self.token
        if token.kind == "number" or self._is("-"):
            return self._number()
        if self._accept("("):
            found = self._formula()
            self._expect(")", "close the bracket")
            return found
        if self._accept("@"):
            return {"param": self._parameter()}
        if token.kind == "name" and token.text in FUNCTIONS:
            return self._function(self._take().text)
        if token.kind in ("name", "text") and not self._is(*WORDS):
            return {"fact": self._fact()}
        self._fail(f"a value is missing{self._instead()}", "write a fact, @ and a parameter, or a number")

    def _function(self, name: str) -> Json:
        at = self.tokens[self.next - 1].at
        self._expect("(", f"write {name}(…)")
        parts = [self._formula()]
        while self._accept(",", ";"):
            parts.append(self._formula())
        self._expect(")", f"close the bracket, or go on with {self.tongue.comma.strip()}")
        least, most = FUNCTIONS[name]
        if not least <= len(parts) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            self._fail(f"{name} takes {wanted} parts, not {len(parts)}", "correct the list", at)
        return {name: parts[0]} if name == "abs" else {name: parts}

    # --- names and numbers -----------------------------------------------------------------

    def _fact(self) -> str:
        token = self._take()
        known = self.tongue.facts
        if token.kind == "text":
            return self._labelled(token, known)
        name = token.text if token.text in known else self.short.get(token.text, "")
        if not name:
            self._fail(f"there is no fact {token.text!r}", nearest(token.text, known), token.at)
        return name

    def _parameter(self) -> str:
        token = self._take()
        known = self.tongue.parameters
        if token.kind == "text":
            return self._labelled(token, known)
        name = token.text if token.text in known else self.short_parameters.get(token.text, "")
        if not name:
            self._fail(f"there is no parameter {token.text!r}", nearest(token.text, known), token.at)
        return name

    def _labelled(self, token: _Token, known: Iterable[str]) -> str:
        named = [name for name in known if self.tongue.label(name).casefold() == token.text.strip().casefold()]
        if len(named) != 1:
            what = "nothing is" if not named else f"{len(named)} are"
            self._fail(f"{what} called {token.text!r}", "choose it from the list, or write its name", token.at)
        return named[0]

    def _number(self) -> Json:
        negative = bool(self._accept("-"))
        token = self._take()
        if token.kind != "number":
            self._fail("a number is missing after -", "to take a value away, write 0 - value", token.at)
        kind = self._unit()
        places = {Kind.MONEY: exponent(self.tongue.currency), Kind.RATIO: 2}.get(kind, 0)
        whole, _mark, fraction = token.text.partition(self.tongue.decimal)
        if len(fraction) > places:
            cure = f"write at most {places} decimals" if places else "write a whole number, or its unit"
            self._fail(f"{token.text} has too many decimals", cure, token.at)
        value = int(whole + fraction.ljust(places, "0")) * (-1 if negative else 1)
        if abs(value) > INTEGER:
            self._fail(f"{token.text} is too large", "write a smaller number", token.at)
        return value if kind is Kind.COUNT else {kind.value: value}

    def _unit(self) -> Kind:
        if self._accept("%"):
            return Kind.RATIO
        if self._accept("days", "day"):
            return Kind.DAYS
        token = self.token
        if token.kind == "name" and token.text.upper() == self.tongue.currency:
            self._take()
            return Kind.MONEY
        if token.kind == "name" and re.fullmatch("[A-Z]{3}", token.text):
            self._fail(f"amounts are in {self.tongue.currency} here", f"write {self.tongue.currency}")
        return Kind.COUNT

    # --- conditions ------------------------------------------------------------------------

    def _either(self) -> Json:
        parts = [self._every()]
        while self._accept("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else {"any": parts}

    def _every(self) -> Json:
        parts = [self._truth()]
        while self._accept("and"):
            parts.append(self._truth())
        return parts[0] if len(parts) == 1 else {"all": parts}

    def _truth(self) -> Json:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self._fail("too many brackets inside each other", "make a part of it a fact of its own")
        found = self._one_truth()
        self.depth -= 1
        return found

    def _one_truth(self) -> Json:
        if self._accept("not"):
            return {"not": self._truth()}
        if self._accept("("):
            found = self._either()
            self._expect(")", "close the bracket")
            return found
        if self.token.kind not in ("name", "text") or self._is(*WORDS):
            self._fail(f"a fact is missing{self._instead()}", "a condition begins with a fact, as in overdue > 0")
        return self._test(self._fact())

    def _test(self, fact: str) -> Json:
        column = self.tongue.facts[fact]
        if self._accept("is"):
            word = self._accept("known", "unknown")
            if not word:
                self._fail("known or unknown is missing", f"write {_short(fact)} is known, or is unknown")
            return [fact, "is_not_null" if word == "known" else "is_null"]
        if self._accept("between"):
            low = self._value(column)
            self._expect("and", "write: between low and high")
            return [fact, "between", [low, self._value(column)]]
        negated = bool(self._accept("not"))
        if negated or self._is("in"):
            self._expect("in", "write: not in (…)")
            return [fact, "not_in" if negated else "in", self._values(column)]
        sign = self._accept(*COMPARISONS)
        if not sign:
            self._fail("a comparison is missing", "write < <= > >= = != in, between, is known or is unknown")
        return [fact, "==" if sign == "=" else sign, self._operand(column)]

    def _values(self, column: Column) -> list[Json]:
        self._expect("(", "write the values in brackets")
        values = [self._value(column)]
        while self._accept(",", ";"):
            values.append(self._value(column))
        self._expect(")", "close the bracket")
        return values

    def _operand(self, column: Column) -> Json:
        token = self.token
        if column.unit is not None and token.kind in ("name", "text") and not self._is(*WORDS):
            return {"fact": self._fact()}
        return self._value(column)

    def _value(self, column: Column) -> Json:
        """A value of a fact's kind, or a parameter."""
        token = self.token
        if self._accept("@"):
            return {"param": self._parameter()}
        if column.unit is None:
            if column.kind is Kind.BOOL:
                word = self._accept("true", "false")
                if not word:
                    self._fail(f"{_short(column.name)} is true or false", "write = true or = false")
                return word == "true"
            if token.kind != "text":
                self._fail("a code in quotes is missing", 'write it in quotes, as "DE"')
            return self._take().text
        if token.kind != "number" and not self._is("-"):
            self._fail(
                f"a value is missing{self._instead()}", "write a number with its unit, @ and a parameter, or a fact"
            )
        found = self._number()
        kind, value = next(iter(found.items())) if isinstance(found, dict) else (Kind.COUNT.value, found)
        if kind != column.kind.value and value != 0:
            self._fail(
                f"{_short(column.name)} is compared with {column.kind.value}", _unit_cure(column, self.tongue), token.at
            )
        return value


def _unit_cure(column: Column, tongue: Tongue) -> str:
    units = {Kind.MONEY: tongue.currency, Kind.RATIO: "%", Kind.DAYS: "days"}
    return f"write the unit: {units[column.kind]}" if column.kind in units else "write a plain number"


_PATTERN = re.compile(r"(?P<space>\s+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><=|>=|==|!=|[<>=+\-*/(),;@%])")
_NUMBERS = {mark: re.compile(rf"[0-9]+(?:{re.escape(mark)}[0-9]+)?") for mark in DECIMALS}


def _tokens(text: str, decimal: str) -> Iterable[_Token]:
    for sign, plain in SIGNS.items():
        text = text.replace(sign, plain)
    at = 0
    while at < len(text):
        if text[at] in '"“”„«':
            end = next((i for i in range(at + 1, len(text)) if text[i] in '"“”»'), -1)
            if end < 0:
                raise _Fault(at, "the quotation mark is not closed", 'write " at the end of the label')
            yield _Token("text", text[at + 1 : end], at)
            at = end + 1
            continue
        found = _NUMBERS[decimal].match(text, at)
        if found:
            yield _Token("number", found.group(), at)
        else:
            found = _PATTERN.match(text, at)
            if found is None:
                raise _Fault(at, f"{text[at]!r} has no meaning in a formula", "take it out")
            if found.lastgroup != "space":
                yield _Token(str(found.lastgroup), found.group(), at)
        at = found.end()
    yield _Token("end", "", len(text))
