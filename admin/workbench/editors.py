"""The open part as its template draws it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import gettext as _

from admin import formatting, measures
from admin.letter_templates import steps_may_name
from admin.versions import visible_entities
from admin.wording import channel_words, hit_words, paper_words
from admin.workbench import parts
from admin.workbench.asked import Asked
from admin.workbench.fields import Choice, Drawing
from admin.workbench.reading import AFTER, BEFORE, column_of
from admin.workbench.world import World
from engine.access import ROLES
from ledger.columns import Column, Kind
from rules import offers
from rules.policies import ATTACHMENTS, CHANNELS, TIMINGS, WORK_CHANNELS
from rules.stages import STAGE


def part_shown(world: World, asked: Asked) -> dict[str, Any] | None:
    """The fields of the open part; None where none is open."""
    part = parts.part_at(asked.place) if asked.place else None
    if part is None:
        return None
    refused = asked.document is None and asked.part is not None
    if not refused and not parts.stands(asked.document or world.body, asked.place):
        return None
    value = asked.part if refused else parts.value_of(asked.document or world.body, asked.place)
    drawing = Drawing(world, asked.place, asked.given if refused else {}, asked.wrong)
    named = asked.given.get("of", "") if refused else part.named(value)
    shown = {
        "name": part.name,
        "title": part.title(value),
        "of": named,
        "id": keyed(named) or part.name,
        "place": asked.place,
        "value": value,
        "wrong": asked.wrong,
    }
    return {**shown, **DRAWN[part.name](drawing, value)}


def _rule(drawing: Drawing, value: Any) -> dict[str, Any]:
    return {"condition": drawing.condition(value["when"]), "effects": drawing.effects(value["then"])}


def _otherwise(drawing: Drawing, value: Any) -> dict[str, Any]:
    return {"effects": drawing.effects(value["then"])}


def _head(drawing: Drawing, _value: Any) -> dict[str, Any]:
    stage = STAGE[drawing.world.stage]
    return {
        "hits": [(hit, hit_words(hit)) for hit in stage.hits],
        "entities": [("", _("all entities")), *((one.code, one.name) for one in visible_entities())],
        "subjects": [("customer", _("customers")), ("invoice", _("invoices"))],
    }


def _bands(drawing: Drawing, value: Any) -> dict[str, Any]:
    def up_to(band: Mapping[str, Any]) -> str:
        return measures.number_text(band["up_to"], Kind.COUNT, "") if "up_to" in band else ""

    given = drawing.given
    return {
        "bands": [
            (index, given.get(f"{index}:risk_class", band["risk_class"]), given.get(f"{index}:up_to", up_to(band)))
            for index, band in enumerate(value)
        ]
    }


def _terms(drawing: Drawing, value: Any) -> dict[str, Any]:
    facts, world = drawing.world.facts, drawing.world

    def bound(name: str, fact: str) -> Choice:
        named = offers.comparable_parameters(facts[fact], world.parameters, world.stage)
        return drawing.choice(name, value[name], facts[fact], named, ())

    choosers = [(name, _(one.label)) for name, one in facts.items() if one.kind in {Kind.CODE, Kind.ENUM}]
    return {
        "bounds": [
            (_("Not dunned up to"), bound("tolerance", "overdue_net_minor")),
            (_("No step begins below"), bound("minimum", "overdue_net_minor")),
            (_("Between two contacts at least"), bound("minimum_days", "leader_days_past_due")),
        ],
        "choosers": choosers,
        "mapped": [(old, str(new)) for old, new in [*value.get("mapping", {}).get("steps", {}).items(), ("", "")]],
        "mapped_levels": [
            (old, str(new)) for old, new in [*value.get("mapping", {}).get("levels", {}).items(), ("", "")]
        ],
        "steps": [("", ""), *rules_named(world.body)],
        "condition": drawing.condition(value["unless"], "unless") if "unless" in value else None,
    }


def _step(drawing: Drawing, value: Any) -> dict[str, Any]:
    given = drawing.given
    channels = [(channel, channel_words(channel)) for channel in CHANNELS]
    timing, days = timing_of(value)
    return {
        "days": given.get("days", str(days)),
        "timing": given.get("timing", timing),
        "timings": timings(),
        "level": given.get("level", str(value.get("level", ""))),
        "channels": channels,
        "otherwise": [*value.get("otherwise", ()), ""],
        "ways": [(channel, words) for channel, words in channels if channel not in WORK_CHANNELS],
        "papers": [(name, paper_words(name), name in value.get("attach", ())) for name in ATTACHMENTS],
        "condition": drawing.condition(value["when"]) if "when" in value else None,
        "templates": sorted(steps_may_name()),
        "owners": [(role, formatting.title(role)) for role in ROLES],
    }


def timings() -> list[tuple[str, str]]:
    """What the days of a step are counted from."""
    return [
        (BEFORE, _("days before the due date")),
        (AFTER, _("days after the due date")),
        ("end_of_month", _("days after the due date, then to the end of that month")),
        ("after_previous", _("days after the step before was done")),
    ]


def timing_of(step: Mapping[str, Any]) -> tuple[str, int]:
    """What the days of a step are counted from, and how many they are."""
    timing = next(name for name in TIMINGS if name in step)
    side = timing if timing != "days" else BEFORE if step["days"] < 0 else AFTER
    return side, abs(step[timing])


def _case(drawing: Drawing, value: Any) -> dict[str, Any]:
    world, parameters = drawing.world, drawing.world.parameters
    outcomes = STAGE[world.stage].outcomes
    expect = value.get("expect", {})
    fixed = value.get("parameters", {})
    return {
        "facts": [
            (name, _(world.column(name).label), stated(drawing, f"facts/{name}", one, world.column(name)))
            for name, one in value["facts"].items()
        ],
        "expects": [
            (
                _(column.label),
                stated(drawing, f"expect/{column.name}", expect.get(column.name, ...), column, asked=True),
            )
            for column in outcomes
        ],
        "rules": [("", _("whichever")), *rules_named(world.body), ("otherwise", _("Otherwise"))],
        "fixed": [
            (name, _(column.label), stated(drawing, f"parameters/{name}", one, column))
            for name, one in fixed.items()
            for column in [column_of(parameters[name]) if name in parameters else _unknown(name, one)]
        ],
        "free": [(name, _(one.label)) for name, one in parameters.items() if name not in fixed],
    }


def _unknown(name: str, value: Any) -> Column:
    """A parameter that there is no more, by the kind of its value."""
    kind = Kind.BOOL if isinstance(value, bool) else Kind.COUNT if isinstance(value, int) else Kind.CODE
    return Column(name=name, kind=kind, label=name, meaning="")


def rules_named(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rules or steps of a draft: key and label."""
    steps = [step for part in body.get("escalation", {}).get("scenarios", {}).values() for step in part]
    return [(one["key"], _(str(one.get("label") or one["key"]))) for one in [*body.get("rules", ()), *steps]]


def stated(drawing: Drawing, name: str, value: Any, column: Column, *, asked: bool = False) -> Choice:
    """A value of a case: fixed, unknown, or (of an outcome that is ``asked``) not stated."""
    absent = value is ... or value is None
    first = True if column.kind is Kind.BOOL else "" if column.unit is None else 0
    shown = drawing.choice(name, first if absent else value, column, (), ())
    ((head, options),) = shown.options[:1]
    more = [("null", _("unknown"))] if column.nullable or value is None else []
    none = [("none", _("not stated"))] if asked else []
    chosen = {None: "null", ...: "none"}.get(value) if absent else shown.chosen
    text = "" if absent else shown.text
    values = {**shown.__dict__, "options": ((head, (*none, *options, *more)), *shown.options[1:])}
    values |= {"chosen": drawing.given.get(f"{name}:as", chosen), "text": drawing.given.get(f"{name}:value", text)}
    return Choice(**values)


DRAWN: Mapping[str, Callable[[Drawing, Any], dict[str, Any]]] = {
    "head": _head,
    "rule": _rule,
    "otherwise": _otherwise,
    "bands": _bands,
    "terms": _terms,
    "step": _step,
    "case": _case,
}


def keyed(name: str) -> str:
    """A name as a part of an element's id.

    >>> keyed("class D is risky")
    'class-D-is-risky'
    """
    return re.sub(r"[^0-9A-Za-z_.-]+", "-", name)
