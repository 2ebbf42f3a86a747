"""Escalation: the level and step of every customer of a frame, as columns.

The same as ``rules.settling.settle`` row by row; a property test holds the two equal.
What others need of an escalation is exported here: the plan, both forms of settling, and
the step that comes next.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw

from rules.plans import Bound, Coming, Plan, PlanStep, coming, plan_of
from rules.settling import INPUTS, OUTPUTS, Move, Settled, Wait, settle
from rules.stepping import STANDARD, TIED

__all__ = [
    "INPUTS",
    "OUTPUTS",
    "Bound",
    "Coming",
    "Move",
    "Plan",
    "PlanStep",
    "Settled",
    "Wait",
    "coming",
    "plan_of",
    "settle",
    "settle_columns",
    "stood_columns",
]

_PREFIX = "escalation_"  # of the columns that exist only while a frame is settled


def _lit(value: int) -> nw.Expr:
    return nw.lit(value, dtype=nw.Int64)


def _text(value: str | None) -> nw.Expr:
    return nw.lit(value, dtype=nw.String)


def _own(name: str) -> nw.Expr:
    return nw.col(_PREFIX + name)


def _is(name: str) -> nw.Expr:
    """A claim; unknown counts as false."""
    return nw.col(name).fill_null(False)


def _bound(bound: Bound) -> nw.Expr:
    """The parameter's value for each row's segment."""
    value = _lit(bound.value)
    for segment, own in sorted(bound.by_segment.items()):
        value = nw.when((nw.col("segment") == _text(segment)).fill_null(False)).then(_lit(own)).otherwise(value)
    return value


def _choose(cases: Sequence[tuple[nw.Expr, nw.Expr]], otherwise: nw.Expr) -> nw.Expr:
    """The value of the first case that holds."""
    if not cases:
        return otherwise
    return nw.coalesce(*(nw.when(claim).then(value) for claim, value in cases), otherwise)


def _codes(cases: Sequence[tuple[nw.Expr, StrEnum]], otherwise: StrEnum) -> nw.Expr:
    return _choose([(claim, _text(code.value)) for claim, code in cases], _text(otherwise.value))


def settle_columns(frame: nw.LazyFrame[Any], holds: Mapping[str, str], plan: Plan) -> nw.LazyFrame[Any]:
    """Settle every customer of a frame.

    Args:
        frame: has the columns of ``INPUTS`` and, per rule, a boolean column without nulls.
        holds: rule key to the name of that column; a step without one never holds.
        plan: the policy's.

    Returns:
        The frame with ``OUTPUTS`` added, equal row by row to ``settle``.
    """
    steps = [step for step in sorted(plan.steps, key=lambda step: step.order) if step.key in holds]
    frame = frame.with_columns(*_situation(holds, steps, plan))
    frame = frame.with_columns(*_episode(plan))
    frame = frame.with_columns(*_wanted(holds, steps, plan))
    frame = frame.with_columns(*_reasons(plan))
    frame = frame.with_columns(*_outputs(holds, steps))
    more = ("come_for_all",) if _is_conditional(plan) else ()
    return frame.drop(*(_PREFIX + name for name in (*_TEMPORARY, *more)))


def _is_conditional(plan: Plan) -> bool:
    return any(step.when is not None for step in plan.steps)


_TEMPORARY = (
    *("previous", "stood_at", "open", "over", "same", "target", "days", "unknown", "away", "closes", "fresh", "base"),
    *("climbs", "rises_to", "rises_step", "early_rank", "early_step", "stood_rank", "wants_early", "come"),
    *("amount", "gate", "silent", "again", "stood"),
)


def _situation(holds: Mapping[str, str], steps: Sequence[PlanStep], plan: Plan) -> list[nw.Expr]:
    by_level = sorted(steps, key=lambda step: -step.level)
    days = nw.col("leader_days_past_due")
    return [
        *_stood(plan),
        _is("episode_open").alias(_PREFIX + "open"),
        (nw.col("overdue_net_minor") > _bound(plan.tolerance)).fill_null(False).alias(_PREFIX + "over"),
        (_is("episode_open") & _is("same_leader") & ~days.is_null()).alias(_PREFIX + "same"),
        _choose([(nw.col(holds[s.key]), _lit(s.level)) for s in by_level], _lit(0)).alias(_PREFIX + "target"),
        days.alias(_PREFIX + "days"),
        nw.col("overdue_net_minor").is_null().alias(_PREFIX + "unknown"),
    ]


def stood_columns(plan: Plan) -> tuple[nw.Expr, nw.Expr]:
    """Level and step stood at, by the names of this version: ``Plan.stood`` of every row."""
    level, step = nw.col("previous_level").fill_null(0).cast(nw.Int64), nw.col("previous_step")
    old = sorted(plan.mapped_steps)
    levels = [(step == _text(key), _lit(plan.mapped_steps[key][0])) for key in old]
    levels += [(step.is_null() & (level == _lit(was)), _lit(now)) for was, now in sorted(plan.mapped_levels.items())]
    steps = [(step == _text(key), _text(plan.mapped_steps[key][1])) for key in old]
    return _choose(levels, level), _choose(steps, step)


def _stood(plan: Plan) -> list[nw.Expr]:
    level, step = stood_columns(plan)
    return [level.alias(_PREFIX + "previous"), step.alias(_PREFIX + "stood_at")]


def _episode(plan: Plan) -> list[nw.Expr]:
    days, same, was_open, over = _own("days"), _own("same"), _own("open"), _own("over")
    previous, known = _own("previous"), ~_own("unknown")
    late = (days > _lit(0)).fill_null(False)
    not_late = (days <= _lit(0)).fill_null(False)
    elsewhere = not_late & (previous > _lit(0)) & ~same
    away = known & was_open & over & (days.is_null() | elsewhere)
    closes = known & ~away & (days.is_null() | (late & ~over))
    fresh = ~was_open | (~same & not_late)
    target = _own("target")
    resumed = nw.when(target < previous).then(target).otherwise(previous)
    other = resumed if plan.after_leader_paid == "resume" else _lit(0)
    base = _choose([(fresh, _lit(0)), (same, previous)], other)
    stood = previous if plan.after_leader_paid == "resume" else nw.when(same).then(previous).otherwise(_lit(0))
    return [
        stood.alias(_PREFIX + "stood"),
        away.alias(_PREFIX + "away"),
        closes.alias(_PREFIX + "closes"),
        fresh.alias(_PREFIX + "fresh"),
        base.alias(_PREFIX + "base"),
    ]


def _wanted(holds: Mapping[str, str], steps: Sequence[PlanStep], plan: Plan) -> list[nw.Expr]:
    """What would begin if nothing stood in its way."""
    base = _own("base")
    climbing = sorted((step for step in steps if step.level > 0), key=lambda step: step.level)
    if plan.catch_up:
        climbing.sort(key=lambda step: (-step.level, step.order))
    above = [(nw.col(holds[s.key]) & (base < _lit(s.level)), s) for s in climbing]
    early = sorted((s for s in steps if s.level == 0), key=lambda step: step.latest_first)
    known = [step for step in plan.steps if step.level == 0]
    stood = _own("same") & (_own("days") < _lit(0)).fill_null(False)
    stood_rank = _choose(
        [
            (stood & (_own("stood_at") == _text(step.key)).fill_null(False), _lit(step.days))
            for step in sorted(known, key=lambda step: step.key)
        ],
        _lit(_NO_RANK),
    )
    early_rank = _choose([(nw.col(holds[s.key]), _lit(s.days)) for s in early], _lit(_NO_RANK))
    return [
        (_own("target") > base).alias(_PREFIX + "climbs"),
        _choose([(claim, _lit(step.level)) for claim, step in above], _lit(0)).alias(_PREFIX + "rises_to"),
        _choose([(claim, _text(step.key)) for claim, step in above], _text(None)).alias(_PREFIX + "rises_step"),
        early_rank.alias(_PREFIX + "early_rank"),
        _choose([(nw.col(holds[s.key]), _text(s.key)) for s in early], _text(None)).alias(_PREFIX + "early_step"),
        stood_rank.alias(_PREFIX + "stood_rank"),
        (early_rank > stood_rank).alias(_PREFIX + "wants_early"),
        _comes_again(holds, climbing).alias(_PREFIX + "again"),
        _come(plan, True).alias(_PREFIX + "come"),
        *([_come(plan, False).alias(_PREFIX + "come_for_all")] if _is_conditional(plan) else []),
        _amount().alias(_PREFIX + "amount"),
    ]


def _comes_again(holds: Mapping[str, str], steps: Sequence[PlanStep]) -> nw.Expr:
    """A promise was broken since the step reached, and its rule still holds."""
    stays = (_own("base") == _own("previous")) & (_own("base") > _lit(0)) & (_own("target") <= _own("base"))
    here = [
        nw.col(holds[s.key]) & (_own("base") == _lit(s.level)) & (_own("stood_at") == _text(s.key)).fill_null(False)
        for s in steps
    ]
    return stays & _is("promise_broken") & reduce(or_, here, nw.lit(False))


def _amount() -> nw.Expr:
    """What a contact would be about: the leader before its due date, afterwards all that is overdue."""
    early = (_own("base") == _lit(0)) & (_own("target") <= _lit(0)) & (_own("days") < _lit(0)).fill_null(False)
    return nw.when(early).then(nw.col("leader_open_minor")).otherwise(nw.col("overdue_net_minor"))


def _come(plan: Plan, conditional: bool) -> nw.Expr:
    """The highest level whose time has come in the row's scenario, whether or not its rule holds; else -1.

    Args:
        conditional: whether steps count that are meant for some only.
    """
    named = sorted(plan.scenarios - {STANDARD})
    ours = nw.col(plan.scenario_by)
    others = ours.is_in(named).fill_null(False) if named else nw.lit(False)
    free, tied = nw.col(TIED).is_null(), nw.col(TIED)
    cases = []
    for step in sorted(plan.steps, key=lambda step: (-step.level, step.order)):
        if conditional or step.when is None:
            member = ~others if step.scenario == STANDARD else (ours == _text(step.scenario)).fill_null(False)
            member = (free & member) | (tied == _text(step.scenario)).fill_null(False)
            cases.append((member & _has_come(step), _lit(step.level)))
    return _choose(cases, _lit(-1))


def _has_come(step: PlanStep) -> nw.Expr:
    """``PlanStep.has_come`` of every row."""
    come = (_own("days") >= _lit(step.days)).fill_null(False)
    if step.at_month_end:
        late = (_own("days") >= _lit(1)).fill_null(False)
        come = late & (nw.col("leader_month_end_days") >= _lit(step.days)).fill_null(False)
    if step.after is None:
        return come
    behind = (_own("stood") >= _lit(step.follows)) & (nw.col("days_since_step_done") >= _lit(step.after))
    return come & ((_own("stood") >= _lit(step.level)) | behind.fill_null(False))


_NO_RANK = -(10**6)  # before every step


def _reasons(plan: Plan) -> list[nw.Expr]:
    """Why what is wanted may not begin, and why nothing is wanted."""
    amount, base, early = _own("amount"), _own("base"), (_own("days") < _lit(0)).fill_null(False)
    open_step = ~_own("fresh") & ~nw.col("step_finished").fill_null(True)
    small = (amount < _bound(plan.minimum)).fill_null(False)
    gate = _codes(
        [
            (_is("dunning_block"), Wait.DUNNING_BLOCK),
            (_is("insolvent"), Wait.INSOLVENT),
            (_is("handed_over"), Wait.HANDED_OVER),
            (_is("raised_today"), Wait.RAISED_TODAY),
            (open_step, Wait.STEP_OPEN),
            (small, Wait.MINIMUM),
            ((nw.col("days_since_contact") < _bound(plan.minimum_days)).fill_null(False), Wait.MIN_DAYS),
        ],
        Wait.NONE,
    )
    stands = early & (_own("stood_rank") > _lit(_NO_RANK))
    floor = nw.when((base == _lit(0)) & early & ~stands).then(_lit(-1)).otherwise(base)
    alone = ~nw.col(TIED).is_null() & ~nw.col(TIED).is_in(sorted(plan.scenarios)).fill_null(True)
    silent = _codes(
        [
            (alone, Wait.LEFT_ALONE),
            (_own("come") <= floor, Wait.NONE),
            ((amount <= _bound(plan.tolerance)).fill_null(False), Wait.WITHIN_TOLERANCE),
            (small, Wait.MINIMUM),
            *([(_own("come_for_all") <= floor, Wait.NOT_MEANT)] if _is_conditional(plan) else []),
        ],
        Wait.EXCLUDED if plan.excludes else Wait.NONE,
    )
    return [gate.alias(_PREFIX + "gate"), silent.alias(_PREFIX + "silent")]


def _outputs(holds: Mapping[str, str], steps: Sequence[PlanStep]) -> list[nw.Expr]:
    unknown, away, closes, climbs = _own("unknown"), _own("away"), _own("closes"), _own("climbs")
    previous, base, fresh, was_open = _own("previous"), _own("base"), _own("fresh"), _own("open")
    settled = ~unknown & ~away & ~closes
    rests = settled & ~climbs & (base > _lit(0))
    early = settled & ~climbs & (base == _lit(0)) & (_own("days") < _lit(0)).fill_null(False)
    free = _own("gate") == _text(Wait.NONE.value)
    rises = settled & climbs & free
    again = rests & _own("again")
    begins = early & _own("wants_early") & free
    stands = early & ~begins & (_own("stood_rank") > _lit(_NO_RANK))
    here = reduce(
        lambda value, step: (
            nw.when(nw.col(holds[step.key]) & (base == _lit(step.level))).then(_text(step.key)).otherwise(value)
        ),
        sorted(steps, key=lambda step: step.order, reverse=True),
        _text(None),
    )
    kept = unknown | (away & (previous > _lit(0))) | ((rests | (settled & climbs & ~free)) & (base == previous))
    kept = kept & ~(settled & (base == _lit(0)))
    promised = (nw.col("promised_minor") > _lit(0)).fill_null(False)
    disputed = (nw.col("disputed_minor") > _lit(0)).fill_null(False)
    stopped = ((settled & climbs) | again | (early & _own("wants_early"))) & ~free
    no_leader = _own("days").is_null()
    waiting = [
        (unknown, _text(Wait.UNKNOWN.value)),
        (away & promised, _text(Wait.PROMISE.value)),
        (away & disputed, _text(Wait.DISPUTE.value)),
        (away, _text(Wait.PAUSE.value)),
        (closes & no_leader, _text(Wait.NO_LEADER.value)),
        (closes, _text(Wait.WITHIN_TOLERANCE.value)),
        (stopped, _own("gate")),
        (settled & ~climbs & ~begins & ~again, _own("silent")),
    ]
    moves: list[tuple[nw.Expr, StrEnum]] = [
        ((unknown & was_open) | away, Move.SAME),
        (unknown, Move.NONE),
        (closes & was_open, Move.CLOSE),
        (closes, Move.NONE),
        (fresh & was_open, Move.REOPEN),
        (fresh, Move.OPEN),
    ]
    raw = nw.col("previous_level").fill_null(0).cast(nw.Int64)
    level = _choose([(unknown, raw), (away, previous), (closes, _lit(0)), (rises, _own("rises_to"))], base)
    step = [
        (unknown, nw.col("previous_step")),
        (kept | stands, _own("stood_at")),
        (rises, _own("rises_step")),
        (begins, _own("early_step")),
        (rests, here),
    ]
    return [
        level.alias("level"),
        _first_of(step).alias("step"),
        _choose(waiting, _text(Wait.NONE.value)).alias("waiting"),
        (rises | begins | (again & free)).alias("enters_step"),
        _codes(moves, Move.SAME).alias("episode_move"),
    ]


def _first_of(cases: Sequence[tuple[nw.Expr, nw.Expr]]) -> nw.Expr:
    """Like ``_choose``, but a case whose value is null ends the search with null."""
    value = _text(None)
    for claim, own in reversed(cases):
        value = nw.when(claim).then(own).otherwise(value)
    return value
