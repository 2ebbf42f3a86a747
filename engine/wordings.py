"""Wordings: the letter templates in force, as documents that two people approved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.editions import Unusable, document_named, read_document, template_shas
from engine.tables import Action, Entity
from notifiers.composing import Wording
from notifiers.letter_templates import SHARED, Template, parse_template, shipped_templates

if TYPE_CHECKING:
    from engine.runtime import Runtime

SHOWN_BY = "reminder_1"  # the letter that shows what all letters share
WORK = ("call", "task")  # channels that send nothing


def wording_for(
    runtime: "Runtime", entity: Entity, template: str, day: int, shas: Mapping[str, str] | None = None
) -> Wording | None:
    """What a letter is written with; None when no template of that key is in force, or none for all letters.

    Args:
        template: its key.
        day: the day of the letter.
        shas: ``template_shas(entity, day)``, for whoever writes several letters.

    Raises:
        Unusable: what is in force cannot be read.
    """
    known = template_shas(entity, day) if shas is None else shas
    if template not in known or SHARED not in known:
        return None
    own, shared = (read_document(runtime, document_named(known[key]), parse_template) for key in (template, SHARED))
    return Wording(own, shared)


def wording_of_draft(runtime: "Runtime", entity: Entity, template: Template) -> Wording:
    """What a letter would be written with if a template were in force, beside what is.

    Args:
        template: of a draft; what all letters share is shown by the first reminder.
    """
    day = runtime.today(entity)
    if template.key == SHARED:
        return Wording(_known(runtime, entity, SHOWN_BY, day), template)
    return Wording(template, _known(runtime, entity, SHARED, day))


def _known(runtime: "Runtime", entity: Entity, key: str, day: int) -> Template:
    """The template in force, else the shipped one: a new house has approved none yet."""
    shas = template_shas(entity, day)
    if key in shas:
        return read_document(runtime, document_named(shas[key]), parse_template)
    found = parse_template(next(document for document in shipped_templates() if document["key"] == key))[0]
    if found is None:
        raise Unusable(f"the shipped template {key} cannot be read")
    return found


def letters_of(entity: Entity, template: str) -> int:
    """How many messages that are not sent yet will be written by a template, and so read as it then says."""
    unsent = Action.state.in_(("waiting", "due"))
    return int(
        Action.select()
        .where(Action.entity_id == entity.id, Action.template == template, Action.channel.not_in(WORK), unsent)
        .count()
    )
