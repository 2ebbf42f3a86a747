"""Effect cells: what an outcome becomes, as one cell of a decision table.

``45``, ``none``, ``{Limit of a new customer}``, ``12.5 % * [Turnover, 12 months]``,
``min({Highest limit proposed}; round down({Share} * [Turnover, 12 months]; 2,500.00))``.
"""

from collections.abc import Mapping
from typing import Any as Json

from ledger.columns import Column, Kind
from rules.cell_words import Tongue, Unreadable, pieces

FUNCTIONS = {"min": "min", "max": "max", "round down": "round_down"}  # as a cell and as a document says them
DEPTH_MAX = 40  # nesting of brackets in a cell; the checker asks for much less


def unfit_effect(effect: Json, column: Column) -> bool:
    """Whether a constant in an effect is not of the outcome's type, so that no cell can say it."""
    if isinstance(effect, Mapping):
        word, inner = next(iter(effect.items()))
        if word in ("param", "fact"):
            return False
        if word in ("percent_of", "round_down"):
            return unfit_effect(inner[0], column) or column.unit is None
        return column.unit is None or any(unfit_effect(part, column) for part in inner)
    if effect is None:
        return False
    if column.kind is Kind.BOOL:
        return not isinstance(effect, bool)
    wanted = str if column.unit is None else int
    return isinstance(effect, bool) or not isinstance(effect, wanted)


def effect_text(effect: Json, column: Column, tongue: Tongue) -> str:
    """An effect as a cell.

    >>> from rules.stages import OUTCOMES
    >>> from rules.words import Voice
    >>> limit = OUTCOMES["proposed_limit_minor"]
    >>> effect_text({"percent_of": [{"fact": "overdue_minor"}, 1250]}, limit, Tongue(Voice()))
    '12.5 % * [Overdue]'
    """
    if effect is None:
        return tongue.word("none")
    if not isinstance(effect, Mapping):
        return tongue.value(effect, column.kind)
    word, inner = next(iter(effect.items()))
    if word == "param":
        return tongue.parameter(inner)
    if word == "fact":
        return tongue.fact(inner)
    if word == "percent_of":
        return f"{_amount(inner[1], Kind.RATIO, tongue)} * {effect_text(inner[0], column, tongue)}"
    if word == "round_down":
        return f"round down({effect_text(inner[0], column, tongue)}; {_amount(inner[1], column.kind, tongue)})"
    return f"{word}({'; '.join(effect_text(part, column, tongue) for part in inner)})"


def _amount(amount: Json, kind: Kind, tongue: Tongue) -> str:
    if isinstance(amount, Mapping):
        return tongue.parameter(amount["param"])
    return tongue.value(amount, kind) + (" %" if kind is Kind.RATIO else "")


def read_effect(text: str, column: Column, tongue: Tongue, depth: int = 0) -> Json:
    """The effect a cell says.

    Raises:
        Unreadable: the cell is not of the grammar.

    >>> from rules.stages import OUTCOMES
    >>> from rules.words import Voice
    >>> read_effect("min([Overdue]; 50.00)", OUTCOMES["proposed_limit_minor"], Tongue(Voice()))
    {'min': [{'fact': 'overdue_minor'}, 5000]}
    """
    text = text.strip()
    say = tongue.voice.say
    if depth > DEPTH_MAX:
        raise Unreadable(say("there are too many brackets inside each other"), say("write it more simply"))
    if tongue.is_word(text, "none"):
        return None
    if column.unit is not None:
        factors = pieces(text, ("*",), say)
        if len(factors) > 1:
            rest = " * ".join(factors[1:])
            share = _read_amount(factors[0], Kind.RATIO, tongue)
            return {"percent_of": [read_effect(rest, column, tongue, depth + 1), share]}
        for written, word in FUNCTIONS.items():
            if text.casefold().startswith(f"{written}(") and text.endswith(")"):
                parts = pieces(text[len(written) + 1 : -1], (";",), say)
                return {word: _read_parts(word, parts, column, tongue, depth)}
    name = tongue.read_name(text)
    return tongue.read_value(text, column.kind, column.values) if name is None else name


def _read_parts(word: str, parts: list[str], column: Column, tongue: Tongue, depth: int) -> list[Json]:
    if word != "round_down":
        return [read_effect(part, column, tongue, depth + 1) for part in parts]
    if len(parts) != 2:
        say = tongue.voice.say
        raise Unreadable(say("round down needs an amount and a step"), say("write round down(amount; step)"))
    return [read_effect(parts[0], column, tongue, depth + 1), _read_amount(parts[1], column.kind, tongue)]


def _read_amount(text: str, kind: Kind, tongue: Tongue) -> Json:
    name = tongue.read_name(text)
    if name is not None and "fact" in name:
        say = tongue.voice.say
        raise Unreadable(say("a share or a step is a number or a parameter"), say("write a number, or {a parameter}"))
    return tongue.read_value(text, kind) if name is None else name
