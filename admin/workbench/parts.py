"""The parts of a draft that open into an editor: where each stands, what it is called, how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from admin.workbench.reading import Reading
from rules.editing import pointer, steps_of, value_at


@dataclass(frozen=True)
class Part:
    """One kind of part.

    Args:
        name: of the kind, and of its template.
        word: the entry that names one of several in a list; empty for a part that stands alone.
        read: what a form makes of it; given the reading and what stands there now.
    """

    name: str
    word: str
    read: Callable[[Reading, Any], Any]


RULE = Part("rule", "key", lambda reading, _now: reading.rule())
KINDS: Mapping[tuple[str, ...], Part] = {("rules", "#"): RULE}


def part_at(place: str) -> Part | None:
    """The kind of part a place is, or None."""
    steps = tuple("#" if step.isdigit() else step for step in steps_of(place))
    return KINDS.get(steps)


def stands(body: Mapping[str, Any], place: str) -> bool:
    """Whether there is a part at a place of a draft."""
    try:
        value_at(body, place)
    except KeyError:
        return False
    return part_at(place) is not None


def found_again(body: Mapping[str, Any], place: str, name: str) -> str:
    """Where the part of a name stands now: others may have been added or moved before it.

    Returns:
        Its place; empty when it is gone.
    """
    part = part_at(place)
    if part is None or not part.word:
        return place
    where = steps_of(place)[:-1]
    try:
        items = value_at(body, pointer(*where))
    except KeyError:
        return ""
    for index, item in enumerate(items):
        if item.get(part.word) == name:
            return pointer(*where, index)
    return ""


def name_of(part: Part, value: Any) -> str:
    """What names a part among those of its list."""
    return str(value[part.word]) if part.word else ""


def title_of(part: Part, value: Any) -> str:
    """What a part is called."""
    return _("Rule “%(name)s”", name=_(str(value.get("label") or value["key"])))
