"""business-rules, the old pure Python one: it knows neither null nor `not` nor facts on the right."""

from typing import Any

import polars as pl
from business_rules import engine as business_rules
from business_rules import variables as business_variables

from benchmarks.peers.base import Answers, Engine, Row, may_be_unknown
from benchmarks.peers.chain import Chain
from ledger.columns import Kind
from rules.book import Book
from rules.conditions import All, Condition, FactRef, Op, Test, operands_of
from rules.conditions import Any as AnyOf
from rules.facts import DICTIONARY


class BusinessRules(Engine):
    """business-rules: its conditions as it checks them; what follows from them by plain closures."""

    name = "business-rules"
    rows_measured = 500
    is_peer = True

    def __init__(self, book: Book, rows: pl.DataFrame) -> None:
        super().__init__(book, rows)
        self.asked = rows.to_dicts()
        kinds = {"risk_class": Kind.CODE} | {name: DICTIONARY[name].kind for name in rows.columns}
        methods: dict[str, Any] = {"__init__": _with_row}
        for name, kind in kinds.items():
            methods[name] = _variable(name, kind)
            methods[f"{name}__known"] = business_variables.boolean_rule_variable()(_known(name))
        pairs = {pair for stage in book.stages.values() for rule in stage.rules for pair in _pairs(rule.condition)}
        for left, right in pairs:
            methods[f"{left}__less__{right}"] = business_variables.numeric_rule_variable()(_difference(left, right))
        self.variables = type("Variables", (business_variables.BaseVariables,), methods)
        self.chain = Chain(book, self._compiled)

    def _compiled(self, condition: Condition) -> Any:
        checks, variables = _checks(condition), self.variables
        return lambda row: business_rules.check_conditions_recursively(checks, variables(row))

    def run(self) -> Answers:
        """One row after another."""
        return [self.chain.decide(row) for row in self.asked]

    def answers(self, found: Answers) -> Answers:
        """As they are."""
        return found


def _with_row(self: Any, row: Row) -> None:
    self.row = row


def _variable(name: str, kind: Kind) -> Any:
    if kind is Kind.BOOL:
        return business_variables.boolean_rule_variable()(lambda self: self.row[name])
    if DICTIONARY[name].unit is None:
        return business_variables.string_rule_variable()(lambda self: self.row[name])
    return business_variables.numeric_rule_variable()(lambda self: self.row[name])


def _known(name: str) -> Any:
    return lambda self: self.row[name] is not None


def _difference(left: str, right: str) -> Any:
    return lambda self: self.row[left] - self.row[right]


def _pairs(condition: Condition) -> list[tuple[str, str]]:
    if isinstance(condition, All | AnyOf):
        return [pair for part in condition.parts for pair in _pairs(part)]
    return (
        [(condition.fact, condition.value.name)]
        if isinstance(condition, Test) and isinstance(condition.value, FactRef)
        else []
    )


OPERATORS = {
    Op.LT: "less_than",
    Op.LE: "less_than_or_equal_to",
    Op.GT: "greater_than",
    Op.GE: "greater_than_or_equal_to",
    Op.EQ: "equal_to",
}


def _checks(condition: Condition) -> dict[str, Any]:
    """A condition as business-rules writes it; it has no `not`, no null and no facts on the right."""
    match condition:
        case All(parts):
            return {"all": [_checks(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [_checks(part) for part in parts]}
        case Test():
            return _check(condition)
    raise ValueError(f"not in negation normal form: {condition}")


def _check(test: Test) -> dict[str, Any]:
    name, op = test.fact, test.op
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return _claim(f"{name}__known", op is Op.IS_NOT_NULL)
    guards = [_claim(f"{name}__known", True)] if may_be_unknown(name) else []
    if isinstance(test.value, FactRef):
        guards += [_claim(f"{test.value.name}__known", True)] if may_be_unknown(test.value.name) else []
        return {"all": [*guards, _ask(f"{name}__less__{test.value.name}", op, 0)]}
    values = [operand.value for operand in operands_of(test) if not isinstance(operand, FactRef)]
    if op is Op.BETWEEN:
        asked = [_ask(name, Op.GE, values[0]), _ask(name, Op.LE, values[1])]
    elif op is Op.IN:
        asked = [{"any": [_ask(name, Op.EQ, value) for value in values]}]
    elif op in (Op.NOT_IN, Op.NE):
        asked = [_differs(name, value) for value in values]
    else:
        asked = [_ask(name, op, values[0])]
    return {"all": [*guards, *asked]}


def _claim(name: str, wanted: bool) -> dict[str, Any]:
    return {"name": name, "operator": "is_true" if wanted else "is_false", "value": True}


def _ask(name: str, op: Op, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return _claim(name, value is (op is Op.EQ))
    return {"name": name, "operator": OPERATORS[op], "value": value}


def _differs(name: str, value: Any) -> dict[str, Any]:
    """Unequal: less or greater; of texts, what matches no pattern of the whole."""
    if isinstance(value, bool):
        return _claim(name, not value)
    if isinstance(value, str):
        return {"name": name, "operator": "matches_regex", "value": f"^(?!{value}$)"}
    return {"any": [_ask(name, Op.LT, value), _ask(name, Op.GT, value)]}
