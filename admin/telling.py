"""An explanation as lines of text, for the command line: every rule, every test, the values seen."""

from collections.abc import Iterator

from rules.book import BookStage
from rules.explanation import Explanation, RuleVerdict, Seen, SeenTest, StageExplanation
from rules.stages import STAGE
from rules.why_not import WhyNot
from rules.why_words import beaten_words, change_words
from rules.words import Voice, test_words, value_words

SIGNS = {True: "yes", False: "no", None: "unknown"}


def explanation_lines(explanation: Explanation, currency: str) -> list[str]:
    """Each stage with what it decided, and under it each rule with its tests."""
    voice = Voice(currency=currency)
    return [line for stage in explanation.stages for line in _stage(stage, voice)]


def why_not_lines(why: WhyNot, stage: BookStage, currency: str) -> list[str]:
    """What would have to change for a rule to hold, or which rule came before it."""
    voice = Voice(currency=currency)
    if why.matched:
        if why.beaten_by is None:
            return ["The rule holds and decides."]
        winner = stage.rule(why.beaten_by).rule
        return [f"Not so: {beaten_words(why, winner.label or winner.key, voice)}."]
    if why.never:
        return ["No facts at all could make this rule hold."]
    least = "The fewest facts" if why.exact else "Facts"
    return [
        f"{least} that would have to be others:",
        *(f"  {words}" for words in change_words(why.changes, voice)),
        "The tests that fail:",
        *(f"  {_test(test, voice)}" for test in why.tests),
    ]


def _stage(stage: StageExplanation, voice: Voice) -> Iterator[str]:
    outcomes = ", ".join(
        f"{voice.fact(name)} {value_words(value, voice.kind(name), voice)}" for name, value in stage.in_force.items()
    )
    yield f"{STAGE[stage.stage].label} ({stage.policy}): {outcomes}"
    if stage.undecided is not None:
        missing = ", ".join(voice.fact(name) for name in stage.undecided)
        yield f"  undecided, because these facts are unknown: {missing}"
    if stage.waiting is not None:
        yield f"  waits for: {stage.waiting.replace('_', ' ')}"
    for name, value in stage.by_rules.items():
        if value != stage.in_force.get(name):
            said = value_words(value, voice.kind(name), voice)
            yield f"  the rules say {voice.fact(name)} {said}; a person overrode it"
    for rule in stage.rules:
        yield from _rule(rule, voice)
    if stage.otherwise:
        yield f"  * otherwise: {stage.otherwise_because}"


def _rule(rule: RuleVerdict, voice: Voice) -> Iterator[str]:
    mark = "*" if rule.won or rule.counted else " "
    yield f"  {mark} {rule.key} ({rule.label}): {SIGNS[rule.verdict]}. {rule.because}".rstrip()
    yield from _seen(rule.condition, voice, 8)


def _seen(seen: Seen, voice: Voice, indent: int) -> Iterator[str]:
    if isinstance(seen, SeenTest):
        yield f"{' ' * indent}{_test(seen, voice)}"
        return
    if len(seen.parts) > 1:
        yield f"{' ' * indent}{seen.word} of: {SIGNS[seen.verdict]}"
        indent += 2
    for part in seen.parts:
        yield from _seen(part, voice, indent)


def _test(seen: SeenTest, voice: Voice) -> str:
    kind = voice.kind(seen.test.fact)
    value = value_words(seen.seen, kind, voice)
    other = "" if seen.other is None else f", the other {value_words(seen.other, kind, voice)}"
    return f"{SIGNS[seen.verdict]}: {test_words(seen.test, voice)} (is {value}{other})"
