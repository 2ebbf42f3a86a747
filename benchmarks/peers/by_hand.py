"""What somebody who knows Polars would write by hand for the same policies: the fastest forms we found.

Plain Polars, none of our compilers: it is what `rules.columns` is measured against. One
``with_columns`` per stage and what follows from it. Unknown needs no care in conditions: Polars'
own logic is three-valued too, and ``when`` takes null for false.
"""

from functools import reduce
from operator import add, and_, or_
from typing import Any as Value

import polars as pl

from rules.book import Book, BookStage
from rules.conditions import All, Any, Condition, Const, FactRef, Op, Test, operands_of, pair
from rules.effects import Effect, Greatest, Least, PercentOf, RoundDown

FULL_BP = 10_000


def decide(rows: pl.LazyFrame, book: Book) -> pl.LazyFrame:
    """Outcomes of the three stages, and the deciding rule of the two in which one decides."""
    card, limit, hold = (book.stages[name] for name in ("scorecard", "credit_limit", "hold"))
    points = [
        pl.when(_truth(rule.condition))
        .then(pl.lit(_whole(rule.effects["points"]), pl.Int16))
        .otherwise(pl.lit(0, pl.Int16))
        for rule in card.rules
    ]
    classes = [pl.when(pl.col("points") <= b.up_to).then(pl.lit(b.risk_class)) for b in card.policy.bands[:-1]]
    return (
        rows.with_columns(points=reduce(add, points).cast(pl.Int64))
        .with_columns(risk_class=pl.coalesce(*classes, pl.lit(card.policy.bands[-1].risk_class)))
        .with_columns(winner_credit_limit=_first(limit))
        .with_columns(
            proposed_limit_minor=_chosen(limit, "proposed_limit_minor"),
            proposed_terms_days=_chosen(limit, "proposed_terms_days"),
            winner_hold=_first(hold),
        )
        .with_columns(hold=_chosen(hold, "hold"), hold_reason=_chosen(hold, "hold_reason"))
    )


def _first(stage: BookStage) -> pl.Expr:
    """The number of the first rule that holds."""
    return pl.coalesce(*(pl.when(_truth(r.condition)).then(pl.lit(r.index, pl.Int16)) for r in stage.ranked))


def _chosen(stage: BookStage, outcome: str) -> pl.Expr:
    """One branch per distinct effect."""
    winner = pl.col(f"winner_{stage.name}")
    by_effect: dict[Effect, list[int]] = {}
    for rule in stage.rules:
        by_effect.setdefault(stage.effect(rule, outcome), []).append(rule.index)
    turns = pl.when(winner.is_null()).then(_effect(stage.effect(None, outcome)))
    for effect, numbers in by_effect.items():
        turns = turns.when(winner.is_in(numbers)).then(_effect(effect))
    return turns.otherwise(None)


def _effect(effect: Effect) -> Value:
    match effect:
        case Const(value):
            return pl.lit(value)
        case FactRef(name):
            return pl.col(name)
        case PercentOf(of, bp):
            return (_effect(of) * _whole(bp) + FULL_BP // 2) // FULL_BP  # of amounts that are never negative
        case RoundDown(of, step):
            return _effect(of) // _whole(step) * _whole(step)
        case Least(parts) | Greatest(parts):
            values = [_effect(part) for part in parts]
            known = reduce(and_, [value.is_not_null() for value in values])
            return pl.when(known).then((pl.min_horizontal if isinstance(effect, Least) else pl.max_horizontal)(values))
    raise ValueError(f"not in these policies: {effect}")


def _truth(condition: Condition) -> pl.Expr:
    match condition:
        case All(parts):
            return reduce(and_, [_truth(part) for part in parts])
        case Any(parts):
            return reduce(or_, [_truth(part) for part in parts])
        case Test():
            return _test(condition)
    raise ValueError(f"not in negation normal form: {condition}")


def _test(test: Test) -> pl.Expr:
    fact = pl.col(test.fact)
    values = [pl.col(v.name) if isinstance(v, FactRef) else v.value for v in operands_of(test) if v != ()]  # type: ignore[union-attr]
    match test.op:
        case Op.IS_NULL:
            return fact.is_null()
        case Op.IS_NOT_NULL:
            return fact.is_not_null()
        case Op.BETWEEN:
            low, high = (end.value for end in pair(test))  # type: ignore[union-attr]
            return fact.is_between(low, high)
        case Op.IN:
            return fact.is_in(values)
        case Op.NOT_IN:
            return ~fact.is_in(values)
        case _:
            compare = {"<": fact.lt, "<=": fact.le, ">": fact.gt, ">=": fact.ge, "==": fact.eq, "!=": fact.ne}
            return compare[test.op.value](values[0])


def _whole(operand: object) -> int:
    if not isinstance(operand, Const) or not isinstance(operand.value, int):
        raise ValueError(f"not a whole number: {operand}")
    return operand.value
