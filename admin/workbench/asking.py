"""What a form asks to be done with a draft, and what comes of it. Nothing is saved here."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from admin.workbench import parts
from admin.workbench.asked import Asked, gone
from admin.workbench.reading import Reading
from admin.workbench.whole import WHOLE
from admin.workbench.within import WITHIN
from admin.workbench.world import World

SAVE = "save"


def asked_of(body: Mapping[str, Any], given: Mapping[str, str], world: World) -> Asked:
    """Do to a draft what a form asks.

    Args:
        body: of the draft.
        given: ``place`` and ``of`` name the part, ``do`` what is done (``verb:target``), the other
            fields what the part says.
        world: its surroundings.
    """
    do, _colon, target = given.get("do", SAVE).partition(":")
    place = parts.found_again(body, given.get("place", ""), given.get("of", ""))
    if do in WHOLE:
        return WHOLE[do](body, place, {**given, "target": target}, world)
    part = parts.part_at(place)
    if part is None or not parts.stands(body, place) or (do != SAVE and do not in WITHIN):
        return gone(place)
    reading = Reading(given, world)
    value = part.read(reading, parts.value_of(body, place))
    asked = Asked(None, place=place, given=given, part=value, wrong=reading.wrong)
    if reading.wrong:
        return asked
    asked.document, asked.problems = parts.with_value(body, place, value)
    asked.words = _("%(part)s changed", part=part.title(value))
    if asked.document is not None and part.word:  # a step of another day stands elsewhere
        asked.place = place = parts.found_again(asked.document, place, part.named(value))
    if asked.document is not None and do != SAVE:
        WITHIN[do](asked, target, given, world)
    for problem in asked.problems:  # beside the field it is about, as far as there is one
        name = problem.place.removeprefix("" if place == parts.HEAD else place).removeprefix("/")
        if name in given:
            asked.wrong.setdefault(name, f"{problem.what}: {problem.cure}")
    return asked
