"""An explanation as a page draws it: every stage, every rule, every test with the value it saw."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape

from admin import changes, formatting, gate
from admin.steps import step_label
from admin.wording import Speaker, code_words
from engine.editions import Unusable, edition_of
from engine.tables import Decision, Entity
from rules.book import Book
from rules.conditions import FactRef, Op, Param
from rules.explanation import RuleVerdict, Seen, SeenTest, StageExplanation, WhyNot, explain, why_not
from rules.facts import DICTIONARY
from rules.stages import OUTCOMES, POINT_OUTCOMES, PREVIOUS
from rules.words import Voice

MARKS = {True: "true", False: "false", None: "unknown"}
STAGE_LABELS = {
    "scorecard": _l("Scorecard"),
    "segmentation": _l("Segmentation"),
    "credit_limit": _l("Credit limit"),
    "hold": _l("Orders"),
    "escalation": _l("Escalation"),
    "worklist": _l("Worklist"),
    "alert": _l("Alerts"),
}


@dataclass(frozen=True)
class Leaf:
    """One test: what it asks, what it saw, whether it held."""

    words: str
    seen: Any
    mark: str


@dataclass(frozen=True)
class Branch:
    """All or any of some conditions."""

    word: str
    mark: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class RuleLine:
    """One rule with its verdict.

    Args:
        missing: where it does not hold, the smallest set of tests that would have to hold as well.
    """

    key: str
    label: str
    because: str
    mark: str
    won: bool
    counted: bool
    condition: Any
    effect: str
    missing: tuple[Leaf, ...] = ()


@dataclass(frozen=True)
class StageLine:
    """One stage with its rules in the order they are asked in."""

    stage: str
    label: str
    policy: str
    outcomes: list[tuple[str, Any]]
    rules: list[RuleLine]
    otherwise: str = ""
    undecided: list[str] = field(default_factory=list)
    waiting: str = ""


def fact_label(name: str) -> str:
    """A fact's label in the reader's language."""
    column = DICTIONARY.get(name)
    return _(column.label) if column is not None else formatting.title(name)


def facts_shown(row: Mapping[str, Any], currency: str | None) -> list[tuple[str, Any, str]]:
    """Label, value and meaning of each fact of a row that the dictionary knows."""
    return [
        (_(column.label), _fact_value(name, row.get(name), str(column.kind), currency), _(column.meaning))
        for name, column in DICTIONARY.items()
        if name in row
    ]


def of_row(row: Mapping[str, Any], book: Book, currency: str) -> list[StageLine]:
    """The explanation of a fact row under a book, as a page draws it."""
    voice = Voice(say=_, currency=currency, language=str(formatting.locale().language))
    return [_stage(stage, row, book, voice) for stage in explain(row, book).stages]


def of_decision(decision: Decision) -> tuple[dict[str, Any], list[StageLine] | None]:
    """The facts of a decision and its explanation under the edition of that day; None when that is gone."""
    facts = json.loads(decision.facts)
    entity = Entity.get_by_id(decision.entity_id)
    try:
        edition = edition_of(gate.runtime(), entity, decision.edition, decision.as_of_day)
    except Unusable:
        return facts, None
    return facts, of_row(facts, edition.book, entity.currency)


def _stage(stage: StageExplanation, row: Mapping[str, Any], book: Book, voice: Voice) -> StageLine:
    outcomes = [_outcome(name, value, stage.by_rules.get(name), voice) for name, value in stage.in_force.items()]
    outcomes = [outcome for outcome in outcomes if outcome[1] != formatting.NOTHING]
    return StageLine(
        stage=stage.stage,
        label=str(STAGE_LABELS.get(stage.stage, formatting.title(stage.stage))),
        policy=_(stage.policy),
        outcomes=outcomes,
        rules=[_rule(rule, stage.stage, row, book, voice) for rule in stage.rules],
        otherwise=_(stage.otherwise_because) if stage.otherwise else "",
        undecided=[fact_label(name) for name in stage.undecided or ()],
        waiting=formatting.phrase(stage.waiting) if stage.waiting and stage.waiting != "none" else "",
    )


def _outcome(name: str, value: Any, by_rules: Any, voice: Voice) -> tuple[str, Any]:
    """An outcome in force, with what the rules say where a person overrode them."""
    shown = changes.outcome_badge(name, value, voice.currency)
    if value != by_rules:
        rules_say = _("override; the rules say %(value)s", value=by_rules if by_rules is not None else _("nothing"))
        shown = Markup("{} {}").format(shown, formatting.badge("override", rules_say, "busy"))
    return changes.outcome_label(name), shown


def _rule(rule: RuleVerdict, stage: str, row: Mapping[str, Any], book: Book, voice: Voice) -> RuleLine:
    missing: tuple[Leaf, ...] = ()
    if rule.verdict is not True:
        why: WhyNot = why_not(row, book, stage, rule.key)
        missing = tuple(_leaf(test, voice) for test in why.tests)
    return RuleLine(
        key=rule.key,
        label=_(rule.label) if rule.label else formatting.title(rule.key),
        because=_(rule.because) if rule.because else "",
        mark=MARKS[rule.verdict],
        won=rule.won,
        counted=rule.counted,
        condition=_seen(rule.condition, voice),
        effect=", ".join(_effect(name, value, voice) for name, value in rule.effects.items()),
        missing=missing,
    )


def _effect(name: str, value: Any, voice: Voice) -> str:
    if name.endswith("_minor") and value is not None:
        text = f"{formatting.money_text(value, voice.currency, decimals=False)} {voice.currency}"
    elif name == "step":
        text = step_label(value)
    elif isinstance(value, bool):
        text = _("yes") if value else _("no")
    elif name in POINT_OUTCOMES and isinstance(value, int):
        text = f"{value:+d}".replace("-", "−")
    else:
        text = formatting.title(value) if isinstance(value, str) else str(value)
    return f"{changes.outcome_label(name)}: {text}"


def _seen(node: Seen, voice: Voice) -> Leaf | Branch:
    if isinstance(node, SeenTest):
        return _leaf(node, voice)
    word = _("all of") if node.word == "all" else _("any of")
    parts = tuple(_seen(part, voice) for part in node.parts)
    return parts[0] if len(parts) == 1 else Branch(word, MARKS[node.verdict], parts)


def _leaf(test: SeenTest, voice: Voice) -> Leaf:
    words = "".join(piece.text for piece in Speaker(voice).sentence(test.test).pieces)
    if isinstance(test.asked.value, Param):
        words = _("%(words)s (%(name)s)", words=words, name=formatting.phrase(test.asked.value.name))
    seen: Any = None
    if test.test.op not in {Op.IS_NULL, Op.IS_NOT_NULL} or test.verdict is not True:
        seen = _value(test.test.fact, test.seen, voice)
    if isinstance(test.test.value, FactRef):
        other = _value(test.test.value.name, test.other, voice)
        seen = escape(_("%(value)s against %(other)s")) % {"value": seen, "other": other}
    return Leaf(words, seen, MARKS[test.verdict])


def _value(name: str, value: Any, voice: Voice) -> Any:
    if value is None:
        return _("unknown")
    return _fact_value(name, value, str(voice.kind(name)), voice.currency)


def _fact_value(name: str, value: Any, kind: str, currency: str | None) -> Any:
    """A fact's value in human units; a code of the rules in words, one of the books as it is written."""
    if isinstance(value, str) and name.removeprefix(PREVIOUS) in OUTCOMES:
        return step_label(value) if name.removeprefix(PREVIOUS) == "step" else code_words(value)
    return formatting.by_kind(value, kind, currency)
