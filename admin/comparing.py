"""Two versions of a document, and its cases, in the reader's words."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flask_babel import gettext as _

from admin import formatting, letter_differences
from admin.changes import outcome_label
from admin.impact import outcome_text
from admin.measures import trimmed, voice
from rules.differences import Difference, document_differences
from rules.policies import iso_day
from rules.words import Voice, value_words

CODE_LENGTH_MAX = 2  # a longer code is a word


def differences(before: Mapping[str, Any], after: Mapping[str, Any], currency: str) -> list[Difference]:
    """What a new version changes, in words."""
    if after["kind"] == "template":
        return letter_differences.differences(before, after)
    spoken = voice(currency, subject=str(after.get("subject", "customer")))
    found = document_differences(before, after, spoken)
    found = _dated(found, before, after) if after["kind"] == "parameters" else found + _case_differences(before, after)
    return [replace(d, before=_trimmed(d.before), after=_trimmed(d.after)) for d in found]


def _trimmed(words: str | None) -> str | None:
    return None if words is None else trimmed(words)


def _dated(found: Iterable[Difference], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The differences of parameters with the day a new value begins."""
    begins = {}
    old = {p["name"]: {_comparable(v) for v in p["values"]} for p in before["parameters"]}
    for parameter in after["parameters"]:
        new = [v for v in parameter["values"] if _comparable(v) not in old.get(parameter["name"], set())]
        if new:
            begins[_(parameter["label"])] = max(str(value["from"]) for value in new)
    dated = []
    for one in found:
        if one.place in begins and one.after is not None and begins[one.place] not in one.after:
            day = formatting.day_text(iso_day(begins[one.place]))
            one = replace(one, after=_("%(value)s from %(day)s", value=one.after, day=day))
        dated.append(one)
    return dated


def _comparable(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """A dated value of a parameter, comparable."""
    return (value["from"], value["value"], value.get("segment"))


def _case_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    old = {case["name"]: case for case in before.get("cases", ())}
    new = {case["name"]: case for case in after.get("cases", ())}
    found = []
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            sides = [None if case is None else expected_words(case) for case in (old.get(name), new.get(name))]
            found.append(Difference(_("Case “%(name)s”", name=name), sides[0], sides[1]))
    return found


def expected_words(case: Mapping[str, Any]) -> str:
    """What a case expects, in one line."""
    if case.get("undecided"):
        return _("a person decides")
    return ", ".join(
        f"{outcome_label(name)}: {outcome_text(name, value, '')}".strip() for name, value in case["expect"].items()
    )


def facts_words(facts: Mapping[str, Any], currency: str, subject: str = "customer") -> list[tuple[str, str]]:
    """The facts of a case: label and value."""
    spoken = voice(currency, subject=subject)
    return [(spoken.fact(name), _fact_value(name, value, spoken)) for name, value in facts.items()]


def _fact_value(name: str, value: Any, spoken: Voice) -> str:
    if value is None:
        return _("unknown")
    words = value_words(value, spoken.kind(name), spoken)
    return formatting.title(words) if isinstance(value, str) and len(value) > CODE_LENGTH_MAX else words
