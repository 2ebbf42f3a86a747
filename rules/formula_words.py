"""Formulas in words, as a credit manager reads them; with the values that one customer has, where given."""

from collections.abc import Mapping

from ledger.columns import Kind
from rules.conditions import FactRef, Param, Scalar
from rules.effects import BySegment
from rules.formula_writing import SUM, TERM, WHOLE, held
from rules.formulas import (
    Choice,
    Clipped,
    DaysBetween,
    DerivedFact,
    Difference,
    FirstKnown,
    Formula,
    Largest,
    Magnitude,
    Number,
    Product,
    Quotient,
    Smallest,
    Sum,
    parts_of,
    walk,
)
from rules.words import Voice, condition_words, parameter_name, value_words

Row = Mapping[str, Scalar | None]


def derived_words(fact: DerivedFact, voice: Voice, row: Row | None = None) -> str:
    """A derived fact: its formula, how it is rounded and where it ends.

    Args:
        row: of a customer; each fact is followed by its value then.
    """
    words = [formula_words(fact.formula, voice, row)]
    if any(isinstance(part, Quotient | Product) for _, part in walk(fact.formula)):
        words.append(_rounding(fact.rounding, voice))
    if fact.low is not None:
        words.append(voice.say("at least %(value)s") % {"value": value_words(fact.low, fact.kind, voice)})
    if fact.high is not None:
        words.append(voice.say("at most %(value)s") % {"value": value_words(fact.high, fact.kind, voice)})
    return ", ".join(words)


def _rounding(rounding: str, voice: Voice) -> str:
    words = {
        "down": voice.say("rounded down"),
        "up": voice.say("rounded up"),
        "half_even": voice.say("rounded half to even"),
    }
    return words[rounding]


def formula_words(formula: Formula, voice: Voice, row: Row | None = None) -> str:
    """A formula in one line.

    >>> from rules.formulas import formula_of
    >>> share = {"divide": [{"fact": "overdue_net_minor"}, {"fact": "credit_limit_minor"}]}
    >>> formula_words(formula_of(share), Voice())
    'Net overdue / Credit limit'
    >>> formula_words(formula_of(share), Voice(), {"overdue_net_minor": 500})
    'Net overdue (5.00 EUR) / Credit limit (—)'
    """
    return _written(formula, voice, row)[0]


def _written(formula: Formula, voice: Voice, row: Row | None) -> tuple[str, int]:
    match formula:
        case Number(value, kind):
            return value_words(value, kind, voice), WHOLE
        case Param(name):
            return parameter_name(name, voice), WHOLE
        case BySegment():
            return voice.say("a value by segment"), WHOLE
        case FactRef(name):
            seen = "" if row is None else f" ({value_words(row.get(name), voice.kind(name), voice)})"
            return voice.fact(name) + seen, WHOLE
    parts = [_written(part, voice, row) for _, part in parts_of(formula)]
    plain = [words for words, _ in parts]
    match formula:
        case Sum():
            return " + ".join(held(part, SUM) for part in parts), SUM
        case Difference():
            return f"{held(parts[0], SUM)} − {held(parts[1], TERM)}", SUM
        case Product():
            return f"{held(parts[0], TERM)} × {held(parts[1], WHOLE)}", TERM
        case Quotient():
            return f"{held(parts[0], TERM)} / {held(parts[1], WHOLE)}", TERM
        case Smallest():
            return voice.say("the smallest of (%(values)s)") % {"values": "; ".join(plain)}, WHOLE
        case Largest():
            return voice.say("the largest of (%(values)s)") % {"values": "; ".join(plain)}, WHOLE
        case FirstKnown():
            return voice.say("the first known of (%(values)s)") % {"values": "; ".join(plain)}, WHOLE
        case Magnitude():
            return voice.say("the size of (%(value)s)") % {"value": plain[0]}, WHOLE
        case DaysBetween():
            return voice.say("the days between (%(one)s) and (%(other)s)") % {"one": plain[0], "other": plain[1]}, WHOLE
        case Clipped():
            named = {"value": plain[0], "low": plain[1], "high": plain[2]}
            return voice.say("(%(value)s), at least %(low)s and at most %(high)s") % named, SUM
        case Choice(condition):
            named = {"condition": condition_words(condition, voice), "then": plain[0], "otherwise": plain[1]}
            return voice.say("%(then)s if %(condition)s, else %(otherwise)s") % named, 0


def kind_words(kind: Kind, voice: Voice) -> str:
    """What a derived fact may measure."""
    words = {
        Kind.MONEY: voice.say("Amount"),
        Kind.RATIO: voice.say("Ratio (%)"),
        Kind.DAYS: voice.say("Days"),
        Kind.COUNT: voice.say("Number"),
    }
    return words[kind]
