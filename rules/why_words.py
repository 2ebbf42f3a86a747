"""Why not, in words and human units: what each fact is, what it would have to be, and by how much it differs."""

from collections.abc import Callable, Mapping, Sequence

from ledger.columns import INTEGER_KINDS, Kind
from rules.conditions import Const, FactRef, Op, Scalar, Test, operands_of
from rules.explanation import SeenTest
from rules.intervals import MIRRORED
from rules.why_not import Change, WhyNot
from rules.words import Voice, value_words

Say = Callable[[str, Scalar | None], str]


def change_words(changes: Sequence[Change], voice: Voice, shown: Say | None = None) -> list[str]:
    """One sentence for each fact that would have to be another.

    Args:
        changes: of one ``WhyNot``.
        voice: language, currency, labels.
        shown: how a value of a fact is said; by default in human units, codes as they are.
    """

    def plainly(fact: str, value: Scalar | None) -> str:
        return value_words(value, voice.kind(fact), voice)

    say = plainly if shown is None else shown
    to = {change.fact: change.to for change in changes}
    return [_sentence(change, to, voice, say) for change in changes]


def beaten_words(why: WhyNot, winner: str, voice: Voice) -> str:
    """Why a rule that holds did not decide.

    Args:
        winner: label of the rule that came before it.
    """
    reasons = {
        "severity": voice.say("it holds, but “%(rule)s” is more severe and comes first"),
        "days": voice.say("it holds, but “%(rule)s” stands for more days past due and comes first"),
        "priority": voice.say("it holds, but “%(rule)s” comes first: its priority is the smaller number"),
        "key": voice.say("it holds, but “%(rule)s” comes first: of equal priority, the key decides"),
    }
    return reasons[why.because or "priority"] % {"rule": winner}


def _sentence(change: Change, to: Mapping[str, Scalar | None], voice: Voice, say: Say) -> str:
    tests = [one for one in change.tests if one.test.op is not Op.IS_NOT_NULL or len(change.tests) == 1]
    wanted = dict.fromkeys(_wanted(_turned(one, change.fact), to, one, voice, say) for one in tests)
    if not wanted:  # it moves only because another fact does
        wanted = {say(change.fact, change.to): None}
    parts = {
        "fact": voice.fact(change.fact),
        "value": say(change.fact, change.seen),
        "wanted": f" {voice.say('and')} ".join(wanted),
    }
    if change.seen is None:
        return voice.say("%(fact)s is not known; it would have to be %(wanted)s") % parts
    return _by(change, voice.say("%(fact)s is %(value)s; it would have to be %(wanted)s") % parts, voice)


def _turned(one: SeenTest, fact: str) -> Test:
    """The test with this fact on its left."""
    test = one.test
    if test.fact == fact or not isinstance(test.value, FactRef):
        return test
    return Test(fact, MIRRORED[test.op], FactRef(test.fact), test.place)


def _wanted(test: Test, to: Mapping[str, Scalar | None], one: SeenTest, voice: Voice, say: Say) -> str:
    fact = test.fact
    if isinstance(test.value, FactRef):
        other = test.value.name
        seen = one.other if one.test.fact == fact else one.seen
        against = {"fact": voice.fact(other), "value": say(other, to.get(other, seen))}
        values = [voice.say("“%(fact)s” (%(value)s)") % against]
    else:
        values = [say(fact, operand.value) for operand in operands_of(test) if isinstance(operand, Const)]
    if voice.kind(fact) is Kind.BOOL and isinstance(test.value, Const):
        return voice.say("yes") if test.value.value is (test.op is Op.EQ) else voice.say("no")
    parts = {"value": values[0] if values else "", "values": ", ".join(values)}
    if test.op is Op.BETWEEN:
        parts |= {"low": values[0], "high": values[1]}
    return _phrase(test.op, voice) % parts


def _phrase(op: Op, voice: Voice) -> str:
    phrases = {
        Op.LT: voice.say("below %(value)s"),
        Op.LE: voice.say("at most %(value)s"),
        Op.GT: voice.say("above %(value)s"),
        Op.GE: voice.say("at least %(value)s"),
        Op.EQ: voice.say("exactly %(value)s"),
        Op.NE: voice.say("anything but %(value)s"),
        Op.IN: voice.say("one of %(values)s"),
        Op.NOT_IN: voice.say("none of %(values)s"),
        Op.BETWEEN: voice.say("between %(low)s and %(high)s"),
        Op.IS_NULL: voice.say("unknown"),
        Op.IS_NOT_NULL: voice.say("known"),
    }
    return phrases[op]


def _by(change: Change, sentence: str, voice: Voice) -> str:
    """The sentence with how much more or less that is; of a number only."""
    kind = voice.kind(change.fact)
    if change.by is None or kind not in INTEGER_KINDS:
        return sentence
    more = voice.say("%(sentence)s: %(amount)s more") if change.by > 0 else voice.say("%(sentence)s: %(amount)s less")
    return more % {"sentence": sentence, "amount": value_words(abs(change.by), kind, voice)}
