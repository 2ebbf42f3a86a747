"""Conditions in the expression language that zen-engine and rule-engine have in common, every unknown guarded."""

from benchmarks.peers.base import may_be_unknown
from rules.conditions import All, Condition, FactRef, Op, Test, operands_of
from rules.conditions import Any as AnyOf


def expression(condition: Condition) -> str:
    """A whole condition, which is in negation normal form."""
    match condition:
        case All(parts):
            return "(" + " and ".join(expression(part) for part in parts) + ")"
        case AnyOf(parts):
            return "(" + " or ".join(expression(part) for part in parts) + ")"
        case Test():
            return f"({asked(condition, condition.fact)})"
    raise ValueError(f"not in negation normal form: {condition}")


def asked(test: Test, name: str) -> str:
    """A test of what stands under a name, and that all it compares is known."""
    op, values = test.op, written(test)
    if op in (Op.IS_NULL, Op.IS_NOT_NULL):
        return f"{name} {'==' if op is Op.IS_NULL else '!='} null"
    guards = [f"{name} != null"] if may_be_unknown(test.fact) else []
    if isinstance(test.value, FactRef) and may_be_unknown(test.value.name):
        guards.append(f"{test.value.name} != null")
    if op is Op.BETWEEN:
        compared = f"{name} >= {values[0]} and {name} <= {values[1]}"
    elif op in (Op.IN, Op.NOT_IN):
        compared = f"{name} {'in' if op is Op.IN else 'not in'} [{', '.join(values)}]"
    else:
        compared = f"{name} {op.value} {values[0]}"
    return " and ".join([*guards, compared])


def written(test: Test) -> list[str]:
    """What a test compares with."""
    return [one.name if isinstance(one, FactRef) else literal(one.value) for one in operands_of(test)]  # type: ignore[union-attr]


def literal(value: object) -> str:
    """A constant."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
