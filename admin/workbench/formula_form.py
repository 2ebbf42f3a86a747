"""The form of a derived fact: its formula as it is typed, what it gives, and single customers' values."""

from collections.abc import Mapping
from typing import Any

from babel.numbers import get_decimal_symbol
from flask_babel import gettext as _

from admin import derived_facts, formatting, gate, measures
from admin.versions import governed, sees_whole, visible_entities
from admin.workbench.listed import Surroundings, copied, name_from
from engine.commands import Invalid
from engine.derived_preview import Preview, largest_customers, previews
from engine.editions import Unusable
from engine.tables import Customer
from ledger.columns import Column, Kind
from ledger.problems import Problem
from rules.derived import PREFIX, SUFFIXES, parse_derived
from rules.facts import DerivedColumn
from rules.formula_proofs import Prover
from rules.formula_text import Tongue, read_formula, short_names
from rules.formula_words import derived_words, kind_words
from rules.formula_writing import write_formula
from rules.formulas import DerivedFact, formula_of
from rules.schema import ROUNDINGS
from rules.stages import STAGE
from rules.words import Voice, value_words

SHOWN_MAX = 3  # customers a value is shown of, beside the one that is asked for
TRIED = PREFIX + "tried"


class FormulaForm:
    """Derived facts on their desk."""

    items = "facts"
    template = "console/workbench/_formula.html"

    def read(
        self, given: Mapping[str, str], item: Mapping[str, Any] | None, at: Surroundings
    ) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """The derived fact a form says; what it measures follows from its formula."""
        wrong = {name: _("Write something here.") for name in ("label", "meaning") if not given.get(name, "").strip()}
        formula, faults = read_formula(given.get("formula", ""), tongue_of(at, item))
        if faults:
            wrong["formula"] = f"{faults[0].what}. {faults[0].cure}"
        rounding = given.get("rounding", "down")
        fact: dict[str, Any] = copied(item) if item else {}
        fact |= {"label": given.get("label", "").strip(), "meaning": given.get("meaning", "").strip()}
        fact |= {"formula": formula, "rounding": rounding if rounding in ROUNDINGS else "down"}
        if wrong:
            return None, wrong
        kind = kind_of(formula, at)
        if item is None:
            if isinstance(kind, Problem):
                return None, {"formula": f"{kind.what}. {kind.cure}"}
            fact["kind"] = kind.value
            fact["name"] = _name(fact["label"], kind, at)
            if fact["name"].removeprefix(PREFIX).removesuffix(SUFFIXES.get(kind, "")) == "":
                return None, {"label": _("Give it a name with letters.")}
        for end in ("low", "high"):
            fact.pop(end, None)
            if given.get(end, "").strip():
                value = measures.read_number(given[end], Kind(fact["kind"]), at.currency)
                if value is None:
                    example = measures.example_of(Kind(fact["kind"]), at.currency)
                    wrong[end] = _("This cannot be read: write a number such as %(n)s.", n=example)
                else:
                    fact[end] = value
        ordered = {name: fact[name] for name in ORDER if name in fact}
        return (None, wrong) if wrong else (ordered, {})

    def lines(self, at: Surroundings) -> list[dict[str, Any]]:
        """The facts of the draft in words."""
        parsed, _problems = parse_derived(at.body)
        uses = derived_facts.fact_uses([*derived_facts.in_force("policy"), at.row])
        found = []
        for index, fact in enumerate(parsed.facts if parsed else ()):
            column = at.dictionary.get(fact.name)
            found.append(
                {
                    "place": f"/facts/{index}",
                    "label": _(fact.label),
                    "meaning": _(fact.meaning),
                    "words": measures.trimmed(derived_words(fact, voice_of(at))),
                    "measures": kind_words(fact.kind, voice_of(at)),
                    "stage": _(STAGE[column.ready].label) if isinstance(column, DerivedColumn) else "",
                    "uses": uses.get(fact.name, ()),
                }
            )
        return found

    def fields(self, item: Mapping[str, Any] | None, given: Mapping[str, str], at: Surroundings) -> dict[str, Any]:
        """The open fact: what was typed, else what is kept."""
        kind = Kind(item["kind"]) if item else None
        kept = {} if item is None else {name: str(item[name]) for name in ("label", "meaning", "rounding")}
        if item is not None:
            kept["formula"] = write_formula(formula_of(item["formula"]), tongue_of(at, item))
            for end in ("low", "high"):
                kept[end] = measures.number_text(item[end], Kind(item["kind"]), at.currency) if end in item else ""
        return {
            "values": {**kept, **given},
            "name": item["name"] if item else "",
            "unit": measures.unit_of(kind, at.currency) if kind else "",
            "uses": derived_facts.fact_uses([*derived_facts.in_force("policy"), at.row]).get(item["name"], ())
            if item
            else (),
            "roundings": [
                ("down", _("down")),
                ("up", _("up")),
                ("half_even", _("to the nearest, halves to the even number")),
            ],
            "offers": offers_of(at, item),
            "checked": checked(given if given.get("formula") else kept, item, at),
        }


ORDER = ("name", "kind", "label", "meaning", "formula", "rounding", "low", "high")


def _name(label: str, kind: Kind, at: Surroundings) -> str:
    """A name that is not taken, from the label."""
    taken, suffix = {*at.dictionary, *(one["name"] for one in at.body["facts"])}, SUFFIXES.get(kind, "")
    plain, number = name_from(label), 1
    found = f"{PREFIX}{plain}{suffix}"
    while found in taken:
        number += 1
        found = f"{PREFIX}{plain}_{number}{suffix}"
    return found


def kind_of(formula: Any, at: Surroundings) -> Kind | Problem:
    """What a formula measures, or why that cannot be said."""
    prover = Prover(at.dictionary, at.parameters, "down")
    proof = prover.prove(formula_of(formula), "/formula")
    return prover.problems[0] if proof is None else proof.kind


def voice_of(at: Surroundings) -> Voice:
    """How things are said here: the draft's own facts by their labels."""
    return Voice(
        say=_,
        currency=at.currency,
        language=str(formatting.locale().language),
        dictionary=at.dictionary,
        parameters=at.parameters,
    )


def tongue_of(at: Surroundings, item: Mapping[str, Any] | None) -> Tongue:
    """What names mean where the formula of an item is typed; it cannot name itself."""
    own = item["name"] if item else ""
    facts = {name: column for name, column in at.dictionary.items() if name != own}
    for fact in at.body["facts"]:  # those that are not sound may be named, and are found wrong themselves
        if fact["name"] not in facts and fact["name"] != own:
            facts[fact["name"]] = Column(
                name=fact["name"],
                kind=Kind(fact["kind"]),
                nullable=True,
                label=fact["label"],
                meaning=fact["meaning"],
            )

    def label(name: str) -> str:
        known = at.parameters.get(name) or facts.get(name)
        return name if known is None else _(known.label)

    decimal = "," if get_decimal_symbol(formatting.locale()) == "," else "."
    return Tongue(facts, at.parameters, label, at.currency, decimal)


def offers_of(at: Surroundings, item: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """What can be named in a formula: what is typed, its label, its meaning."""
    tongue = tongue_of(at, item)
    short = {name: one for one, name in short_names(tongue.facts).items()}
    found = [
        {
            "type": short.get(name, name),
            "label": _(column.label),
            "meaning": _(column.meaning),
            "unit": unit_words(column, at),
        }
        for name, column in sorted(tongue.facts.items(), key=lambda one: _(one[1].label))
    ]
    named = {name: one for one, name in short_names(tongue.parameters).items()}
    return found + [
        {
            "type": f"@{named.get(name, name)}",
            "label": _(parameter.label),
            "meaning": _(parameter.meaning),
            "unit": kind_words(parameter.kind, voice_of(at)) if parameter.kind in SUFFIXES else "",
        }
        for name, parameter in sorted(tongue.parameters.items())
    ]


def unit_words(column: Column, at: Surroundings) -> str:
    """What a fact measures; of a number only."""
    return kind_words(column.kind, voice_of(at)) if column.unit is not None else column.kind.value


def checked(given: Mapping[str, str], item: Mapping[str, Any] | None, at: Surroundings) -> dict[str, Any] | None:
    """What a formula comes to, as a page and a script show it: words, or what is wrong; values of customers."""
    if not given.get("formula", "").strip():
        return None
    formula, faults = read_formula(given["formula"], tongue_of(at, item))
    if faults:
        return {"wrong": f"{faults[0].what}. {faults[0].cure}"}
    kind = kind_of(formula, at)
    if isinstance(kind, Problem):
        return {"wrong": f"{kind.what}. {kind.cure}"}
    name = TRIED + SUFFIXES.get(kind, "")
    rounding = given.get("rounding", "down")
    fact = {"name": name, "kind": kind.value, "label": given.get("label") or name, "meaning": "-"}
    fact |= {"formula": formula, "rounding": rounding if rounding in ROUNDINGS else "down"}
    for end in ("low", "high"):
        value = measures.read_number(given.get(end, ""), kind, at.currency) if given.get(end) else None
        if value is not None:
            fact[end] = value
    body = {**at.body, "facts": [*at.body["facts"], fact]}
    parsed = parse_derived(body)[0]
    if parsed is None:
        return {"wrong": _("It is too long: make a part of it a fact of its own.")}
    tried = parsed.facts[-1]
    return {
        "words": measures.trimmed(derived_words(tried, voice_of(at))),
        "measures": kind_words(kind, voice_of(at)),
        "values": _values(body, tried, given.get("customer", ""), at),
    }


def _values(body: Mapping[str, Any], fact: DerivedFact, number: str, at: Surroundings) -> list[dict[str, str]]:
    """The fact for some customers: the one asked for, then those with the largest exposure."""
    if not gate.may("customers.view"):
        return []
    entity = next((one for one in governed(at.row) if sees_whole(one)), None)
    if entity is None:
        entity = next((one for one in visible_entities() if sees_whole(one)), None)
    if entity is None:
        return []
    try:
        chosen = largest_customers(gate.runtime(), entity, SHOWN_MAX)
        asked = Customer.get_or_none(Customer.entity == entity, Customer.number == number.strip()) if number else None
        chosen = [*([asked.id] if asked else []), *(one for one in chosen if asked is None or one != asked.id)]
        found = previews(gate.runtime(), entity, chosen, body, fact.name)
    except (Invalid, Unusable):
        return []
    voice = voice_of(at)
    return [_shown(one, fact, voice) for one in found]


def _shown(one: Preview, fact: DerivedFact, voice: Voice) -> dict[str, str]:
    return {
        "customer": f"{one.customer.number} {one.customer.name}",
        "value": measures.trimmed(value_words(one.value, fact.kind, voice)),
        "seen": measures.trimmed(derived_words(fact, voice, one.row)),
    }
