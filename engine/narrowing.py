"""Whom a change can reach: the rows that may come out otherwise under another book, told without deciding them.

A row for which every rule's verdict, every effect that counts and every band is the same comes out
the same, stage after stage. So only the others are decided anew.
"""

from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

import narwhals as nw

from rules.book import Book, BookRule, BookStage
from rules.condition_columns import Sight, condition_column
from rules.facts import dictionary_of
from rules.policies import Band
from rules.stages import STAGES


def reached(before: Book, after: Book) -> frozenset[str]:
    """The stages that may come out otherwise: those that differ, and those that read an outcome of one."""
    found: set[str] = set()
    outcomes: set[str] = set()
    for stage in STAGES:
        old, new = before.stages.get(stage.name), after.stages.get(stage.name)
        read = frozenset[str]() if new is None else _facts_read(new)
        if old != new or read & outcomes:
            found.add(stage.name)
            outcomes |= {column.name for column in stage.outcomes}
    return frozenset(found)


def may_differ(before: Book, after: Book, names: frozenset[str]) -> nw.Expr | None:
    """Whether a row may come out otherwise.

    Args:
        before: the book under which the outcomes of the row stand.
        after: the other one.
        names: the row's columns: facts, and the outcomes under ``before``.

    Returns:
        A claim about the row; None where nothing can be ruled out.
    """
    sight = Sight(names, dictionary_of(after.subject))
    claims: list[nw.Expr] = []
    for stage in STAGES:
        old, new = before.stages.get(stage.name), after.stages.get(stage.name)
        if old == new:
            continue
        if old is None or new is None or _terms(old) != _terms(new) or _reads_derived(old, new):
            return None
        claims += _by_rules(old, new, sight)
        claims += _by_bands(old.policy.bands, new.policy.bands)
        claims += [sight.fact(name).is_null() for name in sorted(old.money ^ new.money)]
    return reduce(or_, claims) if claims else nw.lit(False)


def _facts_read(stage: BookStage) -> frozenset[str]:
    return stage.facts() | ({stage.plan.scenario_by, "segment"} if stage.plan is not None else set())


def _terms(stage: BookStage) -> tuple[Any, ...]:
    """What decides beside rules and bands."""
    bands = bool(stage.policy.bands)
    return stage.policy.hit, dict(stage.otherwise), stage.plan, bands, stage.derived, stage.stopped


def _reads_derived(old: BookStage, new: BookStage) -> bool:
    """Whether a rule that differs reads a derived fact, which is no column before its stage is decided."""
    derived = {fact.name for stage in (old, new) for fact in stage.derived}
    return any(rule is not None and rule.facts & derived for pair in _differing(old, new) for rule in pair)


def _by_rules(old: BookStage, new: BookStage, sight: Sight) -> Iterator[nw.Expr]:
    for one, other in _differing(old, new):
        if one is not None and other is not None and _effect_of(one) == _effect_of(other):
            yield _verdicts_differ(one, other, sight)
        else:
            yield from (_counts(rule, sight) for rule in (one, other) if rule is not None)


def _differing(old: BookStage, new: BookStage) -> Iterator[tuple[BookRule | None, BookRule | None]]:
    """The rules that are not the same in both, by their key."""
    olds, news = ({rule.key: rule for rule in stage.rules} for stage in (old, new))
    for key in {**olds, **news}:
        one, other = olds.get(key), news.get(key)
        if one is None or other is None or one.condition != other.condition or _effect_of(one) != _effect_of(other):
            yield one, other


def _effect_of(rule: BookRule) -> tuple[Any, ...]:
    """What a rule does where it holds."""
    said = rule.rule
    return dict(rule.effects), rule.refers, rule.money, said.priority, said.exclusion, said.final, said.step


def _verdicts_differ(one: BookRule, other: BookRule, sight: Sight) -> nw.Expr:
    old, new = (condition_column(rule.condition, sight) for rule in (one, other))
    differ = old.fill_null(False) != new.fill_null(False)
    return differ | (old.is_null() != new.is_null()) if one.may_refer() else differ


def _counts(rule: BookRule, sight: Sight) -> nw.Expr:
    """Whether the verdict of a rule may matter: it holds, or is unknown where that sends to a person."""
    holds = condition_column(rule.condition, sight)
    return holds.fill_null(True) if rule.may_refer() else holds.fill_null(False)


def _by_bands(old: tuple[Band, ...], new: tuple[Band, ...]) -> Iterator[nw.Expr]:
    """The ranges of points, between the bounds of both, that fall into another class."""
    bounds = sorted({band.up_to for band in (*old, *new) if band.up_to is not None})
    points = nw.col("points")
    for low, high in pairwise([None, *bounds, None]):
        if _class_of(old, high) == _class_of(new, high):
            continue
        above = nw.lit(True) if low is None else points > nw.lit(low, dtype=nw.Int64)
        below = nw.lit(True) if high is None else points <= nw.lit(high, dtype=nw.Int64)
        yield (above & below).fill_null(False)


def _class_of(bands: tuple[Band, ...], points: int | None) -> str | None:
    """The class of some points; None: of more than any bound."""
    for band in bands:
        if band.up_to is None or (points is not None and points <= band.up_to):
            return band.risk_class
    return None
