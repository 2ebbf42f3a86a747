"""Today's facts in memory: the columns of the last run that somebody asked about, and what was counted.

While a policy is edited almost all of its tests stay as they are. A test is asked of the columns
once; after that the rows it holds for are a mask of one bit each, and its count is known.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from threading import RLock
from typing import Any, TypeAlias

import narwhals as nw

from rules import formulas
from rules.book import Book, BookRule, BookStage
from rules.columns import doubt_column
from rules.condition_columns import Sight, condition_column
from rules.conditions import All, Condition, Not, Test, facts_of, tests_of
from rules.derived import derived_in
from rules.formula_columns import with_facts
from rules.hits import ORDERED
from rules.stages import OUTCOMES

COLUMNS_KEPT = 24  # of a run: 8 MB each for a million customers, text twice as much
MASKS_KEPT = 600  # 125 kB each for a million customers
COUNTED_KEPT = 20_000
MONEY, KEY = "exposure_minor", "customer_id"

Frame: TypeAlias = nw.LazyFrame[Any]
Values: TypeAlias = nw.Series[Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """So many customers, with so much exposure in minor units (one that is unknown counts as none)."""

    customers: int
    money_minor: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of all rows under a policy whose rules are asked one after the other.

    Args:
        decided: by key of the rule, the rows that it decides.
        otherwise: those that no rule decides.
        undecided: those that wait for a person.
    """

    decided: Mapping[str, Counted]
    otherwise: Counted
    undecided: Counted


class LiveFacts:
    """The facts of one run, and what conditions match in them. Several threads may ask.

    Args:
        stored: the frame as the run stored it, read column by column.
        outcomes: gives the outcomes of all stages, in the order of ``stored``; called only when a
            condition reads one that is not in memory.
        book: with the dictionary, and the derived facts that are computed when they are asked for.
    """

    def __init__(self, stored: Frame, outcomes: Callable[[], Frame], book: Book) -> None:
        self._stored = stored
        self._outcomes = outcomes
        self._book = book
        facts = frozenset(stored.collect_schema().names())
        self._derived = frozenset(column.name for column in derived_in(book.dictionary)) - facts
        self._sight = Sight(facts | frozenset(OUTCOMES) | self._derived, book.dictionary)
        self._columns: dict[str, Values] = {}
        self._masks: dict[Condition, Values] = {}
        self._counted: dict[Condition, Counted] = {}
        self._lock = RLock()
        money = stored.select(nw.col(MONEY).fill_null(0)).collect()
        self._money = money[MONEY]
        self.customers = len(self._money)

    def knows(self, name: str) -> bool:
        """Whether the run stored a fact, or it follows from what it stored."""
        return name in self._sight.names

    def column(self, name: str) -> Values:
        """The values of a fact that is known, in the order of the rows."""
        with self._lock:
            return self._table([name])[name]

    def count(self, condition: Condition) -> Counted:
        """How many rows a condition holds for: in NNF, constants only, unknown is no match."""
        with self._lock:
            if condition not in self._counted:
                self._counted[condition] = self._sum(self._mask(condition))
                _shrink(self._counted, COUNTED_KEPT)
            return self._counted[condition]

    def count_any(self, conditions: Iterable[Condition]) -> tuple[Counted, Counted]:
        """How many rows at least one of some conditions holds for, and how many none does."""
        with self._lock:
            matched = self._either([self._mask(condition) for condition in conditions])
            return self._sum(matched), self._sum(~matched)

    def largest(self, condition: Condition, most: int) -> list[int]:
        """The customers a condition holds for, at most so many, those with the largest exposure first."""
        with self._lock:
            mask = self._mask(condition)
            ids, money = self._table([KEY])[KEY].filter(mask), self._money.filter(mask)
            rows = nw.from_dict({KEY: ids, MONEY: money}).sort(MONEY, KEY, descending=[True, False]).head(most)
            return [int(one) for one in rows[KEY].to_list()]

    def settle(self, stage: BookStage) -> Settled:
        """Which rule decides how many rows: of `first`, `most_severe` and `unique`, as ``rules.columns`` decides."""
        with self._lock:
            holds = {rule.key: self._mask(rule.condition) for rule in stage.ranked}
            doubts = {rule.key: self._doubt(rule) for rule in stage.ranked if rule.may_refer()}
            no_money = self._either([self._is_unknown(name) for name in sorted(stage.money)])
            if stage.policy.hit in ORDERED:
                return self._in_order(stage, holds, doubts, no_money)
            return self._one_of(stage, holds, doubts, no_money)

    def _in_order(
        self, stage: BookStage, holds: Mapping[str, Values], doubts: Mapping[str, Values], no_money: Values
    ) -> Settled:
        free, undecided = ~self._none(), self._none()
        decided = {}
        for rule in stage.ranked:
            own = free & holds[rule.key]
            decided[rule.key] = self._sum(own)
            free = free & ~own
            if rule.key in doubts:
                undecided = undecided | (free & doubts[rule.key])
                free = free & ~undecided
        undecided = undecided | (free & no_money)
        return Settled(decided, self._sum(free & ~no_money), self._sum(undecided))

    def _one_of(
        self, stage: BookStage, holds: Mapping[str, Values], doubts: Mapping[str, Values], no_money: Values
    ) -> Settled:
        once, twice = self._none(), self._none()
        for rule in stage.ranked:
            twice = twice | (once & holds[rule.key])
            once = once | holds[rule.key]
        undecided = self._either(doubts.values()) | (no_money & ~once) | twice
        decided = {key: self._sum(mask & ~undecided) for key, mask in holds.items()}
        return Settled(decided, self._sum(~once & ~undecided), self._sum(undecided))

    def _doubt(self, rule: BookRule) -> Values:
        truth = condition_column(rule.condition, self._sight)
        return self._asked([doubt_column(rule, truth, self._sight)], rule.facts | rule.money)[0]

    def _is_unknown(self, name: str) -> Values:
        return self._asked([self._sight.fact(name).is_null()], [name])[0]

    def _mask(self, condition: Condition) -> Values:
        """The rows a condition holds for; unknown counts as false, which in NNF changes nothing."""
        if condition not in self._masks:
            tests = [test for test in dict.fromkeys(tests_of(condition)) if test not in self._masks]
            asked = [condition_column(test, self._sight).fill_null(False) for test in tests]
            read = frozenset[str]().union(*(facts_of(test) for test in tests))
            own = dict(zip(tests, self._asked(asked, read), strict=True))
            self._masks |= own | {condition: self._joined(condition, own)}
        else:
            self._masks[condition] = self._masks.pop(condition)  # the one used last goes last
        found = self._masks[condition]
        _shrink(self._masks, MASKS_KEPT)
        return found

    def _joined(self, condition: Condition, own: Mapping[Test, Values]) -> Values:
        match condition:
            case Test():
                return own[condition] if condition in own else self._masks[condition]
            case Not():
                raise ValueError("conditions are put into negation normal form first")
            case All(parts):
                return reduce(and_, (self._joined(part, own) for part in parts), ~self._none())
            case _:
                return self._either([self._joined(part, own) for part in condition.parts])

    def _asked(self, expressions: list[nw.Expr], read: Iterable[str]) -> list[Values]:
        """Expressions over the columns they read; one without a column is as long as the others."""
        if not expressions:
            return []
        names = [name for name in sorted(read) if name in self._sight.names]
        named = [expression.alias(f"asked_{number}") for number, expression in enumerate(expressions)]
        answer = nw.from_dict({MONEY: self._money, **self._table(names)}).select(MONEY, *named)
        return [answer[f"asked_{number}"] for number in range(len(named))]

    def _table(self, names: Iterable[str]) -> dict[str, Values]:
        """Columns, read together where they are not in memory yet."""
        wanted = list(names)
        for name in wanted:
            if name in self._derived and name not in self._columns:
                self._columns[name] = self._computed(name)
        facts = [name for name in wanted if name not in self._columns and name not in OUTCOMES]
        outcomes = [name for name in wanted if name not in self._columns and name in OUTCOMES]
        for of_outcomes, missing in ((False, facts), (True, outcomes)):
            if missing:
                table = (self._outcomes() if of_outcomes else self._stored).select(missing).collect()
                self._columns |= {name: table[name] for name in missing}
        found = {name: self._columns.pop(name) for name in wanted}
        self._columns |= found
        _shrink(self._columns, COLUMNS_KEPT)
        return found

    def _computed(self, name: str) -> Values:
        """A derived fact, from the columns its formula reads."""
        facts = self._book.derived([name])
        read = frozenset[str]().union(*(formulas.facts_of(fact.formula) for fact in facts))
        names = sorted(one for one in read - self._derived if one in self._sight.names)
        frame = nw.from_dict({MONEY: self._money, **self._table(names)}).lazy()
        given = Sight(frozenset({MONEY, *names}), self._book.dictionary)
        return with_facts(frame, facts, given)[0].select(name).collect()[name]

    def _none(self) -> Values:
        """A mask of no row."""
        return self._money.is_null()

    def _either(self, masks: Iterable[Values]) -> Values:
        return reduce(or_, masks, self._none())

    def _sum(self, mask: Values) -> Counted:
        return Counted(int(mask.sum()), int(self._money.filter(mask).sum()))


def _shrink(kept: dict[Any, Any], most: int) -> None:
    """Leave out what was not used for the longest time."""
    while len(kept) > most:
        kept.pop(next(iter(kept)))
