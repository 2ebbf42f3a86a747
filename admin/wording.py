"""Documents in the reader's words: numbers in human units, rules with their numbers within reach.

Sentences come from ``rules.words``; here they are cut where a number stands, so that a page can
make it a way to change it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext as _

from admin import formatting
from admin.changes import outcome_label
from admin.measures import number_words, trimmed, voice
from ledger.columns import Kind
from rules.conditions import All, Condition, Const, Not, Op, Param, Test
from rules.documents import parse
from rules.effects import Effect, map_params
from rules.policies import TIMINGS, WORK_CHANNELS, Parameter, Policy, Rule, Step
from rules.stages import POINT_OUTCOMES
from rules.stepping import STANDARD
from rules.thresholds import Threshold, thresholds_of
from rules.words import Voice, condition_words, effect_words, test_words, timing_words, value_words

MARK = re.compile("\x01([0-9]+)\x01")
CODE_LENGTH_MAX = 2  # a longer code is a word: "E", "DE", but "Key account"


@dataclass(frozen=True)
class Piece:
    """A part of a sentence.

    Args:
        place: of a number of this policy, where it can be changed.
        param: name of a parameter whose value it is.
    """

    text: str
    place: str = ""
    param: str = ""


@dataclass(frozen=True)
class Sentence:
    """One test, cut where its numbers stand; ``place`` is where it stands itself, as a JSON pointer."""

    pieces: tuple[Piece, ...]
    place: str = ""


@dataclass(frozen=True)
class Group:
    """All, any or none of some parts; ``place`` is where it stands, as a JSON pointer."""

    word: str
    parts: tuple[Any, ...]
    place: str = ""


@dataclass(frozen=True)
class RuleShown:
    """A rule in words.

    Args:
        sets: outcome's name, its label and what it becomes, as pieces or as a value.
        notes: what else is special about it.
    """

    key: str
    label: str
    because: str
    condition: Any
    sets: tuple[tuple[str, str, tuple[Piece, ...] | None, Any], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepShown:
    """A step of a scenario: when, what, by whom."""

    key: str
    label: str
    because: str
    is_early: bool
    when: str
    level: int
    channel: str
    how: str
    place: str


@dataclass(frozen=True)
class BandShown:
    """A class and the points it reaches to."""

    risk_class: str
    up_to: int | None
    place: str


@dataclass(frozen=True)
class PolicyShown:
    """A policy in words."""

    rules: tuple[RuleShown, ...] = ()
    scenarios: tuple[tuple[str, tuple[StepShown, ...]], ...] = ()
    terms: tuple[tuple[str, tuple[Piece, ...]], ...] = ()
    bands: tuple[BandShown, ...] = ()
    otherwise: tuple[tuple[str, str, tuple[Piece, ...] | None, Any], ...] = ()
    otherwise_because: str = ""
    hit: str = ""


@dataclass
class Speaker:
    """Says the parts of one document."""

    voice: Voice
    places: frozenset[str] = field(default_factory=frozenset)

    def sentence(self, test: Test) -> Sentence:
        """One test, its numbers apart."""
        kind = self.voice.kind(test.fact)
        marked: list[Piece] = []

        def mark(operand: Any, place: str) -> Any:
            if isinstance(operand, Param):
                marked.append(Piece(self._parameter(operand.name), param=operand.name))
            elif isinstance(operand, Const) and place in self.places:
                marked.append(Piece(trimmed(value_words(operand.value, kind, self.voice)), place=place))
            elif isinstance(operand, Const) and isinstance(operand.value, str):
                return Const(code_words(operand.value))
            else:
                return operand
            return Const(f"\x01{len(marked) - 1}\x01")

        place = f"{test.place.removeprefix('/')}/2"
        value = test.value
        if isinstance(value, tuple):
            value = tuple(mark(one, f"{place}/{index}") for index, one in enumerate(value))
        elif value is not None and not (kind is Kind.BOOL and isinstance(value, Const)):
            value = mark(value, place)
        return Sentence(_cut(test_words(replace(test, value=value), self.voice), marked), test.place)

    def condition(self, node: Condition, place: str = "") -> Any:
        """A condition as a tree of sentences.

        Args:
            place: where it stands in its document, as a JSON pointer.
        """
        if isinstance(node, Test):
            return self.sentence(node)
        if isinstance(node, Not):
            return Group(_("not"), (self.condition(node.part, f"{place}/not"),), place)
        word = "all" if isinstance(node, All) else "any"
        parts = tuple(self.condition(part, f"{place}/{word}/{index}") for index, part in enumerate(node.parts))
        if len(parts) == 1:
            return parts[0]
        return Group(_("all of") if word == "all" else _("any of"), parts, place)

    def effect(self, effect: Effect, outcome: str) -> tuple[Piece, ...]:
        """What an outcome becomes, parameters apart."""
        kind = self.voice.kind(outcome)
        marked: list[Piece] = []

        def mark(param: Param) -> Effect:
            marked.append(Piece(self._parameter(param.name), param=param.name))
            return Const(f"\x01{len(marked) - 1}\x01")

        return _cut(effect_words(map_params(effect, mark), kind, self.voice), marked)

    def sets(
        self, then: Mapping[str, Effect], place: str = ""
    ) -> tuple[tuple[str, str, tuple[Piece, ...] | None, Any], ...]:
        """Every outcome a rule sets: name, label, pieces or plain value."""
        found = []
        for name, effect in then.items():
            pieces: tuple[Piece, ...] | None = None
            value: Any = None
            if name in POINT_OUTCOMES and isinstance(effect, Const):
                pieces = (Piece(f"{effect.value:+d}".replace("-", "−"), place=f"{place}/{name}" if place else ""),)
            elif isinstance(effect, Const):
                value = effect.value
            else:
                pieces = self.effect(effect, name)
            if pieces is not None or value is not None:
                found.append((name, outcome_label(name), pieces, value))
        return tuple(found)

    def rule(self, rule: Rule) -> RuleShown:
        """A rule in words."""
        notes = []
        if rule.exclusion:
            notes.append(_("outranks every hold"))
        if rule.final:
            notes.append(_("no override beats it"))
        if rule.refers:
            notes.append(_("a person decides when a fact is unknown"))
        return RuleShown(
            key=rule.key,
            label=_(rule.label),
            because=_(rule.because) if rule.because else "",
            condition=self.condition(rule.when, f"{rule.place}/when"),
            sets=self.sets(rule.then, f"{rule.place.removeprefix('/')}/then"),
            notes=tuple(notes),
        )

    def step(self, step: Step, place: str) -> StepShown:
        """A step in words."""
        how = _("sent without asking") if step.mode == "automatic" else _("a person confirms it first")
        if step.channel in WORK_CHANNELS:
            how = _("by the %(role)s", role=formatting.phrase(step.owner))
        further = []
        if step.otherwise:
            channels = ", ".join(channel_words(channel) for channel in step.otherwise)
            further.append(_("without an address: %(channels)s", channels=channels))
        if step.penalties:
            further.append(_("with late interest and costs"))
        if step.attach:
            further.append(_("with %(papers)s", papers=", ".join(paper_words(name) for name in step.attach)))
        if step.when is not None:
            further.append(_("only if %(condition)s", condition=condition_words(step.when, self.voice)))
        return StepShown(
            key=step.key,
            label=_(step.label) if step.label else formatting.title(step.key),
            because=_(step.because) if step.because else "",
            is_early=step.is_early,
            when=timing_words(step, self.voice),
            level=step.level,
            channel=channel_words(step.channel),
            how="; ".join([how, *further]),
            place=f"{place}/{step.timings[0][0]}",
        )

    def bound(self, operand: Const | Param, kind: Kind) -> tuple[Piece, ...]:
        """A number of an escalation's terms."""
        if isinstance(operand, Param):
            return (Piece(self._parameter(operand.name), param=operand.name),)
        return (Piece(trimmed(value_words(operand.value, kind, self.voice))),)

    def _parameter(self, name: str) -> str:
        known = self.voice.parameters.get(name)
        if known is None:
            return formatting.title(name)
        latest = known.values[0]
        for dated in known.values:
            if dated.segment is None and (latest.segment is not None or dated.from_day >= latest.from_day):
                latest = dated
        return trimmed(value_words(latest.value, known.kind, self.voice))


def when_words(step: Mapping[str, Any]) -> str:
    """When a step of a document comes, in words that nobody can take for the opposite."""
    timing = {name: step[name] for name in TIMINGS if name in step}
    return timing_words(Step(key="", level=0, channel="", template="", **timing), voice(""))


def channel_words(channel: str) -> str:
    """The channel of a step."""
    words = {
        "email": _("E-mail"),
        "letter": _("Letter"),
        "sms": _("SMS"),
        "chat": _("Chat"),
        "webhook": _("Webhook"),
        "internal": _("Internal mail"),
        "call": _("Call"),
        "task": _("Task"),
    }
    return words.get(channel, formatting.title(channel))


def gateway_words(name: str) -> str:
    """By which way out a message left."""
    words = {
        "smtp": _("the mail server"),
        "mailbox": _("the mailbox folder"),
        "print_folder": _("the print folder"),
        "trial_letters": _("the folder of letters on trial"),
        "provider_folder": _("the mail provider's folder"),
        "sms": _("the SMS provider"),
        "chat": _("the chat provider"),
        "webhook": _("a signed webhook"),
        "sms_trial": _("the folder of SMS on trial"),
        "chat_trial": _("the folder of chat messages on trial"),
        "webhook_trial": _("the folder of webhooks on trial"),
        "closed": _("nothing is set up"),
    }
    return words.get(name, name)


def paper_words(name: str) -> str:
    """What goes with a message."""
    return {"statement": _("statement of account"), "invoices": _("invoices")}.get(name, formatting.title(name))


def code_words(code: str) -> str:
    """A code in words; one of a letter or two is a name: ``E``, ``DE``."""
    return code if len(code) <= CODE_LENGTH_MAX else formatting.title(code)


def _cut(words: str, marked: list[Piece]) -> tuple[Piece, ...]:
    """A sentence with marks, as pieces of text and the numbers between them."""
    parts = MARK.split(words)
    pieces = []
    for index, part in enumerate(parts):
        if index % 2:
            pieces.append(marked[int(part)])
        elif part:
            pieces.append(Piece(part))
    return tuple(pieces)


def policy_shown(body: Mapping[str, Any], currency: str, parameters: Mapping[str, Parameter]) -> PolicyShown:
    """A policy in words; empty where it cannot be read."""
    policy, _problems = parse(body)
    if policy is None:
        return PolicyShown()
    speaker = Speaker(voice(currency, parameters, policy.subject), frozenset(t.place for t in thresholds_of(body)))
    rules = () if policy.escalation else tuple(speaker.rule(rule) for rule in policy.rules)
    return PolicyShown(
        rules=rules,
        scenarios=_scenarios(policy, speaker),
        terms=_terms(policy, speaker),
        bands=tuple(
            BandShown(band.risk_class, band.up_to, f"bands/{index}/up_to") for index, band in enumerate(policy.bands)
        ),
        otherwise=speaker.sets(policy.otherwise.then),
        otherwise_because=_(policy.otherwise.because) if policy.otherwise.because else "",
        hit=hit_words(policy.hit, policy.escalation is not None),
    )


def _scenarios(policy: Policy, speaker: Speaker) -> tuple[tuple[str, tuple[StepShown, ...]], ...]:
    if policy.escalation is None:
        return ()
    return tuple(
        (
            name,
            tuple(speaker.step(step, f"escalation/scenarios/{name}/{index}") for index, step in enumerate(steps)),
        )
        for name, steps in sorted(policy.escalation.scenarios.items(), key=lambda item: item[0] != STANDARD)
    )


def _terms(policy: Policy, speaker: Speaker) -> tuple[tuple[str, tuple[Piece, ...]], ...]:
    terms = policy.escalation
    if terms is None:
        return ()
    resumes = terms.after_leader_paid == "resume"
    return (
        (_("Not dunned up to"), speaker.bound(terms.tolerance, Kind.MONEY)),
        (_("No step begins below"), speaker.bound(terms.minimum, Kind.MONEY)),
        (_("Between two contacts at least"), speaker.bound(terms.minimum_days, Kind.DAYS)),
        (
            _("When the leader is paid"),
            (Piece(_("go on with the level the next line has earned") if resumes else _("begin anew")),),
        ),
        (
            _("A customer far behind"),
            (Piece(_("takes the most severe level at once") if terms.catch_up else _("rises one level a day")),),
        ),
        *(
            (
                _("Who stood at %(old)s", old=formatting.title(old)),
                (Piece(_("stands at %(new)s", new=formatting.title(new))),),
            )
            for old, new in terms.mapped_steps.items()
        ),
        *(
            (_("Who stood at level %(old)s", old=old), (Piece(_("stands at level %(new)s", new=new)),))
            for old, new in terms.mapped_levels.items()
        ),
    )


def hit_words(hit: str, scenarios: bool = False) -> str:
    """What happens when several rules hold."""
    words = {
        "first": _("The first rule that holds decides."),
        "unique": _("At most one rule may hold."),
        "any": _("All rules that hold must agree."),
        "sum": _("The points of all rules that hold are added up."),
        "most_severe": _("The most severe rule that holds decides; an exclusion comes before all."),
        "min": _("The smallest outcome counts."),
        "max": _("The largest outcome counts."),
        "count": _("Rules that hold are counted."),
        "collect": _("Every rule that holds counts."),
    }
    return _("The most severe step whose day has come.") if scenarios else words.get(hit, formatting.title(hit))


def threshold_words(body: Mapping[str, Any], threshold: Threshold, currency: str) -> str:
    """What a number means, in one sentence around it."""
    value = number_words(threshold.value, threshold.kind, currency)
    if body["kind"] == "parameters":
        return str(next(_(p["meaning"]) for p in body["parameters"] if p["name"] == threshold.owner))
    if threshold.place.startswith("bands/"):
        return _("Class %(name)s reaches up to %(points)s points.", name=threshold.owner, points=value)
    if threshold.place.startswith("escalation/"):
        return when_words({"days": threshold.value})
    if not threshold.fact:
        return _("The rule gives %(points)s points.", points=value)
    op = Op(threshold.op)
    if op is Op.BETWEEN:
        ends = _("lower end") if threshold.place.endswith("/0") else _("upper end")
        return f"{voice(currency, subject=body['subject']).fact(threshold.fact)}, {ends}"
    test = Test(threshold.fact, op, Const(threshold.value))
    return test_words(test, voice(currency, subject=body.get("subject", "customer")))
