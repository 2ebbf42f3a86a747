"""What a form asks to be done with a draft, and what comes of it. Nothing is saved here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from admin.workbench import parts
from admin.workbench.parts import Part
from admin.workbench.reading import Reading
from admin.workbench.world import World
from ledger.problems import Problem
from rules import editing, offers
from rules.editing import Edited, pointer, steps_of, value_at

SAVE = "save"


@dataclass
class Asked:
    """What a form came to.

    Args:
        document: the draft as it would be; None when it is refused.
        problems: why.
        wrong: by field, what cannot be read.
        place: of the part that stays open; empty for none.
        words: what was done, for the audit trail.
        focus: id of the element the reader goes on with.
        given: the fields, to be shown again where they could not be read.
        part: what the form makes of its part, however wrong.
    """

    document: dict[str, Any] | None
    problems: list[Problem] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    place: str = ""
    words: str = ""
    focus: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    part: Any = None


def asked_of(body: Mapping[str, Any], given: Mapping[str, str], world: World) -> Asked:
    """Do to a draft what a form asks.

    Args:
        body: of the draft.
        given: ``place`` and ``of`` name the part, ``do`` what is done, the other fields what the part says.
        world: its surroundings.
    """
    do, _colon, target = given.get("do", SAVE).partition(":")
    place = parts.found_again(body, given.get("place", ""), given.get("of", ""))
    if do in LISTED:
        return LISTED[do](body, place, given, world)
    part = parts.part_at(place)
    if part is None or (do != SAVE and do not in WITHIN):
        return Asked(None, [Problem(place, _("This is not there any more."), _("Choose again."))])
    reading = Reading(given, world)
    value = part.read(reading, value_at(body, place))
    asked = Asked(None, place=place, given=given, part=value, wrong=reading.wrong)
    if reading.wrong:
        return asked
    asked.document, asked.problems = editing.put(body, place, value)
    asked.words = _("%(part)s changed", part=parts.title_of(part, value))
    asked.focus = given.get("focus", "")
    if asked.document is not None and do != SAVE:
        WITHIN[do](asked, target, given, world)
    return asked


# --- within a part -----------------------------------------------------------------------


def _then(asked: Asked, edited: Edited, focus: str) -> None:
    asked.document, asked.problems = edited
    asked.focus = focus


def _add_test(asked: Asked, target: str, given: Mapping[str, str], world: World) -> None:
    fact = given.get("fact", "")
    column = world.column(fact)
    test = offers.first_test(column, world.codes_of(fact))
    where = f"{asked.place}/{target}"
    before = _named_tests(asked.document, asked.place)
    _then(asked, editing.add_test(asked.document or {}, where, test), "")
    new = [name for name in _named_tests(asked.document, asked.place) if name not in before]
    asked.focus = f"{new[-1]}:op" if new else ""


def _named_tests(document: Mapping[str, Any] | None, place: str) -> list[str]:
    """The tests of a part, by the names of their fields."""
    found: list[str] = []

    def walk(node: Any, name: str) -> None:
        word = editing.word_of(node)
        if word == "":
            found.append(name)
        for index, part in enumerate(node[word] if word in editing.GROUPS else ()):
            walk(part, f"{name}/{word}/{index}")
        if word == "not":
            walk(node["not"], f"{name}/not")

    if document is not None:
        part = value_at(document, place)
        for word in ("when", "unless"):
            if word in part:
                walk(part[word], word)
    return found


def _change_fact(asked: Asked, target: str, given: Mapping[str, str], world: World) -> None:
    document, where = asked.document or {}, f"{asked.place}/{target}"
    fact = given.get("fact", "")
    column = world.column(fact)
    try:
        test = value_at(document, where)
    except KeyError:
        asked.document = None
        return
    was = world.column(test[0])
    same = (was.kind, was.values) == (column.kind, column.values) and was.kind is not column.kind.CODE
    changed = [fact, *test[1:]] if same else offers.first_test(column, world.codes_of(fact))
    _then(asked, editing.put(document, where, changed), f"{target}:op")


def _on_condition(change: Callable[[Mapping[str, Any], str], Edited], focus: str) -> Callable[..., None]:
    def do(asked: Asked, target: str, _given: Mapping[str, str], _world: World) -> None:
        edited = change(asked.document or {}, f"{asked.place}/{target}")
        _then(asked, edited, focus.format(target))

    return do


def _set_form(asked: Asked, target: str, given: Mapping[str, str], world: World) -> None:
    """Give an effect another form, keeping what it says where the new form can hold it."""
    document, where = asked.document or {}, f"{asked.place}/{target}"
    column = world.column(target.split("/")[1])
    form = given.get(f"{target}:form!", "none")
    then, own = editing.within(where)
    now = value_at(document, then).get(own, ...) if target.count("/") == 1 else value_at(document, where)
    if form == "none":
        _then(asked, editing.drop(document, where) if now is not ... else (dict(document), []), f"{target}:form!")
        return
    kept = offers.first_effect(column, world.codes_of(column.name)) if now is ... or now is None else now
    _then(asked, editing.put(document, where, _formed(form, kept, column.name, world)), f"{target}:form!")


def _formed(form: str, kept: Any, name: str, world: World) -> Any:
    column = world.column(name)
    plain = kept
    while isinstance(plain, Mapping):  # the first value within
        inner = next(iter(plain.values()))
        plain = inner[0] if isinstance(inner, list) else offers.first_effect(column, world.codes_of(name))
    if form in {"value", "nothing"}:
        return plain if form == "value" else None
    if form == "param":
        known = offers.effect_parameters(column.kind, world.parameters)
        return {"param": known[0]} if known else plain
    if form == "fact":
        facts = offers.effect_facts(column, world.facts)
        return {"fact": facts[0]} if facts else plain
    inside = [part for value in kept.values() for part in value] if _is_list(kept) else [kept]
    if form in {"min", "max"}:
        return {form: inside if _is_list(kept) and next(iter(kept)) in {"min", "max"} else [kept]}
    return {form: [kept, 10_000 if form == "percent_of" else 100]}


def _is_list(effect: Any) -> bool:
    return isinstance(effect, Mapping) and next(iter(effect)) in {"min", "max"}


def _add_part(asked: Asked, target: str, _given: Mapping[str, str], world: World) -> None:
    column = world.column(target.split("/")[1])
    items = value_at(asked.document or {}, f"{asked.place}/{target}")
    edited = editing.insert(asked.document or {}, f"{asked.place}/{target}/-", offers.first_effect(column))
    _then(asked, edited, f"{target}/{len(items)}:form!")


WITHIN: Mapping[str, Callable[[Asked, str, Mapping[str, str], World], None]] = {
    "add-test": _add_test,
    "fact": _change_fact,
    "remove-test": _on_condition(editing.remove_test, "add-test"),
    "any": _on_condition(lambda d, p: editing.wrap(d, p, "any"), "{0}:group"),
    "all": _on_condition(lambda d, p: editing.wrap(d, p, "all"), "{0}:group"),
    "not": _on_condition(lambda d, p: editing.wrap(d, p, "not"), "{0}:group"),
    "swap": _on_condition(editing.swap, "{0}:swap"),
    "unwrap": _on_condition(editing.unwrap, "add-test"),
    "form": _set_form,
    "add-part": _add_part,
    "remove-part": _on_condition(editing.drop, "save"),
}


# --- whole parts -------------------------------------------------------------------------


def _named(body: Mapping[str, Any], place: str) -> tuple[Part, Any] | None:
    part = parts.part_at(place)
    return None if part is None or not parts.stands(body, place) else (part, value_at(body, place))


def _gone(place: str) -> Asked:
    return Asked(None, [Problem(place, _("This is not there any more."), _("Choose again."))])


def _remove(body: Mapping[str, Any], place: str, _given: Mapping[str, str], _world: World) -> Asked:
    named = _named(body, place)
    if named is None:
        return _gone(place)
    document, problems = editing.drop(body, place)
    return Asked(document, problems, words=_("%(part)s removed", part=parts.title_of(*named)), focus="undo")


def _move(by: int) -> Callable[[Mapping[str, Any], str, Mapping[str, str], World], Asked]:
    def do(body: Mapping[str, Any], place: str, _given: Mapping[str, str], _world: World) -> Asked:
        named = _named(body, place)
        if named is None:
            return _gone(place)
        *_where, index = steps_of(place)
        to = int(index) + by
        document, problems = editing.move(body, place, max(to, 0))
        focus = f"{'up' if by < 0 else 'down'}-{parts.name_of(*named)}"
        return Asked(document, problems, words=_("%(part)s moved", part=parts.title_of(*named)), focus=focus)

    return do


def _copy(body: Mapping[str, Any], place: str, _given: Mapping[str, str], _world: World) -> Asked:
    named = _named(body, place)
    if named is None:
        return _gone(place)
    *where, index = steps_of(place)
    document, problems = editing.duplicate(body, place)
    words = _("%(part)s copied", part=parts.title_of(*named))
    return Asked(document, problems, place=pointer(*where, int(index) + 1), words=words, focus="label")


LISTED: Mapping[str, Callable[[Mapping[str, Any], str, Mapping[str, str], World], Asked]] = {
    "remove": _remove,
    "up": _move(-1),
    "down": _move(1),
    "copy": _copy,
}
