"""Settling one customer: from the rules that hold to level and step, as a plain function.

The rules say what is deserved today. ``settle`` says what follows from it: at most one level
up per business day, only after the previous step is finished, never a level lower than the
one reached while the same leader is open. ``rules.escalation`` says the same over a frame.

Silence always has a code: ``waiting`` says why no step began although one was deserved.
Source: semantics.md 4.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from rules.conditions import Scalar
from rules.plans import Plan, PlanStep
from rules.stepping import TIED


class Wait(StrEnum):
    """Why a customer gets no further step by this decision."""

    NONE = "none"  # a step began, or none has come yet
    UNKNOWN = "unknown"  # money facts are unknown: everything stays
    NO_LEADER = "no_leader"
    WITHIN_TOLERANCE = "within_tolerance"
    PROMISE = "promise"  # all that is overdue is promised, disputed or paused: the level is kept
    DISPUTE = "dispute"
    PAUSE = "pause"
    DUNNING_BLOCK = "dunning_block"
    INSOLVENT = "insolvent"
    HANDED_OVER = "handed_over"  # an agency, an insurer or a court has the debt
    RAISED_TODAY = "raised_today"  # also while the entity is not live: nothing may begin
    STEP_OPEN = "step_open"
    MINIMUM = "minimum"
    MIN_DAYS = "min_days"
    STOPPED = "stopped"  # a person stopped the policy: everything stays
    EXCLUDED = "excluded"  # a step's day has come, but the policy leaves this customer alone
    LEFT_ALONE = "left_alone"  # a person tied this customer to no scenario
    NOT_MEANT = "not_meant"  # a step's day has come, but it is not for this customer


class Move(StrEnum):
    """What a decision does to the episode."""

    NONE = "none"  # there was none and there is none
    OPEN = "open"
    SAME = "same"
    REOPEN = "reopen"  # one ends, the next begins: the open actions of the first are cancelled
    CLOSE = "close"


INPUTS = (
    "leader_days_past_due",
    "leader_open_minor",
    "overdue_net_minor",
    "promised_minor",
    "disputed_minor",
    "days_since_contact",
    "dunning_block",
    "insolvent",
    "handed_over",
    "segment",
    TIED,
    "previous_level",
    "previous_step",
    "leader_month_end_days",
    "days_since_step_done",
    "episode_open",
    "same_leader",
    "step_finished",
    "raised_today",
    "promise_broken",
)
OUTPUTS = ("level", "step", "waiting", "enters_step", "episode_move")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a decision makes of a customer's standing.

    Args:
        level, step: where the customer stands from now on; the step stays while the level does.
        waiting: why nothing further began.
        enters_step: the step begins by this decision, so its action is due.
        episode_move: what becomes of the episode.
    """

    level: int
    step: str | None
    waiting: Wait
    enters_step: bool
    episode_move: Move


def _number(row: Mapping[str, Scalar | None], name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) else None


def settle(row: Mapping[str, Scalar | None], matched: AbstractSet[str], plan: Plan) -> Settled:
    """Settle one customer.

    Args:
        row: facts by name, ``INPUTS`` among them; absent counts as unknown. ``raised_today``
            is also how a caller says that nothing may begin (adoption, entity not live).
        matched: keys of the policy's rules that hold.
        plan: the policy's.

    Returns:
        Level, step and why.

    Source: semantics.md 4.
    """
    previous = _number(row, "previous_level") or 0
    previous_step = row.get("previous_step")
    stood_at = previous_step if isinstance(previous_step, str) else None
    days = _number(row, "leader_days_past_due")
    net = _number(row, "overdue_net_minor")
    was_open = row.get("episode_open") is True
    if net is None:
        return Settled(previous, stood_at, Wait.UNKNOWN, False, Move.SAME if was_open else Move.NONE)
    over = net > plan.tolerance.of(row.get("segment"))
    previous, stood_at = plan.stood(previous, stood_at)
    same = was_open and row.get("same_leader") is True and days is not None
    if was_open and over and (days is None or (days <= 0 and previous > 0 and not same)):
        # Overdue but promised, disputed or paused: the leader is away, not paid. The level is kept.
        return Settled(previous, stood_at if previous else None, _away(row), False, Move.SAME)
    if days is None or (days > 0 and not over):
        why = Wait.NO_LEADER if days is None else Wait.WITHIN_TOLERANCE
        return Settled(0, None, why, False, Move.CLOSE if was_open else Move.NONE)
    fresh = not was_open or (not same and days <= 0)
    move = Move.SAME if not fresh else Move.REOPEN if was_open else Move.OPEN
    stood = previous if same or plan.after_leader_paid == "resume" else 0
    holding = [step for step in plan.steps if step.key in matched]
    target = max((step.level for step in holding), default=0)
    if fresh:
        base = 0
    elif same:
        base = previous
    else:
        base = min(previous, target) if plan.after_leader_paid == "resume" else 0
    if target <= base and base > 0:
        step = stood_at if base == previous else _first(holding, base)
        if _comes_again(row, holding, base == previous, step, base):
            blocked = _blocked(row, plan, net, fresh)
            return Settled(base, step, blocked, blocked is Wait.NONE, move)
        return Settled(base, step, _silent(row, plan, base, stood, net, False), False, move)
    if target > base:
        stays = stood_at if base == previous and base > 0 else None
        blocked = _blocked(row, plan, net, fresh)
        if blocked is not Wait.NONE:
            return Settled(base, stays, blocked, False, move)
        level = target if plan.catch_up else min(step.level for step in holding if step.level > base)
        return Settled(level, _first(holding, level), Wait.NONE, True, move)
    if days >= 0:  # a step before the due date lapses on it
        return Settled(0, None, _silent(row, plan, 0, stood, net, False), False, move)
    return _before_due(row, holding, plan, stood_at if same else None, fresh, move)


def _comes_again(
    row: Mapping[str, Scalar | None], holding: Sequence[PlanStep], stays: bool, stood_at: str | None, level: int
) -> bool:
    """Whether the step reached is due once more: a promise was broken since, and its rule still holds."""
    here = any(step.key == stood_at and step.level == level for step in holding)
    return stays and here and row.get("promise_broken") is True


def _before_due(
    row: Mapping[str, Scalar | None],
    holding: Sequence[PlanStep],
    plan: Plan,
    stood_at: str | None,
    fresh: bool,
    move: Move,
) -> Settled:
    """Before the due date: a step of level 0 begins or goes on."""
    amount = _number(row, "leader_open_minor")
    early = [step for step in plan.steps if step.level == 0]
    stands = next((step for step in early if step.key == stood_at), None)
    next_one = min((step for step in holding if step.level == 0), key=lambda step: step.latest_first, default=None)
    stays = None if stands is None else stands.key
    if next_one is None or (stands is not None and next_one.days <= stands.days):
        return Settled(0, stays, _silent(row, plan, 0, 0, amount, stands is not None), False, move)
    blocked = _blocked(row, plan, amount, fresh)
    if blocked is not Wait.NONE:
        return Settled(0, stays, blocked, False, move)
    return Settled(0, next_one.key, Wait.NONE, True, move)


def _away(row: Mapping[str, Scalar | None]) -> Wait:
    if (_number(row, "promised_minor") or 0) > 0:
        return Wait.PROMISE
    return Wait.DISPUTE if (_number(row, "disputed_minor") or 0) > 0 else Wait.PAUSE


def _blocked(row: Mapping[str, Scalar | None], plan: Plan, amount: int | None, fresh: bool) -> Wait:
    """The first reason why no step may begin. A new episode does not wait for the old one's step."""
    segment = row.get("segment")
    since = _number(row, "days_since_contact")
    reasons = (
        (row.get("dunning_block") is True, Wait.DUNNING_BLOCK),
        (row.get("insolvent") is True, Wait.INSOLVENT),
        (row.get("handed_over") is True, Wait.HANDED_OVER),
        (row.get("raised_today") is True, Wait.RAISED_TODAY),
        (not fresh and row.get("step_finished") is False, Wait.STEP_OPEN),
        (amount is not None and amount < plan.minimum.of(segment), Wait.MINIMUM),
        (since is not None and since < plan.minimum_days.of(segment), Wait.MIN_DAYS),
    )
    return next((code for applies, code in reasons if applies), Wait.NONE)


def _silent(
    row: Mapping[str, Scalar | None], plan: Plan, base: int, stood: int, amount: int | None, stands: bool
) -> Wait:
    """Why no rule holds although the time of a further step has come."""
    if plan.is_left_alone(row):
        return Wait.LEFT_ALONE
    early = base == 0 and (_number(row, "leader_days_past_due") or 0) < 0
    if early and stands:
        return Wait.NONE
    come = [step for step in plan.scenario_of(row) if (step.level > base or early) and step.has_come(row, stood)]
    if not come:
        return Wait.NONE
    segment = row.get("segment")
    if amount is not None and amount <= plan.tolerance.of(segment):
        return Wait.WITHIN_TOLERANCE
    if amount is not None and amount < plan.minimum.of(segment):
        return Wait.MINIMUM
    if all(step.when is not None for step in come):
        return Wait.NOT_MEANT
    return Wait.EXCLUDED if plan.excludes else Wait.NONE


def _first(holding: Iterable[PlanStep], level: int) -> str:
    """Key of the step of a level that comes first by (priority, key)."""
    return min((step for step in holding if step.level == level), key=lambda step: step.order).key
