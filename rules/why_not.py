"""Why a rule did not decide a row: the fewest facts that would have to be others, or the rule that came before it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.book import Book, BookRule, BookStage, rank
from rules.closures import Row, verdict_of
from rules.conditions import (
    All,
    Any,
    Condition,
    FactRef,
    Not,
    Scalar,
    Test,
    map_tests,
    params_of,
    path_count,
    paths,
)
from rules.explanation import SeenTest, row_of
from rules.nearest import Values, nearest_row
from rules.policies import Resolved
from rules.reference import Decided, decide
from rules.resolving import constant_test
from rules.stages import earlier
from rules.stepping import is_none_of, is_one_of

EXACT_PATHS = 4_096  # paths up to which the smallest set of changes is exact


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that would have to be another.

    Args:
        seen: what it is.
        to: the nearest value that will do; None: unknown.
        tests: of those on it that fail, what they ask.
    """

    fact: str
    seen: Scalar | None
    to: Scalar | None
    tests: tuple[SeenTest, ...]

    @property
    def by(self) -> int | None:
        """How much more (less: negative) a number would have to be; None of anything else."""
        if isinstance(self.seen, bool) or not isinstance(self.seen, int) or not isinstance(self.to, int):
            return None
        return self.to - self.seen


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a rule did not decide.

    Args:
        tests: the failing tests that would have to hold as well; empty when it matched.
        changes: the facts that would have to be others for that, as few as possible.
        matched: whether the rule holds as it is.
        beaten_by: the rule that came before it, when it matched and did not decide.
        because: what put that rule first: severity, days, priority or key.
        exact: whether no smaller set of facts would do.
        never: whether no facts at all could make it hold.
    """

    tests: tuple[SeenTest, ...] = ()
    changes: tuple[Change, ...] = ()
    matched: bool = False
    beaten_by: str | None = None
    because: str | None = None
    exact: bool = True
    never: bool = False


def why_not(row: Row, book: Book, stage: str, rule_key: str, decided: Decided | None = None) -> WhyNot:
    """Say why a rule did not decide a row, and what would have to change.

    A change of an earlier stage's outcome counts as one, like that of any fact.

    Args:
        row: facts.
        book: the row was decided under.
        stage: name of the stage.
        rule_key: of the rule.
        decided: what the book makes of the row, where that is known already.

    Raises:
        KeyError: there is no such stage or rule.
    """
    ruled = book.stages[stage]
    rule = ruled.rule(rule_key)
    decided = decide(row, book) if decided is None else decided
    if rule_key in decided.matched[stage]:
        return _beaten(ruled, rule, decided.winner[stage])
    return _lacking(rule, row_of(stage, row, decided), book, any(one.name == "segmentation" for one in earlier(stage)))


def _beaten(stage: BookStage, rule: BookRule, winner: str | None) -> WhyNot:
    if winner is None or winner == rule.key:
        return WhyNot(matched=True)
    first = rank(stage.policy.hit, stage.rule(winner).rule)
    mine = rank(stage.policy.hit, rule.rule)
    reasons = ("severity", "days", "priority", "key")
    because = next(reason for reason, one, other in zip(reasons, first, mine, strict=True) if one != other)
    return WhyNot(matched=True, beaten_by=winner, because=because)


def _lacking(rule: BookRule, seen: Row, book: Book, by_segment: bool) -> WhyNot:
    dictionary = book.dictionary
    asked_of: dict[Test, Test] = {}
    best: tuple[tuple[int, int], Sequence[Test], Values] | None = None
    trees = list(_trees(rule, book.parameters, seen, by_segment, asked_of))
    exact = sum(path_count(tree) for tree in trees) <= EXACT_PATHS
    for path in _ways(trees, seen, exact):
        failing = [test for test in path if verdict_of(test)(seen) is not True]
        if (
            best is not None
            and len({test.fact for test in failing if not isinstance(test.value, FactRef)}) > best[0][0]
        ):
            continue
        values, proved = nearest_row(path, seen, dictionary)
        exact = exact and proved
        if values is not None:
            cost = (len(values), len(failing))
            if best is None or cost < best[0]:
                best = cost, failing, values
    if best is None:
        return WhyNot(exact=exact, never=exact)
    tests = tuple(_met(test, asked_of, seen) for test in best[1])
    return WhyNot(tests, _changes(tests, best[2], seen), exact=exact)


def _ways(trees: Sequence[Condition], seen: Row, every: bool) -> Iterator[tuple[Test, ...]]:
    """The conjunctions that would make a rule hold: all, or of too many one cheap one."""
    if every:
        for tree in trees:
            yield from paths(tree)
    else:
        yield _cheapest(trees[0], seen)


def _trees(
    rule: BookRule, parameters: Mapping[str, Resolved], seen: Row, by_segment: bool, asked_of: dict[Test, Test]
) -> Iterator[Condition]:
    """The rule's condition with constants: for the row's own segment first, then for those with values of their own.

    ``asked_of`` gets, of each test, what the document says.
    """
    named = [parameters[name] for name in params_of(rule.asked) if name in parameters]
    segments = sorted({segment for value in named for segment, _ in value.by_segment}) if by_segment else []
    own = seen.get("segment")
    choices: list[str | None] = [own if own in segments else None]  # None: a segment without values of its own
    choices += [one for one in (*segments, None) if one != choices[0]] if segments else []
    for segment in choices:

        def constant(test: Test, segment: str | None = segment) -> Condition:
            resolved = constant_test(test, parameters, segment)
            asked_of.setdefault(resolved, test)
            return resolved

        tree = map_tests(rule.asked, constant)
        yield All((_guard(segment, segments), tree)) if segments else tree


def _guard(segment: str | None, segments: Sequence[str]) -> Condition:
    """That a row has the segment whose constants are used."""
    return is_one_of("segment", (segment,)) if segment is not None else is_none_of("segment", tuple(segments))


def _met(test: Test, asked_of: Mapping[Test, Test], seen: Row) -> SeenTest:
    other = seen.get(test.value.name) if isinstance(test.value, FactRef) else None
    return SeenTest(asked_of.get(test, test), test, seen.get(test.fact), other, verdict_of(test)(seen))


def _changes(tests: Sequence[SeenTest], values: Values, seen: Row) -> tuple[Change, ...]:
    """What becomes of each fact, in the order the tests name them."""

    def names(one: SeenTest) -> tuple[str, ...]:
        test = one.test
        return (test.fact, test.value.name) if isinstance(test.value, FactRef) else (test.fact,)

    order = dict.fromkeys([name for one in tests for name in names(one)] + sorted(values))
    return tuple(
        Change(name, seen.get(name), values[name], tuple(one for one in tests if name in names(one)))
        for name in order
        if name in values
    )


def _cheapest(condition: Condition, seen: Row) -> tuple[Test, ...]:
    """The conjunction that takes the cheapest branch of every ``any``."""
    match condition:
        case Test():
            return (condition,)
        case All(parts):
            return tuple(dict.fromkeys(test for part in parts for test in _cheapest(part, seen)))
        case Any(parts):
            ways = [_cheapest(part, seen) for part in parts]
            return min(ways, key=lambda way: sum(verdict_of(test)(seen) is not True for test in way), default=())
        case Not():
            raise ValueError("conditions are put into negation normal form first")
