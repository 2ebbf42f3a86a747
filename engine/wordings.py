"""Wordings: the letter templates in force, as documents that two people approved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.editions import Unusable, document_named, documents_in_force, read_document, template_shas
from engine.tables import Action, Entity, Standing
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


def shown_wording(runtime: "Runtime", entity: Entity) -> Wording:
    """What a statement is written with that no step of a policy asks for: the first reminder's words."""
    day = runtime.today(entity)
    return Wording(_known(runtime, entity, SHOWN_BY, day), _known(runtime, entity, SHARED, day))


def _known(runtime: "Runtime", entity: Entity, key: str, day: int) -> Template:
    """The template in force, else the shipped one: a new house has approved none yet."""
    shas = template_shas(entity, day)
    if key in shas:
        return read_document(runtime, document_named(shas[key]), parse_template)
    found = parse_template(next(document for document in shipped_templates() if document["key"] == key))[0]
    if found is None:
        raise Unusable(f"the shipped template {key} cannot be read")
    return found


@dataclass(frozen=True, slots=True)
class Letters:
    """Messages that a template will say.

    Args:
        waiting: decided and not sent yet.
        coming: whose step the next run begins, if nothing happens before.
    """

    waiting: int
    coming: int


def letters_of(runtime: "Runtime", entity: Entity, template: str) -> Letters:
    """How many messages of an entity would read as a template says now."""
    unsent = Action.state.in_(("waiting", "due"))
    own = (Action.entity_id == entity.id) & Action.channel.not_in(WORK) & unsent
    steps = {
        str(step["key"])
        for document in documents_in_force(entity, runtime.today(entity), ("policy",))
        for scenario in json.loads(document.body).get("escalation", {}).get("scenarios", {}).values()
        for step in scenario
        if (template == SHARED or step["template"] == template) and step["channel"] not in WORK
    }
    begins = (Standing.next_day <= runtime.today(entity) + 1) & Standing.next_step.in_(steps) & Standing.open
    waiting = Action.select().where(own if template == SHARED else own & (Action.template == template))
    coming = Standing.select().where(Standing.entity_id == entity.id, begins) if steps else None
    return Letters(waiting.count(), 0 if coming is None else coming.count())
