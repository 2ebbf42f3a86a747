"""The reference evaluator: decides one row, in plain Python, and can say why.

Closures are built once per book. ``holds`` is two-valued on negation normal form, where an
unknown leaf counts as false; ``verdict`` is three-valued (None: unknown).
"""

import operator
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any as Value

from rules import hits
from rules.book import Book, BookRule, BookStage
from rules.conditions import All, Any, Condition, Const, FactRef, Not, Op, Scalar, Test, operands_of, pair
from rules.derived import ReadyFact
from rules.escalation import Move, Plan, Wait, settle
from rules.formula_values import Value as FormulaValue
from rules.formula_values import value_of
from rules.stages import STAGES, Stage

Row = Mapping[str, Scalar | None]
Verdict = Callable[[Row], bool | None]
Holds = Callable[[Row], bool]
_Formulas = tuple[tuple[ReadyFact, FormulaValue], ...]
OVERRIDE = "override_"
OVERRIDDEN = "override"  # the reason of a hold that a person decided
COMPARE: Mapping[Op, Callable[[Value, Value], bool]] = {
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
}


@dataclass(slots=True)
class Decided:
    """What the rules make of one row.

    Args:
        outcomes: every outcome in force, overrides applied.
        by_rules: the same before overrides.
        derived: the derived facts that its stages read.
        matched: per stage the keys of the rules that hold.
        winner: per stage the key of the rule that decided; None: `otherwise` or a sum.
        undecided: per undecided stage the facts that are missing (empty: rules contradict).
        conflicts: per stage the rules that contradict each other.
        waiting: code of why the escalation goes no further.
        enters_step: whether a step begins by this decision.
        episode_move: what becomes of the episode.
    """

    outcomes: dict[str, Scalar | None] = field(default_factory=dict)
    by_rules: dict[str, Scalar | None] = field(default_factory=dict)
    derived: dict[str, int | None] = field(default_factory=dict)
    matched: dict[str, frozenset[str]] = field(default_factory=dict)
    winner: dict[str, str | None] = field(default_factory=dict)
    undecided: dict[str, list[str]] = field(default_factory=dict)
    conflicts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    waiting: str | None = None
    enters_step: bool = False
    episode_move: str | None = None


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A rule whose unknown verdict sends rows to a person."""

    rule: BookRule
    verdict: Verdict

    def is_unknown(self, row: Row) -> bool:
        """Whether the verdict is unknown and that matters; only a missing fact can make it so."""
        missing = False
        for name in self.rule.facts:
            if row.get(name) is None:
                missing = True
                break
        return missing and self.rule.refers_on(row) and self.verdict(row) is None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Closures of one stage."""

    stage: BookStage
    holds: tuple[tuple[str, Holds], ...]
    doubts: tuple["_Doubt", ...]  # of the rules that refer
    derived: _Formulas


def decide(row: Row, book: Book, matched: Mapping[str, AbstractSet[str]] | None = None) -> Decided:
    """Decide one row through all stages.

    Args:
        row: facts by name; a missing one is unknown. ``previous_*`` outcomes and
            ``override_*`` values stand among them.
        book: of the day.
        matched: per stage, matched keys that another executor found, used instead of
            evaluating (the engine, after durable-rules).
    """
    seen = dict(row)
    decided = Decided()
    prepared = _prepared(book)
    for stage in STAGES:
        if stage.name in prepared:
            decided.derived.update(_derive(prepared[stage.name].derived, seen))
            own = None if matched is None else matched.get(stage.name)
            _decide_stage(prepared[stage.name], seen, decided, own)
        else:
            decided.by_rules.update({column.name: stage.absent.get(column.name) for column in stage.outcomes})
        final = decided.winner.get(stage.name) is not None and _is_final(prepared, stage, decided)
        _apply_overrides(stage, seen, decided, final)
        seen.update({column.name: decided.outcomes[column.name] for column in stage.outcomes})
    return decided


def matching(row: Row, stage: BookStage, book: Book) -> frozenset[str]:
    """Keys of the rules of a stage that hold for a row."""
    return frozenset(key for key, holds in _prepared(book)[stage.name].holds if holds(row))


def with_derived(row: Row, stage: BookStage) -> dict[str, Scalar | None]:
    """A row with the derived facts that a stage reads."""
    seen = dict(row)
    _derive(_formulas(stage), seen)
    return seen


def _derive(derived: _Formulas, seen: dict[str, Scalar | None]) -> dict[str, int | None]:
    """Add derived facts to what is seen, one after the other."""
    found = {}
    for fact, value in derived:
        seen[fact.name] = found[fact.name] = fact.within(value(seen))
    return found


def _formulas(stage: BookStage) -> _Formulas:
    return tuple((fact, value_of(fact.formula, holds_of)) for fact in stage.derived)


def _prepared(book: Book) -> dict[str, _Prepared]:
    found: dict[str, _Prepared] | None = book.prepared.get("reference")
    if found is None:
        found = {name: _prepare(stage) for name, stage in book.stages.items()}
        book.prepared["reference"] = found
    return found


def _prepare(stage: BookStage) -> _Prepared:
    return _Prepared(
        stage,
        tuple((rule.key, holds_of(rule.condition)) for rule in stage.rules),
        tuple(_Doubt(rule, verdict_of(rule.condition)) for rule in stage.rules if rule.may_refer()),
        _formulas(stage),
    )


def _decide_stage(
    prepared: _Prepared, seen: dict[str, Scalar | None], decided: Decided, given: AbstractSet[str] | None
) -> None:
    stage = prepared.stage
    keys = frozenset(key for key, holds in prepared.holds if holds(seen)) if given is None else frozenset(given)
    unknown = frozenset(
        doubt.rule.key for doubt in prepared.doubts if doubt.rule.key not in keys and doubt.is_unknown(seen)
    )
    found = hits.resolve(stage, keys, seen, unknown)
    decided.matched[stage.name] = keys
    decided.winner[stage.name] = found.winner
    values = found.values
    if stage.plan is not None:
        values = _settle(stage.plan, seen, decided, found, stage.stopped)
    if found.undecided:
        decided.undecided[stage.name] = missing_facts(stage, unknown, seen)
        if found.conflict:
            decided.conflicts[stage.name] = found.conflict
    decided.by_rules.update(values)


def _settle(plan: Plan, seen: Row, decided: Decided, found: hits.Resolution, stopped: bool) -> dict[str, Scalar | None]:
    """Level and step of an escalation; undecided or stopped, everything stays as it stood."""
    if found.undecided or stopped:
        decided.waiting = (Wait.STOPPED if stopped else Wait.UNKNOWN).value
        decided.episode_move = (Move.SAME if seen.get("episode_open") is True else Move.NONE).value
        return found.values
    settled = settle(seen, decided.matched["escalation"], plan)
    decided.waiting = settled.waiting.value
    decided.enters_step = settled.enters_step
    decided.episode_move = settled.episode_move.value
    return {"level": settled.level, "step": settled.step}


def missing_facts(stage: BookStage, unknown: AbstractSet[str], row: Row) -> list[str]:
    """The unknown facts that keep a stage from deciding."""
    names = {name for name in stage.money if row.get(name) is None}
    for rule in stage.rules:
        if rule.key in unknown and rule.refers_on(row):
            names.update(_missing_in(rule, row))
    return sorted(names)


def _missing_in(rule: BookRule, row: Row) -> set[str]:
    return {name for name in rule.facts if row.get(name) is None}


def _is_final(prepared: Mapping[str, _Prepared], stage: Stage, decided: Decided) -> bool:
    key = decided.winner[stage.name]
    return key is not None and prepared[stage.name].stage.rule(key).rule.final


def _apply_overrides(stage: Stage, seen: Row, decided: Decided, final: bool) -> None:
    for column in stage.outcomes:
        by_hand = None if final else seen.get(OVERRIDE + column.name)
        by_rules = decided.by_rules[column.name]
        decided.outcomes[column.name] = by_rules if by_hand is None else by_hand
    if stage.name == "hold" and not final and seen.get(OVERRIDE + "hold") is not None:
        reason = seen.get(OVERRIDE + "hold_reason")
        decided.outcomes["hold_reason"] = OVERRIDDEN if reason is None else reason


# --- closures --------------------------------------------------------------------------


def holds_of(condition: Condition) -> Holds:
    """Whether a condition in NNF without parameters holds; unknown never does.

    Raises:
        ValueError: the condition is not in negation normal form.
    """
    match condition:
        case Test():
            return _leaf_holds(condition)
        case All(parts):
            every = tuple(holds_of(part) for part in parts)

            def all_hold(row: Row) -> bool:
                for part in every:  # a loop, not all(): this is the hot path of a credit check  # noqa: SIM110
                    if not part(row):
                        return False
                return True

            return all_hold
        case Any(parts):
            some = tuple(holds_of(part) for part in parts)

            def any_holds(row: Row) -> bool:
                for part in some:  # noqa: SIM110
                    if part(row):
                        return True
                return False

            return any_holds
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def verdict_of(condition: Condition) -> Verdict:
    """The truth of a condition without parameters: True, False, or None for unknown (Kleene)."""
    match condition:
        case Test():
            return _leaf(condition)
        case Not(part):
            inner = verdict_of(part)

            def negation(row: Row) -> bool | None:
                value = inner(row)
                return None if value is None else not value

            return negation
        case All(parts):
            every = tuple(verdict_of(part) for part in parts)
            return lambda row: _all([part(row) for part in every])
        case Any(parts):
            some = tuple(verdict_of(part) for part in parts)
            return lambda row: _any([part(row) for part in some])


def _all(values: list[bool | None]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    return True if True in values else None if None in values else False


def _leaf_holds(test: Test) -> Holds:
    verdict = _leaf(test)
    return lambda row: verdict(row) is True


def _leaf(test: Test) -> Verdict:
    name, op, value = test.fact, test.op, test.value
    if op is Op.IS_NULL:
        return lambda row: row.get(name) is None
    if op is Op.IS_NOT_NULL:
        return lambda row: row.get(name) is not None
    if op is Op.BETWEEN:
        low, high = (_constant(end) for end in pair(test))

        def inside(row: Row) -> bool | None:
            seen = row.get(name)
            return None if seen is None else low <= seen <= high  # type: ignore[operator]

        return inside
    if op in (Op.IN, Op.NOT_IN):
        values = frozenset(_constant(operand) for operand in operands_of(test))
        wanted = op is Op.IN

        def among(row: Row) -> bool | None:
            seen = row.get(name)
            return None if seen is None else (seen in values) is wanted

        return among
    compare = COMPARE[op]
    if isinstance(value, FactRef):
        other = value.name

        def against(row: Row) -> bool | None:
            left, right = row.get(name), row.get(other)
            return None if left is None or right is None else compare(left, right)

        return against
    constant = _constant(value)

    def compared(row: Row) -> bool | None:
        seen = row.get(name)
        return None if seen is None else compare(seen, constant)

    return compared


def _constant(operand: object) -> Scalar:
    if not isinstance(operand, Const) or operand.value is None:
        raise ValueError(f"parameters are resolved first, got {operand!r}")
    return operand.value
