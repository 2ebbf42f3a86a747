"""What follows from matched rules, for engines that only say whether a condition holds.

Closures made once: nothing is looked up by name that could be known before.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from rules.book import Book, BookStage
from rules.conditions import Condition, Const, FactRef
from rules.effects import Effect, Greatest, Least, PercentOf, RoundDown, percent, round_down

Row: TypeAlias = dict[str, Any]
Holds: TypeAlias = Callable[[Row], bool]
Worth: TypeAlias = Callable[[Row], Any]


class Chain:
    """Three stages one after another.

    Args:
        book: of ``benchmarks.peers.policies``.
        compiled: makes a condition a function of a row.
    """

    def __init__(self, book: Book, compiled: Callable[[Condition], Holds]) -> None:
        card = book.stages["scorecard"]
        self.points = [(compiled(rule.condition), _constant(rule.effects["points"])) for rule in card.rules]
        self.bands = [(band.up_to, band.risk_class) for band in card.policy.bands]
        self.limits = _First(book.stages["credit_limit"], compiled)
        self.holds = _First(book.stages["hold"], compiled)

    def decide(self, row: Row) -> tuple[Any, ...]:
        """Outcomes and deciding rules of a row."""
        points = sum(worth for holds, worth in self.points if holds(row))
        risk_class = next(name for up_to, name in self.bands if up_to is None or points <= up_to)
        seen = {**row, "risk_class": risk_class}
        limit_rule, limit, terms = self.limits.decide(seen)
        hold_rule, hold, reason = self.holds.decide(seen)
        return points, risk_class, limit, terms, hold, reason, limit_rule, hold_rule


class _First:
    """The first rule that holds, in the order of the hit policy, and what it sets."""

    def __init__(self, stage: BookStage, compiled: Callable[[Condition], Holds]) -> None:
        names = stage.stage.settable
        self.rules = [
            (compiled(rule.condition), rule.key, [_worth(stage.effect(rule, name)) for name in names])
            for rule in stage.ranked
        ]
        self.otherwise = [_worth(stage.effect(None, name)) for name in names]

    def decide(self, row: Row) -> tuple[Any, ...]:
        """The rule's key, and both outcomes."""
        for holds, key, worths in self.rules:
            if holds(row):
                return key, worths[0](row), worths[1](row)
        return None, self.otherwise[0](row), self.otherwise[1](row)


def _constant(effect: Effect) -> int:
    if not isinstance(effect, Const) or not isinstance(effect.value, int):
        raise ValueError(f"points are constants here: {effect}")
    return effect.value


def _worth(effect: Effect) -> Worth:
    match effect:
        case Const(value):
            return lambda row: value
        case FactRef(name):
            return lambda row: row[name]
        case PercentOf(of, Const(int(bp))):
            whole = _worth(of)
            return _if_known(whole, lambda amount: percent(amount, bp))
        case RoundDown(of, Const(int(step))):
            return _if_known(_worth(of), lambda amount: round_down(amount, step))
        case Least(parts):
            return _of_all(parts, min)
        case Greatest(parts):
            return _of_all(parts, max)
    raise ValueError(f"not in these policies: {effect}")


def _if_known(worth: Worth, change: Callable[[int], int]) -> Worth:
    def changed(row: Row) -> int | None:
        value = worth(row)
        return None if value is None else change(value)

    return changed


def _of_all(parts: tuple[Effect, ...], choose: Callable[[list[int]], int]) -> Worth:
    worths = [_worth(part) for part in parts]

    def chosen(row: Row) -> int | None:
        values = [worth(row) for worth in worths]
        return None if None in values else choose(values)

    return chosen
