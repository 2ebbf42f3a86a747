"""Thresholds: the numbers of a document a manager tunes, and the document with one of them changed.

Constants of conditions, points, bands, days of steps and parameters. A place is the path of the
number in the document's JSON, written with slashes, so that a page can name it in an address.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Json

from ledger.columns import Kind
from rules.derived import kind_named
from rules.facts import dictionary_of
from rules.policies import TIMINGS
from rules.stages import POINT_OUTCOMES

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number a manager may change.

    Args:
        place: path in the document, as ``rules/0/when/all/1/2``.
        owner: key of the rule or step, name of the band or of the parameter.
        label: of that rule, step, band or parameter, as the document says it.
        fact: name of the fact it is compared with; empty for points, bands, steps and parameters.
        op: how it is compared; empty where ``fact`` is.
        kind: what it measures.
        value: now; of a parameter the latest one, from ``since``.
        low, high: inclusive range it may move in, where one is declared.
        since: ISO date from which a parameter has this value; empty for others.
    """

    place: str
    owner: str
    label: str
    fact: str
    op: str
    kind: Kind
    value: int
    low: int | None = None
    high: int | None = None
    since: str = ""


def thresholds_of(document: Mapping[str, Json]) -> list[Threshold]:
    """Every number of a checked document that can be tuned, in the order of the document.

    >>> [t.place for t in thresholds_of({"kind": "policy", "subject": "customer", "rules": [
    ...     {"key": "old", "label": "Old", "when": ["tenure_days", ">", 90], "then": {"points": 5}}]})]
    ['rules/0/when/2', 'rules/0/then/points']
    """
    if document["kind"] == "parameters":
        return [_parameter(index, one) for index, one in enumerate(document["parameters"]) if one["kind"] in _NUMBERS]
    found: list[Threshold] = []
    for index, rule in enumerate(document.get("rules", ())):
        found += _of_condition(document.get("subject", "customer"), rule, ("rules", index, "when"), rule["when"])
        for name in POINT_OUTCOMES:
            points = rule["then"].get(name)
            if _is_number(points):
                place = _written(("rules", index, "then", name))
                found.append(Threshold(place, rule["key"], _label(rule), "", "", Kind.COUNT, points))
    for index, band in enumerate(document.get("bands", ())):
        if "up_to" in band:
            place = _written(("bands", index, "up_to"))
            found.append(Threshold(place, band["risk_class"], band["risk_class"], "", "", Kind.COUNT, band["up_to"]))
    scenarios = document.get("escalation", {}).get("scenarios", {})
    for name, steps in scenarios.items():
        for index, step in enumerate(steps):
            for timing in (timing for timing in TIMINGS if timing in step):
                place = _written(("escalation", "scenarios", name, index, timing))
                found.append(Threshold(place, step["key"], _label(step), "", "", Kind.DAYS, step[timing]))
    return found


def threshold_at(document: Mapping[str, Json], place: str) -> Threshold:
    """The threshold of a place.

    Raises:
        KeyError: the document has none there.
    """
    for threshold in thresholds_of(document):
        if threshold.place == place:
            return threshold
    raise KeyError(place)


def with_threshold(document: Mapping[str, Json], place: str, value: int, from_on: str) -> dict[str, Json]:
    """The document with one number changed; the original stays as it is.

    Args:
        from_on: ISO date from which a parameter has the value; earlier values stay in its history,
            later ones are replaced.
            Of a policy the whole version holds from the day it is proposed for.

    Raises:
        KeyError: there is no threshold at this place.
    """
    threshold_at(document, place)
    changed: dict[str, Json] = json.loads(json.dumps(document))
    path = [int(part) if part.isdigit() else part for part in place.split("/")]
    if changed["kind"] == "parameters":
        _date_value(changed["parameters"][path[1]], value, from_on)
        return changed
    node: Json = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return changed


_NUMBERS = frozenset({Kind.MONEY.value, Kind.RATIO.value, Kind.DAYS.value, Kind.COUNT.value})


def _date_value(parameter: dict[str, Json], value: int, from_on: str) -> None:
    kept = [one for one in parameter["values"] if not _is_general(one) or one["from"] < from_on]
    kept.append({"from": from_on, "value": value, "segment": None})
    order = ("currency", "segment", "from")
    parameter["values"] = sorted(kept, key=lambda one: [one.get(name) or "" for name in order])


def _is_general(value: Mapping[str, Json]) -> bool:
    """Whether a value is for all segments and currencies without their own."""
    return value.get("segment") is None and value.get("currency") is None


def _parameter(index: int, parameter: Mapping[str, Json]) -> Threshold:
    latest = max((one for one in parameter["values"] if _is_general(one)), key=lambda one: str(one["from"]))
    return Threshold(
        place=_written(("parameters", index, "value")),
        owner=parameter["name"],
        label=parameter["label"],
        fact="",
        op="",
        kind=Kind(parameter["kind"]),
        value=latest["value"],
        low=parameter.get("low"),
        high=parameter.get("high"),
        since=latest["from"],
    )


def _of_condition(subject: str, rule: Mapping[str, Json], path: Path, node: Json) -> Iterator[Threshold]:
    if isinstance(node, Mapping):
        for name, below in node.items():
            parts = enumerate(below) if name in {"all", "any"} else [(None, below)]
            for index, part in parts:
                yield from _of_condition(subject, rule, (*path, name) if index is None else (*path, name, index), part)
        return
    column = dictionary_of(subject).get(node[0])
    operand = node[2] if len(node) > 2 else None
    numbers: list[tuple[Path, Json]] = [((*path, 2), operand)] if _is_number(operand) else []
    if isinstance(operand, list) and node[1] == "between":
        numbers = [((*path, 2, index), one) for index, one in enumerate(operand) if _is_number(one)]
    for place, value in numbers:
        yield Threshold(
            place=_written(place),
            owner=rule["key"],
            label=_label(rule),
            fact=node[0],
            op=node[1],
            kind=kind_named(node[0]) if column is None else column.kind,
            value=value,
            low=None if column is None else column.low,
            high=None if column is None else column.high,
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _label(part: Mapping[str, Json]) -> str:
    return str(part.get("label") or part["key"])


def _written(path: Path) -> str:
    return "/".join(str(part) for part in path)
