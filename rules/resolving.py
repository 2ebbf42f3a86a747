"""Resolving: constants in place of parameters, as they stand on one day.

Where a parameter differs by segment, what reads it splits into one path per segment and one for all others.
"""

from collections.abc import Mapping

from rules import effects
from rules.conditions import All, Any, Condition, Const, Param, Test, map_tests, operands_of, tests_of
from rules.effects import BySegment, Effect
from rules.policies import Resolved
from rules.stepping import is_none_of, is_one_of


def parameter_named(name: str, resolved: Mapping[str, Resolved]) -> Resolved:
    """A resolved parameter.

    Raises:
        ValueError: there is none; the checker would have said so.
    """
    if name not in resolved:
        raise ValueError(f"the parameter {name!r} has no value on this day; check the documents first")
    return resolved[name]


def resolve_condition(asked: Condition, resolved: Mapping[str, Resolved]) -> Condition:
    """A condition in NNF with constants for its parameters.

    Where the parameters of several tests differ by segment it splits once for all of them: as many
    paths as there are segments, not as many as there are combinations.
    """
    split = [test for test in tests_of(asked) if segments_of(test, resolved)]
    if len(split) < 2:
        return map_tests(asked, lambda test: resolve_test(test, resolved))
    segments = sorted({segment for test in split for segment in segments_of(test, resolved)})
    place = split[0].place

    def of_segment(segment: str | None) -> Condition:
        return map_tests(asked, lambda test: constant_test(test, resolved, segment))

    branches = (All((is_one_of("segment", (one,), place), of_segment(one))) for one in segments)
    return Any((*branches, All((is_none_of("segment", tuple(segments), place), of_segment(None)))))


def segments_of(test: Test, resolved: Mapping[str, Resolved]) -> frozenset[str]:
    """The segments that have a value of their own of a parameter the test names."""
    named = [operand.name for operand in operands_of(test) if isinstance(operand, Param)]
    return frozenset(segment for name in named for segment, _ in parameter_named(name, resolved).by_segment)


def resolve_test(test: Test, resolved: Mapping[str, Resolved]) -> Condition:
    """A test with constants for its parameters.

    Where a parameter differs by segment this becomes one branch per segment. The guards of
    the branches are never unknown, so an unknown segment takes the value for all.
    """
    segments = sorted(segments_of(test, resolved))
    plain = constant_test(test, resolved, None)
    if not segments:
        return plain
    branches: list[Condition] = [
        All((is_one_of("segment", (segment,), test.place), constant_test(test, resolved, segment)))
        for segment in segments
    ]
    return Any((*branches, All((is_none_of("segment", tuple(segments), test.place), plain))))


def constant_test(test: Test, resolved: Mapping[str, Resolved], segment: object) -> Test:
    """A test with the constants that hold for one segment."""

    def constant(operand: Const | Param) -> Const:
        if isinstance(operand, Const):
            return operand
        return Const(parameter_named(operand.name, resolved).for_segment(segment))

    value = test.value
    if isinstance(value, tuple):
        return Test(test.fact, test.op, tuple(constant(operand) for operand in value), test.place)
    if isinstance(value, Const | Param):
        return Test(test.fact, test.op, constant(value), test.place)
    return test


def resolve_effect(effect: Effect, resolved: Mapping[str, Resolved]) -> Effect:
    """An effect with constants for its parameters."""

    def value_of(param: Param) -> Effect:
        found = parameter_named(param.name, resolved)
        return BySegment(found.by_segment, found.value) if found.by_segment else Const(found.value)

    return effects.map_params(effect, value_of)
