"""Editing: what the workbench does to a document, as pure functions on its JSON.

Each takes a document and a place (a JSON pointer, as in ``Problem.place``) and returns the changed
document, or None and the problems: a result that is no legal document is refused. The document that
was given stays as it is, its order is kept, and nothing but what stands at the place is changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Json
from typing import TypeAlias

from ledger.canonical import canonical as canonical_json
from ledger.problems import Problem
from rules import limits
from rules.derived import parse_derived
from rules.documents import parse, parse_parameters
from rules.misfits import plain_problems, shape_problems
from rules.regimes import parse_rate_table

Document: TypeAlias = Mapping[str, Json]
READERS: Mapping[str, Callable[[Document], tuple[object, list[Problem]]]] = {
    "parameters": parse_parameters,
    "derived_facts": parse_derived,
    "regime": lambda document: (document, shape_problems(document, "regime")),
    "rate_table": parse_rate_table,
    "template": lambda document: (document, plain_problems(document)),  # its texts are read by notifiers
}
Edited: TypeAlias = tuple[dict[str, Json] | None, list[Problem]]

GROUPS = ("all", "any")
LAST = "-"  # the place behind the last item of a list
RANKED = frozenset({"first", "unique", "any", "most_severe"})  # hit policies in which the order of rules matters
RANK_STEP = 10


@dataclass(frozen=True, slots=True)
class Patch:
    """The smallest change that leads from one document to another.

    Args:
        place: of a mapping's entry, or of a list.
        start, count: of a list, the items that are replaced; None of an entry.
        values: what comes instead; of an entry one value, or none when it is taken out.
    """

    place: str
    start: int | None
    count: int
    values: tuple[Json, ...]


def steps_of(place: str) -> tuple[str, ...]:
    """The steps of a pointer.

    >>> steps_of("/rules/3/when")
    ('rules', '3', 'when')
    """
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:])


def pointer(*steps: str | int) -> str:
    """A pointer of its steps."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def within(place: str) -> tuple[str, str]:
    """A place as its parent's place and its own step.

    >>> within("/rules/3")
    ('/rules', '3')
    """
    *parent, last = steps_of(place) or ("",)  # the document itself has no parent: nothing is found there
    return pointer(*parent), last


def value_at(document: Document, place: str) -> Json:
    """What stands at a place.

    Raises:
        KeyError: nothing stands there.
    """
    node: Json = document
    for step in steps_of(place):
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isascii() and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            raise KeyError(place)
    return node


# --- any place ---------------------------------------------------------------------------


def put(document: Document, place: str, value: Json) -> Edited:
    """Put a value at a place, in place of what stands there; a mapping may get a new entry."""

    def change(parent: Json, step: str) -> Json:
        if isinstance(parent, Mapping):
            return {**parent, step: value}
        number = _index(parent, step)
        return [*parent[:number], value, *parent[number + 1 :]]

    return _changed(document, place, change)


def drop(document: Document, place: str) -> Edited:
    """Take an entry out of its mapping, or an item out of its list."""

    def change(parent: Json, step: str) -> Json:
        if isinstance(parent, Mapping):
            if step not in parent:
                raise KeyError(step)
            return {name: value for name, value in parent.items() if name != step}
        number = _index(parent, step)
        return [*parent[:number], *parent[number + 1 :]]

    return _changed(document, place, change)


def insert(document: Document, place: str, value: Json) -> Edited:
    """Put a value into a list, before the item at the place; ``-`` stands behind the last."""

    def change(parent: Json, step: str) -> Json:
        if not isinstance(parent, list):
            raise KeyError(step)
        number = len(parent) if step == LAST else _index([*parent, None], step)
        return [*parent[:number], value, *parent[number:]]

    return _changed(document, place, change)


def replaced(document: Document) -> Edited:
    """A whole document in place of another."""
    return _checked(dict(document))


def move(document: Document, place: str, to: int) -> Edited:
    """Move an item of a list to another index.

    Rules keep the priorities of the positions, so that what decides first follows the order that is
    read; where two would have the same, all are numbered anew.
    """
    where, _step = within(place)

    def change(parent: Json, step: str) -> Json:
        number = _index(parent, step)
        _index(parent, str(to))
        moved = [*parent[:number], *parent[number + 1 :]]
        moved.insert(to, parent[number])
        return _ranked(parent, moved) if where == "/rules" and document["hit"] in RANKED else moved

    return _changed(document, place, change)


def _ranked(before: Sequence[Json], moved: Sequence[Json]) -> list[Json]:
    """Moved rules with the priorities of their positions, where the document's order is the order of rank."""
    rank = [(rule.get("priority", 0), rule["key"]) for rule in before]
    if rank != sorted(rank):
        return list(moved)
    priorities = [priority for priority, _key in rank]
    if len(set(priorities)) < len(priorities):
        priorities = [RANK_STEP * (index + 1) for index in range(len(moved))]
    return [
        rule if rule.get("priority", 0) == priority else {**rule, "priority": priority}
        for rule, priority in zip(moved, priorities, strict=True)
    ]


def duplicate(document: Document, place: str) -> Edited:
    """Put a copy of a rule, step or case behind it, under a key or name of its own."""
    where, step = within(place)
    try:
        item = value_at(document, place)
    except KeyError:
        return None, [_gone(place)]
    word = "name" if isinstance(item, Mapping) and "name" in item else "key"
    if not isinstance(item, Mapping) or word not in item or not step.isdigit():
        return None, [Problem(place, "only a rule, a step or a case can be copied", "choose one")]
    taken = names_in(document, word)
    copy = {**item, word: unused(item[word], taken)}
    return insert(document, f"{where}/{int(step) + 1}", copy)


def names_in(document: Document, word: str) -> set[str]:
    """The keys of all rules and steps (``key``), or the names of all cases (``name``)."""
    steps = [step for part in document.get("escalation", {}).get("scenarios", {}).values() for step in part]
    parts = document.get("cases", ()) if word == "name" else [*document.get("rules", ()), *steps]
    return {part[word] for part in parts}


def unused(wanted: str, taken: set[str]) -> str:
    """A name that is not taken yet.

    >>> unused("old", {"old", "old-2"})
    'old-3'
    """
    number, found = 2, wanted
    while found in taken:
        found = f"{wanted[:55]}-{number}"
        number += 1
    return found


def add_rule(document: Document, label: str, key: str, when: Json, then: Document) -> Edited:
    """Put a new rule behind the last one, under a key of its own, decided after all others."""
    rules = document.get("rules", [])
    last = max((rule.get("priority", 0) for rule in rules), default=0)
    rule = {"key": unused(key, names_in(document, "key")), "label": label, "when": when, "then": dict(then)}
    return insert(document, f"/rules/{LAST}", {**rule, "priority": min(last + RANK_STEP, limits.PRIORITY)})


def add_cases(document: Document, cases: Sequence[Document]) -> Edited:
    """Put cases behind those there are, each under a name of its own."""
    known = [*document.get("cases", ())]
    for case in cases:
        known.append({**case, "name": unused(case["name"], {one["name"] for one in known})})
    return put(document, "/cases", known)


# --- conditions --------------------------------------------------------------------------


def add_test(document: Document, place: str, test: Json) -> Edited:
    """Add a test to a group; beside a single test, so that both must hold; or where there is none yet."""
    try:
        node = value_at(document, place)
    except KeyError:
        return put(document, place, test)
    word = word_of(node)
    if word in GROUPS:
        return put(document, place, {word: [*node[word], test]})
    where, step = within(place)
    _parent, group = within(where)
    if group in GROUPS and step.isdigit():
        return insert(document, f"{where}/{int(step) + 1}", test)
    return put(document, place, {"all": [node, test]})


def remove_test(document: Document, place: str) -> Edited:
    """Take a test or a group out of its group, and an emptied group or a ``not`` of nothing with it."""
    while True:
        where, step = within(place)
        parent, word = within(where)
        if step == "not":
            place = where
        elif word in GROUPS and step.isdigit():
            try:
                siblings = value_at(document, where)
            except KeyError:
                return None, [_gone(place)]
            if len(siblings) > 1:
                return drop(document, place)
            place = parent
        elif step == "unless" or (step == "when" and steps_of(place)[0] == "escalation"):
            return drop(document, place)
        else:
            return None, [Problem(place, "a rule needs at least one test", "change it, or remove the whole rule")]


def wrap(document: Document, place: str, word: str) -> Edited:
    """Put what stands at a place into a group of its own (``all``, ``any``), or negate it (``not``)."""
    try:
        node = value_at(document, place)
    except KeyError:
        return None, [_gone(place)]
    return put(document, place, {"not": node} if word == "not" else {word: [node]})


def swap(document: Document, place: str) -> Edited:
    """Make ``all`` of a group ``any``, or the other way round."""
    try:
        node = value_at(document, place)
    except KeyError:
        return None, [_gone(place)]
    word = word_of(node)
    if word not in GROUPS:
        return None, [Problem(place, "this is no group", "choose a group")]
    return put(document, place, {"any" if word == "all" else "all": node[word]})


def unwrap(document: Document, place: str) -> Edited:
    """Take a group's parts out of it: into the group around it, or alone in its place."""
    try:
        node = value_at(document, place)
    except KeyError:
        return None, [_gone(place)]
    word = word_of(node)
    if word == "":
        return None, [Problem(place, "this is no group", "choose a group")]
    parts = [node["not"]] if word == "not" else node[word]
    if len(parts) == 1:
        return put(document, place, parts[0])
    where, step = within(place)
    if within(where)[1] not in GROUPS or not step.isdigit():
        return None, [Problem(place, "a group of several tests stands alone here", "remove the others first")]

    def change(parent: Json, own: str) -> Json:
        number = _index(parent, own)
        return [*parent[:number], *parts, *parent[number + 1 :]]

    return _changed(document, place, change)


def word_of(node: Json) -> str:
    """``all``, ``any`` or ``not`` of a group; empty for a test."""
    return next((word for word in (*GROUPS, "not") if isinstance(node, Mapping) and word in node), "")


# --- back again --------------------------------------------------------------------------


def patch_of(before: Document, after: Document) -> Patch | None:
    """The smallest patch that leads from one document to the other; None for equal ones."""
    return _patch((), before, after) if _unlike(before, after) else None


def _patch(steps: tuple[str | int, ...], before: Json, after: Json) -> Patch:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in dict.fromkeys([*before, *after]) if _other(before, after, name)]
        if len(names) == 1:
            (name,) = names
            if name not in after:
                return Patch(pointer(*steps, name), None, 0, ())
            if name not in before or type(before[name]) is not type(after[name]):
                return Patch(pointer(*steps, name), None, 0, (after[name],))
            return _patch((*steps, name), before[name], after[name])
    if isinstance(before, list) and isinstance(after, list):
        return _list_patch(steps, before, after)
    return Patch(pointer(*steps), None, 0, (after,))


def _other(before: Document, after: Document, name: str) -> bool:
    return (name in before) != (name in after) or _unlike(before.get(name), after.get(name))


def _unlike(one: Json, other: Json) -> bool:
    """Unequal as JSON: true is not 1, and the order of a mapping says nothing."""
    return canonical_json(one) != canonical_json(other)


def _list_patch(steps: tuple[str | int, ...], before: list[Json], after: list[Json]) -> Patch:
    start, shorter = 0, min(len(before), len(after))
    while start < shorter and not _unlike(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and not _unlike(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) == len(new) == 1 and isinstance(old[0], Mapping | list) and type(old[0]) is type(new[0]):
        return _patch((*steps, start), old[0], new[0])
    return Patch(pointer(*steps), start, len(old), tuple(new))


def patched(document: Document, patch: Patch) -> Edited:
    """The document with a patch applied."""
    if patch.start is None:
        if not patch.place:
            return _checked(dict(patch.values[0]))
        return put(document, patch.place, patch.values[0]) if patch.values else drop(document, patch.place)
    start, count = patch.start, patch.count
    try:
        items = value_at(document, patch.place)
    except KeyError:
        return None, [_gone(patch.place)]
    return put(document, patch.place, [*items[:start], *patch.values, *items[start + count :]])


# --- below -------------------------------------------------------------------------------


def _changed(document: Document, place: str, change: Callable[[Json, str], Json]) -> Edited:
    """The document with the parent of a place changed; all beside the way there stays the same."""
    *way, last = steps_of(place) or ("",)
    try:
        changed = _along(document, tuple(way), lambda parent: change(parent, last))
    except (KeyError, TypeError):
        return None, [_gone(place)]
    return _checked(changed)


def _along(node: Json, way: tuple[str, ...], change: Callable[[Json], Json]) -> Json:
    if not way:
        return change(node)
    step, rest = way[0], way[1:]
    if isinstance(node, Mapping):
        return {**node, step: _along(node[step], rest, change)}
    number = _index(node, step)
    return [*node[:number], _along(node[number], rest, change), *node[number + 1 :]]


def _index(items: Json, step: str) -> int:
    if not isinstance(items, list) or not (step.isascii() and step.isdigit()) or int(step) >= len(items):
        raise KeyError(step)
    return int(step)


def _checked(document: dict[str, Json]) -> Edited:
    read = READERS.get(str(document.get("kind")), parse)
    problems = read(document)[1]
    return (None, problems) if problems else (document, [])


def _gone(place: str) -> Problem:
    return Problem(place, "nothing stands here any more", "reload the page and choose again")
