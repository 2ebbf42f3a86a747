"""Derived facts: read from their document, put in the order of their inputs, joined to the dictionary.

A derived fact may read facts, other derived facts and outcomes. It is ready at the first stage
before which all of these are known; policies of earlier stages cannot read it.
Source: design.md 4, semantics.md 2.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any as Json

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules import limits
from rules.conditions import Condition, Param
from rules.effects import BySegment
from rules.facts import DerivedColumn, dictionary_of
from rules.formula_proofs import NAMES, Prover, as_kind
from rules.formulas import (
    DerivedFact,
    DerivedFacts,
    Formula,
    Number,
    depth_of,
    facts_of,
    formula_of,
    params_of,
    resolved,
    walk,
)
from rules.misfits import shape_problems
from rules.policies import Parameter, Resolved
from rules.stages import STAGE_NAMES, stage_of

PREFIX = "derived_"
SUFFIXES = {Kind.MONEY: "_minor", Kind.RATIO: "_bp", Kind.DAYS: "_days"}


@dataclass(frozen=True, slots=True)
class ReadyFact:
    """A derived fact of one day: what an executor computes.

    Args:
        formula: proved, without parameters.
        low, high: what lies beyond counts as the end.
        ready: the stage just before which it is computed.
    """

    name: str
    formula: Formula
    low: int | None
    high: int | None
    ready: str

    def within(self, value: int | None) -> int | None:
        """A value brought into the declared range."""
        if value is None:
            return None
        value = value if self.low is None else max(self.low, value)
        return value if self.high is None else min(self.high, value)


def parse_derived(document: Mapping[str, Json]) -> tuple[DerivedFacts | None, list[Problem]]:
    """Read a document of derived facts, in the manner of ``rules.documents.parse``."""
    problems = shape_problems(document, "derived_facts")
    if problems:
        return None, problems
    found = DerivedFacts(
        key=document["key"],
        entity=document.get("entity"),
        source=document["source"],
        facts=tuple(_fact(fact, f"/facts/{index}") for index, fact in enumerate(document["facts"])),
        document=document,
    )
    problems = _shape_faults(found)
    return (None, problems) if problems else (found, [])


def _fact(fact: Mapping[str, Json], place: str) -> DerivedFact:
    return DerivedFact(
        name=fact["name"],
        kind=Kind(fact["kind"]),
        label=fact["label"],
        meaning=fact["meaning"],
        formula=formula_of(fact["formula"], f"{place}/formula"),
        rounding=fact["rounding"],
        low=fact.get("low"),
        high=fact.get("high"),
        document=fact,
        place=place,
    )


def _shape_faults(found: DerivedFacts) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    for fact in found.facts:
        place = f"{fact.place}/name"
        if fact.name in seen:
            problems.append(Problem(place, f"the derived fact {fact.name!r} occurs twice", "give each its own name"))
        seen.add(fact.name)
        if not _is_named_well(fact):
            suffix = SUFFIXES.get(fact.kind, "")
            what = f"{fact.name!r} does not say that it is derived, or what it measures"
            problems.append(
                Problem(place, what, f"begin it with {PREFIX}" + (f" and end it with {suffix}" * bool(suffix)))
            )
        if fact.low is not None and fact.high is not None and fact.low > fact.high:
            problems.append(Problem(f"{fact.place}/low", "the range ends below its beginning", "swap the two"))
        if depth_of(fact.formula) > limits.FORMULA_DEPTH:
            what = f"deeper than the limit formula_depth, {limits.FORMULA_DEPTH}"
            problems.append(Problem(f"{fact.place}/formula", what, "make a part of it a derived fact of its own"))
        if sum(1 for _ in walk(fact.formula)) > limits.FORMULA_PARTS:
            what = f"longer than the limit formula_parts, {limits.FORMULA_PARTS}"
            problems.append(Problem(f"{fact.place}/formula", what, "make a part of it a derived fact of its own"))
    return problems


def kind_named(name: str) -> Kind:
    """What a derived fact measures, which its name says.

    >>> kind_named("derived_share_bp").value, kind_named("derived_calls").value
    ('ratio', 'count')
    """
    return next((kind for kind, end in SUFFIXES.items() if name.endswith(end)), Kind.COUNT)


def _is_named_well(fact: DerivedFact) -> bool:
    return fact.name.startswith(PREFIX) and kind_named(fact.name) is fact.kind


def merged(sets: Iterable[DerivedFacts], entity: str | None) -> list[DerivedFact]:
    """The derived facts of all entities and of one; of two with a name its own wins."""
    named: dict[str, DerivedFact] = {}
    for one in sorted(sets, key=lambda one: one.entity is not None):
        if one.entity in (None, entity):
            named |= {fact.name: fact for fact in one.facts}
    return list(named.values())


def with_derived(
    dictionary: Mapping[str, Column], derived: Iterable[DerivedFact], parameters: Mapping[str, Parameter]
) -> tuple[dict[str, Column], list[Problem]]:
    """The dictionary with derived facts, each proved and with the stage it is ready at.

    Args:
        dictionary: standard facts and outcomes.
        derived: in any order.
        parameters: by name.

    Returns:
        The dictionary with those that are sound, inputs first, and what is wrong with the others.
    """
    joined = dict(dictionary)
    ordered, problems = _ordered(list(derived))
    broken: set[str] = set()
    for fact in ordered:
        if fact.name in dictionary:
            problems.append(Problem(f"{fact.place}/name", f"{fact.name!r} is a fact already", "choose another name"))
            continue
        lost = sorted(facts_of(fact.formula) & broken)
        if lost:
            what = f"it reads {', '.join(lost)}, which cannot be computed"
            problems.append(Problem(f"{fact.place}/formula", what, "correct that one first"))
            broken.add(fact.name)
            continue
        column, found = _column(fact, joined, parameters)
        problems += found
        if column is None:
            broken.add(fact.name)
        else:
            joined[fact.name] = column
    return joined, sorted(problems, key=lambda one: (_number(one.place), one.place))


def _number(place: str) -> int:
    parts = place.split("/")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else -1


def _ordered(facts: list[DerivedFact]) -> tuple[list[DerivedFact], list[Problem]]:
    """The facts, inputs before what reads them; those in a circle are left out and named."""
    named = {fact.name: fact for fact in facts}
    done: dict[str, DerivedFact] = {}
    waiting = dict(named)
    while waiting:
        next_ones = [fact for fact in waiting.values() if not (facts_of(fact.formula) & set(waiting)) - set(done)]
        if not next_ones:
            break
        for fact in next_ones:
            done[fact.name] = waiting.pop(fact.name)
    problems = []
    for fact in waiting.values():
        circle = _circle(fact.name, waiting)
        if circle:
            what = f"it needs itself: {' needs '.join(circle)}"
            problems.append(Problem(f"{fact.place}/formula", what, "leave one of them out"))
        else:
            inner = sorted(facts_of(fact.formula) & set(waiting))
            what = f"it reads {', '.join(inner)}, which needs itself"
            problems.append(Problem(f"{fact.place}/formula", what, "correct that one first"))
    return list(done.values()), problems


def _circle(start: str, waiting: Mapping[str, DerivedFact]) -> list[str]:
    """The shortest way from a fact back to itself; empty when there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in sorted(facts_of(waiting[way[-1]].formula) & set(waiting)):
            if name == start:
                return [*way, start]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def _column(
    fact: DerivedFact, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]
) -> tuple[DerivedColumn | None, list[Problem]]:
    place = f"{fact.place}/formula"
    prover = Prover(facts, parameters, fact.rounding)
    proof = prover.prove(fact.formula, place)
    if proof is None:
        return None, prover.problems
    whole = as_kind(proof, fact.kind)
    if whole is None:
        what = f"the formula gives {NAMES[proof.kind]}, and the fact is declared as {NAMES[fact.kind]}"
        return None, [Problem(f"{fact.place}/kind", what, f"declare it as {NAMES[proof.kind]}, or change the formula")]
    low = whole.low if fact.low is None else max(fact.low, whole.low)
    high = whole.high if fact.high is None else min(fact.high, whole.high)
    if low > high:
        what = f"the formula lies from {whole.low} to {whole.high}, never within the range"
        return None, [Problem(f"{fact.place}/low", what, "correct the range")]
    ready = ready_stage(fact, facts, parameters)
    if ready is None:
        what = "it reads an outcome of the last stage, so that no rule could read it"
        return None, [Problem(place, what, "read previous_ outcomes instead")]
    column = DerivedColumn(
        name=fact.name,
        kind=fact.kind,
        nullable=whole.nullable,
        label=fact.label,
        meaning=fact.meaning,
        low=low,
        high=high,
        fact=fact,
        formula=whole.formula,
        ready=ready,
    )
    return column, []


def ready_stage(fact: DerivedFact, facts: Mapping[str, Column], parameters: Mapping[str, Parameter]) -> str | None:
    """The first stage before which all that a formula reads is known; None after the last one."""
    first = 0
    for name in facts_of(fact.formula):
        column, stage = facts.get(name), stage_of(name)
        if isinstance(column, DerivedColumn):
            first = max(first, STAGE_NAMES.index(column.ready))
        elif stage is not None:
            first = max(first, STAGE_NAMES.index(stage) + 1)
    split = [name for name in params_of(fact.formula) if name in parameters and _differs(parameters[name])]
    if split:
        first = max(first, STAGE_NAMES.index("segmentation") + 1)
    return STAGE_NAMES[first] if first < len(STAGE_NAMES) else None


def _differs(parameter: Parameter) -> bool:
    return any(value.segment is not None for value in parameter.values)


def dictionary_for(
    subject: str, derived: Iterable[DerivedFact], parameters: Mapping[str, Parameter]
) -> Mapping[str, Column]:
    """Every fact and outcome of a subject with the derived facts that are sound."""
    return with_derived(dictionary_of(subject), derived, parameters)[0]


def derived_in(dictionary: Mapping[str, Column]) -> list[DerivedColumn]:
    """The derived facts of a dictionary, inputs before what reads them."""
    return [column for column in dictionary.values() if isinstance(column, DerivedColumn)]


def needed(
    names: Iterable[str], dictionary: Mapping[str, Column], given: frozenset[str] = frozenset()
) -> list[DerivedColumn]:
    """The derived facts among some names, and those they read in turn; inputs first; not those given."""
    wanted: set[str] = set()
    left = list(names)
    while left:
        column = dictionary.get(left.pop())
        if isinstance(column, DerivedColumn) and column.name not in wanted | given:
            wanted.add(column.name)
            left += sorted(facts_of(column.formula))
    return [column for column in derived_in(dictionary) if column.name in wanted]


def ready_fact(
    column: DerivedColumn, resolve: Mapping[str, Resolved], ask: Callable[[Condition], Condition]
) -> ReadyFact:
    """A derived fact with the parameters of a day.

    Args:
        ask: makes a condition ready for the executors.

    Raises:
        ValueError: a parameter has no value on this day.
    """

    def value_of(param: Param) -> Number | BySegment:
        found = resolve.get(param.name)
        if found is None:
            raise ValueError(f"the parameter {param.name!r} has no value on this day; check the documents first")
        return BySegment(found.by_segment, found.value) if found.by_segment else Number(_whole(found.value))

    fact = column.fact
    return ReadyFact(column.name, resolved(column.formula, value_of, ask), fact.low, fact.high, column.ready)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"formulas compute with integers, got {value!r}")
    return value
