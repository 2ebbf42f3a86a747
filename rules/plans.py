"""Plans: what settling an escalation needs to know of its policy on one day."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.conditions import Const, Param, Scalar
from rules.policies import Escalation, Resolved
from rules.stepping import STANDARD


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
    """Where a step stands in its scenario.

    Args:
        key: the step's, and its rule's.
        level: 0 before the due date.
        days: from the leader's due date, never 0.
        scenario: the scenario it belongs to.
        priority: settles equal levels together with the key; the smaller wins.
    """

    key: str
    level: int
    days: int
    scenario: str = STANDARD
    priority: int = 0

    @property
    def order(self) -> tuple[int, str]:
        """Total order among steps of one level."""
        return self.priority, self.key

    @property
    def latest_first(self) -> tuple[int, tuple[int, str]]:
        """Total order among steps before the due date: the one nearest to it first."""
        return -self.days, self.order


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

    def scenario_of(self, row: Mapping[str, Scalar | None]) -> tuple[PlanStep, ...]:
        """The steps a row follows, in the order of their days."""
        value = row.get(self.scenario_by)
        name = value if isinstance(value, str) and value in self.scenarios else STANDARD
        own = (step for step in self.steps if step.scenario == name)
        return tuple(sorted(own, key=lambda step: (step.days, step.order)))


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
            PlanStep(step.key, step.level, step.days, scenario, index)
            for scenario, steps in terms.scenarios.items()
            for index, step in enumerate(steps)
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
        row: facts; read for the scenario and for the segment's minimum days.
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
    for one in plan.scenario_of(row):
        day = max(leader_due_day + one.days, earliest)
        if one.level > level:
            return Coming(one.key, day)
        before_due = one.level == 0 and level == 0 and day < leader_due_day
        if before_due and (reached is None or one.days > reached):
            return Coming(one.key, day)
    return None
