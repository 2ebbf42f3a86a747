"""The reference evaluator: decides one row, in plain Python, and can say why.

Closures (``rules.closures``) are built once per book.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from rules import hits
from rules.book import Book, BookRule, BookStage
from rules.closures import Holds, Row, Verdict, holds_of, verdict_of
from rules.conditions import NULL_TESTS, Scalar, tests_of
from rules.derived import ReadyFact
from rules.escalation import Move, Plan, Wait, settle
from rules.formula_values import Value as FormulaValue
from rules.formula_values import value_of
from rules.stages import STAGES, Stage

_Formulas = tuple[tuple[ReadyFact, FormulaValue], ...]
OVERRIDE = "override_"
OVERRIDDEN = "override"  # the reason of a hold that a person decided


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
        if book.brings(stage):
            brought = {column.name: row.get(column.name, stage.absent.get(column.name)) for column in stage.outcomes}
            decided.by_rules.update(brought)
            decided.outcomes.update(brought)
            continue
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
    """Facts it cannot do without: one that it asks whether it is null may be."""
    may_be = {test.fact for test in tests_of(rule.condition) if test.op in NULL_TESTS}
    return {name for name in rule.facts - may_be if row.get(name) is None}


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
