"""Columns: decides a whole portfolio as expressions over a frame.

The same outcomes as ``rules.reference`` row by row, on Polars and DuckDB alike. Per stage:
rule booleans, from them masks and winner, from those outcomes; then the booleans are
dropped. What nobody selects an engine never computes: masks cost only who reads them.
Idioms and their reasons: columns.md 5 and 7.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial, reduce
from operator import add, or_
from typing import Any as Anything

import narwhals as nw

from ledger.basis import Keep, unkept
from ledger.columns import Column
from rules.book import MASK_BITS, Book, BookRule, BookStage
from rules.condition_columns import Sight, condition_column, dtype_of
from rules.conditions import Condition, Const
from rules.effect_columns import TEXT, effect_column, literal, no_value
from rules.effects import Effect
from rules.escalation import INPUTS, Move, Wait, settle_columns
from rules.facts import dictionary_of
from rules.formula_columns import with_facts
from rules.hits import ORDERED, SEPARATOR, SINGLE
from rules.reference import OVERRIDDEN, OVERRIDE
from rules.stages import PREVIOUS, STAGES, Stage

__all__ = [
    "condition_column",
    "decide",
    "doubt_column",
    "dtype_of",
    "mask_name",
    "match_one",
    "truth_name",
    "winner_name",
]

Frame = nw.LazyFrame[Anything]
Holds = Callable[[BookRule], nw.Expr]
RULE = "rule__"  # prefixes of columns that exist only while a stage is decided
DOUBT = "doubt__"
PART = "part__"
NARROW: Anything = nw.Int16  # numbers of rules, small sums: a quarter of the memory that Int64 would move
NARROW_MAX = 2**15 - 1


def decide(
    frame: Frame,
    book: Book,
    keep: Keep = unkept,
    *,
    masks: bool = True,
    truths: bool = False,
    given: AbstractSet[str] = frozenset(),
) -> Frame:
    """Decide every row of a frame through all stages.

    Args:
        frame: facts as columns; one that is missing is unknown. ``previous_*`` outcomes and
            ``override_*`` values stand among them. Where ``holds_<stage>_<i>`` stands in it, the
            condition of that rule is not asked again; unless its verdict, unknown, may refer.
        book: of the day.
        keep: how a frame is kept between two stages that have a policy; an engine that reads
            SQL plans all stages at once for longer than it computes them one by one.
        masks: whether to say which rules hold; without, large books are planned in half the time.
        truths: whether to say it in a column for each rule, which are counted sooner than masks.
        given: stages whose outcomes in force stand in the frame already; of due lines all that the book
            does not decide and the frame has.

    Returns:
        The frame with, per stage that has a policy: its outcomes, ``undecided_<stage>`` and
        ``matched_<stage>_<word>`` (bit i: rule i in document order, 60 to a word) or
        ``holds_<stage>_<i>``; where one
        rule decides also ``winner_<stage>`` (its number i; null: `otherwise`, or undecided);
        with an escalation also ``waiting``, ``enters_step`` and ``episode_move``. Where an override
        column is there, ``<outcome>_by_rules`` keeps what the rules said. A stage without a
        policy has the outcomes of nothing decided. Also the derived facts that its stages read.
    """
    names = frozenset(frame.collect_schema().names())
    computed: set[str] = set()
    for stage in STAGES:
        brought = book.brings(stage) and all(column.name in names for column in stage.outcomes)
        if brought or stage.name in given:
            continue
        sight = Sight(names, book.dictionary)
        if stage.name in book.stages:
            fresh = [fact for fact in book.stages[stage.name].derived if fact.name not in computed]
            frame, sight = with_facts(frame, fresh, sight)
            computed |= {fact.name for fact in fresh}
            frame = _decide_stage(frame, book.stages[stage.name], sight, masks, truths)
        else:
            frame = frame.with_columns(*(_absent(stage, column).alias(column.name) for column in stage.outcomes))
        frame = _apply_overrides(frame, stage, book.stages.get(stage.name), sight)
        if stage.name in book.stages:
            frame = keep(frame.drop(*_temporary(book.stages[stage.name], masks or truths)))
        names = sight.names | {column.name for column in stage.outcomes}
    return frame


def match_one(frame: Frame, condition: Condition, subject: str = "customer") -> Frame:
    """The rows for which a condition holds (NNF, without parameters): live counts while editing."""
    sight = Sight(frozenset(frame.collect_schema().names()), dictionary_of(subject))
    return frame.filter(condition_column(condition, sight).fill_null(False))


def mask_name(stage: str, word: int) -> str:
    """The column of a stage's mask.

    >>> mask_name("hold", 0)
    'matched_hold_0'
    """
    return f"matched_{stage}_{word}"


def truth_name(stage: str, index: int) -> str:
    """The column that says whether a rule of a stage holds.

    >>> truth_name("hold", 3)
    'holds_hold_3'
    """
    return f"holds_{stage}_{index}"


def winner_name(stage: str) -> str:
    """The column of the rule that decided a stage.

    >>> winner_name("hold")
    'winner_hold'
    """
    return f"winner_{stage}"


# --- one stage -------------------------------------------------------------------------


def _decide_stage(frame: Frame, stage: BookStage, sight: Sight, masks: bool, truths: bool) -> Frame:
    holds = _holds
    if masks or truths or not _asks_once(stage):
        known = {truth_name(stage.name, r.index): _rule(r) for r in stage.rules if _is_told(r, stage, sight)}
        frame = _with(frame.rename(known) if known else frame, _booleans(stage, sight))
    else:
        holds = partial(_holds_unnamed, sight)
    if truths:
        asked = [rule for rule in stage.rules if not _is_told(rule, stage, sight)]
        frame = _with(frame, [_holds(rule).alias(truth_name(stage.name, rule.index)) for rule in asked])
    if _has_winner(stage):
        frame = frame.with_columns(_winner(stage, holds).alias(winner_name(stage.name)))
    parts = [*(_masks(stage) if masks else []), _undecided(stage, sight).alias(f"undecided_{stage.name}")]
    if stage.plan is not None:
        return _settled(frame.with_columns(*parts), stage, sight)
    frame = frame.with_columns(*parts, *_values(stage, sight, holds))
    return frame.with_columns(*_outcomes(stage, sight))


def _with(frame: Frame, columns: Sequence[nw.Expr]) -> Frame:
    return frame.with_columns(*columns) if columns else frame


def _temporary(stage: BookStage, asked: bool) -> list[str]:
    named = stage.rules if asked or not _asks_once(stage) else ()
    names = [_rule(rule) for rule in named] + [_doubt(rule) for rule in _doubtful(stage)]
    return names + ([] if stage.plan is not None else [PART + name for name in stage.stage.settable])


def _rule(rule: BookRule) -> str:
    return f"{RULE}{rule.index}"


def _doubt(rule: BookRule) -> str:
    return f"{DOUBT}{rule.index}"


def _doubtful(stage: BookStage) -> list[BookRule]:
    return [] if stage.plan is not None else [rule for rule in stage.rules if rule.may_refer()]


def _holds(rule: BookRule) -> nw.Expr:
    return nw.col(_rule(rule))


def _holds_unnamed(sight: Sight, rule: BookRule) -> nw.Expr:
    """Whether a rule holds, null for unknown, which `when` takes for false."""
    return condition_column(rule.condition, sight)


def _asks_once(stage: BookStage) -> bool:
    """Whether, masks aside, one expression reads the rules' truths: then no column is made for each."""
    if stage.plan is not None or _may_be_undecided(stage):
        return False
    return stage.policy.hit in ORDERED or (
        stage.policy.hit == "sum" and _starts_at_zero(stage, stage.stage.settable[0])
    )


def _booleans(stage: BookStage, sight: Sight) -> list[nw.Expr]:
    asked = [rule for rule in stage.rules if not _is_told(rule, stage, sight)]
    truths = {rule.key: condition_column(rule.condition, sight) for rule in asked}
    holds = [truths[rule.key].fill_null(False).alias(_rule(rule)) for rule in asked]
    return holds + [doubt_column(rule, truths[rule.key], sight).alias(_doubt(rule)) for rule in _doubtful(stage)]


def _is_told(rule: BookRule, stage: BookStage, sight: Sight) -> bool:
    """Whether the frame says already whether a rule holds; an unknown verdict that counts it cannot say."""
    return not rule.may_refer() and truth_name(stage.name, rule.index) in sight.names


def doubt_column(rule: BookRule, truth: nw.Expr, sight: Sight) -> nw.Expr:
    """Whether an unknown truth of a rule sends the row to a person.

    Args:
        rule: one that may refer.
        truth: its condition as a column, null for unknown.
        sight: what the frame has.
    """
    if rule.refers:
        return truth.is_null()
    return truth.is_null() & _any([sight.fact(name).is_null() for name in sorted(rule.money)])


def _masks(stage: BookStage) -> list[nw.Expr]:
    """Masks as sums: no engine-neutral bit operations exist, and this is also the fastest."""
    zero = literal(0)
    masks = []
    for word in range(stage.words):
        rules = stage.rules[word * MASK_BITS : (word + 1) * MASK_BITS]
        bits = [nw.when(_holds(r)).then(literal(1 << (r.index % MASK_BITS))).otherwise(zero) for r in rules]
        masks.append(reduce(add, bits).alias(mask_name(stage.name, word)))
    return masks


def _may_be_undecided(stage: BookStage) -> bool:
    return bool(stage.money or _doubtful(stage)) or stage.policy.hit in ("unique", "any")


def _undecided(stage: BookStage, sight: Sight) -> nw.Expr:
    no, yes = literal(False), literal(True)
    unknown_money = _any([sight.fact(name).is_null() for name in sorted(stage.money)])
    if stage.stopped:
        return no
    if stage.plan is not None:
        return unknown_money
    doubtful = {rule.key for rule in _doubtful(stage)}
    if not _may_be_undecided(stage):
        return no
    if stage.policy.hit in ORDERED:
        turns = []
        for rule in stage.ranked:
            turns.append(nw.when(_holds(rule)).then(no))
            if rule.key in doubtful:
                turns.append(nw.when(nw.col(_doubt(rule))).then(yes))
        return nw.coalesce(*turns, unknown_money) if turns else unknown_money
    doubt = _any([nw.col(_doubt(rule)) for rule in _doubtful(stage)])
    nothing = ~_any([_holds(rule) for rule in stage.rules])
    return doubt | (unknown_money & nothing) | _conflict(stage, sight)


def _conflict(stage: BookStage, sight: Sight) -> nw.Expr:
    if stage.policy.hit == "unique" and stage.rules:
        return _count(stage.ranked) > literal(1)
    if stage.policy.hit == "any" and stage.rules:
        return _any([_differs(stage, name, sight) for name in stage.stage.settable])
    return literal(False)


def _differs(stage: BookStage, outcome: str, sight: Sight) -> nw.Expr:
    """Whether some matching rule sets an outcome otherwise than the first one does."""
    winner = _winning(stage, outcome, sight)
    claims = []
    for rule in stage.ranked:
        own = _effect(stage, rule, outcome, sight)
        same = (own == winner).fill_null(False) | (own.is_null() & winner.is_null())
        claims.append(_holds(rule) & ~same)
    return _any(claims)


def _values(stage: BookStage, sight: Sight, holds: Holds) -> list[nw.Expr]:
    if stage.policy.hit in SINGLE:
        return [_winning(stage, name, sight).alias(PART + name) for name in stage.stage.settable]
    return [_joined(stage, name, sight, holds).alias(PART + name) for name in stage.stage.settable]


def _effect(stage: BookStage, rule: BookRule | None, outcome: str, sight: Sight) -> nw.Expr:
    return effect_column(stage.effect(rule, outcome), dtype_of(stage.stage.outcome(outcome)), sight.fact)


def _has_winner(stage: BookStage) -> bool:
    """Whether one rule decides."""
    return stage.plan is None and stage.policy.hit in SINGLE


def _winner(stage: BookStage, holds: Holds) -> nw.Expr:
    """The number of the first rule that holds, null for none."""
    turns = [nw.when(holds(rule)).then(_number(rule)) for rule in stage.ranked]
    return nw.coalesce(*turns) if turns else no_value(NARROW)


def _number(rule: BookRule) -> nw.Expr:
    return nw.lit(rule.index, dtype=NARROW)


def _is_winner(stage: BookStage, rules: Sequence[BookRule]) -> nw.Expr:
    winner = nw.col(winner_name(stage.name))
    return winner == _number(rules[0]) if len(rules) == 1 else winner.is_in([rule.index for rule in rules])


def _winning(stage: BookStage, outcome: str, sight: Sight) -> nw.Expr:
    """The value of the first rule that holds, which may be null: one branch for each effect, not for each rule."""
    alike: dict[Effect, list[BookRule]] = {}
    for rule in stage.rules:
        alike.setdefault(stage.effect(rule, outcome), []).append(rule)
    otherwise = _effect(stage, None, outcome, sight)
    if not alike:
        return otherwise
    turns = nw.when(nw.col(winner_name(stage.name)).is_null()).then(otherwise)
    *others, last = alike.values()
    for rules in others:
        turns = turns.when(_is_winner(stage, rules)).then(_effect(stage, rules[0], outcome, sight))
    return turns.otherwise(_effect(stage, last[0], outcome, sight))


def _joined(stage: BookStage, outcome: str, sight: Sight, holds: Holds) -> nw.Expr:
    """What several matching rules make together; unknown when a part of it is."""
    hit = stage.policy.hit
    otherwise = _effect(stage, None, outcome, sight)
    setting = list(stage.ranked) if hit == "count" else [r for r in stage.ranked if outcome in r.effects]
    if not setting:
        return otherwise
    if hit == "sum" and _starts_at_zero(stage, outcome):
        return _sum(stage, setting, outcome, sight, holds)
    own = {rule.key: _effect(stage, rule, outcome, sight) for rule in setting}
    if hit == "count":
        value = _count(setting)
    elif hit == "sum":
        value = _sum(stage, setting, outcome, sight, holds)
    elif hit == "collect":
        marked = [nw.when(_holds(r)).then(nw.concat_str(literal(SEPARATOR), own[r.key])) for r in setting]
        value = nw.concat_str(*[nw.coalesce(part, literal("")) for part in marked]).str.slice(len(SEPARATOR))
    else:
        bounds = [nw.when(_holds(r)).then(own[r.key]) for r in setting]
        value = nw.min_horizontal(*bounds) if hit == "min" else nw.max_horizontal(*bounds)
    unknown = [_holds(r) & own[r.key].is_null() for r in setting if not _is_known(stage, r, outcome)]
    if unknown and hit in ("min", "max", "collect"):
        value = nw.when(~_any(unknown)).then(value)
    return nw.when(_any([_holds(rule) for rule in setting])).then(value).otherwise(otherwise)


def _starts_at_zero(stage: BookStage, outcome: str) -> bool:
    return stage.effect(None, outcome) == Const(0)


def _sum(stage: BookStage, rules: Sequence[BookRule], outcome: str, sight: Sight, holds: Holds) -> nw.Expr:
    constants = [effect.value for rule in rules if isinstance(effect := rule.effects[outcome], Const)]
    amounts = [value for value in constants if isinstance(value, int)]
    if len(amounts) < len(rules) or sum(map(abs, amounts)) > NARROW_MAX:
        own = [_effect(stage, rule, outcome, sight) for rule in rules]
        return reduce(add, [nw.when(holds(r)).then(value).otherwise(literal(0)) for r, value in zip(rules, own)])
    zero = nw.lit(0, dtype=NARROW)
    worths = [nw.when(holds(r)).then(nw.lit(n, dtype=NARROW)).otherwise(zero) for r, n in zip(rules, amounts)]
    return reduce(add, worths).cast(nw.Int64)


def _is_known(stage: BookStage, rule: BookRule, outcome: str) -> bool:
    effect = stage.effect(rule, outcome)
    return isinstance(effect, Const) and effect.value is not None


def _count(rules: Sequence[BookRule]) -> nw.Expr:
    return reduce(add, [nw.when(_holds(rule)).then(literal(1)).otherwise(literal(0)) for rule in rules])


def _any(claims: Sequence[nw.Expr]) -> nw.Expr:
    return reduce(or_, claims) if claims else literal(False)


def _outcomes(stage: BookStage, sight: Sight) -> list[nw.Expr]:
    """Undecided rows keep what stood before; bands turn points into a class."""
    undecided = nw.col(f"undecided_{stage.name}")
    outcomes: list[nw.Expr] = []
    if stage.stopped:
        kept = [_before(stage.stage, column, sight).alias(column.name) for column in stage.stage.outcomes]
        none = [no_value(NARROW).alias(winner_name(stage.name))] if _has_winner(stage) else []
        return kept + none
    if _has_winner(stage) and _may_be_undecided(stage):
        outcomes.append(nw.when(~undecided).then(nw.col(winner_name(stage.name))).alias(winner_name(stage.name)))
    for column in stage.stage.outcomes:
        if column.name in stage.stage.settable:
            value = nw.col(PART + column.name)
        elif column.name == "risk_class" and stage.policy.bands:
            value = _band(stage)
        else:
            value = no_value(dtype_of(column))
        if _may_be_undecided(stage):
            value = nw.when(undecided).then(_before(stage.stage, column, sight)).otherwise(value)
        outcomes.append(value.alias(column.name))
    return outcomes


def _band(stage: BookStage) -> nw.Expr:
    points = nw.col(PART + "points")
    turns = [
        nw.when(~points.is_null() if band.up_to is None else points <= literal(band.up_to)).then(
            literal(band.risk_class)
        )
        for band in stage.policy.bands
    ]
    return nw.coalesce(*turns, no_value(TEXT))


def _before(stage: Stage, column: Column, sight: Sight) -> nw.Expr:
    if PREVIOUS + column.name not in sight.names:
        return _absent(stage, column)
    return nw.coalesce(nw.col(PREVIOUS + column.name), _absent(stage, column))


def _absent(stage: Stage, column: Column) -> nw.Expr:
    value = stage.absent.get(column.name)
    return no_value(dtype_of(column)) if value is None else literal(value)


def _settled(frame: Frame, stage: BookStage, sight: Sight) -> Frame:
    """Let the escalation settle; undecided rows keep what stood before, and so do all while it is stopped."""
    if stage.plan is None:
        raise ValueError("only an escalation is settled")
    read = {*INPUTS, stage.plan.scenario_by}
    absent = sorted(name for name in read if name not in sight.names)
    frame = _with(frame, [sight.fact(name).alias(name) for name in absent])
    frame = settle_columns(frame, {rule.key: _rule(rule) for rule in stage.rules}, stage.plan)
    stays_put = literal(True) if stage.stopped else nw.col(f"undecided_{stage.name}")
    why = literal((Wait.STOPPED if stage.stopped else Wait.UNKNOWN).value)
    was_open = nw.col("episode_open").fill_null(False)
    stays = nw.when(was_open).then(literal(Move.SAME.value)).otherwise(literal(Move.NONE.value))
    kept = [
        nw.when(stays_put).then(_before(stage.stage, column, sight)).otherwise(nw.col(column.name)).alias(column.name)
        for column in stage.stage.outcomes
    ]
    frame = frame.with_columns(
        *kept,
        nw.when(stays_put).then(why).otherwise(nw.col("waiting")).alias("waiting"),
        (nw.col("enters_step") & ~stays_put).alias("enters_step"),
        nw.when(stays_put).then(stays).otherwise(nw.col("episode_move")).alias("episode_move"),
    )
    return frame.drop(*absent)


# --- overrides -------------------------------------------------------------------------


def _apply_overrides(frame: Frame, stage: Stage, ruled: BookStage | None, sight: Sight) -> Frame:
    """A person's value wins until its end, but not over a final rule."""
    given = [column for column in stage.outcomes if OVERRIDE + column.name in sight.names]
    if not given:
        return frame
    final = literal(False) if ruled is None else _final(ruled)
    columns = []
    for column in stage.outcomes:
        by_rules, by_hand = nw.col(column.name), OVERRIDE + column.name
        if column.name == "hold_reason" and OVERRIDE + "hold" in sight.names:
            reason = literal(OVERRIDDEN)
            reason = nw.coalesce(nw.col(by_hand), reason) if by_hand in sight.names else reason
            wins = ~final & ~nw.col(OVERRIDE + "hold").is_null()
        elif column in given:
            reason, wins = nw.col(by_hand), ~final & ~nw.col(by_hand).is_null()
        else:
            continue
        columns.append(by_rules.alias(f"{column.name}_by_rules"))
        columns.append(nw.when(wins).then(reason).otherwise(by_rules).alias(column.name))
    return frame.with_columns(*columns)


def _final(stage: BookStage) -> nw.Expr:
    """Whether a final rule decided the row."""
    if stage.policy.hit not in SINGLE or not any(rule.rule.final for rule in stage.rules):
        return literal(False)
    final = [rule for rule in stage.ranked if rule.rule.final]
    return _is_winner(stage, final).fill_null(False) & ~nw.col(f"undecided_{stage.name}")
