"""An explanation as a page draws it: every stage, every rule, every test with the value it saw."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from admin import formatting
from engine.tables import Decision
from rules.facts import DICTIONARY

MARKS = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True)
class Leaf:
    """One test: what it asks, what it saw, whether it held."""

    words: str
    seen: Any
    mark: str


@dataclass(frozen=True)
class Branch:
    """All, any or none of some conditions."""

    word: str
    mark: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class RuleLine:
    """One rule with its verdict."""

    key: str
    label: str
    because: str
    mark: str
    won: bool
    counted: bool
    condition: Any
    effect: str


@dataclass(frozen=True)
class StageLine:
    """One stage with its rules, the ones that held first."""

    stage: str
    label: str
    outcomes: list[tuple[str, Any]]
    rules: list[RuleLine]
    otherwise: str = ""
    undecided: list[str] = field(default_factory=list)


def fact_label(name: str) -> str:
    """A fact's label in the reader's language."""
    column = DICTIONARY.get(name)
    return _(column.label) if column is not None else formatting.title(name)


def fact_value(name: str, value: Any, currency: str | None) -> Any:
    """A fact's value in its unit."""
    column = DICTIONARY.get(name)
    return formatting.by_kind(value, str(column.kind) if column is not None else "code", currency)


def facts_shown(row: Mapping[str, Any], currency: str | None) -> list[tuple[str, Any, str]]:
    """Label, value and meaning of each fact of a row that the dictionary knows."""
    return [
        (_(column.label), formatting.by_kind(row.get(name), str(column.kind), currency), column.meaning)
        for name, column in DICTIONARY.items()
        if name in row
    ]


def of_row(row: Mapping[str, Any], book: Any, currency: str | None) -> list[StageLine]:
    """The explanation of a fact row under a book, as a page draws it."""
    return []


def of_decision(decision: Decision) -> tuple[dict[str, Any], list[StageLine] | None]:
    """The facts of a decision and its explanation under the edition of that day; None when it is gone."""
    return json.loads(decision.facts), None
