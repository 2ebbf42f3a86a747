"""The book: the policies of one day, compiled once for all three executors.

Per stage the policy in force, its parameters resolved for the day, its conditions in
negation normal form and its rules in their total order. Immutable; a change of a document
makes another book.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from ledger.columns import Column
from rules import conditions, effects, formulas
from rules.conditions import Condition, Const, Scalar, map_tests, nnf
from rules.derived import ReadyFact, derived_in, dictionary_for, merged, needed, ready_fact
from rules.documents import Parameters, Policy, Resolved, Rule, sha256_of
from rules.effects import Effect
from rules.escalation import Plan, plan_of
from rules.facts import dictionary_of, is_unknowable_money
from rules.formulas import DerivedFact, DerivedFacts
from rules.resolving import resolve_condition, resolve_effect, resolve_test
from rules.stages import STAGE, STAGES, Stage
from rules.stepping import NET

MASK_BITS = 60  # rules per Int64 mask: no sign bit, no bit near it
REFERS_ON_MONEY = frozenset({"hold", "escalation"})  # semantics.md 2, "Unknown"
SEVERITY_OF_HOLD = {True: 1, False: 2}  # an exclusion comes before both


@dataclass(frozen=True, slots=True)
class BookRule:
    """One rule, ready to run.

    Args:
        rule: as its document says it.
        index: its place in the document; its bit in the masks.
        asked: its condition in NNF, parameters still by name (for explanation).
        condition: the same with constants only.
        effects: by outcome, constants and facts only.
        refers: whether an unknown verdict always sends the row to a person.
        money: amounts it reads whose being unknown, with an unknown verdict, does so too.
        facts: the facts its condition reads.
    """

    rule: Rule
    index: int
    asked: Condition
    condition: Condition
    effects: Mapping[str, Effect]
    refers: bool
    money: frozenset[str]
    facts: frozenset[str]

    @property
    def key(self) -> str:
        """The rule's key."""
        return self.rule.key

    def may_refer(self) -> bool:
        """Whether an unknown verdict may send a row to a person."""
        return self.refers or bool(self.money)

    def refers_on(self, row: Mapping[str, Scalar | None]) -> bool:
        """Whether an unknown verdict sends this row to a person."""
        return self.refers or any(row.get(name) is None for name in self.money)


@dataclass(frozen=True, slots=True)
class BookStage:
    """One stage with the policy that decides it.

    Args:
        rules: in document order.
        ranked: the same in the total order of the hit policy.
        otherwise: effects where no rule matches.
        money: amounts its rules read whose null means "unknown"; only of stages that refer then.
        plan: of an escalation, what ``rules.escalation`` settles by.
        derived: the derived facts it reads, inputs before what reads them.
        dictionary: of the book; what the stage does not read is no part of it.
        stopped: a person stopped the policy: every row keeps what stood before.
    """

    stage: Stage
    policy: Policy
    rules: tuple[BookRule, ...]
    ranked: tuple[BookRule, ...]
    otherwise: Mapping[str, Effect]
    money: frozenset[str]
    plan: Plan | None
    derived: tuple[ReadyFact, ...]
    dictionary: Mapping[str, Column] = field(compare=False, repr=False)
    stopped: bool = False

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def words(self) -> int:
        """How many masks its rules need."""
        return -(-len(self.rules) // MASK_BITS)

    @property
    def may_keep(self) -> bool:
        """Whether a row may keep what stood before: its policy is stopped, or may leave it undecided."""
        doubtful = bool(self.money) or any(rule.may_refer() for rule in self.rules)
        return self.stopped or doubtful or self.policy.hit in ("unique", "any")

    def rule(self, key: str) -> BookRule:
        """The rule of a key.

        Raises:
            KeyError: there is none.
        """
        for found in self.rules:
            if found.key == key:
                return found
        raise KeyError(key)

    def effect(self, rule: BookRule | None, outcome: str) -> Effect:
        """What a rule (None: no rule) sets an outcome to: what it leaves open, `otherwise` says."""
        if rule is not None and outcome in rule.effects:
            return rule.effects[outcome]
        return self.otherwise.get(outcome, Const(self.stage.absent.get(outcome)))

    def facts(self) -> frozenset[str]:
        """Every fact its conditions, its effects and the formulas of its derived facts read."""
        read = chain(
            (rule.facts for rule in self.rules),
            (effects.facts_of(e) for rule in self.rules for e in rule.effects.values()),
            (effects.facts_of(e) for e in self.otherwise.values()),
            (formulas.facts_of(fact.formula) for fact in self.derived),
        )
        return frozenset().union(*read) | self.money


@dataclass(frozen=True)
class Book:
    """Everything that decides on one day.

    Args:
        day: the day the parameters were resolved for.
        entity: code of the entity, None for none in particular.
        subject: customer or invoice.
        stages: by name, in order; a stage without a policy is missing.
        parameters: resolved, by name.
        dictionary: every fact and outcome, derived facts among them.
        prepared: what executors build once per book and keep here.
    """

    day: int
    entity: str | None
    subject: str
    stages: Mapping[str, BookStage]
    parameters: Mapping[str, Resolved]
    dictionary: Mapping[str, Column]
    prepared: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def build(
        cls,
        policies: Iterable[Policy],
        parameters: Parameters | Iterable[Parameters],
        day: int,
        *,
        derived: Iterable[DerivedFacts | DerivedFact] = (),
        given: frozenset[str] = frozenset(),
        entity: str | None = None,
        currency: str | None = None,
        subject: str = "customer",
        stopped: Collection[str] = (),
    ) -> "Book":
        """Compile checked documents.

        Args:
            policies: approved ones; those of other days, entities or subjects are left out,
                and of two for a stage the one for this entity wins whole.
            parameters: likewise, by name.
            day: days since 1970-01-01.
            derived: documents of derived facts, by name likewise; or some of their facts.
            given: derived facts that rows bring along, so that they are not computed (cases).
            currency: the entity's base currency; parameters may have their own amounts in it.
            stopped: keys of policies that a person stopped.

        Raises:
            ValueError: a document was not checked (a parameter is missing).
        """
        sets = [parameters] if isinstance(parameters, Parameters) else list(parameters)
        resolved = _resolved(sets, day, entity, currency)
        chosen = _chosen(policies, day, entity, subject)
        said = list(derived)
        facts = merged([one for one in said if isinstance(one, DerivedFacts)], entity)
        facts += [one for one in said if isinstance(one, DerivedFact)]
        named = {one.name: one for part in _in_scope(sets, entity) for one in part.parameters}
        dictionary = dictionary_for(subject, facts, named)
        stages = {
            stage.name: compiled(chosen[stage.name], resolved, dictionary, given)
            for stage in STAGES
            if stage.name in chosen
        }
        stages |= {name: replace(one, stopped=True) for name, one in stages.items() if one.policy.key in stopped}
        return cls(day, entity, subject, stages, resolved, dictionary)

    def derived(self, names: Iterable[str]) -> tuple[ReadyFact, ...]:
        """The derived facts among some names, and those they read in turn; inputs first.

        Raises:
            ValueError: a parameter has no value on the day.
        """
        return _ready(names, self.dictionary, self.parameters)

    def brings(self, stage: Stage) -> bool:
        """Whether rows bring the outcomes of a stage along: due lines those of their customer, decided before."""
        return self.subject != "customer" and stage.name not in self.stages

    def facts(self) -> frozenset[str]:
        """Every fact and outcome that its stages read."""
        return frozenset().union(*(stage.facts() for stage in self.stages.values()))

    def edition(self) -> dict[str, Any]:
        """What of an edition is the rules' part, JSON-able: hashes, and parameters of the day."""
        if "shas" not in self.prepared:
            derived = {column.name: column.fact for column in derived_in(self.dictionary)}
            self.prepared["shas"] = (
                {name: sha256_of(stage.policy.document) for name, stage in self.stages.items()},
                {name: sha256_of(derived[name].document) for name in sorted(derived)},
            )
        policies, derived_facts = self.prepared["shas"]
        stopped = sorted(stage.policy.key for stage in self.stages.values() if stage.stopped)
        return {
            **({"stopped": stopped} if stopped else {}),
            "policies": dict(policies),
            "parameters": {
                name: {"value": value.value, "by_segment": dict(value.by_segment)}
                for name, value in sorted(self.parameters.items())
            },
            # Left out where there are none, so that editions of a time without them stay what they are.
            **({"derived_facts": dict(derived_facts)} if derived_facts else {}),
        }


def _resolved(sets: list[Parameters], day: int, entity: str | None, currency: str | None) -> dict[str, Resolved]:
    found: dict[str, Resolved] = {}
    for one in _in_scope(sets, entity):
        for parameter in one.parameters:
            value = parameter.at(day, currency)
            if value is not None:
                found[parameter.name] = value
    return found


def _in_scope(sets: list[Parameters], entity: str | None) -> list[Parameters]:
    """The parameters of all entities, then those of one."""
    general = [one for one in sets if one.entity is None]
    return general + [one for one in sets if one.entity is not None and one.entity == entity]


def _chosen(policies: Iterable[Policy], day: int, entity: str | None, subject: str) -> dict[str, Policy]:
    chosen: dict[str, Policy] = {}
    for policy in sorted(policies, key=lambda policy: (policy.entity is not None, policy.from_day, policy.key)):
        in_scope = policy.subject == subject and policy.entity in (None, entity)
        if in_scope and policy.from_day <= day and (policy.until_day is None or day < policy.until_day):
            chosen[policy.stage] = policy
    return chosen


def compiled(
    policy: Policy,
    resolved: Mapping[str, Resolved],
    dictionary: Mapping[str, Column] | None = None,
    given: frozenset[str] = frozenset(),
) -> BookStage:
    """A policy with the parameters of a day.

    Args:
        dictionary: of the book; None: without derived facts.
        given: derived facts that rows bring along.

    Raises:
        ValueError: it names a parameter that has no value.
    """
    stage = STAGE[policy.stage]
    dictionary = dictionary_of(policy.subject) if dictionary is None else dictionary
    unknowable = frozenset(
        name
        for rule in policy.rules
        for name in _with_inputs(conditions.facts_of(rule.when), dictionary)
        if name in dictionary and is_unknowable_money(dictionary[name])
    )
    money = unknowable if stage.name in REFERS_ON_MONEY else frozenset()
    if stage.name == "escalation":
        money |= {NET}
    rules = tuple(_rule(rule, index, money, resolved, dictionary) for index, rule in enumerate(policy.rules))
    ranked = tuple(sorted(rules, key=lambda one: rank(policy.hit, one.rule)))
    otherwise = {name: resolve_effect(effect, resolved) for name, effect in policy.otherwise.then.items()}
    plan = plan_of(policy.escalation, resolved) if policy.escalation is not None else None
    read = set(chain.from_iterable(rule.facts for rule in rules))
    for effect in chain(otherwise.values(), *(rule.effects.values() for rule in rules)):
        read |= effects.facts_of(effect)
    derived = _ready(read, dictionary, resolved, given)
    return BookStage(stage, policy, rules, ranked, otherwise, money, plan, derived, dictionary)


def _ready(
    names: Iterable[str],
    dictionary: Mapping[str, Column],
    resolved: Mapping[str, Resolved],
    given: frozenset[str] = frozenset(),
) -> tuple[ReadyFact, ...]:
    def ask(condition: Condition) -> Condition:
        return map_tests(nnf(condition), lambda test: resolve_test(test, resolved))

    return tuple(ready_fact(column, resolved, ask) for column in needed(names, dictionary, given))


def _with_inputs(names: frozenset[str], dictionary: Mapping[str, Column]) -> frozenset[str]:
    """Facts, with what the derived ones among them are computed from."""
    return names.union(*(formulas.facts_of(column.formula) for column in needed(names, dictionary)))


def _rule(
    rule: Rule,
    index: int,
    money: frozenset[str],
    resolved: Mapping[str, Resolved],
    dictionary: Mapping[str, Column],
) -> BookRule:
    asked = nnf(rule.when)
    facts = conditions.facts_of(asked)
    return BookRule(
        rule=rule,
        index=index,
        asked=asked,
        condition=resolve_condition(asked, resolved),
        effects={name: resolve_effect(effect, resolved) for name, effect in rule.then.items()},
        refers=rule.refers,
        money=_with_inputs(facts, dictionary) & money,
        facts=facts | ({"segment"} if _by_segment(asked, resolved) else frozenset()),
    )


def _by_segment(condition: Condition, resolved: Mapping[str, Resolved]) -> bool:
    return any(resolved[name].by_segment for name in conditions.params_of(condition) if name in resolved)


def rank(hit: str, rule: Rule) -> tuple[int, int, int, str]:
    """The total order: severity where it counts, then (priority, key)."""
    if hit != "most_severe":
        return (0, 0, rule.priority, rule.key)
    if rule.step is not None:
        return (-rule.step.level, -(rule.step.days or 0), rule.priority, rule.key)
    set_to = rule.then.get("hold")
    held = isinstance(set_to, Const) and set_to.value is True
    return (0 if rule.exclusion else SEVERITY_OF_HOLD[held], 0, rule.priority, rule.key)
