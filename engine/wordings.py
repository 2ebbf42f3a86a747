"""Wordings: the letter templates in force, as documents that two people approved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.editions import document_named, read_document, template_shas
from engine.tables import Action, Entity
from notifiers.composing import Wording
from notifiers.letter_templates import SHARED, parse_template

if TYPE_CHECKING:
    from engine.runtime import Runtime

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


def letters_of(entity: Entity, template: str) -> int:
    """How many messages that are not sent yet will be written by a template, and so read as it then says."""
    unsent = Action.state.in_(("waiting", "due"))
    return int(
        Action.select()
        .where(Action.entity_id == entity.id, Action.template == template, Action.channel.not_in(WORK), unsent)
        .count()
    )
