"""Condition cells: what a rule asks of one fact, as one cell of a decision table.

``> 5,000.00``, ``30 .. 60``, ``in A, B``, ``is unknown or <= {Small balance}``: printing and
reading back give the same tests. Documents are JSON here, as they are kept.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any as Json

from ledger.columns import Column, Kind
from rules.cell_words import Say, Tongue, Unreadable, pieces
from rules.conditions import LISTS, NULL_TESTS, Op

OPERATORS = {
    **{op.value: op for op in (Op.LE, Op.GE, Op.NE, Op.EQ, Op.LT, Op.GT)},
    **{"=<": Op.LE, "≤": Op.LE, "=>": Op.GE, "≥": Op.GE, "<>": Op.NE, "≠": Op.NE, "=": Op.EQ},
}
STARTS = sorted(OPERATORS, key=len, reverse=True)
RANGE = re.compile(r"\.{2,3}|…| – ")
TEXTS = frozenset({Kind.CODE, Kind.ENUM})
Term = Json  # a test, or {"any": [tests]}: what one condition asks of one fact


def fact_of(term: Term) -> str | None:
    """The one fact a term asks of; None when it is no term."""
    if isinstance(term, Mapping):
        parts = term.get("any", ())
        facts = {part[0] for part in parts if isinstance(part, list)}
        return facts.pop() if len(facts) == 1 and all(isinstance(part, list) for part in parts) else None
    return str(term[0])


def terms_of(when: Json) -> list[Term] | None:
    """The terms of a plain conjunction, in order; None when the condition is none."""
    terms = when["all"] if isinstance(when, Mapping) and "all" in when else [when]
    return None if any(fact_of(term) is None for term in terms) else list(terms)


def normal(term: Term) -> Term:
    """A term without needless grouping: any of one test is that test."""
    if isinstance(term, Mapping) and len(term["any"]) == 1:
        return term["any"][0]
    return term


def unfit_value(term: Term, column: Column) -> Json | None:
    """A constant that is not of the fact's type, so that no cell can say it; None when all are."""
    for test in term["any"] if isinstance(term, Mapping) else [term]:
        operands = test[2:3] if not (len(test) > 2 and isinstance(test[2], list)) else test[2]
        for operand in operands:
            if not isinstance(operand, Mapping) and not _is_of(operand, column):
                return json.dumps(operand, ensure_ascii=False)
    return None


def _is_of(value: Json, column: Column) -> bool:
    if column.kind is Kind.BOOL:
        return isinstance(value, bool)
    if column.kind in TEXTS:
        return isinstance(value, str) and (not column.values or value in column.values)
    return isinstance(value, int) and not isinstance(value, bool)


def cell_text(terms: Sequence[Term], column: Column, tongue: Tongue) -> str:
    """The terms of one fact as a cell; empty for none.

    >>> from rules.facts import DICTIONARY
    >>> from rules.words import Voice
    >>> days = DICTIONARY["leader_days_past_due"]
    >>> cell_text([[days.name, ">", 30], [days.name, "<", 60]], days, Tongue(Voice()))
    '> 30 and < 60'
    """
    said = []
    for term in map(normal, terms):
        if isinstance(term, Mapping):
            words = f" {tongue.word('or')} ".join(_test_text(test, column, tongue) for test in term["any"])
            said.append(words if len(terms) == 1 else f"({words})")
        else:
            said.append(_test_text(term, column, tongue))
    return f" {tongue.word('and')} ".join(said)


def _test_text(test: Sequence[Json], column: Column, tongue: Tongue) -> str:
    op = Op(test[1])
    if op in NULL_TESTS:
        return tongue.word("is unknown" if op is Op.IS_NULL else "is known")
    if op in LISTS:
        separator = ", " if column.kind in TEXTS | {Kind.BOOL} else "; "
        values = separator.join(_operand_text(value, column, tongue) for value in test[2])
        return f"{tongue.word('in' if op is Op.IN else 'not in')} {values}"
    if op is Op.BETWEEN:
        return " .. ".join(_operand_text(value, column, tongue) for value in test[2])
    value = _operand_text(test[2], column, tongue)
    return value if op is Op.EQ else f"{op.value} {value}"


def _operand_text(operand: Json, column: Column, tongue: Tongue) -> str:
    if isinstance(operand, Mapping):
        return tongue.parameter(operand["param"]) if "param" in operand else tongue.fact(operand["fact"])
    return tongue.value(operand, column.kind)


def read_cell(text: str, column: Column, tongue: Tongue) -> list[Term]:
    """The terms a cell asks of its fact; none for an empty cell.

    Raises:
        Unreadable: the cell is not of the grammar.

    >>> from rules.facts import DICTIONARY
    >>> from rules.words import Voice
    >>> read_cell("30 .. 60", DICTIONARY["leader_days_past_due"], Tongue(Voice()))
    [['leader_days_past_due', 'between', [30, 60]]]
    """
    text = text.strip()
    if not text:
        return []
    say = tongue.voice.say
    ands = [f" {word} " for word in tongue.words["and"]]
    terms = [_read_term(part, column, tongue) for part in pieces(text, ands, say)]
    if len(terms) > 1 and any(isinstance(term, tuple) for term in terms):
        raise Unreadable(say("it is not clear what belongs together"), say("put what stands around “or” in brackets"))
    return [_any_of(list(term)) if isinstance(term, tuple) else term for term in terms]


def _read_term(text: str, column: Column, tongue: Tongue) -> Term:
    """A test, alternatives in brackets as a group, alternatives without brackets as a tuple."""
    ors = [f" {word} " for word in tongue.words["or"]]
    parts = pieces(text, ors, tongue.voice.say)
    if len(parts) > 1:
        return tuple(_read_test(part, column, tongue) for part in parts)
    if text.startswith("(") and text.endswith(")"):
        return _any_of([_read_test(part, column, tongue) for part in pieces(text[1:-1].strip(), ors, tongue.voice.say)])
    return _read_test(text, column, tongue)


def _any_of(tests: list[Json]) -> Term:
    return normal({"any": tests})


def _read_test(text: str, column: Column, tongue: Tongue) -> list[Json]:
    say = tongue.voice.say
    if not text:
        raise Unreadable(say("a test is missing"), say("write one, or remove the “and” or “or” beside it"))
    if tongue.is_word(text, "is unknown"):
        return [column.name, Op.IS_NULL.value]
    if tongue.is_word(text, "is known"):
        return [column.name, Op.IS_NOT_NULL.value]
    for english, op in (("not in", Op.NOT_IN), ("in", Op.IN)):
        for word in tongue.words[english]:
            if text.casefold().startswith(f"{word.casefold()} "):
                return [column.name, op.value, _read_list(text[len(word) :].strip(), column, tongue)]
    start = next((mark for mark in STARTS if text.startswith(mark)), None)
    if start is not None:
        operand = _read_operand(text[len(start) :].strip(), column, tongue, facts=True)
        return [column.name, OPERATORS[start].value, operand]
    ends = _ends(text, say)
    if ends is not None:
        return [column.name, Op.BETWEEN.value, [_read_operand(end, column, tongue) for end in ends]]
    if column.kind in TEXTS and len(pieces(text, (",", ";"), say)) > 1:
        return [column.name, Op.IN.value, _read_list(text, column, tongue)]
    return [column.name, Op.EQ.value, _read_operand(text, column, tongue, facts=True)]


def _ends(text: str, say: Say) -> tuple[str, str] | None:
    """Low and high of a range; None when there is no range mark outside quotes and brackets."""
    for mark in RANGE.finditer(text):
        parts = pieces(text, (mark.group(),), say)
        if len(parts) == 2:
            return parts[0], parts[1]
        if len(parts) > 2:
            raise Unreadable(say("a range has two ends"), say("write it as lowest .. highest"))
    return None


def _read_list(text: str, column: Column, tongue: Tongue) -> list[Json]:
    separators = (",", ";") if column.kind in TEXTS | {Kind.BOOL} else (";", ", ")
    return [_read_operand(part, column, tongue) for part in pieces(text, separators, tongue.voice.say)]


def _read_operand(text: str, column: Column, tongue: Tongue, facts: bool = False) -> Json:
    name = tongue.read_name(text)
    if name is None:
        return tongue.read_value(text, column.kind, column.values)
    if "fact" in name and not facts:
        say = tongue.voice.say
        raise Unreadable(
            say("a fact cannot stand in a range or a list"), say("compare with it by <, <=, >, >=, or = alone")
        )
    return name
