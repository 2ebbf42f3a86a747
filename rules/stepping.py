"""Scenarios: timed steps, the easy form of an escalation policy, compiled into its rules."""

from collections.abc import Sequence

from rules.conditions import NULL_TESTS, All, Any, Condition, Const, FactRef, Not, Op, Param, Test, nnf, opposite
from rules.policies import Escalation, Rule, Step

STANDARD = "standard"  # the scenario of every value that has none of its own
NO_SCENARIO = "none"  # by hand: the customer follows no scenario, nothing is sent
TIED = "override_scenario"
DAYS = "leader_days_past_due"
NET = "overdue_net_minor"
LEADER = "leader_open_minor"
AT_MONTH_END = "leader_month_end_days"
DONE = "days_since_step_done"
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
    rules: list[Rule] = []
    for scenario, steps in terms.scenarios.items():
        for index, step in enumerate(steps):
            where = f"{place}/{scenario}/{index}"
            parts: list[Condition] = [follows(scenario, terms, where)]
            if terms.unless is not None:
                parts.append(is_not_so(nnf(terms.unless)))
            if step.when is not None:
                parts.append(nnf(step.when))
            parts += timing_of(steps, index, terms, where)
            parts.append(Test(LEADER if step.is_early else NET, Op.GT, terms.tolerance, where))
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


def follows(scenario: str, terms: Escalation, place: str) -> Condition:
    """Whether a customer follows a scenario: tied to it by a person, or else chosen by its fact."""
    named = tuple(sorted(name for name in terms.scenarios if name != STANDARD))
    tied = is_one_of(TIED, (scenario,), place)
    free = Test(TIED, Op.IS_NULL, None, place)
    if scenario == STANDARD and not named:
        return Any((tied, free))
    chosen = is_none_of(terms.scenario_by, named, place)
    if scenario != STANDARD:
        chosen = is_one_of(terms.scenario_by, (scenario,), place)
    return Any((tied, All((free, chosen))))


def timing_of(steps: Sequence[Step], index: int, terms: Escalation, place: str) -> list[Condition]:
    """When the time of a step has come, as tests.

    The end of the month in which the day n days after the due date lies has come once that day
    lies on or before the last month end: once the leader was due n days or more at it. A step
    n days after the one before it has come while that one's root has, and n days after the step
    stood at was done, or once it was reached: so that it is not lost to the next leader.
    """
    step = steps[index]
    if step.days is not None and step.days < 0:
        return [Test(DAYS, Op.BETWEEN, (Const(step.days), Const(-1)), place)]
    if step.days is not None:
        return [Test(DAYS, Op.GE, Const(step.days), place)]
    if step.end_of_month is not None:
        return [Test(DAYS, Op.GE, Const(1), place), Test(AT_MONTH_END, Op.GE, Const(step.end_of_month), place)]
    behind = All((_follows(steps, index - 1, terms, place), Test(DONE, Op.GE, Const(step.after_previous), place)))
    root = next(i for i in range(index, -1, -1) if steps[i].after_previous is None)
    stood: list[Condition] = [Any((_reached(step.level, terms, place), behind))]
    if terms.after_leader_paid == "restart":  # what was reached with another leader counts no more
        stood.append(Test("same_leader", Op.EQ, Const(True), place))
    return [*timing_of(steps, root, terms, place), *stood]


def _follows(steps: Sequence[Step], index: int, terms: Escalation, place: str) -> Condition:
    """Whether a step was reached, or for whom it is not meant, the one before it."""
    reached = _reached(steps[index].level, terms, place)
    unmeant = steps[index].when
    if unmeant is None or index == 0 or steps[index - 1].is_early:
        return reached
    return Any((reached, All((is_not_so(nnf(unmeant)), _follows(steps, index - 1, terms, place)))))


def _reached(level: int, terms: Escalation, place: str) -> Condition:
    """Whether a level was reached, by the names of this version: ``Plan.stood`` as a condition."""
    here = Test("previous_level", Op.GE, Const(level), place)
    steps = {step.key: step.level for step in terms.steps()}
    moved = {old: steps.get(new, 0) for old, new in terms.mapped_steps.items()}
    cases: list[Condition] = []
    kept: list[Condition] = [here]
    if moved:
        kept.append(is_none_of("previous_step", tuple(sorted(moved)), place))
        up = tuple(sorted(old for old, to in moved.items() if to >= level))
        cases += [is_one_of("previous_step", up, place)] if up else []
    if terms.mapped_levels:
        nowhere = Test("previous_step", Op.IS_NULL, None, place)
        somewhere = opposite(nowhere)
        gone = tuple(Const(old) for old in sorted(terms.mapped_levels))
        stays = Any((somewhere, Test("previous_level", Op.NOT_IN, gone, place)))
        kept.append(stays)
        rising = tuple(Const(old) for old, to in sorted(terms.mapped_levels.items()) if to >= level)
        cases += [All((nowhere, Test("previous_level", Op.IN, rising, place)))] if rising else []
    return Any((All(tuple(kept)), *cases)) if cases or len(kept) > 1 else here
