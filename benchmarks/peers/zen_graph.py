"""The same policies as one decision graph of zen-engine (JDM): three decision tables and two expressions.

The engine refuses to compare null, so every cell of a fact that may be unknown begins with a guard.
A rule's tests stand in the columns of their facts; what is no plain conjunction stands in a column
of whole expressions.
"""

from itertools import pairwise
from typing import Any, TypeAlias

from benchmarks.peers.expressions import asked, expression, literal, written
from rules.book import Book, BookRule, BookStage
from rules.conditions import All, Condition, Const, FactRef, Op, Test
from rules.effects import Effect, Greatest, Least, PercentOf, RoundDown

Json: TypeAlias = dict[str, Any]
WHOLE = "whole"  # the column of whole expressions


def graph_of(book: Book) -> Json:
    """The graph: input, points, class, limit, hold, output."""
    card, limit, hold = (book.stages[name] for name in ("scorecard", "credit_limit", "hold"))
    nodes = [
        {"id": "input", "type": "inputNode", "name": "input"},
        _table("points", "collect", [_points(rule) for rule in card.rules], ["worth"], outputPath="hits"),
        _expressions("class", [("points", "sum(map(hits, #.worth))"), ("risk_class", _bands(card))]),
        _table("limit", "first", _ranked(limit), _outputs(limit)),
        _table("hold", "first", _ranked(hold), _outputs(hold)),
        _expressions("answer", [(name, name) for name in _answer(limit, hold)], passThrough=False),
        {"id": "output", "type": "outputNode", "name": "output"},
    ]
    ids = [node["id"] for node in nodes]
    edges = [
        {"id": f"{one}-{other}", "type": "edge", "sourceId": one, "targetId": other} for one, other in pairwise(ids)
    ]
    return {"nodes": [{"position": {"x": 0, "y": 0}, **node} for node in nodes], "edges": edges}


def _answer(limit: BookStage, hold: BookStage) -> list[str]:
    return ["points", "risk_class", *_outputs(limit), *_outputs(hold)]


def _outputs(stage: BookStage) -> list[str]:
    return [*stage.stage.settable, f"winner_{stage.name}"]


def _ranked(stage: BookStage) -> list[tuple[Condition | None, dict[str, str]]]:
    """One line a rule, in the order of the hit policy, and one for `otherwise`."""
    lines: list[tuple[Condition | None, dict[str, str]]] = []
    for rule in (*stage.ranked, None):
        sets = {name: _effect(stage.effect(rule, name)) for name in stage.stage.settable}
        sets[f"winner_{stage.name}"] = "null" if rule is None else f"'{rule.key}'"
        lines.append((None if rule is None else rule.condition, sets))
    return lines


def _points(rule: BookRule) -> tuple[Condition | None, dict[str, str]]:
    return rule.condition, {"worth": _effect(rule.effects["points"])}


def _bands(stage: BookStage) -> str:
    *others, last = stage.policy.bands
    turns = "".join(f"$.points <= {band.up_to} ? '{band.risk_class}' : " for band in others)
    return f"{turns}'{last.risk_class}'"


def _expressions(name: str, pairs: list[tuple[str, str]], passThrough: bool = True) -> Json:  # noqa: N803 its word
    expressions = [{"id": key, "key": key, "value": value} for key, value in pairs]
    return {
        "id": name,
        "type": "expressionNode",
        "name": name,
        "content": {"expressions": expressions, "passThrough": passThrough},
    }


def _table(
    name: str, hit: str, lines: list[tuple[Condition | None, dict[str, str]]], outputs: list[str], **more: str
) -> Json:
    cells = [({} if condition is None else _cells(condition), sets) for condition, sets in lines]
    facts = sorted({fact for own, _ in cells for fact in own} - {WHOLE})
    inputs = [{"id": f"i_{fact}", "name": fact, "field": fact} for fact in facts] + [
        {"id": f"i_{WHOLE}", "name": WHOLE}
    ]
    rules = [
        {
            "_id": str(number),
            **{f"i_{fact}": own.get(fact, "") for fact in (*facts, WHOLE)},
            **{f"o_{output}": sets[output] for output in outputs},
        }
        for number, (own, sets) in enumerate(cells)
    ]
    content = {
        "hitPolicy": hit,
        "passThrough": True,
        "inputs": inputs,
        "outputs": [{"id": f"o_{output}", "name": output, "field": output} for output in outputs],
        "rules": rules,
        **more,
    }
    return {"id": name, "type": "decisionTableNode", "name": name, "content": content}


def _cells(condition: Condition) -> dict[str, str]:
    cells: dict[str, str] = {}
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if isinstance(part, Test) and part.fact not in cells:
            cells[part.fact] = _cell(part)
        else:
            own = expression(part)
            cells[WHOLE] = f"{cells[WHOLE]} and {own}" if WHOLE in cells else own
    return cells


def _cell(test: Test) -> str:
    """A test as a cell; the short forms, which need no guard, where the engine has them."""
    values = written(test)
    if test.op is Op.IS_NULL:
        return "null"
    if test.op is Op.EQ and not isinstance(test.value, FactRef):
        return values[0]
    if test.op is Op.IN:
        return ", ".join(values)
    return asked(test, "$")


def _effect(effect: Effect) -> str:
    match effect:
        case Const(None):
            return "null"
        case Const(value):
            return literal(value)
        case FactRef(name):
            return name
    names = _facts(effect)
    known = " and ".join(f"{name} != null" for name in names)
    return f"{known} ? {_amount(effect)} : null"


def _facts(effect: Effect) -> list[str]:
    match effect:
        case FactRef(name):
            return [name]
        case PercentOf(of, _) | RoundDown(of, _):
            return _facts(of)
        case Least(parts) | Greatest(parts):
            return list(dict.fromkeys(name for part in parts for name in _facts(part)))
    return []


def _amount(effect: Effect) -> str:
    match effect:
        case Const(value):
            return str(value)
        case FactRef(name):
            return name
        case PercentOf(of, Const(bp)):
            return f"floor(({_amount(of)} * {bp} + 5000) / 10000)"  # of amounts that are never negative
        case RoundDown(of, Const(step)):
            return f"floor({_amount(of)} / {step}) * {step}"
        case Least(parts):
            return f"min([{', '.join(_amount(part) for part in parts)}])"
        case Greatest(parts):
            return f"max([{', '.join(_amount(part) for part in parts)}])"
    raise ValueError(f"not in these policies: {effect}")
