"""The parts of a draft that open into an editor: where each stands, what it is called, how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from admin import formatting
from admin.workbench.reading import Reading
from rules import editing
from rules.editing import Edited, pointer, steps_of, value_at
from rules.step_editing import put_step

HEAD = "/policy"  # what a policy is as a whole: no place of its document, but of the page


@dataclass(frozen=True)
class Part:
    """One kind of part.

    Args:
        name: of the kind, and of its template.
        read: what a form makes of it; given the reading and what stands there now.
        title: what one of them is called, by its value.
        word: the entry that names one of several in a list; empty for a part that stands alone.
    """

    name: str
    read: Callable[[Reading, Any], Any]
    title: Callable[[Any], str]
    word: str = ""

    def named(self, value: Any) -> str:
        """What names a part among those of its list."""
        return str(value[self.word]) if self.word else ""


def _labelled(value: Mapping[str, Any]) -> str:
    return _(str(value["label"])) if value.get("label") else formatting.title(str(value["key"]))


KINDS: Mapping[tuple[str, ...], Part] = {
    ("policy",): Part("head", Reading.head, lambda _value: _("The policy as a whole")),
    ("rules", "#"): Part("rule", Reading.rule, lambda v: _("Rule “%(name)s”", name=_labelled(v)), "key"),
    ("otherwise",): Part("otherwise", Reading.otherwise, lambda _value: _("Otherwise")),
    ("bands",): Part("bands", Reading.bands, lambda _value: _("Classes")),
    ("escalation",): Part("terms", Reading.terms, lambda _value: _("Terms")),
    ("escalation", "scenarios", "*", "#"): Part(
        "step", Reading.step, lambda v: _("Step “%(name)s”", name=_labelled(v)), "key"
    ),
    ("cases", "#"): Part("case", Reading.case, lambda v: _("Case “%(name)s”", name=v["name"]), "name"),
}


def part_at(place: str) -> Part | None:
    """The kind of part a place is, or None."""
    steps = steps_of(place)
    for form, part in KINDS.items():
        if len(form) == len(steps) and all(
            one in {step, "*"} or (one == "#" and step.isdecimal()) for one, step in zip(form, steps, strict=True)
        ):
            return part
    return None


def value_of(body: Mapping[str, Any], place: str) -> Any:
    """What a part says now.

    Raises:
        KeyError: there is none at this place.
    """
    if part_at(place) is None:
        raise KeyError(place)
    return body if place == HEAD else value_at(body, place)


def stands(body: Mapping[str, Any], place: str) -> bool:
    """Whether there is a part at a place of a draft."""
    try:
        value_of(body, place)
    except KeyError:
        return False
    return True


def with_value(body: Mapping[str, Any], place: str, value: Any) -> Edited:
    """The draft with a part put in its place."""
    if place == HEAD:
        return editing.replaced(value)
    part = part_at(place)
    return (put_step if part is not None and part.name == "step" else editing.put)(body, place, value)


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


def part_around(body: Mapping[str, Any], place: str) -> str:
    """The part of a draft that a place lies in; empty where there is none."""
    steps = steps_of(place)
    for length in range(len(steps), 0, -1):
        around = pointer(*steps[:length])
        if around != HEAD and stands(body, around):
            return around
    return HEAD if steps and steps[0] in {"name", "source", "because", "hit", "entity", "effective", "subject"} else ""
