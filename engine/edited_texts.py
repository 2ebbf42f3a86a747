"""Edited texts: a person's own words in one message, in place of its template's.

What can be edited is what the template says freely; its legal blocks, the statement and the sums are
written as ever, from what is owed when it leaves. The words are read like a template's, in the
contact's language, and are sealed with the key of whom they go to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.commands import Change, Command, Conflict, Context, Invalid, NotFound, carry_out, expect_version, register
from engine.diary import ConfirmMessage
from engine.known import chunks
from engine.reaching import Reached, reached
from engine.sending import business_day
from engine.tables import Action, EditedText, Person
from engine.vault import Erased
from engine.wordings import wording_for
from ledger.problems import Problem
from notifiers.composing import Wording
from notifiers.letter_templates import LETTER_USES, fields_for, length_for
from notifiers.letter_text import Text, read

if TYPE_CHECKING:
    from engine.runtime import Runtime

LETTER_PARTS = ("subject", "opening", "closing")
SHORT_PARTS = ("short",)
SHORT_WAYS = ("sms", "chat")
EDITED_WAYS = ("email", "letter", *SHORT_WAYS)
ONE_LINE = ("subject", "short")
EDITABLE = ("waiting", "due")  # states
OTHER_LANGUAGE = "edited"  # why a message waits, of engine.claims.WAITING


@dataclass(frozen=True, slots=True)
class Draft:
    """What can be edited in a message, as it stands.

    Args:
        language: in which it is written.
        texts: by name, in the letter language.
        edited: whether a person has edited them already.
    """

    language: str
    texts: Mapping[str, str]
    edited: bool
    wording: Wording
    reached: Reached


@dataclass(frozen=True, kw_only=True)
class EditMessage(Command):
    """Put own words into one message before it leaves.

    Args:
        texts: by name, those that ``draft_of`` gives; empty: the template's again.
        send: let it go at once, where it waits for a person.
    """

    action: int
    texts: Mapping[str, str] = field(default_factory=dict)
    send: bool = False
    version: int | None = None


@register(EditMessage, permission="actions.work", person_only=True)
def edit_message(context: Context, command: EditMessage) -> Change:
    """Keep the words beside the message; the claim writes it with them."""
    action: Action | None = Action.get_or_none(Action.id == command.action)
    if action is None:
        raise NotFound(f"no action {command.action}")
    context.customer(action.customer_id)
    expect_version(action, command.version)
    if action.state not in EDITABLE or action.covered_by_id is not None:
        raise Conflict(f"action {action.id} is {action.state}: its text cannot be edited any more")
    draft = draft_of(context.runtime, action)
    if draft is None:
        raise Invalid.because("action", "has no text to edit", "enter a contact, or look at its template")
    changed = {
        name: text for name, text in command.texts.items() if text != _source(draft.wording, draft.language, name)
    }
    _check(changed, draft)
    EditedText.delete().where(EditedText.action == action).execute()
    if changed:
        EditedText.create(
            action=action,
            person=draft.reached.person,
            language=draft.language,
            template_sha256=draft.wording.template.sha256,
            sealed=context.runtime.vault.seal(draft.reached.person, {"texts": changed}),
            by=context.actor,
            at=context.at,
        )
    Action.update(version=Action.version + 1).where(Action.id == action.id).execute()
    if command.send and action.state == "waiting":
        carry_out(context, ConfirmMessage(actor=command.actor, reason=command.reason, action=action.id))
    return Change(
        subject_kind="action",
        subject_id=action.id,
        after={"edited": sorted(changed), "language": draft.language},
        answer={"action": action.id, "edited": sorted(changed)},
        entity_id=action.entity_id,
    )


def draft_of(runtime: "Runtime", action: Action) -> Draft | None:
    """What can be edited in a message now; None: nobody is reached, no template is in force, or it is no letter."""
    if action.way not in EDITED_WAYS:
        return None
    entity = action.customer.entity
    known = reached(runtime, action, entity, action.way)
    wording = wording_for(runtime, entity, str(action.template), business_day(runtime, action))
    if known is None or wording is None:
        return None
    language = wording.spoken(known.language)
    names = SHORT_PARTS if action.way in SHORT_WAYS else LETTER_PARTS if wording.template.use in LETTER_USES else ()
    own = _kept(runtime, action, language)
    texts = {
        name: own.get(name, _source(wording, language, name))
        for name in names
        if name in wording.template.texts[language]
    }
    return Draft(language, texts, bool(own), wording, known) if texts else None


def rewritten(wording: Wording, language: str, texts: Mapping[str, str]) -> Wording:
    """A wording with own words in place of some of the template's texts.

    Args:
        texts: that ``_check`` let through.
    """
    template = wording.template
    own: dict[str, Text] = {}
    for name, source in texts.items():
        text, _ = read(source, *fields_for(template.use, name))
        if text is not None:
            own[name] = text
    spoken = {**template.texts, language: {**template.texts[language], **own}}
    return replace(wording, template=replace(template, texts=spoken))


def edited_among(actions: Sequence[int]) -> frozenset[int]:
    """Those of some messages that a person has edited."""
    return frozenset(
        action
        for some in chunks(list(actions))
        for (action,) in EditedText.select(EditedText.action).where(EditedText.action.in_(some)).tuples()
    )


def with_own_words(runtime: "Runtime", action: Action, wording: Wording, language: str) -> Wording | None:
    """What a message is written with at its claim; None: its words are in another language than its contact's now."""
    row: EditedText | None = EditedText.get_or_none(EditedText.action == action)
    if row is None:
        return wording
    spoken = wording.spoken(language)
    if row.language != spoken:
        return None
    return rewritten(wording, spoken, _kept(runtime, action, spoken))


def _kept(runtime: "Runtime", action: Action, language: str) -> dict[str, str]:
    query = EditedText.select(EditedText, Person).join(Person).where(EditedText.action == action)
    row: EditedText | None = query.first()
    if row is None or row.language != language:
        return {}
    try:
        return dict(runtime.vault.open(row.person, row.sealed)["texts"])
    except Erased:
        return {}


def _source(wording: Wording, language: str, name: str) -> str:
    text = wording.template.texts[language].get(name)
    return "" if text is None else str(text.source)


def _check(texts: Mapping[str, str], draft: Draft) -> None:
    problems = []
    use = draft.wording.template.use
    for name, source in texts.items():
        if name not in draft.texts:
            problems.append(Problem(place=name, what="cannot be edited", cure=f"edit {', '.join(draft.texts)}"))
            continue
        if not source.strip():
            problems.append(Problem(place=name, what="is empty", cure="write it, or leave the template's text"))
        _, faults = read(source, *fields_for(use, name))
        problems += [Problem(place=name, what=f"line {one.line}: {one.what}", cure=one.cure) for one in faults]
        most = length_for(use, name)
        if most is not None and len(source) > most:
            problems.append(Problem(place=name, what=f"has more than {most} characters", cure="shorten it"))
        if name in ONE_LINE and "\n" in source:
            problems.append(Problem(place=name, what="has several lines", cure="write it on one line"))
    if problems:
        raise Invalid(problems)
