"""Forms made from the dataclass of a command: the fields follow from names and types.

``_minor`` is an amount in the reader's notation, ``_day`` a date, ``bool`` a choice of two, an id is
carried hidden; every form asks for the reason, carries the row's version and a key of its own, so that
sending it twice does it once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints
from uuid import uuid4

from babel.numbers import get_decimal_symbol
from flask_babel import gettext as _

from admin import formatting
from engine.catalogue import COMMANDS
from engine.commands import Command
from ledger.cells import CURRENCY, Fault, percent
from ledger.days import day_of
from ledger.money import parse_amount
from ledger.problems import Problem

CARRIED = frozenset(
    {
        "version",
        "key",
        "customer",
        "action",
        "alarm",
        "alert",
        "override",
        "dispute",
        "block",
        "run",
        "user",
        "invoice_document",
        "claim_entry",
        "hand_over",
        "mail",
        "link",
        "payment_plan",
        "proposal",
        "write_off",
        "rating",
        "financial_statement",
    }
)
TEXT_LENGTH_MAX = 2_000


@dataclass(frozen=True)
class Ask:
    """How one field of a command is asked for, where its name and type do not say enough.

    Args:
        label: as shown.
        hint: one line beneath.
        options: (value, label) pairs; a callable is given the subject of the form.
        first: value to begin with; a callable is given the subject.
        kind: of the input, by default from name and type.
        suggest: values offered while typing, each with the target it belongs to; others are possible.
        when: whether the subject is asked for it at all.
    """

    label: Any
    hint: Any = ""
    options: Callable[[Any], Sequence[tuple[str, Any]]] | None = None
    first: Callable[[Any], Any] | None = None
    kind: str = ""
    suggest: Callable[[Any], Sequence[tuple[str, str]]] | None = None
    when: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class Shape:
    """A form: the command, its words, and how its fields are asked for.

    Args:
        name: of the command, as it is registered.
        title, lead: what is done, and what follows from it.
        submit: the word on the button.
        asks: by field name.
        danger: whether it cannot be taken back.
    """

    name: str
    title: Any
    lead: Any = ""
    submit: Any = ""
    asks: Mapping[str, Ask] = field(default_factory=dict)
    danger: bool = False

    @property
    def command(self) -> type[Command]:
        """Its dataclass."""
        return COMMANDS[self.name].command


@dataclass
class Input:
    """One input of a form as the template draws it."""

    name: str
    label: Any
    kind: str
    value: str = ""
    hint: Any = ""
    options: Sequence[tuple[str, Any]] = ()
    required: bool = False
    wrong: str = ""
    suggestions: Sequence[tuple[str, str]] = ()


def _types(command: type[Command]) -> dict[str, tuple[type, bool]]:
    """Name -> (type, whether it may be left out) of a command's own fields."""
    hints = get_type_hints(command)
    found = {}
    for part in fields(command):
        if part.name in {"actor"}:
            continue
        hint = hints[part.name]
        union = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        optional = NoneType in union or part.default is not MISSING
        plain = [one for one in union if one is not NoneType]
        found[part.name] = (plain[0] if len(plain) == 1 else str, optional)
    return found


def inputs(shape: Shape, subject: Any, given: Mapping[str, str]) -> list[Input]:
    """The inputs of a form, filled with what is given already."""
    made = []
    for name, (kind, optional) in _types(shape.command).items():
        ask = shape.asks.get(name)
        value = given.get(name, "")
        if name == "key":
            made.append(Input(name, "", "hidden", value or str(uuid4())))
            continue
        if name in CARRIED and ask is None:
            if value:
                made.append(Input(name, "", "hidden", value))
            continue
        if ask is None:
            ask = Ask(formatting.title(name.removesuffix("_minor").removesuffix("_day")))
        if ask.when is not None and not ask.when(subject):
            continue
        if not value and ask.first is not None:
            value = _written(ask.first(subject), name, subject)
        made.append(
            Input(
                name=name,
                label=ask.label,
                kind=ask.kind or _kind(name, kind, ask),
                value=value,
                hint=ask.hint,
                options=ask.options(subject) if ask.options else (),
                required=not optional,
                suggestions=ask.suggest(subject) if ask.suggest else (),
            )
        )
    reason = next(one for one in made if one.name == "reason")
    made.remove(reason)
    return [*made, reason]


def _kind(name: str, kind: type, ask: Ask) -> str:
    if ask.options is not None or kind is bool:
        return "select"
    if name == "reason":
        return "area"
    if name.endswith("_minor"):
        return "money"
    return "date" if name.endswith("_day") else "text"


def _written(value: Any, name: str, subject: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_day"):
        return formatting.iso(value)
    if name.endswith("_minor"):
        return formatting.money_text(value, currency_of(subject))
    return str(value)


def currency_of(subject: Any) -> str:
    """The currency a form's amounts are in."""
    for owner in (subject, getattr(subject, "customer", None)):
        if owner is None:
            continue
        if isinstance(getattr(owner, "currency", None), str):
            return str(owner.currency)
        if getattr(owner, "entity", None) is not None:
            return str(owner.entity.currency)
    return "EUR"


def read(
    shape: Shape, subject: Any, given: Mapping[str, str], actor: int
) -> tuple[Command | None, list[Input], list[Problem]]:
    """Read what was filled in.

    Returns:
        The command, or None with the inputs marked and the problems.
    """
    shown = inputs(shape, subject, given)
    by_name = {one.name: one for one in shown}
    values: dict[str, Any] = {"actor": actor}
    problems: list[Problem] = []
    written = given.get("currency", "").strip().upper()  # a form may ask for the currency of its amounts
    currency = written if CURRENCY.fullmatch(written) else currency_of(subject)
    for name, (kind, optional) in _types(shape.command).items():
        text = given.get(name, "").strip()
        if not text:
            if name == "reason" or (not optional and name != "key"):
                problems.append(Problem(place=name, what=_("is missing"), cure=_("fill it in")))
            continue
        try:
            chosen = kind is int and name in shape.asks and shape.asks[name].options  # a key of the list, not typed
            values[name] = int(text) if chosen else value_of(name, kind, text[:TEXT_LENGTH_MAX], currency)
        except ValueError:
            problems.append(
                Problem(place=name, what=_("“%(text)s” cannot be read", text=text[:40]), cure=cure_of(name))
            )
    for problem in problems:
        if problem.place in by_name:
            by_name[problem.place].wrong = f"{problem.what}: {problem.cure}"
    return (None if problems else shape.command(**values)), shown, problems


def value_of(name: str, kind: type, text: str, currency: str) -> Any:
    """What was typed into a field, by its name and type.

    Raises:
        ValueError: it cannot be read.
    """
    if name.endswith("_day"):
        return day_of(date.fromisoformat(text))
    if name.endswith("_minor"):
        mark = get_decimal_symbol(formatting.locale())
        amount = parse_amount(text, currency, "," if mark == "," else ".")
        if amount is None:
            raise ValueError(text)
        return amount
    if name.endswith("_bp"):
        share = percent(text)
        if isinstance(share, Fault):
            raise ValueError(share.what)
        return share
    if kind is bool:
        if text not in {"yes", "no"}:
            raise ValueError(text)
        return text == "yes"
    if kind is int:
        return int(text)
    return (text,) if kind is tuple else text


def cure_of(name: str) -> str:
    """What to do about a field that cannot be read."""
    if name.endswith("_day"):
        return _("give a date")
    if name.endswith("_minor"):
        return _("give an amount such as %(n)s", n=formatting.money_text(123_450, "EUR"))
    if name.endswith("_bp"):
        return _("give a share of 100, such as %(n)s", n="0.35")
    return _("choose or type another value")


def typed(target: str, text: str, currency: str) -> Any:
    """The value of an override by what it overrides, from text.

    Raises:
        ValueError: it cannot be read.
    """
    if target == "limit":
        return value_of("amount_minor", int, text, currency)
    if target in {"terms", "level", "collector"}:
        return int(text)
    if target == "hold":
        if text.lower() not in {"yes", "no"}:
            raise ValueError(text)
        return text.lower() == "yes"
    return text


def override_text(value: str | None, target: str, currency: str) -> Any:
    """An override's stored value as it is shown."""
    found = json.loads(value) if value else None
    if found is None:
        return formatting.NOTHING
    if target == "limit":
        return formatting.money(found, currency, decimals=False)
    if target == "hold":
        return formatting.badge("hold" if found else "done", _("Held") if found else _("Released"))
    return formatting.title(str(found)) if isinstance(found, str) else found
