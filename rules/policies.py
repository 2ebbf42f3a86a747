"""What a document says, as values: Policy, Rule, Parameters and their parts.

Made by ``rules.documents`` from JSON; nothing here refuses anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from ledger.columns import Kind
from ledger.days import day_of
from rules.conditions import Condition, Const, Param, Scalar
from rules.effects import Effect

TIMINGS = ("days", "end_of_month", "after_previous")  # a step has exactly one
CHANNELS = ("email", "letter", "sms", "chat", "webhook", "internal", "call", "task")
WORK_CHANNELS = frozenset({"call", "task"})  # what a person does; the others are messages
ATTACHMENTS = ("statement", "invoices")
PAPERS = frozenset({"email", "letter", "internal"})  # messages that can carry a document


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One timed step of a scenario; of the three timings exactly one is set.

    Args:
        key: unique within the policy; a rule of the same key decides it.
        level: dunning level it raises to; 0 before the due date.
        channel: one of ``CHANNELS``; internal is a mail to the people of ``owner``, not to the customer.
        template: of the message, or of the script of a call or task.
        days: days from the leader's due date, negative before it; never 0.
        end_of_month: at the end of the month in which the day so many days after the due date lies.
        after_previous: days after the step before it was done.
        mode: automatic, or confirm when a person looks at it first.
        owner: role that confirms the message or does the work.
        blocks: whether an open call or task holds back the next level.
        otherwise: channels tried in their order where the address of the one before is missing.
        when: the step is only for those for whom this holds; the others go past it.
        penalties: whether the message claims late interest and costs.
        attach: which of ``ATTACHMENTS`` go with the message.
    """

    key: str
    level: int
    channel: str
    template: str
    days: int | None = None
    end_of_month: int | None = None
    after_previous: int | None = None
    mode: str = "automatic"
    owner: str = "collector"
    blocks: bool = False
    otherwise: tuple[str, ...] = ()
    when: Condition | None = None
    penalties: bool = False
    attach: tuple[str, ...] = ()
    label: str = ""
    because: str = ""

    @property
    def timings(self) -> tuple[tuple[str, int], ...]:
        """Each timing it has, with its days; of a checked step one."""
        said = zip(TIMINGS, (self.days, self.end_of_month, self.after_previous), strict=True)
        return tuple((name, days) for name, days in said if days is not None)

    @property
    def is_early(self) -> bool:
        """Whether it comes before the due date."""
        return self.days is not None and self.days < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """The terms of an escalation policy beside its steps.

    Args:
        tolerance: net overdue up to it is not dunned at all (minor units).
        minimum: net overdue below it starts no step (minor units).
        minimum_days: days between two contacts.
        after_leader_paid: resume or restart.
        catch_up: take the most severe level at once.
        scenario_by: the outcome or fact that chooses the scenario.
        scenarios: steps by its value; "standard" for every other value.
        unless: nobody is dunned for whom this holds.
        mapped_steps: steps of the version before that are no more, each with the one that takes its place.
        mapped_levels: likewise levels, for who stands at one without a step.
    """

    tolerance: Const | Param
    minimum: Const | Param
    minimum_days: Const | Param
    after_leader_paid: str = "resume"
    catch_up: bool = False
    scenario_by: str = "segment"
    scenarios: Mapping[str, tuple[Step, ...]]
    unless: Condition | None = None
    mapped_steps: Mapping[str, str] = field(default_factory=dict)
    mapped_levels: Mapping[int, int] = field(default_factory=dict)

    def steps(self) -> tuple[Step, ...]:
        """All steps of all scenarios."""
        return tuple(step for steps in self.scenarios.values() for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a condition holds, outcomes are set.

    Args:
        key: unique within its policy.
        priority: lower comes first; ties by key.
        refers: ``on_unknown: refer`` -- an unknown verdict sends the row to a person.
        exclusion: of a hold: outranks every block, and says so.
        final: no override beats it.
        step: of an escalation, the step it stands for.
    """

    key: str
    label: str
    because: str
    priority: int
    when: Condition
    then: Mapping[str, Effect]
    refers: bool = False
    exclusion: bool = False
    final: bool = False
    step: Step | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """What holds when no rule matches."""

    then: Mapping[str, Effect]
    because: str


@dataclass(frozen=True, slots=True)
class Band:
    """Points up to a bound fall into a class; the last band has no bound."""

    risk_class: str
    up_to: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An example with its expected outcome, kept inside the document and run by the checker.

    Args:
        facts: what differs from an empty customer (no debts, no history).
        expect: outcomes; those not named may be anything.
        rule: key of the rule that decides, where it matters; "otherwise" for none.
        undecided: whether the stage refers the row to a person.
        parameters: values the case holds fixed, so that a later change leaves it true.
    """

    name: str
    facts: Mapping[str, Scalar | None]
    expect: Mapping[str, Scalar | None]
    rule: str | None = None
    undecided: bool = False
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of one policy.

    Args:
        entity: code of the entity it is for; None for all.
        from_day, until_day: half-open, days since 1970-01-01.
        rules: in document order; those of an escalation come from its scenarios.
        document: the JSON it was made from.
    """

    key: str
    name: str
    stage: str
    subject: str
    entity: str | None
    from_day: int
    until_day: int | None
    source: str
    because: str
    hit: str
    rules: tuple[Rule, ...]
    otherwise: Otherwise
    cases: tuple[Case, ...] = ()
    bands: tuple[Band, ...] = ()
    escalation: Escalation | None = None
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def rule(self, key: str) -> Rule:
        """The rule of a key.

        Raises:
            KeyError: there is none.
        """
        for rule in self.rules:
            if rule.key == key:
                return rule
        raise KeyError(key)


@dataclass(frozen=True, slots=True)
class Dated:
    """A parameter's value from a day on, for one segment or (None) for all.

    Args:
        currency: of an amount in minor units of one base currency; None: where there is no value of its own.
    """

    from_day: int
    value: Scalar
    segment: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value with its history."""

    name: str
    kind: Kind
    label: str
    meaning: str
    low: int | None
    high: int | None
    values: tuple[Dated, ...]
    place: str = field(default="", compare=False)

    def held(self, currency: str | None, day: int | None = None) -> tuple[Dated, ...]:
        """The values for a base currency: its own once it has one for all segments, else those of no currency.

        Args:
            day: up to which; None: also later ones.
        """
        begun = [dated for dated in self.values if day is None or dated.from_day <= day]
        own = tuple(dated for dated in begun if dated.currency is not None and dated.currency == currency)
        if any(dated.segment is None for dated in own):
            return own
        return tuple(dated for dated in begun if dated.currency is None)

    def at(self, day: int, currency: str | None = None) -> "Resolved | None":
        """Its values on a day for entities of a base currency, or None before its first day."""
        by_segment: dict[str | None, Scalar] = {}
        for dated in sorted(self.held(currency, day), key=lambda dated: dated.from_day):
            by_segment[dated.segment] = dated.value
        if None not in by_segment:
            return None
        default = by_segment.pop(None)
        return Resolved(self.name, default, tuple(sorted((str(name), value) for name, value in by_segment.items())))

    def ever(self) -> "Resolved":
        """Its latest values, with every segment that has or had one of its own in any currency."""
        latest = {dated.segment: dated.value for dated in sorted(self.values, key=lambda dated: dated.from_day)}
        default = latest.pop(None, self.values[0].value)
        return Resolved(self.name, default, tuple(sorted((str(name), value) for name, value in latest.items())))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A parameter on one day: the value for all, and where segments differ."""

    name: str
    value: Scalar
    by_segment: tuple[tuple[str, Scalar], ...] = ()

    def for_segment(self, segment: object) -> Scalar:
        """The value that holds for a segment (None: unknown)."""
        return next((value for name, value in self.by_segment if name == segment), self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One version of the parameters of all entities (entity None) or of one."""

    key: str
    entity: str | None
    source: str
    parameters: tuple[Parameter, ...]
    document: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def named(self, name: str) -> Parameter | None:
        """The parameter of a name, or None."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)


def iso_day(text: str) -> int:
    """Days since 1970-01-01 of an ISO date.

    >>> iso_day("1970-01-02")
    1
    """
    return day_of(date.fromisoformat(text))
