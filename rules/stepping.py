"""Scenarios: timed steps, the easy form of an escalation policy, compiled into its rules."""

from rules.conditions import NULL_TESTS, All, Any, Condition, Const, FactRef, Not, Op, Param, Test, nnf, opposite
from rules.policies import Escalation, Rule, Step

STANDARD = "standard"  # the scenario of every value that has none of its own
DAYS = "leader_days_past_due"
NET = "overdue_net_minor"
LEADER = "leader_open_minor"
Operand = Const | Param | FactRef


def is_one_of(fact: str, values: tuple[str, ...], place: str = "") -> Condition:
    """Whether a fact has one of some values: false, never unknown, when it is null."""
    return All(
        (Test(fact, Op.IS_NOT_NULL, None, place), Test(fact, Op.IN, tuple(Const(value) for value in values), place))
    )


def is_none_of(fact: str, values: tuple[str, ...], place: str = "") -> Condition:
    """Whether a fact is null or has another value than some."""
    if not values:
        return Any((Test(fact, Op.IS_NULL, None, place), Test(fact, Op.IS_NOT_NULL, None, place)))
    return Any(
        (
            Test(fact, Op.IS_NULL, None, place),
            All(
                (
                    Test(fact, Op.IS_NOT_NULL, None, place),
                    Test(fact, Op.NOT_IN, tuple(Const(value) for value in values), place),
                )
            ),
        )
    )


def is_not_so(condition: Condition) -> Condition:
    """True wherever a condition does not hold, also where that is unknown.

    An exception must be known to apply: a customer whose country is unknown is dunned.
    """
    match condition:
        case All(parts):
            return Any(tuple(is_not_so(part) for part in parts))
        case Any(parts):
            return All(tuple(is_not_so(part) for part in parts))
        case Not():
            raise ValueError("conditions are put into negation normal form first")
        case Test(fact, op, value, place):
            if op in NULL_TESTS:
                return opposite(condition)
            names = (fact, value.name) if isinstance(value, FactRef) else (fact,)
            nulls = tuple(Test(name, Op.IS_NULL, None, place) for name in names)
            return Any((*nulls, opposite(condition)))


def rules_of(terms: Escalation, place: str = "/escalation/scenarios") -> tuple[Rule, ...]:
    """One rule for each step, its key the step's.

    A step after the due date holds from its day on while net overdue is above the
    tolerance and not below the minimum. A step before the due date holds from its day
    until the day before, on the open amount of the leader, and lapses when it is due.
    """
    named = tuple(sorted(name for name in terms.scenarios if name != STANDARD))
    rules: list[Rule] = []
    for scenario, steps in terms.scenarios.items():
        for index, step in enumerate(steps):
            where = f"{place}/{scenario}/{index}"
            parts: list[Condition] = []
            if scenario != STANDARD:
                parts.append(is_one_of(terms.scenario_by, (scenario,), where))
            elif named:
                parts.append(is_none_of(terms.scenario_by, named, where))
            if terms.unless is not None:
                parts.append(is_not_so(nnf(terms.unless)))
            parts += _timing(step, terms, where)
            rules.append(
                Rule(
                    key=step.key,
                    label=step.label or step.key,
                    because=step.because,
                    priority=index,
                    when=All(tuple(parts)),
                    then={"level": Const(step.level), "step": Const(step.key)},
                    step=step,
                    place=where,
                )
            )
    return tuple(rules)


def _timing(step: Step, terms: Escalation, place: str) -> list[Condition]:
    if step.days < 0:
        return [
            Test(DAYS, Op.BETWEEN, (Const(step.days), Const(-1)), place),
            Test(LEADER, Op.GT, terms.tolerance, place),
        ]
    return [
        Test(DAYS, Op.GE, Const(step.days), place),
        Test(NET, Op.GT, terms.tolerance, place),
    ]
