"""Two sides of the same customers: what is in force, and what would be.

Of the other side only the customers are decided who may come out otherwise (``engine.narrowing``), of
them only the stages that differ or read an outcome of one that does, and of those stages only the
rules whose verdict may be another. What stands on the side in force is taken from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import narwhals as nw

from engine.baseline import KEYS, Hits, Side, columns_read, counted_hits, marks_of, outcomes_of
from engine.frames import alongside, are_alike, beside, collected, count_of
from engine.narrowing import may_differ, reached
from engine.pipeline import Frame
from rules import columns, effects, formulas
from rules.book import Book, BookRule, BookStage
from rules.columns import truth_name
from rules.reference import OVERRIDE
from rules.settling import INPUTS
from rules.stages import OUTCOMES, PREVIOUS, STAGE_NAMES

MAY = "may_differ"  # whether a customer may come out otherwise
BEFORE, AFTER = "before_", "after_"  # prefixes of what stands on the one side and the other


@dataclass(frozen=True)
class Pair:
    """Customers with what both sides make of them.

    Args:
        whole: all of them, on the side in force.
        rows: those who may come out otherwise, computed: ``customer_id``, ``exposure_minor`` and, of
            the touched stages, outcomes, ``undecided_<stage>`` and ``enters_step``, once ``before_``
            and once ``after_``.
        touched: the stages that may come out otherwise.
        hits: of the changed side.
        book: of the changed side.
    """

    whole: Side
    rows: Frame
    touched: frozenset[str]
    hits: Hits
    book: Book


@dataclass(frozen=True)
class _Redone:
    """What of a book is decided anew.

    Args:
        touched: the stages that may come out otherwise.
        part, former: the books, only those stages.
        asked: by stage the rules of ``part`` whose verdict may be another.
    """

    touched: frozenset[str]
    part: Book
    former: Book
    asked: Mapping[str, tuple[BookRule, ...]]

    def former_index(self, stage: str, rule: BookRule) -> int:
        """The place of a rule on the side in force."""
        return self.former.stages[stage].rule(rule.key).index

    def facts(self) -> frozenset[str]:
        """What deciding it reads, beside verdicts that stand."""
        found: set[str] = {*KEYS}
        for name, stage in self.part.stages.items():
            found |= stage.money.union(*(formulas.facts_of(fact.formula) for fact in stage.derived))
            for rule in self.asked[name]:
                found |= rule.facts | rule.money
            for effect in (*stage.otherwise.values(), *(e for rule in stage.rules for e in rule.effects.values())):
                found |= effects.facts_of(effect)
            outcomes = [column.name for column in stage.stage.outcomes]
            found |= {OVERRIDE + outcome for outcome in outcomes}
            if stage.may_keep:
                found |= {PREVIOUS + outcome for outcome in outcomes}
            if stage.plan is not None:
                found |= {*INPUTS, stage.plan.scenario_by}
        return frozenset(found)


def changed(side: Side, book: Book) -> Pair:
    """Decide anew whom another book may reach."""
    redone = _redone(side.book, book)
    whom = _whom(side, book)
    rows = _rows(side, whom, redone)
    given = frozenset(STAGE_NAMES) - redone.touched
    decided = columns.decide(rows, redone.part, masks=False, truths=True, given=given)
    olds = [BEFORE + name for name in (*outcomes_of(redone.touched), *marks_of(redone.former))]
    news = (nw.col(name).alias(AFTER + name) for name in (*outcomes_of(redone.touched), *marks_of(redone.part)))
    truths = [truth_name(stage, rule.index) for stage, rules in redone.asked.items() for rule in rules]
    found = collected(decided.select(*KEYS, *olds, *news, *truths), count_of(rows))
    return Pair(side, collected(found.drop(*truths)), redone.touched, _hits(side, whom, found, redone), book)


def paired(before: Side, after: Side) -> Pair:
    """Two sides that were decided each by itself."""
    olds, news = ([*outcomes_of(STAGE_NAMES), *marks_of(side.book)] for side in (before, after))
    left = before.frame.select(*KEYS, *(nw.col(name).alias(BEFORE + name) for name in olds))
    right = after.frame.select("customer_id", *(nw.col(name).alias(AFTER + name) for name in news))
    touched = frozenset(STAGE_NAMES)
    if are_alike(left, right, "customer_id"):
        return Pair(before, beside(left, right.drop("customer_id")), touched, after.hits(), after.book)
    # The ledger was read twice, and grew.
    both = collected(left.join(right, on="customer_id", how="inner").sort("customer_id"))
    known = collected(before.frame.join(both.select("customer_id"), on="customer_id", how="semi").sort("customer_id"))
    return Pair(replace(before, frame=known, kept={}), both, touched, after.hits(), after.book)


def _redone(before: Book, after: Book) -> _Redone:
    touched = reached(before, after)
    part, former = (
        replace(book, stages={name: stage for name, stage in book.stages.items() if name in touched}, prepared={})
        for book in (after, before)
    )
    moving = frozenset(outcomes_of(touched))
    asked = {name: _asked_anew(former.stages.get(name), stage, moving) for name, stage in part.stages.items()}
    return _Redone(touched, part, former, asked)


def _asked_anew(old: BookStage | None, new: BookStage, moving: frozenset[str]) -> tuple[BookRule, ...]:
    """The rules whose verdict may be another: another condition, or one that reads what may come out otherwise.

    So too those that read a derived fact, whose inputs may, and those whose unknown verdict counts: of
    the side in force only what holds is known.
    """
    moving |= {fact.name for fact in new.derived}
    known = {} if old is None else {rule.key: rule.condition for rule in old.rules}
    return tuple(
        rule for rule in new.rules if rule.may_refer() or known.get(rule.key) != rule.condition or rule.facts & moving
    )


def _whom(side: Side, book: Book) -> Frame | None:
    """Whether each customer may come out otherwise, in the order of the side; None: everybody may."""
    names = side.facts.collect_schema().names()
    claim = may_differ(side.book, book, frozenset(names) | frozenset(OUTCOMES))
    if claim is None:
        return None
    wanted = [name for name in columns_read(names, book) if name not in side.near.collect_schema().names()]
    rows = alongside(_with_facts(side, frozenset(wanted)), side.frame.select(*OUTCOMES))
    return collected(rows.select((claim & ~nw.col("customer_id").is_null()).alias(MAY)))


def _rows(side: Side, whom: Frame | None, redone: _Redone) -> Frame:
    """The rows to decide anew, computed: what that takes, the verdicts that stand, and what stood before."""
    again = {(stage, rule.key) for stage, rules in redone.asked.items() for rule in rules}
    stands = [
        nw.col(truth_name(name, redone.former_index(name, rule))).alias(truth_name(name, rule.index))
        for name, stage in redone.part.stages.items()
        for rule in stage.rules
        if (name, rule.key) not in again
    ]
    wanted = redone.facts()
    rows = alongside(_with_facts(side, wanted), side.frame.drop(*KEYS))
    if whom is not None:
        rows = alongside(rows, whom).filter(nw.col(MAY))
    read = [name for name in side.facts.collect_schema().names() if name in wanted and name not in KEYS]
    given = outcomes_of(frozenset(STAGE_NAMES) - redone.touched)
    before = (nw.col(n).alias(BEFORE + n) for n in (*outcomes_of(redone.touched), *marks_of(redone.former)))
    return collected(rows.select(*KEYS, *read, *given, *stands, *before))


def _with_facts(side: Side, wanted: frozenset[str]) -> Frame:
    """The facts of a side in memory, and others as they are used."""
    near = side.near.collect_schema().names()
    far = [name for name in side.facts.collect_schema().names() if name in wanted and name not in near]
    return alongside(side.near, side.facts.select(far)) if far else side.near


def _hits(side: Side, whom: Frame | None, found: Frame, redone: _Redone) -> dict[str, Mapping[str, int]]:
    """Of the changed side: for rules asked anew, the rows decided anew count instead of what they were."""
    once = {
        name: [rule for rule in stage.rules if rule.key in {one.key for one in redone.asked.get(name, ())}]
        for name, stage in redone.former.stages.items()
    }
    rows = side.frame if whom is None else alongside(side.frame, whom)
    gone = counted_hits(rows, once, "" if whom is None else MAY)
    come = counted_hits(found, redone.asked)
    hits = {stage: counted for stage, counted in side.hits().items() if stage not in redone.touched}
    for name, stage in redone.part.stages.items():
        was = side.hits().get(name, {})
        hits[name] = {
            rule.key: was.get(rule.key, 0) - gone.get(name, {}).get(rule.key, 0) + come[name].get(rule.key, 0)
            for rule in stage.rules
        }
    return hits
