"""Decision tables: a policy of plain conjunctions as rows of cells, and back.

A row is a rule, a column a fact, an outcome or a setting of the rule; the last row is
``otherwise``. ``table_of`` prints; ``rules.table_reading`` reads: an unchanged table gives the
same document byte for byte.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Json

from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules.cell_words import Tongue
from rules.condition_cells import cell_text, fact_of, terms_of, unfit_value
from rules.documents import MODIFIERS
from rules.effect_cells import effect_text, unfit_effect
from rules.figures import unit_words
from rules.stages import OUTCOMES, STAGE

FACT, THEN = "fact:", "then:"
OTHERWISE = "/otherwise"
REFER = "refer"
TEXT_FIELDS = ("label", "because")
PLACE = re.compile(r"/rules/([0-9]+)(?:/|$)")
Rule = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table.

    Args:
        key: ``key``, ``label``, ``fact:NAME``, ``then:NAME``, ``exclusion``, ``final``,
            ``priority``, ``on_unknown`` or ``because``.
        title: at its head, in the reader's language.
        unit: beside the title; empty when its figures have none.
        meaning: one sentence about the fact or the setting.
        declared: of a fact or an outcome, its declaration.
    """

    key: str
    title: str
    unit: str = ""
    meaning: str = ""
    declared: Column | None = None

    @property
    def heading(self) -> str:
        """Title and unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table, as texts.

    Args:
        cells: by column key; what is not there is empty.
        origin: place of the rule it was made from; None for a new one.
    """

    cells: Mapping[str, str]
    origin: str | None = None

    def text(self, key: str) -> str:
        """The text of a cell."""
        return self.cells.get(key, "")


@dataclass(frozen=True, slots=True)
class Table:
    """A policy as a sheet: the last line is ``otherwise``."""

    columns: tuple[TableColumn, ...]
    lines: tuple[Line, ...]
    tongue: Tongue = field(repr=False)

    def column(self, key: str) -> TableColumn:
        """The column of a key.

        Raises:
            KeyError: there is none.
        """
        for column in self.columns:
            if column.key == key:
                return column
        raise KeyError(key)


def no_table(document: Rule, tongue: Tongue) -> list[Problem]:
    """What keeps a policy from being shown as a decision table; nothing when it can be.

    Args:
        document: of a checked shape.
    """
    if "rules" not in document:
        say = tongue.voice.say
        what = say("an escalation is made of scenarios with steps, not of rows and columns")
        return [Problem("/escalation", what, say("edit its steps instead"))]
    problems = []
    for index, rule in enumerate(document["rules"]):
        problems += _no_line(rule, f"/rules/{index}", tongue)
    problems += _unfit_then(document["otherwise"]["then"], OTHERWISE, tongue.voice.say("Otherwise"), tongue)
    return problems


def _no_line(rule: Rule, place: str, tongue: Tongue) -> list[Problem]:
    say = tongue.voice.say
    name = str(rule.get("label") or rule["key"])
    when = rule["when"]
    terms = terms_of(when)
    if terms is None:
        parts = when["all"] if isinstance(when, Mapping) and "all" in when else []
        inner = next((f"/all/{i}" for i, part in enumerate(parts) if fact_of(part) is None), "")
        return [
            Problem(
                f"{place}/when{inner}",
                say("the rule “%(name)s” joins several facts by “or” or “not”, which no row of cells can say")
                % {"name": name},
                say("split it into several rules, or edit it as a rule"),
            )
        ]
    for term in terms:
        declared = tongue.voice.dictionary.get(str(fact_of(term)))
        if declared is None:
            what = say("the rule “%(name)s” asks of %(fact)s, which is no fact") % {"name": name, "fact": fact_of(term)}
            return [Problem(f"{place}/when", what, say("use a fact of the dictionary"))]
        unfit = unfit_value(term, declared)
        if unfit is not None:
            parts = {"name": name, "fact": tongue.voice.fact(declared.name), "value": unfit}
            what = say("the rule “%(name)s” compares %(fact)s with %(value)s, which is not of its type") % parts
            return [Problem(f"{place}/when", what, say("correct it as a rule"))]
    return _unfit_then(rule["then"], place, name, tongue)


def _unfit_then(then: Rule, place: str, name: str, tongue: Tongue) -> list[Problem]:
    say = tongue.voice.say
    for outcome, effect in then.items():
        if outcome in MODIFIERS:
            continue
        if outcome not in OUTCOMES or unfit_effect(effect, OUTCOMES[outcome]):
            parts = {"name": name, "outcome": outcome}
            what = say("“%(name)s” sets %(outcome)s to what is no outcome or not of its type") % parts
            return [Problem(f"{place}/then/{outcome}", what, say("correct it as a rule"))]
    return []


def table_of(document: Rule, tongue: Tongue, more_facts: Iterable[str] = ()) -> Table:
    """A policy as a table.

    Args:
        document: one for which ``no_table`` finds nothing.
        more_facts: facts that get a column though no rule asks of them yet, and the first places.
    """
    columns = _columns(document, tongue, more_facts)
    lines = [_line(rule, f"/rules/{index}", columns, tongue) for index, rule in enumerate(document["rules"])]
    otherwise = _then_cells(document["otherwise"]["then"], columns, tongue)
    if "because" in document["otherwise"]:
        otherwise["because"] = document["otherwise"]["because"]
    return Table(columns, (*lines, Line(otherwise, OTHERWISE)), tongue)


def _columns(document: Rule, tongue: Tongue, more_facts: Iterable[str]) -> tuple[TableColumn, ...]:
    voice, say = tongue.voice, tongue.voice.say
    rules: Sequence[Rule] = document["rules"]
    facts = dict.fromkeys(name for name in more_facts if name in voice.dictionary)
    facts |= dict.fromkeys(str(fact_of(term)) for rule in rules for term in terms_of(rule["when"]) or ())
    thens = [rule["then"] for rule in rules] + [document["otherwise"]["then"]]
    outcomes = dict.fromkeys([*STAGE[document["stage"]].settable, *(name for then in thens for name in then)])
    found = [
        TableColumn("key", say("Key"), meaning=say("Names the rule in decisions and logs; it never changes.")),
        TableColumn("label", say("Rule"), meaning=say("What the rule is called.")),
    ]
    for name in facts:
        one = voice.dictionary[name]
        found.append(TableColumn(FACT + name, voice.fact(name), unit_words(one.kind, voice), say(one.meaning), one))
    for name in outcomes:
        if name not in MODIFIERS:
            one = OUTCOMES[name]
            found.append(TableColumn(THEN + name, say(one.label), unit_words(one.kind, voice), say(one.meaning), one))
    used = {name for then in thens for name in then}
    if document["stage"] == "hold" or "exclusion" in used:
        meaning = say("An exclusion lets orders pass and outranks every hold.")
        found.append(TableColumn("exclusion", say("Exclusion"), meaning=meaning))
    if document["stage"] == "hold" or "final" in used:
        found.append(TableColumn("final", say("Final"), meaning=say("No override by a person beats the rule.")))
    return (
        *found,
        TableColumn("priority", say("Priority"), meaning=say("Lower comes first; among equals the key decides.")),
        TableColumn("on_unknown", say("If unknown"), meaning=say("What happens when a fact of the rule is unknown.")),
        TableColumn(
            "because", say("Because"), meaning=say("Why the rule is there, for whoever asks about a decision.")
        ),
    )


def _line(rule: Rule, place: str, columns: Iterable[TableColumn], tongue: Tongue) -> Line:
    cells = {"key": rule["key"], **{name: rule[name] for name in TEXT_FIELDS if name in rule}}
    if "priority" in rule:
        cells["priority"] = str(rule["priority"])
    if "on_unknown" in rule:
        cells["on_unknown"] = unknown_words(tongue)[rule["on_unknown"]]
    by_fact: dict[str, list[Json]] = {}
    for term in terms_of(rule["when"]) or ():
        by_fact.setdefault(str(fact_of(term)), []).append(term)
    for column in columns:
        if column.key.startswith(FACT) and column.declared is not None:
            cells[column.key] = cell_text(by_fact.get(column.declared.name, ()), column.declared, tongue)
    return Line({**cells, **_then_cells(rule["then"], columns, tongue)}, place)


def _then_cells(then: Rule, columns: Iterable[TableColumn], tongue: Tongue) -> dict[str, str]:
    cells = {name: tongue.value(then[name], Kind.BOOL) for name in MODIFIERS if name in then}
    for column in columns:
        name = column.key.removeprefix(THEN)
        if column.key.startswith(THEN) and column.declared is not None and name in then:
            cells[column.key] = effect_text(then[name], column.declared, tongue)
    return cells


def new_key(label: str, known: Collection[str]) -> str:
    """A key for a new rule, made from its label, that no other rule has.

    >>> new_key("Über 90 days!", {"a"}), new_key("", {"rule"}), new_key("A", {"a"})
    ('uber-90-days', 'rule-2', 'a-2')
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-") or "rule"
    return next(made for number in range(1, len(known) + 2) if (made := _numbered(stem, number)) not in known)


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}-{number}"


def unknown_words(tongue: Tongue) -> dict[str, str]:
    """What may stand under "If unknown", by the document's word for it."""
    return {REFER: tongue.voice.say("a person decides"), "no": tongue.voice.say("the rule does not hold")}


def cell_at(place: str, document: Rule) -> tuple[int | None, str | None]:
    """The row and the column's key that a place of a document belongs to; None where there is none.

    >>> cell_at("/rules/3/then/points", {"rules": []})
    (3, 'then:points')
    """
    match = PLACE.match(f"{place}/")
    if match is None:
        if not place.startswith(OTHERWISE):
            return None, None
        return None, _cell_key(place.removeprefix(OTHERWISE).strip("/").split("/"), {})
    index = int(match.group(1))
    rules = document["rules"]
    rest = place[match.end() :].strip("/").split("/")
    return index, _cell_key(rest, rules[index] if index < len(rules) else {})


def _cell_key(path: Sequence[str], rule: Rule) -> str:
    if path[0] == "then" and len(path) > 1:
        return path[1] if path[1] in MODIFIERS else THEN + path[1]
    if path[0] == "when" and rule:
        terms = terms_of(rule["when"]) or ()
        number = int(path[2]) if len(path) > 2 and path[1] == "all" and path[2].isdigit() else 0
        if number < len(terms) and (len(path) > 1 or len(terms) == 1):
            return FACT + str(fact_of(terms[number]))
    return path[0] if path[0] in (*TEXT_FIELDS, "priority", "on_unknown", "key") else "label"
