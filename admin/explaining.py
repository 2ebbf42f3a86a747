"""An explanation as a page draws it: every stage, every rule, every test with the value it saw."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape

from admin import changes, formatting, gate
from admin.dictionaries import known_facts
from admin.measures import trimmed
from admin.sources import Source, sources_of
from admin.steps import step_label
from admin.wording import Speaker, code_words
from engine.editions import Edition, Unusable
from engine.replaying import edition_decided_by
from engine.tables import Decision, Entity
from ledger.columns import Column
from rules import reference
from rules.book import Book
from rules.conditions import FactRef, Op, Param
from rules.explanation import RuleVerdict, Seen, SeenTest, StageExplanation, explain
from rules.facts import DICTIONARY, DerivedColumn, is_unknowable_money
from rules.formula_words import derived_words
from rules.stages import OUTCOMES, POINT_OUTCOMES, PREVIOUS, stage_of
from rules.why_not import Change, why_not
from rules.why_words import beaten_words, change_words
from rules.words import Voice, value_words

MARKS = {True: "true", False: "false", None: "unknown"}
UNKNOWN_CURES = {  # what makes an unknown fact known, where it is not an amount that needs an exchange rate
    "country": _l("Import the customer's country."),
    "terms_days": _l("Import the customer's payment terms."),
    "credit_limit_minor": _l("Put a credit limit in force."),
    "headroom_minor": _l("Put a credit limit in force."),
    "utilisation_bp": _l("Put a credit limit in force."),
    "tenure_days": _l("Import the day the account was opened, or the first invoice."),
    "score_bp": _l("Let a trained model score the customers."),
    "at_risk_minor": _l("Let a trained model score the customers."),
    "thin_history": _l("Let a trained model score the customers."),
    "group_exposure_minor": _l("Put the customer into a group."),
    "leader_days_past_due": _l("There is no open line that could be dunned."),
    "leader_open_minor": _l("There is no open line that could be dunned."),
    "mean_days_late_12m": _l("No line was paid in that time."),
    "max_days_late_12m": _l("No line was paid in that time."),
    "late_share_12m_bp": _l("No line was paid in that time."),
    "late_share_3m_bp": _l("No line was paid in that time."),
    "days_since_invoice": _l("Import the first invoice of the customer."),
    "days_since_payment": _l("The customer has not paid anything yet."),
    "days_since_contact": _l("Nobody has reached the customer yet."),
    "days_since_promise_broken": _l("No promise was broken yet."),
}
RATE_CURE = _l("Import the missing exchange rate.")
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
        why_not: where it does not hold or did not decide, what would have to change, or what came first.
    """

    key: str
    label: str
    because: str
    mark: str
    won: bool
    counted: bool
    condition: Any
    effect: str
    why_not: "Lacking | None" = None


@dataclass(frozen=True)
class Lacking:
    """Why a rule did not decide.

    Args:
        changes: the fewest facts that would have to be others, a sentence each, with how it may become so.
        beaten: where it holds, what came before it.
        never: no facts at all could make it hold.
        exact: whether fewer facts would not do.
    """

    changes: tuple[tuple[str, str], ...] = ()
    beaten: str = ""
    never: bool = False
    exact: bool = True


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
    stopped: bool = False
    conflict: list[str] = field(default_factory=list)

    @property
    def silent(self) -> list[RuleLine]:
        """The rules that neither decided nor counted."""
        return [rule for rule in self.rules if not rule.won and not rule.counted]


def fact_label(name: str) -> str:
    """A fact's label in the reader's language."""
    column = known_facts().get(name)
    return _(column.label) if column is not None else formatting.title(name)


def fact_value(name: str, value: Any, currency: str) -> Any:
    """A fact's value in human units, or the sign for unknown."""
    return _fact_value(name, value, str(voice_of(currency, known_facts()).kind(name)), currency)


def facts_shown(row: Mapping[str, Any], currency: str | None) -> list[tuple[str, Any, str]]:
    """Label, value and meaning of each fact of a row that the dictionary knows."""
    return [
        (_(column.label), _fact_value(name, row.get(name), str(column.kind), currency), _(column.meaning))
        for name, column in known_facts().items()
        if name in row
    ]


def voice_of(currency: str, dictionary: Mapping[str, Column] = DICTIONARY) -> Voice:
    """How things are said to the reader; an explanation says the same few sentences hundreds of times."""
    return Voice(
        say=cache(lambda message: _(message)),
        currency=currency,
        language=str(formatting.locale().language),
        dictionary=dictionary,
    )


def of_row(row: Mapping[str, Any], book: Book, currency: str) -> list[StageLine]:
    """The explanation of a fact row under a book, as a page draws it."""
    decided, voice = reference.decide(row, book), voice_of(currency, book.dictionary)
    seen = Seeing(row, book, decided, voice)
    return [_stage(stage, seen) for stage in explain(row, book, decided).stages]


@dataclass(frozen=True)
class Seeing:
    """What all lines of one explanation share."""

    row: Mapping[str, Any]
    book: Book
    decided: reference.Decided
    voice: Voice


@dataclass(frozen=True)
class Explained:
    """A whole explanation.

    Args:
        facts: the row it rests on.
        stages: None when the edition of that day cannot be read any more.
        sources: per stage where its rules come from.
        edition: sha256.
        chosen: the stage and the rule that the reader asked about, if any.
    """

    facts: Mapping[str, Any]
    stages: list[StageLine] | None
    sources: Mapping[str, Source]
    edition: str
    chosen: tuple[StageLine, RuleLine] | None = None


def explained(row: Mapping[str, Any], edition: Edition, day: int, currency: str, asked: str = "") -> Explained:
    """Explain a fact row under an edition.

    Args:
        asked: ``stage/rule`` that the reader asks about; what names no rule is left out.
    """
    stages = of_row(row, edition.book, currency)
    chosen = ((stage, rule) for stage in stages for rule in stage.rules if asked == f"{stage.stage}/{rule.key}")
    return Explained(row, stages, sources_of(edition, day, currency), edition.sha256, next(chosen, None))


def of_decision(decision: Decision, asked: str = "") -> Explained:
    """The explanation of a decision, from its facts under the edition of that day."""
    facts = json.loads(decision.facts)
    entity = Entity.get_by_id(decision.entity_id)
    try:
        edition = edition_decided_by(gate.runtime(), decision)
    except Unusable:
        return Explained(facts, None, {}, decision.edition)
    return explained(facts, edition, decision.as_of_day, entity.currency, asked)


def _stage(stage: StageExplanation, seen: Seeing) -> StageLine:
    outcomes = [_outcome(name, value, stage.by_rules.get(name), seen.voice) for name, value in stage.in_force.items()]
    outcomes = [outcome for outcome in outcomes if outcome[1] != formatting.NOTHING]
    return StageLine(
        stage=stage.stage,
        label=str(STAGE_LABELS.get(stage.stage, formatting.title(stage.stage))),
        policy=_(stage.policy),
        outcomes=outcomes,
        rules=[_rule(rule, stage, seen) for rule in stage.rules],
        otherwise=_(stage.otherwise_because) if stage.otherwise else "",
        undecided=[fact_label(name) for name in stage.undecided or ()],
        waiting=formatting.phrase(stage.waiting) if stage.waiting and stage.waiting != "none" else "",
        stopped=stage.stopped,
        conflict=[_label(rule) for rule in stage.rules if rule.key in stage.conflict],
    )


def _outcome(name: str, value: Any, by_rules: Any, voice: Voice) -> tuple[str, Any]:
    """An outcome in force, with what the rules say where a person overrode them."""
    shown = changes.outcome_badge(name, value, voice.currency)
    if value != by_rules:
        rules_say = _("override; the rules say %(value)s", value=by_rules if by_rules is not None else _("nothing"))
        shown = Markup("{} {}").format(shown, formatting.badge("override", rules_say, "busy"))
    return changes.outcome_label(name), shown


def _rule(rule: RuleVerdict, stage: StageExplanation, seen: Seeing) -> RuleLine:
    voice = seen.voice
    return RuleLine(
        key=rule.key,
        label=_label(rule),
        because=_(rule.because) if rule.because else "",
        mark=MARKS[rule.verdict],
        won=rule.won,
        counted=rule.counted,
        condition=_seen(rule.condition, seen),
        effect=", ".join(_effect(name, value, voice) for name, value in rule.effects.items()),
        why_not=None if rule.won or rule.counted else _lacking(rule, stage, seen),
    )


def _label(rule: RuleVerdict) -> str:
    return _(rule.label) if rule.label else formatting.title(rule.key)


def _lacking(rule: RuleVerdict, stage: StageExplanation, seen: Seeing) -> Lacking:
    why = why_not(seen.row, seen.book, stage.stage, rule.key, seen.decided)
    if why.matched:
        winner = next((_label(one) for one in stage.rules if one.key == why.beaten_by), "")
        return Lacking(beaten=beaten_words(why, winner, seen.voice) if winner else "")
    words = change_words(why.changes, seen.voice, lambda fact, value: _plain(fact, value, seen.voice))
    hints = [_how(change, seen.voice) for change in why.changes]
    return Lacking(tuple(zip(words, hints, strict=True)), never=why.never, exact=why.exact)


def _plain(fact: str, value: Any, voice: Voice) -> str:
    """A fact's value in words, a code of the rules by its name."""
    name = fact.removeprefix(PREVIOUS)
    if isinstance(value, str) and name in OUTCOMES:
        return step_label(value) if name == "step" else code_words(value)
    return trimmed(value_words(value, voice.kind(fact), voice))


def _how(change: Change, voice: Voice) -> str:
    """How a fact may become another where that is not plain: another stage decides it, or nobody knows it yet."""
    stage = None if change.fact.startswith(PREVIOUS) else stage_of(change.fact)
    if stage is not None:
        return _("The stage “%(stage)s” decides it.", stage=STAGE_LABELS[stage])
    column = voice.dictionary.get(change.fact)
    if change.seen is not None and not isinstance(column, DerivedColumn):
        return ""
    if isinstance(column, DerivedColumn):
        return _("It is computed: %(formula)s.", formula=derived_words(column.fact, voice))
    rate = RATE_CURE if column is not None and is_unknowable_money(column) else ""
    return str(UNKNOWN_CURES.get(change.fact, rate))


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


def _seen(node: Seen, seen: Seeing) -> Leaf | Branch:
    if isinstance(node, SeenTest):
        return _leaf(node, seen)
    word = _("all of") if node.word == "all" else _("any of")
    parts = tuple(_seen(part, seen) for part in node.parts)
    return parts[0] if len(parts) == 1 else Branch(word, MARKS[node.verdict], parts)


def _leaf(test: SeenTest, whole: Seeing) -> Leaf:
    voice = whole.voice
    words = "".join(piece.text for piece in Speaker(voice).sentence(test.test).pieces)
    if isinstance(test.asked.value, Param):
        words = _("%(words)s (%(name)s)", words=words, name=formatting.phrase(test.asked.value.name))
    seen: Any = None
    if test.test.op not in {Op.IS_NULL, Op.IS_NOT_NULL} or test.verdict is not True:
        seen = _value(test.test.fact, test.seen, voice)
    column = voice.dictionary.get(test.test.fact)
    if isinstance(column, DerivedColumn):
        row = {**whole.row, **whole.decided.derived, **whole.decided.outcomes}
        formula = derived_words(column.fact, voice, row)
        seen = Markup("{} = {}").format(_value(test.test.fact, test.seen, voice), formula)
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
