"""Checks: everything about a policy that can be proved wrong before it decides anything.

Each finding has its place as a JSON pointer, what is wrong and the cure. An error keeps a
document from being proposed; a warning is shown and kept. Source: design.md 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ledger.columns import Column, Kind
from ledger.problems import Problem, has_errors
from rules import limits
from rules.boundary_checks import boundary_problems
from rules.case_checks import case_problems
from rules.conditions import (
    LISTS,
    NULL_TESTS,
    ORDERINGS,
    Const,
    FactRef,
    Op,
    Operand,
    Param,
    Test,
    depth_of,
    nnf,
    operands_of,
    pair,
    params_of,
    path_count,
    tests_of,
)
from rules.derived import derived_in
from rules.effect_checks import effect_problems
from rules.facts import readable
from rules.formula_proofs import nearest
from rules.mapping_checks import mapping_problems
from rules.overlap_checks import overlap_problems
from rules.policies import Parameter, Parameters, Policy, Rule
from rules.resolving import resolve_condition
from rules.stages import STAGE, stage_of
from rules.step_checks import step_problems

SCORE_FACTS = frozenset({"score_bp", "thin_history"})
SCORE_ALONE_REFUSED = frozenset({"credit_limit", "hold"})


@dataclass(frozen=True)
class Reading:
    """What a policy of a stage may read, and the parameters it may name."""

    stage: str
    facts: Mapping[str, Column]
    parameters: Mapping[str, Parameter]
    later: Mapping[str, str] = field(default_factory=dict)  # derived facts it may not read yet, and when


def check(
    policy: Policy,
    parameters: Parameters | Iterable[Parameters],
    dictionary: Mapping[str, Column],
) -> list[Problem]:
    """Everything wrong with a policy, cases included.

    Args:
        policy: parsed.
        parameters: the parameters it would be live with (several: of all and of an entity).
        dictionary: facts and outcomes of its subject.

    Returns:
        Findings in the order of the document; empty when it may be proposed.
    """
    sets = [parameters] if isinstance(parameters, Parameters) else list(parameters)
    named = {parameter.name: parameter for one in sets for parameter in one.parameters}
    facts = readable(policy.stage, dictionary)
    later = {column.name: column.ready for column in derived_in(dictionary) if column.name not in facts}
    reading = Reading(policy.stage, facts, named, later)
    problems = _policy_problems(policy)
    for rule in policy.rules:
        problems += _rule_problems(rule, policy, reading)
    problems += effect_problems(policy, reading.facts, named)
    problems += _escalation_problems(policy, reading)
    problems += step_problems(policy)
    if not has_errors(problems):
        problems += overlap_problems(policy, sets, dictionary)
    if not has_errors(problems):
        problems += case_problems(policy, sets, dictionary)
    if not has_errors(problems):
        problems += boundary_problems(policy, sets, dictionary)
    return _once(problems)


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _policy_problems(policy: Policy) -> list[Problem]:
    stage = STAGE[policy.stage]
    problems = []
    if policy.subject == "invoice" and policy.stage != "escalation":
        cure = "decide the customer, by facts of its invoices"
        problems.append(Problem("/subject", "only an escalation decides invoices one by one", cure))
    if policy.hit not in stage.hits:
        cure = f"use {', '.join(stage.hits)}"
        problems.append(Problem("/hit", f"the hit policy {policy.hit} does not fit the stage {stage.name}", cure))
    missing = [name for name in stage.settable[:1] if name not in policy.otherwise.then]
    if missing:
        problems.append(
            Problem("/otherwise/then", f"{missing[0]} is not set when no rule matches", f"set {missing[0]} here")
        )
    if policy.hit == "most_severe" and policy.stage == "hold":
        for rule in policy.rules:
            if not isinstance(rule.then.get("hold"), Const):
                problems.append(
                    Problem(f"{rule.place}/then/hold", "severity needs a plain true or false", "write true or false")
                )
    if not policy.cases:
        problems.append(Problem("/cases", "there is no case", "add at least one example", "warning"))
    return problems


def _rule_problems(rule: Rule, policy: Policy, reading: Reading) -> list[Problem]:
    problems = []
    place = f"{rule.place}/when"
    tests = list(tests_of(rule.when))
    if len(tests) > limits.TESTS_PER_RULE:
        problems.append(_limit(place, "tests_per_rule", len(tests), "split the rule"))
    if depth_of(rule.when) > limits.CONDITION_DEPTH:
        problems.append(_limit(place, "condition_depth", depth_of(rule.when), "flatten the condition"))
    problems += _path_problems(rule, reading)
    for test in tests if rule.step is None else ():  # a step's are made here; its terms are checked as such
        problems += test_problems(test, reading)
    problems += _settings_problems(rule, policy)
    read = {test.fact for test in tests}
    if policy.stage in SCORE_ALONE_REFUSED and read and read <= SCORE_FACTS:
        problems.append(
            Problem(place, "the rule reads only the score; a score alone never changes a limit or a hold",
                    "add a test on what the customer owes or how it pays")
        )  # fmt: skip
    return problems


def _path_problems(rule: Rule, reading: Reading) -> list[Problem]:
    """Whether a rule falls into too many paths, on any day: a parameter's segments make paths too."""
    place, asked = f"{rule.place}/when", nnf(rule.when)
    count = path_count(asked)
    if count > limits.PATHS_PER_RULE:
        return [_limit(place, "paths_per_rule", count, "split the rule, or use `in` instead of `any`")]
    if not params_of(asked) <= set(reading.parameters):
        return []  # a missing one is found beside
    ever = {name: reading.parameters[name].ever() for name in params_of(asked)}
    count = path_count(resolve_condition(asked, ever))
    if count <= limits.PATHS_PER_RULE:
        return []
    cure = "use parameters that are the same for all segments, or split the rule"
    return [_limit(place, "paths_per_rule", count, cure)]


def _limit(place: str, name: str, found: int, cure: str) -> Problem:
    return Problem(place, f"{found} is more than the limit {name}, {limits.LIMITS[name]}", cure)


def _settings_problems(rule: Rule, policy: Policy) -> list[Problem]:
    problems = []
    if rule.exclusion and policy.stage != "hold":
        problems.append(Problem(f"{rule.place}/then/exclusion", "only a hold knows exclusions", "remove it"))
    excluded = rule.then.get("hold")
    if rule.exclusion and isinstance(excluded, Const) and excluded.value is not False:
        problems.append(Problem(f"{rule.place}/then/hold", "an exclusion lets orders pass", "set hold to false"))
    if rule.final and policy.hit not in ("first", "most_severe", "unique", "any"):
        problems.append(Problem(f"{rule.place}/then/final", "no single rule decides here", "remove `final`"))
    return problems


# --- tests -----------------------------------------------------------------------------


def test_problems(test: Test, reading: Reading) -> list[Problem]:
    """Whether a test asks what can be asked of its fact: the fact, the operator, each value."""
    column = reading.facts.get(test.fact)
    if column is None:
        return [_unknown_fact(test.fact, test.place, reading)]
    if test.op in NULL_TESTS:
        return [] if column.nullable else [_never_null(test, column)]
    if column.unit is None and test.op in ORDERINGS:
        return [
            Problem(test.place, f"{test.fact} is a {column.kind.value} and has no order", "use ==, !=, in or not_in")
        ]
    if column.kind is Kind.BOOL and test.op in LISTS:
        return [Problem(test.place, f"{test.fact} is true or false", "use == or !=")]
    problems = []
    for operand in operands_of(test):
        problems += _operand_problems(operand, column, test, reading)
    if test.op is Op.BETWEEN and not problems:
        low, high = pair(test)
        if isinstance(low, Const) and isinstance(high, Const) and int(low.value or 0) > int(high.value or 0):
            problems.append(Problem(test.place, f"{low.value} to {high.value} is empty", "swap the ends"))
    return problems


def _never_null(test: Test, column: Column) -> Problem:
    outcome = "never" if test.op is Op.IS_NULL else "always"
    return Problem(test.place, f"{column.name} is always known, so this {outcome} holds", "remove the test")


def _unknown_fact(name: str, place: str, reading: Reading) -> Problem:
    stage = stage_of(name)
    if name in reading.later:
        what = f"{name} is computed from outcomes, and known from the stage {reading.later[name]} on"
        return Problem(place, what, "move the rule to that stage or a later one, or derive it from facts alone")
    if stage is not None:
        when = "its own outcome" if stage == reading.stage else f"an outcome of the later stage {stage}"
        return Problem(place, f"{name} is {when}", f"use previous_{name}, or move the rule to a later stage")
    return Problem(place, f"there is no fact {name!r}", nearest(name, reading.facts))


def _operand_problems(operand: Operand, column: Column, test: Test, reading: Reading) -> list[Problem]:
    match operand:
        case FactRef(name):
            other = reading.facts.get(name)
            if other is None:
                return [_unknown_fact(name, test.place, reading)]
            if not comparable(column, other):
                return [_unlike(test.place, column, f"the fact {name}", other.kind)]
            return []
        case Param(name):
            return parameter_problems(name, column, test.place, reading.parameters, reading.stage)
        case Const(value):
            return constant_problems(value, column, test.place)


def comparable(one: Column, other: Column) -> bool:
    """Whether two facts have the same type and unit; codes and enums are both text."""
    if one.unit is not None or other.unit is not None:
        return one.unit == other.unit
    return (one.kind is Kind.BOOL) == (other.kind is Kind.BOOL)


def _unlike(place: str, column: Column, what: str, kind: Kind) -> Problem:
    return Problem(
        place,
        f"{column.name} is {_kind_words(column.kind)} and {what} is {_kind_words(kind)}",
        "compare values of one type and unit",
    )


def _kind_words(kind: Kind) -> str:
    words = {
        Kind.MONEY: "money (minor units)",
        Kind.RATIO: "a ratio (basis points)",
        Kind.DAYS: "a number of days",
        Kind.COUNT: "a count",
        Kind.BOOL: "true or false",
    }
    return words.get(kind, "text")


def constant_problems(value: object, column: Column, place: str) -> list[Problem]:
    """Whether a constant can be a value of a column at all."""
    wanted = bool if column.kind is Kind.BOOL else int if column.unit is not None else str
    if type(value) is not wanted:
        return [Problem(place, f"{column.name} is {_kind_words(column.kind)}, {value!r} is not", "correct the value")]
    if column.values and value not in column.values:
        return [Problem(place, f"{value!r} is no value of {column.name}", f"use {', '.join(column.values)}")]
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = column.low, column.high
        if (low is not None and value < low - 1) or (high is not None and value > high + 1):
            return [Problem(place, f"{value} is outside the range of {column.name}, {low} to {high}", "correct it")]
    return []


def parameter_problems(
    name: str, column: Column, place: str, parameters: Mapping[str, Parameter], stage: str
) -> list[Problem]:
    """Whether a parameter exists, is of the right kind, and may differ by segment here."""
    found = parameters.get(name)
    if found is None:
        return [Problem(place, f"there is no parameter {name!r}", nearest(name, parameters))]
    if not same_kind(found.kind, column):
        return [_unlike(place, column, f"the parameter {name}", found.kind)]
    if any(value.segment for value in found.values) and stage in ("scorecard", "segmentation"):
        return [Problem(place, f"{name} differs by segment, which is not known yet in this stage", "use one for all")]
    return []


def same_kind(kind: Kind, column: Column) -> bool:
    """Whether a parameter of a kind may stand where a column's value does."""
    if column.unit is not None:
        return kind is column.kind
    return (kind is Kind.BOOL) == (column.kind is Kind.BOOL) and kind in (Kind.BOOL, Kind.CODE, Kind.ENUM)


# --- escalation ------------------------------------------------------------------------


def _escalation_problems(policy: Policy, reading: Reading) -> list[Problem]:
    terms = policy.escalation
    if terms is None:
        return []
    problems = []
    amount, days = reading.facts["overdue_net_minor"], reading.facts["leader_days_past_due"]
    bounds = [("tolerance", terms.tolerance, amount), ("minimum", terms.minimum, amount)]
    for word, value, column in [*bounds, ("minimum_days", terms.minimum_days, days)]:
        place = f"/escalation/{word}"
        if isinstance(value, Param):
            problems += parameter_problems(value.name, column, place, reading.parameters, reading.stage)
        elif not isinstance(value.value, int) or isinstance(value.value, bool) or value.value < 0:
            problems.append(Problem(place, f"{value.value!r} is not an amount from 0 up", "give 0 or more"))
    chooser = reading.facts.get(terms.scenario_by)
    if chooser is None:
        problems.append(_unknown_fact(terms.scenario_by, "/escalation/scenario_by", reading))
    elif chooser.unit is not None or chooser.kind is Kind.BOOL:
        problems.append(
            Problem("/escalation/scenario_by", f"{chooser.name} is no code", "choose a scenario by a code, as segment")
        )
    problems += mapping_problems(terms)
    conditions = [terms.unless, *(step.when for step in terms.steps())]
    for condition in conditions:
        for test in tests_of(condition) if condition is not None else ():
            problems += test_problems(test, reading)
    return problems
