"""Explanations: every rule's verdict with the values it saw.

Made on demand from a row of facts and the book it was decided under; never stored. Why a rule did
not decide says ``rules.why_not``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from rules.book import Book, BookRule, BookStage
from rules.closures import Row, Verdict, verdict_of
from rules.conditions import All, Any, Condition, FactRef, Not, Param, Scalar, Test, operands_of
from rules.effects import evaluate
from rules.hits import SINGLE
from rules.policies import Resolved
from rules.reference import Decided, decide
from rules.resolving import constant_test
from rules.stages import earlier


@dataclass(frozen=True, slots=True)
class SeenTest:
    """One test and what it met.

    Args:
        asked: the test as the document says it (in NNF), parameters by name.
        test: the same with the constants that held for this row.
        seen: the fact's value.
        other: the other fact's value, where two facts are compared.
        verdict: true, false, or None for unknown.
    """

    asked: Test
    test: Test
    seen: Scalar | None
    other: Scalar | None
    verdict: bool | None


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """``all`` or ``any`` of some parts, and what became of it."""

    word: str
    verdict: bool | None
    parts: tuple["Seen", ...]


Seen: TypeAlias = SeenTest | SeenGroup


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """One rule for one row.

    Args:
        verdict: true, false, or None for unknown.
        won: it alone decided.
        counted: its effects went into the outcome (also of sums and the like).
        effects: what it sets, computed for the row.
    """

    key: str
    label: str
    because: str
    verdict: bool | None
    won: bool
    counted: bool
    condition: Seen
    effects: Mapping[str, Scalar | None]


@dataclass(frozen=True, slots=True)
class StageExplanation:
    """One stage for one row.

    Args:
        rules: in the order they are asked in.
        winner: key of the rule that decided; None: `otherwise`, or a sum.
        otherwise: whether `otherwise` decided.
        by_rules, in_force: outcomes before and after overrides.
        undecided: the facts whose absence sent the row to a person; None when decided.
        conflict: rules that contradict each other.
        waiting: of an escalation, why it goes no further.
        stopped: a person stopped the policy, so what stood before stands.
    """

    stage: str
    policy: str
    because: str
    rules: tuple[RuleVerdict, ...]
    winner: str | None
    otherwise: bool
    otherwise_because: str
    by_rules: Mapping[str, Scalar | None]
    in_force: Mapping[str, Scalar | None]
    undecided: tuple[str, ...] | None
    conflict: tuple[str, ...]
    waiting: str | None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """All stages for one row."""

    stages: tuple[StageExplanation, ...]

    def stage(self, name: str) -> StageExplanation:
        """The explanation of one stage.

        Raises:
            KeyError: the stage had no policy.
        """
        for found in self.stages:
            if found.stage == name:
                return found
        raise KeyError(name)


def explain(row: Row, book: Book, decided: Decided | None = None) -> Explanation:
    """Explain every stage of a book for a row of facts.

    Args:
        decided: what the book makes of the row, where that is known already.
    """
    decided = decide(row, book) if decided is None else decided
    return Explanation(
        tuple(_stage(stage, row_of(name, row, decided), book, decided) for name, stage in book.stages.items())
    )


def row_of(stage: str, row: Row, decided: Decided) -> Row:
    """What a stage saw: the facts, derived ones among them, and the outcomes in force of earlier stages."""
    before = {column.name: decided.outcomes[column.name] for done in earlier(stage) for column in done.outcomes}
    return {**row, **decided.derived, **before}


def _stage(stage: BookStage, seen: Row, book: Book, decided: Decided) -> StageExplanation:
    name = stage.name
    matched, winner = decided.matched[name], decided.winner[name]
    undecided = decided.undecided.get(name)
    single = stage.policy.hit in SINGLE
    verdicts = []
    for rule in stage.ranked:
        condition = _prepared(book, rule, name).seen(seen)
        decides = rule.key in matched and undecided is None and not stage.stopped
        counted = decides and (not single or rule.key == winner)
        verdicts.append(
            RuleVerdict(
                key=rule.key,
                label=rule.rule.label,
                because=rule.rule.because,
                verdict=condition.verdict,
                won=rule.key == winner,
                counted=counted,
                condition=condition,
                effects={outcome: evaluate(effect, seen) for outcome, effect in rule.effects.items()},
            )
        )
    outcomes = [column.name for column in stage.stage.outcomes]
    return StageExplanation(
        stage=name,
        policy=stage.policy.name,
        because=stage.policy.because,
        rules=tuple(verdicts),
        winner=winner,
        otherwise=not matched and undecided is None and not stage.stopped,
        otherwise_because=stage.policy.otherwise.because,
        by_rules={outcome: decided.by_rules[outcome] for outcome in outcomes},
        in_force={outcome: decided.outcomes[outcome] for outcome in outcomes},
        undecided=None if undecided is None else tuple(undecided),
        conflict=decided.conflicts.get(name, ()),
        waiting=decided.waiting if stage.plan is not None else None,
        stopped=stage.stopped,
    )


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One test, ready to be asked of any row.

    Args:
        asked: as the document says it.
        plain: with the constants that hold for all, and how to ask it.
        own: the same for the segments that have values of their own.
        other: the fact it is compared with.
    """

    asked: Test
    plain: tuple[Test, Verdict]
    own: Mapping[object, tuple[Test, Verdict]]
    other: str | None

    def seen(self, row: Row) -> SeenTest:
        """The test as a row met it."""
        test, verdict = self.own.get(row.get("segment"), self.plain) if self.own else self.plain
        other = None if self.other is None else row.get(self.other)
        return SeenTest(self.asked, test, row.get(test.fact), other, verdict(row))


@dataclass(frozen=True, slots=True)
class _Group:
    """``all`` or ``any`` of some parts, ready to be asked."""

    word: str
    parts: tuple["_Leaf | _Group", ...]

    def seen(self, row: Row) -> SeenGroup:
        """The group as a row met it, by Kleene's logic."""
        met = tuple(part.seen(row) for part in self.parts)
        values = [part.verdict for part in met]
        decisive = self.word == "any"
        verdict = decisive if decisive in values else None if None in values else not decisive
        return SeenGroup(self.word, verdict, met)


def _prepared(book: Book, rule: BookRule, stage: str) -> _Leaf | _Group:
    """A rule's condition ready to be asked; made once per book."""
    kept: dict[tuple[str, str], _Leaf | _Group] = book.prepared.setdefault("explanation", {})
    key = (stage, rule.key)
    if key not in kept:
        kept[key] = _ready(rule.asked, book.parameters)
    return kept[key]


def _ready(condition: Condition, parameters: Mapping[str, Resolved]) -> _Leaf | _Group:
    match condition:
        case Test():
            return _ready_test(condition, parameters)
        case All(parts):
            return _Group("all", tuple(_ready(part, parameters) for part in parts))
        case Any(parts):
            return _Group("any", tuple(_ready(part, parameters) for part in parts))
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def _ready_test(asked: Test, parameters: Mapping[str, Resolved]) -> _Leaf:
    named = [parameters[one.name] for one in operands_of(asked) if isinstance(one, Param) and one.name in parameters]
    segments = {segment for value in named for segment, _ in value.by_segment}

    def constant(segment: object) -> tuple[Test, Verdict]:
        test = constant_test(asked, parameters, segment)
        return test, verdict_of(test)

    other = asked.value.name if isinstance(asked.value, FactRef) else None
    return _Leaf(asked, constant(None), {segment: constant(segment) for segment in segments}, other)
