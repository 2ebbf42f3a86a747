"""Checks of effects: known outcomes, right types, no overflow."""

from collections.abc import Iterator, Mapping

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules import limits
from rules.conditions import Const, FactRef, Param
from rules.effects import FULL_BP, BySegment, Effect, Greatest, Least, PercentOf, RoundDown, parts_of
from rules.policies import Parameter, Policy
from rules.stages import STAGE, stage_of

SHARE_BOUND_BP = 1_000_000  # 10,000 %: keeps the product in columns within 64 bits
INT64 = 2**63 - 1
Range = tuple[int, int]


def effect_problems(policy: Policy, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]) -> list[Problem]:
    """What is wrong with the effects of a policy, `otherwise` included."""
    problems = []
    largest: dict[str, int] = {}
    for place, outcome, effect in _all_effects(policy):
        if outcome not in STAGE[policy.stage].settable:
            problems.append(_no_such_outcome(policy, outcome, place))
            continue
        column = STAGE[policy.stage].outcome(outcome)
        found = _problems(effect, column, place, facts, parameters)
        problems += found
        if not found and column.unit is not None:
            low, high = _range(effect, facts, parameters)
            largest[outcome] = largest.get(outcome, 0) + max(abs(low), abs(high))
            problems += _range_problems((low, high), column, place)
    if policy.hit == "sum":
        for outcome, bound in largest.items():
            if bound > INT64:
                problems.append(
                    Problem("/rules", f"the sum of {outcome} may reach {bound}, beyond 64 bits", "lower the effects")
                )
    return problems


def _all_effects(policy: Policy) -> Iterator[tuple[str, str, Effect]]:
    for rule in policy.rules:
        for outcome, effect in rule.then.items():
            yield f"{rule.place}/then/{outcome}", outcome, effect
    for outcome, effect in policy.otherwise.then.items():
        yield f"/otherwise/then/{outcome}", outcome, effect


def _no_such_outcome(policy: Policy, outcome: str, place: str) -> Problem:
    cure = f"set {' or '.join(STAGE[policy.stage].settable)}"
    other = stage_of(outcome)
    if other is not None and other != policy.stage:
        return Problem(place, f"{outcome} is an outcome of the stage {other}", cure)
    return Problem(place, f"the stage {policy.stage} has no outcome {outcome!r} that a rule sets", cure)


def _problems(
    effect: Effect, column: Column, place: str, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]
) -> list[Problem]:
    if _depth(effect) > limits.EFFECT_DEPTH:
        return [Problem(place, f"deeper than the limit effect_depth, {limits.EFFECT_DEPTH}", "use a simpler effect")]
    match effect:
        case Const(value):
            return _constant_problems(value, column, place)
        case Param(name):
            return _parameter_problems(name, column.kind, place, parameters)
        case FactRef(name):
            return _fact_problems(name, column, place, facts)
        case PercentOf(of, bp):
            problems = _share_problems(bp, Kind.RATIO, place, parameters, (-SHARE_BOUND_BP, SHARE_BOUND_BP))
            return problems + _arithmetic(of, column, place, facts, parameters)
        case RoundDown(of, step):
            problems = _share_problems(step, column.kind, place, parameters, (1, limits.INTEGER))
            return problems + _arithmetic(of, column, place, facts, parameters)
        case _:
            problems = []
            for part in parts_of(effect):
                problems += _arithmetic(part, column, place, facts, parameters)
            return problems


def _depth(effect: Effect) -> int:
    return 1 + max((_depth(part) for part in parts_of(effect)), default=0)


def _arithmetic(
    part: Effect, column: Column, place: str, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]
) -> list[Problem]:
    if column.unit is None:
        return [Problem(place, f"{column.name} is no number; nothing can be computed for it", "write the value")]
    return _problems(part, column, place, facts, parameters)


def _constant_problems(value: object, column: Column, place: str) -> list[Problem]:
    if value is None:
        return [] if column.nullable else [Problem(place, f"{column.name} cannot be unknown", "give a value")]
    wanted = bool if column.kind is Kind.BOOL else int if column.unit is not None else str
    if type(value) is not wanted:
        return [Problem(place, f"{value!r} is no value of {column.name}, a {column.kind.value}", "correct the value")]
    return []


def _parameter_problems(name: str, kind: Kind, place: str, parameters: Mapping[str, Parameter]) -> list[Problem]:
    found = parameters.get(name)
    if found is None:
        return [Problem(place, f"there is no parameter {name!r}", "add it to the parameters, or correct the name")]
    if not effect_parameter_fits(found, kind):
        return [Problem(place, f"the parameter {name} is of kind {found.kind.value}, not {kind.value}", "use another")]
    return []


def effect_parameter_fits(parameter: Parameter, kind: Kind) -> bool:
    """Whether an outcome of a kind may be set to a parameter; codes and enums are both text."""
    text = (Kind.CODE, Kind.ENUM)
    return parameter.kind is kind or (parameter.kind in text and kind in text)


def _fact_problems(name: str, column: Column, place: str, facts: Mapping[str, Column]) -> list[Problem]:
    found = facts.get(name)
    if found is None:
        when = "not decided before this stage" if stage_of(name) else "not in the dictionary"
        return [Problem(place, f"the fact {name!r} is {when}", "use a fact or an earlier outcome")]
    like = found.unit == column.unit and (column.unit is not None or found.kind is column.kind)
    if not like:
        return [Problem(place, f"{name} is of kind {found.kind.value}, not {column.kind.value}", "use another fact")]
    if found.nullable and not column.nullable:
        return [Problem(place, f"{name} may be unknown, {column.name} may not", "use a fact that is always known")]
    return []


def _share_problems(
    operand: Const | Param, kind: Kind, place: str, parameters: Mapping[str, Parameter], bounds: Range
) -> list[Problem]:
    """A share or a step: an integer within bounds, the same for every segment."""
    if isinstance(operand, Param):
        problems = _parameter_problems(operand.name, kind, place, parameters)
        if problems:
            return problems
        found = parameters[operand.name]
        if any(value.segment for value in found.values):
            return [Problem(place, f"{operand.name} differs by segment; a share or a step cannot", "use one for all")]
        values: list[object] = [value.value for value in found.values]
    else:
        values = [operand.value]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not bounds[0] <= value <= bounds[1]:
            return [Problem(place, f"{value!r} is not an integer from {bounds[0]} to {bounds[1]}", "correct it")]
    return []


# --- ranges ----------------------------------------------------------------------------


def _range_problems(found: Range, column: Column, place: str) -> list[Problem]:
    if max(abs(found[0]), abs(found[1])) > INT64:
        return [Problem(place, "the result may exceed 64 bits", "bound it with min or max")]
    low = column.low if column.low is not None else -INT64
    high = column.high if column.high is not None else INT64
    if found[0] > high or found[1] < low:
        return [Problem(place, f"the result is never within {low} to {high}", "correct the effect")]
    if found[0] < low or found[1] > high:
        what = f"the result may lie outside {low} to {high} ({found[0]} to {found[1]})"
        return [Problem(place, what, "bound it with min or max", "warning")]
    return []


def _range(effect: Effect, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]) -> Range:
    """The smallest range that surely holds every result of an integer effect."""
    match effect:
        case Const(value):
            number = int(value) if value is not None else 0
            return number, number
        case FactRef(name):
            column = facts[name]
            return (
                column.low if column.low is not None else -INT64,
                column.high if column.high is not None else INT64,
            )
        case Param(name):
            return _parameter_range(parameters[name])
        case BySegment(values, default):
            numbers = [int(default), *(int(value) for _, value in values)]
            return min(numbers), max(numbers)
        case PercentOf(of, bp):
            low, high = _range(of, facts, parameters)
            shares = _range(bp, facts, parameters)
            ends = [end * share // FULL_BP for end in (low, high) for share in shares]
            return min(ends), max(ends) + 1
        case RoundDown(of, step):
            low, high = _range(of, facts, parameters)
            return (low // _range(step, facts, parameters)[1]) * _range(step, facts, parameters)[1], high
        case Least(parts):
            ranges = [_range(part, facts, parameters) for part in parts]
            return min(low for low, _ in ranges), min(high for _, high in ranges)
        case Greatest(parts):
            ranges = [_range(part, facts, parameters) for part in parts]
            return max(low for low, _ in ranges), max(high for _, high in ranges)


def _parameter_range(parameter: Parameter) -> Range:
    numbers = [int(value.value) for value in parameter.values]
    low = parameter.low if parameter.low is not None else min(numbers)
    high = parameter.high if parameter.high is not None else max(numbers)
    return low, high
