"""The form of a parameter: its words, its range, and its values by day and by segment."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_babel import gettext as _

from admin import formatting, gate, measures, parameters
from admin.versions import in_force
from admin.workbench.listed import Surroundings, copied, name_from
from admin.workbench.world import codes_in
from engine.tables import Entity
from ledger.columns import Kind
from rules.documents import parse_parameters
from rules.formula_words import kind_words
from rules.policies import Parameter
from rules.words import Voice

NUMBERS = (Kind.MONEY, Kind.RATIO, Kind.DAYS, Kind.COUNT)
KINDS = (*NUMBERS, Kind.BOOL, Kind.CODE)
ROWS_MAX = 500
CURRENCY = re.compile("[A-Z]{3}")


class FiguresForm:
    """Parameters on their desk."""

    items = "parameters"
    template = "console/workbench/_figure.html"

    def read(
        self, given: Mapping[str, str], item: Mapping[str, Any] | None, at: Surroundings
    ) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """The parameter a form says. A row of values without anything in it is none."""
        wrong = {name: _("Write something here.") for name in ("label", "meaning") if not given.get(name, "").strip()}
        known = {kind.value: kind for kind in KINDS}
        kind = Kind(item["kind"]) if item else known.get(given.get("kind", ""), Kind.MONEY)
        figure: dict[str, Any] = copied(item) if item else {"name": _name(given.get("label", ""), at)}
        if not figure["name"]:
            wrong.setdefault("label", _("Give it a name with letters."))
        figure |= {
            "kind": kind.value,
            "label": given.get("label", "").strip(),
            "meaning": given.get("meaning", "").strip(),
        }
        for end in ("low", "high"):
            figure.pop(end, None)
            if kind in NUMBERS and given.get(end, "").strip():
                figure[end] = _read(given[end], kind, at.currency, end, wrong)
        removed = given.get("do", "").partition("remove-value:")[2]
        figure["values"] = self._values(given, kind, at.currency, wrong, removed)
        if not figure["values"] and "v0:value" not in wrong:
            wrong["new:value"] = _("Give it a value from a day on.")
        ordered = {name: figure[name] for name in ORDER if name in figure}
        return (None, wrong) if wrong else (ordered, {})

    def _values(
        self, given: Mapping[str, str], kind: Kind, currency: str, wrong: dict[str, str], removed: str
    ) -> list[dict[str, Any]]:
        rows = [f"v{number}" for number in range(ROWS_MAX) if f"v{number}:value" in given]
        found = []
        for row in [*rows, "new"]:
            text, day = given.get(f"{row}:value", "").strip(), given.get(f"{row}:from", "").strip()
            if row == removed or (row == "new" and not text):
                continue
            try:
                date.fromisoformat(day)
            except ValueError:
                wrong[f"{row}:from"] = _("This is not a date: choose a day.")
            own = given.get(f"{row}:currency", "").strip().upper() if kind is Kind.MONEY else ""
            if own and not CURRENCY.fullmatch(own):
                wrong[f"{row}:currency"] = _("This is no currency: write its three letters.")
            value = _read(text, kind, own or currency, f"{row}:value", wrong)
            dated = {"from": day, "value": value, "segment": given.get(f"{row}:segment", "").strip() or None}
            found.append(dated | ({"currency": own} if own else {}))
        return sorted(found, key=lambda one: (one.get("currency", ""), one["segment"] or "", one["from"]))

    def lines(self, at: Surroundings) -> list[dict[str, Any]]:
        """The parameters of the draft with what holds today and what comes."""
        parsed, _problems = parse_parameters(at.body)
        uses = parameters.parameter_uses([*in_force("policy"), *in_force("derived_facts")])
        today = gate.runtime().today(at.row.entity)
        found = []
        for index, figure in enumerate(parsed.parameters if parsed else ()):
            now = figure.at(today, at.currency)
            found.append(
                {
                    "place": f"/parameters/{index}",
                    "label": _(figure.label),
                    "meaning": _(figure.meaning),
                    "words": "—" if now is None else _words(now.value, figure.kind, at.currency),
                    "measures": kind_shown(figure.kind),
                    "stage": "",
                    "uses": uses.get(figure.name, ()),
                    "range": _range(figure, at.currency),
                    "by_segment": [
                        (formatting.title(name), _words(value, figure.kind, at.currency))
                        for name, value in (now.by_segment if now else ())
                    ],
                    "coming": [
                        (one.from_day, _words(one.value, figure.kind, one.currency or at.currency), one.segment)
                        for one in figure.values
                        if one.from_day > today
                    ],
                }
            )
        return found

    def fields(self, item: Mapping[str, Any] | None, given: Mapping[str, str], at: Surroundings) -> dict[str, Any]:
        """The open parameter: what was typed, else what is kept."""
        kept: dict[str, str] = {}
        kind = Kind(item["kind"]) if item else Kind.MONEY
        if item is not None:
            kept = {name: str(item[name]) for name in ("label", "meaning", "kind")}
            for end in ("low", "high"):
                kept[end] = _text(item[end], kind, at.currency) if end in item else ""
            for number, one in enumerate(item["values"]):
                kept[f"v{number}:from"] = one["from"]
                kept[f"v{number}:currency"] = one.get("currency") or ""
                kept[f"v{number}:value"] = _text(one["value"], kind, one.get("currency") or at.currency)
                kept[f"v{number}:segment"] = one.get("segment") or ""
        values = {**kept, **given}
        uses = parameters.parameter_uses([*in_force("policy"), *in_force("derived_facts")])
        return {
            "values": values,
            "name": item["name"] if item else "",
            "kind": kind,
            "unit": measures.unit_of(kind, at.currency) if item else "",
            "rows": [f"v{number}" for number in range(ROWS_MAX) if f"v{number}:value" in values],
            "kinds": [(one.value, kind_shown(one)) for one in KINDS],
            "numeric": kind in NUMBERS,
            "currencies": sorted({one.currency for one in Entity.select(Entity.currency)})
            if kind is Kind.MONEY
            else (),
            "segments": codes_in(bodies_in_force()).get("segment", ()),
            "uses": uses.get(item["name"], ()) if item else (),
            "today": formatting.iso(gate.runtime().today(at.row.entity)),
        }


ORDER = ("name", "kind", "label", "meaning", "low", "high", "values")


def bodies_in_force() -> list[dict[str, Any]]:
    """The policies that hold today."""
    return [parameters.body_of(one) for one in in_force("policy")]


def kind_shown(kind: Kind) -> str:
    """What a parameter may measure."""
    if kind in NUMBERS:
        return kind_words(kind, Voice(say=_))
    return _("Yes or no") if kind is Kind.BOOL else _("Code")


def _name(label: str, at: Surroundings) -> str:
    taken = {one["name"] for one in at.body["parameters"]} | set(at.parameters)
    plain, number = name_from(label), 1
    found = plain if plain[:1].isalpha() else f"p_{plain}" if plain else ""
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    return found


def _range(figure: Parameter, currency: str) -> str:
    return measures.range_words(figure.low, figure.high, figure.kind, currency) if figure.kind in NUMBERS else ""


def _words(value: Any, kind: Kind, currency: str) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return measures.number_words(value, kind, currency) if isinstance(value, int) else str(value)


def _text(value: Any, kind: Kind, currency: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return measures.number_text(value, kind, currency) if isinstance(value, int) else str(value)


def _read(text: str, kind: Kind, currency: str, name: str, wrong: dict[str, str]) -> Any:
    """A value in human units; what cannot be read is noted under its field."""
    if kind is Kind.BOOL:
        if text not in {"yes", "no"}:
            wrong[name] = _("Choose yes or no.")
        return text == "yes"
    if kind is Kind.CODE:
        if not text:
            wrong[name] = _("Write something here.")
        return text
    value = measures.read_number(text, kind, currency)
    if value is None:
        wrong[name] = _("This cannot be read: write a number such as %(n)s.", n=measures.example_of(kind, currency))
    return value
