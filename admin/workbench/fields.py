"""The fields of a part of a draft, as the page draws them: every choice comes from the dictionary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from admin import measures
from admin.wording import code_words
from admin.workbench.reading import FIXED, NO, YES
from admin.workbench.world import World
from ledger.columns import Column, Kind
from rules import offers
from rules.conditions import LISTS, NULL_TESTS, Op
from rules.editing import GROUPS, word_of

Options = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # (heading, ((value, label), ...)); "" without heading


@dataclass(frozen=True)
class Choice:
    """A value, a parameter or a fact: one choice, and the field beside it for a fixed value.

    Args:
        name: of its fields, ``NAME:as`` and ``NAME:value``.
        options: what can be chosen.
        chosen: of them.
        text: of the fixed value.
        unit: beside it.
        suggestions: for the fixed value.
        wrong: what is wrong with it.
    """

    name: str
    options: Options
    chosen: str
    text: str = ""
    unit: str = ""
    suggestions: tuple[str, ...] = ()
    wrong: str = ""


@dataclass(frozen=True)
class TestFields:
    """One test: its fact, its operators in words and the choices for its values."""

    name: str
    place: str
    fact: str
    label: str
    meaning: str
    op: str
    ops: tuple[tuple[str, str, str], ...]  # value, words, how many values it takes: none, one, two, many
    values: tuple[Choice, ...]
    is_group: bool = False


@dataclass(frozen=True)
class GroupFields:
    """All, any or none of some parts."""

    name: str
    place: str
    word: str
    parts: tuple[Any, ...]
    is_group: bool = True


@dataclass(frozen=True)
class EffectFields:
    """What one outcome becomes: its form, and what the form takes."""

    name: str
    label: str
    form: str
    forms: tuple[tuple[str, str], ...]
    choice: Choice | None = None
    parts: tuple["EffectFields", ...] = ()
    amount: Choice | None = None


@dataclass
class Drawing:
    """Draws the fields of one part.

    Args:
        given: what was written in them, where it could not be read.
    """

    world: World
    place: str
    given: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)

    # --- conditions ------------------------------------------------------------------

    def condition(self, node: Any, name: str = "when") -> TestFields | GroupFields:
        """A condition as a tree of fields."""
        word = word_of(node)
        if word == "":
            return self.test(node, name)
        below = [(node["not"], f"{name}/not")] if word == "not" else []
        if word in GROUPS:
            below = [(part, f"{name}/{word}/{index}") for index, part in enumerate(node[word])]
        return GroupFields(name, f"{self.place}/{name}", word, tuple(self.condition(*part) for part in below))

    def test(self, test: Any, name: str) -> TestFields:
        """One test."""
        column, op = self.world.column(test[0]), str(test[1])
        operands = test[2] if len(test) > 2 else []
        values = list(operands) if isinstance(operands, list) else [operands]
        shown = max(2, len(values) + 1 if op in LISTS else 2)
        known = tuple((one.value, op_words(one, column.kind), takes(one)) for one in offers.ops_of(column))
        if op not in {value for value, _words, _takes in known}:
            known = (*known, (op, op_words(Op(op), column.kind), takes(Op(op))))
        return TestFields(
            name=name,
            place=f"{self.place}/{name}",
            fact=column.name,
            label=_(column.label),
            meaning=_(column.meaning) if column.meaning else "",
            op=op,
            ops=known,
            values=tuple(
                self.operand(f"{name}:{index}", values[index] if index < len(values) else "", column)
                for index in range(shown)
            ),
        )

    def operand(self, name: str, operand: Any, column: Column) -> Choice:
        """What a fact is compared with."""
        world = self.world
        facts = () if not name.endswith(":0") else offers.comparable_facts(column, world.facts)
        named = offers.comparable_parameters(column, world.parameters, world.stage)
        return self.choice(name, operand, column, named, facts)

    def choice(self, name: str, value: Any, column: Column, named: Iterable[str], facts: Iterable[str]) -> Choice:
        """A fixed value of a column's kind, a parameter or a fact."""
        world, kind = self.world, column.kind
        fixed: tuple[tuple[str, str], ...] = ((FIXED, _("a fixed value")),)
        if kind is Kind.BOOL:
            fixed = ((YES, _("yes")), (NO, _("no")))
        elif column.values:
            fixed = tuple((f"code:{code}", code_words(code)) for code in column.values)
        chosen = chosen_of(value, column)
        options: list[tuple[str, tuple[tuple[str, str], ...]]] = [("", fixed)]
        parameters = tuple((f"param:{one}", self._parameter(one)) for one in named)
        others = tuple((f"fact:{one}", _(world.facts[one].label)) for one in facts)
        options += [(head, part) for head, part in ((_("Parameters"), parameters), (_("Facts"), others)) if part]
        if chosen not in {value for _head, part in options for value, _label in part}:
            options.append((_("Not known here"), ((chosen, chosen.partition(":")[2]),)))
        return Choice(
            name=name,
            options=tuple(options),
            chosen=self.given.get(f"{name}:as", chosen),
            text=self.given.get(f"{name}:value", text_of(value, kind, world.currency)),
            unit=measures.unit_of(kind, world.currency),
            suggestions=world.codes_of(column.name) if column.unit is None else (),
            wrong=self.wrong.get(f"{name}:value", ""),
        )

    def _parameter(self, name: str) -> str:
        parameter = self.world.parameters[name]
        held = parameter.held(self.world.currency)
        value = next((one.value for one in reversed(held) if one.segment is None), None)
        number = isinstance(value, int) and not isinstance(value, bool)
        words = measures.number_words(value, parameter.kind, self.world.currency) if number else str(value)
        return f"{_(parameter.label)} ({words})"

    # --- effects ---------------------------------------------------------------------

    def effects(self, then: Mapping[str, Any]) -> tuple[EffectFields, ...]:
        """Every outcome a rule may set."""
        return tuple(
            self.effect(f"then/{column.name}", then.get(column.name, ...), column, top=True)
            for column in self.world.outcomes()
        )

    def effect(self, name: str, effect: Any, column: Column, *, top: bool = False) -> EffectFields:
        """One effect; ``...`` is none."""
        form = form_of(effect)
        forms = [(one, form_words(one)) for one in offers.effect_forms(column) if top or one != "nothing"]
        if top:
            forms.insert(0, ("none", _("not set")))
        if form not in dict(forms):
            forms.append((form, form_words(form)))
        made = EffectFields(name, _(column.label), form, tuple(forms))
        return EffectFields(**{**made.__dict__, **self._inside(name, form, effect, column)})

    def _inside(self, name: str, form: str, effect: Any, column: Column) -> dict[str, Any]:
        world = self.world
        if form in {"none", "nothing"}:
            return {}
        if form == "param":
            named = offers.effect_parameters(column.kind, world.parameters)
            return {"choice": self.named(name, "param", effect["param"], {one: self._parameter(one) for one in named})}
        if form == "fact":
            facts = {one: _(world.facts[one].label) for one in offers.effect_facts(column, world.facts)}
            return {"choice": self.named(name, "fact", effect["fact"], facts)}
        if form in {"percent_of", "round_down"}:
            kind = Kind.RATIO if form == "percent_of" else column.kind
            part, amount = effect[form]
            return {
                "parts": (self.effect(f"{name}/{form}/0", part, column),),
                "amount": self.amount(f"{name}/{form}/1", amount, kind),
            }
        if form in {"min", "max"}:
            parts = enumerate(effect[form])
            return {"parts": tuple(self.effect(f"{name}/{form}/{index}", part, column) for index, part in parts)}
        return {"choice": self.choice(name, effect, column, (), ())}

    def named(self, name: str, word: str, chosen: str, known: Mapping[str, str]) -> Choice:
        """One of some names."""
        options = tuple(known.items()) if chosen in known else (*known.items(), (chosen, chosen))
        return Choice(name=f"{name}:{word}", options=(("", options),), chosen=self.given.get(f"{name}:{word}", chosen))

    def amount(self, name: str, value: Any, kind: Kind) -> Choice:
        """A number or a parameter that is the same for every segment."""
        column = Column(name=name, kind=kind, label="", meaning="")
        return self.choice(name, value, column, offers.effect_parameters(kind, self.world.parameters, for_all=True), ())


def chosen_of(value: Any, column: Column) -> str:
    """Which choice a value is."""
    if isinstance(value, Mapping):
        word = next(iter(value))
        return f"{word}:{value[word]}"
    if column.kind is Kind.BOOL:
        return NO if value is False else YES
    return f"code:{value}" if column.values and value in column.values else FIXED


def form_of(effect: Any) -> str:
    """The form of an effect; ``none`` where there is none."""
    if effect is ...:
        return "none"
    if isinstance(effect, Mapping):
        return str(next(iter(effect)))
    return "nothing" if effect is None else "value"


def text_of(value: Any, kind: Kind, currency: str) -> str:
    """A fixed value as it stands in its field."""
    if isinstance(value, int) and not isinstance(value, bool):
        return measures.number_text(value, kind, currency)
    return value if isinstance(value, str) else ""


def takes(op: Op) -> str:
    """How many values an operator takes."""
    if op in NULL_TESTS:
        return "none"
    return "two" if op is Op.BETWEEN else "many" if op in LISTS else "one"


def op_words(op: Op, kind: Kind) -> str:
    """An operator in words."""
    words = {
        Op.LT: _("is less than"),
        Op.LE: _("is at most"),
        Op.GT: _("is more than"),
        Op.GE: _("is at least"),
        Op.EQ: _("is"),
        Op.NE: _("is not"),
        Op.BETWEEN: _("is from … to …"),
        Op.IN: _("is one of"),
        Op.NOT_IN: _("is none of"),
        Op.IS_NULL: _("is unknown"),
        Op.IS_NOT_NULL: _("is known"),
    }
    return words[op]


def form_words(form: str) -> str:
    """A form of an effect in words."""
    words = {
        "none": _("not set"),
        "value": _("a fixed value"),
        "nothing": _("unknown"),
        "param": _("a parameter"),
        "fact": _("a fact"),
        "percent_of": _("so many per cent of"),
        "min": _("the smallest of"),
        "max": _("the largest of"),
        "round_down": _("rounded down to a multiple of"),
    }
    return words[form]


def unit_words(column: Column, currency: str) -> str:
    """What a fact is measured in."""
    units = {Kind.COUNT: _("number"), Kind.BOOL: _("yes or no"), Kind.ENUM: _("choice"), Kind.CODE: _("text")}
    return measures.unit_of(column.kind, currency) or units.get(column.kind, "")
