"""Plans: what settling an escalation needs to know of its policy on one day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.days import month_end
from rules.closures import holds_of
from rules.conditions import Condition, Const, Param, Scalar, nnf
from rules.policies import Escalation, Resolved, Step
from rules.resolving import resolve_condition
from rules.stepping import STANDARD, TIED


@dataclass(frozen=True, slots=True)
class Bound:
    """A parameter's value of the day: one for all, or its own for some segments."""

    value: int = 0
    by_segment: Mapping[str, int] = field(default_factory=dict)

    def of(self, segment: object) -> int:
        """The value for a segment.

        >>> Bound(500, {"risky": 100}).of("risky"), Bound(500).of(None)
        (100, 500)
        """
        return self.by_segment.get(segment, self.value) if isinstance(segment, str) else self.value


@dataclass(frozen=True, slots=True)
class PlanStep:
    """Where a step stands in its scenario, and when its time comes.

    A step timed by the one before it has the day of the step that those before it all lead back to.

    Args:
        key: the step's, and its rule's.
        level: 0 before the due date.
        days: from the leader's due date, never 0; or from it to the last month end.
        scenario: the scenario it belongs to.
        priority: settles equal levels together with the key; the smaller wins.
        at_month_end: the days end at the last month end, not today.
        after: days after the step stood at was done; None: it waits for none.
        follows: level from which that one counts.
        when: whom it is meant for, constants only; None: everybody.
    """

    key: str
    level: int
    days: int
    scenario: str = STANDARD
    priority: int = 0
    at_month_end: bool = False
    after: int | None = None
    follows: int = 0
    when: Condition | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Total order among steps of one level."""
        return self.priority, self.key

    @property
    def latest_first(self) -> tuple[int, tuple[int, str]]:
        """Total order among steps before the due date: the one nearest to it first."""
        return -self.days, self.order

    def has_come(self, row: Mapping[str, Scalar | None], stood: int) -> bool:
        """Whether its time has come for who stands at a level, whether or not its rule holds.

        >>> PlanStep("a", 1, 4).has_come({"leader_days_past_due": 4}, 0)
        True
        """
        days = _known(row, "leader_days_past_due")
        if self.at_month_end:
            late = days is not None and days >= 1
            days = _known(row, "leader_month_end_days") if late else None
        if days is None or days < self.days:
            return False
        if self.after is None or stood >= self.level:
            return True
        done = _known(row, "days_since_step_done")
        return stood >= self.follows and done is not None and done >= self.after

    def earliest(self, leader_due_day: int, done_day: int) -> int:
        """The day its time comes, of a leader, the step before it being done on a day."""
        day = leader_due_day + self.days
        if self.at_month_end:
            day = max(month_end(day), leader_due_day + 1)
        return day if self.after is None else max(day, done_day + self.after)


def _known(row: Mapping[str, Scalar | None], name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An escalation policy on one day, its parameters resolved.

    Args:
        steps: all steps of all scenarios.
        scenarios: names of the scenarios, those without steps included.
        tolerance: net overdue up to it counts as nothing (minor units).
        minimum: an amount below it is not worth a contact (minor units).
        minimum_days: days that must lie between two contacts.
        after_leader_paid: resume at the level the next leader deserves, or restart at 0.
        catch_up: take the most severe level at once.
        scenario_by: the fact that chooses the scenario.
        excludes: whether the policy names customers whom it leaves alone (`unless`).
        mapped_steps: level and step for who stands at a step of an older version.
        mapped_levels: level for who stands at a level of an older version, without a step.
    """

    steps: tuple[PlanStep, ...]
    scenarios: frozenset[str] = frozenset({STANDARD})
    tolerance: Bound = Bound()
    minimum: Bound = Bound()
    minimum_days: Bound = Bound()
    after_leader_paid: str = "resume"
    catch_up: bool = False
    scenario_by: str = "segment"
    excludes: bool = False
    mapped_steps: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    mapped_levels: Mapping[int, int] = field(default_factory=dict)

    def stood(self, level: int, step: str | None) -> tuple[int, str | None]:
        """Where somebody stands by this version who stood at a level and step of an older one.

        >>> plan = Plan(steps=(), mapped_steps={"p60": (2, "p45")}, mapped_levels={4: 3})
        >>> plan.stood(3, "p60"), plan.stood(4, None), plan.stood(4, "p45")
        ((2, 'p45'), (3, None), (4, 'p45'))
        """
        if step is None:
            return self.mapped_levels.get(level, level), None
        return self.mapped_steps.get(step, (level, step))

    def is_left_alone(self, row: Mapping[str, Scalar | None]) -> bool:
        """Whether a person tied a row to no scenario, or to one there is no more."""
        by_hand = row.get(TIED)
        return isinstance(by_hand, str) and by_hand not in self.scenarios

    def is_meant(self, key: str, row: Mapping[str, Scalar | None]) -> bool:
        """Whether a step is meant for a row; derived facts and outcomes stand in it."""
        return all(step.when is None or holds_of(step.when)(row) for step in self.steps if step.key == key)

    def scenario_of(self, row: Mapping[str, Scalar | None]) -> tuple[PlanStep, ...]:
        """The steps a row follows, in their order."""
        by_hand = row.get(TIED)
        value = row.get(self.scenario_by)
        name = value if isinstance(value, str) and value in self.scenarios else STANDARD
        name = by_hand if isinstance(by_hand, str) else name
        own = (step for step in self.steps if step.scenario == name)
        return tuple(sorted(own, key=lambda step: step.order))


def plan_of(terms: Escalation, resolved: Mapping[str, Resolved]) -> Plan:
    """Put the day's parameter values into the terms of an escalation policy.

    Args:
        terms: as the document says them.
        resolved: the parameters of the day, by name.

    Raises:
        KeyError: a parameter is not there; the checker refuses such a policy.
        ValueError: a parameter's value is no integer; the checker refuses it too.
    """
    levels = {step.key: step.level for step in terms.steps()}
    return Plan(
        steps=tuple(
            _plan_step(steps, index, scenario, resolved)
            for scenario, steps in terms.scenarios.items()
            for index in range(len(steps))
        ),
        scenarios=frozenset(terms.scenarios),
        tolerance=_bound(terms.tolerance, resolved),
        minimum=_bound(terms.minimum, resolved),
        minimum_days=_bound(terms.minimum_days, resolved),
        after_leader_paid=terms.after_leader_paid,
        catch_up=terms.catch_up,
        scenario_by=terms.scenario_by,
        excludes=terms.unless is not None,
        mapped_steps={old: (levels[new], new) for old, new in terms.mapped_steps.items() if new in levels},
        mapped_levels=terms.mapped_levels,
    )


def _plan_step(steps: Sequence[Step], index: int, scenario: str, resolved: Mapping[str, Resolved]) -> PlanStep:
    step = steps[index]
    root = next(one for one in reversed(steps[: index + 1]) if one.after_previous is None)
    before = [one for one in steps[:index] if one.when is None] or list(steps[:1])
    return PlanStep(
        step.key,
        step.level,
        (root.days if root.end_of_month is None else root.end_of_month) or 0,
        scenario,
        index,
        at_month_end=root.end_of_month is not None,
        after=step.after_previous,
        follows=max(1, before[-1].level),
        when=None if step.when is None else resolve_condition(nnf(step.when), resolved),
    )


def _bound(value: Const | Param, resolved: Mapping[str, Resolved]) -> Bound:
    if isinstance(value, Const):
        return Bound(_integer(value.value))
    parameter = resolved[value.name]
    return Bound(_integer(parameter.value), {name: _integer(own) for name, own in parameter.by_segment})


def _integer(value: Scalar | None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"an escalation's amounts and days are integers, got {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Coming:
    """The step that comes next, and the earliest day it can."""

    step: str
    day: int


def coming(
    plan: Plan,
    row: Mapping[str, Scalar | None],
    *,
    level: int,
    step: str | None,
    as_of_day: int,
    leader_due_day: int | None,
    last_contact_day: int | None = None,
) -> Coming | None:
    """The next step if nothing changes.

    Args:
        plan: the policy's.
        row: facts; read for the scenario, for whom a step is meant, and for when the step stood at was done.
        level, step: where the customer stands after today.
        as_of_day: today; the next step is tomorrow's at the earliest.
        leader_due_day: due day of the leader; None: nothing comes.
        last_contact_day: the last contact, which minimum days count from.

    Returns:
        The step, or None when none is left or there is no leader.
    """
    if leader_due_day is None:
        return None
    earliest = as_of_day + 1
    if last_contact_day is not None:
        earliest = max(earliest, last_contact_day + plan.minimum_days.of(row.get("segment")))
    reached = next((one.days for one in plan.steps if one.key == step), None)
    since = _known(row, "days_since_step_done") if step == row.get("previous_step") else None
    for one in plan.scenario_of(row):
        if one.when is not None and not holds_of(one.when)(row):
            continue
        day = max(one.earliest(leader_due_day, as_of_day - (since or 0)), earliest)
        if one.level > level:
            return Coming(one.key, day)
        before_due = one.level == 0 and level == 0 and day < leader_due_day
        if before_due and (reached is None or one.days > reached):
            return Coming(one.key, day)
    return None
