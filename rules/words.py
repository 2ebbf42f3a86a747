"""Words: conditions, effects, rules and parameters as a credit manager reads them.

Every sentence goes through ``Voice.say``, which takes a gettext message id and gives it in
the reader's language; ids are English. Values are in human units.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ledger.columns import Column, Kind
from ledger.days import date_of
from ledger.money import format_minor
from rules.conditions import All, Any, Condition, Const, FactRef, Not, Op, Operand, Param, Test, operands_of
from rules.effects import BySegment, Effect, Greatest, Least, PercentOf, RoundDown
from rules.facts import DICTIONARY
from rules.policies import WORK_CHANNELS, Band, Dated, Parameter, Policy, Rule, Step
from rules.stages import OUTCOMES

NO_VALUE = "—"


def english(message: str) -> str:
    """The message itself: the language that message ids are written in."""
    return message


@dataclass(frozen=True)
class Voice:
    """How to say things.

    Args:
        say: translates a message id (gettext).
        currency: of the entity's money.
        language: of numbers, as ``en``.
        dictionary: declarations of facts and outcomes.
        parameters: to name a parameter by its label, where known.
    """

    say: Callable[[str], str] = english
    currency: str = "EUR"
    language: str = "en"
    dictionary: Mapping[str, Column] = field(default_factory=lambda: DICTIONARY)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def fact(self, name: str) -> str:
        """A fact's label."""
        column = self.dictionary.get(name) or OUTCOMES.get(name)
        return name if column is None else self.say(column.label)

    def kind(self, name: str) -> Kind:
        """A fact's kind; text when unknown."""
        column = self.dictionary.get(name) or OUTCOMES.get(name)
        return Kind.CODE if column is None else column.kind


def value_words(value: object, kind: Kind, voice: Voice) -> str:
    """A value in human units.

    >>> value_words(500_000, Kind.MONEY, Voice()), value_words(1250, Kind.RATIO, Voice())
    ('5,000.00 EUR', '12.50 %')
    >>> value_words(1, Kind.DAYS, Voice()), value_words(None, Kind.DAYS, Voice())
    ('1 day', '—')
    """
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return voice.say("yes") if value else voice.say("no")
    if not isinstance(value, int):
        return str(value)
    match kind:
        case Kind.MONEY:
            return format_minor(value, voice.currency, voice.language)
        case Kind.RATIO:
            return format_minor(value, "%", voice.language)
        case Kind.DAYS:
            return (voice.say("%(number)s day") if abs(value) == 1 else voice.say("%(number)s days")) % {
                "number": value
            }
        case _:
            return str(value)


def test_words(test: Test, voice: Voice) -> str:
    """One test.

    >>> test_words(Test("overdue_minor", Op.GT, Const(5_000)), Voice())
    'Overdue is more than 50.00 EUR'
    """
    values = [_operand_words(operand, voice.kind(test.fact), voice) for operand in operands_of(test)]
    parts = {"fact": voice.fact(test.fact), "value": values[0] if values else "", "values": ", ".join(values)}
    if test.op is Op.BETWEEN:
        parts |= {"low": values[0], "high": values[1]}
    if voice.kind(test.fact) is Kind.BOOL and isinstance(test.value, Const):
        holds = test.value.value is (test.op is Op.EQ)
        return (voice.say("%(fact)s: yes") if holds else voice.say("%(fact)s: no")) % parts
    return _sentence(test.op, voice) % parts


def _sentence(op: Op, voice: Voice) -> str:
    sentences = {
        Op.LT: voice.say("%(fact)s is less than %(value)s"),
        Op.LE: voice.say("%(fact)s is at most %(value)s"),
        Op.GT: voice.say("%(fact)s is more than %(value)s"),
        Op.GE: voice.say("%(fact)s is at least %(value)s"),
        Op.EQ: voice.say("%(fact)s is %(value)s"),
        Op.NE: voice.say("%(fact)s is not %(value)s"),
        Op.IN: voice.say("%(fact)s is one of %(values)s"),
        Op.NOT_IN: voice.say("%(fact)s is none of %(values)s"),
        Op.BETWEEN: voice.say("%(fact)s is from %(low)s to %(high)s"),
        Op.IS_NULL: voice.say("%(fact)s is unknown"),
        Op.IS_NOT_NULL: voice.say("%(fact)s is known"),
    }
    return sentences[op]


def _operand_words(operand: Operand, kind: Kind, voice: Voice) -> str:
    match operand:
        case Const(value):
            return value_words(value, kind, voice)
        case FactRef(name):
            return voice.fact(name)
        case Param(name):
            return parameter_name(name, voice)


def parameter_name(name: str, voice: Voice) -> str:
    """A parameter by its label, with its latest value where it is known."""
    known = voice.parameters.get(name)
    if known is None:
        return f"“{name}”"
    held = known.held(voice.currency)
    latest = max((value for value in held if value.segment is None), key=lambda value: value.from_day)
    return f"“{voice.say(known.label)}” ({value_words(latest.value, known.kind, voice)})"


def condition_words(condition: Condition, voice: Voice) -> str:
    """A whole condition in one sentence, brackets where they are needed."""
    return _joined(condition, voice, outer=True)


def _joined(condition: Condition, voice: Voice, *, outer: bool) -> str:
    match condition:
        case Test():
            return test_words(condition, voice)
        case Not(part):
            return voice.say("not (%(condition)s)") % {"condition": _joined(part, voice, outer=True)}
        case All(parts) | Any(parts):
            word = voice.say("and") if isinstance(condition, All) else voice.say("or")
            sentence = f" {word} ".join(_joined(part, voice, outer=len(parts) == 1) for part in parts)
            return sentence if outer or len(parts) == 1 else f"({sentence})"


def effect_words(effect: Effect, kind: Kind, voice: Voice) -> str:
    """An effect: what an outcome becomes."""
    match effect:
        case Const() | FactRef() | Param():
            return _operand_words(effect, kind, voice)
        case BySegment(values, default):
            own = ", ".join(f"{name}: {value_words(value, kind, voice)}" for name, value in values)
            return f"{value_words(default, kind, voice)} ({own})"
        case PercentOf(of, bp):
            parts = {"share": _operand_words(bp, Kind.RATIO, voice), "value": effect_words(of, kind, voice)}
            return voice.say("%(share)s of %(value)s") % parts
        case RoundDown(of, step):
            parts = {"value": effect_words(of, kind, voice), "step": _operand_words(step, kind, voice)}
            return voice.say("%(value)s, rounded down to a multiple of %(step)s") % parts
        case Least(inner):
            words = "; ".join(effect_words(part, kind, voice) for part in inner)
            return voice.say("the smallest of: %(values)s") % {"values": words}
        case Greatest(inner):
            words = "; ".join(effect_words(part, kind, voice) for part in inner)
            return voice.say("the largest of: %(values)s") % {"values": words}


def then_words(then: Mapping[str, Effect], voice: Voice) -> str:
    """What a rule sets, outcome by outcome."""
    return ", ".join(
        f"{voice.fact(outcome)}: {effect_words(effect, voice.kind(outcome), voice)}" for outcome, effect in then.items()
    )


def rule_words(rule: Rule, voice: Voice) -> str:
    """A whole rule in one sentence."""
    if rule.step is not None:
        return step_words(rule.step, voice)
    sentence = voice.say("If %(condition)s, then %(effects)s") % {
        "condition": condition_words(rule.when, voice),
        "effects": then_words(rule.then, voice),
    }
    notes = []
    if rule.exclusion:
        notes.append(voice.say("it outranks every hold"))
    if rule.final:
        notes.append(voice.say("no override beats it"))
    if rule.refers:
        notes.append(voice.say("when a fact is unknown, a person decides"))
    return sentence + (f" ({'; '.join(notes)})" if notes else "")


def step_words(step: Step, voice: Voice) -> str:
    """A step of a scenario.

    >>> step_words(Step(key="a", level=1, days=4, channel="email", template="reminder_1"), Voice())
    '4 days after the due date: email reminder_1, level 1, automatic'
    """
    mode = voice.say("automatic") if step.mode == "automatic" else voice.say("a person confirms it")
    parts = [f"{timing_words(step, voice)}: {voice.say(step.channel)} {step.template}"]
    if step.otherwise:
        others = ", ".join(voice.say(channel) for channel in step.otherwise)
        parts.append(voice.say("without an address %(channels)s") % {"channels": others})
    if step.level:
        parts.append(voice.say("level %(level)s") % {"level": step.level})
    if step.channel not in WORK_CHANNELS:
        parts.append(mode)
    if step.penalties:
        parts.append(voice.say("with late interest and costs"))
    if step.attach:
        papers = {"statement": voice.say("statement of account"), "invoices": voice.say("invoices")}
        parts.append(voice.say("with %(papers)s") % {"papers": ", ".join(papers[name] for name in step.attach)})
    if step.when is not None:
        parts.append(voice.say("only if %(condition)s") % {"condition": condition_words(step.when, voice)})
    return ", ".join(parts)


def timing_words(step: Step, voice: Voice) -> str:
    """When a step comes.

    >>> timing_words(Step(key="a", level=1, end_of_month=30, channel="email", template="reminder_1"), Voice())
    'at the end of the month 30 days after the due date'
    """
    ((timing, number),) = step.timings
    days = {"days": value_words(abs(number), Kind.DAYS, voice)}
    if timing == "after_previous":
        return voice.say("%(days)s after the step before") % days
    if timing == "end_of_month" and not number:
        return voice.say("at the end of the month of the due date")
    if timing == "end_of_month":
        return voice.say("at the end of the month %(days)s after the due date") % days
    if step.is_early:
        return voice.say("%(days)s before the due date") % days
    return voice.say("%(days)s after the due date") % days


def band_words(band: Band, voice: Voice) -> str:
    """A band of a scorecard."""
    if band.up_to is None:
        return voice.say("class %(name)s above that") % {"name": band.risk_class}
    return voice.say("class %(name)s up to %(points)s points") % {"name": band.risk_class, "points": band.up_to}


def dated_words(dated: Dated, kind: Kind, voice: Voice) -> str:
    """A value of a parameter; an amount that has a currency of its own in that."""
    return value_words(dated.value, kind, replace(voice, currency=dated.currency) if dated.currency else voice)


def parameter_words(parameter: Parameter, voice: Voice) -> str:
    """A parameter with its values and their days."""
    values = []
    for dated in parameter.values:
        parts = {"value": dated_words(dated, parameter.kind, voice), "day": date_of(dated.from_day).isoformat()}
        words = voice.say("%(value)s from %(day)s") % parts
        values.append(words if dated.segment is None else f"{words} ({dated.segment})")
    return f"{voice.say(parameter.label)}: {'; '.join(values)}"


def policy_words(policy: Policy, voice: Voice) -> list[str]:
    """A whole policy, one sentence a line."""
    lines = [rule_words(rule, voice) for rule in policy.rules]
    lines.append(voice.say("Otherwise: %(effects)s") % {"effects": then_words(policy.otherwise.then, voice)})
    return lines + [band_words(band, voice) for band in policy.bands]
