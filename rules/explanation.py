"""Explanations: every rule's verdict with the values it saw, and why a rule did not match.

Made on demand from a row of facts and the book it was decided under; never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ledger.columns import Column
from rules.book import Book, BookStage, constant_test
from rules.conditions import All, Any, Condition, FactRef, Not, Scalar, Test, path_count, paths
from rules.effects import evaluate
from rules.facts import dictionary_of
from rules.intervals import possible_after
from rules.policies import Resolved
from rules.reference import Decided, Row, decide, verdict_of
from rules.stages import earlier

EXACT_PATHS = 4_096  # paths up to which the smallest set of failing tests is exact
SINGLE_WINNER = ("first", "most_severe", "unique", "any")


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


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a rule did not decide.

    Args:
        tests: the smallest set of tests that would have to hold as well; empty when it matched.
        beaten_by: the rule that came before it, when it matched and did not decide.
        exact: whether no smaller set exists.
    """

    tests: tuple[SeenTest, ...]
    beaten_by: str | None
    exact: bool


def explain(row: Row, book: Book) -> Explanation:
    """Explain every stage of a book for a row of facts."""
    decided = decide(row, book)
    return Explanation(
        tuple(_stage(stage, _row_of(name, row, decided), book, decided) for name, stage in book.stages.items())
    )


def why_not(row: Row, book: Book, stage: str, rule_key: str) -> WhyNot:
    """Say why a rule did not decide a row.

    Args:
        row: facts.
        book: the row was decided under.
        stage: name of the stage.
        rule_key: of the rule.

    Raises:
        KeyError: there is no such stage or rule.
    """
    decided = decide(row, book)
    seen = _row_of(stage, row, decided)
    ruled = book.stages[stage]
    rule = ruled.rule(rule_key)
    if rule_key in decided.matched[stage]:
        winner = decided.winner[stage]
        return WhyNot((), winner if winner != rule_key else None, True)
    leaves: dict[Test, SeenTest] = {}
    plain = _resolved(rule.asked, book.parameters, seen, leaves)
    if path_count(plain) <= EXACT_PATHS:
        return WhyNot(_smallest(plain, leaves, dictionary_of(book.subject)), None, True)
    return WhyNot(tuple(leaves[test] for test in _cheapest(plain, leaves)), None, False)


def _row_of(stage: str, row: Row, decided: Decided) -> Row:
    """What a stage saw: the facts, and the outcomes in force of earlier stages."""
    before = {column.name: decided.outcomes[column.name] for done in earlier(stage) for column in done.outcomes}
    return {**row, **before}


def _stage(stage: BookStage, seen: Row, book: Book, decided: Decided) -> StageExplanation:
    name = stage.name
    matched, winner = decided.matched[name], decided.winner[name]
    undecided = decided.undecided.get(name)
    single = stage.policy.hit in SINGLE_WINNER
    verdicts = []
    for rule in stage.ranked:
        condition = _seen(rule.asked, book.parameters, seen)
        counted = rule.key in matched and undecided is None and (not single or rule.key == winner)
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
        otherwise=not matched and undecided is None,
        otherwise_because=stage.policy.otherwise.because,
        by_rules={outcome: decided.by_rules[outcome] for outcome in outcomes},
        in_force={outcome: decided.outcomes[outcome] for outcome in outcomes},
        undecided=None if undecided is None else tuple(undecided),
        conflict=decided.conflicts.get(name, ()),
        waiting=decided.waiting if stage.plan is not None else None,
    )


def _seen(condition: Condition, parameters: Mapping[str, Resolved], row: Row) -> Seen:
    match condition:
        case Test():
            return _seen_test(condition, parameters, row)
        case All(parts):
            met = tuple(_seen(part, parameters, row) for part in parts)
            values = [part.verdict for part in met]
            return SeenGroup("all", False if False in values else None if None in values else True, met)
        case Any(parts):
            met = tuple(_seen(part, parameters, row) for part in parts)
            values = [part.verdict for part in met]
            return SeenGroup("any", True if True in values else None if None in values else False, met)
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def _seen_test(asked: Test, parameters: Mapping[str, Resolved], row: Row) -> SeenTest:
    test = constant_test(asked, parameters, row.get("segment"))
    other = row.get(test.value.name) if isinstance(test.value, FactRef) else None
    return SeenTest(asked, test, row.get(test.fact), other, verdict_of(test)(row))


def _resolved(
    condition: Condition, parameters: Mapping[str, Resolved], row: Row, leaves: dict[Test, SeenTest]
) -> Condition:
    """The condition with the row's constants; its tests' verdicts go into ``leaves``."""
    match condition:
        case Test():
            seen = _seen_test(condition, parameters, row)
            leaves.setdefault(seen.test, seen)
            return seen.test
        case All(parts):
            return All(tuple(_resolved(part, parameters, row, leaves) for part in parts))
        case Any(parts):
            return Any(tuple(_resolved(part, parameters, row, leaves) for part in parts))
        case Not():
            raise ValueError("conditions are put into negation normal form first")


def _smallest(
    condition: Condition, leaves: Mapping[Test, SeenTest], dictionary: Mapping[str, Column]
) -> tuple[SeenTest, ...]:
    """The failing tests of the path that lacks fewest; a path that could ever hold comes first."""
    best: tuple[tuple[bool, int], tuple[Test, ...]] | None = None
    for path in paths(condition):
        failing = tuple(test for test in path if leaves[test].verdict is not True)
        cost = (possible_after(path, dictionary) is None, len(failing))
        if best is None or cost < best[0]:
            best = cost, failing
    return () if best is None else tuple(leaves[test] for test in best[1])


def _cheapest(condition: Condition, leaves: Mapping[Test, SeenTest]) -> tuple[Test, ...]:
    """A small set for trees with too many paths: cheapest branch of every ``any``."""
    match condition:
        case Test():
            return () if leaves[condition].verdict is True else (condition,)
        case All(parts):
            return tuple(dict.fromkeys(test for part in parts for test in _cheapest(part, leaves)))
        case Any(parts):
            return min((_cheapest(part, leaves) for part in parts), key=len, default=())
        case Not():
            raise ValueError("conditions are put into negation normal form first")
