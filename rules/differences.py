"""Differences: what a new version of a document changes, in words."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rules.conditions import Const, Param
from rules.derived import parse_derived
from rules.documents import parse, parse_parameters
from rules.formula_words import derived_words
from rules.formulas import DerivedFacts
from rules.policies import Escalation, Parameter, Parameters, Policy, Rule
from rules.words import (
    Voice,
    band_words,
    condition_words,
    dated_words,
    parameter_words,
    step_words,
    then_words,
    value_words,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One change.

    Args:
        place: what changed, in the reader's words.
        before, after: how it read and reads; None when it was not or is no longer there.
    """

    place: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Say it in one line.

        >>> print(Difference("Dunning tolerance", "5.00 EUR", "10.00 EUR"))
        Dunning tolerance: 5.00 EUR → 10.00 EUR
        """
        return f"{self.place}: {self.before or '—'} → {self.after or '—'}"


def document_differences(before: Mapping[str, object], after: Mapping[str, object], voice: Voice) -> list[Difference]:
    """What changes between two documents of one kind; nothing where one of them cannot be read."""
    if after["kind"] == "parameters":
        old, new = parse_parameters(before)[0], parse_parameters(after)[0]
        return [] if old is None or new is None else parameter_differences(old, new, voice)
    if after["kind"] == "derived_facts":
        sides = parse_derived(before)[0], parse_derived(after)[0]
        return [] if sides[0] is None or sides[1] is None else derived_differences(sides[0], sides[1], voice)
    if after["kind"] == "template":
        return template_differences(before, after)
    if after["kind"] in ("regime", "rate_table"):
        return plain_differences(before, after)
    one, other = parse(before)[0], parse(after)[0]
    return [] if one is None or other is None else policy_differences(one, other, voice)


def plain_differences(before: object, after: object, place: str = "") -> list[Difference]:
    """What changes between two values of plain JSON, by pointer; rates of a table by their day."""
    if before == after:
        return []
    old, new = _named_parts(before), _named_parts(after)
    if old is None or new is None:
        sides = (None if one is None else json.dumps(one, ensure_ascii=False).strip('"') for one in (before, after))
        return [Difference(place, *sides)]
    return [
        one
        for name in dict.fromkeys([*old, *new])
        for one in plain_differences(old.get(name), new.get(name), f"{place}/{name}")
    ]


def _named_parts(value: object) -> dict[str, object] | None:
    """The parts of an object or list by name; a dated rate is named by its day."""
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        dated = all(isinstance(part, Mapping) and "from" in part for part in value)
        return {str(part["from"] if dated else at): part for at, part in enumerate(value)}
    return None


def template_differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[Difference]:
    """What changes between two versions of a letter template: each text whole, its place as a pointer.

    A block's place is its key (``/blocks/KEY``, its text ``/blocks/KEY/LANGUAGE``), since blocks move.
    """
    old, new = dict(_said_in(before)), dict(_said_in(after))
    return [
        Difference(place, old.get(place), new.get(place))
        for place in dict.fromkeys([*old, *new])
        if old.get(place) != new.get(place)
    ]


def _said_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("name", "source", "because", "use", "tone", "asks", "pay_within_days"):
        if name in document:
            yield f"/{name}", str(document[name])
    for code, texts in document["languages"].items():
        yield from ((f"/languages/{code}/{name}", str(text)) for name, text in texts.items())
    for block in document.get("blocks", ()):
        terms = (block["kind"], *block.get("countries", ()), block.get("from"), block.get("until"), block.get("source"))
        yield f"/blocks/{block['key']}", ", ".join(str(term) for term in terms if term)
        yield from ((f"/blocks/{block['key']}/{code}", str(text)) for code, text in block["texts"].items())


def policy_differences(before: Policy, after: Policy, voice: Voice) -> list[Difference]:
    """What changes between two versions of a policy; nothing for equal ones."""
    found = [
        *_plain(voice.say("Name"), before.name, after.name),
        *_plain(voice.say("Source"), before.source, after.source),
        *_plain(voice.say("Reason"), before.because, after.because),
        *_plain(voice.say("Hit policy"), before.hit, after.hit),
        *_plain(voice.say("Entity"), before.entity, after.entity),
    ]
    if before.escalation is not None and after.escalation is not None:
        found += _escalation(before.escalation, after.escalation, voice)
    else:
        found += _rules(before.rules, after.rules, voice)
    otherwise = [then_words(policy.otherwise.then, voice) for policy in (before, after)]
    found += _plain(voice.say("Otherwise"), otherwise[0], otherwise[1])
    bands = ["; ".join(band_words(band, voice) for band in policy.bands) for policy in (before, after)]
    return found + _plain(voice.say("Classes"), bands[0], bands[1])


def parameter_differences(before: Parameters, after: Parameters, voice: Voice) -> list[Difference]:
    """What changes between two versions of the parameters."""
    old = {parameter.name: parameter for parameter in before.parameters}
    new = {parameter.name: parameter for parameter in after.parameters}
    found = []
    for name in dict.fromkeys([*old, *new]):
        found += _parameter(old.get(name), new.get(name), voice)
    return found


def derived_differences(before: DerivedFacts, after: DerivedFacts, voice: Voice) -> list[Difference]:
    """What changes between two versions of the derived facts."""
    old, new = {fact.name: fact for fact in before.facts}, {fact.name: fact for fact in after.facts}
    found: list[Difference] = []
    for name in dict.fromkeys([*old, *new]):
        one, other = old.get(name), new.get(name)
        label = voice.say((other or old[name]).label)
        formulas = [None if fact is None else derived_words(fact, voice) for fact in (one, other)]
        found += _plain(label, *formulas)
        if one is not None and other is not None:
            found += _plain(f"{label}: {voice.say('Name')}", one.label, other.label)
            found += _plain(f"{label}: {voice.say('Meaning')}", one.meaning, other.meaning)
    return found


def _parameter(before: Parameter | None, after: Parameter | None, voice: Voice) -> list[Difference]:
    one = after or before
    if one is None or (before == after and before is not None):
        return []
    if before is not None and after is not None:
        latest = [_latest(parameter, voice) for parameter in (before, after)]
        if latest[0] != latest[1] and _same_but_values(before, after):
            return [Difference(voice.say(one.label), latest[0], latest[1])]
    words = [None if parameter is None else parameter_words(parameter, voice) for parameter in (before, after)]
    return [Difference(voice.say(one.label), words[0], words[1])] if words[0] != words[1] else []


def _same_but_values(before: Parameter, after: Parameter) -> bool:
    return replace(before, values=after.values) == after


def _latest(parameter: Parameter, voice: Voice) -> str:
    by_scope: dict[tuple[str | None, str | None], str] = {}
    for dated in sorted(parameter.values, key=lambda dated: dated.from_day):
        by_scope[dated.currency, dated.segment] = dated_words(dated, parameter.kind, voice)
    return ", ".join(words if name is None else f"{name}: {words}" for (_currency, name), words in by_scope.items())


def _plain(place: str, before: str | None, after: str | None) -> list[Difference]:
    return [] if before == after else [Difference(place, before, after)]


def _rules(before: Iterable[Rule], after: Iterable[Rule], voice: Voice) -> list[Difference]:
    old, new = {rule.key: rule for rule in before}, {rule.key: rule for rule in after}
    found = []
    for key in dict.fromkeys([*old, *new]):
        one, other = old.get(key), new.get(key)
        label = (other or one).label  # type: ignore[union-attr]
        parts = [None if rule is None else _parts(rule, voice) for rule in (one, other)]
        if parts[0] is None or parts[1] is None:
            whole = [None if part is None else "; ".join(part.values()) for part in parts]
            found.append(Difference(label, whole[0], whole[1]))
            continue
        for word in parts[0]:
            found += _plain(f"{label}, {word}", parts[0][word], parts[1][word])
    return found


def _parts(rule: Rule, voice: Voice) -> dict[str, str]:
    return {
        voice.say("condition"): condition_words(rule.when, voice),
        voice.say("effect"): then_words(rule.then, voice),
        voice.say("label"): rule.label,
        voice.say("reason"): rule.because,
        voice.say("priority"): str(rule.priority),
        voice.say("when unknown"): voice.say("a person decides") if rule.refers else voice.say("does not match"),
        voice.say("rank"): _rank(rule, voice),
    }


def _rank(rule: Rule, voice: Voice) -> str:
    words = []
    if rule.exclusion:
        words.append(voice.say("outranks every hold"))
    if rule.final:
        words.append(voice.say("no override beats it"))
    return ", ".join(words) or voice.say("as usual")


def _escalation(before: Escalation, after: Escalation, voice: Voice) -> list[Difference]:
    found = []
    for word, fact in (("tolerance", "overdue_net_minor"), ("minimum", "overdue_net_minor")):
        found += _bound(word, _amount(before, word), _amount(after, word), fact, voice)
    found += _bound("minimum_days", before.minimum_days, after.minimum_days, "leader_days_past_due", voice)
    found += _plain(voice.say("After the leader is paid"), before.after_leader_paid, after.after_leader_paid)
    found += _plain(voice.say("Catch up"), _yes(before.catch_up, voice), _yes(after.catch_up, voice))
    found += _plain(voice.say("Scenario by"), voice.fact(before.scenario_by), voice.fact(after.scenario_by))
    unless = [None if terms.unless is None else condition_words(terms.unless, voice) for terms in (before, after)]
    found += _plain(voice.say("Nobody for whom"), unless[0], unless[1])
    for name in dict.fromkeys([*before.scenarios, *after.scenarios]):
        old = {step.key: step_words(step, voice) for step in before.scenarios.get(name, ())}
        new = {step.key: step_words(step, voice) for step in after.scenarios.get(name, ())}
        found += _named(f"{voice.say('Scenario')} {name}", old, new)
    found += _named(voice.say("Who stands at a step that is gone"), before.mapped_steps, after.mapped_steps)
    levels = [{str(old): str(new) for old, new in terms.mapped_levels.items()} for terms in (before, after)]
    return found + _named(voice.say("Who stands at a level that is gone"), levels[0], levels[1])


def _amount(terms: Escalation, word: str) -> Const | Param:
    """Tolerance or minimum of an escalation, by its name."""
    return terms.tolerance if word == "tolerance" else terms.minimum


def _yes(value: bool, voice: Voice) -> str:
    return voice.say("yes") if value else voice.say("no")


def _bound(word: str, before: Const | Param, after: Const | Param, fact: str, voice: Voice) -> list[Difference]:
    labels = {
        "tolerance": voice.say("Tolerance"),
        "minimum": voice.say("Minimum"),
        "minimum_days": voice.say("Days between contacts"),
    }
    words = [
        value.name if isinstance(value, Param) else value_words(value.value, voice.kind(fact), voice)
        for value in (before, after)
    ]
    return _plain(labels[word], words[0], words[1])


def _named(place: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(f"{place}, {key}", before.get(key), after.get(key))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]
