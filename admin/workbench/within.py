"""What is done within the open part of a draft, after what its form says has been taken over."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from flask_babel import gettext as _

from admin.workbench.asked import Asked
from admin.workbench.trials import answered
from admin.workbench.world import World
from ledger.columns import Kind
from ledger.problems import Problem
from rules import editing, offers
from rules.editing import Edited, value_at
from rules.facts import empty_row

Within: TypeAlias = Callable[[Asked, str, Mapping[str, str], World], None]


def _add_test(asked: Asked, target: str, given: Mapping[str, str], world: World) -> None:
    fact = given.get("fact", "")
    column = world.column(fact)
    test = offers.first_test(column, world.codes_of(fact))
    where = f"{asked.place}/{target}"
    before = _named_tests(asked.document, asked.place)
    asked.then(editing.add_test(asked.document or {}, where, test), "")
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
    same = (was.kind, was.values) == (column.kind, column.values) and was.kind is not Kind.CODE
    changed = [fact, *test[1:]] if same else offers.first_test(column, world.codes_of(fact))
    asked.then(editing.put(document, where, changed), f"{target}:op")


def _on_condition(change: Callable[[Mapping[str, Any], str], Edited], focus: str) -> Within:
    def do(asked: Asked, target: str, _given: Mapping[str, str], _world: World) -> None:
        edited = change(asked.document or {}, f"{asked.place}/{target}")
        asked.then(edited, focus.format(target))

    return do


def _set_form(asked: Asked, target: str, given: Mapping[str, str], world: World) -> None:
    """Give an effect another form, keeping what it says where the new form can hold it."""
    document, where = asked.document or {}, f"{asked.place}/{target}"
    column = world.column(target.split("/")[1])
    form = given.get(f"{target}:form!", "none")
    then, own = editing.within(where)
    now = value_at(document, then).get(own, ...) if target.count("/") == 1 else value_at(document, where)
    if form == "none":
        asked.then(editing.drop(document, where) if now is not ... else (dict(document), []), f"{target}:form!")
        return
    kept = offers.first_effect(column, world.codes_of(column.name)) if now is ... or now is None else now
    asked.then(editing.put(document, where, _formed(form, kept, column.name, world)), f"{target}:form!")


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
    asked.then(edited, f"{target}/{len(items)}:form!")


# --- cases -------------------------------------------------------------------------------


def _add_fact(asked: Asked, _target: str, given: Mapping[str, str], world: World) -> None:
    name = given.get("fact", "")
    column = world.column(name)
    row = empty_row({name: column})
    value = row[name] if column.unit is not None or column.kind is Kind.BOOL else None
    if value is None and not column.nullable:
        value = (column.values or world.codes_of(name) or ("?",))[0]
    edited = editing.put(asked.document or {}, f"{asked.place}/facts{editing.pointer(name)}", value)
    asked.then(edited, f"facts/{name}:as")


def _add_parameter(asked: Asked, _target: str, given: Mapping[str, str], world: World) -> None:
    name = given.get("new-parameter", "")
    if name not in world.parameters:
        asked.document, asked.problems = None, [Problem("", _("There is no such parameter."), _("Choose one."))]
        return
    now = world.parameters[name].values[-1].value
    case = value_at(asked.document or {}, asked.place)
    fixed = {**case.get("parameters", {}), name: now}
    asked.then(editing.put(asked.document or {}, f"{asked.place}/parameters", fixed), f"parameters/{name}:value")


def _take(asked: Asked, _target: str, _given: Mapping[str, str], world: World) -> None:
    """Expect what the case gives now."""
    document = asked.document or {}
    index = int(asked.place.split("/")[-1])
    case, problems = answered(document, world, index)
    edited: Edited = (None, problems) if case is None else editing.put(document, asked.place, case)
    asked.then(edited, "save")


WITHIN: Mapping[str, Within] = {
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
    "add-fact": _add_fact,
    "remove-fact": _on_condition(editing.drop, "add-fact"),
    "add-parameter": _add_parameter,
    "remove-parameter": _on_condition(editing.drop, "add-parameter"),
    "take": _take,
}
